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
#[cfg(all(feature = "contract", any(feature = "blocking", feature = "async")))]
mod broken;
#[cfg(any(feature = "blocking", feature = "async"))]
mod clock;
#[cfg(any(feature = "blocking", feature = "async"))]
mod file;
mod key;
#[cfg(any(feature = "blocking", feature = "async"))]
mod memory;
mod record;
#[cfg(all(feature = "redis", any(feature = "blocking", feature = "async")))]
mod redis;
#[cfg(all(feature = "sealed", any(feature = "blocking", feature = "async")))]
mod sealed;
#[cfg(any(feature = "blocking", feature = "async"))]
#[cfg_attr(not(all(feature = "blocking", feature = "async")), allow(dead_code))]
// each mount waits in its own way
mod workers;

#[cfg(all(feature = "redis", any(feature = "blocking", feature = "async")))]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use self::redis::{RedisSettings, RedisStore};
#[cfg(feature = "blocking")]
#[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
pub use blocking::Store;
#[cfg(all(feature = "blocking", feature = "contract"))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "blocking", feature = "contract"))))]
pub use blocking::contract;
#[cfg(all(feature = "contract", any(feature = "blocking", feature = "async")))]
#[cfg_attr(docsrs, doc(cfg(feature = "contract")))]
pub use broken::Broken;
#[cfg(all(feature = "contract", any(feature = "blocking", feature = "async")))]
pub(crate) use broken::holds;
#[cfg(any(feature = "blocking", feature = "async"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "blocking", feature = "async"))))]
pub use file::FileStore;
pub use key::{Prefix, Shelf, StoreKey};
#[cfg(any(feature = "blocking", feature = "async"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "blocking", feature = "async"))))]
pub use memory::MemoryStore;
pub use record::{Page, Record, Version};
#[cfg(all(feature = "sealed", any(feature = "blocking", feature = "async")))]
#[cfg_attr(docsrs, doc(cfg(feature = "sealed")))]
pub use sealed::{NameKey, SealedStore, SealingKey};

pub use crate::error::{StoreError, StoreFault};
