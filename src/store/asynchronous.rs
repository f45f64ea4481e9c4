//! The store, for the async clients.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
#[cfg(feature = "contract")]
use std::task::Poll;
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
#[allow(clippy::duplicate_mod)] // mounted here as async code, in blocking.rs as blocking code
#[path = "contract.rs"]
mod contract;

#[cfg(feature = "contract")]
pub use contract::contract;
#[cfg(feature = "contract")]
use maybe_async::must_be_async as dual;

/// What a method gives back.
type Io<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Keeps records that several clients, tasks and processes share. Async; blocking code takes [`lumoauth::store::Store`](crate::store::Store).
///
/// Every method takes how long it may last. Whoever cannot have the answer by then gives back
/// [`StoreError::unavailable`] at that time; the call that asked goes on from there, and ends by its own deadline.
/// An error of [`Store::save_if`] or [`Store::remove_if`] does not say that nothing was changed: the answer may have been
/// lost on its way. What a method has changed is seen by every later call of every method, in any process.
/// A future that is dropped may have taken effect or not.
///
/// An error's text is shown, so it must hold nothing of keys and records.
pub trait Store: Send + Sync {
    /// The record of this key, if there is one.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be known, or what is there is damaged.
    fn load<'a>(&'a self, key: &'a StoreKey, within: Duration) -> Io<'a, Option<Record>>;

    /// Saves the bytes if the record still has this version; without a version, if there is no such record. Gives back the
    /// new version, or none if somebody else was faster: then nothing was changed. Of any number of callers that name the
    /// same version exactly one succeeds.
    ///
    /// The record is kept for `keep` at least, counted from now, and without it until it is removed. What is over may be
    /// gone at any time, and is then as if it had been removed.
    ///
    /// # Errors
    /// [`StoreError`], among them [`StoreError::full`] if there is no room for a new record.
    fn save_if<'a>(
        &'a self,
        key: &'a StoreKey,
        version: Option<Version>,
        bytes: &'a [u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Io<'a, Option<Version>>;

    /// Removes the record if it still has this version. False if not: then nothing was changed.
    ///
    /// # Errors
    /// [`StoreError`].
    fn remove_if<'a>(&'a self, key: &'a StoreKey, version: Version, within: Duration) -> Io<'a, bool>;

    /// The keys that begin so, page by page, each once: those that are there all the time for certain, those that come or
    /// go meanwhile perhaps. The first page is without `after`, each further one after [`Page::next`] of the one before.
    ///
    /// # Errors
    /// [`StoreError`].
    fn keys<'a>(&'a self, prefix: &'a Prefix, after: Option<&'a str>, within: Duration) -> Io<'a, Page>;
}

/// A store that is shared.
impl<S: Store + ?Sized> Store for Arc<S> {
    fn load<'a>(&'a self, key: &'a StoreKey, within: Duration) -> Io<'a, Option<Record>> {
        (**self).load(key, within)
    }

    fn save_if<'a>(
        &'a self,
        key: &'a StoreKey,
        version: Option<Version>,
        bytes: &'a [u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Io<'a, Option<Version>> {
        (**self).save_if(key, version, bytes, keep, within)
    }

    fn remove_if<'a>(&'a self, key: &'a StoreKey, version: Version, within: Duration) -> Io<'a, bool> {
        (**self).remove_if(key, version, within)
    }

    fn keys<'a>(&'a self, prefix: &'a Prefix, after: Option<&'a str>, within: Duration) -> Io<'a, Page> {
        (**self).keys(prefix, after, within)
    }
}

impl Store for MemoryStore {
    fn load<'a>(&'a self, key: &'a StoreKey, _: Duration) -> Io<'a, Option<Record>> {
        Box::pin(async move { Ok(self.get(key)) })
    }

    fn save_if<'a>(
        &'a self,
        key: &'a StoreKey,
        version: Option<Version>,
        bytes: &'a [u8],
        keep: Option<Duration>,
        _: Duration,
    ) -> Io<'a, Option<Version>> {
        Box::pin(async move { self.put(key, version, bytes, keep) })
    }

    fn remove_if<'a>(&'a self, key: &'a StoreKey, version: Version, _: Duration) -> Io<'a, bool> {
        Box::pin(async move { Ok(self.remove(key, version)) })
    }

    fn keys<'a>(&'a self, prefix: &'a Prefix, after: Option<&'a str>, _: Duration) -> Io<'a, Page> {
        Box::pin(async move { Ok(self.list(prefix, after)) })
    }
}

impl Store for FileStore {
    fn load<'a>(&'a self, key: &'a StoreKey, within: Duration) -> Io<'a, Option<Record>> {
        Box::pin(async move { self.load_job(key).within(within).await })
    }

    fn save_if<'a>(
        &'a self,
        key: &'a StoreKey,
        version: Option<Version>,
        bytes: &'a [u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Io<'a, Option<Version>> {
        Box::pin(async move { self.save_job(key, version, bytes, keep).within(within).await })
    }

    fn remove_if<'a>(&'a self, key: &'a StoreKey, version: Version, within: Duration) -> Io<'a, bool> {
        Box::pin(async move { self.remove_job(key, version).within(within).await })
    }

    fn keys<'a>(&'a self, prefix: &'a Prefix, after: Option<&'a str>, within: Duration) -> Io<'a, Page> {
        Box::pin(async move { self.keys_job(prefix, after).within(within).await })
    }
}

#[cfg(feature = "redis")]
impl Store for RedisStore {
    fn load<'a>(&'a self, key: &'a StoreKey, within: Duration) -> Io<'a, Option<Record>> {
        Box::pin(async move { self.load_job(key, within).within(within).await })
    }

    fn save_if<'a>(
        &'a self,
        key: &'a StoreKey,
        version: Option<Version>,
        bytes: &'a [u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Io<'a, Option<Version>> {
        Box::pin(async move { self.save_job(key, version, bytes, keep, within).within(within).await })
    }

    fn remove_if<'a>(&'a self, key: &'a StoreKey, version: Version, within: Duration) -> Io<'a, bool> {
        Box::pin(async move { self.remove_job(key, version, within).within(within).await })
    }

    fn keys<'a>(&'a self, prefix: &'a Prefix, after: Option<&'a str>, within: Duration) -> Io<'a, Page> {
        Box::pin(async move { self.keys_job(prefix, after, within).within(within).await })
    }
}

#[cfg(feature = "sealed")]
impl<S: Store> Store for SealedStore<S> {
    fn load<'a>(&'a self, key: &'a StoreKey, within: Duration) -> Io<'a, Option<Record>> {
        Box::pin(async move {
            let outer = self.outer(key);
            self.opened(key, &outer, self.inner.load(&outer, within).await?)
        })
    }

    fn save_if<'a>(
        &'a self,
        key: &'a StoreKey,
        version: Option<Version>,
        bytes: &'a [u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Io<'a, Option<Version>> {
        Box::pin(async move {
            let outer = self.outer(key);
            let sealed = self.seal(key, &outer, bytes)?;
            self.inner.save_if(&outer, version, &sealed, keep, within).await
        })
    }

    fn remove_if<'a>(&'a self, key: &'a StoreKey, version: Version, within: Duration) -> Io<'a, bool> {
        Box::pin(async move { self.inner.remove_if(&self.outer(key), version, within).await })
    }

    fn keys<'a>(&'a self, prefix: &'a Prefix, after: Option<&'a str>, within: Duration) -> Io<'a, Page> {
        Box::pin(async move {
            let end = Clock::Monotonic.now().saturating_add(within);
            let page = self.inner.keys(&self.outer_prefix(prefix), after, within).await?;
            let mut keys = Vec::new();
            for outer in page.keys() {
                // One that went meanwhile is not there any more.
                let left = end.saturating_sub(Clock::Monotonic.now());
                if let Some(record) = self.inner.load(outer, left).await? {
                    keys.push(self.named(outer, &record)?);
                }
            }
            Ok(Page::new(keys, page.next().map(str::to_owned)))
        })
    }
}

/// Several callers change one record at the same time. True for those who succeed.
#[cfg(feature = "contract")]
async fn at_once<S: Store + ?Sized>(
    store: &S,
    key: &StoreKey,
    version: Option<Version>,
    changes: Vec<Change>,
    within: Duration,
) -> Vec<Result<bool, StoreError>> {
    let mut racers: Vec<Racer<'_>> = Vec::new();
    for (racer, change) in (0_u8..).zip(changes) {
        racers.push((
            Box::pin(async move {
                match (change, version) {
                    (Change::Remove, Some(version)) => store.remove_if(key, version, within).await,
                    _ => {
                        let bytes = [racer];
                        Ok(store.save_if(key, version, &bytes, None, within).await?.is_some())
                    }
                }
            }),
            None,
        ));
    }
    std::future::poll_fn(|context| {
        for (future, answer) in racers.iter_mut().filter(|(_, answer)| answer.is_none()) {
            if let Poll::Ready(ready) = future.as_mut().poll(context) {
                *answer = Some(ready);
            }
        }
        if racers.iter().all(|(_, answer)| answer.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    racers.into_iter().filter_map(|(_, answer)| answer).collect()
}

/// One of them, and its answer when it has one.
#[cfg(feature = "contract")]
type Racer<'a> = (Io<'a, bool>, Option<Result<bool, StoreError>>);
