//! Stores: what all of them promise, and what each does by itself.
#![cfg(all(feature = "blocking", feature = "async", feature = "contract"))]

mod contract;
#[cfg(feature = "redis")]
#[path = "../engine/mod.rs"]
mod engine;
mod file;
mod memory;
#[cfg(feature = "redis")]
mod redis_server;
#[cfg(feature = "aauth")]
mod replays;
#[cfg(feature = "sealed")]
mod sealed;
#[path = "../stores/mod.rs"]
mod stores;
mod support;
