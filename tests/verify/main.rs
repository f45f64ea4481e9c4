//! Verification of tokens: what is accepted, and everything that is not.
#![cfg(all(feature = "verify", feature = "emulator", feature = "blocking"))]
#![allow(clippy::print_stdout)] // each guarantee shows its figure

mod algorithms;
mod callers;
mod claims;
mod flows;
mod headers;
mod introspection;
mod keys;
mod named;
mod refresh;
#[path = "../rounds/mod.rs"]
mod rounds;
mod skew;
mod support;
mod tamper;
mod wycheproof;
