//! The command line, as people and scripts see it.
#![cfg(feature = "cli")]

#[cfg(unix)]
mod cache;
mod commands;
mod delegation;
mod emulator;
#[cfg(all(unix, feature = "redis"))]
#[path = "../engine/mod.rs"]
mod engine;
#[cfg(feature = "cli")]
mod jit;
mod pages;
#[path = "../rounds/mod.rs"]
mod rounds;
#[cfg(unix)]
mod shared;
