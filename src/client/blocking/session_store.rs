//! Where the sessions of users are kept, for the blocking clients.

use std::time::Duration;

use super::{MemoryStore, Stored};
use crate::error::StoreError;
use crate::store::blocking::Store;
use crate::store::{Page, Prefix, Record, Shelf, StoreKey, Version};

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

/// Such a store, as others see it.
pub(super) struct Sessions<S>(pub(super) S);

fn name(key: &StoreKey) -> String {
    key.segments().into_iter().next().unwrap_or_default()
}

impl<S: SessionStore> Store for Sessions<S> {
    fn load(&self, key: &StoreKey, _: Duration) -> Result<Option<Record>, StoreError> {
        let stored = self.0.load(&name(key))?;
        Ok(stored.map(|(bytes, version)| Record::new(bytes, Version::from_number(version))))
    }

    fn save_if(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        _: Option<Duration>,
        _: Duration,
    ) -> Result<Option<Version>, StoreError> {
        let version = version.and_then(|version| version.as_number());
        let saved = self.0.save_if(&name(key), version, bytes)?;
        // Which version it has now is nobody's business: a change begins with a look.
        Ok(saved.then(|| Version::from_number(0)))
    }

    fn remove_if(&self, key: &StoreKey, version: Version, _: Duration) -> Result<bool, StoreError> {
        let (name, version) = (name(key), version.as_number());
        // Emptied first, and only if nobody changed it meanwhile.
        if !self.0.save_if(&name, version, &crate::operations::UserSession::new().to_bytes())? {
            return Ok(false);
        }
        self.0.remove(&name)?;
        Ok(true)
    }

    fn keys(&self, _: &Prefix, _: Option<&str>, _: Duration) -> Result<Page, StoreError> {
        let keys = self.0.keys()?.into_iter();
        Ok(Page::new(keys.map(|key| StoreKey::new(Shelf::Sessions, [key])).collect(), None))
    }
}
