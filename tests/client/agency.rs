//! Acting for users, and what must hold of it: addresses for people, what exchanges give, sessions of many processes.
#![cfg(all(feature = "blocking", feature = "emulator"))]
#![allow(clippy::print_stdout)] // each guarantee shows its figure

mod clients;
mod devices;
mod ended;
mod exchanged;
mod people;
mod sessions;
mod support;
mod targets;
