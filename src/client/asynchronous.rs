//! The async clients: the same as at the root of the crate, under the same names, with `.await`.
//!
//! With the feature `reqwest` a transport is ready, and an application writes `Agent::from_env()?`; it runs inside tokio.
//! With `async` alone no runtime is assumed, and there is neither `build()` nor `from_env()`: the transport brings sending and sleeping ([`from_fn`], or a [`Transport`]
//! of your own) to [`AgentBuilder::build_with`].
//!
//! Futures are `Send`, block nothing, and may be dropped at any moment: a call that is dropped while it fetches the
//! token hands that over to the next one. What a dropped call had already sent may still take effect.

mounted_twice!();

#[cfg(feature = "aauth")]
mod agent_token;
mod approved;
#[cfg(feature = "reqwest")]
mod built_in;
mod ended;
#[cfg(feature = "tower")]
mod glance;
#[cfg(not(feature = "reqwest"))]
#[allow(clippy::duplicate_mod)]
#[path = "no_transport.rs"]
mod no_transport;
#[cfg(feature = "aauth")]
mod replay;
mod signer;
mod workload;
mod workload_token;

use crate::mount::asynchronous::{dual, example, twin};
use crate::store::asynchronous::Store;
pub use crate::transport::asynchronous::{Io, Transport, from_fn};

pub use crate::store::MemoryStore;
pub use agent::Agent;
pub use approvals::Approvals;
pub use authz::Authz;
pub use builder::AgentBuilder;
pub use delegation::DelegationChain;
use ended::end_dropped;
pub use mcp::McpServer;
pub use service::{Client, ClientBuilder};
pub use signer::Signer;
#[cfg(feature = "verify")]
#[cfg_attr(docsrs, doc(cfg(feature = "verify")))]
pub use verifier::{IdTokenVerifier, TokenVerifier};

/// Permissions just in time, async: the twins of those in [`crate::jit`].
pub mod jit {
    pub use super::jit_client::{Jit, Task, Wanted};
    pub use super::reviewer::Reviewer;
}

/// AAuth's clients and verifier, async: the twins of those in [`crate::aauth`].
#[cfg(feature = "aauth")]
#[cfg_attr(docsrs, doc(cfg(feature = "aauth")))]
pub mod aauth {
    pub use super::aauth_client::{Client, ClientBuilder};
    pub use super::agent_token::AgentTokenSource;
    pub use super::replay::ReplayStore;
    #[cfg(feature = "redis")]
    #[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
    pub use super::replay::redis_replays;
    pub use super::request_verifier::Verifier;
    pub use crate::profile::{MemoryReplayStore, Reservation, Reserved, SharedReplays};
}

/// Signing people in, async: the twins of those in [`crate::signin`].
#[cfg(feature = "signin")]
#[cfg_attr(docsrs, doc(cfg(feature = "signin")))]
pub mod signin {
    pub use super::sign_in::{SignIn, SignInBuilder};
    pub use crate::sign_in::{AccessType, Answer, Login, Prompt, SignInError, User};
}

/// What a transport of one's own is tried with: the twin of [`crate::transport`]'s.
#[cfg(feature = "contract")]
#[cfg_attr(docsrs, doc(cfg(feature = "contract")))]
pub mod transport {
    pub use crate::transport::{Broken, asynchronous::contract};
}

/// The store for the async clients: the twin of [`crate::store`].
pub mod store {
    pub use crate::store::asynchronous::Store;
    #[cfg(feature = "contract")]
    #[cfg_attr(docsrs, doc(cfg(feature = "contract")))]
    pub use crate::store::{Broken, asynchronous::contract};
    pub use crate::store::{
        FileStore, MemoryStore, Page, Prefix, Record, Shelf, StoreError, StoreFault, StoreKey, Version,
    };
    #[cfg(feature = "sealed")]
    #[cfg_attr(docsrs, doc(cfg(feature = "sealed")))]
    pub use crate::store::{NameKey, SealedStore, SealingKey};
    #[cfg(feature = "redis")]
    #[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
    pub use crate::store::{RedisSettings, RedisStore};
}
