//! The key that a token is bound to (`cnf`, RFC 7800 section 3): read once, known again.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value};

use crate::crypto::VerifyingKey;
use crate::verify::VerifyError;

/// A key that can sign messages, and its thumbprint (RFC 7638).
pub(super) struct BoundKey {
    pub(super) key: VerifyingKey,
    pub(super) thumbprint: String,
}

/// Keys of tokens whose signatures verified. All of an agent's tokens have the same key, and reading the same JWK again gives
/// the same. Only an issuer's word gets one in.
#[derive(Default)]
pub(super) struct BoundKeys(RwLock<HashMap<Box<str>, Known>>);

/// A JWK and what was read from it.
type Known = (Value, Arc<BoundKey>);

impl BoundKeys {
    /// The most that are kept; then all are forgotten, which costs time and nothing else.
    const MOST: usize = 1024;

    /// As [`read`].
    pub(super) fn read(&self, confirmation: &Map<String, Value>) -> Result<Arc<BoundKey>, VerifyError> {
        let Some((jwk, name)) = confirmation.get("jwk").and_then(|jwk| Some((jwk, name(jwk)?))) else {
            return read(confirmation).map(Arc::new);
        };
        if let Some(bound) = self.find(jwk, name) {
            check_thumbprint(&bound, confirmation)?;
            return Ok(bound);
        }
        let bound = Arc::new(read(confirmation)?);
        if !is_small(jwk) {
            return Ok(bound);
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(name.into(), (jwk.clone(), Arc::clone(&bound)));
        Ok(bound)
    }

    /// The same JWK, every member of it.
    fn find(&self, jwk: &Value, name: &str) -> Option<Arc<BoundKey>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(name).filter(|(own, _)| own == jwk).map(|(_, bound)| Arc::clone(bound))
    }
}

/// True for a JWK of texts alone that are not long: what an issuer adds beyond them is not kept.
fn is_small(jwk: &Value) -> bool {
    let length = |(name, value): (&String, &Value)| Some(name.len().saturating_add(value.as_str()?.len()));
    let lengths: Option<Vec<usize>> =
        jwk.as_object().and_then(|members| members.iter().map(length).collect());
    lengths.is_some_and(|lengths| lengths.into_iter().fold(0, usize::saturating_add) <= 2048)
}

/// What tells keys apart: the point or the modulus.
fn name(jwk: &Value) -> Option<&str> {
    ["x", "n"].iter().find_map(|member| jwk.get(member)?.as_str())
}

/// The key in a confirmation (RFC 7800 section 3.2); a thumbprint beside it must be its own.
pub(super) fn read(confirmation: &Map<String, Value>) -> Result<BoundKey, VerifyError> {
    let jwk = confirmation.get("jwk").ok_or(malformed("has no key (jwk)"))?;
    let key = VerifyingKey::from_jwk(jwk).map_err(|_| malformed("has a key that cannot be used"))?;
    if key.message_algorithm().is_none() {
        return Err(malformed("has a key that cannot sign messages"));
    }
    let thumbprint = key.to_jwk().thumbprint().to_owned();
    let bound = BoundKey { key, thumbprint };
    check_thumbprint(&bound, confirmation)?;
    Ok(bound)
}

/// A thumbprint beside a key must be the key's own.
fn check_thumbprint(bound: &BoundKey, confirmation: &Map<String, Value>) -> Result<(), VerifyError> {
    match confirmation.get("jkt") {
        None => Ok(()),
        Some(own) if own.as_str() == Some(bound.thumbprint.as_str()) => Ok(()),
        Some(_) => Err(malformed("has a thumbprint that is not its key's")),
    }
}

fn malformed(problem: &'static str) -> VerifyError {
    VerifyError::Claim { claim: "cnf", problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::KeyPair;
    use serde_json::json;

    fn jwk(seed: u32) -> Value {
        let mut bytes = [3; 32];
        let (start, _) = bytes.split_at_mut(4);
        start.copy_from_slice(&seed.to_be_bytes());
        KeyPair::from_ed25519_seed(&bytes).unwrap().public_jwk().to_json()
    }

    fn confirmation(jwk: Value) -> Map<String, Value> {
        Map::from_iter([("jwk".to_owned(), jwk)])
    }

    fn kept(keys: &BoundKeys) -> usize {
        keys.0.read().unwrap().len()
    }

    #[test]
    fn a_key_that_is_known_is_the_same_key_whatever_stands_beside_it() {
        let keys = BoundKeys::default();
        let first = keys.read(&confirmation(jwk(1))).unwrap();
        let again = keys.read(&confirmation(jwk(1))).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        // The same point with another member, and with another thumbprint beside it, are looked at anew.
        let mut other = jwk(1);
        other["use"] = json!("enc");
        assert!(keys.read(&confirmation(other)).is_err());
        for (thumbprint, fits) in
            [(json!(first.thumbprint), true), (json!("other"), false), (json!(1), false)]
        {
            let mut confirmation = confirmation(jwk(1));
            confirmation.insert("jkt".to_owned(), thumbprint);
            assert_eq!(keys.read(&confirmation).is_ok(), fits);
            assert_eq!(read(&confirmation).is_ok(), fits);
        }
        assert!(keys.read(&Map::new()).is_err());
    }

    #[test]
    fn so_many_are_kept_and_none_that_is_long() {
        let keys = BoundKeys::default();
        for seed in 0..1024 {
            keys.read(&confirmation(jwk(seed))).unwrap();
        }
        assert_eq!(kept(&keys), 1024);
        let first = keys.read(&confirmation(jwk(0))).unwrap();
        keys.read(&confirmation(jwk(2_000))).unwrap();
        assert_eq!(kept(&keys), 1);
        assert!(!Arc::ptr_eq(&first, &keys.read(&confirmation(jwk(0))).unwrap()));

        let long = |total: usize| {
            let mut jwk = jwk(7);
            let members = jwk.as_object().unwrap().iter();
            let length: usize = members.map(|(name, value)| name.len() + value.as_str().unwrap().len()).sum();
            jwk["note"] = "x".repeat(total - length - "note".len()).into();
            jwk
        };
        for (jwk, is_kept) in [(long(2048), 1), (long(2049), 0)] {
            let keys = BoundKeys::default();
            keys.read(&confirmation(jwk)).unwrap();
            assert_eq!(kept(&keys), is_kept);
        }
        let keys = BoundKeys::default();
        let mut odd = jwk(7);
        odd["note"] = json!(["x"]);
        keys.read(&confirmation(odd)).unwrap();
        assert_eq!(kept(&keys), 0);
    }
}
