//! Signatures that were taken, remembered in a store that several processes share.

use std::fmt;
use std::time::Duration;

use super::replay::{Reservation, Reserved};
use crate::error::StoreError;
use crate::store::{Shelf, StoreKey, Version};

/// How long the store may take, if nothing else is said.
const WITHIN: Duration = Duration::from_secs(2);
/// How far the clocks of those who share it may be apart.
const APART: Duration = Duration::from_secs(60);

/// Remembers which signatures were taken in any store: the processes that serve one resource share it, so that what one of
/// them has taken no other takes again.
///
/// Each signature is a record on the shelf of nonces, kept for [`Reservation::keep`] and a minute, by which the clocks may
/// be apart. A store that drops such records before their time lets a request be taken twice; one that cannot be asked, or
/// is full, refuses requests.
pub struct SharedReplays<S> {
    pub(crate) store: S,
    pub(crate) within: Duration,
}

impl<S> SharedReplays<S> {
    /// In this store, which may take two seconds.
    pub fn new(store: S) -> Self {
        SharedReplays { store, within: WITHIN }
    }

    /// How long the store may take for one request.
    pub fn within(self, within: Duration) -> Self {
        SharedReplays { within, ..self }
    }
}

impl Reservation {
    /// The record of a signature, and how long it is kept. The nonce is a stranger's, so its hash stands in the key.
    pub(crate) fn record(&self) -> (StoreKey, Option<Duration>) {
        let key = StoreKey::new(Shelf::Nonces, ["signatures", &format!("{:032x}", self.digest())]);
        (key, Some(self.keep().saturating_add(APART)))
    }
}

impl Reserved {
    /// Only who made the record was the first.
    pub(crate) fn of(saved: Result<Option<Version>, StoreError>) -> Result<Self, StoreError> {
        match saved {
            Ok(Some(_)) => Ok(Reserved::First),
            Ok(None) => Ok(Reserved::Again),
            Err(error) if error.is_full() => Ok(Reserved::Full),
            Err(error) => Err(error),
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for SharedReplays<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedReplays").field(&self.store).finish()
    }
}
