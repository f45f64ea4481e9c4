//! An agent without a secret: its platform's token becomes its own; on the emulator.
#![cfg(all(feature = "blocking", feature = "emulator"))]

#[cfg(feature = "async")]
#[path = "workload/asynchronous.rs"]
mod asynchronous;
#[path = "workload/files.rs"]
mod files;
#[path = "workload/kinds.rs"]
mod kinds;
#[path = "workload/support.rs"]
mod support;
