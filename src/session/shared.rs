//! A token that processes share: looked for in a store before it is fetched, and claimed there, so that one process
//! fetches it for all.
//!
//! Three calls of the store make a renewal: load, save (the claim), save (the token). Nothing depends on the store: if it
//! fails, or nobody is heard of for too long, the token is fetched all the same.

mod ended;
mod entry;
mod place;

use std::time::Duration;

pub(crate) use place::Place;
pub(super) use place::Sharing;

use self::entry::{Claim, Entry, LONGEST_REST, Rest, life};
use super::change::{Change, Edit};
use super::keep::{Freshness, Lead, Life, Told};
use super::part::{Failed, Open, Part, Whose, late};
use super::{Action, Arrived, Step};
use crate::error::Error;
use crate::store::Record;
use crate::time::{Deadline, Now};
use crate::token::AccessToken;

/// A claim that stands unchanged for so long, by the clock of whoever watches it, is nobody's any more; nor is one that
/// stands for half of the watcher's time.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause between two looks at a record that another process has claimed, on average.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// After a failure that passes nobody sends another request for so long, if the service does not say for how long.
const REST: Duration = Duration::from_secs(1);
/// How often a store that fails is asked to take a token, and how often it is asked for one.
const PUBLISHING: u32 = 3;
const LOOKING: u32 = 2;

/// Fetches a token, unless another process has, or does.
pub(crate) struct Shared<F> {
    fetch: F,
    search: Option<Box<Search>>,
    /// The token is from the store, where it was at that time.
    found: Option<Now>,
}

struct Search {
    place: Place,
    early: bool,
    refused: Option<AccessToken>,
    anew: bool,
    /// With `anew`: the generation that there was at the first look.
    than: Option<u64>,
    /// The generation that this process has seen.
    seen: Option<u64>,
    claimed: bool,
    watch: Option<Watch>,
    /// The claim that was watched for long enough.
    given_up: Option<Claim>,
    rested: bool,
    at: At,
}

/// A claim of another process, since when it is watched, and for how long.
struct Watch {
    claim: Claim,
    since: Duration,
    patience: Duration,
}

enum At {
    Start,
    Look(Box<Change<Seen>>),
    Pausing { until: Duration },
    Fetch(Option<Record>),
    Publish(Box<Change<()>>, AccessToken),
    Release(Box<Change<()>>, Option<Failed>),
}

/// How the record is found.
struct Seen {
    generation: u64,
    than: Option<u64>,
    what: What,
}

enum What {
    /// A token that will do.
    Good(AccessToken),
    /// It is this process' to fetch one; the record as it is saved now.
    Mine(Vec<u8>),
    /// Another process does.
    Claimed(Claim),
    /// A request failed a moment ago.
    Rest(Duration),
}

impl<F> Shared<F> {
    /// With this fetch, if the place is none or has none.
    pub(crate) fn new(fetch: F, place: Option<Place>, lead: Lead) -> Self {
        let search = place.map(|place| {
            let (refused, than, seen, watch, given_up) = (None, None, None, None, None);
            let (anew, claimed, rested, at) = (false, false, false, At::Start);
            let early = lead.early;
            Box::new(Search { place, early, refused, anew, than, seen, claimed, watch, given_up, rested, at })
        });
        Shared { fetch, search, found: None }
    }

    pub(crate) fn tell(&mut self, told: Told<AccessToken>) {
        if let Some(search) = &mut self.search {
            (search.refused, search.anew) = (told.refused, told.anew);
        }
    }

    /// The life of a token that it brought.
    pub(crate) fn life(&self, token: &AccessToken, asked: &Now) -> Life {
        match &self.found {
            Some(found) => life(token, found),
            None => Life::of(token.lifetime(), asked),
        }
    }
}

impl Search {
    fn look(&self, now: &Now) -> At {
        let (key, by) = (self.place.key().clone(), self.place.by(now));
        let (early, anew, mut than) = (self.early, self.anew, self.than);
        let (refused, rested) = (self.refused.clone(), self.rested);
        let (given_up, resource) = (self.given_up.clone(), self.place.resource().map(str::to_owned));
        let record_key = key.clone();
        let edit = move |record: Option<&Record>, now: &Now| {
            let mut entry = Entry::of(record, &key, now);
            let generation = entry.generation;
            if anew {
                than.get_or_insert(generation);
            }
            let seen = |what| Seen { generation, than, what };
            // It is never taken for another resource's, whatever the record says.
            entry.token = entry.token.take().filter(|token| token.resource() == resource.as_deref());
            let is_refused = refused.as_ref().is_some_and(|refused| entry.holds(refused));
            let freshness = entry.freshness(now);
            let is_new = than.is_none_or(|than| generation > than);
            let is_good = if early { freshness == Freshness::Fresh } else { freshness != Freshness::Expired };
            // Whoever is refused again a moment after another is not helped by a third.
            let will_do = !is_refused || (entry.was_forced(now.wall) && entry.claim.is_none());
            if let Some(token) = entry.token.as_ref().filter(|_| is_good && is_new && will_do) {
                return Ok(Edit::Leave(seen(What::Good(token.clone()))));
            }
            let stands = |claim: &&Claim| {
                claim.by != by && !claim.is_over(now.wall) && given_up.as_ref() != Some(*claim)
            };
            if let Some(claim) = entry.claim.as_ref().filter(stands) {
                return Ok(Edit::Leave(seen(What::Claimed(claim.clone()))));
            }
            let rest = entry.rest(now.wall);
            if !rested && !rest.is_zero() {
                return Ok(Edit::Leave(seen(What::Rest(rest))));
            }
            if is_refused {
                entry.forced = Some(now.wall);
            }
            if is_refused || freshness == Freshness::Expired {
                entry.token = None;
            }
            entry.claim = Some(Claim { by: by.clone(), at: now.wall });
            entry.rest = None;
            let bytes = entry.to_bytes(&key);
            Ok(Edit::Keep(bytes.clone(), entry.keep(now.wall), seen(What::Mine(bytes))))
        };
        At::Look(Box::new(Change::new(record_key, edit).brief(LOOKING)))
    }

    /// What comes after a look. An error if there is no time for it.
    fn seen(&mut self, what: What, record: Option<Record>, now: &Now, time: &Deadline) -> Result<At, Failed> {
        let pause = match what {
            What::Good(_) | What::Mine(_) => {
                self.claimed = true;
                return Ok(At::Fetch(record));
            }
            What::Rest(rest) => {
                self.rested = true;
                rest.saturating_add(rest.mul_f64(0.1 * now.fraction(1)))
            }
            What::Claimed(claim) => {
                let watch = self.watch.take().filter(|watch| watch.claim == claim);
                let watch = watch.unwrap_or_else(|| {
                    let half = time.remaining(now).checked_div(2).unwrap_or_default();
                    Watch { claim, since: now.monotonic, patience: PATIENCE.min(half) }
                });
                if now.monotonic.saturating_sub(watch.since) >= watch.patience {
                    self.given_up = Some(watch.claim);
                    return Ok(self.look(now));
                }
                self.watch = Some(watch);
                LOOK_AGAIN.mul_f64(0.5 + now.fraction(1))
            }
        };
        if self.early || pause >= time.remaining(now) {
            let phase = "waiting for another process' token request";
            return Err(Failed::open(late("oauth.token", phase, time), Open::default()));
        }
        Ok(At::Pausing { until: now.monotonic.saturating_add(pause) })
    }

    /// What was obtained becomes the record's token, unless another process has taken the renewal over, or has
    /// another token already.
    fn publish(&self, token: &AccessToken, record: Option<Record>, now: &Now) -> Change<()> {
        let (key, by, token, seen) = (self.place.key().clone(), self.place.by(now), token.clone(), self.seen);
        let record_key = key.clone();
        let change = Change::new(record_key, move |record, now| {
            let mut entry = Entry::of(record, &key, now);
            let is_ours = match &entry.claim {
                Some(claim) => claim.by == by,
                None => seen == Some(entry.generation) || entry.freshness(now) == Freshness::Expired,
            };
            if !is_ours || entry.holds(&token) {
                return Ok(Edit::Leave(()));
            }
            entry.generation = entry.generation.saturating_add(1);
            (entry.token, entry.claim, entry.rest) = (Some(token.clone()), None, None);
            Ok(Edit::Keep(entry.to_bytes(&key), entry.keep(now.wall), ()))
        });
        let change = change.brief(if self.claimed { PUBLISHING } else { 1 });
        match record {
            Some(record) => change.knowing(record),
            None => change,
        }
    }

    /// The others are told that nothing came of it.
    fn release(&self, failed: &Failed, record: Option<Record>, now: &Now) -> Change<()> {
        let (key, by) = (self.place.key().clone(), self.place.by(now));
        let length = match failed.whose {
            Whose::Open(open) => open.pause,
            _ if failed.error.is_temporary() => failed.error.retry_after().unwrap_or(REST),
            _ => Duration::ZERO,
        };
        let length = length.min(LONGEST_REST);
        let record_key = key.clone();
        let change = Change::new(record_key, move |record, now| {
            let entry = Entry::read(record, &key).filter(|entry| entry.is_claimed_by(&by));
            let Some(mut entry) = entry else { return Ok(Edit::Leave(())) };
            entry.claim = None;
            entry.rest = (!length.is_zero()).then_some(Rest { at: now.wall, length });
            Ok(Edit::Keep(entry.to_bytes(&key), entry.keep(now.wall), ()))
        });
        let change = change.brief(1);
        match record {
            Some(record) => change.knowing(record),
            None => change,
        }
    }
}

impl<F: Part<Output = AccessToken>> Part for Shared<F> {
    type Output = AccessToken;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<AccessToken>, Failed> {
        let Some(search) = &mut self.search else { return self.fetch.step(now, arrived, time) };
        loop {
            match &mut search.at {
                At::Start if search.place.is_down(now) => search.at = At::Fetch(None),
                At::Start => search.at = search.look(now),
                At::Pausing { until } if now.monotonic < *until => {
                    return Ok(Step::Do(Action::Wait(until.saturating_sub(now.monotonic))));
                }
                At::Pausing { .. } => search.at = search.look(now),
                At::Look(look) => {
                    let seen = match look.step(now, arrived.take(), time) {
                        Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                        Ok(Step::Done(seen)) => seen,
                        Err(failed) if matches!(failed.error, Error::Store(_)) => {
                            log::debug!("oauth.token: fetched without the store: {}", failed.error);
                            search.place.store_failed(now);
                            search.at = At::Fetch(None);
                            continue;
                        }
                        Err(failed) => return Err(failed),
                    };
                    let version = look.saved();
                    (search.seen, search.than) = (Some(seen.generation), seen.than);
                    let record = match seen.what {
                        What::Good(token) => {
                            self.found = Some(*now);
                            return Ok(Step::Done(token));
                        }
                        What::Mine(ref bytes) => version.map(|version| Record::new(bytes.clone(), version)),
                        _ => None,
                    };
                    search.at = search.seen(seen.what, record, now, time)?;
                }
                At::Fetch(record) => match self.fetch.step(now, arrived.take(), time) {
                    Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                    Ok(Step::Done(token)) => {
                        let record = record.take();
                        if !search.place.is_of_session() {
                            return Ok(Step::Done(token));
                        }
                        let publish = search.publish(&token, record, now);
                        search.at = At::Publish(Box::new(publish), token);
                    }
                    Err(failed) if search.claimed => {
                        let record = record.take();
                        let release = search.release(&failed, record, now);
                        search.at = At::Release(Box::new(release), Some(failed));
                    }
                    Err(failed) => return Err(failed),
                },
                // Whether the store takes it or not: the token is good.
                At::Publish(publish, token) => match publish.step(now, arrived.take(), time) {
                    Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                    Ok(Step::Done(())) | Err(_) => return Ok(Step::Done(token.clone())),
                },
                At::Release(release, failed) => match release.step(now, arrived.take(), time) {
                    Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                    Ok(Step::Done(())) | Err(_) => {
                        return Err(failed.take().unwrap_or_else(|| super::ended().into()));
                    }
                },
            }
        }
    }
}
