//! What tells one kind of kept value from another: paces, and how long a failure is the answer.

use std::time::Duration;

use crate::error::Error;

/// The longest that a failure is remembered.
const LONGEST_MEMO: Duration = Duration::from_secs(600);
/// Two values of one key are asked for at least this far apart, however short they live.
const PACE: Duration = Duration::from_secs(1);

/// How long a resource that the service does not know is not asked about again.
const UNKNOWN_TARGET: Duration = Duration::from_secs(2);

/// The settings of a kind.
pub(crate) struct Policy {
    /// Two early renewals are begun at least this far apart, whatever comes of the first.
    pub(crate) soft_pause: Duration,
    /// Two renewals forced by a refusal are at least this far apart.
    pub(crate) forced_pause: Duration,
    /// Two values of one key are asked for at least this far apart.
    pub(crate) pace: Duration,
    /// A fetch that was given up keeps its turn for so long: nobody begins another, though nothing came of it. The first
    /// is for when there is a value, the second for when there is none.
    pub(crate) turn: Option<(Duration, Duration)>,
    /// How long a failure is the answer, after so many before it.
    pub(crate) memory: fn(&Error, Failures) -> Duration,
}

/// What came before a failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failures {
    /// Failures in a row.
    pub(crate) before: u32,
    /// There is a value that may be used meanwhile.
    pub(crate) at_hand: bool,
}

impl Policy {
    /// Of tokens.
    pub(crate) const TOKENS: Policy = Policy {
        soft_pause: Duration::from_secs(10),
        forced_pause: Duration::from_secs(5),
        pace: PACE,
        turn: None,
        memory: remembered,
    };
}

/// How long a failure is remembered: never for ever, whatever the service says.
pub(crate) fn remembered(error: &Error, failures: Failures) -> Duration {
    let doubled = Duration::from_secs(1_u64.checked_shl(failures.before.min(5)).unwrap_or(32));
    let backoff = doubled.min(Duration::from_secs(30));
    match error.as_api() {
        Some(api) if api.status() == 429 => api.retry_after().unwrap_or(backoff).min(LONGEST_MEMO).max(PACE),
        // A resource that is made known to the service is known a moment later.
        Some(api) if api.has_code("invalid_target") => UNKNOWN_TARGET,
        Some(api) if (400..500).contains(&api.status()) && api.status() != 408 => Duration::from_secs(30),
        _ => backoff,
    }
}
