//! The command line, as people and scripts see it.
#![cfg(feature = "cli")]

mod commands;
mod delegation;
mod emulator;
