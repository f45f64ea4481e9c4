//! A signed message as it arrives: read, bounded, and checked against the policy, then proven by a key.

use std::fmt;

use http::Method;
use http::header::HeaderMap;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::base::{COMPONENTS, Values};
use super::read::{
    HeaderFault, Received, SignatureInput, all_within, parse_agent_auth, parse_content_digest,
    parse_signature,
};
use super::target::{LONGEST_URL, Target};
use crate::crypto::VerifyingKey;
use crate::error::ConfigError;
use crate::time::{Now, Timestamp};
use crate::verify::Leeway;

/// An HTTP request as it was received: every value before anything normalised it.
#[derive(Clone, Copy)]
pub struct IncomingMessage<'a> {
    /// The method, as received.
    pub method: &'a Method,
    /// Path and query as on the request line (`/v1/data?limit=2`), percent-encoding untouched. A framework that cuts a prefix
    /// off the path of nested routes keeps the original somewhere: take that.
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
    /// Longer than the receiver reads.
    #[error("the message is too long: {what} beyond the receiver's bound")]
    TooLong {
        /// What is: the body, the URL, or the headers.
        what: &'static str,
    },
    /// The request target is not a path with or without a query, in visible ASCII; or a bare `?` stands behind it, which no
    /// sender signs and nobody may add.
    #[error("the request target is not an absolute path in visible ASCII, or ends with a bare ?")]
    Target,
    /// A header is missing, given twice, or not in its one right form.
    #[error(transparent)]
    Header(#[from] HeaderFault),
    /// The signature covers other components than the policy requires, or in another order.
    #[error("the signature does not cover what it must: exactly {}", required(*.query))]
    Coverage {
        /// True if the URL has a query, which must be covered then.
        query: bool,
    },
    /// Made too long ago, or in the future.
    #[error("the signature is not fresh: it was made more than {} s before or after the receiver's time", .window.duration().as_secs())]
    NotFresh {
        /// How far it may be.
        window: Leeway,
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

/// What a receiver requires of a signed message. The components that must be covered, and their order, are the profile's own
/// and come from here, never from the message.
///
/// It says what a message must be, not who may send it: that is the key's, and its owner's. [`super::RequestVerifier`] puts it all
/// together for resources.
///
/// ```
/// use lumoauth::aauth::{AgentKey, IncomingMessage, Message, MessageFault, MessagePolicy, Nonce};
/// use lumoauth::crypto::VerifyingKey;
/// use lumoauth::http::{Method, Request};
/// use lumoauth::time::{Now, Timestamp};
/// # let clock = Timestamp::from_unix(1_750_000_000);
///
/// let key = AgentKey::from_seed(&[7; 32])?;
/// let message = Message::new(Method::POST, "https://api.example.com/v1/data?limit=2")?.body(b"{}");
/// let mut request = Request::new(());
/// message.sign(&key, clock, &Nonce::from_random(&[1; 16]))?.apply(&mut request)?;
///
/// let policy = MessagePolicy::new("https://api.example.com")?;
/// # let now = Now::new(clock, std::time::Duration::ZERO, [0; 32]);
/// let received = policy.read(&IncomingMessage::new(&request, b"{}"), &now)?;
/// received.prove(&VerifyingKey::from_jwk(&key.public_jwk())?)?; // then see to it that the nonce is used once
///
/// let other = policy.read(&IncomingMessage::new(&request, b"[]"), &now);
/// assert_eq!(other.unwrap_err(), MessageFault::Digest);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct MessagePolicy {
    authority: String,
    window: Leeway,
    longest_body: usize,
    longest_headers: usize,
}

impl MessagePolicy {
    /// Messages to this service: any of its URLs, as its callers write it. Only the host and the port count (the port if it
    /// is not the scheme's default); the `Host` header is never looked at.
    ///
    /// # Errors
    /// [`ConfigError::BadUrl`] if it is not an absolute http or https URL.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        let target = Target::parse(url)
            .map_err(|error| ConfigError::BadUrl { setting: "url", problem: error.problem() })?;
        let authority = target.authority().to_owned();
        let (window, longest_body, longest_headers) = (Leeway::default(), 1024 * 1024, 64 * 1024);
        Ok(MessagePolicy { authority, window, longest_body, longest_headers })
    }

    /// How far the time of a signature may be from the receiver's, before or after; 60 s if not set (`docs/wire.md`,
    /// aauth-window).
    pub fn window(mut self, window: Leeway) -> Self {
        self.window = window;
        self
    }

    /// The longest body that is looked at, in bytes; 1 MiB if not set. Whoever reads the body from the network bounds it there.
    pub fn longest_body(mut self, bytes: usize) -> Self {
        self.longest_body = bytes;
        self
    }

    /// The longest body.
    pub(super) fn body_bound(&self) -> usize {
        self.longest_body
    }

    /// The longest headers that are looked at, names and values together, in bytes; 64 KiB if not set.
    pub fn longest_headers(mut self, bytes: usize) -> Self {
        self.longest_headers = bytes;
        self
    }

    /// The authority that messages must be signed for.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn allowed(&self) -> Leeway {
        self.window
    }

    /// Everything that can be checked without a key, in this order: bounds, coverage and parameters, freshness, digest.
    ///
    /// # Errors
    /// [`MessageFault`], the first that is found.
    pub fn read<'a>(
        &self,
        message: &IncomingMessage<'a>,
        now: &Now,
    ) -> Result<ReceivedMessage<'a>, MessageFault> {
        self.bounds(message)?;
        let received = Received::read(message.headers)?;
        let input = SignatureInput::parse(received.signature_input)?;
        let (path, query) = match message.path_and_query.find('?') {
            Some(at) => message.path_and_query.split_at(at),
            None => (message.path_and_query, ""),
        };
        let query = Some(query).filter(|query| !query.is_empty());
        let must = COMPONENTS.into_iter().filter(|name| query.is_some() || *name != "@query");
        if !input.components().iter().copied().eq(must) {
            return Err(MessageFault::Coverage { query: query.is_some() });
        }
        let created = Timestamp::from_unix(input.created());
        check_fresh(created, self.window, now)?;
        let digest = parse_content_digest(received.content_digest)?;
        if !bool::from(digest_of(message.body).ct_eq(&digest)) {
            return Err(MessageFault::Digest);
        }
        let signature = parse_signature(received.signature)?;
        let agent_token = received.agent_auth.map(parse_agent_auth).transpose()?;
        let values = Values {
            method: message.method.as_str(),
            authority: &self.authority,
            path,
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

    fn bounds(&self, message: &IncomingMessage<'_>) -> Result<(), MessageFault> {
        let long = |what| Err(MessageFault::TooLong { what });
        if message.body.len() > self.longest_body {
            return long("its body is");
        }
        if message.path_and_query.len() > LONGEST_URL {
            return long("its URL is");
        }
        let lengths =
            message.headers.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len()));
        if lengths.fold(0, usize::saturating_add) > self.longest_headers {
            return long("its headers are");
        }
        let target = message.path_and_query;
        // A bare `?` is no query, so it is not covered: whoever signs drops it from the URL (`docs/wire.md`, aauth-url).
        let bare = target.find('?').is_some_and(|at| at.saturating_add(1) == target.len());
        if bare || !target.starts_with('/') || !all_within(target.as_bytes(), b'!') {
            return Err(MessageFault::Target);
        }
        Ok(())
    }
}

/// The time of a signature is within the window of the receiver's.
pub(super) fn check_fresh(created: Timestamp, window: Leeway, now: &Now) -> Result<(), MessageFault> {
    let apart = created.saturating_since(now.wall).max(now.wall.saturating_since(created));
    if apart > window.duration() { Err(MessageFault::NotFresh { window }) } else { Ok(()) }
}

fn digest_of(body: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(body).into()
}

/// A message that has passed everything but the proof: nothing in it is to be believed yet.
pub struct ReceivedMessage<'a> {
    base: Zeroizing<String>,
    signature: Vec<u8>,
    created: Timestamp,
    nonce: &'a str,
    agent_token: Option<&'a str>,
    signature_key: Option<&'a str>,
    authorization: Option<&'a str>,
}

impl<'a> ReceivedMessage<'a> {
    /// When it says that it was signed.
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// The nonce. It may be reserved once the proof holds, and never before.
    pub fn nonce(&self) -> &'a str {
        self.nonce
    }

    /// The token in `Agent-Auth`. The signature does not cover it.
    pub fn agent_token(&self) -> Option<&'a str> {
        self.agent_token
    }

    /// `Signature-Key`: what the sender says about its key. A name to look up, never a reason to believe a key.
    pub fn signature_key(&self) -> Option<&'a str> {
        self.signature_key
    }

    /// The value of `Authorization`.
    pub fn authorization(&self) -> Option<&'a str> {
        self.authorization
    }

    /// The proof of possession: the signature is this key's, over this very message. Whose key it is, is not asked here.
    ///
    /// # Errors
    /// [`MessageFault::Signature`].
    pub fn prove(&self, key: &VerifyingKey) -> Result<(), MessageFault> {
        key.verify_message(self.base.as_bytes(), &self.signature).map_err(|_| MessageFault::Signature)
    }
}

impl fmt::Debug for ReceivedMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReceivedMessage {
            base: _,
            signature: _,
            created,
            nonce,
            agent_token,
            signature_key,
            authorization,
        } = self;
        f.debug_struct("ReceivedMessage")
            .field("created", created)
            .field("nonce", nonce)
            .field("agent_token", &agent_token.is_some())
            .field("signature_key", signature_key)
            .field("authorization", &authorization.is_some())
            .finish_non_exhaustive()
    }
}
