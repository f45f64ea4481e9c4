//! What follows a failed attempt: stop, or again after a pause. One loop, one budget.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::error::{ApiError, Sent, TransportError, TransportFault};
use crate::operation::Effect;
use crate::time::Now;

/// Attempts of one step, the first included.
pub(super) const ATTEMPTS: u32 = 3;
/// The longest `Retry-After` that is waited for; up to a tenth is added.
const LONGEST: Duration = Duration::from_secs(60);
/// The longest pause of our own.
const CEILING: Duration = Duration::from_secs(5);
/// The longest pause of something that waits for a person, unless its usual one is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Pause base for broken connections and 5xx.
const BASE: Duration = Duration::from_millis(100);
/// Pause base for 429.
const BASE_RATE: Duration = Duration::from_secs(1);

/// How an attempt failed.
#[derive(Clone, Copy)]
pub(super) enum Failure<'a> {
    Transport(&'a TransportError),
    Answer(&'a ApiError),
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Report it.
    Stop,
    /// It may have taken effect and must not happen twice: report that.
    Unknown,
    /// Again after this pause.
    After(Duration),
    /// It might be done again after this pause, but the caller has not got the time.
    NoTime(Duration),
}

/// Decides by what failed, whether it may be repeated, how often it was tried, and the time left.
pub(super) fn verdict(
    failure: Failure<'_>,
    effect: Effect,
    attempt: u32,
    remaining: Duration,
    now: &Now,
    quota: &Quota,
) -> Verdict {
    let (base, cost, asked) = match failure {
        Failure::Transport(error) => {
            if effect == Effect::Once && error.sent() == Sent::Unknown {
                return Verdict::Unknown;
            }
            if !error.is_temporary() {
                return Verdict::Stop;
            }
            (BASE, if error.fault() == TransportFault::Timeout { 20 } else { 10 }, None)
        }
        Failure::Answer(error) => match (error.status(), effect) {
            // A gateway that gave up on the service does not know what the service did.
            (502 | 504, Effect::Once) => return Verdict::Unknown,
            (_, Effect::Once) => return Verdict::Stop,
            (429, _) if error.is_budget_exceeded() => return Verdict::Stop,
            (429, _) => (BASE_RATE, 5, error.retry_after()),
            (408 | 500 | 502 | 503 | 504, _) => (BASE, 10, error.retry_after()),
            _ => return Verdict::Stop,
        },
    };
    if attempt >= ATTEMPTS {
        return Verdict::Stop;
    }
    let doubled = base.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
    let own = doubled.min(CEILING).mul_f64(now.fraction(0));
    let pause = match asked {
        Some(asked) if asked > LONGEST => return Verdict::Stop,
        // Never earlier than asked: a limiter may begin its window anew for whoever is. Asking for a moment does not do
        // away with the pause of our own.
        asked => no_earlier(own, asked, now),
    };
    if pause >= remaining {
        Verdict::NoTime(pause)
    } else if quota.spend(cost) {
        Verdict::After(pause)
    } else {
        Verdict::Stop
    }
}

/// The pause after this many failures in a row of something that waits for a person, of `usual` between two questions (RFC 8628
/// section 3.5): it doubles, and is never shorter than asked. None if there is no time left for another question.
pub(super) fn patience(
    usual: Duration,
    failures: u32,
    asked: Option<Duration>,
    remaining: Duration,
    now: &Now,
) -> Option<Duration> {
    let longest = LONGEST_WAIT.max(usual);
    let doubled = usual.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX)).min(longest);
    // Near the end there is one more question rather than a longer pause.
    let own = [later(doubled, now), usual].into_iter().find(|pause| *pause < remaining)?;
    let pause = no_earlier(own, asked, now);
    (pause < remaining).then_some(pause)
}

/// A pause of one's own, or the longer one that was asked for.
pub(super) fn no_earlier(own: Duration, asked: Option<Duration>, now: &Now) -> Duration {
    asked.filter(|asked| *asked > own).map_or(own, |asked| later(asked, now))
}

/// Up to ten percent later, so that those who were told the same together do not come back together. Never earlier.
fn later(pause: Duration, now: &Now) -> Duration {
    pause.saturating_add(pause.mul_f64(0.1 * now.fraction(0)))
}

/// What all calls of a client together may spend on repeating: a burst of ten, then about one in ten.
pub(super) struct Quota(AtomicU32);

const FULL: u32 = 100;

impl Default for Quota {
    fn default() -> Self {
        Quota(AtomicU32::new(FULL))
    }
}

impl Quota {
    fn spend(&self, cost: u32) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(cost)).is_ok()
    }

    /// A success gives one unit back. Where nothing is missing, nothing is written: the threads share this.
    pub(super) fn success(&self) {
        let more = |left: u32| (left < FULL).then(|| left.saturating_add(1));
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use crate::wire::Response;
    use http::StatusCode;
    use http::header::{HeaderMap, HeaderValue};

    const LEFT: Duration = Duration::from_secs(100);

    fn now(byte: u8) -> Now {
        Now::new(Timestamp::from_unix(1), Duration::from_secs(1), [byte; 32])
    }

    fn refused(status: u16, retry_after: Option<&str>, body: &str) -> ApiError {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert("retry-after", HeaderValue::from_str(value).unwrap());
        }
        let response = Response::new(StatusCode::from_u16(status).unwrap(), headers, body.as_bytes());
        ApiError::read("test", &response.received_at(Timestamp::from_unix(784_111_777)))
    }

    fn answered(status: u16, retry_after: Option<&str>, effect: Effect) -> Verdict {
        let error = refused(status, retry_after, "{}");
        verdict(Failure::Answer(&error), effect, 1, LEFT, &now(128), &Quota::default())
    }

    #[test]
    fn by_status() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(matches!(answered(status, None, Effect::Read), Verdict::After(_)), "{status}");
        }
        for status in [400, 401, 403, 404, 409, 422, 501] {
            assert_eq!(answered(status, None, Effect::Read), Verdict::Stop, "{status}");
        }
        assert_eq!(answered(503, None, Effect::Once), Verdict::Stop);
        assert_eq!(answered(504, None, Effect::Once), Verdict::Unknown);
    }

    #[test]
    fn a_spent_budget_is_an_answer() {
        let error = refused(429, Some("1"), r#"{"error":"budget_exceeded"}"#);
        assert_eq!(
            verdict(Failure::Answer(&error), Effect::Read, 1, LEFT, &now(0), &Quota::default()),
            Verdict::Stop
        );
    }

    #[test]
    fn retry_after_is_obeyed_within_bounds() {
        assert_eq!(
            answered(429, Some("3"), Effect::Read),
            Verdict::After(
                Duration::from_secs(3) + Duration::from_secs(3).mul_f64(0.1 * now(128).fraction(0))
            )
        );
        assert!(
            matches!(answered(503, Some("2.5"), Effect::Read), Verdict::After(pause) if pause < Duration::from_secs(3))
        );
        assert!(matches!(answered(503, Some("Sun, 06 Nov 1994 08:49:47 GMT"), Effect::Read),
            Verdict::After(pause) if pause > Duration::from_secs(8) && pause < Duration::from_secs(12)));
        for junk in ["-1", "NaN", "soon", "Sun, 06 Nov 1990 08:49:37 GMT", "", "0"] {
            assert!(
                matches!(answered(429, Some(junk), Effect::Read), Verdict::After(pause) if pause <= Duration::from_secs(1)),
                "{junk}"
            );
        }
        for long in ["61", "3600", "411000", "18446744073709551616", "1e400"] {
            let verdict = answered(429, Some(long), Effect::Read);
            assert!(verdict == Verdict::Stop || long == "1e400", "{long}: {verdict:?}");
        }
        assert_eq!(refused(429, Some("3600"), "").retry_after(), Some(Duration::from_secs(3600)));
        // Of several the longest, wherever it stands.
        for values in [["1", "30"], ["30", "1"], ["soon", "30"], ["Sun, 06 Nov 1994 08:50:07 GMT", "2"]] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("retry-after", HeaderValue::from_static(value));
            }
            let response = Response::new(StatusCode::TOO_MANY_REQUESTS, headers, "");
            let error = ApiError::read("test", &response.received_at(Timestamp::from_unix(784_111_777)));
            assert_eq!(error.retry_after(), Some(Duration::from_secs(30)), "{values:?}");
        }
    }

    #[test]
    fn nobody_returns_earlier_than_asked() {
        for (value, asked) in [("0.5", 500), ("1", 1000), ("2.5", 2500), ("59", 59_000), ("60", 60_000)] {
            let (asked, mut seen) = (Duration::from_millis(asked), Vec::new());
            for status in [429, 503] {
                for byte in 0..=255 {
                    let error = refused(status, Some(value), "{}");
                    let failure = Failure::Answer(&error);
                    let verdict = verdict(failure, Effect::Read, 1, LEFT, &now(byte), &Quota::default());
                    let Verdict::After(pause) = verdict else { panic!("{status}, {value}: {verdict:?}") };
                    assert!(pause >= asked, "{status}, {value}, {byte}: {pause:?}");
                    assert!(
                        pause <= asked.mul_f64(1.1).max(BASE_RATE),
                        "{status}, {value}, {byte}: {pause:?}"
                    );
                    seen.push(pause);
                }
            }
            seen.sort();
            // They do not return together either: the whole tenth is used.
            let spread = seen[seen.len() - 1] - seen[0];
            assert!(spread >= asked.mul_f64(0.099), "{value}: {spread:?}");
        }
    }

    #[test]
    fn who_waits_for_a_person_waits_longer_after_each_failure() {
        let usual = Duration::from_secs(5);
        let pause =
            |failures, asked, left| patience(usual, failures, asked, Duration::from_secs(left), &now(0));
        let seconds: Vec<u64> =
            (1..8).filter_map(|at| pause(at, None, 900)).map(|own| own.as_secs()).collect();
        assert_eq!(seconds, [10, 20, 40, 60, 60, 60, 60]);
        assert_eq!(pause(u32::MAX, None, 900), Some(LONGEST_WAIT));
        // Never earlier than asked, however long that is; near the end once more rather than never.
        let asked = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(pause(1, asked(2), 900), asked(10));
        assert_eq!(pause(1, asked(300), 900), asked(300));
        assert_eq!(pause(1, asked(300), 300), None);
        assert_eq!((pause(4, None, 60), pause(4, None, 6), pause(4, None, 5)), (asked(5), asked(5), None));
        let slow = Duration::from_secs(120);
        assert_eq!(patience(slow, 3, None, LEFT.saturating_mul(9), &now(0)), Some(slow));
        // Those who failed together do not come back together.
        let late = patience(usual, 1, asked(100), Duration::from_secs(900), &now(255)).unwrap();
        assert!(late > Duration::from_secs(109) && late <= Duration::from_secs(110), "{late:?}");
    }

    #[test]
    fn not_sent_may_always_be_repeated_and_unknown_not() {
        let check = |error: &TransportError, effect| {
            verdict(Failure::Transport(error), effect, 1, LEFT, &now(1), &Quota::default())
        };
        let refused = TransportError::not_sent(TransportFault::Connect, "refused");
        let broken = TransportError::unknown(TransportFault::Broken, "reset");
        let tls = TransportError::not_sent(TransportFault::Tls, "wrong host");
        assert!(matches!(check(&refused, Effect::Once), Verdict::After(_)));
        assert_eq!(check(&broken, Effect::Once), Verdict::Unknown);
        assert!(matches!(check(&broken, Effect::Repeatable), Verdict::After(_)));
        assert_eq!(check(&tls, Effect::Read), Verdict::Stop);
    }

    #[test]
    fn it_ends_by_attempts_by_time_and_by_quota() {
        let error = refused(503, None, "");
        let check = |attempt, remaining, quota: &Quota| {
            verdict(Failure::Answer(&error), Effect::Read, attempt, remaining, &now(255), quota)
        };
        assert_eq!(check(3, LEFT, &Quota::default()), Verdict::Stop);
        assert!(matches!(check(1, Duration::from_millis(50), &Quota::default()), Verdict::NoTime(_)));
        let quota = Quota::default();
        let made = (0..10_000).filter(|_| check(1, LEFT, &quota) != Verdict::Stop).count();
        assert_eq!(made, 10);
        (0..10).for_each(|_| quota.success());
        assert!(check(1, LEFT, &quota) != Verdict::Stop);
    }
}
