//! Private keys with their public halves.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA512, RsaKeyPair,
};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use super::algorithm::{Algorithm, MessageAlgorithm};
use super::bytes::random_bytes;
use super::error::CryptoError;
use super::jwk::Jwk;
use crate::secret::Secret;

/// A private key with its public half, parsed once. A clone shares the key.
///
/// `Debug` shows the algorithm and the key id, nothing else.
#[derive(Clone)]
pub struct KeyPair(Arc<Inner>);

pub(super) struct Inner {
    private: Private,
    jwk: Jwk,
}

pub(super) enum Private {
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

    pub(super) fn new(private: Private) -> Result<Self, CryptoError> {
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
