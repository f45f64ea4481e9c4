//! Where a resource remembers signatures, in the blocking mount.

use super::twin;
use crate::error::StoreError;
use crate::profile::{MemoryReplayStore, Reservation, Reserved, SharedReplays};
use crate::store::Store;
use crate::time::Now;

#[doc = twin!("Remembers which signatures were taken.", "aauth::ReplayStore")]
///
/// Several processes that serve one resource share one.
pub trait ReplayStore: Send + Sync {
    /// Reserves, atomically: of any number of calls with the same key and nonce exactly one gets [`Reserved::First`]. What
    /// is reserved is remembered for [`Reservation::keep`] at least.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be asked. The request is refused then.
    fn reserve(&self, reservation: &Reservation, now: &Now) -> Result<Reserved, StoreError>;
}

impl ReplayStore for MemoryReplayStore {
    fn reserve(&self, reservation: &Reservation, now: &Now) -> Result<Reserved, StoreError> {
        Ok(MemoryReplayStore::reserve(self, reservation, now))
    }
}

impl<S: Store> ReplayStore for SharedReplays<S> {
    fn reserve(&self, reservation: &Reservation, _: &Now) -> Result<Reserved, StoreError> {
        let (key, keep) = reservation.record();
        Reserved::of(self.store.save_if(&key, None, b"", keep, self.within))
    }
}
