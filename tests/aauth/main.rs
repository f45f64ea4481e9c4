//! AAuth through its public face: keys, the signing of messages, signed calls over real connections, and their verification.
#![cfg(all(feature = "aauth", feature = "blocking"))]
#![allow(clippy::print_stdout)] // each guarantee shows its figure

#[cfg(all(feature = "ureq", feature = "async"))]
mod afresh;
mod agents;
#[cfg(feature = "cli")]
mod cli;
mod client;
mod emulator;
mod flows;
#[path = "../hostile/mod.rs"]
mod hostile;
mod keys;
mod published;
#[cfg(all(feature = "ureq", feature = "async"))]
mod rebuilt;
mod replays;
mod requests;
#[path = "../rounds/mod.rs"]
mod rounds;
mod service;
mod settings;
mod signing;
mod support;
mod tokens;
mod vectors;
