//! A signed JWT taken apart (RFC 7515 section 7.1), before anything in it is believed.

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value};

use super::error::VerifyError;
use super::rules::Claims;
use crate::crypto::{Algorithm, VerifyingKey, from_base64url};
use crate::json;

/// Which types of token are taken (`typ`; RFC 7515 section 4.1.9, RFC 8725 section 3.11).
#[derive(Clone, Debug)]
pub(crate) enum Types {
    /// One of these, written with or without `application/`.
    OneOf(Vec<String>),
    /// This one, exactly so.
    #[cfg_attr(not(feature = "aauth"), allow(dead_code))]
    Exactly(&'static str),
    /// `JWT`, or none at all: ID tokens (OpenID Connect Core says nothing about `typ`).
    JwtOrNone,
}

impl Types {
    fn accept(&self, typ: Option<&str>) -> bool {
        match self {
            Types::OneOf(types) => {
                typ.is_some_and(|typ| types.iter().any(|own| short(own).eq_ignore_ascii_case(short(typ))))
            }
            Types::Exactly(own) => typ == Some(own),
            Types::JwtOrNone => typ.is_none_or(|typ| short(typ).eq_ignore_ascii_case("JWT")),
        }
    }
}

/// A media type without its `application/`, which may be left out if there is no other slash (RFC 7515 section 4.1.9).
fn short(typ: &str) -> &str {
    match typ.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") && !rest.contains('/') => rest,
        _ => typ,
    }
}

const MORE_PARTS: VerifyError =
    VerifyError::Malformed("it has more than three parts (encrypted tokens are not taken)");

/// The parts of a token: what its header says, and where the rest is.
pub(super) struct Compact {
    pub(super) header: Header,
    known: bool,
    input: usize,
    payload: Range<usize>,
    signature: Vec<u8>,
}

impl Compact {
    /// Takes a token apart and checks its header.
    pub(super) fn parse(
        token: &str,
        algorithms: &[Algorithm],
        types: &Types,
        known: &KnownHeaders,
    ) -> Result<Self, VerifyError> {
        let malformed = VerifyError::Malformed;
        let (header, rest) = token.split_once('.').ok_or(malformed("it has no dots"))?;
        let (payload, signature) = rest.split_once('.').ok_or(malformed("it has less than three parts"))?;
        if signature.contains('.') {
            return Err(MORE_PARTS);
        }
        let start = header.len().saturating_add(1);
        let input = start.saturating_add(payload.len());
        let (known, header) = match known.find(header) {
            Some(header) => (true, header),
            None => {
                let text = from_base64url(header).ok_or(malformed("its header is not base64url"))?;
                let Ok(Value::Object(members)) = json::parse(&text) else {
                    return Err(malformed("its header is not one JSON object"));
                };
                (false, read_header(members, algorithms, types)?)
            }
        };
        let signature = from_base64url(signature).ok_or(malformed("its signature is not base64url"))?;
        Ok(Compact { header, known, input, payload: start..input, signature })
    }

    /// True if the signature is the key's.
    pub(super) fn verify(&self, token: &str, key: &VerifyingKey) -> Result<(), VerifyError> {
        let input = token.get(..self.input).unwrap_or_default();
        key.verify(self.header.algorithm, input.as_bytes(), &self.signature)
            .map_err(|_| VerifyError::Signature)
    }

    /// The claims, not verified by this call.
    pub(super) fn claims(&self, token: &str) -> Result<Claims, VerifyError> {
        read_payload(token.get(self.payload.clone()).unwrap_or_default())
    }
}

/// The claims of a token that nothing is known about yet.
#[cfg(feature = "aauth")]
pub(super) fn unverified_claims(token: &str) -> Result<Claims, VerifyError> {
    let parts = token.split_once('.').and_then(|(_, rest)| rest.split_once('.'));
    let (payload, signature) = parts.ok_or(VerifyError::Malformed("it has less than three parts"))?;
    if signature.contains('.') {
        return Err(MORE_PARTS);
    }
    read_payload(payload)
}

fn read_payload(payload: &str) -> Result<Claims, VerifyError> {
    let payload = from_base64url(payload).ok_or(VerifyError::Malformed("its payload is not base64url"))?;
    let problem = "its payload is not one JSON object with each key once";
    Claims::parse(&payload).ok_or(VerifyError::Malformed(problem))
}

/// The headers of tokens that verified, as they are written: an issuer's tokens have the same few headers, and reading the
/// same text again gives the same. Only what was verified gets in, so strangers cannot fill it.
#[derive(Default)]
pub(super) struct KnownHeaders(RwLock<Vec<(Box<str>, Header)>>);

impl KnownHeaders {
    /// The most that are kept.
    const MOST: usize = 16;

    fn find(&self, text: &str) -> Option<Header> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(own, _)| **own == *text).map(|(_, header)| header.clone())
    }

    /// Keeps the header of a token that verified.
    pub(super) fn keep(&self, token: &str, compact: &Compact) {
        let Some((text, _)) = token.split_once('.').filter(|_| !compact.known) else { return };
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !known.iter().any(|(own, _)| **own == *text) {
            if known.len() >= Self::MOST {
                known.remove(0);
            }
            known.push((text.into(), compact.header.clone()));
        }
    }
}

/// What a header says.
#[derive(Clone)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<Arc<str>>,
}

fn read_header(
    mut header: Map<String, Value>,
    algorithms: &[Algorithm],
    types: &Types,
) -> Result<Header, VerifyError> {
    // Keys and extensions that a token brings along (RFC 7515 sections 4.1.2 to 4.1.6 and 4.1.11, RFC 7797, RFC 7516).
    for name in ["crit", "jwk", "jku", "x5c", "x5u", "b64", "enc", "zip"] {
        if header.contains_key(name) {
            return Err(VerifyError::ForbiddenHeader(name));
        }
    }
    let algorithm = match header.remove("alg") {
        Some(Value::String(name)) => Algorithm::named(&name).filter(|own| algorithms.contains(own)),
        _ => None,
    };
    let algorithm = algorithm.ok_or(VerifyError::Algorithm)?;
    let mut text = |name, problem| match header.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(VerifyError::Malformed(problem)),
    };
    let typ = text("typ", "its typ is not a text")?;
    let key_id = text("kid", "its kid is not a text")?;
    if !types.accept(typ.as_deref()) {
        return Err(VerifyError::Type);
    }
    Ok(Header { algorithm, key_id: key_id.map(Arc::from) })
}
