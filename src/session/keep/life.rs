//! How long a value is fresh, and how long it may be used: by both clocks, with margins that follow its lifetime.

use std::time::Duration;

use crate::time::Now;

/// Clocks that drift apart by less, in milliseconds, are taken to agree: they are not read at the same instant.
const NOTICED: u64 = 1000;

/// How far the clocks of those who share a record may be apart: half a minute, and what a request takes on its way.
pub(crate) const APART: Duration = Duration::from_secs(40);

/// How a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Use it.
    Fresh,
    /// Use it, and somebody should get a new one.
    Soft,
    /// Do not use it.
    Expired,
}

/// The life of one value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    monotonic: Duration,
    /// How far the wall clock is ahead of the monotonic one, in milliseconds.
    ahead: i64,
    /// What only the wall clock has counted: the machine was suspended, or the clock was set forward.
    asleep: Duration,
    soft: Duration,
    hard: Duration,
    once: bool,
}

impl Life {
    /// Of a value that was asked for then and lives so long: its life cannot have begun earlier. It is renewed a fifth of its
    /// lifetime early, five minutes at most, and up to a tenth earlier so that not all come at once; it is used until a tenth
    /// before its end, 30 s at most.
    pub(crate) fn of(lifetime: Duration, asked: &Now) -> Self {
        let fifth = lifetime.checked_div(5).unwrap_or_default();
        let early = lifetime.mul_f64(asked.fraction(3) * 0.1);
        let soft = lifetime.saturating_sub(fifth.min(Duration::from_secs(300))).saturating_sub(early);
        Life::between(soft, lifetime.saturating_sub(margin(lifetime)), asked)
    }

    /// Of a value that a record holds, of which so much is left out of its whole lifetime, if that is known: with the margins of
    /// the whole. Its end was written by another clock, which may be [`APART`] from this one, so it is used until so long before
    /// it; one that lives shorter than twice that, for half of its life. One that was issued further in the future than that is not
    /// used: a clock was wrong, or was set back since, and nobody knows how much of its life is gone.
    pub(crate) fn rest(left: Duration, lifetime: Option<Duration>, now: &Now) -> Self {
        if lifetime.is_some_and(|lifetime| left > lifetime.saturating_add(APART)) {
            return Life::between(Duration::ZERO, Duration::ZERO, now);
        }
        // Older records do not know the lifetime. A token that was renewed has one.
        let whole_time = lifetime.unwrap_or(left);
        let left = left.min(whole_time);
        let whole = Life::of(whole_time, now);
        let gone = whole_time.saturating_sub(left);
        let half = whole_time.checked_div(2).unwrap_or_default();
        let gone = gone.saturating_add(APART.min(half).saturating_sub(margin(whole_time)));
        Life { soft: whole.soft.saturating_sub(gone), hard: whole.hard.saturating_sub(gone), ..whole }
    }

    /// Of a value that is fresh for so long after it was asked for, and may be used for so long.
    pub(crate) fn between(soft: Duration, hard: Duration, asked: &Now) -> Self {
        let (monotonic, ahead, asleep) = (asked.monotonic, ahead(asked), Duration::ZERO);
        Life { monotonic, ahead, asleep, soft, hard, once: false }
    }

    /// Of a value for those alone who were there when it came.
    #[cfg(feature = "aauth")]
    pub(crate) fn once(asked: &Now) -> Self {
        Life { once: true, ..Life::between(Duration::ZERO, Duration::ZERO, asked) }
    }

    pub(crate) fn is_once(&self) -> bool {
        self.once
    }

    /// How much has passed that the monotonic clock has not counted.
    pub(crate) fn asleep(&self) -> Duration {
        self.asleep
    }

    /// Expired if either clock says so: the wall clock goes on through suspension, the monotonic one through resets.
    ///
    /// The clocks are compared at every look, so that a wall clock that was set back does not hide a suspension after.
    pub(crate) fn freshness(&mut self, now: &Now) -> Freshness {
        let ahead = ahead(now);
        let moved = ahead.saturating_sub(self.ahead);
        if moved.unsigned_abs() >= NOTICED {
            let forward = u64::try_from(moved).unwrap_or(0);
            self.asleep = self.asleep.saturating_add(Duration::from_millis(forward));
            self.ahead = ahead;
        }
        let age = now.monotonic.saturating_sub(self.monotonic).saturating_add(self.asleep);
        if age >= self.hard {
            Freshness::Expired
        } else if age >= self.soft {
            Freshness::Soft
        } else {
            Freshness::Fresh
        }
    }
}

/// So long before its end a value is not used any more.
fn margin(lifetime: Duration) -> Duration {
    lifetime.checked_div(10).unwrap_or_default().min(Duration::from_secs(30))
}

fn ahead(now: &Now) -> i64 {
    let millis = |millis: u64| i64::try_from(millis).unwrap_or(i64::MAX);
    let (seconds, rest) = (now.monotonic.as_secs(), u64::from(now.monotonic.subsec_millis()));
    millis(now.wall.unix_millis()).saturating_sub(millis(seconds.saturating_mul(1000).saturating_add(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn now(wall: u64, monotonic: u64) -> Now {
        Now::new(Timestamp::from_unix(wall), Duration::from_secs(monotonic), [0; 32])
    }

    fn life(lifetime: u64) -> Life {
        Life::of(Duration::from_secs(lifetime), &now(1_000_000, 100))
    }

    fn after(lifetime: u64, wall: i64, monotonic: u64) -> Freshness {
        life(lifetime).freshness(&now(1_000_000_u64.checked_add_signed(wall).unwrap(), 100 + monotonic))
    }

    #[test]
    fn soft_and_hard_expiry() {
        assert_eq!(after(3600, 3299, 3299), Freshness::Fresh);
        assert_eq!(after(3600, 3300, 3300), Freshness::Soft);
        assert_eq!(after(3600, 3570, 3570), Freshness::Expired);
    }

    #[test]
    fn either_clock_may_end_it() {
        assert_eq!(after(3600, 8 * 3600, 0), Freshness::Expired, "suspended");
        assert_eq!(after(3600, -86_400, 7200), Freshness::Expired, "wall set back");
        assert_eq!(after(3600, -86_400, 10), Freshness::Fresh);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_hide_a_suspension() {
        let mut life = life(3600);
        assert_eq!(life.freshness(&now(1_000_000 - 86_400, 110)), Freshness::Fresh);
        assert_eq!(life.freshness(&now(1_000_000 - 86_400 + 8 * 3600, 110)), Freshness::Expired);
    }

    #[test]
    fn clocks_read_a_moment_apart_do_not_make_it_older() {
        let mut life = life(3600);
        let at = |wall: u64, monotonic: u64| {
            Now::new(Timestamp::from_unix_millis(wall), Duration::from_millis(monotonic), [0; 32])
        };
        for look in 0..100_000_u64 {
            let jitter = (look % 7) * 100;
            life.freshness(&at(1_000_000_000 + look + jitter, 100_000 + look));
        }
        assert_eq!(life.freshness(&at(1_000_000_000 + 3_299_000, 100_000 + 3_299_000)), Freshness::Fresh);
    }

    #[test]
    fn what_another_clock_has_dated_is_used_until_clocks_may_say_that_it_is_over() {
        let now = now(1_000_000, 100);
        let of = |lifetime: u64, left: u64| {
            let Life { soft, hard, .. } =
                Life::rest(Duration::from_secs(left), Some(Duration::from_secs(lifetime)), &now);
            (soft.as_secs(), hard.as_secs())
        };
        assert_eq!(of(3600, 3600), (3290, 3560));
        assert_eq!(of(3600, 100), (0, 60));
        assert_eq!(of(300, 300), (230, 260));
        assert_eq!(of(80, 80), (32, 40));
        assert_eq!(of(30, 30), (12, 15));
        // What was issued in the future is as good as over, unless clocks may be so far apart.
        assert_eq!(of(3600, 3640), (3290, 3560));
        assert_eq!((of(3600, 3641), of(3600, 90_000), of(30, 71)), ((0, 0), (0, 0), (0, 0)));
    }

    #[test]
    fn short_lives_have_short_margins() {
        assert_eq!(after(10, 7, 7), Freshness::Fresh);
        assert_eq!(after(10, 8, 8), Freshness::Soft);
        assert_eq!(after(10, 9, 9), Freshness::Expired);
    }
}
