//! Real sockets: what the built-in transports do with servers that are slow, broken or hostile, and where they connect.
#![cfg(feature = "ureq")]

mod asynchronous;
mod blocking;
#[cfg(all(feature = "reqwest", feature = "contract", feature = "emulator"))]
mod contract;
#[cfg(feature = "reqwest")]
mod environment;
mod faults;
#[path = "../hostile/mod.rs"]
mod hostile;
mod injection;
mod late;
mod origins;
mod proxy;
#[path = "../rounds/mod.rs"]
mod rounds;
#[path = "../stores/mod.rs"]
mod stores;
mod targets;
#[cfg(feature = "reqwest")]
mod tunnel;
