//! Platforms that vouch for workloads: who they are, and what they sign.

use serde_json::Value;

use crate::crypto::{CryptoError, JwkSet, KeyPair, sign_compact};
use crate::secret::Secret;

/// The platforms (`docs/wire.md`, rows T).
pub(crate) const PROVIDERS: [&str; 5] = ["kubernetes", "aws", "gcp", "azure", "oidc"];

/// A platform that signs tokens for workloads, with a P-256 key of its own.
#[derive(Clone, Debug)]
pub struct WorkloadIssuer {
    issuer: String,
    pub(crate) key: KeyPair,
}

impl WorkloadIssuer {
    /// A platform of this issuer URL, with a new key. The emulator makes one for every issuer that its agents name; one
    /// of the same URL that is made here has another key, and so signs what the emulator refuses.
    ///
    /// # Errors
    /// [`CryptoError::Randomness`] if the operating system has none.
    pub fn new(issuer: impl Into<String>) -> Result<Self, CryptoError> {
        Ok(WorkloadIssuer { issuer: issuer.into(), key: KeyPair::generate_p256()? })
    }

    /// `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The key that its tokens are verified with.
    pub fn jwks(&self) -> JwkSet {
        JwkSet::new([self.key.public_jwk().clone()])
    }

    /// A token of these claims; nothing is added and nothing checked.
    ///
    /// # Errors
    /// [`CryptoError::Signing`]; not known to happen.
    pub fn sign(&self, claims: &Value) -> Result<Secret, CryptoError> {
        sign_compact(&self.key, "JWT", claims).map(Secret::from)
    }
}
