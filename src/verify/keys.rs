//! The keys of an issuer: a JWK set (RFC 7517 section 5) of which only the sound keys are kept.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde_json::Value;

use super::error::VerifyError;
use crate::crypto::{Algorithm, KeyFault, VerifyingKey};
use crate::error::ProtocolFault;
use crate::json;

/// The most keys of a set that are looked at.
const MOST: usize = 128;

/// The keys that an issuer signs with, checked once when they were read.
///
/// A key that fails its checks is left out, and so are different keys of one id that fit the same algorithms: nobody can say
/// which of them is meant. Of a set with more than 128 keys the first 128 are read.
#[derive(Clone)]
pub struct IssuerKeys {
    keys: Vec<VerifyingKey>,
    /// What more than one key stands for: such tokens are nobody's.
    contested: Vec<(String, Algorithm)>,
    refused: Vec<(Option<String>, KeyFault)>,
}

/// The key that a token needs: by its id, and by what fits its algorithm.
pub(super) struct Wanted<'t> {
    pub(super) key_id: Option<&'t str>,
    pub(super) algorithm: Algorithm,
    /// The key that was tried and is not the token's.
    pub(super) but: Option<&'t VerifyingKey>,
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
                field: json::BODY,
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
        let mut set = IssuerKeys { keys: Vec::new(), contested: Vec::new(), refused: Vec::new() };
        for value in keys.iter().take(MOST) {
            match VerifyingKey::from_jwk(value) {
                // The same key twice is one key.
                Ok(key) if set.keys.contains(&key) => {}
                Ok(key) => set.keys.push(key),
                Err(fault) => {
                    let id = value.get("kid").and_then(Value::as_str);
                    set.refused.push((id.map(str::to_owned), fault));
                }
            }
        }
        if let Some(more) = keys.len().checked_sub(MOST).filter(|more| *more > 0) {
            log::debug!("{more} keys of the issuer are not read: {MOST} are enough");
        }
        set.leave_out_rivals();
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

    /// Finds out which algorithms different keys of one id fit, and leaves out the keys that fit nothing else.
    fn leave_out_rivals(&mut self) {
        let mut first: HashMap<(&str, Algorithm), &VerifyingKey> = HashMap::new();
        let mut contested: HashSet<(&str, Algorithm)> = HashSet::new();
        let fits =
            |key: &VerifyingKey| Algorithm::ALL.into_iter().filter(|own| key.fits(*own)).collect::<Vec<_>>();
        for key in &self.keys {
            let Some(id) = key.key_id() else { continue };
            for algorithm in fits(key) {
                if !first.entry((id, algorithm)).or_insert(key).is_same_key(key) {
                    contested.insert((id, algorithm));
                }
            }
        }
        if contested.is_empty() {
            return;
        }
        let useless = |key: &VerifyingKey| {
            let id = key.key_id();
            id.is_some_and(|id| fits(key).into_iter().all(|own| contested.contains(&(id, own))))
        };
        let (out, keys): (Vec<VerifyingKey>, Vec<VerifyingKey>) =
            self.keys.iter().cloned().partition(useless);
        let contested = contested.into_iter().map(|(id, own)| (id.to_owned(), own)).collect();
        self.refused.extend(out.iter().map(|key| (key.key_id().map(str::to_owned), KeyFault::SameId)));
        (self.keys, self.contested) = (keys, contested);
    }

    /// True if there is no use in asking the issuer again for the sake of this key.
    pub(super) fn have(&self, wanted: &Wanted<'_>) -> bool {
        self.find(wanted).is_ok_and(|key| !wanted.but.is_some_and(|tried| tried.is_same_key(key)))
    }

    /// The one key for a token: by its id and what fits its algorithm; without an id, the only key that fits (OpenID Connect Core
    /// section 10.1).
    pub(super) fn find(&self, wanted: &Wanted<'_>) -> Result<&VerifyingKey, VerifyError> {
        let Wanted { key_id, algorithm, but: _ } = *wanted;
        let is_contested =
            |(id, own): &(String, Algorithm)| *own == algorithm && key_id.is_none_or(|key| key == id);
        if self.contested.iter().any(is_contested) {
            return Err(VerifyError::UnknownKey);
        }
        let named = || self.keys.iter().filter(|key| key_id.is_none() || key.key_id() == key_id);
        let mut fitting = named().filter(|key| key.fits(algorithm));
        match fitting.next() {
            Some(key) if fitting.all(|other| other.is_same_key(key)) => Ok(key),
            None if key_id.is_some() && named().next().is_some() => Err(VerifyError::Algorithm),
            _ => Err(VerifyError::UnknownKey),
        }
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IssuerKeys { keys, contested: _, refused } = self;
        f.debug_struct("IssuerKeys").field("keys", keys).field("refused", &refused.len()).finish()
    }
}
