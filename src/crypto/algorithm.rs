//! What keys sign with.

use std::fmt;

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
