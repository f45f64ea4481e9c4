//! AAuth through its public face: keys, and the signing of messages.
#![cfg(all(feature = "aauth", feature = "blocking"))]
#![allow(clippy::print_stdout)] // each guarantee shows its figure

#[path = "aauth/agents.rs"]
mod agents;
#[path = "aauth/keys.rs"]
mod keys;
#[path = "aauth/replays.rs"]
mod replays;
#[path = "aauth/requests.rs"]
mod requests;
#[path = "aauth/signing.rs"]
mod signing;
#[path = "aauth/support.rs"]
mod support;
#[path = "aauth/tokens.rs"]
mod tokens;
#[path = "aauth/vectors.rs"]
mod vectors;
