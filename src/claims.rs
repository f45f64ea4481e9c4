//! Claims of a token read WITHOUT trust: for display only, and named so.
//!
//! Nothing in here checks a signature. Whoever decides by these claims lets anybody who can write JSON decide; for
//! decisions there is the feature `verify`, whose results are of another type.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::error::InputError;
use crate::json;
use crate::secret::Secret;

/// The longest token that is read.
const LONGEST: usize = 64 * 1024;

/// One actor of a delegation (RFC 8693 section 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    subject: String,
    issuer: Option<String>,
    other: Map<String, Value>,
}

impl Actor {
    /// `sub`: who acts.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// `iss`: who names the actor, if it is said.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The actor's other claims.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.other
    }

    /// The chain in an `act` claim, outermost first. Which end is the current actor differs between sources
    /// (`docs/wire.md`, V-actors): nothing is interpreted. `None` if it is not one: every link is an object with a text `sub`.
    pub(crate) fn chain(act: Value) -> Option<Vec<Actor>> {
        let mut chain = Vec::new();
        let mut next = Some(act);
        while let Some(act) = next.take() {
            let Value::Object(mut other) = act else { return None };
            let Some(Value::String(subject)) = other.remove("sub") else { return None };
            let issuer = match other.remove("iss") {
                None => None,
                Some(Value::String(issuer)) => Some(issuer),
                Some(_) => return None,
            };
            if subject.is_empty() {
                return None;
            }
            next = other.remove("act");
            chain.push(Actor { subject, issuer, other });
        }
        Some(chain)
    }
}

/// What a token says about itself, UNVERIFIED: anybody may have written it. For display only.
///
/// ```
/// use lumoauth::{Secret, claims::UnverifiedClaims};
///
/// // {"alg":"none"} . {"sub":"user:alice","act":{"sub":"agent:search"}} . no signature at all
/// let token = Secret::new("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyOmFsaWNlIiwiYWN0Ijp7InN1YiI6ImFnZW50OnNlYXJjaCJ9fQ.");
/// let shown = UnverifiedClaims::read(&token)?;
/// assert_eq!(shown.unverified_subject(), Some("user:alice"));
/// assert_eq!(shown.unverified_actors()[0].subject(), "agent:search");
/// # Ok::<(), lumoauth::error::InputError>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct UnverifiedClaims {
    subject: Option<String>,
    actors: Vec<Actor>,
    claims: Map<String, Value>,
}

impl UnverifiedClaims {
    /// Decodes the middle of a JWT (RFC 7519 section 3). The signature is not looked at.
    ///
    /// # Errors
    /// [`InputError`] if it is not a JWT, or `sub` or `act` is of another shape.
    pub fn read(token: &Secret) -> Result<Self, InputError> {
        let bad = |problem| InputError::new("token", problem);
        let text = token.expose();
        if text.len() > LONGEST {
            return Err(bad("is too long to be a JWT"));
        }
        let mut parts = text.split('.');
        let (Some(_), Some(payload), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(bad("is not a signed JWT; it may be an opaque token"));
        };
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| bad("is not base64url in its middle"))?;
        let Ok(Value::Object(claims)) = json::parse(&payload) else {
            return Err(bad("has no JSON object in its middle"));
        };
        let subject = match claims.get("sub") {
            None => None,
            Some(Value::String(subject)) => Some(subject.clone()),
            Some(_) => return Err(bad("has a \"sub\" that is not a text")),
        };
        let actors = match claims.get("act") {
            None => Vec::new(),
            Some(act) => {
                Actor::chain(act.clone()).ok_or_else(|| bad("has an \"act\" that is no chain of actors"))?
            }
        };
        Ok(UnverifiedClaims { subject, actors, claims })
    }

    /// The same, and `None` for a token that nobody here can look into: its header is no JSON object, or it is encrypted (five parts,
    /// RFC 7516 section 3.1).
    ///
    /// # Errors
    /// [`InputError`] for a JWT that cannot be read: malformed is not opaque.
    pub(crate) fn of_jwt(token: &Secret) -> Result<Option<Self>, InputError> {
        let parts = token.expose().split('.').take(6).count();
        if parts == 5 || parts == 1 || !has_json_header(token.expose()) {
            return Ok(None);
        }
        UnverifiedClaims::read(token).map(Some)
    }

    /// `sub`, as claimed.
    #[doc(alias = "get_subject")]
    pub fn unverified_subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The chain in `act`, as claimed, outermost first; empty if nobody acts for the subject.
    #[doc(alias = "parse_actor_chain")]
    pub fn unverified_actors(&self) -> &[Actor] {
        &self.actors
    }

    /// All claims, as claimed.
    pub fn unverified_claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

/// True if what stands before the first dot is an object in base64, whatever else may be wrong with it: padded, in the other
/// alphabet, with a key twice.
fn has_json_header(token: &str) -> bool {
    let header = token.split('.').next().unwrap_or_default();
    if header.len() > LONGEST {
        return false;
    }
    let plain = header.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let decoded = URL_SAFE_NO_PAD.decode(plain).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.is_some_and(|text| {
        let text = text.trim_start_matches('\u{feff}').trim();
        text.starts_with('{') && text.ends_with('}')
    })
}

impl fmt::Debug for UnverifiedClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnverifiedClaims { subject, actors, claims } = self;
        f.debug_struct("UnverifiedClaims")
            .field("subject", subject)
            .field("actors", &actors.len())
            .field("claims", &claims.keys().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn token(payload: &Value) -> Secret {
        Secret::new(format!("e30.{}.x", URL_SAFE_NO_PAD.encode(payload.to_string())))
    }

    #[test]
    fn the_chain_is_outermost_first() {
        let act =
            json!({"sub": "a", "iss": "https://x", "act": {"sub": "b", "role": 1, "act": {"sub": "c"}}});
        let claims = UnverifiedClaims::read(&token(&json!({"sub": "u", "act": act}))).unwrap();
        let subjects: Vec<_> = claims.unverified_actors().iter().map(Actor::subject).collect();
        assert_eq!(subjects, ["a", "b", "c"]);
        assert_eq!(claims.unverified_actors()[0].issuer(), Some("https://x"));
        assert_eq!(claims.unverified_actors()[1].claims()["role"], 1);
        assert_eq!(claims.unverified_claims()["sub"], "u");
    }

    #[test]
    fn what_is_a_jwt_is_none_that_cannot_be_looked_into() {
        let of = |token: &str| UnverifiedClaims::of_jwt(&Secret::new(token)).map(|read| read.is_some());
        let payload = URL_SAFE_NO_PAD.encode(r#"{"aud":"x"}"#);
        let encoded = |header: &str| URL_SAFE_NO_PAD.encode(header);
        for header in [r#"{}"#, r#"{"alg":"RS256"}"#, " {\n} ", "\u{feff}{}", r#"{"a":1,"a":2}"#, "{'a'}"] {
            assert_eq!(of(&format!("{}.{payload}.s", encoded(header))), Ok(true), "{header}");
        }
        // Padded, and in the other alphabet.
        let padded = base64::engine::general_purpose::STANDARD.encode(r#"{"a":"??>>~"}"#);
        assert!(padded.contains('=') && padded.contains('+'), "{padded}");
        assert_eq!(of(&format!("{padded}.{payload}.s")), Ok(true));
        for malformed in ["e30.e30", "e30.!.s", "e30.e30.s.t", "e30.a.b.c.d.e", "e30.W10.s"] {
            assert!(of(malformed).is_err(), "{malformed}");
        }
        for opaque in ["e30", "opaque", "a.b.c", "ya29.a0Af.x", "W10.e30.s", "e30.k.iv.ct.tag", ""] {
            assert_eq!(of(opaque), Ok(false), "{opaque}");
        }
    }

    #[test]
    fn other_shapes_are_errors() {
        for bad in ["", "a.b", "a.b.c.d", "a.!.c", "a.e30=.c"] {
            assert!(UnverifiedClaims::read(&Secret::new(bad)).is_err(), "{bad}");
        }
        for bad in [
            json!([]),
            json!({"sub": 1}),
            json!({"sub": null}),
            json!({"act": "a"}),
            json!({"act": null}),
            json!({"act": {}}),
            json!({"act": {"sub": ""}}),
            json!({"act": {"sub": "a", "iss": 1}}),
            json!({"act": {"sub": "a", "act": []}}),
        ] {
            assert!(UnverifiedClaims::read(&token(&bad)).is_err(), "{bad}");
        }
        assert!(UnverifiedClaims::read(&token(&json!({}))).unwrap().unverified_actors().is_empty());
    }
}
