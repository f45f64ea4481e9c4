//! The sessions of a chain: which there are, how they end, and how they are changed in a store that others use too.

use super::super::dual;
use super::DelegationChain;
use crate::error::{Error, InputError, StoreError};
use crate::operations::{Revoke, TokenHint, UserSession};
use crate::secret::Secret;

/// How often a change of a session is tried when others change it at the same time.
const TRIES: usize = 16;

#[dual(AFIT)]
impl DelegationChain {
    /// Ends a delegation: the user's refresh token, and those that later consents displaced, are revoked at the service, then
    /// everything here is forgotten. A code that is traded or a token that is renewed meanwhile comes to nothing. If the
    /// service cannot be told, nothing is forgotten, so that it can be tried again. An unknown session is a success.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn revoke(&self, session: &str) -> Result<(), Error> {
        let mut revoked: Vec<Secret> = Vec::new();
        for _ in 0..TRIES {
            let Some((record, version)) = self.load(session).await? else { return Ok(()) };
            for refresh in record.refresh_tokens() {
                if !revoked.contains(&refresh) {
                    self.driver.run(Revoke::new(refresh.clone()).hint(TokenHint::RefreshToken)).await?;
                    revoked.push(refresh);
                }
            }
            // Emptied first, and only if nobody changed it meanwhile: what others got since is seen and revoked too.
            let nothing = UserSession::new().to_bytes();
            if self.store.save_if(session, Some(version), &nothing).await? {
                self.store.remove(session).await?;
                self.forget(session);
                return Ok(());
            }
        }
        Err(contended())
    }

    /// Ends every delegation. All are tried; the first failure is reported.
    ///
    /// # Errors
    /// As [`DelegationChain::revoke`].
    pub async fn revoke_all(&self) -> Result<(), Error> {
        let mut first = Ok(());
        for session in self.store.keys().await? {
            let revoked = self.revoke(&session).await;
            if first.is_ok() {
                first = revoked;
            }
        }
        first
    }

    /// The sessions that hold a token of their user, sorted.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn active_sessions(&self) -> Result<Vec<String>, Error> {
        let mut active = Vec::new();
        for session in self.store.keys().await? {
            if self.has_delegation(&session).await? {
                active.push(session);
            }
        }
        active.sort_unstable();
        Ok(active)
    }

    /// True if the session holds a token of its user.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn has_delegation(&self, session: &str) -> Result<bool, Error> {
        let has_user = self.load(session).await?.is_some_and(|(record, _)| record.has_user());
        if !has_user {
            self.drop_if_abandoned(session).await?;
        }
        Ok(has_user)
    }

    /// Removes what a consent left that nobody came back from.
    pub(super) async fn drop_if_abandoned(&self, session: &str) -> Result<(), Error> {
        let now = self.driver.transport.now()?;
        match self.load(session).await? {
            Some((record, _)) if record.is_abandoned(now.wall) => Ok(self.store.remove(session).await?),
            _ => Ok(()),
        }
    }

    pub(super) async fn load(&self, session: &str) -> Result<Option<(UserSession, u64)>, Error> {
        if session.is_empty() {
            return Err(InputError::new("session", "is empty").into());
        }
        match self.store.load(session).await? {
            Some((bytes, version)) => Ok(Some((UserSession::from_bytes(&bytes)?, version))),
            None => Ok(None),
        }
    }

    /// Changes a session, or begins one, again and again until nobody else changed it meanwhile.
    pub(super) async fn change<T, F>(&self, session: &str, mut change: F) -> Result<T, Error>
    where
        T: Send,
        F: FnMut(&mut UserSession) -> T + Send,
    {
        for _ in 0..TRIES {
            let loaded = self.load(session).await?;
            let version = loaded.as_ref().map(|(_, version)| *version);
            let mut record = loaded.map(|(record, _)| record).unwrap_or_default();
            let changed = change(&mut record);
            if self.store.save_if(session, version, &record.to_bytes()).await? {
                return Ok(changed);
            }
        }
        Err(contended())
    }

    /// The same, if the session is there and the change applies: what was removed meanwhile does not come back. If not,
    /// nothing is saved.
    pub(super) async fn change_known<T, F>(&self, session: &str, mut change: F) -> Result<Option<T>, Error>
    where
        T: Send,
        F: FnMut(&mut UserSession) -> Option<T> + Send,
    {
        for _ in 0..TRIES {
            let Some((mut record, version)) = self.load(session).await? else { return Ok(None) };
            let Some(changed) = change(&mut record) else { return Ok(None) };
            if self.store.save_if(session, Some(version), &record.to_bytes()).await? {
                return Ok(Some(changed));
            }
        }
        Err(contended())
    }
}

fn contended() -> Error {
    StoreError::new("the session was changed by others again and again").into()
}
