//! An agent without a secret: its platform's token becomes its own; on the emulator.
#![cfg(all(feature = "blocking", feature = "emulator"))]

#[cfg(feature = "async")]
mod asynchronous;
mod files;
mod kinds;
mod support;
