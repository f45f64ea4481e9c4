//! AAuth through its public face: keys, the signing of messages, signed calls over real connections, and their verification.
#![cfg(all(feature = "aauth", feature = "blocking"))]
#![allow(clippy::print_stdout)] // each guarantee shows its figure

#[cfg(all(feature = "ureq", feature = "async"))]
#[path = "aauth/afresh.rs"]
mod afresh;
#[path = "aauth/agents.rs"]
mod agents;
#[cfg(feature = "cli")]
#[path = "aauth/cli.rs"]
mod cli;
mod hostile;
#[path = "aauth/keys.rs"]
mod keys;
#[path = "aauth/published.rs"]
mod published;
#[cfg(all(feature = "ureq", feature = "async"))]
#[path = "aauth/rebuilt.rs"]
mod rebuilt;
#[path = "aauth/replays.rs"]
mod replays;
#[path = "aauth/requests.rs"]
mod requests;
#[path = "aauth/service.rs"]
mod service;
#[path = "aauth/signing.rs"]
mod signing;
#[path = "aauth/support.rs"]
mod support;
#[path = "aauth/tokens.rs"]
mod tokens;
#[path = "aauth/vectors.rs"]
mod vectors;
