//! The rules of claims: exact types, malformed is never absent, and the times with their leeway.

use serde_json::{Map, Number, Value};

use super::config::Leeway;
use super::error::VerifyError;
use crate::claims::Actor;
use crate::json;
use crate::scopes::Scopes;
use crate::time::{Now, Timestamp};

/// The last second of the year 9999: no token lives longer, and larger numbers are mistakes.
const LAST_SECOND: u64 = 253_402_300_799;

/// The claims that have rules. They are looked for in every token, so they get places instead of being hashed or sorted.
const NAMES: [&str; 13] =
    ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope", "act", "cnf", "azp", "nonce"];

/// Claims being taken out one by one; what is left over are the token's own.
#[derive(Default)]
pub(crate) struct Claims {
    known: [Option<Value>; NAMES.len()],
    other: Map<String, Value>,
}

impl Claims {
    /// Reads a payload: one JSON object with each key once.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let mut claims = Claims::default();
        let keep = |name: &str, value: Value| match claims.place(name) {
            Some(place) => place.replace(value).is_none(),
            None => claims.other.insert(name.to_owned(), value).is_none(),
        };
        json::members(payload, keep).ok()?;
        Some(claims)
    }

    fn place(&mut self, claim: &str) -> Option<&mut Option<Value>> {
        let at = NAMES.iter().position(|own| *own == claim)?;
        self.known.get_mut(at)
    }

    fn take(&mut self, claim: &'static str) -> Option<Value> {
        self.place(claim)?.take()
    }

    /// A claim that has no place here.
    pub(crate) fn other(&self, claim: &str) -> Option<&Value> {
        self.other.get(claim)
    }

    /// A claim that has no place here: a text that is not empty, or none.
    #[cfg(feature = "aauth")]
    pub(crate) fn other_text(&mut self, claim: &'static str) -> Result<Option<String>, VerifyError> {
        match self.other.remove(claim) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(VerifyError::mistyped(claim)),
        }
    }

    /// Drops what an introspection adds to the claims (`active`, RFC 7662 section 2.2).
    pub(crate) fn drop_answered(&mut self) {
        self.other.remove("active");
    }

    /// Everything that was not taken.
    pub(crate) fn rest(mut self) -> Map<String, Value> {
        for (name, value) in NAMES.iter().zip(self.known) {
            if let Some(value) = value {
                self.other.insert((*name).to_owned(), value);
            }
        }
        self.other
    }

    /// A text that is not empty, or none.
    pub(crate) fn text(&mut self, claim: &'static str) -> Result<Option<String>, VerifyError> {
        match self.take(claim) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(VerifyError::mistyped(claim)),
        }
    }

    pub(crate) fn required_text(&mut self, claim: &'static str) -> Result<String, VerifyError> {
        self.text(claim)?.ok_or(VerifyError::missing(claim))
    }

    /// `iss`, for the choice among those that are trusted.
    #[cfg(feature = "aauth")]
    pub(crate) fn named_issuer(&self) -> Result<&str, VerifyError> {
        let named = NAMES.iter().zip(&self.known).find(|(name, _)| **name == "iss");
        match named.and_then(|(_, value)| value.as_ref()) {
            Some(Value::String(issuer)) => Ok(issuer),
            Some(_) => Err(VerifyError::mistyped("iss")),
            None => Err(VerifyError::missing("iss")),
        }
    }

    /// `iss` must be this issuer, byte for byte.
    pub(crate) fn issuer(&mut self, issuer: &str) -> Result<(), VerifyError> {
        if self.required_text("iss")? == issuer { Ok(()) } else { Err(VerifyError::issuer(issuer)) }
    }

    /// `aud`: a text, or a list of texts that is not empty (RFC 7519 section 4.1.3).
    pub(crate) fn audience(&mut self) -> Result<Vec<String>, VerifyError> {
        let mistyped = VerifyError::mistyped("aud");
        let items = match self.take("aud") {
            None => return Err(VerifyError::missing("aud")),
            Some(Value::Array(items)) if !items.is_empty() => items,
            Some(one @ Value::String(_)) => vec![one],
            Some(_) => return Err(mistyped),
        };
        let texts = items.into_iter().map(|item| match item {
            Value::String(text) if !text.is_empty() => Some(text),
            _ => None,
        });
        texts.collect::<Option<_>>().ok_or(mistyped)
    }

    /// A NumericDate (RFC 7519 section 2), decimals allowed; `early` rounds down.
    fn date(&mut self, claim: &'static str, early: bool) -> Result<Option<Timestamp>, VerifyError> {
        match self.take(claim) {
            None => Ok(None),
            Some(Value::Number(number)) => date(&number, early).map(Some).ok_or(VerifyError::mistyped(claim)),
            Some(_) => Err(VerifyError::mistyped(claim)),
        }
    }

    /// `scope`: words with blanks between (RFC 8693 section 4.2); absent or empty is none.
    pub(crate) fn scopes(&mut self) -> Result<Scopes, VerifyError> {
        let allowed = |byte: u8| matches!(byte, b' ' | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        match self.take("scope") {
            None => Ok(Scopes::none()),
            Some(Value::String(text)) if text.bytes().all(allowed) => Ok(Scopes::from(text)),
            Some(_) => Err(VerifyError::mistyped("scope")),
        }
    }

    /// `act`, outermost first (RFC 8693 section 4.1).
    pub(crate) fn actors(&mut self) -> Result<Vec<Actor>, VerifyError> {
        match self.take("act") {
            None => Ok(Vec::new()),
            Some(act) => Actor::chain(act).ok_or(VerifyError::mistyped("act")),
        }
    }

    /// `cnf`, an object (RFC 7800 section 3.1).
    pub(crate) fn confirmation(&mut self) -> Result<Option<Map<String, Value>>, VerifyError> {
        match self.take("cnf") {
            None => Ok(None),
            Some(Value::Object(map)) if !map.is_empty() => Ok(Some(map)),
            Some(_) => Err(VerifyError::mistyped("cnf")),
        }
    }

    pub(crate) fn times(&mut self) -> Result<Times, VerifyError> {
        Ok(Times {
            expires_at: self.date("exp", true)?.ok_or(VerifyError::missing("exp"))?,
            not_before: self.date("nbf", false)?,
            issued_at: self.date("iat", false)?,
        })
    }
}

/// When a token is valid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) expires_at: Timestamp,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) issued_at: Option<Timestamp>,
}

impl Times {
    /// The rules of RFC 7519 sections 4.1.4 to 4.1.6, with the leeway on every side.
    pub(crate) fn check(&self, now: &Now, leeway: Leeway) -> Result<(), VerifyError> {
        let leeway = leeway.duration();
        let ahead = now.wall.saturating_add(leeway);
        if now.wall >= self.expires_at.saturating_add(leeway) {
            return Err(VerifyError::Expired);
        }
        if self.not_before.is_some_and(|start| ahead < start) {
            return Err(VerifyError::NotYetValid);
        }
        if self.issued_at.is_some_and(|issued| ahead < issued) {
            return Err(VerifyError::IssuedInFuture);
        }
        Ok(())
    }
}

fn date(number: &Number, early: bool) -> Option<Timestamp> {
    if let Some(seconds) = number.as_u64() {
        return (seconds <= LAST_SECOND).then(|| Timestamp::from_unix(seconds));
    }
    let seconds = number.as_f64().filter(|seconds| (0.0..=LAST_SECOND as f64).contains(seconds))?;
    let millis = seconds * 1000.0;
    Some(Timestamp::from_unix_millis(if early { millis.floor() } else { millis.ceil() } as u64))
}
