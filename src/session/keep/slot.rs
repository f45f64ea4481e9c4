//! The life of one key's value: fresh, soft, over, failed; who fetches the next one, and who waits for it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::lock;
use super::super::part::{Failed, Open, Whose};
use super::life::{Freshness, Life};
use super::numbers::Numbers;
use super::policy::{Failures, Misfit, Policy};
use super::ticket::{Flights, Ticket, Wake};
use crate::error::Error;
use crate::time::{Deadline, Now};

/// So long the end of something that must not happen twice is waited for, beyond the time of whoever sent it.
const ON_THE_WAY: Duration = Duration::from_secs(60);

/// A value as it is kept.
#[derive(Clone)]
pub(crate) struct Held<V> {
    pub(crate) value: V,
    /// Higher than that of every value that came before it.
    pub(crate) generation: u64,
    life: Life,
}

impl<V> Held<V> {
    pub(crate) fn freshness(&mut self, now: &Now) -> Freshness {
        self.life.freshness(now)
    }
}

/// What a call that needs a value is told.
pub(crate) enum Need<V> {
    /// Use this one.
    Use(Held<V>),
    /// Fetch one. With `Some`, the value held is still good if that fails.
    Lead(Lease<V>, Option<Held<V>>),
    /// Somebody is fetching it.
    Join(Ticket),
    /// Ask again after this long; so many attempts were made by then.
    Wait(Duration, u32),
    /// It failed a moment ago; this is the answer until the memory of it fades.
    Fail(Failed),
}

/// What a call on its way to a value has seen so far.
#[derive(Default)]
pub(crate) struct Search {
    /// Only a value of a later generation will do.
    pub(crate) newer_than: Option<u64>,
    /// The latest number when it began: what settles later, for better or worse, is its answer too.
    pub(crate) began: Option<u64>,
    /// Attempts that others made before their own time ended.
    pub(crate) tried: u32,
}

/// The state of one key. Locked for moments only, never across I/O.
pub(crate) struct Slot<V> {
    numbers: Numbers,
    /// The keeper's clock when it was last asked for.
    used: AtomicU64,
    /// The keeper has dropped it: whoever remembers it has to ask for its key's slot anew.
    retired: AtomicBool,
    state: Mutex<State<V>>,
}

struct State<V> {
    held: Option<Held<V>>,
    flight: Option<Flight>,
    waiting: Vec<Wake>,
    memo: Option<Memo>,
    failures: u32,
    /// The value of this key that was refused, until there is another: none is taken from elsewhere.
    refused: Option<V>,
    /// The value of this key was seen to be over by one of the clocks, until there is another: what others have dated counts no more.
    over: bool,
    /// None is asked for before this, unless the last one was refused.
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

/// What became of a flight that brought nothing.
struct Memo {
    /// When it settled, as a number.
    number: u64,
    error: Error,
    until: Duration,
    /// The caller's own time ended before its attempts did: whoever has time goes on from so many, after `until`.
    open: Option<u32>,
}

impl<V> Default for State<V> {
    fn default() -> Self {
        let (next, next_forced, next_soft) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        let (held, flight, waiting, memo, failures) = (None, None, Vec::new(), None, 0);
        State {
            held,
            flight,
            waiting,
            memo,
            failures,
            refused: None,
            over: false,
            next,
            next_forced,
            next_soft,
        }
    }
}

impl<V> State<V> {
    fn flying(&self, now: &Now) -> Option<Flight> {
        self.flight.filter(|flight| now.monotonic < flight.until)
    }
}

impl<V> Slot<V> {
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

    pub(super) fn is_fetching(&self) -> bool {
        lock(&self.state).flight.is_some()
    }

    /// False if nothing in here matters any more.
    pub(super) fn is_of_use(&self, now: &Now) -> bool {
        let mut state = lock(&self.state);
        let remembers = state.memo.as_ref().is_some_and(|memo| now.monotonic < memo.until);
        let holds = state.held.as_mut().is_some_and(|held| held.freshness(now) != Freshness::Expired);
        remembers || holds || state.flight.is_some()
    }

    /// True if the value of this generation is held.
    pub(super) fn holds(&self, generation: u64) -> bool {
        lock(&self.state).held.as_ref().is_some_and(|held| held.generation == generation)
    }

    /// The generation of what is held, if it is this.
    pub(super) fn generation_of(&self, is_it: impl Fn(&V) -> bool) -> Option<u64> {
        lock(&self.state).held.as_ref().filter(|held| is_it(&held.value)).map(|held| held.generation)
    }

    /// A value of this generation was refused. True if the call may be made again: the value was dropped, or a newer one is
    /// there or on its way. A newer value is never dropped.
    pub(super) fn refused(&self, generation: u64, policy: &Policy, now: &Now) -> bool {
        let mut state = lock(&self.state);
        if state.held.as_ref().is_none_or(|held| held.generation != generation) {
            return true;
        }
        if now.monotonic < state.next_forced {
            return false;
        }
        state.refused = state.held.take().map(|held| held.value);
        state.next = Duration::ZERO;
        state.next_forced = now.monotonic.saturating_add(policy.forced_pause);
        true
    }

    /// False if another flight has taken over.
    fn settle(&self, flight: u64, change: impl FnOnce(&mut State<V>)) -> bool {
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

impl<V: Clone> Slot<V> {
    /// The value, if there is one that may be used.
    pub(super) fn peek(&self, now: &Now) -> Option<V> {
        let mut state = lock(&self.state);
        let held = state.held.as_mut()?;
        (held.freshness(now) != Freshness::Expired).then(|| held.value.clone())
    }

    /// The value, if nothing has to be done about it.
    pub(crate) fn fresh(&self, now: &Now) -> Option<Held<V>> {
        let mut state = lock(&self.state);
        let held = state.held.as_mut()?;
        (held.freshness(now) == Freshness::Fresh).then(|| held.clone())
    }

    /// A value of this key that its caller has from elsewhere. It is kept if nothing is, unless it was refused or is over.
    pub(super) fn offer(&self, value: V, life: Life) {
        let mut state = lock(&self.state);
        if state.held.is_none() && state.refused.is_none() && !state.over {
            state.held = Some(Held { value, generation: self.numbers.next(), life });
        }
    }

    /// Puts a value here that came by another way. A fetch under way goes on, and what it brings is newer.
    pub(super) fn put(&self, value: V, life: Life) {
        let held = Held { value, generation: self.numbers.next(), life };
        let mut state = lock(&self.state);
        (state.held, state.memo, state.failures, state.over) = (Some(held), None, 0, false);
    }
}

impl<V: Clone + Send + 'static> Slot<V> {
    /// What a call that needs this value is to do.
    pub(super) fn need(
        self: &Arc<Self>,
        now: &Now,
        search: &Search,
        policy: &Policy,
        fits: impl Fn(&V) -> bool,
        time: &Deadline,
    ) -> Need<V> {
        let state = &mut *lock(&self.state);
        let flying = state.flying(now);
        let remaining = time.remaining(now);
        let began = search.began.unwrap_or(u64::MAX);
        let join = |slot: &Arc<Self>, flight: Flight| {
            let within = remaining.min(flight.until.saturating_sub(now.monotonic));
            Need::Join(Ticket::new(Arc::clone(slot) as Arc<dyn Flights>, flight.number, within))
        };
        let newer = |held: &Held<V>| search.newer_than.is_none_or(|than| held.generation > than);
        if let Some(held) = state.held.as_mut().filter(|held| newer(held)) {
            let freshness = match held.freshness(now) {
                Freshness::Expired if held.life.is_once() && held.generation > began => Freshness::Fresh,
                freshness => freshness,
            };
            match freshness {
                // Others who were there when it came may not have looked yet.
                Freshness::Expired if held.life.is_once() => {}
                Freshness::Expired => {
                    // The pace has gone on while the machine slept, too.
                    state.next = state.next.saturating_sub(held.life.asleep());
                    (state.held, state.over) = (None, true);
                }
                _ if policy.misfit == Misfit::Wait && !fits(&held.value) => {}
                _ if !fits(&held.value) => {
                    // It serves others, and this caller as well as it can until the next one may be asked for.
                    let held = held.clone();
                    let failed = state.memo.as_ref().is_some_and(|memo| now.monotonic < memo.until);
                    return match flying {
                        Some(flight) => join(self, flight),
                        None if failed || now.monotonic < state.next => Need::Use(held),
                        None => Need::Lead(self.lead(state, now, 0, policy, time), Some(held)),
                    };
                }
                Freshness::Fresh => return Need::Use(held.clone()),
                Freshness::Soft => {
                    let held = held.clone();
                    if flying.is_some() || now.monotonic < state.next_soft.max(state.next) {
                        return Need::Use(held);
                    }
                    state.next_soft = now.monotonic.saturating_add(policy.soft_pause);
                    return Need::Lead(self.lead(state, now, 0, policy, time), Some(held));
                }
            }
        }
        // Who was there when it settled has its answer, however late it wakes, and whatever was begun since.
        let was_there = state.memo.as_ref().is_some_and(|memo| memo.number > began);
        let told = was_there && state.memo.as_ref().is_some_and(|memo| memo.open.is_none());
        if let Some(flight) = flying.filter(|_| !told) {
            return join(self, flight);
        }
        let mut tried = search.tried;
        if let Some(memo) = &state.memo {
            let rest = memo.until.saturating_sub(now.monotonic);
            match memo.open {
                Some(tried) if !rest.is_zero() && rest < remaining => return Need::Wait(rest, tried),
                Some(made) if rest.is_zero() && was_there => tried = made,
                Some(_) if rest.is_zero() => {}
                None if rest.is_zero() && !was_there => {}
                open => {
                    let whose =
                        open.map_or(Whose::Everybody, |tried| Whose::Open(Open { tried, pause: rest }));
                    return Need::Fail(Failed { error: memo.error.clone(), whose });
                }
            }
        }
        let pace = state.next.saturating_sub(now.monotonic);
        if !pace.is_zero() && search.newer_than.is_none() {
            return Need::Wait(pace, tried);
        }
        Need::Lead(self.lead(state, now, tried, policy, time), None)
    }

    fn lead(
        self: &Arc<Self>,
        state: &mut State<V>,
        now: &Now,
        tried: u32,
        policy: &Policy,
        time: &Deadline,
    ) -> Lease<V> {
        let number = self.numbers.next();
        let until = now.monotonic.saturating_add(time.remaining(now));
        if let Some((with, without)) = policy.turn {
            let turn = if state.held.is_some() { with } else { without };
            state.next = now.monotonic.saturating_add(turn);
        }
        state.flight = Some(Flight { number, until });
        let refused = state.refused.clone();
        Lease { slot: Arc::clone(self), flight: number, tried, refused, unknown: None, settled: false }
    }
}

impl<V: Send> Flights for Slot<V> {
    fn wait(&self, flight: u64, wake: Wake) -> Option<Wake> {
        let mut state = lock(&self.state);
        if state.flight.is_some_and(|current| current.number == flight) {
            state.waiting.push(wake);
            return None;
        }
        Some(wake)
    }
}

/// The right, and the duty, to fetch a value for everybody. Dropped unsettled, it resigns, and another call takes over.
pub(crate) struct Lease<V> {
    slot: Arc<Slot<V>>,
    flight: u64,
    /// Attempts made before it began.
    pub(crate) tried: u32,
    /// The last value, if it was refused.
    pub(crate) refused: Option<V>,
    /// What those who wait are told if it is dropped, in place of another one's taking over.
    unknown: Option<Box<Error>>,
    settled: bool,
}

impl<V: Clone> Lease<V> {
    /// The value that was fetched, asked for at that time. None if it is over already.
    pub(crate) fn succeed(
        mut self,
        value: V,
        mut life: Life,
        policy: &Policy,
        asked: &Now,
        now: &Now,
    ) -> Result<Held<V>, Self> {
        if !life.is_once() && life.freshness(now) == Freshness::Expired {
            return Err(self);
        }
        let held = Held { value, generation: self.slot.numbers.next(), life };
        self.settled = true;
        self.slot.settle(self.flight, |state| {
            state.held = Some(held.clone());
            (state.refused, state.over) = (None, false);
            state.next = asked.monotonic.saturating_add(policy.pace);
            state.memo = None;
            state.failures = 0;
        });
        Ok(held)
    }
}

impl<V> Lease<V> {
    /// It failed for everybody: remembered, so that those who waited get the same answer without asking again.
    pub(crate) fn fail(mut self, error: &Error, policy: &Policy, now: &Now) {
        self.settled = true;
        let number = self.slot.numbers.next();
        self.slot.settle(self.flight, |state| {
            let at_hand = state.held.as_mut().is_some_and(|held| held.freshness(now) != Freshness::Expired);
            let memory = (policy.memory)(error, Failures { before: state.failures, at_hand });
            let until = now.monotonic.saturating_add(memory);
            if policy.turn.is_some() {
                state.next = until;
            }
            state.failures = state.failures.saturating_add(1);
            state.memo = Some(Memo { number, error: error.clone(), until, open: None });
        });
    }

    /// It failed, but its caller did not try as often as one may: whoever has the time goes on after a pause, and the others
    /// have this answer.
    pub(crate) fn hand_over(mut self, error: &Error, open: Open, now: &Now) {
        self.settled = true;
        let number = self.slot.numbers.next();
        self.slot.settle(self.flight, |state| {
            let until = now.monotonic.saturating_add(open.pause);
            state.memo = Some(Memo { number, error: error.clone(), until, open: Some(open.tried) });
        });
    }
}

impl<V> Lease<V> {
    /// Something left that must not happen twice, or its outcome is known by now. While it is not, nobody takes over, though
    /// the time of whoever leads may be over: its end is on the way.
    pub(crate) fn handed_out(&mut self, unknown: Option<Error>) {
        if unknown.is_some() && self.unknown.is_none() {
            let mut state = lock(&self.slot.state);
            if let Some(flight) = state.flight.as_mut().filter(|flight| flight.number == self.flight) {
                flight.until = flight.until.saturating_add(ON_THE_WAY);
            }
        }
        self.unknown = unknown.map(Box::new);
    }
}

impl<V> Drop for Lease<V> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let memo = self.unknown.take().map(|error| {
            let number = self.slot.numbers.next();
            Memo { number, error: *error, until: Duration::ZERO, open: None }
        });
        self.slot.settle(self.flight, |state| state.memo = memo.or(state.memo.take()));
    }
}
