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
mod base;
mod key;
mod nonce;
mod read;
mod received;
mod refusal;
mod replay;
mod sign;
mod target;
mod token;
mod verify;

pub use agent_token::{ProvenAgentRequest, VerifiedAgentRequest, VerifiedAgentToken};
pub use agents::{AgentCheck, AgentTokenCheck, AgentVerifier, AgentVerifierConfig};
pub use base::content_digest;
pub use key::{AgentKey, DEFAULT_KEY_ID};
pub use nonce::Nonce;
pub use read::{HeaderFault, SignatureInput, parse_agent_auth, parse_content_digest, parse_signature};
pub use received::{IncomingMessage, MessageFault, MessagePolicy, ReceivedMessage};
pub use refusal::RequestError;
pub use replay::{MemoryReplayStore, Reservation, Reserved};
pub use sign::{
    AGENT_AUTH, CONTENT_DIGEST, Message, Prepared, SIGNATURE, SIGNATURE_INPUT, SIGNATURE_KEY, SignedHeaders,
};
pub use target::Target;
pub use token::VerifiedToken;
pub use verify::{ProvenRequest, RequestCheck, RequestVerifier, TokenCheck, VerifiedRequest, VerifierConfig};

#[cfg(feature = "blocking")]
#[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
pub use crate::client::blocking::{ReplayStore, Verifier};
