//! Records that end: what has ended is swept out, seldom enough that it costs little for each that comes.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// From how many records on there is sweeping.
pub(crate) const SWEEP_FROM: usize = 4096;

/// Records by their keys.
pub(crate) struct Kept<K, V> {
    records: HashMap<K, V>,
    sweep_at: usize,
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Kept { records: HashMap::new(), sweep_at: SWEEP_FROM }
    }
}

impl<K: Eq + Hash, V> Kept<K, V> {
    /// Keeps a record. When there are twice as many as the last sweep left, those that do not live any more go.
    pub(crate) fn insert(&mut self, key: K, value: V, lives: impl Fn(&V) -> bool) {
        if self.records.len() >= self.sweep_at {
            self.records.retain(|_, own| lives(own));
            self.sweep_at = self.records.len().saturating_mul(2).max(SWEEP_FROM);
        }
        self.records.insert(key, value);
    }

    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.records.get(key)
    }

    pub(crate) fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.records.get_mut(key)
    }

    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.records.remove(key)
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        self.records.retain(|_, own| keep(own));
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.records.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn what_has_ended_goes_and_what_lives_is_looked_at_seldom() {
        let mut kept = Kept::default();
        for number in 0..20_000_u64 {
            kept.insert(number, number + 10, |end| *end > number);
        }
        assert!(kept.records.len() <= SWEEP_FROM, "{}", kept.records.len());
        let (mut kept, looks) = (Kept::default(), Cell::new(0_u64));
        for number in 0..100_000_u64 {
            kept.insert(number, (), |()| {
                looks.set(looks.get() + 1);
                true
            });
        }
        assert!(looks.get() <= 200_000, "{} looks", looks.get());
    }
}
