//! The command line acts for users, and looks at tokens: each step is a process of its own, the service is on loopback.
#![cfg(feature = "cli")]

#[path = "cli_delegation/support.rs"]
mod support;
#[path = "cli_delegation/tokens.rs"]
mod tokens;
#[path = "cli_delegation/walk.rs"]
mod walk;
