//! Services behind the guards: who gets through, who does not, and what strangers are told.
#![cfg(all(feature = "axum", feature = "emulator"))]
#![allow(clippy::print_stdout)] // each guarantee shows its figure

mod asked;
mod callers;
mod hostile;
#[cfg(feature = "reqwest")]
mod http_client;
mod mcp;
#[cfg(feature = "reqwest")]
#[allow(dead_code)] // its main is for people
#[path = "../../examples/mcp_server.rs"]
mod mcp_example;
mod places;
#[cfg(feature = "reqwest")]
mod rmcp_client;
#[cfg(feature = "reqwest")]
mod serving;
mod sessions;
mod strangers;
mod support;
mod tools;
#[cfg(feature = "reqwest")]
#[allow(dead_code)] // its main is for people
#[path = "../../examples/web.rs"]
mod web_example;
