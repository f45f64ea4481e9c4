//! Faults on real sockets: what the built-in transport makes of servers that break, stall, cut, flood and lie.
#![cfg(feature = "ureq")]
#![allow(clippy::disallowed_methods, reason = "deadlines are measured in real time here")]

mod bombs;
mod cuts;
mod deadlines;
mod framing;
mod pool;
mod seeded;

/// How long after its deadline a call may still return.
const OVERSHOOT: std::time::Duration = std::time::Duration::from_millis(100);
