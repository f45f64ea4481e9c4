//! The emulator's authorization server of AAuth: what it grants, what it refuses and with which code.
#![cfg(all(feature = "ureq", feature = "emulator"))]

mod world;

mod agent_tokens;
mod chains;
mod command;
mod consent;
mod demo;
mod documents;
mod older;
mod renewal;
mod resources;
mod sampled;
mod signatures;
mod tokens;
