//! The people's face: one source for the blocking and the async clients, mounted twice.
//!
//! `run.rs`, `agent.rs` and the others of the list below are written once, as async code. `blocking.rs` and `asynchronous.rs`
//! each mount them beside what they have alone. `cargo fmt` does not see what a macro mounts: format those files by name.

mod token_file;

/// What is written once.
macro_rules! mounted_twice {
    () => {
        #[cfg(feature = "aauth")]
        #[allow(clippy::duplicate_mod)]
        #[path = "aauth.rs"]
        mod aauth_client;
        #[allow(clippy::duplicate_mod)]
        #[path = "agent.rs"]
        mod agent;
        #[allow(clippy::duplicate_mod)]
        #[path = "approvals.rs"]
        mod approvals;
        #[allow(clippy::duplicate_mod)]
        #[path = "authz.rs"]
        mod authz;
        #[allow(clippy::duplicate_mod)]
        #[path = "builder.rs"]
        mod builder;
        #[allow(clippy::duplicate_mod)]
        #[path = "delegation.rs"]
        mod delegation;
        #[allow(clippy::duplicate_mod)]
        #[path = "givers.rs"]
        mod givers;
        #[allow(clippy::duplicate_mod)]
        #[path = "jit.rs"]
        mod jit_client;
        #[allow(clippy::duplicate_mod)]
        #[path = "mcp.rs"]
        mod mcp;
        #[cfg(feature = "aauth")]
        #[allow(clippy::duplicate_mod)]
        #[path = "request_verifier.rs"]
        mod request_verifier;
        #[allow(clippy::duplicate_mod)]
        #[path = "reviewer.rs"]
        mod reviewer;
        #[allow(clippy::duplicate_mod)]
        #[path = "run.rs"]
        mod run;
        #[allow(clippy::duplicate_mod)]
        #[path = "service.rs"]
        mod service;
        #[cfg(feature = "signin")]
        #[allow(clippy::duplicate_mod)]
        #[path = "sign_in.rs"]
        pub(crate) mod sign_in;
        #[cfg(feature = "verify")]
        #[allow(clippy::duplicate_mod)]
        #[path = "verifier.rs"]
        mod verifier;
    };
}

#[cfg(feature = "async")]
pub mod asynchronous;
#[cfg(feature = "blocking")]
pub mod blocking;
