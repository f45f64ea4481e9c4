//! The machine that looks for a kept value: uses it, fetches it for all, or waits for who does.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use super::super::part::{Failed, Open, Part, Whose, late, ready};
use super::super::{Action, Arrived, Step};
use super::keeper::Keeper;
use super::life::Life;
use super::loan::Loan;
use super::policy::Policy;
use super::slot::{Held, Lease, Need, Search, Slot};
use crate::error::{Error, ProtocolError, ProtocolFault};
use crate::time::{Deadline, Now};

/// A kind of value that one call fetches for many. It says what its key is, how it lives, and what fetches it; it decides
/// nothing else.
///
/// Kinds have an order, and a fetch looks only at kinds before its own: the agent's own token; users' tokens; tokens for
/// resources; delegated tokens. Documents, keys and records look at no token or at the agent's own.
pub(crate) trait Kind {
    /// Everything that makes a value what it is.
    type Key: Clone + Eq + Hash;
    /// What is kept.
    type Value: Clone + Send + 'static;
    /// What fetches it.
    type Fetch: Part<Output = Self::Value>;
    /// How it is kept.
    const POLICY: Policy = Policy::TOKENS;
    /// The operation in whose name a call is late.
    const NAME: &'static str;
    /// What the call was doing when it was late.
    const PHASE: &'static str;
    /// What is wrong with a value whose life is over when it arrives.
    const OVER: &'static str = "it is over already when it arrives";

    /// Where it is kept.
    fn keeper(&self) -> &Keeper<Self::Key, Self::Value>;

    /// Its key, made anew at every look: who asks may have changed meanwhile.
    ///
    /// # Errors
    /// If nobody is there to ask for it.
    fn key(&self) -> Result<Self::Key, Error>;

    /// Begins to fetch one.
    fn fetch(&self, lead: Lead) -> Result<Self::Fetch, Error>;

    /// Tells what only the look for it knows: for those that do not fetch a new one in any case.
    fn tell(_: &mut Self::Fetch, _: Told<Self::Value>) {}

    /// How long this one lives. `asked` is when the last request for it left.
    fn life(&self, value: &Self::Value, asked: &Now) -> Life;

    /// The same, where it depends on how it was fetched.
    fn life_of(&self, _: &Self::Fetch, value: &Self::Value, asked: &Now) -> Life {
        self.life(value, asked)
    }

    /// False if it is not what this caller needs, though it may serve others.
    fn fits(&self, _: &Self::Value) -> bool {
        true
    }
}

/// Looks for the value of a kind, and lends nothing: who asks has no use for knowing where it came from.
pub(crate) struct Just<K: Kind>(pub(crate) Keep<K>);

impl<K: Kind> Part for Just<K> {
    type Output = K::Value;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<K::Value>, Failed> {
        Ok(Step::Done(ready!(self.0.step(now, arrived, time)?).value))
    }
}

/// What somebody who fetches for all may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lead {
    /// Attempts that others have made.
    pub(crate) tried: u32,
    /// One short attempt is all: there is a value that is good if it fails.
    pub(crate) early: bool,
}

/// What kind of value will do.
pub(crate) struct Told<V> {
    /// Not this one: it was refused.
    pub(crate) refused: Option<V>,
    /// None that was there before.
    pub(crate) anew: bool,
}

/// Looks for the value of a kind.
pub(crate) struct Keep<K: Kind> {
    kind: K,
    search: Search,
    /// What its caller has from elsewhere.
    offered: Option<(K::Value, Life)>,
    phase: Phase<K>,
}

#[allow(clippy::large_enum_variant)] // one at a time
enum Phase<K: Kind> {
    Deciding,
    Waiting { until: Duration },
    Fetching(Fetching<K>),
}

/// A fetch under way.
struct Fetching<K: Kind> {
    lease: Lease<K::Value>,
    slot: Arc<Slot<K::Value>>,
    key: K::Key,
    /// The value that is good enough if this fails.
    fallback: Option<Held<K::Value>>,
    fetch: K::Fetch,
    /// When its last request left.
    asked: Now,
}

impl<K: Kind> Keep<K> {
    /// Any value that is good.
    pub(crate) fn new(kind: K) -> Self {
        Keep { kind, search: Search::default(), offered: None, phase: Phase::Deciding }
    }

    /// A value newer than all that there are now.
    pub(crate) fn anew(kind: K) -> Self {
        let newer_than = Some(kind.keeper().newest());
        Keep {
            kind,
            search: Search { newer_than, ..Search::default() },
            offered: None,
            phase: Phase::Deciding,
        }
    }

    /// The value that its caller has from elsewhere, or a better one. What settled after `began` is an answer too.
    pub(crate) fn offered(kind: K, value: K::Value, life: Life, began: u64) -> Self {
        let search = Search { began: Some(began), ..Search::default() };
        Keep { kind, search, offered: Some((value, life)), phase: Phase::Deciding }
    }

    fn wait(&mut self, until: Duration, now: &Now) -> Result<Step<Loan<K::Value>>, Failed> {
        self.phase = Phase::Waiting { until };
        Ok(Step::Do(Action::Wait(until.saturating_sub(now.monotonic))))
    }

    fn decide(&mut self, now: &Now, time: &Deadline) -> Result<Step<Loan<K::Value>>, Failed> {
        let key = self.kind.key()?;
        self.search.began.get_or_insert_with(|| self.kind.keeper().newest());
        let slot = self.kind.keeper().slot(&key, now);
        if let Some((value, life)) = self.offered.take() {
            slot.offer(value, life);
        }
        match slot.need(now, &self.search, &K::POLICY, |value| self.kind.fits(value), time) {
            Need::Use(held) => Ok(Step::Done(Loan::new(held, slot))),
            Need::Fail(failed) => Err(failed),
            Need::Join(ticket) => Ok(Step::Do(Action::Join(ticket))),
            Need::Wait(pause, _) if pause >= time.remaining(now) => {
                let open = Open { tried: self.search.tried, pause };
                Err(Failed::open(late(K::NAME, "waiting before the next request", time), open))
            }
            Need::Wait(pause, tried) => {
                self.search.tried = tried;
                self.wait(now.monotonic.saturating_add(pause), now)
            }
            Need::Lead(mut lease, fallback) => {
                let told = Told { refused: lease.refused.take(), anew: self.search.newer_than.is_some() };
                let lead = Lead { tried: lease.tried, early: fallback.is_some() };
                // Wrong arguments: nothing was sent, and they are this caller's to correct.
                let fetch = match (self.kind.fetch(lead), fallback) {
                    (Ok(mut fetch), fallback) => {
                        K::tell(&mut fetch, told);
                        Fetching { lease, slot, key, fallback, fetch, asked: *now }
                    }
                    (Err(_), Some(held)) => return Ok(Step::Done(Loan::new(held, slot))),
                    (Err(error), None) => return Err(error.into()),
                };
                self.fetch(fetch, now, None, time)
            }
        }
    }

    fn fetch(
        &mut self,
        mut fetching: Fetching<K>,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Loan<K::Value>>, Failed> {
        let failed = match fetching.fetch.step(now, arrived, time) {
            Ok(Step::Do(action)) => {
                if matches!(action, Action::Send(_) | Action::Given(_)) {
                    fetching.asked = *now;
                }
                fetching.lease.handed_out(fetching.fetch.unknown());
                self.phase = Phase::Fetching(fetching);
                return Ok(Step::Do(action));
            }
            Ok(Step::Done(value)) => {
                let life = self.kind.life_of(&fetching.fetch, &value, &fetching.asked);
                let Fetching { lease, slot, fallback, asked, .. } = fetching;
                let lease = match lease.succeed(value, life, &K::POLICY, &asked, now) {
                    Ok(held) => return Ok(Step::Done(Loan::new(held, slot))),
                    Err(lease) => lease,
                };
                let fault = ProtocolFault::UnusableToken { problem: K::OVER };
                let error = Error::Protocol(ProtocolError::new(K::NAME, 200, fault));
                lease.fail(&error, &K::POLICY, now);
                return fallback.map(|held| Step::Done(Loan::new(held, slot))).ok_or(error.into());
            }
            Err(failed) => failed,
        };
        log::debug!("{}: {}", K::NAME, failed.error);
        let Fetching { lease, slot, fallback, .. } = fetching;
        match (failed.whose, &fallback) {
            (Whose::Caller, _) => drop(lease),
            // One attempt is all that an early renewal has. Who waits for its end has the others.
            (Whose::Open(open), _) => lease.hand_over(&failed.error, open, now),
            (Whose::Everybody, _) => lease.fail(&failed.error, &K::POLICY, now),
        }
        fallback.map(|held| Step::Done(Loan::new(held, slot))).ok_or(failed)
    }
}

impl<K: Kind> Part for Keep<K> {
    type Output = Loan<K::Value>;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Loan<K::Value>>, Failed> {
        let phase = std::mem::replace(&mut self.phase, Phase::Deciding);
        // What has arrived is looked at even if it is late; nothing new is begun.
        if arrived.is_none() && time.passed(now) {
            return Err(Failed::open(late(K::NAME, K::PHASE, time), Open::default()));
        }
        match phase {
            Phase::Waiting { until } if now.monotonic < until => self.wait(until, now),
            Phase::Deciding | Phase::Waiting { .. } => self.decide(now, time),
            // Who asks has changed meanwhile: nobody wants the value of the old key.
            Phase::Fetching(fetching) if arrived.is_none() && self.kind.key()? != fetching.key => {
                drop(fetching);
                self.decide(now, time)
            }
            Phase::Fetching(fetching) => self.fetch(fetching, now, arrived, time),
        }
    }
}
