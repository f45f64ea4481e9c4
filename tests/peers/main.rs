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
#[cfg(all(feature = "axum", feature = "reqwest"))]
mod mcp_clients;
#[cfg(all(feature = "axum", feature = "reqwest"))]
#[allow(dead_code)] // its main is for people
#[path = "../../examples/mcp_server.rs"]
mod mcp_example;
mod oidc;
mod python;
#[cfg(all(feature = "axum", feature = "reqwest"))]
#[path = "../web/serving.rs"]
mod serving;
#[cfg(all(feature = "axum", feature = "reqwest"))]
mod suite;
