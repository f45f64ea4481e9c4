//! Where the sessions of users are kept, for the blocking clients.

use super::{MemoryStore, Stored};
use crate::error::StoreError;

/// Keeps the sessions of a [`DelegationChain`](super::DelegationChain), as opaque bytes. **They are secret**: they hold the tokens of users.
///
/// A consent that nobody came back from is a session too. It is removed when the chain sees it an hour later, as
/// `active_sessions` does with all. So **call that now and then**, or let the store drop sessions that were not saved for as
/// long as you keep users; and give consent URLs only to those you would keep a session for.
pub trait SessionStore: Send + Sync {
    /// The bytes of a session and their version.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    fn load(&self, key: &str) -> Result<Option<Stored>, StoreError>;

    /// Saves the bytes if the session still has this version; with none, if there is no such session. True if saved.
    /// A version is never used twice for one session.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    fn save_if(&self, key: &str, version: Option<u64>, bytes: &[u8]) -> Result<bool, StoreError>;

    /// Removes a session.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    fn remove(&self, key: &str) -> Result<(), StoreError>;

    /// The keys of all sessions.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    fn keys(&self) -> Result<Vec<String>, StoreError>;
}

impl SessionStore for MemoryStore {
    fn load(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        Ok(self.get(key))
    }

    fn save_if(&self, key: &str, version: Option<u64>, bytes: &[u8]) -> Result<bool, StoreError> {
        Ok(self.put_if(key, version, bytes))
    }

    fn remove(&self, key: &str) -> Result<(), StoreError> {
        self.drop_key(key);
        Ok(())
    }

    fn keys(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.all())
    }
}
