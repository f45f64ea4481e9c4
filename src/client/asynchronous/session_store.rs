//! Where the sessions of users are kept, for the async clients.

use std::time::Duration;

use super::{Io, MemoryStore, Stored};
use crate::error::StoreError;
use crate::store::asynchronous::Store;
use crate::store::{Page, Prefix, Record, Shelf, StoreKey, Version};

/// Keeps the sessions of a [`DelegationChain`](super::DelegationChain), as opaque bytes. **They are secret**: they hold the tokens of users.
///
/// A consent that nobody came back from is a session too. It is removed when the chain sees it an hour later, as
/// `active_sessions` does with all. So **call that now and then**, or let the store drop sessions that were not saved for as
/// long as you keep users; and give consent URLs only to those you would keep a session for.
pub trait SessionStore: Send + Sync {
    /// The bytes of a session and their version.
    fn load<'a>(&'a self, key: &'a str) -> Io<'a, Result<Option<Stored>, StoreError>>;

    /// Saves the bytes if the session still has this version; with none, if there is no such session. True if saved.
    /// A version is never used twice for one session.
    fn save_if<'a>(
        &'a self,
        key: &'a str,
        version: Option<u64>,
        bytes: &'a [u8],
    ) -> Io<'a, Result<bool, StoreError>>;

    /// Removes a session.
    fn remove<'a>(&'a self, key: &'a str) -> Io<'a, Result<(), StoreError>>;

    /// The keys of all sessions.
    fn keys(&self) -> Io<'_, Result<Vec<String>, StoreError>>;
}

impl SessionStore for MemoryStore {
    fn load<'a>(&'a self, key: &'a str) -> Io<'a, Result<Option<Stored>, StoreError>> {
        Box::pin(async move { Ok(self.get(key)) })
    }

    fn save_if<'a>(
        &'a self,
        key: &'a str,
        version: Option<u64>,
        bytes: &'a [u8],
    ) -> Io<'a, Result<bool, StoreError>> {
        Box::pin(async move { Ok(self.put_if(key, version, bytes)) })
    }

    fn remove<'a>(&'a self, key: &'a str) -> Io<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.drop_key(key);
            Ok(())
        })
    }

    fn keys(&self) -> Io<'_, Result<Vec<String>, StoreError>> {
        Box::pin(async move { Ok(self.all()) })
    }
}

/// Such a store, as others see it.
pub(super) struct Sessions<S>(pub(super) S);

fn name(key: &StoreKey) -> String {
    key.segments().into_iter().next().unwrap_or_default()
}

impl<S: SessionStore> Store for Sessions<S> {
    fn load<'a>(&'a self, key: &'a StoreKey, _: Duration) -> Io<'a, Result<Option<Record>, StoreError>> {
        Box::pin(async move {
            let stored = self.0.load(&name(key)).await?;
            Ok(stored.map(|(bytes, version)| Record::new(bytes, Version::from_number(version))))
        })
    }

    fn save_if<'a>(
        &'a self,
        key: &'a StoreKey,
        version: Option<Version>,
        bytes: &'a [u8],
        _: Option<Duration>,
        _: Duration,
    ) -> Io<'a, Result<Option<Version>, StoreError>> {
        Box::pin(async move {
            let version = version.and_then(|version| version.as_number());
            let saved = self.0.save_if(&name(key), version, bytes).await?;
            // Which version it has now is nobody's business: a change begins with a look.
            Ok(saved.then(|| Version::from_number(0)))
        })
    }

    fn remove_if<'a>(
        &'a self,
        key: &'a StoreKey,
        version: Version,
        _: Duration,
    ) -> Io<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let (name, version) = (name(key), version.as_number());
            // Emptied first, and only if nobody changed it meanwhile.
            if !self.0.save_if(&name, version, &crate::operations::UserSession::new().to_bytes()).await? {
                return Ok(false);
            }
            self.0.remove(&name).await?;
            Ok(true)
        })
    }

    fn keys<'a>(
        &'a self,
        _: &'a Prefix,
        _: Option<&'a str>,
        _: Duration,
    ) -> Io<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            let keys = self.0.keys().await?.into_iter();
            Ok(Page::new(keys.map(|key| StoreKey::new(Shelf::Sessions, [key])).collect(), None))
        })
    }
}
