//! The life of tokens: fresh, soft-expired, expired, failed; who fetches the next one, and who waits for it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::lock;
use crate::error::{Error, ProtocolError, ProtocolFault};
use crate::time::Now;
use crate::token::{AccessToken, Freshness, Held};

/// The most tokens held at once.
const CAPACITY: usize = 1024;
/// After a failed renewal of a token that is still valid, the next attempt waits this long.
const SOFT_PAUSE: Duration = Duration::from_secs(10);
/// Two renewals forced by a 401 are at least this far apart.
const FORCED_PAUSE: Duration = Duration::from_secs(5);
/// Two tokens of one key are asked for at least this far apart, however short they live.
const PACE: Duration = Duration::from_secs(1);
/// The longest that a failure is remembered.
const LONGEST_MEMO: Duration = Duration::from_secs(600);

/// Everything that makes a token what it is. Two keys are the same token only if all of it is the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct TokenKey {
    pub(super) client_id: String,
    pub(super) grant: Grant,
    /// Sorted.
    pub(super) scopes: Vec<String>,
}

/// How a token is obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Grant {
    ClientCredentials,
}

/// What a call that needs a token is told.
pub(super) enum Need {
    /// Use this one.
    Use(Held),
    /// Fetch one. With `Some`, the token held is still good if that fails.
    Lead(Lease, Option<Held>),
    /// Somebody is fetching it.
    Join(Ticket),
    /// Ask again after this long.
    Wait(Duration),
    /// It failed a moment ago; this is the answer until the memory of it fades.
    Fail(Error),
}

/// The tokens of one client, bounded.
#[derive(Default)]
pub(super) struct TokenCache(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    slots: HashMap<TokenKey, Entry>,
    clock: u64,
}

struct Entry {
    slot: Arc<Slot>,
    used: u64,
}

impl TokenCache {
    /// The slot of a key, made if there is none.
    pub(super) fn slot(&self, key: &TokenKey, now: &Now) -> Arc<Slot> {
        let mut entries = lock(&self.0);
        entries.clock = entries.clock.saturating_add(1);
        let used = entries.clock;
        if let Some(entry) = entries.slots.get_mut(key) {
            entry.used = used;
            return Arc::clone(&entry.slot);
        }
        if entries.slots.len() >= CAPACITY {
            entries.make_room(now);
        }
        let slot = Arc::new(Slot::default());
        entries.slots.insert(key.clone(), Entry { slot: Arc::clone(&slot), used });
        slot
    }

    /// The token of a key, if there is one that may be used.
    pub(super) fn peek(&self, key: &TokenKey, now: &Now) -> Option<Held> {
        let slot = Arc::clone(&lock(&self.0).slots.get(key)?.slot);
        let state = lock(&slot.0);
        state.held.clone().filter(|held| held.freshness(now) != Freshness::Expired)
    }

    /// Forgets every token and every failure.
    pub(super) fn clear(&self) {
        lock(&self.0).slots.clear();
    }
}

impl Entries {
    /// Drops what is of no use any more; if everything is of use, the longest unused.
    fn make_room(&mut self, now: &Now) {
        self.slots.retain(|_, entry| lock(&entry.slot.0).is_of_use(now));
        if self.slots.len() >= CAPACITY {
            let oldest = self.slots.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.slots.remove(&key));
        }
    }
}

/// The state of one key. Locked for moments only, never across I/O.
#[derive(Default)]
pub(super) struct Slot(Mutex<State>);

#[derive(Default)]
struct State {
    held: Option<Held>,
    generation: u64,
    flight: Option<u64>,
    flights: u64,
    waiting: Vec<Box<dyn FnOnce() + Send>>,
    memo: Option<Memo>,
    failures: u32,
    last_success: Option<Duration>,
    last_forced: Option<Duration>,
    soft_pause_until: Duration,
}

struct Memo {
    error: Error,
    until: Duration,
}

impl State {
    fn is_of_use(&self, now: &Now) -> bool {
        self.flight.is_some()
            || self.held.as_ref().is_some_and(|held| held.freshness(now) != Freshness::Expired)
            || self.memo.as_ref().is_some_and(|memo| now.monotonic < memo.until)
    }
}

impl Slot {
    /// What a call that needs this token is to do. `force` asks for a new one even if the current one is fresh.
    pub(super) fn need(self: &Arc<Self>, now: &Now, force: bool) -> Need {
        let mut state = lock(&self.0);
        let held = state.held.clone().map(|held| (held.freshness(now), held));
        if !force {
            match held {
                Some((Freshness::Fresh, held)) => return Need::Use(held),
                Some((Freshness::Soft, held)) => {
                    if state.flight.is_some() || now.monotonic < state.soft_pause_until {
                        return Need::Use(held);
                    }
                    return Need::Lead(self.lead(&mut state), Some(held));
                }
                Some((Freshness::Expired, _)) | None => {}
            }
        }
        if let Some(flight) = state.flight {
            return Need::Join(Ticket::new(Arc::clone(self) as Arc<dyn Flights>, flight));
        }
        if let Some(memo) = &state.memo {
            if now.monotonic < memo.until {
                return Need::Fail(memo.error.clone());
            }
        }
        let pace = state.last_success.map(|at| at.saturating_add(PACE).saturating_sub(now.monotonic));
        match pace {
            Some(rest) if !rest.is_zero() && !force && state.last_forced < state.last_success => {
                Need::Wait(rest)
            }
            _ => Need::Lead(self.lead(&mut state), None),
        }
    }

    fn lead(self: &Arc<Self>, state: &mut State) -> Lease {
        state.flights = state.flights.saturating_add(1);
        state.flight = Some(state.flights);
        Lease { slot: Arc::clone(self), flight: state.flights, settled: false }
    }

    /// A token of this generation was refused with 401. True if the call may be made again: the token was dropped, or a
    /// newer one is there or on its way. A newer token is never dropped.
    pub(super) fn refused(&self, generation: u64, now: &Now) -> bool {
        let mut state = lock(&self.0);
        if state.held.as_ref().is_none_or(|held| held.generation != generation) {
            return true;
        }
        let recent = state.last_forced.is_some_and(|at| now.monotonic < at.saturating_add(FORCED_PAUSE));
        if recent {
            return false;
        }
        state.held = None;
        state.last_forced = Some(now.monotonic);
        true
    }

    fn settle(&self, flight: u64, change: impl FnOnce(&mut State)) {
        let waiting = {
            let mut state = lock(&self.0);
            if state.flight != Some(flight) {
                return;
            }
            change(&mut state);
            state.flight = None;
            std::mem::take(&mut state.waiting)
        };
        // Outside the lock: what is woken may come back at once.
        waiting.into_iter().for_each(|wake| wake());
    }
}

/// The right, and the duty, to fetch a token for everybody. Dropped unsettled, it resigns, and another call takes over.
pub(super) struct Lease {
    slot: Arc<Slot>,
    flight: u64,
    settled: bool,
}

impl Lease {
    /// The token that was fetched. `asked` is when the request left.
    pub(super) fn succeed(mut self, token: AccessToken, asked: &Now, now: &Now) -> Result<Held, Error> {
        self.settled = true;
        let mut outcome = None;
        self.slot.settle(self.flight, |state| {
            state.generation = state.generation.saturating_add(1);
            let held = Held::new(token, state.generation, asked);
            state.last_success = Some(now.monotonic);
            if held.freshness(now) == Freshness::Expired {
                let problem = "it is over already when it arrives";
                let fault = ProtocolFault::UnusableToken { problem };
                let error = Error::Protocol(ProtocolError::new("oauth.token", 200, fault));
                state.remember(&error, now);
                outcome = Some(Err(error));
            } else {
                state.held = Some(held.clone());
                state.memo = None;
                state.failures = 0;
                outcome = Some(Ok(held));
            }
        });
        outcome.unwrap_or_else(|| {
            let problem = "the credentials were replaced while it was fetched";
            Err(Error::Protocol(ProtocolError::new(
                "oauth.token",
                200,
                ProtocolFault::UnusableToken { problem },
            )))
        })
    }

    /// It failed for everybody: remembered, so that those who waited get the same answer without asking again.
    pub(super) fn fail(mut self, error: &Error, now: &Now) {
        self.settled = true;
        self.slot.settle(self.flight, |state| {
            state.soft_pause_until = now.monotonic.saturating_add(SOFT_PAUSE);
            let valid = state.held.as_ref().is_some_and(|held| held.freshness(now) != Freshness::Expired);
            if !valid {
                state.remember(error, now);
            }
        });
    }
}

impl State {
    fn remember(&mut self, error: &Error, now: &Now) {
        let doubled = Duration::from_secs(1_u64.checked_shl(self.failures.min(5)).unwrap_or(32));
        let backoff = doubled.min(Duration::from_secs(30));
        self.failures = self.failures.saturating_add(1);
        let length = match error.as_api() {
            Some(api) if api.has_code("invalid_grant") => Duration::MAX,
            Some(api) if api.status() == 429 => {
                api.retry_after().unwrap_or(backoff).min(LONGEST_MEMO).max(PACE)
            }
            Some(api) if (400..500).contains(&api.status()) && api.status() != 408 => Duration::from_secs(30),
            _ => backoff,
        };
        self.memo = Some(Memo { error: error.clone(), until: now.monotonic.saturating_add(length) });
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.settled {
            self.slot.settle(self.flight, |_| {});
        }
    }
}

/// Something that one call fetches while others wait for it.
pub(crate) trait Flights: Send + Sync {
    /// Keeps `wake` until the flight has settled. Gives it back if it has already.
    fn wait(&self, flight: u64, wake: Box<dyn FnOnce() + Send>) -> Option<Box<dyn FnOnce() + Send>>;
}

impl Flights for Slot {
    fn wait(&self, flight: u64, wake: Box<dyn FnOnce() + Send>) -> Option<Box<dyn FnOnce() + Send>> {
        let mut state = lock(&self.0);
        if state.flight == Some(flight) {
            state.waiting.push(wake);
            return None;
        }
        Some(wake)
    }
}

/// A place in the queue for something that another call is fetching: a token, or the keys that verify tokens.
pub struct Ticket {
    flights: Arc<dyn Flights>,
    flight: u64,
    within: Duration,
}

impl Ticket {
    pub(crate) fn new(flights: Arc<dyn Flights>, flight: u64) -> Self {
        Ticket { flights, flight, within: Duration::MAX }
    }

    /// The longest that this caller may wait: what is left of its own deadline.
    pub fn within(&self) -> Duration {
        self.within
    }

    /// Calls `wake` once the fetch has settled, at once if it has already. It may be called from another thread.
    pub fn on_settled(&self, wake: impl FnOnce() + Send + 'static) {
        if let Some(wake) = self.flights.wait(self.flight, Box::new(wake)) {
            wake();
        }
    }

    pub(crate) fn limited(self, within: Duration) -> Self {
        Ticket { within, ..self }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("flight", &self.flight)
            .field("within", &self.within)
            .finish_non_exhaustive()
    }
}
