//! A kept value in a caller's hands.

use std::sync::Arc;

use super::policy::Policy;
use super::slot::{Held, Slot};
use crate::time::Now;

/// A value with the slot it came from, so that a refusal of it finds that slot and no other.
pub(crate) struct Loan<V> {
    pub(crate) value: V,
    generation: u64,
    slot: Arc<Slot<V>>,
}

impl<V> Loan<V> {
    pub(crate) fn new(held: Held<V>, slot: Arc<Slot<V>>) -> Self {
        Loan { value: held.value, generation: held.generation, slot }
    }

    /// True if its slot holds it still.
    pub(crate) fn stands(&self) -> bool {
        self.slot.holds(self.generation)
    }

    /// True if there is, or may be, another value to try with.
    pub(crate) fn refused(self, policy: &Policy, now: &Now) -> bool {
        self.slot.refused(self.generation, policy, now)
    }
}
