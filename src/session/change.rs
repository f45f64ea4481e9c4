//! A change of one record in a store: load it, change it, save it if nobody else did meanwhile; else again after a pause.

use std::collections::HashSet;
use std::time::Duration;

use zeroize::Zeroizing;

use super::access::{Access, StoreAnswer, StoreRequest};
use super::part::{Failed, Open, Part};
use super::{Action, Arrived, Step};
use crate::error::{Error, StoreError};
use crate::store::{Prefix, Record, StoreKey, Version};
use crate::time::{Deadline, Now};

/// The longest that one question to a store may last.
const LONGEST: Duration = Duration::from_secs(5);
/// The first pause before a change is tried again, at most; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How often a store that fails is asked again, when nothing is lost by it.
const TRIES: u32 = 3;
/// The longest that one question may last of which the call does not depend, and its share of the call's time.
const BRIEF: Duration = Duration::from_secs(1);
const BRIEF_SHARE: u32 = 4;
/// How often such a change is tried anew when others were faster.
const RACES: u32 = 6;

/// What is to become of a record.
pub(crate) enum Edit<T> {
    /// These bytes are saved, and that is the outcome.
    Save(Vec<u8>, T),
    /// The same, and they are of no use after so long.
    Keep(Vec<u8>, Duration, T),
    /// It is removed.
    Remove(T),
    /// It stays as it is.
    Leave(T),
    /// It stays as it is, and it matters that this is how it is: it is saved as it was read, so that an old reading is noticed.
    Confirm(T),
}

/// Decides what becomes of the record that was loaded. Asked anew for every try; when an answer of the store was lost, it
/// meets its own change.
type Editing<T> = Box<dyn FnMut(Option<&Record>, &Now) -> Result<Edit<T>, Error> + Send>;

/// One change.
pub(crate) struct Change<T> {
    key: StoreKey,
    edit: Editing<T>,
    /// What it carries must not be lost: a store that fails is asked until the time is over.
    carries: bool,
    /// The call goes on without it: so many tries, none of them long.
    brief: Option<u32>,
    tries: u32,
    /// The record, if it need not be loaded first.
    known: Option<Record>,
    saved: Option<Version>,
    at: At<T>,
}

enum At<T> {
    Start,
    Loading,
    Changing(T),
    Pausing { until: Duration, why: StoreError },
    Over,
}

impl<T> Change<T> {
    pub(crate) fn new(
        key: StoreKey,
        edit: impl FnMut(Option<&Record>, &Now) -> Result<Edit<T>, Error> + Send + 'static,
    ) -> Self {
        let (known, saved) = (None, None);
        Change {
            key,
            edit: Box::new(edit),
            carries: false,
            brief: None,
            tries: 0,
            known,
            saved,
            at: At::Start,
        }
    }

    /// The call does not depend on it: a store that fails is asked so many times, and none of its answers is waited for
    /// long.
    pub(crate) fn brief(mut self, tries: u32) -> Self {
        self.brief = Some(tries);
        self
    }

    /// This is the record, as far as is known.
    pub(crate) fn knowing(mut self, record: Record) -> Self {
        self.known = Some(record);
        self
    }

    /// The version that was saved, if one was.
    pub(crate) fn saved(&self) -> Option<Version> {
        self.saved
    }

    /// What it carries must not be lost.
    pub(crate) fn that_carries(mut self) -> Self {
        self.carries = true;
        self
    }

    fn within(&self, now: &Now, time: &Deadline) -> Duration {
        let remaining = time.remaining(now);
        match self.brief {
            Some(_) => BRIEF.min(remaining.checked_div(BRIEF_SHARE).unwrap_or_default()),
            None => LONGEST.min(remaining),
        }
    }

    fn load(&mut self, now: &Now, time: &Deadline) -> Step<T> {
        self.at = At::Loading;
        let within = self.within(now, time);
        Step::Do(Action::Store(StoreRequest::new(Access::Load(self.key.clone()), within)))
    }

    fn edit(&mut self, record: Option<&Record>, now: &Now, time: &Deadline) -> Result<Step<T>, Failed> {
        let (access, outcome) = match (self.edit)(record, now)? {
            Edit::Leave(outcome) => return Ok(Step::Done(outcome)),
            Edit::Save(bytes, outcome) => {
                let (key, version) = (self.key.clone(), record.map(Record::version));
                (Access::Save { key, version, bytes: Zeroizing::new(bytes), keep: None }, outcome)
            }
            Edit::Keep(bytes, keep, outcome) => {
                let (key, version) = (self.key.clone(), record.map(Record::version));
                (Access::Save { key, version, bytes: Zeroizing::new(bytes), keep: Some(keep) }, outcome)
            }
            Edit::Confirm(outcome) => match record {
                Some(record) => {
                    let (key, version) = (self.key.clone(), Some(record.version()));
                    let bytes = Zeroizing::new(record.bytes().to_vec());
                    (Access::Save { key, version, bytes, keep: None }, outcome)
                }
                None => return Ok(Step::Done(outcome)),
            },
            Edit::Remove(outcome) => match record.map(Record::version) {
                Some(version) => (Access::Remove { key: self.key.clone(), version }, outcome),
                None => return Ok(Step::Done(outcome)),
            },
        };
        self.at = At::Changing(outcome);
        let within = self.within(now, time);
        Ok(Step::Do(Action::Store(StoreRequest::new(access, within))))
    }

    /// Somebody else was faster, or the store failed: again after a pause that nobody else has.
    fn again(
        &mut self,
        why: StoreError,
        failed: bool,
        now: &Now,
        time: &Deadline,
    ) -> Result<Step<T>, Failed> {
        self.tries = self.tries.saturating_add(1);
        let enough = match self.brief {
            Some(tries) if failed => self.tries >= tries,
            // Others change it, or the store reads what was there before.
            Some(_) => self.tries >= RACES,
            None => failed && !self.carries && self.tries >= TRIES,
        };
        if (failed && why.is_corrupt()) || enough {
            return Err(Error::from(why).into());
        }
        let doubled = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(self.tries.min(8)).unwrap_or(256));
        let pause = doubled.min(LONGEST_PAUSE).mul_f64(0.5 + 0.5 * now.fraction(1));
        if pause >= time.remaining(now) {
            return Err(Failed::open(why, Open::default()));
        }
        self.at = At::Pausing { until: now.monotonic.saturating_add(pause), why };
        Ok(Step::Do(Action::Wait(pause)))
    }
}

/// What the store answered, and nothing else.
fn answer(arrived: Option<Arrived>) -> Result<StoreAnswer, StoreError> {
    match arrived {
        Some(Arrived::Stored(answer)) => answer,
        _ => Err(StoreError::unavailable("the driver brought no answer of the store")),
    }
}

fn odd() -> StoreError {
    StoreError::corrupt("the store answered another question than it was asked")
}

fn contended() -> StoreError {
    StoreError::unavailable("the record was changed by others again and again")
}

impl<T> Part for Change<T> {
    type Output = T;

    fn step(&mut self, now: &Now, arrived: Option<Arrived>, time: &Deadline) -> Result<Step<T>, Failed> {
        let at = std::mem::replace(&mut self.at, At::Over);
        if arrived.is_none() && time.passed(now) {
            let why = match at {
                At::Pausing { why, .. } => why,
                _ => StoreError::unavailable("the time of the call was over before the store had answered"),
            };
            return Err(Failed::open(why, Open::default()));
        }
        match at {
            At::Start => match self.known.take() {
                Some(record) => self.edit(Some(&record), now, time),
                None => Ok(self.load(now, time)),
            },
            At::Pausing { until, why } if now.monotonic < until => {
                self.at = At::Pausing { until, why };
                Ok(Step::Do(Action::Wait(until.saturating_sub(now.monotonic))))
            }
            At::Pausing { .. } => Ok(self.load(now, time)),
            At::Loading => match answer(arrived) {
                Ok(StoreAnswer::Loaded(record)) => self.edit(record.as_ref(), now, time),
                Ok(_) => Err(Error::from(odd()).into()),
                Err(error) => self.again(error, true, now, time),
            },
            At::Changing(outcome) => match answer(arrived) {
                Ok(StoreAnswer::Saved(Some(version))) => {
                    self.saved = Some(version);
                    Ok(Step::Done(outcome))
                }
                Ok(StoreAnswer::Removed(true)) => Ok(Step::Done(outcome)),
                Ok(StoreAnswer::Saved(None) | StoreAnswer::Removed(false)) => {
                    self.again(contended(), false, now, time)
                }
                Ok(_) => Err(Error::from(odd()).into()),
                Err(error) => self.again(error, true, now, time),
            },
            At::Over => Err(super::ended().into()),
        }
    }
}

/// All keys that begin so, page by page.
pub(crate) struct Keys {
    prefix: Prefix,
    found: Vec<StoreKey>,
    begun: bool,
    /// Where every page so far began: one that comes again would not end.
    pages: HashSet<String>,
}

impl Keys {
    pub(crate) fn new(prefix: Prefix) -> Self {
        Keys { prefix, found: Vec::new(), begun: false, pages: HashSet::new() }
    }

    fn list(&self, after: Option<String>, now: &Now, time: &Deadline) -> Step<Vec<StoreKey>> {
        let access = Access::List { prefix: self.prefix.clone(), after };
        let within = LONGEST.min(time.remaining(now));
        Step::Do(Action::Store(StoreRequest::new(access, within)))
    }
}

impl Part for Keys {
    type Output = Vec<StoreKey>;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Vec<StoreKey>>, Failed> {
        if !std::mem::replace(&mut self.begun, true) {
            return Ok(self.list(None, now, time));
        }
        match answer(arrived) {
            Ok(StoreAnswer::Listed(page)) => {
                self.found.extend(page.keys().iter().cloned());
                match page.next() {
                    Some(next) if !self.pages.insert(next.to_owned()) => {
                        let why = StoreError::corrupt("the store lists the same page again and again");
                        Err(Error::from(why).into())
                    }
                    Some(next) if !time.passed(now) => Ok(self.list(Some(next.to_owned()), now, time)),
                    Some(_) => Err(Error::from(contended()).into()),
                    None => Ok(Step::Done(std::mem::take(&mut self.found))),
                }
            }
            Ok(_) => Err(Error::from(odd()).into()),
            Err(error) => Err(Error::from(error).into()),
        }
    }
}
