//! LumoAuth's profile of signed messages: keys of agents, messages that arrive, tokens that agents and resources issue.
//! [`crate::aauth`] shows all of it.

mod agent_token;
mod agents;
mod bound;
mod issue;
mod key;
mod read;
mod received;
mod refusal;
mod replay;
#[cfg(any(feature = "blocking", feature = "async"))]
mod replays;
mod spans;
mod token;
mod verify;

pub use crate::message::{
    AGENT_AUTH, CONTENT_DIGEST, Message, Nonce, Prepared, SIGNATURE, SIGNATURE_INPUT, SIGNATURE_KEY,
    SignedHeaders, Target, content_digest,
};
use crate::message::{base, nonce, sign, target};
pub use crate::operations::Signed;
pub use crate::operations::aauth::{
    AgentEntry, AgentToken, AuthToken, AuthTokenClaims, Authorization, Consent, IssuerMetadata, Keys,
    PlatformToken, ResourceEntry, ResourceToken, ResourceTokenClaims,
};
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
#[cfg(any(feature = "blocking", feature = "async"))]
pub use replays::SharedReplays;
pub use token::VerifiedToken;
pub use verify::{ProvenRequest, RequestCheck, RequestVerifier, TokenCheck, VerifiedRequest, VerifierConfig};
