//! Where a resource remembers signatures, in the async mount.

use super::{Io, twin};
use crate::error::StoreError;
use crate::profile::{MemoryReplayStore, Reservation, Reserved, SharedReplays};
use crate::store::asynchronous::Store;
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
    fn reserve<'a>(
        &'a self,
        reservation: &'a Reservation,
        now: &'a Now,
    ) -> Io<'a, Result<Reserved, StoreError>>;
}

impl ReplayStore for MemoryReplayStore {
    fn reserve<'a>(
        &'a self,
        reservation: &'a Reservation,
        now: &'a Now,
    ) -> Io<'a, Result<Reserved, StoreError>> {
        Box::pin(async move { Ok(MemoryReplayStore::reserve(self, reservation, now)) })
    }
}

impl<S: Store> ReplayStore for SharedReplays<S> {
    fn reserve<'a>(
        &'a self,
        reservation: &'a Reservation,
        _: &'a Now,
    ) -> Io<'a, Result<Reserved, StoreError>> {
        Box::pin(async move {
            let (key, keep) = reservation.record();
            Reserved::of(self.store.save_if(&key, None, b"", keep, self.within).await)
        })
    }
}
