#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
// The core's documentation names the clients that turn its machines; without them there is nothing to link to.
#![cfg_attr(not(feature = "blocking"), allow(rustdoc::broken_intra_doc_links))]
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

/// The examples of `docs/delegation.md`, compiled and run.
#[cfg(all(doctest, feature = "blocking"))]
#[doc = include_str!("../docs/delegation.md")]
pub struct DelegationDocument;

/// The examples of `docs/mcp.md`, compiled and run.
#[cfg(all(doctest, feature = "blocking"))]
#[doc = include_str!("../docs/mcp.md")]
pub struct McpDocument;

/// The examples of `docs/errors.md`, compiled.
#[cfg(all(doctest, feature = "blocking"))]
#[doc = include_str!("../docs/errors.md")]
pub struct ErrorsDocument;

/// The examples of `docs/aauth.md`, compiled.
#[cfg(all(doctest, feature = "aauth", feature = "ureq"))]
#[doc = include_str!("../docs/aauth.md")]
pub struct AauthDocument;

pub mod challenge;
pub mod claims;
pub mod error;
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

pub mod credentials;
#[cfg(any(feature = "verify", feature = "emulator"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "verify", feature = "emulator"))))]
pub mod crypto;
#[cfg(feature = "emulator")]
#[cfg_attr(docsrs, doc(cfg(feature = "emulator")))]
pub mod emulator;
pub mod message;
pub mod operation;
pub mod operations;
pub mod session;
pub mod store;
pub mod time;
#[cfg(feature = "verify")]
#[cfg_attr(docsrs, doc(cfg(feature = "verify")))]
pub mod verify;
pub mod wire;

#[cfg(any(feature = "blocking", feature = "async"))]
mod client;
#[cfg(any(feature = "blocking", feature = "async"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "blocking", feature = "async"))))]
pub mod transport;

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

    #[cfg(feature = "blocking")]
    #[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
    pub use crate::client::blocking::aauth::{
        AgentTokenSource, Client, ClientBuilder, ReplayStore, Verifier,
    };
    pub use crate::profile::*;
}

#[cfg(feature = "async")]
#[cfg_attr(docsrs, doc(cfg(feature = "async")))]
pub use client::asynchronous;
#[cfg(feature = "blocking")]
#[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
pub use client::blocking::{
    Agent, AgentBuilder, DelegationChain, McpServer, MemoryStore, SessionStore, Signer, Transport,
};
#[cfg(all(feature = "blocking", feature = "verify"))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "blocking", feature = "verify"))))]
pub use client::blocking::{IdTokenVerifier, TokenVerifier};
pub use credentials::{ClientAuth, Credentials};
#[cfg(feature = "emulator")]
#[cfg_attr(docsrs, doc(cfg(feature = "emulator")))]
pub use emulator::Emulator;
pub use error::Error;
pub use json::Fields;
pub use operation::Operation;
pub use operations::{
    AgentInfo, ApiRequest, Ask, Budget, BudgetLimit, Decision, Identity, Register, Registration,
};
pub use origin::Origin;
pub use path::segment;
pub use pkce::Pkce;
pub use route::{Base, Route};
pub use scopes::Scopes;
pub use secret::Secret;
pub use session::Session;
pub use site::{DEFAULT_BASE_URL, EU_BASE_URL, Layout, Site};
pub use token::{AccessToken, TokenType};
