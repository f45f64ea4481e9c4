//! Services behind the guards: who gets through, who does not, and what strangers are told.
#![cfg(all(feature = "axum", feature = "emulator"))]
#![allow(clippy::print_stdout)] // each guarantee shows its figure

mod asked;
mod callers;
mod strangers;
mod support;
mod tools;
