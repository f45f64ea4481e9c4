//! Signing a message: what is to be signed as a value, then the headers as another.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};
use zeroize::Zeroizing;

use super::base::{self, LABEL, Values};
use super::nonce::Nonce;
use super::target::Target;
use crate::error::InputError;
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::wire;

/// `Content-Digest` (RFC 9530 section 2).
pub const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
/// `Signature-Input` (RFC 9421 section 4.1).
pub const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
/// `Signature` (RFC 9421 section 4.2).
pub const SIGNATURE: HeaderName = HeaderName::from_static("signature");
/// `Signature-Key`: which key signed, in words of the receiver (`docs/wire.md`, aauth-headers).
pub const SIGNATURE_KEY: HeaderName = HeaderName::from_static("signature-key");
/// `Agent-Auth`: the agent's own token, for the authorization server (`docs/wire.md`, aauth-headers).
pub const AGENT_AUTH: HeaderName = HeaderName::from_static("agent-auth");

/// What the type of the body is if nothing else is said, with or without a body (`docs/wire.md`, aauth-headers).
const DEFAULT_CONTENT_TYPE: &str = "application/json";
/// The longest header value that is signed, in bytes.
const LONGEST_VALUE: usize = 16 * 1024;

/// An HTTP message that is going to be signed: everything the signature covers, and nothing else.
///
/// | part | | in the signature |
/// |---|---|---|
/// | method and URL | REQUIRED | `@method`, `@authority`, `@path`, `@query` if there is one |
/// | body | OPTIONAL, empty | its SHA-256 as `content-digest`, always |
/// | content type | OPTIONAL, `application/json` | `content-type` |
/// | `Authorization` | OPTIONAL, for resources | `authorization`, empty if absent |
/// | `Signature-Key` | OPTIONAL | `signature-key`, empty if absent |
/// | the agent's token | OPTIONAL, for the authorization server | not covered; travels as `Agent-Auth` |
///
/// The scheme is not covered, and other headers are not. `Debug` shows the method, authority and path.
#[derive(Clone)]
pub struct Message {
    method: Method,
    target: Target,
    content_digest: Cow<'static, str>,
    content_type: Cow<'static, str>,
    authorization: Option<Secret>,
    signature_key: Option<String>,
    agent_token: Option<Secret>,
}

impl Message {
    /// A message without body to an absolute URL, which becomes canonical: send it to [`Message::url`].
    ///
    /// # Errors
    /// [`InputError`] as [`Target::parse`].
    pub fn new(method: Method, url: &str) -> Result<Self, InputError> {
        // `get` is a method of its own on the wire (RFC 9110 section 9.1) and never what is meant.
        let method = match method.as_str() {
            name if name.bytes().any(|byte| byte.is_ascii_lowercase()) => {
                Method::from_bytes(name.to_ascii_uppercase().as_bytes()).unwrap_or(method)
            }
            _ => method,
        };
        Ok(Message {
            method,
            target: Target::parse(url)?,
            content_digest: Cow::Borrowed(base::NO_CONTENT),
            content_type: Cow::Borrowed(DEFAULT_CONTENT_TYPE),
            authorization: None,
            signature_key: None,
            agent_token: None,
        })
    }

    /// The exact bytes of the body.
    pub fn body(mut self, body: &[u8]) -> Self {
        self.content_digest = Cow::Owned(base::content_digest(body));
        self
    }

    /// Another `Content-Type`.
    ///
    /// # Errors
    /// [`InputError`] if a header cannot carry it as it is: empty, blanks at an end, control characters, characters
    /// beyond ASCII, more than 16 KiB.
    pub fn content_type(mut self, value: impl Into<String>) -> Result<Self, InputError> {
        self.content_type = Cow::Owned(plain("content_type", value.into())?);
        Ok(self)
    }

    /// The whole value of `Authorization`, scheme and token: `Bearer eyJ...`.
    ///
    /// # Errors
    /// [`InputError`] as [`Message::content_type`].
    pub fn authorization(mut self, value: impl Into<Secret>) -> Result<Self, InputError> {
        let value = value.into();
        check("authorization", value.expose())?;
        self.authorization = Some(value);
        Ok(self)
    }

    /// `Signature-Key`.
    ///
    /// # Errors
    /// [`InputError`] as [`Message::content_type`].
    pub fn signature_key(mut self, value: impl Into<String>) -> Result<Self, InputError> {
        self.signature_key = Some(plain("signature_key", value.into())?);
        Ok(self)
    }

    /// The agent's own token (`agent+jwt`), for `Agent-Auth`.
    ///
    /// # Errors
    /// [`InputError`] if it is not a token of the characters of a JWT.
    pub fn agent_token(mut self, token: impl Into<Secret>) -> Result<Self, InputError> {
        let token = token.into();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if token.is_empty() || token.expose().len() > LONGEST_VALUE || !token.expose().bytes().all(fits) {
            return Err(InputError::new("agent_token", "is not a JWT: letters, digits, -, _ and dots"));
        }
        self.agent_token = Some(token);
        Ok(self)
    }

    /// The method, in upper case.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The URL to send the message to: what is signed is this form of it.
    pub fn url(&self) -> &Uri {
        self.target.uri()
    }

    /// What is to be signed, at this time with this nonce. Use a nonce once.
    pub fn prepare(&self, created: Timestamp, nonce: &Nonce) -> Prepared {
        let mut signature_input = String::with_capacity(256);
        signature_input.push_str(LABEL);
        signature_input.push('=');
        let parameters_at = signature_input.len();
        base::parameters(&mut signature_input, self.target.query().is_some(), created.unix(), nonce.as_str());
        let values = Values {
            method: self.method.as_str(),
            authority: self.target.authority(),
            path: self.target.path(),
            query: self.target.query(),
            signature_key: self.signature_key.as_deref().unwrap_or_default(),
            content_digest: &self.content_digest,
            content_type: &self.content_type,
            authorization: self.authorization.as_ref().map_or("", Secret::expose),
        };
        let base = values.base(signature_input.get(parameters_at..).unwrap_or_default());
        Prepared { message: self.clone(), base, signature_input }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Message {
            method,
            target,
            content_digest: _,
            content_type,
            authorization,
            signature_key,
            agent_token,
        } = self;
        f.debug_struct("Message")
            .field("method", method)
            .field("authority", &target.authority())
            .field("path", &target.path())
            .field("content_type", content_type)
            .field("authorization", authorization)
            .field("signature_key", signature_key)
            .field("agent_token", agent_token)
            .finish()
    }
}

/// A message with its time and nonce: sign [`Prepared::base`], wherever the key lives, and [`Prepared::finish`] it.
pub struct Prepared {
    message: Message,
    base: Zeroizing<String>,
    signature_input: String,
}

impl Prepared {
    /// The exact bytes to sign. They hold the value of `Authorization`.
    pub fn base(&self) -> &[u8] {
        self.base.as_bytes()
    }

    /// The headers, with this signature of the base.
    pub fn finish(self, signature: &[u8]) -> SignedHeaders {
        let Prepared { message, base: _, signature_input } = self;
        let mut text = String::with_capacity(96);
        text.push_str(LABEL);
        text.push_str("=:");
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        text.push(':');
        SignedHeaders { message, signature_input, signature: text }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Prepared { message, base: _, signature_input } = self;
        f.debug_struct("Prepared")
            .field("message", message)
            .field("signature_input", signature_input)
            .finish_non_exhaustive()
    }
}

/// The headers of a signed message. They are good for one sending: each attempt is signed afresh.
#[derive(Clone)]
pub struct SignedHeaders {
    message: Message,
    signature_input: String,
    signature: String,
}

impl fmt::Debug for SignedHeaders {
    /// Without the signature: until it is used it is good for a request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SignedHeaders { message, .. } = self;
        f.debug_struct("SignedHeaders").field("message", message).finish_non_exhaustive()
    }
}

impl SignedHeaders {
    /// `Content-Digest`.
    pub fn content_digest(&self) -> &str {
        &self.message.content_digest
    }

    /// `Content-Type`.
    pub fn content_type(&self) -> &str {
        &self.message.content_type
    }

    /// `Signature-Input`.
    pub fn signature_input(&self) -> &str {
        &self.signature_input
    }

    /// `Signature`.
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// `Signature-Key`, if one was given.
    pub fn signature_key(&self) -> Option<&str> {
        self.message.signature_key.as_deref()
    }

    /// `Agent-Auth`, if the agent's token was given.
    pub fn agent_auth(&self) -> Option<Secret> {
        let token = self.message.agent_token.as_ref()?;
        Some(Secret::new(format!("agent_token={}", token.expose())))
    }

    /// `Authorization`, if one was given.
    pub fn authorization(&self) -> Option<&Secret> {
        self.message.authorization.as_ref()
    }

    /// Puts the headers in place of those of the same names; `Signature-Key`, `Agent-Auth` and `Authorization` that were not
    /// given are taken away, since the signature says that they are absent. Secrets are marked as sensitive.
    ///
    /// # Errors
    /// [`InputError`] if a header cannot carry a value; not known to happen.
    pub fn apply_to(&self, headers: &mut HeaderMap) -> Result<(), InputError> {
        let secret = |secret: &Secret| {
            let mut value = value("authorization", secret.expose())?;
            value.set_sensitive(true);
            Ok::<_, InputError>(value)
        };
        let agent_auth = self.agent_auth();
        let fields = [
            (CONTENT_DIGEST, Some(value("body", self.content_digest())?)),
            (CONTENT_TYPE, Some(value("content_type", self.content_type())?)),
            (SIGNATURE_INPUT, Some(value("nonce", &self.signature_input)?)),
            (SIGNATURE, Some(value("signature", &self.signature)?)),
            (SIGNATURE_KEY, self.signature_key().map(|text| value("signature_key", text)).transpose()?),
            (AGENT_AUTH, agent_auth.as_ref().map(secret).transpose()?),
            (AUTHORIZATION, self.authorization().map(secret).transpose()?),
        ];
        for (name, value) in fields {
            match value {
                Some(value) => headers.insert(name, value),
                None => headers.remove(name),
            };
        }
        Ok(())
    }

    /// Makes a request of this library the signed one: canonical URL and headers. Method and body must be those that were
    /// signed.
    ///
    /// # Errors
    /// [`InputError`] if a header cannot carry a value; not known to happen.
    pub fn apply_to_request(&self, request: wire::Request) -> Result<wire::Request, InputError> {
        let request =
            request.changed(self.message.method.clone(), self.message.target.uri().clone(), |headers| {
                self.apply_to(headers)
            })?;
        let secrets = [self.message.agent_token.as_ref(), self.message.authorization.as_ref()];
        Ok(secrets.into_iter().flatten().fold(request, wire::Request::carries))
    }

    /// Makes anybody's request the signed one: method, canonical URL and headers. The body must be the one that was signed;
    /// add nothing to the URL afterwards.
    ///
    /// # Errors
    /// [`InputError`] if a header cannot carry a value; not known to happen.
    pub fn apply<B>(&self, request: &mut http::Request<B>) -> Result<(), InputError> {
        self.apply_to(request.headers_mut())?;
        *request.method_mut() = self.message.method.clone();
        *request.uri_mut() = self.message.target.uri().clone();
        Ok(())
    }
}

/// A value that stands in the base exactly as a receiver reads it from the header.
fn check(argument: &'static str, value: &str) -> Result<(), InputError> {
    let bad = |problem| Err(InputError::new(argument, problem));
    if value.is_empty() {
        return bad("is empty: leave it out instead");
    }
    if value.len() > LONGEST_VALUE {
        return bad("is longer than 16 KiB");
    }
    if value.starts_with(' ') || value.ends_with(' ') {
        return bad("has a blank at an end, which a receiver strips");
    }
    if !value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return bad("has a control character, a line break or a character beyond ASCII");
    }
    Ok(())
}

fn plain(argument: &'static str, value: String) -> Result<String, InputError> {
    check(argument, &value)?;
    Ok(value)
}

fn value(argument: &'static str, text: &str) -> Result<HeaderValue, InputError> {
    HeaderValue::from_str(text)
        .map_err(|_| InputError::new(argument, "has a character that no header can carry"))
}
