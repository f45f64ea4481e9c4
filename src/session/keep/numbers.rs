//! Numbers that only grow, for everything that a session keeps: a higher one is a later one, in whatever slot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Drawn by all slots of a keeper.
#[derive(Clone, Default)]
pub(crate) struct Numbers(Arc<AtomicU64>);

impl Numbers {
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    pub(crate) fn latest(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
