//! The promises of a store, as a test that anybody runs on a store of their own.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (beside `blocking.rs` and `asynchronous.rs`).

use std::collections::HashSet;
use std::time::Duration;

use super::{Store, at_once, dual};
use crate::store::broken::{Broken, Change, holds, works};
use crate::store::{Prefix, Record, Shelf, StoreKey, Version};

/// How long each method may last.
const WITHIN: Duration = Duration::from_secs(10);
/// The first segment of every key that is used here.
const OWN: &str = "lumoauth-contract";
/// How many keys are listed.
const MANY: usize = 250;
/// How many pages that may take.
const PAGES: usize = 1_000;
/// How many rounds of the race there are, and how many take part.
const ROUNDS: u8 = 12;
const RACERS: u8 = 8;

/// Runs the contract of [`Store`] on a store: the first promise that it breaks is the error.
///
/// Use it in a test of your store. It makes, changes and removes some hundreds of records whose keys begin with
/// `lumoauth-contract`, and leaves none behind; other records are not touched. Two runs at the same time on one store
/// disturb each other. What a store does when time passes, or when it fails, is not tried here.
///
/// # Errors
/// [`Broken`]: the promise and what was seen.
#[dual]
pub async fn contract<S: Store + ?Sized>(store: &S) -> Result<(), Broken> {
    let mut tried = Tried { store, seen: HashSet::new() };
    tried.clean().await?;
    tried.one_record().await?;
    tried.versions().await?;
    tried.lifetimes().await?;
    tried.contents().await?;
    tried.neighbours().await?;
    tried.race().await?;
    tried.list().await?;
    tried.clean().await
}

struct Tried<'a, S: ?Sized> {
    store: &'a S,
    /// Every version that was given.
    seen: HashSet<(StoreKey, Version)>,
}

fn key(name: &str) -> StoreKey {
    StoreKey::new(Shelf::Sessions, [OWN, name])
}

#[dual]
impl<S: Store + ?Sized> Tried<'_, S> {
    async fn load(&self, key: &StoreKey) -> Result<Option<Record>, Broken> {
        works("load", self.store.load(key, WITHIN).await)
    }

    async fn save(
        &mut self,
        key: &StoreKey,
        over: Option<Version>,
        bytes: &[u8],
    ) -> Result<Option<Version>, Broken> {
        let version = works("save_if", self.store.save_if(key, over, bytes, None, WITHIN).await)?;
        if let Some(version) = version {
            self.is_new(key, version)?;
        }
        Ok(version)
    }

    /// Makes a record where there is none.
    async fn make(&mut self, key: &StoreKey, bytes: &[u8]) -> Result<Version, Broken> {
        let rule = "a record is made where there is none";
        let version = self.save(key, None, bytes).await?;
        holds(rule, version.is_some(), || "save_if without a version saved nothing".to_owned())?;
        let version = version.unwrap_or_else(|| Version::from_number(0));
        self.has(key, bytes, version).await?;
        Ok(version)
    }

    async fn change(&mut self, key: &StoreKey, over: Version, bytes: &[u8]) -> Result<Version, Broken> {
        let rule = "a record is saved over the version that it has";
        let version = self.save(key, Some(over), bytes).await?;
        holds(rule, version.is_some(), || "save_if with the newest version saved nothing".to_owned())?;
        let version = version.unwrap_or_else(|| Version::from_number(0));
        self.has(key, bytes, version).await?;
        Ok(version)
    }

    async fn remove(&self, key: &StoreKey, version: Version) -> Result<bool, Broken> {
        works("remove_if", self.store.remove_if(key, version, WITHIN).await)
    }

    fn is_new(&mut self, key: &StoreKey, version: Version) -> Result<(), Broken> {
        let rule = "no version is used twice for one key, also not after a removal";
        let new = self.seen.insert((key.clone(), version));
        holds(rule, new, || format!("{version:?} was given again"))
    }

    /// The record is there, and every look sees the same.
    async fn has(&self, key: &StoreKey, bytes: &[u8], version: Version) -> Result<(), Broken> {
        let rule = "what was saved is seen by every load from then on, whole and in its version";
        for look in 0..3 {
            let record = self.load(key).await?;
            let same = record.as_ref().is_some_and(|it| it.bytes() == bytes && it.version() == version);
            holds(rule, same, || match record {
                Some(record) => format!(
                    "look {look} found {:?} with {} bytes instead of {version:?} with {}",
                    record.version(),
                    record.bytes().len(),
                    bytes.len()
                ),
                None => format!("look {look} found nothing"),
            })?;
        }
        Ok(())
    }

    async fn has_none(&self, key: &StoreKey) -> Result<(), Broken> {
        let rule = "there is nothing under a key that was never saved, or whose record was removed";
        let record = self.load(key).await?;
        holds(rule, record.is_none(), || "load found a record".to_owned())?;
        let nothing = |what| move || format!("{what} with a version that is not there had an effect");
        let version = Version::from_number(1);
        let saved = works("save_if", self.store.save_if(key, Some(version), b"x", None, WITHIN).await)?;
        holds(rule, saved.is_none(), nothing("save_if"))?;
        let removed = self.remove(key, version).await?;
        holds(rule, !removed, nothing("remove_if"))?;
        holds(rule, self.load(key).await?.is_none(), || "load found a record afterwards".to_owned())
    }

    async fn one_record(&mut self) -> Result<(), Broken> {
        let key = key("one record");
        self.has_none(&key).await?;
        let first = self.make(&key, b"first").await?;

        let saved = self.save(&key, None, b"again").await?;
        holds("a record is made only where there is none", saved.is_none(), || {
            "save_if without a version saved over a record".to_owned()
        })?;
        self.has(&key, b"first", first).await?;

        let second = self.change(&key, first, b"second").await?;
        let saved = self.save(&key, Some(first), b"late").await?;
        holds("a record is saved only over the version that it has", saved.is_none(), || {
            "save_if with an older version saved".to_owned()
        })?;
        self.has(&key, b"second", second).await?;

        let rule = "a record is removed only in the version that it has";
        let removed = self.remove(&key, first).await?;
        holds(rule, !removed, || "remove_if with an older version said true".to_owned())?;
        self.has(&key, b"second", second).await?;
        let removed = self.remove(&key, second).await?;
        holds(rule, removed, || "remove_if with the newest version said false".to_owned())?;
        self.has_none(&key).await?;
        let removed = self.remove(&key, second).await?;
        holds(rule, !removed, || "a record was removed twice".to_owned())?;
        let saved = self.save(&key, Some(second), b"late").await?;
        holds("a removed record does not come back", saved.is_none(), || {
            "save_if with the version of a removed record saved".to_owned()
        })?;
        self.has_none(&key).await
    }

    /// The same bytes again and again: every state has a version of its own.
    async fn versions(&mut self) -> Result<(), Broken> {
        let key = key("versions");
        for _ in 0..4 {
            let mut version = self.make(&key, b"same").await?;
            for _ in 0..4 {
                version = self.change(&key, version, b"same").await?;
            }
            let rule = "a record is removed in the version that it has";
            holds(rule, self.remove(&key, version).await?, || "remove_if said false".to_owned())?;
        }
        self.has_none(&key).await
    }

    async fn lifetimes(&mut self) -> Result<(), Broken> {
        let rule = "a record is there as long as it is to be kept";
        let (hour, ages) = (Duration::from_secs(3_600), Duration::from_secs(100 * 365 * 24 * 3_600));
        for (name, keep) in [("an hour", hour), ("a century", ages)] {
            let key = key(name);
            let answer = self.store.save_if(&key, None, b"kept", Some(keep), WITHIN).await;
            let Some(version) = works("save_if", answer)? else {
                return holds(rule, false, || format!("a record for {name} was not made"));
            };
            self.is_new(&key, version)?;
            self.has(&key, b"kept", version).await?;
            self.change(&key, version, b"without an end").await?;
        }
        Ok(())
    }

    async fn contents(&mut self) -> Result<(), Broken> {
        let key = key("contents");
        let mut version = self.make(&key, b"").await?;
        let every: Vec<u8> = (0..=u8::MAX).collect();
        let long = every.repeat(400);
        for bytes in [b"\0", b"\n", b"a\n\nb\r\n".as_slice(), &every, &long, b""] {
            version = self.change(&key, version, bytes).await?;
        }
        Ok(())
    }

    /// Keys that are nearly the same, and one that is long, on every shelf.
    async fn neighbours(&mut self) -> Result<(), Broken> {
        let long = "x".repeat(400);
        let names =
            ["", "a", "A", "a ", "a/b", "a%2Fb", "a_", "a*", "\u{e9}", "e\u{301}", "'; --", "..", &long];
        let mut made = Vec::new();
        for shelf in Shelf::ALL {
            for name in names {
                let key = StoreKey::new(shelf, [OWN, "neighbours", name]);
                let bytes = format!("{shelf} {name}").into_bytes();
                let rule = "records are kept apart by their shelf and by every byte of their key";
                let found = self.load(&key).await?;
                holds(rule, found.is_none(), || "load found the record of another key".to_owned())?;
                let version = self.make(&key, &bytes).await?;
                made.push((key, bytes, version));
            }
        }
        for (key, bytes, version) in made {
            self.has(&key, &bytes, version).await?;
        }
        Ok(())
    }

    async fn race(&mut self) -> Result<(), Broken> {
        let rule = "of callers that name the same version exactly one succeeds";
        let key = key("race");
        for round in 0..ROUNDS {
            let before = self.load(&key).await?.map(|record| record.version());
            // In some rounds one of them removes the record instead.
            let remover = before.and_then(|_| (round % 3 == 2).then_some(round % RACERS));
            let change = |racer| if Some(racer) == remover { Change::Remove } else { Change::Save };
            let changes = (0..RACERS).map(change).collect();
            let answers = at_once(self.store, &key, before, changes, WITHIN).await;
            let mut winners = Vec::new();
            for (racer, answer) in (0..RACERS).zip(answers) {
                if works("save_if or remove_if", answer)? {
                    winners.push(racer);
                }
            }
            let [winner] = winners[..] else {
                return holds(rule, false, || format!("{} of {RACERS} succeeded", winners.len()));
            };
            let after = self.load(&key).await?;
            let bytes = after.as_ref().map(Record::bytes);
            let expected = (Some(winner) != remover).then_some([winner]);
            holds(rule, bytes == expected.as_ref().map(<[u8; 1]>::as_slice), || {
                "the record is not the one that the winner left".to_owned()
            })?;
            if let Some(after) = after {
                self.is_new(&key, after.version())?;
            }
        }
        Ok(())
    }

    async fn list(&mut self) -> Result<(), Broken> {
        let rule = "keys are listed by whole segments, each once";
        let listed = |name: &str| StoreKey::new(Shelf::Sessions, [OWN, "list", "a", name]);
        let mut expected = HashSet::new();
        for number in 0..MANY {
            let key = listed(&number.to_string());
            self.make(&key, b"x").await?;
            expected.insert(key);
        }
        // Near them, and not among them.
        for segments in [&["list", "a"][..], &["list", "A", "1"], &["list", "ab", "1"], &["list"]] {
            self.make(&StoreKey::new(Shelf::Sessions, [&[OWN], segments].concat()), b"x").await?;
        }
        self.make(&StoreKey::new(Shelf::Tokens, [OWN, "list", "a", "x"]), b"x").await?;
        let removed = listed("removed");
        let version = self.make(&removed, b"x").await?;
        self.remove(&removed, version).await?;

        let prefix = Prefix::new(Shelf::Sessions, [OWN, "list", "a"]);
        let mut found = HashSet::new();
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let page = works("keys", self.store.keys(&prefix, after.as_deref(), WITHIN).await)?;
            for key in page.keys() {
                holds(rule, expected.contains(key), || "a key that was not asked for is listed".to_owned())?;
                holds(rule, found.insert(key.clone()), || "a key is listed twice".to_owned())?;
            }
            after = page.next().map(str::to_owned);
            if after.is_none() {
                break;
            }
        }
        holds(rule, after.is_none(), || format!("the list does not end after {PAGES} pages"))?;
        holds(rule, found == expected, || format!("{} of {} keys are listed", found.len(), expected.len()))
    }

    /// Removes every record of the contract, page by page: what is removed meanwhile must not hide the rest.
    async fn clean(&mut self) -> Result<(), Broken> {
        let rule = "keys that are there all the time are listed, though others go meanwhile";
        for shelf in Shelf::ALL {
            let prefix = Prefix::new(shelf, [OWN]);
            let mut after: Option<String> = None;
            for _ in 0..PAGES {
                let page = works("keys", self.store.keys(&prefix, after.as_deref(), WITHIN).await)?;
                for key in page.keys() {
                    if let Some(record) = self.load(key).await? {
                        self.remove(key, record.version()).await?;
                    }
                }
                after = page.next().map(str::to_owned);
                if after.is_none() {
                    break;
                }
            }
            let rest = works("keys", self.store.keys(&prefix, None, WITHIN).await)?;
            let left = rest.keys().len();
            holds(rule, left == 0, || format!("{left} keys on the shelf {shelf} were not listed"))?;
        }
        Ok(())
    }
}
