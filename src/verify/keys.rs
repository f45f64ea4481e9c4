//! The keys of an issuer: a JWK set (RFC 7517 section 5) of which only the sound keys are kept.

use std::fmt;

use serde_json::Value;

use super::error::VerifyError;
use crate::crypto::{Algorithm, KeyFault, VerifyingKey};
use crate::error::ProtocolFault;
use crate::json;

/// The most keys that a set may have.
const MOST: usize = 128;

/// The keys that an issuer signs with, checked once when they were read.
///
/// A key that fails its checks is left out, and so are all keys of an id that two different keys have.
#[derive(Clone)]
pub struct IssuerKeys {
    keys: Vec<VerifyingKey>,
    refused: Vec<(Option<String>, KeyFault)>,
}

impl IssuerKeys {
    /// Reads the text of a JWK set.
    ///
    /// # Errors
    /// [`ProtocolFault`] if it is not a JWK set, or not one of its keys can be used.
    pub fn parse(text: &[u8]) -> Result<Self, ProtocolFault> {
        match json::parse(text)? {
            Value::Object(mut set) => IssuerKeys::read(set.remove("keys").as_ref()),
            other => Err(ProtocolFault::Mistyped {
                field: "the body",
                expected: "an object",
                found: json::kind(&other),
            }),
        }
    }

    /// Reads the member `keys`.
    pub(super) fn read(keys: Option<&Value>) -> Result<Self, ProtocolFault> {
        let keys = match keys {
            Some(Value::Array(keys)) => keys,
            None => return Err(ProtocolFault::Missing { field: "keys" }),
            Some(other) => {
                return Err(ProtocolFault::Mistyped {
                    field: "keys",
                    expected: "a list",
                    found: json::kind(other),
                });
            }
        };
        if keys.len() > MOST {
            return Err(ProtocolFault::Other("the key set has more than 128 keys"));
        }
        let mut set = IssuerKeys { keys: Vec::new(), refused: Vec::new() };
        // The ids that more than one signing key has, whatever its kind (a key for another use is no rival).
        let mut rivals: Vec<(&str, &Value)> = Vec::new();
        let mut doubled: Vec<&str> = Vec::new();
        for value in keys {
            let id = value.get("kid").and_then(Value::as_str);
            let read = VerifyingKey::from_jwk(value);
            if let (Some(id), false) = (id, matches!(read, Err(KeyFault::OtherUse))) {
                match rivals.iter().find(|(own, _)| *own == id) {
                    Some((_, other)) if *other == value => continue,
                    Some(_) => doubled.push(id),
                    None => rivals.push((id, value)),
                }
            }
            match read {
                Ok(key) => set.keys.push(key),
                Err(fault) => set.refused.push((id.map(str::to_owned), fault)),
            }
        }
        set.keys.retain(|key| {
            let sound = key.key_id().is_none_or(|id| !doubled.contains(&id));
            if !sound {
                set.refused.push((key.key_id().map(str::to_owned), KeyFault::SameId));
            }
            sound
        });
        if set.keys.is_empty() {
            return Err(ProtocolFault::Other("the key set has no key that can be used"));
        }
        for (id, fault) in &set.refused {
            log::debug!("a key of the issuer is left out ({}): {fault}", id.is_some());
        }
        Ok(set)
    }

    /// The keys that are used.
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// The keys that were left out: the id, and why.
    pub fn refused(&self) -> impl Iterator<Item = (Option<&str>, KeyFault)> {
        self.refused.iter().map(|(id, fault)| (id.as_deref(), *fault))
    }

    /// The key of this thumbprint (RFC 7638, SHA-256).
    #[cfg(feature = "aauth")]
    pub(crate) fn of_thumbprint(&self, thumbprint: &str) -> Option<&VerifyingKey> {
        self.keys.iter().find(|key| key.to_jwk().thumbprint() == thumbprint)
    }

    /// True if there is no use in asking the issuer again for the sake of this id.
    pub(super) fn knows(&self, key_id: Option<&str>) -> bool {
        key_id.is_none_or(|id| self.keys.iter().any(|key| key.key_id() == Some(id)))
    }

    /// The one key for a token: by its id, else the only key that fits (OpenID Connect Core section 10.1).
    pub(super) fn find(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<&VerifyingKey, VerifyError> {
        if let Some(id) = key_id {
            let key = self.keys.iter().find(|key| key.key_id() == Some(id)).ok_or(VerifyError::UnknownKey)?;
            return if key.fits(algorithm) { Ok(key) } else { Err(VerifyError::Algorithm) };
        }
        let mut fitting = self.keys.iter().filter(|key| key.fits(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            _ => Err(VerifyError::UnknownKey),
        }
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IssuerKeys { keys, refused } = self;
        f.debug_struct("IssuerKeys").field("keys", keys).field("refused", &refused.len()).finish()
    }
}
