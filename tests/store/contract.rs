//! The contract: stores that keep it pass, and stores that break one promise fail by that promise, in both mounts.

use std::collections::HashMap;
use std::sync::{Barrier, Mutex};
use std::time::Duration;

use lumoauth::asynchronous;
use lumoauth::store::{
    self, Broken, MemoryStore, Page, Prefix, Record, Shelf, Store, StoreError, StoreKey, Version,
};

use crate::stores::{Answer, Answered, Answers, AnswersLater, Asked, Io, Later, Stub, stub};
use crate::support::{WITHIN, key, keys, later, on, wait};

#[test]
fn the_memory_store_keeps_it_and_is_left_as_it_was() {
    let store = MemoryStore::new();
    let (mine, near) = (key("mine"), on(Shelf::Tokens, "lumoauth-contract2"));
    for key in [&mine, &near] {
        store.save_if(key, None, b"x", None, WITHIN).unwrap().unwrap();
    }
    // Twice, as tests are; and what an earlier run left behind is in nobody's way.
    let left = StoreKey::new(Shelf::Nonces, ["lumoauth-contract", "one record"]);
    for _ in 0..2 {
        store.save_if(&left, None, b"x", None, WITHIN).unwrap().unwrap();
        store::contract(&store).unwrap();
        wait(asynchronous::store::contract(&store)).unwrap();
    }
    wait(asynchronous::store::contract(&later(MemoryStore::new()))).unwrap();
    assert_eq!(store.len(), 2);
    assert_eq!(keys(&store, &Prefix::all(Shelf::Sessions)), [mine]);
    assert_eq!(keys(&store, &Prefix::all(Shelf::Tokens)), [near]);
}

#[allow(dead_code)] // it is a program
#[path = "../../examples/store.rs"]
mod example;

#[test]
fn the_store_of_the_example_keeps_it() {
    store::contract(&example::Table::default()).unwrap();
    wait(asynchronous::store::contract(&later(example::Table::default()))).unwrap();
    let code = include_str!("../../examples/store.rs");
    let body =
        code.lines().skip_while(|line| !line.starts_with("impl Store")).take_while(|line| *line != "}");
    assert!(body.count() < 40);
}

#[test]
fn a_store_behind_an_arc_is_one() {
    let store: std::sync::Arc<dyn Store> = std::sync::Arc::new(MemoryStore::new());
    store::contract(&store).unwrap();
    store::contract(&*store).unwrap();
}

/// One promise that is not kept.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// Versions begin anew when a record does.
    VersionTwice,
    /// Every state has the same version.
    OneVersion,
    SaveIgnoresVersion,
    SaveOverAnything,
    SaveAfterRemoval,
    RemoveIgnoresVersion,
    RemoveSaysTrue,
    RemoveDoesNothing,
    /// The first load after a change sees what was before.
    StaleRead,
    /// The second load.
    StaleLater,
    PageRepeats,
    PagesForEver,
    PageSkips,
    /// A page is counted by how many keys were given: what goes meanwhile hides others.
    PageByNumber,
    AnyPrefix,
    OneShelf,
    NoCase,
    NoEmptyBytes,
    CutBytes,
    DropsWhatHasAnEnd,
}

type Name = (Shelf, String);
type State = (Vec<u8>, u64);

#[derive(Default)]
struct Entries {
    records: HashMap<Name, State>,
    /// What was there before the last change, and how often it was looked at since.
    stale: HashMap<Name, (Option<State>, u32)>,
    count: u64,
}

struct Odd {
    fault: Fault,
    entries: Mutex<Entries>,
}

impl Odd {
    fn new(fault: Fault) -> Self {
        Odd { fault, entries: Mutex::default() }
    }

    fn name(&self, key: &StoreKey) -> Name {
        let text = key.as_str().to_owned();
        match self.fault {
            Fault::OneShelf => (Shelf::Sessions, text),
            Fault::NoCase => (key.shelf(), text.to_lowercase()),
            _ => (key.shelf(), text),
        }
    }
}

impl Answers for Odd {
    fn answer(&self, asked: Asked<'_>) -> Answer {
        Ok(match asked {
            Asked::Load { key, .. } => Answered::Loaded(self.load(key)?),
            Asked::Save { key, version, bytes, keep, .. } => {
                Answered::Saved(self.save_if(key, version, bytes, keep)?)
            }
            Asked::Remove { key, version, .. } => Answered::Removed(self.remove_if(key, version)?),
            Asked::List { prefix, after, .. } => Answered::Listed(self.keys(prefix, after)?),
        })
    }
}

impl Odd {
    fn load(&self, key: &StoreKey) -> Result<Option<Record>, StoreError> {
        let mut entries = self.entries.lock().unwrap();
        let name = self.name(key);
        let late = match self.fault {
            Fault::StaleRead => 1,
            Fault::StaleLater => 2,
            _ => 0,
        };
        let mut found = entries.records.get(&name).cloned();
        if let Some((before, looks)) = entries.stale.get_mut(&name) {
            *looks += 1;
            if *looks == late {
                found = before.clone();
            }
        }
        Ok(found.map(|(bytes, version)| Record::new(bytes, Version::from_number(version))))
    }

    fn save_if(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
    ) -> Result<Option<Version>, StoreError> {
        let name = self.name(key);
        let version = version.and_then(|version| version.as_number());
        let mut entries = self.entries.lock().unwrap();
        let held = entries.records.get(&name).map(|(_, version)| *version);
        let fits = match self.fault {
            Fault::SaveIgnoresVersion => held.is_some() == version.is_some(),
            Fault::SaveOverAnything => version.is_none() || held == version,
            Fault::SaveAfterRemoval => held.is_none() || held == version,
            _ => held == version,
        };
        if !fits {
            return Ok(None);
        }
        let now = entries.records.get(&name).cloned();
        entries.stale.insert(name.clone(), (now, 0));
        entries.count += 1;
        let version = match self.fault {
            Fault::OneVersion => 1,
            Fault::VersionTwice => held.map_or(1, |held| held + 1),
            _ => entries.count,
        };
        let bytes = match self.fault {
            Fault::NoEmptyBytes if bytes.is_empty() => b"-",
            Fault::CutBytes => &bytes[..bytes.len().min(65_536)],
            _ => bytes,
        };
        if self.fault != Fault::DropsWhatHasAnEnd || keep.is_none() {
            entries.records.insert(name, (bytes.to_vec(), version));
        }
        Ok(Some(Version::from_number(version)))
    }

    fn remove_if(&self, key: &StoreKey, version: Version) -> Result<bool, StoreError> {
        let mut entries = self.entries.lock().unwrap();
        let name = self.name(key);
        let held = entries.records.get(&name).map(|(_, version)| *version);
        if held != version.as_number() && (self.fault != Fault::RemoveIgnoresVersion || held.is_none()) {
            return Ok(self.fault == Fault::RemoveSaysTrue);
        }
        let before = entries.records.get(&name).cloned();
        if self.fault != Fault::RemoveDoesNothing {
            entries.records.remove(&name);
        }
        entries.stale.insert(name, (before, 0));
        Ok(true)
    }

    fn keys(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page, StoreError> {
        let entries = self.entries.lock().unwrap();
        let names = entries.records.keys().filter(|(shelf, _)| *shelf == prefix.shelf());
        let begin = match self.fault {
            Fault::AnyPrefix => prefix.as_str().trim_end_matches('/'),
            _ => prefix.as_str(),
        };
        let mut names: Vec<&String> =
            names.map(|(_, name)| name).filter(|name| name.starts_with(begin)).collect();
        names.sort_unstable();
        let total = names.len();
        let from = match (self.fault, after) {
            (_, None) => 0,
            (Fault::PageByNumber, Some(after)) => after.parse().unwrap(),
            (Fault::PageRepeats, Some(after)) => names.partition_point(|name| name.as_str() < after),
            (Fault::PagesForEver, Some(_)) => total,
            (Fault::PageSkips, Some(after)) => names.partition_point(|name| name.as_str() <= after) + 1,
            (_, Some(after)) => names.partition_point(|name| name.as_str() <= after),
        };
        let page: Vec<StoreKey> = names
            .into_iter()
            .skip(from)
            .take(30)
            .map(|name| StoreKey::from_text(prefix.shelf(), name.as_str()))
            .collect();
        let more = from + page.len() < total || self.fault == Fault::PagesForEver;
        let last = page.last().map_or_else(String::new, |key| key.as_str().to_owned());
        let next = match self.fault {
            Fault::PageByNumber => (from + page.len()).to_string(),
            _ => last,
        };
        Ok(Page::new(page, more.then_some(next)))
    }
}

fn both(fault: Fault) -> [Result<(), Broken>; 2] {
    let asynchronous = wait(asynchronous::store::contract(&later(Stub(Odd::new(fault)))));
    [store::contract(&Stub(Odd::new(fault))), asynchronous]
}

#[test]
fn a_store_that_breaks_one_promise_fails_by_that_promise() {
    assert_eq!(both(Fault::None), [Ok(()), Ok(())]);
    let twice = "no version is used twice for one key, also not after a removal";
    let over = "a record is saved only over the version that it has";
    let made = "a record is made only where there is none";
    let removed = "a record is removed only in the version that it has";
    let none = "there is nothing under a key that was never saved, or whose record was removed";
    let seen = "what was saved is seen by every load from then on, whole and in its version";
    let apart = "records are kept apart by their shelf and by every byte of their key";
    let listed = "keys are listed by whole segments, each once";
    let meanwhile = "keys that are there all the time are listed, though others go meanwhile";
    let cases = [
        (Fault::VersionTwice, twice),
        (Fault::OneVersion, twice),
        (Fault::SaveIgnoresVersion, over),
        (Fault::SaveOverAnything, made),
        (Fault::SaveAfterRemoval, none),
        (Fault::RemoveIgnoresVersion, removed),
        (Fault::RemoveSaysTrue, none),
        (Fault::RemoveDoesNothing, none),
        (Fault::StaleRead, seen),
        (Fault::StaleLater, seen),
        (Fault::PageRepeats, listed),
        (Fault::PagesForEver, listed),
        (Fault::PageSkips, listed),
        (Fault::PageByNumber, meanwhile),
        (Fault::AnyPrefix, listed),
        (Fault::OneShelf, apart),
        (Fault::NoCase, apart),
        (Fault::NoEmptyBytes, seen),
        (Fault::CutBytes, seen),
        (Fault::DropsWhatHasAnEnd, seen),
    ];
    for (fault, rule) in cases {
        for result in both(fault) {
            let broken = result.unwrap_err();
            println!("{fault:?}: {broken}");
            assert_eq!(broken.rule(), rule, "{fault:?}: {broken}");
        }
    }
}

/// Compares first and saves later: whoever comes in between is saved over.
struct TwoSteps {
    inner: MemoryStore,
    together: Barrier,
}

impl TwoSteps {
    fn save_now(&self, key: &StoreKey, bytes: &[u8]) -> Result<Option<Version>, StoreError> {
        let held = self.inner.load(key, WITHIN)?.map(|record| record.version());
        self.inner.save_if(key, held, bytes, None, WITHIN)
    }

    fn fits(&self, key: &StoreKey, version: Option<Version>) -> bool {
        self.inner.load(key, WITHIN).unwrap().map(|record| record.version()) == version
    }
}

impl Answers for TwoSteps {
    fn answer(&self, asked: Asked<'_>) -> Answer {
        let Asked::Save { key, version, bytes, .. } = asked else { return asked.on(&self.inner) };
        if !self.fits(key, version) {
            return Ok(Answered::Saved(None));
        }
        if key.as_str().ends_with("race") {
            self.together.wait();
        }
        self.save_now(key, bytes).map(Answered::Saved)
    }
}

impl AnswersLater for TwoSteps {
    fn answer<'a>(&'a self, asked: Asked<'a>) -> Io<'a, Answered> {
        Box::pin(async move {
            let Asked::Save { key, version, bytes, .. } = asked else {
                return asked.later(&self.inner).await;
            };
            if !self.fits(key, version) {
                return Ok(Answered::Saved(None));
            }
            tokio::task::yield_now().await;
            self.save_now(key, bytes).map(Answered::Saved)
        })
    }
}

#[test]
fn a_store_that_compares_first_and_saves_later_loses_the_race() {
    let store = || TwoSteps { inner: MemoryStore::new(), together: Barrier::new(8) };
    for result in [store::contract(&Stub(store())), wait(asynchronous::store::contract(&Later(store())))] {
        let broken = result.unwrap_err();
        assert_eq!(broken.rule(), "of callers that name the same version exactly one succeeds");
        // All of them, or almost: such a store also races with itself.
        let succeeded: u32 = broken.seen().split(' ').next().unwrap().parse().unwrap();
        assert!(succeeded > 1, "{}", broken.seen());
    }
}

#[test]
fn a_store_that_fails_is_told_apart_from_one_that_breaks_promises() {
    let down = stub(|_| Err(StoreError::unavailable("no connection")));
    let broken = store::contract(&down).unwrap_err();
    assert_eq!(broken.to_string(), "a store that can be reached answers: keys: no connection");
}
