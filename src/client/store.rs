//! Sessions kept in memory: the default store, for one process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

/// A session as a store has it: its bytes and their version.
pub type Stored = (Vec<u8>, u64);

/// Keeps sessions in this process' memory, as secrets: they are wiped when they are replaced or dropped.
#[derive(Default)]
pub struct MemoryStore(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    sessions: HashMap<String, (Zeroizing<Vec<u8>>, u64)>,
    versions: u64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        MemoryStore::default()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: &str) -> Option<Stored> {
        self.entries().sessions.get(key).map(|(bytes, version)| (bytes.to_vec(), *version))
    }

    pub(super) fn put_if(&self, key: &str, version: Option<u64>, bytes: &[u8]) -> bool {
        let mut entries = self.entries();
        if entries.sessions.get(key).map(|(_, version)| *version) != version {
            return false;
        }
        entries.versions = entries.versions.saturating_add(1);
        let version = entries.versions;
        entries.sessions.insert(key.to_owned(), (Zeroizing::new(bytes.to_vec()), version));
        true
    }

    pub(super) fn drop_key(&self, key: &str) {
        self.entries().sessions.remove(key);
    }

    pub(super) fn all(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.entries().sessions.keys().cloned().collect();
        keys.sort_unstable();
        keys
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemoryStore({} sessions)", self.entries().sessions.len())
    }
}
