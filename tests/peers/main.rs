//! Other programs as peers: a strict authorization server, the vendor's Python SDK and what it stands on, OpenSSL
//! and Node.
//!
//! Each peer is installed below the target folder when it is first needed. Where that cannot be done, the tests say
//! `SKIPPED` and why.
#![cfg(all(feature = "ureq", feature = "aauth", feature = "emulator"))]
#![allow(clippy::print_stdout)] // each guarantee shows its figure

mod approvals;
mod authz;
mod child;
mod conformance;
#[cfg(feature = "cli")]
mod console;
mod device;
mod fastmcp;
#[path = "../hostile/mod.rs"]
mod hostile;
mod jit;
mod keys;
mod oidc;
mod python;
