//! The emulator's clock. It stands still until a test moves it; while a server runs it goes with the real time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::time::Timestamp;

/// Where a clock that nobody set stands: 2026-01-01T00:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_unix(1_767_225_600);

pub(crate) struct Clock {
    /// The time while no server runs.
    still: Timestamp,
    /// By how many milliseconds tests have moved it: its distance from the real time while a server runs.
    moved: i64,
    servers: u32,
}

impl Clock {
    pub(crate) fn new(start: Timestamp) -> Self {
        Clock { still: start, moved: 0, servers: 0 }
    }

    pub(crate) fn now(&self) -> Timestamp {
        if self.servers == 0 { self.still } else { shifted(wall(), self.moved) }
    }

    /// Whole milliseconds, rounded up: whoever waited until an instant has reached it.
    pub(crate) fn advance(&mut self, by: Duration) {
        let by = by.saturating_add(Duration::from_nanos(999_999));
        self.moved = self.moved.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
        self.still = self.still.saturating_add(by);
    }

    pub(crate) fn set(&mut self, to: Timestamp) {
        let by = difference(to, self.now());
        self.moved = self.moved.saturating_add(by);
        self.still = to;
    }

    /// A server starts: from now on the real time counts, as far as tests have moved it.
    pub(crate) fn run(&mut self) {
        self.servers = self.servers.saturating_add(1);
    }

    /// A server ends. With the last one the clock stands still where it is.
    pub(crate) fn stop(&mut self) {
        let now = self.now();
        self.servers = self.servers.saturating_sub(1);
        if self.servers == 0 {
            self.still = now;
        }
    }
}

fn difference(to: Timestamp, from: Timestamp) -> i64 {
    let difference = i128::from(to.unix_millis()).saturating_sub(i128::from(from.unix_millis()));
    i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
}

fn shifted(at: Timestamp, by: i64) -> Timestamp {
    Timestamp::from_unix_millis(at.unix_millis().saturating_add_signed(by))
}

/// The real time. Only a running server counts by it, so that other programs may check its tokens.
#[allow(clippy::disallowed_methods)]
fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_still_until_it_is_moved() {
        let mut clock = Clock::new(START);
        assert_eq!(clock.now(), START);
        clock.advance(Duration::from_secs(5));
        assert_eq!(clock.now().unix(), START.unix() + 5);
        clock.set(Timestamp::from_unix(7));
        assert_eq!(clock.now().unix(), 7);
    }

    #[test]
    fn a_server_makes_it_run_as_far_as_it_was_moved() {
        let mut clock = Clock::new(START);
        clock.advance(Duration::from_secs(86_400));
        clock.run();
        let ahead = clock.now().saturating_since(wall());
        assert!(ahead > Duration::from_secs(86_000) && ahead <= Duration::from_secs(86_400), "{ahead:?}");
        clock.set(Timestamp::from_unix(1_000));
        assert!((1_000..1_100).contains(&clock.now().unix()));
        clock.stop();
        let stopped = clock.now();
        assert!((1_000..1_100).contains(&stopped.unix()));
        assert_eq!(clock.now(), stopped);
        clock.stop();
    }

    #[test]
    fn the_ends_of_time_hold() {
        let mut clock = Clock::new(Timestamp::from_unix_millis(u64::MAX));
        clock.advance(Duration::MAX);
        clock.set(Timestamp::from_unix(0));
        clock.set(Timestamp::from_unix_millis(u64::MAX));
        clock.run();
        clock.advance(Duration::MAX);
        let _ = clock.now();
    }
}
