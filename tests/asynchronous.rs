//! The async client over real sockets: it blocks nobody, a dropped future harms nobody, and it takes no half answers.
#![cfg(all(feature = "reqwest", feature = "emulator"))]

mod hostile;

#[path = "asynchronous/dropped.rs"]
mod dropped;
#[path = "asynchronous/runtime.rs"]
mod runtime;
#[path = "asynchronous/support.rs"]
mod support;
#[path = "asynchronous/wire.rs"]
mod wire;
