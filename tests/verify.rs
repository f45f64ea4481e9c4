//! Verification of tokens: what is accepted, and everything that is not.
#![cfg(all(feature = "verify", feature = "emulator", feature = "blocking"))]
#![allow(clippy::print_stdout)] // each guarantee shows its figure

#[path = "verify/algorithms.rs"]
mod algorithms;
#[path = "verify/claims.rs"]
mod claims;
#[path = "verify/flows.rs"]
mod flows;
#[path = "verify/headers.rs"]
mod headers;
#[path = "verify/introspection.rs"]
mod introspection;
#[path = "verify/keys.rs"]
mod keys;
#[path = "verify/refresh.rs"]
mod refresh;
#[path = "verify/skew.rs"]
mod skew;
#[path = "verify/support.rs"]
mod support;
#[path = "verify/tamper.rs"]
mod tamper;
#[path = "verify/wycheproof.rs"]
mod wycheproof;
