//! The key that is an agent's identity.

use std::fmt;

use serde_json::{Value, json};

#[cfg(any(feature = "blocking", feature = "async"))]
use crate::crypto::VerifyingKey;
use crate::crypto::{CryptoError, Jwk, KeyPair, MessageAlgorithm, sign_compact_as};
use crate::error::InputError;
use crate::json;
use crate::message::{Message, Nonce, SignedHeaders};
use crate::secret::Secret;
use crate::time::Timestamp;

/// The key id of an agent's first key (`docs/wire.md`, aauth-keys).
pub const DEFAULT_KEY_ID: &str = "key-1";

/// An agent's private key under its id: Ed25519, or RSA of 2048 to 4096 bits for RSA-PSS with SHA-512. It is parsed once,
/// a clone shares it, and the public half always comes from it: there is no way to give another one.
///
/// `Debug` shows the algorithm and the id, nothing else. A seed is wiped when the last clone is dropped; ring keeps a
/// form of its own of it while the key lives, and does not wipe that.
///
/// ```
/// use lumoauth::aauth::AgentKey;
///
/// let key = AgentKey::generate()?;
/// assert_eq!(key.key_id(), "key-1");
/// let file = key.to_pkcs8_pem()?; // a Secret: whoever has it is the agent
/// let same = AgentKey::from_pem(file.expose().as_bytes())?;
/// assert_eq!(same.thumbprint(), key.thumbprint());
/// # Ok::<(), lumoauth::crypto::CryptoError>(())
/// ```
#[derive(Clone)]
pub struct AgentKey {
    pair: KeyPair,
    algorithm: MessageAlgorithm,
    key_id: String,
}

impl AgentKey {
    /// A new Ed25519 key.
    ///
    /// # Errors
    /// [`CryptoError::Randomness`] if the operating system has none.
    pub fn generate() -> Result<Self, CryptoError> {
        KeyPair::generate_ed25519().and_then(AgentKey::new)
    }

    /// The Ed25519 key of a seed of 32 bytes (RFC 8032 section 5.1.5). Wipe your copy.
    ///
    /// # Errors
    /// [`CryptoError::UnsupportedKey`] if it is none; not known to happen.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, CryptoError> {
        KeyPair::from_ed25519_seed(seed).and_then(AgentKey::new)
    }

    /// The first private key in a PEM text: Ed25519 or RSA in PKCS#8 (versions 1 and 2), or RSA in PKCS#1.
    ///
    /// # Errors
    /// [`CryptoError::NoKey`] if there is none; [`CryptoError::UnsupportedKey`] for other kinds and sizes.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CryptoError> {
        KeyPair::from_pem(pem).and_then(AgentKey::new)
    }

    /// The same forms in DER.
    ///
    /// # Errors
    /// [`CryptoError::UnsupportedKey`].
    pub fn from_der(der: &[u8]) -> Result<Self, CryptoError> {
        KeyPair::from_der(der).and_then(AgentKey::new)
    }

    /// A private JWK in JSON: Ed25519 (RFC 8037 section 2) or RSA with all its numbers (RFC 7518 section 6.3.2). Its `kid`
    /// becomes the key's id.
    ///
    /// # Errors
    /// [`CryptoError::Jwk`] if it is not one; [`CryptoError::UnsupportedKey`] for other kinds and sizes.
    pub fn from_jwk(text: &[u8]) -> Result<Self, CryptoError> {
        let jwk = json::parse(text).map_err(|_| CryptoError::Jwk)?;
        let key = KeyPair::from_jwk(&jwk).and_then(AgentKey::new)?;
        match jwk.get("kid") {
            None => Ok(key),
            Some(Value::String(kid)) => key.with_key_id(kid).map_err(|_| CryptoError::Jwk),
            Some(_) => Err(CryptoError::Jwk),
        }
    }

    fn new(pair: KeyPair) -> Result<Self, CryptoError> {
        let algorithm = pair.message_algorithm().ok_or(CryptoError::UnsupportedKey)?;
        Ok(AgentKey { pair, algorithm, key_id: DEFAULT_KEY_ID.to_owned() })
    }

    /// The same key under another id, as it stands in the agent's published key set.
    ///
    /// # Errors
    /// [`InputError`] if the id is empty, longer than 256 bytes, or has blanks, control characters, `"`, `\`, `#` or
    /// characters beyond ASCII.
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Result<Self, InputError> {
        let key_id = key_id.into();
        let fits = |byte: u8| byte.is_ascii_graphic() && !b"\"\\#".contains(&byte);
        if key_id.is_empty() || key_id.len() > 256 || !key_id.bytes().all(fits) {
            let problem = "is not 1 to 256 visible ASCII characters without quotes, backslashes and #";
            return Err(InputError::new("key_id", problem));
        }
        self.key_id = key_id;
        Ok(self)
    }

    /// Its id.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// What it signs messages with.
    pub fn algorithm(&self) -> MessageAlgorithm {
        self.algorithm
    }

    /// The thumbprint of the public half (RFC 7638, SHA-256): the `jkt` of tokens that are bound to the key.
    pub fn thumbprint(&self) -> &str {
        self.pair.public_jwk().thumbprint()
    }

    /// The public half: its required members, `kid`, and `use` of `sig`.
    pub fn public_jwk(&self) -> Value {
        public_jwk(self.pair.public_jwk(), &self.key_id)
    }

    /// The key set to publish (RFC 7517 section 5): this key alone.
    pub fn jwks(&self) -> Value {
        json!({"keys": [self.public_jwk()]})
    }

    /// The key as PKCS#8 version 1 in PEM, which Python's `cryptography`, OpenSSL and Node load. Whoever has this text is
    /// the agent.
    ///
    /// # Errors
    /// [`CryptoError::NotWritable`] for RSA: keep the file that it came from.
    pub fn to_pkcs8_pem(&self) -> Result<Secret, CryptoError> {
        self.pair.to_pkcs8_pem()
    }

    /// Signs the base of a message (RFC 9421 section 3.1).
    ///
    /// # Errors
    /// [`CryptoError::Signing`]; not known to happen.
    pub fn sign(&self, base: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.pair.sign_message(base)
    }

    /// Signs a token of the agent's own (RFC 7515 section 7.1), under the key's id: EdDSA, or RS256 with RSA.
    ///
    /// # Errors
    /// [`CryptoError::Signing`]; not known to happen.
    pub fn sign_token(&self, typ: &str, claims: &Value) -> Result<Secret, CryptoError> {
        sign_compact_as(&self.pair, &self.key_id, typ, claims).map(Secret::new)
    }
}

impl Message {
    /// Signs with a key that is at hand.
    ///
    /// # Errors
    /// [`CryptoError::Signing`]; not known to happen.
    #[cfg_attr(docsrs, doc(cfg(feature = "aauth")))]
    pub fn sign(
        &self,
        key: &AgentKey,
        created: Timestamp,
        nonce: &Nonce,
    ) -> Result<SignedHeaders, CryptoError> {
        let prepared = self.prepare(created, nonce);
        let signature = key.sign(prepared.base())?;
        Ok(prepared.finish(&signature))
    }
}

impl fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AgentKey { pair: _, algorithm, key_id } = self;
        f.debug_struct("AgentKey")
            .field("algorithm", &algorithm.name())
            .field("key_id", key_id)
            .finish_non_exhaustive()
    }
}

/// The id and the thumbprint of a signer's public key, if it can sign messages.
#[cfg(any(feature = "blocking", feature = "async"))]
pub(crate) fn names(public_jwk: &Value) -> Option<(String, String)> {
    let key = VerifyingKey::from_jwk(public_jwk).ok()?;
    key.message_algorithm()?;
    Some((key.key_id()?.to_owned(), key.to_jwk().thumbprint().to_owned()))
}

/// A public key as AAuth writes it: the required members, `kid` and `use`; no `alg`, since messages and tokens differ.
pub(super) fn public_jwk(jwk: &Jwk, key_id: &str) -> Value {
    let mut value = jwk.to_json();
    if let Some(members) = value.as_object_mut() {
        members.remove("alg");
        members.insert("kid".to_owned(), key_id.into());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_half_has_an_id_and_a_use() {
        let seed: [u8; 32] = std::array::from_fn(|at| at as u8);
        let key = AgentKey::from_seed(&seed).unwrap();
        assert_eq!(
            key.public_jwk(),
            json!({
                "kty": "OKP", "crv": "Ed25519", "x": "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg",
                "use": "sig", "kid": "key-1",
            })
        );
        assert_eq!(key.thumbprint(), "1IG2tMH7J2wbJZnOf8LJzQitKf7LMvoAElsuDMVM54Y");
        assert_eq!(
            key.to_pkcs8_pem().unwrap().expose(),
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n-----END PRIVATE KEY-----\n"
        );
    }

    #[test]
    fn kinds_that_sign_no_messages_are_refused() {
        let p256 = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2\nOF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r\n1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G\n-----END PRIVATE KEY-----\n";
        assert_eq!(AgentKey::from_pem(p256.as_bytes()).unwrap_err(), CryptoError::UnsupportedKey);
    }

    #[test]
    fn ids_are_bounded() {
        let key = AgentKey::from_seed(&[1; 32]).unwrap();
        for bad in ["", "a b", "a\"", "a#b", "a\\b", "ü", &"a".repeat(257)] {
            assert_eq!(key.clone().with_key_id(bad).unwrap_err().argument(), "key_id");
        }
        assert_eq!(key.clone().with_key_id("a".repeat(256)).unwrap().key_id().len(), 256);
        let shown = format!("{:?}", key.with_key_id("key-2").unwrap());
        assert_eq!(shown, "AgentKey { algorithm: \"ed25519\", key_id: \"key-2\", .. }");
    }
}
