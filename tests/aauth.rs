//! AAuth through its public face: keys, and the signing of messages.
#![cfg(feature = "aauth")]

#[path = "aauth/keys.rs"]
mod keys;
#[path = "aauth/signing.rs"]
mod signing;
