//! Where a resource remembers signatures, in the blocking mount.

#[cfg(feature = "redis")]
use std::time::Duration;

use super::twin;
use crate::error::StoreError;
use crate::profile::{MemoryReplayStore, Reservation, Reserved, SharedReplays};
#[cfg(feature = "redis")]
use crate::store::RedisStore;
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

/// Remembers signatures in Redis, if its servers keep what they are given: one whose `maxmemory-policy` is not
/// `noeviction` may forget a signature before its time, and then it would be taken twice. They have ten seconds to answer. A server that is
/// changed so later refuses new signatures within a minute.
///
/// # Errors
/// [`StoreError`] if a server may drop records, does not say so, or cannot be asked.
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub fn redis_replays(store: RedisStore) -> Result<SharedReplays<RedisStore>, StoreError> {
    store.keeps_job(Duration::from_secs(10)).wait(Duration::from_secs(10))?;
    Ok(SharedReplays::new(store))
}
