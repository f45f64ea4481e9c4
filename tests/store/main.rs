//! Stores: what all of them promise, and what each does by itself.
#![cfg(all(feature = "blocking", feature = "async", feature = "contract"))]

mod contract;
mod file;
mod memory;
#[cfg(feature = "aauth")]
mod replays;
#[cfg(feature = "sealed")]
mod sealed;
mod support;
