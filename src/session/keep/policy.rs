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
    /// What becomes of a caller whom the value held does not fit.
    pub(crate) misfit: Misfit,
    /// How long a failure is the answer, after so many before it.
    pub(crate) memory: fn(&Error, Failures) -> Duration,
}

/// What a caller does with a value that is good for others and not for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// It uses it as well as it can while no other may be asked for.
    Use,
    /// It is no value for this caller: it waits for another one.
    Wait,
}

/// What came before a failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failures {
    /// Failures in a row.
    pub(crate) before: u32,
    /// There is a value that may be used meanwhile.
    #[cfg_attr(not(feature = "verify"), allow(dead_code))] // of keys
    pub(crate) at_hand: bool,
}

impl Policy {
    /// Of tokens.
    pub(crate) const TOKENS: Policy = Policy {
        soft_pause: Duration::from_secs(10),
        forced_pause: Duration::from_secs(5),
        pace: PACE,
        turn: None,
        misfit: Misfit::Use,
        memory: remembered,
    };
}

/// How long a failure is remembered: never for ever, whatever the service says.
pub(crate) fn remembered(error: &Error, failures: Failures) -> Duration {
    let doubled = Duration::from_secs(1_u64.checked_shl(failures.before.min(5)).unwrap_or(32));
    let backoff = doubled.min(Duration::from_secs(30));
    match error.as_api() {
        Some(api) if api.status() == 429 => asked(error).unwrap_or(backoff).max(PACE),
        // A resource that is made known to the service is known a moment later.
        Some(api) if api.has_code("invalid_target") => UNKNOWN_TARGET,
        Some(api) if (400..500).contains(&api.status()) && api.status() != 408 => Duration::from_secs(30),
        _ => asked(error).unwrap_or_default().max(backoff),
    }
}

/// How long a service that cannot answer now wants to be left alone, within reason.
pub(crate) fn asked(error: &Error) -> Option<Duration> {
    let api = error.as_api().filter(|api| matches!(api.status(), 408 | 429 | 500..))?;
    api.retry_after().map(|pause| pause.min(LONGEST_MEMO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ApiError;
    use crate::wire::Response;
    use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};

    fn memory(status: u16, retry_after: Option<&'static str>, before: u32) -> u64 {
        let mut headers = HeaderMap::new();
        headers.extend(retry_after.map(|value| (RETRY_AFTER, HeaderValue::from_static(value))));
        let response = Response::new(status.try_into().unwrap(), headers, "{}");
        let error = Error::Api(ApiError::read("test", &response));
        remembered(&error, Failures { before, at_hand: false }).as_secs()
    }

    #[test]
    fn a_service_is_left_alone_for_as_long_as_it_asks() {
        for status in [429, 500, 502, 503, 504] {
            assert_eq!(memory(status, Some("45"), 0), 45, "{status}");
            assert_eq!(memory(status, Some("411000"), 0), 600, "{status}: but not for ever");
            assert_eq!(memory(status, Some("0"), 0), 1, "{status}: and for a moment at least");
            assert_eq!((memory(status, None, 0), memory(status, None, 9)), (1, 30), "{status}");
        }
        assert_eq!(memory(503, Some("2"), 9), 30, "an outage that lasts is asked about less and less");
        assert_eq!(memory(429, Some("2"), 9), 2);
        assert_eq!(memory(400, Some("2"), 0), 30, "a refusal is no outage");
    }
}
