//! Permissions just in time through both clients, on the emulator: one source of flows, mounted twice.
#![cfg(all(feature = "blocking", feature = "async", feature = "emulator"))]

mod asynchronous;
mod blocking;
mod cancel;
mod clocks;
mod dropped;

use std::sync::Arc;

use lumoauth::Emulator;
use lumoauth::embed::wire::Request;

/// Is told of every request before it is carried.
type Hook = Arc<dyn Fn(&Emulator, &Request) + Send + Sync>;
