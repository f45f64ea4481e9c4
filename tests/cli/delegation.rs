//! The command line acts for users, and looks at tokens: each step is a process of its own, the service is on loopback.
#![cfg(feature = "cli")]

pub mod support;
mod tokens;
pub mod walk;
