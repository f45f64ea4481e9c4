//! The client of agents with keys of their own, in both mounts: against a scripted service on a virtual clock, and over
//! real connections against the hostile server.
#![cfg(all(feature = "blocking", feature = "async", feature = "aauth"))]

mod world;

mod answers;
#[cfg(feature = "cli")]
mod cli;
mod flows;
#[cfg(feature = "ureq")]
mod once;
mod renewal;
mod shared;
