//! Fleets: processes that share a store on a real server. A binary of its own, because it starts itself again many times.
#![cfg(all(unix, feature = "ureq", feature = "emulator", feature = "redis", feature = "aauth"))]

#[path = "../engine/mod.rs"]
mod engine;
mod member;
mod nonces;
#[path = "../rounds/mod.rs"]
mod rounds;
mod tokens;
mod troubles;
