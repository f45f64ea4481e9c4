//! One at a time for a named piece of work: whoever comes later waits, and looks again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::keep::{Flights, Ticket, Wake};
use super::lock;
use crate::time::{Deadline, Now};

/// The work under way.
#[derive(Default)]
pub(super) struct Claims(Mutex<State>);

#[derive(Default)]
struct State {
    under_way: HashMap<String, (u64, Vec<Wake>)>,
    numbers: u64,
}

/// What a claim came to.
pub(crate) enum Claim {
    /// Do the work. Dropped, it wakes whoever waits.
    Yours(Lease),
    /// Somebody does it: wait, and look again.
    Taken(Ticket),
}

/// The right to do the work. Dropping it, for whatever reason, ends it.
pub(crate) struct Lease {
    claims: Arc<Claims>,
    name: String,
}

impl Claims {
    pub(super) fn claim(self: &Arc<Self>, name: &str, now: &Now, deadline: &Deadline) -> Claim {
        let mut state = lock(&self.0);
        if let Some((number, _)) = state.under_way.get(name) {
            let flights = Arc::clone(self) as Arc<dyn Flights>;
            return Claim::Taken(Ticket::new(flights, *number, deadline.remaining(now)));
        }
        state.numbers = state.numbers.saturating_add(1);
        let number = state.numbers;
        state.under_way.insert(name.to_owned(), (number, Vec::new()));
        Claim::Yours(Lease { claims: Arc::clone(self), name: name.to_owned() })
    }
}

impl Flights for Claims {
    fn wait(&self, flight: u64, wake: Wake) -> Option<Wake> {
        let mut state = lock(&self.0);
        match state.under_way.values_mut().find(|(number, _)| *number == flight) {
            Some((_, waiting)) => {
                waiting.push(wake);
                None
            }
            None => Some(wake),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let ended = lock(&self.claims.0).under_way.remove(&self.name);
        // Outside the lock: what is woken may come back at once.
        ended.into_iter().flat_map(|(_, waiting)| waiting).for_each(|wake| wake());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    #[test]
    fn one_at_a_time_and_everybody_is_woken() {
        let now = Now::new(Timestamp::from_unix(1), Duration::from_secs(1), [0; 32]);
        let deadline = Deadline::start(&now, Duration::from_secs(8));
        let claims = Arc::new(Claims::default());
        let Claim::Yours(lease) = claims.claim("a", &now, &deadline) else { panic!("nobody else") };
        assert!(matches!(claims.claim("b", &now, &deadline), Claim::Yours(_)), "another piece of work");
        let Claim::Taken(ticket) = claims.claim("a", &now, &deadline) else { panic!("taken") };
        assert_eq!(ticket.within(), Duration::from_secs(8));
        let woken = Arc::new(AtomicU32::new(0));
        let count = || {
            let woken = Arc::clone(&woken);
            move || {
                woken.fetch_add(1, Ordering::SeqCst);
            }
        };
        ticket.on_settled(count());
        assert_eq!(woken.load(Ordering::SeqCst), 0);
        drop(lease);
        assert_eq!(woken.load(Ordering::SeqCst), 1);
        ticket.on_settled(count());
        assert_eq!(woken.load(Ordering::SeqCst), 2, "late, so at once");
    }
}
