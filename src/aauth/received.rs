//! A signed message as it arrives: read, bounded, and checked against the policy, then proven by a key.

use std::fmt;
use std::time::Duration;

use http::Method;
use http::header::HeaderMap;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::base::{COMPONENTS, Values};
use super::read::{
    HeaderFault, Received, SignatureInput, parse_agent_auth, parse_content_digest, parse_signature,
};
use super::target::LONGEST_URL;
use crate::crypto::VerifyingKey;
use crate::time::Timestamp;

/// How far the time of a signature may be from the receiver's clock, by default (`docs/wire.md`, aauth-window).
pub const WINDOW: Duration = Duration::from_secs(60);

/// An HTTP request as it was received: every value before anything normalised it.
#[derive(Clone, Copy)]
pub struct IncomingMessage<'a> {
    /// The method, as received.
    pub method: &'a Method,
    /// Path and query as on the request line (`/v1/data?limit=2`), percent-encoding untouched.
    pub path_and_query: &'a str,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The exact bytes of the body.
    pub body: &'a [u8],
}

impl<'a> IncomingMessage<'a> {
    /// A request of the `http` crate, whose body has been read.
    pub fn new<B>(request: &'a http::Request<B>, body: &'a [u8]) -> Self {
        let path_and_query = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        IncomingMessage { method: request.method(), path_and_query, headers: request.headers(), body }
    }
}

impl fmt::Debug for IncomingMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IncomingMessage { method, path_and_query, headers, body } = self;
        f.debug_struct("IncomingMessage")
            .field("method", method)
            .field("path", &path_and_query.split('?').next().unwrap_or_default())
            .field("headers", &headers.len())
            .field("body_bytes", &body.len())
            .finish()
    }
}

/// Why a message is not taken, before any key is looked at or after. It never repeats a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageFault {
    /// A header is missing, given twice, or not in its one right form.
    #[error("a header of the signed message is not as it must be: {0}")]
    Header(#[from] HeaderFault),
    /// Longer than the receiver reads.
    #[error("the message is too long: its body or its URL is beyond the receiver's bound")]
    TooLong,
    /// The signature covers other components than the policy requires, or in another order.
    #[error("the signature does not cover what it must: exactly {}", required(*.query))]
    Coverage {
        /// True if the URL has a query, which must be covered then.
        query: bool,
    },
    /// Made too long ago, or in the future.
    #[error("the signature is not fresh: it was made more than {} s before or after the receiver's time", .window.as_secs())]
    NotFresh {
        /// How far it may be.
        window: Duration,
    },
    /// The body is not the one that was signed.
    #[error("the body is not the one that was signed: its digest differs")]
    Digest,
    /// The signature is not the key's, or not of this message.
    #[error("the signature does not verify with the key that it must be made with")]
    Signature,
}

fn required(query: bool) -> String {
    let names = COMPONENTS.into_iter().filter(|name| query || *name != "@query");
    names.collect::<Vec<_>>().join(" ")
}

/// What a receiver requires of a signed message. The components that must be covered are the profile's own and come from
/// here, never from the message.
#[derive(Clone, Debug)]
pub(crate) struct MessagePolicy {
    authority: String,
    window: Duration,
    longest_body: usize,
}

impl MessagePolicy {
    /// Messages to this authority: the host in lower case, and the port if it is not the scheme's default. It is the
    /// receiver's own name for itself; the `Host` header is never looked at.
    pub(crate) fn new(authority: impl Into<String>) -> Self {
        MessagePolicy { authority: authority.into(), window: WINDOW, longest_body: 1024 * 1024 }
    }

    /// Another authority.
    pub(crate) fn authority(mut self, authority: impl Into<String>) -> Self {
        self.authority = authority.into();
        self
    }

    /// Another window.
    pub(crate) fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Another bound of the body, in bytes.
    pub(crate) fn longest_body(mut self, bytes: usize) -> Self {
        self.longest_body = bytes;
        self
    }

    /// How far the time of a signature may be from the receiver's.
    pub(crate) fn allowed(&self) -> Duration {
        self.window
    }

    /// Everything that can be checked without a key, in order: bounds, headers, coverage, freshness, digest.
    pub(crate) fn read<'a>(
        &self,
        message: &IncomingMessage<'a>,
        now: Timestamp,
    ) -> Result<ReceivedMessage<'a>, MessageFault> {
        if message.body.len() > self.longest_body || message.path_and_query.len() > LONGEST_URL {
            return Err(MessageFault::TooLong);
        }
        let received = Received::read(message.headers)?;
        let input = SignatureInput::parse(received.signature_input)?;
        let signature = parse_signature(received.signature)?;
        let digest = parse_content_digest(received.content_digest)?;
        let agent_token = received.agent_auth.map(parse_agent_auth).transpose()?;
        let (path, query) = match message.path_and_query.find('?') {
            Some(at) => message.path_and_query.split_at(at),
            None => (message.path_and_query, ""),
        };
        // A bare `?` is no query: the signer drops it (`docs/wire.md`, aauth-url).
        let query = Some(query).filter(|query| query.len() > 1);
        let must = COMPONENTS.into_iter().filter(|name| query.is_some() || *name != "@query");
        if !input.components().iter().copied().eq(must) {
            return Err(MessageFault::Coverage { query: query.is_some() });
        }
        let created = Timestamp::from_unix(input.created());
        let apart = created.saturating_since(now).max(now.saturating_since(created));
        if apart > self.window {
            return Err(MessageFault::NotFresh { window: self.window });
        }
        if !bool::from(digest_of(message.body).ct_eq(&digest)) {
            return Err(MessageFault::Digest);
        }
        let values = Values {
            method: message.method.as_str(),
            authority: &self.authority,
            path: if path.is_empty() { "/" } else { path },
            query,
            signature_key: received.signature_key.unwrap_or_default(),
            content_digest: received.content_digest,
            content_type: received.content_type,
            authorization: received.authorization.unwrap_or_default(),
        };
        let base = values.base(input.parameters());
        Ok(ReceivedMessage {
            base,
            signature,
            created,
            nonce: input.nonce(),
            agent_token,
            signature_key: received.signature_key,
            authorization: received.authorization,
        })
    }
}

fn digest_of(body: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(body).into()
}

/// A message that has passed everything but the proof: nothing in it is to be believed yet.
#[allow(dead_code)] // an authorization server reads more of it than a resource
pub(crate) struct ReceivedMessage<'a> {
    base: Zeroizing<String>,
    signature: Vec<u8>,
    pub(crate) created: Timestamp,
    pub(crate) nonce: &'a str,
    pub(crate) agent_token: Option<&'a str>,
    pub(crate) signature_key: Option<&'a str>,
    pub(crate) authorization: Option<&'a str>,
}

impl ReceivedMessage<'_> {
    /// The proof of possession: the signature is this key's.
    pub(crate) fn prove(&self, key: &VerifyingKey) -> Result<(), MessageFault> {
        key.verify_message(self.base.as_bytes(), &self.signature).map_err(|_| MessageFault::Signature)
    }
}
