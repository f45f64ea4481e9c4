//! The clocks that stores measure by how long a record is kept: this machine's, or a test's.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The fixed point that the monotonic clock counts from.
#[allow(clippy::disallowed_methods)] // a store is told how long to keep a record, and nobody tells it the time
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A clock, as the time since its fixed point.
#[derive(Clone)]
pub(super) enum Clock {
    /// This machine's clock that never runs backwards, for one process.
    Monotonic,
    /// This machine's wall clock, which processes share.
    Wall,
    /// A test's.
    Given(Arc<dyn Fn() -> Duration + Send + Sync>),
}

impl Clock {
    #[allow(clippy::disallowed_methods)] // as above
    pub(super) fn now(&self) -> Duration {
        match self {
            Clock::Monotonic => START.elapsed(),
            Clock::Wall => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Clock::Given(clock) => clock(),
        }
    }
}
