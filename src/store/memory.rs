//! Records kept in this process' memory: the default store.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use zeroize::Zeroizing;

use super::clock::Clock;
use super::{Page, Prefix, Record, Shelf, StoreKey, Version};
use crate::error::StoreError;

/// How many keys are on a page.
const PAGE: usize = 256;

/// Keeps records in this process' memory, as secrets: they are wiped when they are replaced or dropped.
///
/// It is bounded. Where there is no room for a new record, what is over goes first, then the tokens that were saved the
/// longest ago. Sessions, nonces and approvals never go before their time: when there are no tokens left, a new record is
/// refused with [`StoreError::full`].
///
/// ```
/// # #[cfg(feature = "blocking")] {
/// use std::time::Duration;
/// use lumoauth::store::{MemoryStore, Shelf, Store, StoreKey};
///
/// let (store, key) = (MemoryStore::new(), StoreKey::new(Shelf::Sessions, ["session-1"]));
/// let within = Duration::from_secs(1);
/// let first = store.save_if(&key, None, b"one", None, within)?;
/// assert!(store.save_if(&key, None, b"another", None, within)?.is_none()); // there is one already
/// let second = store.save_if(&key, first, b"two", None, within)?.ok_or("somebody else was faster")?;
/// assert_eq!(store.load(&key, within)?.ok_or("it is gone")?.bytes(), b"two");
/// assert!(store.remove_if(&key, second, within)?);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MemoryStore {
    entries: Mutex<Entries>,
    capacity: usize,
    clock: Clock,
}

#[derive(Default)]
struct Entries {
    records: BTreeMap<StoreKey, Entry>,
    /// When records are over.
    ends: BTreeSet<(Duration, StoreKey)>,
    /// The tokens in the order in which they were saved.
    tokens: BTreeMap<u64, StoreKey>,
    /// The last version that was given: no two records ever have the same.
    versions: u64,
}

struct Entry {
    bytes: Zeroizing<Vec<u8>>,
    version: u64,
    end: Option<Duration>,
}

impl Entry {
    fn is_over(&self, now: Duration) -> bool {
        self.end.is_some_and(|end| end <= now)
    }
}

impl Entries {
    fn get(&self, key: &StoreKey, now: Duration) -> Option<&Entry> {
        self.records.get(key).filter(|entry| !entry.is_over(now))
    }

    fn take(&mut self, key: &StoreKey) {
        let Some(entry) = self.records.remove(key) else { return };
        self.tokens.remove(&entry.version);
        if let Some(end) = entry.end {
            self.ends.remove(&(end, key.clone()));
        }
    }

    fn put(&mut self, key: &StoreKey, bytes: &[u8], end: Option<Duration>) -> u64 {
        self.take(key);
        self.versions = self.versions.saturating_add(1);
        let version = self.versions;
        if key.shelf() == Shelf::Tokens {
            self.tokens.insert(version, key.clone());
        }
        if let Some(end) = end {
            self.ends.insert((end, key.clone()));
        }
        self.records.insert(key.clone(), Entry { bytes: Zeroizing::new(bytes.to_vec()), version, end });
        version
    }

    fn drop_over(&mut self, now: Duration) {
        while let Some((_, key)) = self.ends.first().filter(|(end, _)| *end <= now).cloned() {
            self.take(&key);
        }
    }

    /// True if there is room for one more record.
    fn make_room(&mut self, capacity: usize) -> bool {
        while self.records.len() >= capacity {
            let Some((_, key)) = self.tokens.pop_first() else { return false };
            self.take(&key);
        }
        true
    }
}

impl MemoryStore {
    /// The most records, if nothing else is said.
    pub const CAPACITY: usize = 100_000;

    /// An empty store for 100,000 records.
    pub fn new() -> Self {
        MemoryStore::with_capacity(MemoryStore::CAPACITY)
    }

    /// An empty store for this many records.
    pub fn with_capacity(capacity: usize) -> Self {
        MemoryStore { entries: Mutex::default(), capacity, clock: Clock::Monotonic }
    }

    /// Measures time by this clock, which must never run backwards: for tests.
    pub fn clock(self, clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        MemoryStore { clock: Clock::Given(Arc::new(clock)), ..self }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: &StoreKey) -> Option<Record> {
        let now = self.clock.now();
        let entries = self.entries();
        let entry = entries.get(key, now)?;
        Some(Record::new(entry.bytes.as_slice(), Version::from_number(entry.version)))
    }

    pub(super) fn put(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
    ) -> Result<Option<Version>, StoreError> {
        let now = self.clock.now();
        let mut entries = self.entries();
        entries.drop_over(now);
        let held = entries.get(key, now).map(|entry| Version::from_number(entry.version));
        if held != version {
            return Ok(None);
        }
        if held.is_none() && !entries.make_room(self.capacity) {
            return Err(StoreError::full(format!("the store has its {} records", self.capacity)));
        }
        let end = keep.map(|keep| now.saturating_add(keep));
        Ok(Some(Version::from_number(entries.put(key, bytes, end))))
    }

    pub(super) fn remove(&self, key: &StoreKey, version: Version) -> bool {
        let now = self.clock.now();
        let mut entries = self.entries();
        let held = entries.get(key, now).map(|entry| Version::from_number(entry.version));
        if held != Some(version) {
            return false;
        }
        entries.take(key);
        true
    }

    pub(super) fn list(&self, prefix: &Prefix, after: Option<&str>) -> Page {
        let now = self.clock.now();
        let entries = self.entries();
        let from = match after {
            Some(after) => Bound::Excluded(StoreKey::from_text(prefix.shelf(), after)),
            None => Bound::Included(StoreKey::from_text(prefix.shelf(), prefix.as_str())),
        };
        let mut keys: Vec<StoreKey> = entries
            .records
            .range((from, Bound::Unbounded))
            .take_while(|(key, _)| prefix.is_of(key))
            .filter(|(_, entry)| !entry.is_over(now))
            .map(|(key, _)| key.clone())
            .take(PAGE.saturating_add(1))
            .collect();
        let more = keys.len() > PAGE;
        keys.truncate(PAGE);
        let next = keys.last().filter(|_| more).map(|key| key.as_str().to_owned());
        Page::new(keys, next)
    }

    /// How many records there are, those included that are over and not dropped yet.
    pub fn len(&self) -> usize {
        self.entries().records.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        MemoryStore::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryStore({} of {} records)", self.len(), self.capacity)
    }
}
