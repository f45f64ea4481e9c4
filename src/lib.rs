// The links of the page, which lead to files for those who read it as one.
#![doc = "[docs/aauth.md]: crate::guide::aauth"]
#![doc = "[docs/coverage.md]: crate::guide::coverage"]
#![doc = "[docs/delegation.md]: crate::guide::delegation"]
#![doc = "[docs/errors.md]: crate::guide::errors"]
#![doc = "[docs/errors.md#exit-codes]: crate::guide::errors#exit-codes-of-the-command-line"]
#![doc = "[docs/guarantees.md]: crate::guide::guarantees"]
#![doc = "[docs/mcp.md]: crate::guide::mcp"]
#![doc = "[docs/web.md]: crate::guide::web"]
#![doc = "[docs/web.md#my-agent-calls-my-api]: crate::guide::web#my-agent-calls-my-api"]
#![doc = "[docs/permissions.md]: crate::guide::permissions"]
#![doc = "[docs/python.md]: crate::guide::python"]
#![doc = "[docs/SECURITY.md]: crate::guide::security"]
#![doc = "[docs/signin.md]: crate::guide::signin"]
#![doc = "[docs/stores.md]: crate::guide::stores"]
#![doc = "[docs/fleets.md]: crate::guide::fleets"]
#![doc = "[docs/testing.md]: crate::guide::testing"]
#![doc = ""]
#![doc = include_str!("../README.md")]
//! ## I want to ...
//!
//! | I want to ... | type |
//! |---|---|
//! | ask what an agent may do, call the service in its name | [`Agent`]; what comes back: [`Decision`], [`AgentInfo`], [`Identity`], [`Budget`], [`Response`] |
//! | decide in a service, with a user's token or an API key | [`Client`] |
//! | have code that cannot run unasked | `agent.require("delete_user")?;`: [`Granted`]; `agent.guard::<ReadDocument>()`: [`guarded_actions!`], [`Allowed`], [`AllowedDynamic`] |
//! | get a token for somebody else's service out of the vault | [`Agent::vault_token`]: [`GetVaultToken`], [`VaultToken`] |
//! | check permissions, relations, policies | [`Authz`]; [`CheckPermission`], [`Tuple`], [`CheckPolicy`], [`Evaluate`]; many at once: [`Answers`] |
//! | act for a user who consented | [`DelegationChain`], [`Delegation`] |
//! | keep users' sessions where several processes find them | [`DelegationChain::store`], [`store`] |
//! | share tokens and sessions among many hosts | [`AgentBuilder::shared_tokens`], [`store::RedisStore`]; [`guide::fleets`] |
//! | ask for a permission when an agent may not simply act, decide about one | [`jit`], [`Agent::jit`] |
//! | call an MCP server | [`Agent::mcp`], [`McpServer`]; a bare token: [`Agent::mcp_token`] |
//! | guard a service of mine: who calls, and may it | [`tower`], [`axum`], [`service`] |
//! | guard an MCP server of mine, tool by tool | [`tower::ServerAuth`], [`service::Rule`] |
//! | check the tokens that arrive at a service of mine | [`TokenVerifier`], [`IdTokenVerifier`], [`verify`] |
//! | sign people in to a web service | [`signin`], [`guide::signin`] |
//! | give an agent a key of its own, sign requests, check signed ones | [`aauth`] |
//! | do any of it in async code | [`asynchronous`], under the same names |
//! | bring HTTP of my own, or set roots and proxy | [`Transport`], [`transport`] |
//! | test without a network | [`emulator`]; recipes: [`guide::testing`] |
//! | bind a decision to one call of one tool | [`ToolCall`] |
//! | know what went wrong and what to do | [`Error`], [`error`] |
//! | build another SDK on this one, or add a step | [`embed`] |
//! | read more than one type at a time explains | [`guide`] |
#![cfg_attr(docsrs, feature(doc_cfg))]
// A line that the documentation shows compiles without a warning in the program it is copied to.
#![doc(test(attr(allow(unused), deny(unused_must_use, deprecated))))]
// The documentation names every feature's types; without the features there is nothing to link to.
#![cfg_attr(
    not(all(
        feature = "blocking",
        feature = "async",
        feature = "verify",
        feature = "aauth",
        feature = "emulator",
        feature = "calls",
        feature = "axum"
    )),
    allow(rustdoc::broken_intra_doc_links)
)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]

pub use http;

/// Declares actions that code is guarded by, each a type of its own.
///
/// ```
/// lumoauth::guarded_actions! {
///     /// Reads a document.
///     pub ReadDocument = "document.read";
///     pub DeleteUser = "user.delete";
/// }
/// # use lumoauth::GuardedAction;
/// assert_eq!(ReadDocument::NAME, "document.read");
/// ```
#[macro_export]
macro_rules! guarded_actions {
    ($($(#[$attribute:meta])* $visibility:vis $name:ident = $action:literal;)*) => { $(
        $(#[$attribute])*
        $visibility enum $name {}

        impl $crate::GuardedAction for $name {
            const NAME: &'static str = $action;
        }
    )* };
}

pub mod challenge;
pub mod claims;
pub mod error;
pub mod guide;
mod json;
#[cfg(any(feature = "blocking", feature = "async"))]
mod mount;
mod origin;
mod path;
mod pkce;
#[cfg(feature = "aauth")]
mod profile;
mod route;
mod scopes;
mod secret;
mod site;
mod token;
#[cfg(feature = "calls")]
mod tool_call;
#[cfg(any(
    feature = "ureq",
    feature = "reqwest",
    all(feature = "redis", any(feature = "blocking", feature = "async"))
))]
mod trust;

pub mod credentials;
#[cfg(any(feature = "verify", feature = "emulator"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "verify", feature = "emulator"))))]
pub mod crypto;
#[cfg(feature = "emulator")]
#[cfg_attr(docsrs, doc(cfg(feature = "emulator")))]
pub mod emulator;
mod message;
mod operation;
mod operations;
#[cfg(feature = "verify")]
#[cfg_attr(docsrs, doc(cfg(feature = "verify")))]
pub mod service;
mod session;
pub mod store;
pub mod time;
#[cfg(feature = "verify")]
#[cfg_attr(docsrs, doc(cfg(feature = "verify")))]
pub mod verify;
mod wire;

#[cfg(any(feature = "blocking", feature = "async"))]
mod client;
#[cfg(feature = "tower")]
mod guard;
#[cfg(any(feature = "blocking", feature = "async"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "blocking", feature = "async"))))]
pub mod transport;

#[cfg(all(feature = "signin", any(feature = "blocking", feature = "async")))]
mod sign_in;

#[cfg(all(feature = "signin", any(feature = "blocking", feature = "async")))]
#[cfg_attr(docsrs, doc(cfg(feature = "signin")))]
pub mod signin {
    //! Signing people in to a web service: they go to LumoAuth, come back, and have a session here. [`crate::guide::signin`] shows a whole
    //! service.
    //!
    //! A `SignIn` answers three requests of browsers and tells who the others come from. It belongs to no framework: it is given headers and
    //! gives responses; with the feature `axum` it has a router, and [`User`] is an extractor.
    //!
    //! - **`login`** sends the browser to the service, with `state`, `nonce` and PKCE, which the browser keeps in a sealed cookie.
    //! - **`callback`** takes the answer: only with that cookie, only once. The code is traded, the ID token verified, and a session begins
    //!   under a name that nobody knew before.
    //! - **`logout`** ends the session, revokes its refresh token, and sends the browser on to the service. By POST from a page of this
    //!   site only.
    //! - **`user`** tells who is signed in. Where the session has a refresh token it is renewed when its access token ends, by one request
    //!   however many tabs there are; else it ends with that.
    //!
    //! Sessions are records in a [`store`](crate::store), sealed; the browser has a random name for one and nothing else.

    #[cfg(feature = "blocking")]
    #[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
    pub use crate::client::blocking::sign_in::{SignIn, SignInBuilder};
    pub use crate::sign_in::{AccessType, Answer, Login, Prompt, SignInError, User};

    /// What [`crate::signin`] is in axum beside the router: why nobody is signed in, and scopes that a route requires.
    #[cfg(feature = "axum")]
    #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
    pub mod axum {
        pub use crate::guard::sign_in::{RequiredScopes, SignedOut, UserWith};
    }
}

#[cfg(feature = "aauth")]
#[cfg_attr(docsrs, doc(cfg(feature = "aauth")))]
pub mod aauth {
    //! AAuth: an agent with a key of its own signs its requests, and whoever receives them can prove who sent them.
    //!
    //! LumoAuth's profile of HTTP message signatures (RFC 9421; `docs/wire.md`, aauth rows). Everything here is pure: time and
    //! nonces are arguments, keys sign bytes, headers are values.
    //!
    //! ```
    //! use lumoauth::aauth::{AgentKey, Message, Nonce};
    //! use lumoauth::http::{Method, Request};
    //! use lumoauth::time::Timestamp;
    //!
    //! let key = AgentKey::generate()?;
    //! let message = Message::new(Method::GET, "https://API.example.com:443/v1/data?limit=2")?;
    //! # let (unix_seconds, sixteen_random_bytes) = (1_750_000_000, [7; 16]);
    //! let headers = message.sign(&key, Timestamp::from_unix(unix_seconds), &Nonce::from_random(&sixteen_random_bytes))?;
    //!
    //! // Anybody's request becomes the signed one.
    //! let mut request = Request::new(());
    //! headers.apply(&mut request)?;
    //! assert_eq!(request.uri(), "https://api.example.com/v1/data?limit=2");
    //! assert!(request.headers().contains_key("signature"));
    //! # Ok::<(), Box<dyn std::error::Error>>(())
    //! ```

    #[cfg(all(feature = "blocking", feature = "redis"))]
    #[cfg_attr(docsrs, doc(cfg(all(feature = "blocking", feature = "redis"))))]
    pub use crate::client::blocking::aauth::redis_replays;
    #[cfg(feature = "blocking")]
    #[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
    pub use crate::client::blocking::aauth::{
        AgentTokenSource, Client, ClientBuilder, ReplayStore, SharedReplays, Verifier,
    };
    pub use crate::profile::*;
}

#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub mod tower {
    //! Layers for services that stand on tower, whatever the framework: who calls is verified, and what may be done is asked, before a
    //! handler runs.
    //!
    //! A layer that cannot decide refuses, and its refusals tell strangers nothing ([`crate::service`]).

    pub use crate::guard::{
        Allowed, AllowedService, Filtered, GuardedServer, Passed, ServerAuth, ServerAuthLayer, Signed,
        SignedService, Verified, VerifiedService, read_whole,
    };
}

#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub mod axum {
    //! axum 0.8: extractors for what the layers of [`crate::tower`] have found out, and routes.
    //!
    //! ```
    //! # #[cfg(feature = "emulator")] {
    //! use axum::{Router, routing::get};
    //! use lumoauth::asynchronous::TokenVerifier;
    //! use lumoauth::axum::{Person, metadata_routes, require_allowed};
    //! use lumoauth::service::Caller;
    //! use lumoauth::tower::Verified;
    //!
    //! # let emulator = lumoauth::Emulator::demo()?;
    //! # let agent = emulator.async_agent()?;
    //! let verifier = TokenVerifier::of(&agent, "https://api.acme.test")?;
    //! let app: Router = Router::new()
    //!     .route("/me", get(async |caller: Caller| format!("{:?}", caller.kind())))
    //!     .route("/people", get(async |person: Person| person.subject().to_owned()))
    //!     .route("/documents", get(async || "[]").route_layer(require_allowed(agent, "read_documents")))
    //!     .layer(Verified::new(verifier.clone()))
    //!     .merge(metadata_routes(&verifier));
    //! # let _ = app;
    //! # }
    //! # Ok::<(), Box<dyn std::error::Error>>(())
    //! ```

    pub use crate::guard::axum::{
        AgentCaller, Person, Refusal, RequiredScopes, Scoped, metadata_routes, metadata_routes_of,
        require_allowed, signed,
    };
}

pub mod approvals {
    //! Approvals by people: a person is asked before the agent acts, and what runs is what the person was shown.
    //!
    //! ```
    //! # #[cfg(feature = "calls")] {
    //! use lumoauth::approvals::Approval;
    //! use serde_json::json;
    //!
    //! let approval = Approval::for_call("delete_account", &json!({"id": 17}))?.on_behalf_of("alice@example.com");
    //! assert_eq!(approval.reason(), r#"delete_account {"id":17}"#);
    //! # }
    //! # Ok::<(), lumoauth::Error>(())
    //! ```

    pub use crate::error::{ApprovalError, NotDeliveredReason};
    pub use crate::operations::{
        Approval, ApprovalState, ApprovalStatus, Approver, CreatedApproval, Impact, NotDelivered,
        PendingApproval,
    };
    pub use crate::session::{ApprovalOutcome, ApprovalProof, DeniedApproval};
}

pub mod jit {
    //! Permissions just in time: what an agent does when it may not simply act.
    //!
    //! What is asked for is an object of authorization details (RFC 9396), and what was decided is a value: only
    //! [`Permission::Approved`] permits anything.
    //!
    //! ```
    //! use lumoauth::jit::{AuthorizationDetails, FileAction};
    //!
    //! let details = AuthorizationDetails::file_access([FileAction::Delete]).identifier("reports/q3.pdf");
    //! assert_eq!(details.kind(), "file_access");
    //! assert_eq!(details.actions(), ["delete"]);
    //! ```

    #[cfg(feature = "blocking")]
    #[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
    pub use crate::client::blocking::jit::{Jit, Reviewer, Task, Wanted};
    pub use crate::error::PermissionError;
    pub use crate::operations::{
        Approved, AuthorizationDetails, BeginTask, Denied, Evaluation, Expired, FileAction, JitTask,
        PaymentAction, Pending, PendingPermission, Permission, QueryAction, Review, Risk, TaskEnd,
        TaskResult, UserDataAction,
    };
    pub use crate::session::{Allowed, Escalated, Escalation};
}

pub mod embed {
    //! For those who embed this library in another SDK, or extend it: every step of the protocol as a value, the machines
    //! that put steps in order, and what goes over the wire. An application needs none of it.
    //!
    //! ```
    //! use lumoauth::embed::operation::{Context, Operation};
    //! use lumoauth::{Ask, Site};
    //!
    //! // The request of a step, to be sent by whatever sends.
    //! let site = Site::tenant("acme-corp")?;
    //! let request = Ask::new("read_document").request(&Context::new(&site))?;
    //! assert_eq!(request.url().path(), "/t/acme-corp/api/v1/agents/ask");
    //! # Ok::<(), lumoauth::Error>(())
    //! ```

    pub use crate::json::Fields;
    pub use crate::operation::Operation;
    pub use crate::path::segment;
    pub use crate::route::{Base, Route};
    pub use crate::session::Session;

    /// A message that is signed: canonical URL, base, headers.
    pub mod message {
        pub use crate::message::*;
    }

    /// What a step of the protocol is: its two halves, and how it is to be run.
    pub mod operation {
        pub use crate::operation::*;
    }

    /// Every step of the protocol. Each can be run by a client, driven by a session, or used by hand.
    pub mod operations {
        pub use crate::operations::*;
    }

    /// The machines that turn steps into calls: tokens, retries, deadlines. They do no I/O; they ask for it.
    pub mod session {
        pub use crate::session::*;
    }

    /// Requests and responses as values, and how an answer is read.
    pub mod wire {
        pub use crate::wire::*;
    }
}

#[cfg(feature = "async")]
#[cfg_attr(docsrs, doc(cfg(feature = "async")))]
pub use client::asynchronous;
#[cfg(feature = "blocking")]
#[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
pub use client::blocking::{
    Agent, AgentBuilder, Approvals, Authz, Cancel, Client, ClientBuilder, DelegationChain, McpServer,
    MemoryStore, Signer, Transport,
};
#[cfg(all(feature = "blocking", feature = "verify"))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "blocking", feature = "verify"))))]
pub use client::blocking::{IdTokenVerifier, TokenVerifier};
pub use credentials::{ClientAuth, Credentials};
#[cfg(feature = "emulator")]
#[cfg_attr(docsrs, doc(cfg(feature = "emulator")))]
pub use emulator::Emulator;
pub use error::Error;
pub use operations::authz::{
    Answers, CheckAll, CheckAny, CheckPermission, CheckPermissions, CheckPolicies, CheckPolicy, Entity,
    Evaluate, EvaluateAll, RelationTree, Subject, Tuple,
};
pub use operations::{
    AgentCard, AgentInfo, Allowed, AllowedDynamic, ApiRequest, Ask, Budget, BudgetLimit, Connection,
    Decision, Delegation, GetVaultToken, Granted, GuardedAction, Identity, McpToken, Register, Registration,
    ResourceMetadata, VaultToken,
};
pub use origin::Origin;
pub use pkce::Pkce;
pub use scopes::Scopes;
pub use secret::Secret;
pub use site::{DEFAULT_BASE_URL, EU_BASE_URL, Layout, Site};
pub use token::{AccessToken, TokenType};
#[cfg(feature = "calls")]
#[cfg_attr(docsrs, doc(cfg(feature = "calls")))]
pub use tool_call::ToolCall;
pub use wire::Response;
