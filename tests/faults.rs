//! Faults on real sockets: what the built-in transport makes of servers that break, stall, cut, flood and lie.
#![cfg(feature = "ureq")]
#![allow(clippy::disallowed_methods, reason = "deadlines are measured in real time here")]

mod hostile;

#[path = "faults/bombs.rs"]
mod bombs;
#[path = "faults/cuts.rs"]
mod cuts;
#[path = "faults/deadlines.rs"]
mod deadlines;
#[path = "faults/framing.rs"]
mod framing;
#[path = "faults/pool.rs"]
mod pool;
#[path = "faults/seeded.rs"]
mod seeded;

/// How long after its deadline a call may still return.
const OVERSHOOT: std::time::Duration = std::time::Duration::from_millis(100);
