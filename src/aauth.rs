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

mod agent_token;
mod agents;
mod bound;
mod issue;
mod key;
mod read;
mod received;
mod refusal;
mod replay;
mod spans;
mod token;
mod verify;

#[cfg(feature = "blocking")]
#[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
pub use crate::client::blocking::{AgentTokenSource, Client, ClientBuilder, ReplayStore, Verifier};
pub use crate::message::{
    AGENT_AUTH, CONTENT_DIGEST, Message, Nonce, Prepared, SIGNATURE, SIGNATURE_INPUT, SIGNATURE_KEY,
    SignedHeaders, Target, content_digest,
};
use crate::message::{base, nonce, sign, target};
pub use crate::operations::Signed;
pub use crate::operations::aauth::{AgentToken, AuthToken, Authorization, Consent};
pub use agent_token::{ProvenAgentRequest, VerifiedAgentRequest, VerifiedAgentToken};
pub use agents::{AgentCheck, AgentTokenCheck, AgentVerifier, AgentVerifierConfig};
pub use issue::{AgentServer, Delegate, Grant, Resource};
#[cfg(any(feature = "blocking", feature = "async"))]
pub(crate) use key::names;
pub use key::{AgentKey, DEFAULT_KEY_ID};
pub use read::{HeaderFault, SignatureInput, parse_agent_auth, parse_content_digest, parse_signature};
pub use received::{IncomingMessage, MessageFault, MessagePolicy, ReceivedMessage};
pub use refusal::RequestError;
pub use replay::{MemoryReplayStore, Reservation, Reserved};
pub use token::VerifiedToken;
pub use verify::{ProvenRequest, RequestCheck, RequestVerifier, TokenCheck, VerifiedRequest, VerifierConfig};
