//! Where the sessions of users are kept, for the async clients.

use super::{Io, MemoryStore, Stored};
use crate::error::StoreError;

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
