//! The store, for the async clients.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{Page, Prefix, Record, StoreKey, Version};
use crate::error::StoreError;

/// What a method gives back.
type Io<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Keeps records that several clients, tasks and processes share.
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
