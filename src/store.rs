//! State that several calls, clients and processes share: what a store keeps, under which names, and what it may answer.
//!
//! A [`Store`] keeps records: a few bytes under a [`StoreKey`], each with a [`Version`] that the store gives and never uses
//! again. Whoever changes a record names the version that it has seen; if somebody else was faster, nothing is changed. That
//! is all that is asked of a store, and it is enough for processes to share the sessions of users, tokens and nonces
//! without a lock.
//!
//! **Records are secret**: they hold the tokens of agents and of users.

#[cfg(feature = "async")]
pub(crate) mod asynchronous;
#[cfg(feature = "blocking")]
pub(crate) mod blocking;
mod key;
mod record;

#[cfg(feature = "blocking")]
#[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
pub use blocking::Store;
pub use key::{Prefix, Shelf, StoreKey};
pub use record::{Page, Record, Version};

pub use crate::error::{StoreError, StoreFault};
