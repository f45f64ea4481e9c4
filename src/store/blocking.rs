//! The store, for the blocking clients.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "redis")]
use super::RedisStore;
#[cfg(feature = "contract")]
use super::broken::Change;
use super::{FileStore, MemoryStore, Page, Prefix, Record, StoreKey, Version};
#[cfg(feature = "sealed")]
use super::{SealedStore, clock::Clock};
use crate::error::StoreError;

#[cfg(feature = "contract")]
#[allow(clippy::duplicate_mod)] // mounted here as blocking code, in asynchronous.rs as async code
#[path = "contract.rs"]
mod contract;

#[cfg(feature = "contract")]
pub use contract::contract;
#[cfg(feature = "contract")]
use maybe_async::must_be_sync as dual;

/// Keeps records that several clients, threads and processes share. Blocking; async code takes [`asynchronous::store::Store`](crate::asynchronous::store::Store).
///
/// Every method takes how long it may last. Whoever cannot have the answer by then gives back
/// [`StoreError::unavailable`] at that time; the call that asked goes on from there, and ends by its own deadline.
/// An error of [`Store::save_if`] or [`Store::remove_if`] does not say that nothing was changed: the answer may have been
/// lost on its way. What a method has changed is seen by every later call of every method, in any process.
///
/// An error's text is shown, so it must hold nothing of keys and records.
pub trait Store: Send + Sync {
    /// The record of this key, if there is one.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be known, or what is there is damaged.
    fn load(&self, key: &StoreKey, within: Duration) -> Result<Option<Record>, StoreError>;

    /// Saves the bytes if the record still has this version; without a version, if there is no such record. Gives back the
    /// new version, or none if somebody else was faster: then nothing was changed. Of any number of callers that name the
    /// same version exactly one succeeds.
    ///
    /// The record is kept for `keep` at least, counted from now, and without it until it is removed. What is over may be
    /// gone at any time, and is then as if it had been removed.
    ///
    /// # Errors
    /// [`StoreError`], among them [`StoreError::full`] if there is no room for a new record.
    fn save_if(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Result<Option<Version>, StoreError>;

    /// Removes the record if it still has this version. False if not: then nothing was changed.
    ///
    /// # Errors
    /// [`StoreError`].
    fn remove_if(&self, key: &StoreKey, version: Version, within: Duration) -> Result<bool, StoreError>;

    /// The keys that begin so, page by page, each once: those that are there all the time for certain, those that come or
    /// go meanwhile perhaps. The first page is without `after`, each further one after [`Page::next`] of the one before.
    ///
    /// # Errors
    /// [`StoreError`].
    fn keys(&self, prefix: &Prefix, after: Option<&str>, within: Duration) -> Result<Page, StoreError>;
}

/// A store that is shared.
impl<S: Store + ?Sized> Store for Arc<S> {
    fn load(&self, key: &StoreKey, within: Duration) -> Result<Option<Record>, StoreError> {
        (**self).load(key, within)
    }

    fn save_if(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Result<Option<Version>, StoreError> {
        (**self).save_if(key, version, bytes, keep, within)
    }

    fn remove_if(&self, key: &StoreKey, version: Version, within: Duration) -> Result<bool, StoreError> {
        (**self).remove_if(key, version, within)
    }

    fn keys(&self, prefix: &Prefix, after: Option<&str>, within: Duration) -> Result<Page, StoreError> {
        (**self).keys(prefix, after, within)
    }
}

impl Store for MemoryStore {
    fn load(&self, key: &StoreKey, _: Duration) -> Result<Option<Record>, StoreError> {
        Ok(self.get(key))
    }

    fn save_if(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
        _: Duration,
    ) -> Result<Option<Version>, StoreError> {
        self.put(key, version, bytes, keep)
    }

    fn remove_if(&self, key: &StoreKey, version: Version, _: Duration) -> Result<bool, StoreError> {
        Ok(self.remove(key, version))
    }

    fn keys(&self, prefix: &Prefix, after: Option<&str>, _: Duration) -> Result<Page, StoreError> {
        Ok(self.list(prefix, after))
    }
}

impl Store for FileStore {
    fn load(&self, key: &StoreKey, within: Duration) -> Result<Option<Record>, StoreError> {
        self.load_job(key).wait(within)
    }

    fn save_if(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Result<Option<Version>, StoreError> {
        self.save_job(key, version, bytes, keep).wait(within)
    }

    fn remove_if(&self, key: &StoreKey, version: Version, within: Duration) -> Result<bool, StoreError> {
        self.remove_job(key, version).wait(within)
    }

    fn keys(&self, prefix: &Prefix, after: Option<&str>, within: Duration) -> Result<Page, StoreError> {
        self.keys_job(prefix, after).wait(within)
    }
}

#[cfg(feature = "redis")]
impl Store for RedisStore {
    fn load(&self, key: &StoreKey, within: Duration) -> Result<Option<Record>, StoreError> {
        self.load_job(key, within).wait(within)
    }

    fn save_if(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Result<Option<Version>, StoreError> {
        self.save_job(key, version, bytes, keep, within).wait(within)
    }

    fn remove_if(&self, key: &StoreKey, version: Version, within: Duration) -> Result<bool, StoreError> {
        self.remove_job(key, version, within).wait(within)
    }

    fn keys(&self, prefix: &Prefix, after: Option<&str>, within: Duration) -> Result<Page, StoreError> {
        self.keys_job(prefix, after, within).wait(within)
    }
}

#[cfg(feature = "sealed")]
impl<S: Store> Store for SealedStore<S> {
    fn load(&self, key: &StoreKey, within: Duration) -> Result<Option<Record>, StoreError> {
        let outer = self.outer(key);
        self.opened(key, &outer, self.inner.load(&outer, within)?)
    }

    fn save_if(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Result<Option<Version>, StoreError> {
        let outer = self.outer(key);
        self.inner.save_if(&outer, version, &self.seal(key, &outer, bytes)?, keep, within)
    }

    fn remove_if(&self, key: &StoreKey, version: Version, within: Duration) -> Result<bool, StoreError> {
        self.inner.remove_if(&self.outer(key), version, within)
    }

    fn keys(&self, prefix: &Prefix, after: Option<&str>, within: Duration) -> Result<Page, StoreError> {
        let end = Clock::Monotonic.now().saturating_add(within);
        let page = self.inner.keys(&self.outer_prefix(prefix), after, within)?;
        let mut keys = Vec::new();
        for outer in page.keys() {
            // One that went meanwhile is not there any more.
            let left = end.saturating_sub(Clock::Monotonic.now());
            if let Some(record) = self.inner.load(outer, left)? {
                keys.push(self.named(outer, &record)?);
            }
        }
        Ok(Page::new(keys, page.next().map(str::to_owned)))
    }
}

/// Several callers change one record at the same time. True for those who succeed.
#[cfg(feature = "contract")]
fn at_once<S: Store + ?Sized>(
    store: &S,
    key: &StoreKey,
    version: Option<Version>,
    changes: Vec<Change>,
    within: Duration,
) -> Vec<Result<bool, StoreError>> {
    let start = std::sync::Barrier::new(changes.len());
    let start = &start;
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (racer, change) in (0_u8..).zip(changes) {
            threads.push(scope.spawn(move || {
                start.wait();
                match (change, version) {
                    (Change::Remove, Some(version)) => store.remove_if(key, version, within),
                    _ => store.save_if(key, version, &[racer], None, within).map(|saved| saved.is_some()),
                }
            }));
        }
        let panicked = |_| Err(StoreError::unavailable("the store panicked"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    })
}
