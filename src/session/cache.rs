//! The tokens of one client by what they are for. Bounded: what is of no use goes, then the longest unused.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::lifecycle::Slot;
use super::lock;
use crate::time::Now;
use crate::token::Held;

/// The most tokens held at once.
const CAPACITY: usize = 1024;
/// So many new keys, and whatever is over is looked for and dropped.
const SWEEP: u64 = 128;

/// Everything that makes a token what it is. Two keys are the same token only if all of it is the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct TokenKey {
    /// Counts how often the credentials were replaced: what the old ones leave behind never touches the new ones.
    pub(super) epoch: u64,
    pub(super) client_id: String,
    pub(super) grant: Grant,
    /// Sorted.
    pub(super) scopes: Vec<String>,
}

/// How a token is obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Grant {
    ClientCredentials,
    Workload,
}

/// Numbers that only grow, for tokens and flights of all keys: a higher one is a later one, in whatever slot.
#[derive(Clone, Default)]
pub(super) struct Numbers(Arc<AtomicU64>);

impl Numbers {
    pub(super) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    fn latest(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The tokens of one client.
#[derive(Default)]
pub(super) struct TokenCache {
    numbers: Numbers,
    /// Goes on with every use of a slot.
    clock: Numbers,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    slots: HashMap<TokenKey, Arc<Slot>>,
    made: u64,
}

impl TokenCache {
    /// The slot of a key, made if there is none.
    pub(super) fn slot(&self, key: &TokenKey, now: &Now) -> Arc<Slot> {
        let mut entries = lock(&self.entries);
        if let Some(slot) = entries.slots.get(key) {
            self.touch(slot);
            return Arc::clone(slot);
        }
        entries.make_room(now);
        let slot = Arc::new(Slot::new(self.numbers.clone()));
        self.touch(&slot);
        entries.slots.insert(key.clone(), Arc::clone(&slot));
        slot
    }

    /// True if this is its key's slot still: then it need not be looked up.
    pub(super) fn holds(&self, slot: &Slot) -> bool {
        self.touch(slot);
        !slot.is_retired()
    }

    /// It was used later than all others. If it was so already, nothing is written: the threads share this.
    fn touch(&self, slot: &Slot) {
        if slot.last_used() == 0 || slot.last_used() != self.clock.latest() {
            slot.used_at(self.clock.next());
        }
    }

    /// The token of a key, if there is one that may be used.
    pub(super) fn peek(&self, key: &TokenKey, now: &Now) -> Option<Held> {
        let slot = Arc::clone(lock(&self.entries).slots.get(key)?);
        slot.peek(now)
    }

    /// Every token of a later generation than this is newer than all that there are now.
    pub(super) fn newest(&self) -> u64 {
        self.numbers.latest()
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        lock(&self.entries).slots.len()
    }

    /// Forgets every token and every failure.
    pub(super) fn clear(&self) {
        lock(&self.entries).slots.drain().for_each(|(_, slot)| slot.retire());
    }
}

impl Entries {
    fn make_room(&mut self, now: &Now) {
        self.made = self.made.saturating_add(1);
        if self.made.is_multiple_of(SWEEP) {
            self.slots.retain(|_, slot| {
                let stays = slot.is_of_use(now);
                if !stays {
                    slot.retire();
                }
                stays
            });
        }
        if self.slots.len() >= CAPACITY {
            // A fetch under way goes last: callers wait for it.
            let oldest = self.slots.iter().min_by_key(|(_, slot)| slot.last_used());
            let oldest = match oldest {
                Some((_, slot)) if slot.is_fetching() => {
                    self.slots.iter().min_by_key(|(_, slot)| (slot.is_fetching(), slot.last_used()))
                }
                other => other,
            };
            let oldest = oldest.map(|(key, _)| key.clone());
            if let Some(slot) = oldest.and_then(|key| self.slots.remove(&key)) {
                slot.retire();
            }
        }
    }
}
