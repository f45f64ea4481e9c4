//! The values of one kind by what they are for. Bounded: what is of no use goes, then the longest unused.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use super::super::lock;
use super::life::Life;
use super::numbers::Numbers;
use super::policy::Policy;
use super::slot::Slot;
use crate::time::Now;

/// The most values held at once, if no other bound is set.
pub(crate) const MOST_KEPT: usize = 1024;
/// So many new keys, and whatever is over is looked for and dropped.
const SWEEP: u64 = 128;

/// Keeps the values of one kind.
pub(crate) struct Keeper<K, V> {
    numbers: Numbers,
    /// Goes on with every use of a slot.
    clock: Numbers,
    entries: Mutex<Entries<K, V>>,
    capacity: usize,
}

struct Entries<K, V> {
    slots: HashMap<K, Arc<Slot<V>>>,
    made: u64,
}

impl<K, V> Keeper<K, V> {
    /// At most so many values, but one at least.
    pub(crate) fn bounded(capacity: usize) -> Self {
        let entries = Mutex::new(Entries { slots: HashMap::new(), made: 0 });
        Keeper { numbers: Numbers::default(), clock: Numbers::default(), entries, capacity: capacity.max(1) }
    }

    /// Every value of a later generation than this is newer than all that there are now.
    pub(crate) fn newest(&self) -> u64 {
        self.numbers.latest()
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        lock(&self.entries).slots.len()
    }

    /// What is held and is this was refused by somebody whom it was shown to elsewhere. True if it was dropped.
    pub(crate) fn refused(&self, is_it: impl Fn(&V) -> bool, policy: &Policy, now: &Now) -> bool {
        let slots: Vec<Arc<Slot<V>>> = lock(&self.entries).slots.values().cloned().collect();
        let found = slots.iter().filter_map(|slot| Some((slot, slot.generation_of(&is_it)?)));
        found.fold(false, |dropped, (slot, generation)| dropped | slot.refused(generation, policy, now))
    }

    /// Forgets every value and every failure.
    pub(crate) fn clear(&self) {
        lock(&self.entries).slots.drain().for_each(|(_, slot)| slot.retire());
    }

    /// True if this is its key's slot still: then it need not be looked up.
    pub(crate) fn holds(&self, slot: &Slot<V>) -> bool {
        self.touch(slot);
        !slot.is_retired()
    }

    /// It was used later than all others. If it was so already, nothing is written: the threads share this.
    fn touch(&self, slot: &Slot<V>) {
        if slot.last_used() == 0 || slot.last_used() != self.clock.latest() {
            slot.used_at(self.clock.next());
        }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Keeper<K, V> {
    /// The slot of a key, made if there is none.
    pub(crate) fn slot(&self, key: &K, now: &Now) -> Arc<Slot<V>> {
        let mut entries = lock(&self.entries);
        if let Some(slot) = entries.slots.get(key) {
            self.touch(slot);
            return Arc::clone(slot);
        }
        entries.make_room(self.capacity, now);
        let slot = Arc::new(Slot::new(self.numbers.clone()));
        self.touch(&slot);
        entries.slots.insert(key.clone(), Arc::clone(&slot));
        slot
    }

    /// The value of a key, if there is one that may be used.
    pub(crate) fn peek(&self, key: &K, now: &Now) -> Option<V> {
        let slot = Arc::clone(lock(&self.entries).slots.get(key)?);
        slot.peek(now)
    }

    /// Keeps a value that came by another way.
    pub(crate) fn put(&self, key: &K, value: V, life: Life, now: &Now) {
        self.slot(key, now).put(value, life);
    }

    /// Forgets the keys that are not kept.
    pub(crate) fn retain(&self, keep: impl Fn(&K) -> bool) {
        lock(&self.entries).slots.retain(|key, slot| {
            let stays = keep(key);
            if !stays {
                slot.retire();
            }
            stays
        });
    }
}

impl<K: Clone + Eq + Hash, V> Entries<K, V> {
    fn make_room(&mut self, capacity: usize, now: &Now) {
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
        if self.slots.len() >= capacity {
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
