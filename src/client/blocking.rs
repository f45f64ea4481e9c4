//! The blocking mount: what is written once, and what it has alone.

mounted_twice!();

#[cfg(feature = "aauth")]
mod agent_token;
mod approved;
#[cfg(feature = "ureq")]
mod built_in;
mod cancel;
mod ended;
#[cfg(not(feature = "ureq"))]
#[allow(clippy::duplicate_mod)]
#[path = "no_transport.rs"]
mod no_transport;
#[cfg(feature = "aauth")]
mod replay;
mod signer;
mod workload;
mod workload_token;

use crate::mount::blocking::{dual, example, twin};
pub use crate::transport::blocking::Transport;

pub use crate::store::MemoryStore;
use crate::store::blocking::Store;
pub use agent::Agent;
pub use approvals::Approvals;
pub use authz::Authz;
pub use builder::AgentBuilder;
pub use cancel::Cancel;
pub use delegation::DelegationChain;
use ended::end_dropped;
pub use mcp::McpServer;
pub use service::{Client, ClientBuilder};
pub use signer::Signer;
#[cfg(feature = "verify")]
#[cfg_attr(docsrs, doc(cfg(feature = "verify")))]
pub use verifier::{IdTokenVerifier, TokenVerifier};

/// Permissions just in time, blocking.
pub mod jit {
    pub use super::jit_client::{Jit, Task, Wanted};
    pub use super::reviewer::Reviewer;
}

/// AAuth's clients and verifier, blocking.
#[cfg(feature = "aauth")]
pub mod aauth {
    pub use super::aauth_client::{Client, ClientBuilder};
    pub use super::agent_token::AgentTokenSource;
    pub use super::replay::ReplayStore;
    #[cfg(feature = "redis")]
    #[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
    pub use super::replay::redis_replays;
    pub use super::request_verifier::Verifier;
    pub use crate::profile::SharedReplays;
}
