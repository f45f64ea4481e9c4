//! The clocks that stores measure by how long a record is kept: this machine's, or a test's.

use std::sync::Arc;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The fixed point that the clock counts from.
#[allow(clippy::disallowed_methods)] // a store is told how long to keep a record, and nobody tells it the time
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A clock that never runs backwards.
#[derive(Clone)]
pub(super) enum Clock {
    /// This machine's.
    System,
    /// A test's.
    Given(Arc<dyn Fn() -> Duration + Send + Sync>),
}

impl Clock {
    pub(super) fn now(&self) -> Duration {
        match self {
            Clock::System => START.elapsed(),
            Clock::Given(clock) => clock(),
        }
    }
}
