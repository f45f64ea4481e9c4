//! A place in the queue for what another call is doing.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What is called when a flight has settled.
pub(crate) type Wake = Box<dyn FnOnce() + Send>;

/// Something that one call does while others wait for it.
pub(crate) trait Flights: Send + Sync {
    /// Keeps `wake` until the flight has settled. Gives it back if it has already.
    fn wait(&self, flight: u64, wake: Wake) -> Option<Wake>;
}

/// A place in the queue for what another call is doing: fetching a token, or the keys that verify tokens.
pub struct Ticket {
    flights: Arc<dyn Flights>,
    flight: u64,
    within: Duration,
}

impl Ticket {
    /// The longest that this caller may wait: until its own deadline or the other's, whichever is first.
    pub fn within(&self) -> Duration {
        self.within
    }

    /// Calls `wake` once the fetch has settled, at once if it has already. It may be called from another thread.
    pub fn on_settled(&self, wake: impl FnOnce() + Send + 'static) {
        if let Some(wake) = self.flights.wait(self.flight, Box::new(wake)) {
            wake();
        }
    }

    pub(crate) fn new(flights: Arc<dyn Flights>, flight: u64, within: Duration) -> Self {
        Ticket { flights, flight, within }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ticket { flights: _, flight, within } = self;
        f.debug_struct("Ticket").field("flight", flight).field("within", within).finish_non_exhaustive()
    }
}
