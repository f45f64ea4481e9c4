//! Faults on real sockets: what the built-in transport makes of servers that break, stall, cut, flood and lie.
#![cfg(feature = "ureq")]

mod bombs;
mod cuts;
#[cfg(feature = "reqwest")]
mod deadlines;
mod framing;
mod pool;
mod seeded;
