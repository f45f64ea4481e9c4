//! AAuth through its public face: keys, the signing of messages, and signed calls over real connections.
#![cfg(feature = "aauth")]

#[cfg(all(feature = "ureq", feature = "async"))]
#[path = "aauth/afresh.rs"]
mod afresh;
mod hostile;
#[path = "aauth/keys.rs"]
mod keys;
#[path = "aauth/published.rs"]
mod published;
#[cfg(all(feature = "ureq", feature = "async"))]
#[path = "aauth/rebuilt.rs"]
mod rebuilt;
#[path = "aauth/signing.rs"]
mod signing;
