//! Public keys of others: read with every check that can be made at load, and the verification of signatures.
//!
//! `jsonwebtoken` gives the typed model of a JWK, after our strict JSON has refused keys given twice and `null`. It gives
//! nothing else: ring verifies, and the algorithm comes from the key and from settings, never from a token alone.

use std::fmt;

use jsonwebtoken::jwk::{self, AlgorithmParameters, EllipticCurve, KeyOperations, PublicKeyUse};
use ring::agreement::{self, ECDH_P256, ECDH_P384, EphemeralPrivateKey};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Algorithm, CryptoError, Jwk, MessageAlgorithm, from_base64url};

/// A public key that may verify signatures. It has passed every check of [`VerifyingKey::from_jwk`].
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    material: Material,
    key_id: Option<String>,
    algorithm: Option<Algorithm>,
}

#[derive(Clone, PartialEq, Eq)]
enum Material {
    Rsa(RsaNumbers),
    /// The uncompressed point (SEC 1 section 2.3.3).
    P256(Vec<u8>),
    /// As for P-256.
    P384(Vec<u8>),
    Ed25519([u8; 32]),
}

/// Modulus and exponent, big-endian without leading zeros (RFC 7518 section 6.3.1).
#[derive(Clone, PartialEq, Eq)]
struct RsaNumbers {
    n: Vec<u8>,
    e: Vec<u8>,
}

/// Why a JWK is not taken. It never repeats anything of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// Not a JWK: a member is missing or of another type (RFC 7517 section 4).
    #[error("it is not a JWK: a member is missing or of another type")]
    Malformed,
    /// A value is not base64url in its shortest form (RFC 7518 section 6.3.1), or of another length.
    #[error("a value is not base64url in its one right form and length")]
    Encoding,
    /// A key type, curve or algorithm that is not supported here.
    #[error("its type, curve or algorithm is not supported")]
    Unsupported,
    /// A symmetric key: whoever can verify with it can sign with it (RFC 8725 section 3.5).
    #[error("it is symmetric")]
    Symmetric,
    /// The private half is in it: the key is nobody's secret any more (RFC 7518 sections 6.2.2 and 6.3.2).
    #[error("its private half is in it")]
    Private,
    /// It is for something else: `use` is not `sig`, or `key_ops` has no `verify` (RFC 7517 sections 4.2 and 4.3).
    #[error("it is not for verifying signatures")]
    OtherUse,
    /// RSA with less than 2048 or more than 8192 bits, or with an even modulus (RFC 7518 section 3.3).
    #[error("its RSA modulus is weak: 2048 to 8192 bits are taken")]
    WeakModulus,
    /// RSA with a modulus of the broken generator of CVE-2017-15361 ("ROCA"): the private half can be computed from it.
    #[error("its RSA modulus was made by a broken generator")]
    BrokenGenerator,
    /// RSA with an exponent that is 1, even or beyond 33 bits.
    #[error("its RSA exponent is weak")]
    WeakExponent,
    /// A point that is not on its curve, P-256 or P-384.
    #[error("its point is not on the curve")]
    OffCurve,
    /// An Ed25519 point of small order, or written in another than its one right form (RFC 8032 section 5.1.3).
    #[error("its point is of small order or not in canonical form")]
    WeakPoint,
    /// Another key of the set has the same `kid` and fits the same algorithms (RFC 7517 section 4.5).
    #[error("another key has the same kid and fits the same algorithms")]
    SameId,
    /// The operating system gave no randomness, which the check of a point needs.
    #[error("it could not be checked: the operating system gave no randomness")]
    Randomness,
}

/// The members that say what a key is and what it is for.
const MEMBERS: [&str; 10] = ["kty", "use", "key_ops", "alg", "kid", "crv", "n", "e", "x", "y"];

fn owned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

impl VerifyingKey {
    /// Reads a public JWK (RFC 7517, RFC 7518 section 6, RFC 8037 section 2) and checks it.
    ///
    /// RSA takes 2048 to 8192 bits and an odd exponent from 3; P-256 and P-384 points must be on the curve; Ed25519 points must be
    /// in canonical form and not of small order. Whether 32 bytes are a point of Ed25519 at all cannot be asked of ring
    /// at load; it refuses such a key at every verification.
    ///
    /// # Errors
    /// [`KeyFault`], the first that is found.
    pub fn from_jwk(value: &Value) -> Result<Self, KeyFault> {
        let members = value.as_object().ok_or(KeyFault::Malformed)?;
        let kty = members.get("kty").and_then(Value::as_str).ok_or(KeyFault::Malformed)?;
        if kty == "oct" || members.contains_key("k") {
            return Err(KeyFault::Symmetric);
        }
        if ["d", "p", "q", "dp", "dq", "qi", "oth"].iter().any(|name| members.contains_key(*name)) {
            return Err(KeyFault::Private);
        }
        // What says nothing of how the key is used is not looked at: certificates, and members that nobody knows.
        let members: Map<String, Value> =
            members.iter().filter(|(name, _)| MEMBERS.contains(&name.as_str())).map(owned).collect();
        // The typed model reads `null` as absent; here malformed is never absent.
        if members.values().any(Value::is_null) {
            return Err(KeyFault::Malformed);
        }
        let jwk = jwk::Jwk::deserialize(&members).map_err(|_| KeyFault::Malformed)?;
        let common = &jwk.common;
        if common.public_key_use.as_ref().is_some_and(|own| *own != PublicKeyUse::Signature)
            || common.key_operations.as_ref().is_some_and(|own| !own.contains(&KeyOperations::Verify))
        {
            return Err(KeyFault::OtherUse);
        }
        let algorithm = members.get("alg").map(algorithm).transpose()?;
        let material = match &jwk.algorithm {
            AlgorithmParameters::RSA(key) => rsa(&key.n, &key.e)?,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                Material::P256(point(&ECDH_P256, 32, &key.x, &key.y)?)
            }
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => {
                Material::P384(point(&ECDH_P384, 48, &key.x, &key.y)?)
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => ed25519(&key.x)?,
            // A key of a known type that does not fit its own model ends here as well.
            AlgorithmParameters::Other(_) if known(kty, &members) => return Err(KeyFault::Malformed),
            _ => return Err(KeyFault::Unsupported),
        };
        let key = VerifyingKey { material, key_id: common.key_id.clone(), algorithm };
        match key.algorithm {
            Some(algorithm) if !key.fits(algorithm) => Err(KeyFault::Unsupported),
            _ => Ok(key),
        }
    }

    /// `kid`.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// `alg`, if the key is for one algorithm only (RFC 7517 section 4.4).
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// True if both are the same key, whatever its id and the algorithm that it is for.
    pub(crate) fn is_same_key(&self, other: &VerifyingKey) -> bool {
        self.material == other.material
    }

    /// True if the key may be used with the algorithm: by its type, and by its own `alg`.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        let by_type = match self.material {
            Material::Rsa(_) => rsa_parameters(algorithm).is_some(),
            Material::P256(_) => algorithm == Algorithm::Es256,
            Material::P384(_) => algorithm == Algorithm::Es384,
            Material::Ed25519(_) => algorithm == Algorithm::EdDsa,
        };
        by_type && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// The key as a JWK of its required members, with the thumbprint (RFC 7638) as its id.
    pub fn to_jwk(&self) -> Jwk {
        match &self.material {
            Material::Rsa(key) => Jwk::rsa(&key.n, &key.e),
            Material::P256(point) => {
                let (x, y) = point.get(1..).unwrap_or_default().split_at_checked(32).unwrap_or_default();
                Jwk::p256(x, y)
            }
            Material::P384(point) => {
                let (x, y) = point.get(1..).unwrap_or_default().split_at_checked(48).unwrap_or_default();
                Jwk::p384(x, y)
            }
            Material::Ed25519(point) => Jwk::ed25519(point),
        }
    }

    /// Verifies a signature: RSASSA-PKCS1-v1_5 and RSASSA-PSS (RFC 7518 sections 3.3 and 3.5), ECDSA on P-256 and P-384 as
    /// the two numbers (section 3.4), Ed25519 (RFC 8037 section 3.1) with the strictness of RFC 8032 section 5.1.7.
    ///
    /// # Errors
    /// [`CryptoError::Signature`] if it does not verify, or the key is not for the algorithm.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        if !self.fits(algorithm) {
            return Err(CryptoError::Signature);
        }
        let verified = match &self.material {
            Material::Rsa(RsaNumbers { n, e }) => {
                let parameters = rsa_parameters(algorithm).ok_or(CryptoError::Signature)?;
                PublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Material::P384(point) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, signature)
            }
            Material::Ed25519(point) => return verify_ed25519(point, message, signature),
        };
        verified.map_err(|_| CryptoError::Signature)
    }

    /// What an HTTP message of this key must be signed with; `None` if the key cannot sign messages: its type is not for it,
    /// or its `alg` says otherwise.
    pub fn message_algorithm(&self) -> Option<MessageAlgorithm> {
        match (&self.material, self.algorithm) {
            (Material::Ed25519(_), _) => Some(MessageAlgorithm::Ed25519),
            (Material::Rsa(_), None | Some(Algorithm::Ps512)) => Some(MessageAlgorithm::RsaPssSha512),
            _ => None,
        }
    }

    /// Verifies the signature of an HTTP message (RFC 9421 section 3.2) over its base. The algorithm follows the key:
    /// Ed25519 with the strictness of RFC 8032 section 5.1.7, or RSA-PSS with SHA-512 and 64 bytes of salt.
    ///
    /// # Errors
    /// [`CryptoError::Signature`] if it does not verify, or the key cannot sign messages.
    pub fn verify_message(&self, base: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        match (&self.material, self.message_algorithm()) {
            (Material::Ed25519(point), Some(MessageAlgorithm::Ed25519)) => {
                verify_ed25519(point, base, signature)
            }
            (Material::Rsa(RsaNumbers { n, e }), Some(MessageAlgorithm::RsaPssSha512)) => {
                PublicKeyComponents { n, e }
                    .verify(&RSA_PSS_2048_8192_SHA512, base, signature)
                    .map_err(|_| CryptoError::Signature)
            }
            _ => Err(CryptoError::Signature),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.material {
            Material::Rsa(_) => "RSA",
            Material::P256(_) => "P-256",
            Material::P384(_) => "P-384",
            Material::Ed25519(_) => "Ed25519",
        };
        f.debug_struct("VerifyingKey")
            .field("kind", &kind)
            .field("key_id", &self.key_id)
            .field("algorithm", &self.algorithm)
            .finish()
    }
}

fn verify_ed25519(point: &[u8; 32], message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
    match signature.first_chunk::<32>() {
        Some(commitment) if !is_weak(commitment) => UnparsedPublicKey::new(&ED25519, point)
            .verify(message, signature)
            .map_err(|_| CryptoError::Signature),
        _ => Err(CryptoError::Signature),
    }
}

/// How RSA verifies; `None` for algorithms of other types.
fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => None,
    }
}

/// The `alg` of a key. The typed model knows too few of them.
fn algorithm(value: &Value) -> Result<Algorithm, KeyFault> {
    match value.as_str().ok_or(KeyFault::Malformed)? {
        "HS256" | "HS384" | "HS512" => Err(KeyFault::Symmetric),
        "RSA1_5" | "RSA-OAEP" | "RSA-OAEP-256" => Err(KeyFault::OtherUse),
        name => Algorithm::named(name).ok_or(KeyFault::Unsupported),
    }
}

/// True for the types and curves that are supported.
fn known(kty: &str, members: &Map<String, Value>) -> bool {
    match members.get("crv") {
        None | Some(Value::String(_)) => {}
        Some(_) => return true,
    }
    let curve = members.get("crv").and_then(Value::as_str);
    match kty {
        "RSA" => true,
        "EC" => matches!(curve, None | Some("P-256" | "P-384")),
        "OKP" => matches!(curve, None | Some("Ed25519")),
        _ => false,
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, KeyFault> {
    from_base64url(text).ok_or(KeyFault::Encoding)
}

fn rsa(n: &str, e: &str) -> Result<Material, KeyFault> {
    let (n, e) = (bytes(n)?, bytes(e)?);
    let (Some(&n_first), Some(&n_last), Some(&e_first), Some(&e_last)) =
        (n.first(), n.last(), e.first(), e.last())
    else {
        return Err(KeyFault::Encoding);
    };
    if n_first == 0 || e_first == 0 {
        return Err(KeyFault::Encoding);
    }
    let bits = n.len().saturating_mul(8).saturating_sub(n_first.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) || n_last & 1 == 0 {
        return Err(KeyFault::WeakModulus);
    }
    // ring takes exponents up to 33 bits.
    let long = e.len() > 5 || (e.len() == 5 && e_first > 1);
    if long || e_last & 1 == 0 || e.as_slice() == [1] {
        return Err(KeyFault::WeakExponent);
    }
    if is_roca(&n) {
        return Err(KeyFault::BrokenGenerator);
    }
    Ok(Material::Rsa(RsaNumbers { n, e }))
}

/// True for a modulus that is a power of 65537 modulo each of these primes: moduli of CVE-2017-15361 are, others are with
/// a probability of about 2^-27 (Nemec and others, "The Return of Coppersmith's Attack", section 2.3).
fn is_roca(n: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101,
        103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    let modulo = |value: u32, prime: u32| value.checked_rem(prime).unwrap_or_default();
    PRIMES.iter().all(|&prime| {
        let digit =
            |rest: u32, byte: &u8| modulo(rest.wrapping_mul(256).wrapping_add(u32::from(*byte)), prime);
        let rest = n.iter().fold(0, digit);
        let next = |power: &u32| Some(modulo(power.wrapping_mul(65537), prime));
        // A power repeats after less than `prime` steps.
        std::iter::successors(Some(1), next).take(prime as usize).any(|power| power == rest)
    })
}

/// The uncompressed point of two coordinates of that many bytes, if it is on the curve.
fn point(curve: &'static agreement::Algorithm, length: usize, x: &str, y: &str) -> Result<Vec<u8>, KeyFault> {
    let (x, y) = (bytes(x)?, bytes(y)?);
    if x.len() != length || y.len() != length {
        return Err(KeyFault::Encoding);
    }
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    // ring has no call that only looks whether a point is on the curve; a key agreement looks before it does anything.
    let own = EphemeralPrivateKey::generate(curve, &SystemRandom::new()).map_err(|_| KeyFault::Randomness)?;
    let peer = agreement::UnparsedPublicKey::new(curve, &point);
    agreement::agree_ephemeral(own, &peer, |_| ()).map_err(|_| KeyFault::OffCurve)?;
    Ok(point)
}

fn ed25519(x: &str) -> Result<Material, KeyFault> {
    let point: [u8; 32] = bytes(x)?.try_into().map_err(|_| KeyFault::Encoding)?;
    if is_weak(&point) { Err(KeyFault::WeakPoint) } else { Ok(Material::Ed25519(point)) }
}

/// The heights (y) of the eight points of small order, little-endian without the sign bit of x.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    {
        let mut minus_one = [0xff; 32];
        minus_one[0] = 0xec;
        minus_one[31] = 0x7f;
        minus_one
    },
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// True for a point of small order, and for a height that is not below the field's prime 2^255 - 19.
fn is_weak(point: &[u8; 32]) -> bool {
    let mut height = *point;
    if let Some(last) = height.last_mut() {
        *last &= 0x7f;
    }
    if SMALL_ORDER.contains(&height) {
        return true;
    }
    let [low, middle @ .., high] = height;
    high == 0x7f && middle.iter().all(|byte| *byte == 0xff) && low >= 0xed
}
