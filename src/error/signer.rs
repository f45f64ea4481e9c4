//! Why a message could not be signed.

/// Why there is no signature. No text of it repeats anything of the key or of what was to be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The driver has no signer.
    #[error("there is no key to sign with: give the builder a signer")]
    NoSigner,
    /// What came back is no signature: it is empty, or longer than 1 KiB.
    #[error("the signer gave back what cannot be a signature")]
    BadSignature,
    /// What a signer says.
    #[error("the signature could not be made: {0}")]
    Signer(&'static str),
}

impl SignerError {
    /// For signers of your own. The words are fixed, so that nothing secret can be among them.
    pub const fn new(problem: &'static str) -> Self {
        SignerError::Signer(problem)
    }
}
