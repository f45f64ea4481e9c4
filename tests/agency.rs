//! Acting for users, and what must hold of it: addresses for people, what exchanges give, sessions of many processes.
#![cfg(all(feature = "blocking", feature = "emulator"))]
#![allow(clippy::print_stdout)] // each guarantee shows its figure

#[path = "agency/exchanged.rs"]
mod exchanged;
#[path = "agency/people.rs"]
mod people;
#[path = "agency/sessions.rs"]
mod sessions;
#[path = "agency/support.rs"]
mod support;
#[path = "agency/targets.rs"]
mod targets;
