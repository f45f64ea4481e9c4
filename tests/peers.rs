//! Other programs as peers: a strict authorization server, the vendor's Python SDK and what it stands on, OpenSSL
//! and Node.
//!
//! Each peer is installed below the target folder when it is first needed. Where that cannot be done, the tests say
//! `SKIPPED` and why.
#![cfg(all(feature = "ureq", feature = "aauth", feature = "emulator"))]
#![allow(clippy::print_stdout)] // each guarantee shows its figure

#[path = "peers/child.rs"]
mod child;
#[path = "peers/device.rs"]
mod device;
#[path = "hostile/mod.rs"]
mod hostile;
#[path = "peers/keys.rs"]
mod keys;
#[path = "peers/oidc.rs"]
mod oidc;
#[path = "peers/python.rs"]
mod python;
