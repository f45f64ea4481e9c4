//! Signing people in, on the emulator: the whole way, every refusal, the router, and a real browser.

mod answers;
mod apart;
mod attempts;
mod browser;
mod edges;
mod id_tokens;
mod logout;
#[path = "../rounds/mod.rs"]
mod rounds;
mod router;
mod service;
mod sessions;
mod settings;
#[path = "../stores/mod.rs"]
mod stores;
mod support;
mod troubles;
