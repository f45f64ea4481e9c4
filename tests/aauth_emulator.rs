//! The emulator's authorization server of AAuth: what it grants, what it refuses and with which code.
#![cfg(all(feature = "ureq", feature = "emulator"))]

#[path = "aauth_emulator/world.rs"]
mod world;

#[path = "aauth_emulator/agent_tokens.rs"]
mod agent_tokens;
#[path = "aauth_emulator/chains.rs"]
mod chains;
#[path = "aauth_emulator/command.rs"]
mod command;
#[path = "aauth_emulator/consent.rs"]
mod consent;
#[path = "aauth_emulator/demo.rs"]
mod demo;
#[path = "aauth_emulator/documents.rs"]
mod documents;
#[path = "aauth_emulator/older.rs"]
mod older;
#[path = "aauth_emulator/renewal.rs"]
mod renewal;
#[path = "aauth_emulator/resources.rs"]
mod resources;
#[path = "aauth_emulator/sampled.rs"]
mod sampled;
#[path = "aauth_emulator/signatures.rs"]
mod signatures;
#[path = "aauth_emulator/tokens.rs"]
mod tokens;
