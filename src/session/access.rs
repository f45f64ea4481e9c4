//! What a machine asks of a store, and what it is told: as values, so that any driver's store will do.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::store::{Page, Prefix, Record, Shelf, StoreKey, Version};

/// One question to the store of a driver ([`Action::Store`](super::Action::Store)). It prints no key and no record.
pub struct StoreRequest {
    access: Access,
    within: Duration,
}

/// What is asked.
#[derive(Clone)]
#[non_exhaustive]
pub enum Access {
    /// The record of this key.
    Load(StoreKey),
    /// Save these bytes if the record still has this version.
    Save {
        /// Which record.
        key: StoreKey,
        /// The version that was seen; none if there was no record.
        version: Option<Version>,
        /// What is to be kept.
        bytes: Zeroizing<Vec<u8>>,
        /// For how long, if not until it is removed.
        keep: Option<Duration>,
    },
    /// Remove the record if it still has this version.
    Remove {
        /// Which record.
        key: StoreKey,
        /// The version that was seen.
        version: Version,
    },
    /// The keys that begin so, after this one.
    List {
        /// How they begin.
        prefix: Prefix,
        /// What the page before gave to go on.
        after: Option<String>,
    },
}

/// What the store said.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreAnswer {
    /// The record, if there is one.
    Loaded(Option<Record>),
    /// The new version; none if somebody else was faster.
    Saved(Option<Version>),
    /// False if it had another version.
    Removed(bool),
    /// A page of keys.
    Listed(Page),
}

impl StoreRequest {
    pub(super) fn new(access: Access, within: Duration) -> Self {
        StoreRequest { access, within }
    }

    /// What is asked.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// On which shelf: a driver may have a store for each.
    pub fn shelf(&self) -> Shelf {
        match &self.access {
            Access::Load(key) | Access::Save { key, .. } | Access::Remove { key, .. } => key.shelf(),
            Access::List { prefix, .. } => prefix.shelf(),
        }
    }

    /// How long it may last.
    pub fn within(&self) -> Duration {
        self.within
    }
}

impl fmt::Debug for StoreRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StoreRequest { access, within } = self;
        let what = match access {
            Access::Load(_) => "load",
            Access::Save { .. } => "save",
            Access::Remove { .. } => "remove",
            Access::List { .. } => "list",
        };
        write!(f, "StoreRequest({what}, {}, within {within:?})", self.shelf())
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Access::Load(_) => "Load",
            Access::Save { .. } => "Save",
            Access::Remove { .. } => "Remove",
            Access::List { .. } => "List",
        };
        f.write_str(name)
    }
}
