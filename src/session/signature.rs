//! Signing an attempt: what is to be signed goes out, the signature comes back, the request carries it.

use std::fmt;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName};
use zeroize::Zeroizing;

use crate::error::{Error, InputError, SignerError};
use crate::message::{Message, Nonce, Prepared};
use crate::operation::Signing;
use crate::pkce::derive_bytes;
use crate::time::Now;
use crate::wire::Request;

/// The longest signature that is sent, in bytes: RSA of 4096 bits makes 512.
const LONGEST_SIGNATURE: usize = 1024;

/// The bytes to sign with the client's key, for one attempt. Hand the signature back as
/// [`Arrived::Signature`](super::Arrived::Signature); the session puts it where it belongs.
pub struct ToSign {
    base: Zeroizing<Vec<u8>>,
}

impl ToSign {
    /// The exact bytes to sign (RFC 9421 section 2.5): Ed25519, or RSA-PSS with SHA-512. They hold the value of
    /// `Authorization`.
    pub fn base(&self) -> &[u8] {
        &self.base
    }
}

impl fmt::Debug for ToSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ToSign { base } = self;
        write!(f, "ToSign({} bytes)", base.len())
    }
}

/// A request that waits for its signature.
pub(super) struct Unsigned {
    request: Request,
    prepared: Prepared,
}

impl Unsigned {
    /// The signature of this request, made at this moment: its time is the creation time, its randomness the nonce.
    pub(super) fn new(mut request: Request, signing: &Signing, now: &Now) -> Result<(Self, ToSign), Error> {
        let headers = request.headers().clone();
        let mut message =
            Message::new(request.method().clone(), &request.url().to_string())?.body(request.body());
        if let Some(value) = text(&headers, &CONTENT_TYPE, "content_type")? {
            message = message.content_type(value)?;
        }
        if let Some(name) = signing.signature_key_value() {
            message = message.signature_key(name)?;
        }
        if let Some(token) = signing.agent_token_value() {
            message = message.agent_token(token.clone())?;
        }
        if let Some(token) = signing.authorization_value() {
            let value = Zeroizing::new(format!("Bearer {}", token.expose()));
            message = message.authorization(value.as_str())?;
            request = request.carries(token);
        } else if let Some(value) = text(&headers, &AUTHORIZATION, "authorization")? {
            message = message.authorization(value)?;
        }
        let nonce = Nonce::from_random(&derive_bytes("aauth nonce", now));
        let prepared = message.prepare(now.wall, &nonce);
        let to_sign = ToSign { base: Zeroizing::new(prepared.base().to_vec()) };
        Ok((Unsigned { request, prepared }, to_sign))
    }

    /// The request to send: canonical URL, headers, signature.
    pub(super) fn finish(self, signature: &[u8]) -> Result<Request, Error> {
        if signature.is_empty() || signature.len() > LONGEST_SIGNATURE {
            return Err(SignerError::BadSignature.into());
        }
        Ok(self.prepared.finish(signature).apply_to_request(self.request)?)
    }
}

/// The value of a header as the signature covers it.
fn text<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    argument: &'static str,
) -> Result<Option<&'a str>, Error> {
    let odd = |_| InputError::new(argument, "has a character beyond ASCII");
    Ok(headers.get(name).map(|value| value.to_str().map_err(odd)).transpose()?)
}
