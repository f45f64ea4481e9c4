//! Decisions of people that cannot drift: what they are bound to, how they are waited for, and that what was approved runs once.
#![cfg(all(feature = "blocking", feature = "emulator"))]
#![allow(clippy::print_stdout)] // each guarantee shows its figure

mod answers;
mod calls;
mod cancel;
mod faults;
mod flows;
mod hostile;
#[cfg(feature = "ureq")]
mod kills;
mod polling;
#[path = "../rounds/mod.rs"]
mod rounds;
mod runs;
#[path = "../stores/mod.rs"]
mod stores;
mod support;
