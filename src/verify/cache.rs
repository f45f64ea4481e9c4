//! The cache of an issuer's keys: one caller fetches, the others wait; never more often than every 30 s; the last good keys
//! serve through an outage of a day, and then nothing does.
//!
//! There is no list of unknown key ids: until 30 s after the last fetch, whatever is not in the set is unknown. That
//! bounds the requests that invented ids can cause, and the memory they take is none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Uri;

use super::keys::{IssuerKeys, Wanted};
use crate::error::Error;
use crate::session::{Flights, Ticket};
use crate::time::Now;

/// Two fetches are at least this far apart while there are keys.
pub(super) const PACE: Duration = Duration::from_secs(30);
/// Keys are used at most this long after they were fetched.
pub(super) const LAST_RESORT: Duration = Duration::from_secs(24 * 60 * 60);
/// Without keys, the pause after the first failure; it doubles up to [`PACE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// What a token's check is told.
pub(super) enum Need {
    /// Use these keys.
    Use(Arc<IssuerKeys>),
    /// Fetch them. With `Some`, these are good enough if that fails.
    Lead(Lease, Option<Arc<IssuerKeys>>),
    /// Somebody is fetching them.
    Join(Ticket),
    /// Ask again after this long.
    Wait(Duration),
    /// The fetch failed a moment ago.
    Fail(Error),
}

/// The keys of one issuer. Locked for moments only, never across I/O.
pub(super) struct KeyCache {
    state: Mutex<State>,
    max_age: Duration,
}

#[derive(Default)]
struct State {
    held: Option<(Arc<IssuerKeys>, Now)>,
    /// Where the keys are, once the issuer's metadata has said so.
    found: Option<Uri>,
    not_before: Duration,
    failures: u32,
    memo: Option<Error>,
    flight: Option<u64>,
    flights: u64,
    waiting: Vec<Box<dyn FnOnce() + Send>>,
}

/// How long ago: by the clock that says more.
fn age(at: &Now, now: &Now) -> Duration {
    now.wall.saturating_since(at.wall).max(now.monotonic.saturating_sub(at.monotonic))
}

impl KeyCache {
    pub(super) fn new(max_age: Duration) -> Self {
        KeyCache { state: Mutex::default(), max_age: max_age.min(LAST_RESORT) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys, if they are fresh and have the one that is wanted.
    pub(super) fn fresh(&self, now: &Now, wanted: &Wanted<'_>) -> Option<Arc<IssuerKeys>> {
        let state = self.lock();
        let (keys, at) = state.held.as_ref()?;
        (age(at, now) < self.max_age && keys.have(wanted)).then(|| Arc::clone(keys))
    }

    /// What a check that needs this key is to do.
    pub(super) fn need(self: &Arc<Self>, now: &Now, wanted: &Wanted<'_>, within: Duration) -> Need {
        let mut state = self.lock();
        let held = state.held.as_ref().map(|(keys, at)| (Arc::clone(keys), age(at, now)));
        let rest = state.not_before.saturating_sub(now.monotonic);
        let join = |flight| Need::Join(Ticket::new(Arc::clone(self) as Arc<dyn Flights>, flight, within));
        match held.filter(|(_, age)| *age < LAST_RESORT) {
            Some((keys, age)) if keys.have(wanted) => {
                if age < self.max_age || state.flight.is_some() || !rest.is_zero() {
                    return Need::Use(keys);
                }
                Need::Lead(self.lead(&mut state, now, PACE), Some(keys))
            }
            Some((keys, _)) => match state.flight {
                Some(flight) => join(flight),
                None if rest.is_zero() => Need::Lead(self.lead(&mut state, now, PACE), Some(keys)),
                None => Need::Use(keys),
            },
            None => match (state.flight, &state.memo) {
                (Some(flight), _) => join(flight),
                (None, _) if rest.is_zero() => Need::Lead(self.lead(&mut state, now, FIRST_PAUSE), None),
                (None, Some(error)) => Need::Fail(error.clone()),
                (None, None) => Need::Wait(rest),
            },
        }
    }

    fn lead(self: &Arc<Self>, state: &mut State, now: &Now, pace: Duration) -> Lease {
        state.not_before = now.monotonic.saturating_add(pace);
        state.flights = state.flights.saturating_add(1);
        state.flight = Some(state.flights);
        Lease { cache: Arc::clone(self), flight: state.flights, settled: false }
    }

    fn settle(&self, flight: u64, change: impl FnOnce(&mut State)) {
        let waiting = {
            let mut state = self.lock();
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

impl Flights for KeyCache {
    fn wait(&self, flight: u64, wake: Box<dyn FnOnce() + Send>) -> Option<Box<dyn FnOnce() + Send>> {
        let mut state = self.lock();
        if state.flight == Some(flight) {
            state.waiting.push(wake);
            return None;
        }
        Some(wake)
    }
}

/// The right, and the duty, to fetch the keys for everybody. Dropped unsettled, it resigns; the pace stays, so that
/// abandoned checks cannot cause more requests than finished ones.
pub(super) struct Lease {
    cache: Arc<KeyCache>,
    flight: u64,
    settled: bool,
}

impl Lease {
    /// Where the issuer's metadata said that the keys are, the last time.
    pub(super) fn found(&self) -> Option<Uri> {
        self.cache.lock().found.clone()
    }

    /// The metadata says that the keys are here.
    pub(super) fn find(&self, url: Uri) {
        self.cache.lock().found = Some(url);
    }

    pub(super) fn succeed(mut self, keys: IssuerKeys, asked: &Now) -> Arc<IssuerKeys> {
        self.settled = true;
        let keys = Arc::new(keys);
        self.cache.settle(self.flight, |state| {
            state.held = Some((Arc::clone(&keys), *asked));
            state.not_before = asked.monotonic.saturating_add(PACE);
            state.failures = 0;
            state.memo = None;
        });
        keys
    }

    /// It failed for everybody. The metadata is asked anew next time.
    pub(super) fn fail(mut self, error: &Error, now: &Now) {
        self.settled = true;
        self.cache.settle(self.flight, |state| {
            let usable = state.held.as_ref().is_some_and(|(_, at)| age(at, now) < LAST_RESORT);
            let doubled = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(state.failures.min(5)).unwrap_or(32));
            let pause = if usable { PACE } else { doubled.min(PACE) };
            state.failures = state.failures.saturating_add(1);
            state.not_before = now.monotonic.saturating_add(pause);
            state.memo = Some(error.clone());
            state.found = None;
        });
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.settled {
            self.cache.settle(self.flight, |_| {});
        }
    }
}
