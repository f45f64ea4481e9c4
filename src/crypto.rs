//! Keys and signatures: the only room that names `ring`.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom, SystemRandom};
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA512, RsaKeyPair,
};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use crate::secret::Secret;

mod jwk;
mod jws;
#[cfg(feature = "verify")]
mod private_jwk;
#[cfg(all(feature = "sealed", any(feature = "blocking", feature = "async")))]
pub(crate) mod sealing;
#[cfg(feature = "verify")]
mod verify;

pub use jwk::{Jwk, JwkSet};
pub use jws::{sign_compact, sign_compact_as};
#[cfg(feature = "verify")]
#[cfg_attr(docsrs, doc(cfg(feature = "verify")))]
pub use verify::{KeyFault, VerifyingKey};

/// What a key signs with (RFC 7518 section 3.1, RFC 8037 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256; the signature is the two numbers, 32 bytes each.
    Es256,
    /// Ed25519, called `EdDSA` (RFC 8037 section 3.1) or `Ed25519` (RFC 9864 section 2.2).
    EdDsa,
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// RSA-PSS with SHA-256 and MGF1. Verified only: the house's own keys sign RS256.
    Ps256,
    /// ECDSA on P-384 with SHA-384; the signature is the two numbers, 48 bytes each. Verified only.
    Es384,
    /// RSA PKCS#1 v1.5 with SHA-384. Verified only.
    Rs384,
    /// RSA PKCS#1 v1.5 with SHA-512. Verified only.
    Rs512,
    /// RSA-PSS with SHA-384 and MGF1. Verified only.
    Ps384,
    /// RSA-PSS with SHA-512 and MGF1. Verified only in tokens; messages are signed with it ([`MessageAlgorithm`]).
    Ps512,
}

/// What an HTTP message is signed with (RFC 9421 section 3.3). It follows the key; no message chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageAlgorithm {
    /// `ed25519` (RFC 9421 section 3.3.6).
    Ed25519,
    /// `rsa-pss-sha512`: MGF1 with SHA-512 and 64 bytes of salt (RFC 9421 section 3.3.1).
    RsaPssSha512,
}

impl MessageAlgorithm {
    /// Its registered name (RFC 9421 section 6.2.2).
    pub const fn name(self) -> &'static str {
        match self {
            MessageAlgorithm::Ed25519 => "ed25519",
            MessageAlgorithm::RsaPssSha512 => "rsa-pss-sha512",
        }
    }
}

impl fmt::Display for MessageAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Algorithm {
    /// Every one that there is.
    #[cfg(feature = "verify")]
    pub(crate) const ALL: [Algorithm; 9] = [
        Algorithm::Es256,
        Algorithm::EdDsa,
        Algorithm::Rs256,
        Algorithm::Ps256,
        Algorithm::Es384,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps384,
        Algorithm::Ps512,
    ];

    /// The algorithm that a value of `alg` names. `Ed25519` (RFC 9864 section 2.2) is what `EdDSA` has always been here: no other
    /// curve is known.
    #[cfg(feature = "verify")]
    pub(crate) fn named(name: &str) -> Option<Self> {
        let name = if name == "Ed25519" { Algorithm::EdDsa.name() } else { name };
        Algorithm::ALL.into_iter().find(|own| own.name() == name)
    }

    /// The value of `alg` that tokens are signed with.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Es256 => "ES256",
            Algorithm::EdDsa => "EdDSA",
            Algorithm::Rs256 => "RS256",
            Algorithm::Ps256 => "PS256",
            Algorithm::Es384 => "ES384",
            Algorithm::Rs384 => "RS384",
            Algorithm::Rs512 => "RS512",
            Algorithm::Ps384 => "PS384",
            Algorithm::Ps512 => "PS512",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a key cannot be made or used. It never says anything about the key's content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// The text holds no PEM section with a private key.
    #[error(
        "no private key in the PEM text: it needs a section \"PRIVATE KEY\" (PKCS#8) or \"RSA PRIVATE KEY\" (PKCS#1)"
    )]
    NoKey,
    /// The key is of a form or kind that is not supported.
    #[error(
        "the private key is not supported: use RSA of 2048 to 4096 bits, P-256 or Ed25519, in PKCS#8 (\"openssl pkcs8 -topk8 -nocrypt\" converts)"
    )]
    UnsupportedKey,
    /// The operating system's randomness failed.
    #[error("the operating system gave no randomness")]
    Randomness,
    /// The signature could not be made.
    #[error("the signature could not be made")]
    Signing,
    /// What is to be kept elsewhere could not be sealed, or no key for it could be made.
    #[error("it could not be sealed")]
    Sealing,
    /// A private JWK is not one: a member is missing, of another type, or does not fit the others.
    #[error(
        "it is not a private JWK: a member is missing, of another type, or does not belong to the others"
    )]
    Jwk,
    /// The key cannot be written: only Ed25519 keys can.
    #[error("the private key cannot be written: only Ed25519 keys are; keep the file that it came from")]
    NotWritable,
    /// The signature does not verify, or the key is not for the algorithm.
    #[error("the signature does not verify")]
    Signature,
}

/// A private key with its public half, parsed once. A clone shares the key.
///
/// `Debug` shows the algorithm and the key id, nothing else.
#[derive(Clone)]
pub struct KeyPair(Arc<Inner>);

struct Inner {
    private: Private,
    jwk: Jwk,
}

enum Private {
    P256(EcdsaKeyPair),
    Ed25519 {
        key: Ed25519KeyPair,
        /// What it is made of, to write it again; wiped with it.
        seed: Zeroizing<[u8; 32]>,
    },
    Rsa(RsaKeyPair),
}

impl KeyPair {
    /// A new P-256 key for ES256.
    ///
    /// # Errors
    /// [`CryptoError::Randomness`] if the operating system has none.
    pub fn generate_p256() -> Result<Self, CryptoError> {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map_err(|_| CryptoError::Randomness)?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)
            .map_err(|_| CryptoError::UnsupportedKey)?;
        KeyPair::new(Private::P256(key))
    }

    /// A new Ed25519 key.
    ///
    /// # Errors
    /// [`CryptoError::Randomness`] if the operating system has none.
    pub fn generate_ed25519() -> Result<Self, CryptoError> {
        let seed = Zeroizing::new(random_bytes::<32>()?);
        KeyPair::from_ed25519_seed(&seed)
    }

    /// The Ed25519 key of a seed: 32 bytes, the `d` of RFC 8037 section 2.
    ///
    /// # Errors
    /// [`CryptoError::UnsupportedKey`] if ring refuses it.
    pub fn from_ed25519_seed(seed: &[u8; 32]) -> Result<Self, CryptoError> {
        KeyPair::new(ed25519(seed).ok_or(CryptoError::UnsupportedKey)?)
    }

    /// The first private key in a PEM text: PKCS#8 with RSA, P-256 or Ed25519, or PKCS#1 (RSA).
    ///
    /// # Errors
    /// [`CryptoError::NoKey`] and [`CryptoError::UnsupportedKey`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, CryptoError> {
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| CryptoError::NoKey)?;
        let mut der = Zeroizing::new(der);
        let private = match &mut *der {
            PrivateKeyDer::Pkcs1(der) => from_pkcs1(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => from_pkcs8(der.secret_pkcs8_der()),
            _ => None,
        };
        KeyPair::new(private.ok_or(CryptoError::UnsupportedKey)?)
    }

    /// A private key in DER: PKCS#8 with RSA, P-256 or Ed25519 (versions 1 and 2), or PKCS#1 (RSA).
    ///
    /// # Errors
    /// [`CryptoError::UnsupportedKey`].
    pub fn from_der(der: &[u8]) -> Result<Self, CryptoError> {
        KeyPair::new(from_pkcs8(der).or_else(|| from_pkcs1(der)).ok_or(CryptoError::UnsupportedKey)?)
    }

    /// A private JWK: Ed25519 (RFC 8037 section 2) or RSA with all its numbers (RFC 7518 section 6.3.2). `kid` and `alg` are
    /// not looked at; one that is for something else than signing by its `use` or `key_ops` is refused.
    ///
    /// # Errors
    /// [`CryptoError::Jwk`] if it is not one, or its halves do not belong together; [`CryptoError::UnsupportedKey`] for other
    /// types and sizes.
    #[cfg(feature = "verify")]
    pub fn from_jwk(jwk: &serde_json::Value) -> Result<Self, CryptoError> {
        private_jwk::read(jwk)
    }

    /// The key as PKCS#8 version 1 in PEM (RFC 5208, RFC 8410 section 7), lines of 64 characters: what other libraries load.
    /// Whoever has this text has the key.
    ///
    /// # Errors
    /// [`CryptoError::NotWritable`] unless it is an Ed25519 key.
    pub fn to_pkcs8_pem(&self) -> Result<Secret, CryptoError> {
        let Private::Ed25519 { seed, .. } = &self.0.private else {
            return Err(CryptoError::NotWritable);
        };
        let mut der = Zeroizing::new([0_u8; 48]);
        let (prefix, tail) = der.split_at_mut(ED25519_PKCS8_V1.len());
        prefix.copy_from_slice(&ED25519_PKCS8_V1);
        tail.copy_from_slice(seed.as_slice());
        let mut pem = String::with_capacity(128);
        pem.push_str("-----BEGIN PRIVATE KEY-----\n");
        // 48 bytes are one line of 64 characters.
        STANDARD.encode_string(der.as_slice(), &mut pem);
        pem.push_str("\n-----END PRIVATE KEY-----\n");
        Ok(Secret::new(pem))
    }

    fn new(private: Private) -> Result<Self, CryptoError> {
        let jwk = match &private {
            Private::P256(key) => {
                // The uncompressed point: 4, x, y (SEC 1 section 2.3.3).
                let point = key.public_key().as_ref();
                let x = point.get(1..33).ok_or(CryptoError::UnsupportedKey)?;
                let y = point.get(33..65).ok_or(CryptoError::UnsupportedKey)?;
                Jwk::p256(x, y)
            }
            Private::Ed25519 { key, .. } => Jwk::ed25519(key.public_key().as_ref()),
            Private::Rsa(key) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(key.public());
                Jwk::rsa(&public.n, &public.e)
            }
        };
        Ok(KeyPair(Arc::new(Inner { private, jwk })))
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        match &self.0.private {
            Private::P256(_) => Algorithm::Es256,
            Private::Ed25519 { .. } => Algorithm::EdDsa,
            Private::Rsa(_) => Algorithm::Rs256,
        }
    }

    /// The public half, with `kid`, `alg` and `use`.
    pub fn public_jwk(&self) -> &Jwk {
        &self.0.jwk
    }

    /// The key id: the thumbprint of the public half (RFC 7638).
    pub fn key_id(&self) -> &str {
        self.0.jwk.key_id()
    }

    /// Signs the message: ES256 as the two numbers (RFC 7518 section 3.4), EdDSA, or RS256.
    ///
    /// # Errors
    /// [`CryptoError::Signing`]; not known to happen.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let random = SystemRandom::new();
        match &self.0.private {
            Private::P256(key) => match key.sign(&random, message) {
                Ok(signature) => Ok(signature.as_ref().to_vec()),
                Err(_) => Err(CryptoError::Signing),
            },
            Private::Ed25519 { key, .. } => Ok(key.sign(message).as_ref().to_vec()),
            Private::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| CryptoError::Signing)?;
                Ok(signature)
            }
        }
    }

    /// What it signs messages with; `None` for P-256, which signs tokens only.
    pub fn message_algorithm(&self) -> Option<MessageAlgorithm> {
        match &self.0.private {
            Private::P256(_) => None,
            Private::Ed25519 { .. } => Some(MessageAlgorithm::Ed25519),
            Private::Rsa(_) => Some(MessageAlgorithm::RsaPssSha512),
        }
    }

    /// Signs the base of an HTTP message (RFC 9421 section 3.1): Ed25519, or RSA-PSS with SHA-512.
    ///
    /// # Errors
    /// [`CryptoError::UnsupportedKey`] for P-256; [`CryptoError::Signing`], not known to happen.
    pub fn sign_message(&self, base: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match &self.0.private {
            Private::P256(_) => Err(CryptoError::UnsupportedKey),
            Private::Ed25519 { key, .. } => Ok(key.sign(base).as_ref().to_vec()),
            Private::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PSS_SHA512, &SystemRandom::new(), base, &mut signature)
                    .map_err(|_| CryptoError::Signing)?;
                Ok(signature)
            }
        }
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("algorithm", &self.algorithm().name())
            .field("key_id", &self.key_id())
            .finish_non_exhaustive()
    }
}

/// Whichever of the three kinds the PKCS#8 document holds. Version 1, without the public half, is read too.
fn from_pkcs8(der: &[u8]) -> Option<Private> {
    let random = SystemRandom::new();
    let rsa = || RsaKeyPair::from_pkcs8(der).ok().map(Private::Rsa);
    let p256 =
        || EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random).ok().map(Private::P256);
    rsa().or_else(p256).or_else(|| ed25519_from_pkcs8(der))
}

fn from_pkcs1(der: &[u8]) -> Option<Private> {
    RsaKeyPair::from_der(der).ok().map(Private::Rsa)
}

fn ed25519(seed: &[u8; 32]) -> Option<Private> {
    let key = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
    Some(Private::Ed25519 { key, seed: Zeroizing::new(*seed) })
}

/// What stands before the seed in PKCS#8 version 1 (RFC 8410 section 7).
const ED25519_PKCS8_V1: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// Version 1 or 2: ring reads both, and checks the public half if there is one. The seed stands at the same place in both.
fn ed25519_from_pkcs8(der: &[u8]) -> Option<Private> {
    let read = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?;
    let seed = der.get(ED25519_PKCS8_V1.len()..)?.first_chunk::<32>()?;
    let own = ed25519(seed)?;
    match &own {
        Private::Ed25519 { key, .. } if key.public_key().as_ref() == read.public_key().as_ref() => Some(own),
        _ => None,
    }
}

/// Bytes from the operating system's randomness.
#[cfg_attr(not(feature = "emulator"), allow(dead_code))] // the emulator and sealed stores draw more than keys
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| CryptoError::Randomness)?;
    Ok(bytes)
}

/// The bytes of a text in base64url, if it is that in its one right form: no padding, no blanks, no bits left over.
#[cfg(feature = "verify")]
pub(crate) fn from_base64url(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Base64url without padding (RFC 7515 section 2).
pub(crate) fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
        UnparsedPublicKey,
    };

    /// The first test key of the house: RSA, 2048 bits, made for these tests only.
    pub(crate) const RSA_PEM: &str = include_str!("../tests/vectors/test_rsa.pem");

    /// True if the compact JWS is signed by the key of the JWK.
    pub(crate) fn verifies(jws: &str, jwk: &serde_json::Value) -> bool {
        let (input, signature) = jws.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
        match jwk["kty"].as_str().unwrap() {
            "EC" => {
                let point = [vec![4], part("x"), part("y")].concat();
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
                signature.len() == 64 && key.verify(input.as_bytes(), &signature).is_ok()
            }
            "OKP" => UnparsedPublicKey::new(&ED25519, part("x")).verify(input.as_bytes(), &signature).is_ok(),
            _ => RsaPublicKeyComponents { n: part("n"), e: part("e") }
                .verify(&RSA_PKCS1_2048_8192_SHA256, input.as_bytes(), &signature)
                .is_ok(),
        }
    }

    #[test]
    fn each_kind_signs_what_its_public_half_verifies() {
        for (key, algorithm) in [
            (KeyPair::generate_p256().unwrap(), "ES256"),
            (KeyPair::generate_ed25519().unwrap(), "EdDSA"),
            (KeyPair::from_pem(RSA_PEM.as_bytes()).unwrap(), "RS256"),
        ] {
            assert_eq!(key.algorithm().to_string(), algorithm);
            let jws = sign_compact(&key, "at+jwt", &serde_json::json!({"a": 1})).unwrap();
            let jwk = key.public_jwk().to_json();
            assert!(verifies(&jws, &jwk), "{algorithm}");
            let other = jws.replacen('e', "f", 1);
            assert!(!verifies(&other, &jwk), "{algorithm}");
        }
    }

    #[test]
    fn keys_differ_and_do_not_print() {
        let (a, b) = (KeyPair::generate_p256().unwrap(), KeyPair::generate_p256().unwrap());
        assert_ne!(a.key_id(), b.key_id());
        let seed = KeyPair::from_ed25519_seed(&[7; 32]).unwrap();
        let shown = format!("{seed:?}");
        assert!(shown.contains("EdDSA") && shown.len() < 110, "{shown}");
    }

    #[test]
    fn what_is_no_key_says_so() {
        assert_eq!(KeyPair::from_pem(b"").unwrap_err(), CryptoError::NoKey);
        assert_eq!(
            KeyPair::from_pem(b"-----BEGIN CERTIFICATE-----\nAA==\n").unwrap_err(),
            CryptoError::NoKey
        );
        let broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(KeyPair::from_pem(broken.as_bytes()).unwrap_err(), CryptoError::UnsupportedKey);
    }

    #[test]
    fn pkcs8_without_the_public_half_is_read() {
        let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        der.extend([9; 32]);
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            base64::engine::general_purpose::STANDARD.encode(der)
        );
        let read = KeyPair::from_pem(pem.as_bytes()).unwrap();
        assert_eq!(read.key_id(), KeyPair::from_ed25519_seed(&[9; 32]).unwrap().key_id());
    }
}
