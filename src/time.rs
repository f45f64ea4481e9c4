//! Points in time and what is left of them, as values: nothing here reads a clock.

mod rfc3339;

use std::fmt;
use std::time::{Duration, SystemTime};

/// A point on the wall clock: milliseconds since the Unix epoch, leap seconds not counted.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use lumoauth::time::Timestamp;
///
/// let then = Timestamp::from(SystemTime::UNIX_EPOCH + Duration::from_secs(1_750_000_000));
/// assert_eq!(then, Timestamp::from_unix(1_750_000_000));
/// assert_eq!(format!("{then:?}"), "Timestamp(2025-06-15T15:06:40.000Z)");
/// assert_eq!(then.to_system_time(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_750_000_000)));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From whole seconds since the Unix epoch (the unit of `exp` and `iat`, RFC 7519 section 2 NumericDate).
    pub const fn from_unix(seconds: u64) -> Self {
        Timestamp(seconds.saturating_mul(1000))
    }

    /// From milliseconds since the Unix epoch.
    pub const fn from_unix_millis(millis: u64) -> Self {
        Timestamp(millis)
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn unix(self) -> u64 {
        self.0 / 1000
    }

    /// Milliseconds since the Unix epoch.
    pub const fn unix_millis(self) -> u64 {
        self.0
    }

    /// The same point as the standard library has it; `None` where this platform's clock does not reach so far.
    pub fn to_system_time(self) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(self.0))
    }

    /// This point moved later; stops at the end of time instead of overflowing.
    pub fn saturating_add(self, by: Duration) -> Self {
        Timestamp(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn saturating_since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl From<SystemTime> for Timestamp {
    /// Milliseconds are kept. What lies before 1970 becomes the epoch.
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

impl fmt::Debug for Timestamp {
    /// The date and time in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({})", rfc3339::Utc(*self))
    }
}

impl fmt::Display for Timestamp {
    /// Seconds since the Unix epoch, the way tokens carry it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.unix())
    }
}

/// What a step of a machine may know of the world: two clocks and some randomness.
///
/// A transport makes one for every step. Tests make their own, which is why no test sleeps.
#[derive(Clone, Copy)]
pub struct Now {
    /// The wall clock: may jump, and goes on while the machine is suspended.
    pub wall: Timestamp,
    /// A clock that never runs backwards, counted from any fixed point; it may stop while the machine is suspended.
    pub monotonic: Duration,
    /// Fresh random bytes, unpredictable to others. Jitter and identifiers are drawn from it.
    pub random: [u8; 32],
}

impl Now {
    /// The instant with the two clocks and random bytes given.
    pub const fn new(wall: Timestamp, monotonic: Duration, random: [u8; 32]) -> Self {
        Now { wall, monotonic, random }
    }

    /// A number in `0.0..1.0` drawn from the random bytes; `lane` (0 to 3) picks independent ones.
    pub(crate) fn fraction(&self, lane: usize) -> f64 {
        let bytes = self.random.as_chunks::<4>().0.get(lane).copied().unwrap_or_default();
        f64::from(u32::from_le_bytes(bytes)) / 4_294_967_296.0
    }
}

impl fmt::Debug for Now {
    /// The clocks; the random bytes stay out, keys and nonces may come from them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Now { wall, monotonic, random: _ } = self;
        f.debug_struct("Now").field("wall", wall).field("monotonic", monotonic).finish_non_exhaustive()
    }
}

/// The one end of a public call. It covers everything the call does: waiting for another caller's token request,
/// pauses between attempts, name lookup, sending, reading, polling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    end: Duration,
    total: Duration,
}

impl Deadline {
    /// Starts now and ends after `total`.
    pub fn start(now: &Now, total: Duration) -> Self {
        Deadline { end: now.monotonic.saturating_add(total), total }
    }

    /// What is left; zero when it has passed.
    pub fn remaining(&self, now: &Now) -> Duration {
        self.end.saturating_sub(now.monotonic)
    }

    /// True when nothing is left.
    pub fn passed(&self, now: &Now) -> bool {
        now.monotonic >= self.end
    }

    /// The whole length it started with.
    pub fn total(&self) -> Duration {
        self.total
    }
}

/// As many whole seconds as it takes: never fewer, for who is told them must not come earlier.
pub(crate) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| if nibble < 10 { b'0' | nibble } else { b'W'.wrapping_add(nibble) };
    let mut text = vec![0; bytes.len().saturating_mul(2)];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(monotonic: u64) -> Now {
        Now::new(Timestamp::from_unix(1_750_000_000), Duration::from_secs(monotonic), [0xa5; 32])
    }

    #[test]
    fn a_deadline_counts_down_and_never_goes_below_zero() {
        let deadline = Deadline::start(&at(10), Duration::from_secs(8));
        assert_eq!(deadline.remaining(&at(12)), Duration::from_secs(6));
        assert!(!deadline.passed(&at(17)));
        assert!(deadline.passed(&at(18)));
        assert_eq!(deadline.remaining(&at(100)), Duration::ZERO);
    }

    #[test]
    fn extreme_times_saturate() {
        let end = Timestamp::from_unix(u64::MAX);
        assert_eq!(end.saturating_add(Duration::MAX), Timestamp::from_unix_millis(u64::MAX));
        assert_eq!(Timestamp::from_unix(1).saturating_since(end), Duration::ZERO);
        let deadline = Deadline::start(&at(1), Duration::MAX);
        assert!(!deadline.passed(&at(u64::MAX)));
    }

    #[test]
    fn debug_keeps_the_randomness_to_itself() {
        let shown = format!("{:?}", at(1));
        assert!(!shown.contains("165") && !shown.contains("a5a5"), "{shown}");
    }

    #[test]
    fn hexadecimal_is_lower_case() {
        assert_eq!(hex(&[0x00, 0x9f, 0xff]), "009fff");
    }
}
