//! Signed JWTs that arrive (RFC 7515 section 7.1): taken apart strictly, believed only after their signature.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::crypto::{Algorithm, VerifyingKey};
use crate::json;
use crate::time::Timestamp;

/// The longest token that is read: it has to fit into a header.
const LONGEST: usize = 16 * 1024;
/// How far ahead the clock of whoever signed may be, in seconds. The end of a token has no such allowance.
const AHEAD: u64 = 60;
/// Keys and extensions that a token brings along (RFC 7515 sections 4.1.2 to 4.1.6 and 4.1.11, RFC 7797, RFC 7516).
const FORBIDDEN: [&str; 8] = ["crit", "jwk", "jku", "x5c", "x5u", "b64", "enc", "zip"];

/// The three parts of a JWS, read but not trusted.
pub(crate) struct Jws<'t> {
    pub signed: &'t str,
    pub header: Map<String, Value>,
    pub claims: Map<String, Value>,
    pub signature: Vec<u8>,
}

impl<'t> Jws<'t> {
    pub(crate) fn read(token: &'t str) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let object = |part: &str| match json::parse(&bytes(part)?) {
            Ok(Value::Object(map)) => Some(map),
            _ => None,
        };
        Some(Jws { signed, header: object(header)?, claims: object(claims)?, signature: bytes(signature)? })
    }

    /// `iss`, for the choice of the key.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// The claims, if the token is of exactly this type and signed by the key of the id that it names.
    pub(crate) fn verified(
        self,
        typ: &str,
        key_of: impl FnOnce(&str) -> Option<VerifyingKey>,
    ) -> Result<Claims, &'static str> {
        let says = |name: &str| self.header.get(name).and_then(Value::as_str);
        if says("typ") != Some(typ) {
            return Err("it is of another type");
        }
        if FORBIDDEN.iter().any(|name| self.header.contains_key(*name)) {
            return Err("its header brings a key or an extension along");
        }
        let algorithm = says("alg").and_then(Algorithm::named);
        let algorithm = algorithm.ok_or("its algorithm is not one that is taken")?;
        let key = key_of(says("kid").ok_or("it names no key")?).ok_or("its key is not registered")?;
        key.verify(algorithm, self.signed.as_bytes(), &self.signature)
            .map_err(|_| "its signature is wrong")?;
        Ok(Claims(self.claims))
    }
}

/// The claims of a token whose signature is right.
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    /// A text that may be absent.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, &'static str> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err("a claim is empty or not a text"),
        }
    }

    /// A text that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, &'static str> {
        self.text(name)?.ok_or("a claim is missing")
    }

    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// True if `aud` has this name, alone or in a list.
    pub(crate) fn is_for(&self, name: &str) -> bool {
        match self.0.get("aud") {
            Some(Value::String(one)) => one == name,
            Some(Value::Array(several)) => {
                several.iter().all(Value::is_string) && several.iter().any(|one| one.as_str() == Some(name))
            }
            _ => false,
        }
    }

    /// True if `aud` is this one text.
    pub(crate) fn is_only_for(&self, name: &str) -> bool {
        self.0.get("aud").and_then(Value::as_str) == Some(name)
    }

    /// When it ends, if it has begun, has not ended, and does not live longer than this.
    pub(crate) fn ends(&self, now: Timestamp, longest: Duration) -> Result<Timestamp, &'static str> {
        let time = |name: &str| match self.0.get(name) {
            None => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or("a time is not a whole number"),
        };
        let ends = time("exp")?.ok_or("it has no end")?;
        let issued = time("iat")?.ok_or("it does not say when it was issued")?;
        let ahead = now.unix().saturating_add(AHEAD);
        if issued > ahead || time("nbf")?.is_some_and(|starts| starts > ahead) {
            return Err("it is not valid yet");
        }
        if now.unix() >= ends {
            return Err("it has expired");
        }
        if ends.saturating_sub(issued) > longest.as_secs() {
            return Err("it lives too long");
        }
        Ok(Timestamp::from_unix(ends))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{KeyPair, sign_compact};
    use serde_json::json;

    #[test]
    fn only_the_type_and_the_registered_key() {
        let pair = KeyPair::generate_ed25519().unwrap();
        let key = VerifyingKey::from_jwk(&pair.public_jwk().to_json()).unwrap();
        let token = sign_compact(&pair, "a+jwt", &json!({"iss": "i"})).unwrap();
        let check = |token: &str, typ: &str, known: bool| {
            let read = Jws::read(token).ok_or("unreadable")?;
            read.verified(typ, |kid| (known && kid == pair.key_id()).then(|| key.clone())).map(|_| ())
        };
        assert_eq!(check(&token, "a+jwt", true), Ok(()));
        assert_eq!(check(&token, "A+jwt", true), Err("it is of another type"));
        assert_eq!(check(&token, "a+jwt", false), Err("its key is not registered"));
        let (signed, _) = token.rsplit_once('.').unwrap();
        let other = URL_SAFE_NO_PAD.encode([7; 64]);
        assert_eq!(check(&format!("{signed}.{other}"), "a+jwt", true), Err("its signature is wrong"));
        for bad in ["", "a.b", "a.b.c.d", &format!("{token}="), &format!("{signed}.!")] {
            assert_eq!(check(bad, "a+jwt", true), Err("unreadable"), "{bad}");
        }
        let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"a+jwt","alg":"none","kid":"k"}"#);
        assert!(check(&format!("{header}.e30."), "a+jwt", true).is_err());
    }

    #[test]
    fn times_are_held_to_the_second() {
        let ends = |claims: Value, now: u64| {
            let Value::Object(map) = claims else { panic!("an object") };
            Claims(map).ends(Timestamp::from_unix(now), Duration::from_secs(300)).map(Timestamp::unix)
        };
        let good = json!({"iat": 1_000, "exp": 1_300});
        assert_eq!(ends(good.clone(), 1_299), Ok(1_300));
        assert_eq!(ends(good.clone(), 1_300), Err("it has expired"));
        assert_eq!(ends(good.clone(), 940), Ok(1_300));
        assert_eq!(ends(good, 939), Err("it is not valid yet"));
        assert_eq!(ends(json!({"iat": 1_000, "exp": 1_301}), 1_000), Err("it lives too long"));
        assert_eq!(ends(json!({"exp": 1_300}), 1_000), Err("it does not say when it was issued"));
        assert_eq!(ends(json!({"iat": 1_000, "exp": "1300"}), 1_000), Err("a time is not a whole number"));
    }
}
