//! Why a key cannot be made or used.

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
