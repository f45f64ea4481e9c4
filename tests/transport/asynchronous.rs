//! The async client over real sockets: it blocks nobody, a dropped future harms nobody, and it takes no half answers.
#![cfg(all(feature = "reqwest", feature = "emulator"))]

mod dropped;
mod runtime;
mod support;
mod waits;
mod wire;
