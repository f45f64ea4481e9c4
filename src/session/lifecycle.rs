//! The life of one key's token: fresh, soft-expired, expired, failed; who fetches the next one, and who waits for it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::cache::Numbers;
use super::lock;
use crate::error::{Error, ProtocolError, ProtocolFault};
use crate::time::{Deadline, Now};
use crate::token::{AccessToken, Freshness, Held};

/// Two early renewals are begun at least this far apart, whatever comes of the first.
const SOFT_PAUSE: Duration = Duration::from_secs(10);
/// Two renewals forced by a 401 are at least this far apart.
const FORCED_PAUSE: Duration = Duration::from_secs(5);
/// Two tokens of one key are asked for at least this far apart, however short they live.
const PACE: Duration = Duration::from_secs(1);
/// The longest that a failure is remembered.
const LONGEST_MEMO: Duration = Duration::from_secs(600);

/// What a call that needs a token is told.
pub(super) enum Need {
    /// Use this one.
    Use(Held),
    /// Fetch one. With `Some`, the token held is still good if that fails.
    Lead(Lease, Option<Held>),
    /// Somebody is fetching it.
    Join(Ticket),
    /// Ask again after this long; so many attempts were made by then.
    Wait(Duration, u32),
    /// It failed a moment ago; this is the answer until the memory of it fades.
    Fail(Error),
}

/// What a call on its way to a token has seen so far.
#[derive(Default)]
pub(super) struct Search {
    /// Only a token of a later generation will do.
    pub(super) newer_than: Option<u64>,
    /// The flight it waited for.
    pub(super) joined: Option<u64>,
    /// Attempts that others made before their own time ended.
    pub(super) tried: u32,
}

/// The state of one key. Locked for moments only, never across I/O.
pub(super) struct Slot {
    numbers: Numbers,
    /// The cache's clock when it was last asked for.
    used: AtomicU64,
    /// The cache has dropped it: whoever remembers it has to ask for its key's slot anew.
    retired: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    flight: Option<Flight>,
    waiting: Vec<Wake>,
    memo: Option<Memo>,
    failures: u32,
    /// No token is asked for before this, unless the last one was refused.
    next: Duration,
    next_forced: Duration,
    next_soft: Duration,
}

/// A fetch under way. After `until` its caller has no time left, and whoever comes next takes over.
#[derive(Clone, Copy)]
struct Flight {
    number: u64,
    until: Duration,
}

/// What became of a flight that brought no token.
struct Memo {
    flight: u64,
    error: Error,
    until: Duration,
    /// The caller's own time ended before its attempts did: whoever has time goes on from so many, after `until`.
    open: Option<u32>,
}

impl State {
    fn flying(&self, now: &Now) -> Option<Flight> {
        self.flight.filter(|flight| now.monotonic < flight.until)
    }
}

impl Slot {
    pub(super) fn new(numbers: Numbers) -> Self {
        Slot { numbers, used: AtomicU64::new(0), retired: AtomicBool::new(false), state: Mutex::default() }
    }

    pub(super) fn used_at(&self, clock: u64) {
        self.used.store(clock, Ordering::Relaxed);
    }

    pub(super) fn last_used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// The token, if there is one that may be used.
    pub(super) fn peek(&self, now: &Now) -> Option<Held> {
        let mut state = lock(&self.state);
        let held = state.held.as_mut()?;
        (held.freshness(now) != Freshness::Expired).then(|| held.clone())
    }

    /// The token, if nothing has to be done about it.
    pub(super) fn fresh(&self, now: &Now) -> Option<Held> {
        let mut state = lock(&self.state);
        let held = state.held.as_mut()?;
        (held.freshness(now) == Freshness::Fresh).then(|| held.clone())
    }

    pub(super) fn is_fetching(&self) -> bool {
        lock(&self.state).flight.is_some()
    }

    /// False if nothing in here matters any more.
    pub(super) fn is_of_use(&self, now: &Now) -> bool {
        let state = lock(&self.state);
        let remembers = state.memo.as_ref().is_some_and(|memo| now.monotonic < memo.until);
        let fetches = state.flight.is_some();
        drop(state);
        remembers || fetches || self.peek(now).is_some()
    }

    /// What a call that needs this token is to do.
    pub(super) fn need(self: &Arc<Self>, now: &Now, search: &Search, deadline: &Deadline) -> Need {
        let state = &mut *lock(&self.state);
        let flying = state.flying(now);
        let newer = |held: &Held| search.newer_than.is_none_or(|than| held.generation > than);
        if let Some(held) = state.held.as_mut().filter(|held| newer(held)) {
            match held.freshness(now) {
                Freshness::Fresh => return Need::Use(held.clone()),
                Freshness::Soft => {
                    let held = held.clone();
                    if flying.is_some() || now.monotonic < state.next_soft.max(state.next) {
                        return Need::Use(held);
                    }
                    state.next_soft = now.monotonic.saturating_add(SOFT_PAUSE);
                    return Need::Lead(self.lead(state, now, 0, deadline), Some(held));
                }
                Freshness::Expired => state.held = None,
            }
        }
        let remaining = deadline.remaining(now);
        if let Some(Flight { number, until }) = flying {
            let within = remaining.min(until.saturating_sub(now.monotonic));
            return Need::Join(Ticket::new(Arc::clone(self) as Arc<dyn Flights>, number, within));
        }
        let mut tried = search.tried;
        if let Some(memo) = &state.memo {
            let rest = memo.until.saturating_sub(now.monotonic);
            // Who waited for that flight has its answer, however late it wakes.
            let waited_for = search.joined == Some(memo.flight);
            match memo.open {
                Some(tried) if !rest.is_zero() && rest < remaining => return Need::Wait(rest, tried),
                Some(made) if rest.is_zero() && waited_for => tried = made,
                Some(_) if rest.is_zero() => {}
                None if rest.is_zero() && !waited_for => {}
                _ => return Need::Fail(memo.error.clone()),
            }
        }
        let pace = state.next.saturating_sub(now.monotonic);
        if !pace.is_zero() && search.newer_than.is_none() {
            return Need::Wait(pace, tried);
        }
        Need::Lead(self.lead(state, now, tried, deadline), None)
    }

    fn lead(self: &Arc<Self>, state: &mut State, now: &Now, tried: u32, deadline: &Deadline) -> Lease {
        let number = self.numbers.next();
        let until = now.monotonic.saturating_add(deadline.remaining(now));
        state.flight = Some(Flight { number, until });
        Lease { slot: Arc::clone(self), flight: number, tried, settled: false }
    }

    /// A token of this generation was refused with 401. True if the call may be made again: the token was dropped, or a
    /// newer one is there or on its way. A newer token is never dropped.
    pub(super) fn refused(&self, generation: u64, now: &Now) -> bool {
        let mut state = lock(&self.state);
        if state.held.as_ref().is_none_or(|held| held.generation != generation) {
            return true;
        }
        if now.monotonic < state.next_forced {
            return false;
        }
        state.held = None;
        state.next = Duration::ZERO;
        state.next_forced = now.monotonic.saturating_add(FORCED_PAUSE);
        true
    }

    /// False if another flight has taken over.
    fn settle(&self, flight: u64, change: impl FnOnce(&mut State)) -> bool {
        let waiting = {
            let mut state = lock(&self.state);
            if state.flight.is_none_or(|current| current.number != flight) {
                return false;
            }
            change(&mut state);
            state.flight = None;
            std::mem::take(&mut state.waiting)
        };
        // Outside the lock: what is woken may come back at once.
        waiting.into_iter().for_each(|wake| wake());
        true
    }
}

/// The right, and the duty, to fetch a token for everybody. Dropped unsettled, it resigns, and another call takes over.
pub(super) struct Lease {
    slot: Arc<Slot>,
    flight: u64,
    /// Attempts made before it began.
    pub(super) tried: u32,
    settled: bool,
}

impl Lease {
    /// The token that was fetched. `asked` is when the request left.
    pub(super) fn succeed(mut self, token: AccessToken, asked: &Now, now: &Now) -> Result<Held, Error> {
        let mut held = Held::new(token, self.slot.numbers.next(), asked);
        if held.freshness(now) == Freshness::Expired {
            let fault = ProtocolFault::UnusableToken { problem: "it is over already when it arrives" };
            let error = Error::Protocol(ProtocolError::new("oauth.token", 200, fault));
            self.fail(&error, now);
            return Err(error);
        }
        self.settled = true;
        self.slot.settle(self.flight, |state| {
            state.held = Some(held.clone());
            state.next = now.monotonic.saturating_add(PACE);
            state.memo = None;
            state.failures = 0;
        });
        Ok(held)
    }

    /// It failed for everybody: remembered, so that those who waited get the same answer without asking again.
    pub(super) fn fail(mut self, error: &Error, now: &Now) {
        self.settled = true;
        let flight = self.flight;
        self.slot.settle(flight, |state| {
            let until = now.monotonic.saturating_add(memory(error, state.failures));
            state.failures = state.failures.saturating_add(1);
            state.memo = Some(Memo { flight, error: error.clone(), until, open: None });
        });
    }

    /// It failed, but its caller did not try as often as one may: whoever has the time goes on after `pause`, and the
    /// others have this answer.
    pub(super) fn hand_over(mut self, error: &Error, tried: u32, pause: Duration, now: &Now) {
        self.settled = true;
        let flight = self.flight;
        self.slot.settle(flight, |state| {
            let until = now.monotonic.saturating_add(pause);
            state.memo = Some(Memo { flight, error: error.clone(), until, open: Some(tried) });
        });
    }
}

/// How long a failure is remembered: never for ever, whatever the service says.
fn memory(error: &Error, failures: u32) -> Duration {
    let doubled = Duration::from_secs(1_u64.checked_shl(failures.min(5)).unwrap_or(32));
    let backoff = doubled.min(Duration::from_secs(30));
    match error.as_api() {
        Some(api) if api.status() == 429 => api.retry_after().unwrap_or(backoff).min(LONGEST_MEMO).max(PACE),
        Some(api) if (400..500).contains(&api.status()) && api.status() != 408 => Duration::from_secs(30),
        _ => backoff,
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.settled {
            self.slot.settle(self.flight, |_| {});
        }
    }
}

/// A token with the slot it came from, so that a refusal of it finds that slot and no other.
pub(super) struct Loan {
    pub(super) held: Held,
    slot: Arc<Slot>,
}

impl Loan {
    pub(super) fn new(held: Held, slot: Arc<Slot>) -> Self {
        Loan { held, slot }
    }

    /// True if there is, or may be, another token to try with.
    pub(super) fn refused(self, now: &Now) -> bool {
        self.slot.refused(self.held.generation, now)
    }
}

/// What is called when a flight has settled.
pub(crate) type Wake = Box<dyn FnOnce() + Send>;

/// Something that one call does while others wait for it.
pub(crate) trait Flights: Send + Sync {
    /// Keeps `wake` until the flight has settled. Gives it back if it has already.
    fn wait(&self, flight: u64, wake: Wake) -> Option<Wake>;
}

impl Flights for Slot {
    fn wait(&self, flight: u64, wake: Wake) -> Option<Wake> {
        let mut state = lock(&self.state);
        if state.flight.is_some_and(|current| current.number == flight) {
            state.waiting.push(wake);
            return None;
        }
        Some(wake)
    }
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

    pub(super) fn flight(&self) -> u64 {
        self.flight
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
