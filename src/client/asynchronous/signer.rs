//! Who signs, in the async mount.

use std::fmt;

use serde_json::Value;

use super::{Io, twin};
use crate::error::SignerError;

#[doc = twin!("Signs with one private key, wherever that lives.", "Signer")]
///
/// In this process (`aauth::AgentKey`), in a KMS or HSM, or in an implementation of Ed25519 of your own.
///
/// ```
/// use lumoauth::asynchronous::{Io, Signer};
/// use lumoauth::error::SignerError;
///
/// struct Hsm;
///
/// impl Signer for Hsm {
///     fn public_jwk(&self) -> serde_json::Value {
///         serde_json::json!({
///             "kty": "OKP", "crv": "Ed25519", "x": "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg", "use": "sig", "kid": "key-1",
///         })
///     }
///
///     fn sign<'a>(&'a self, base: &'a [u8]) -> Io<'a, Result<Vec<u8>, SignerError>> {
///         // Ask the device, within a time limit of yours.
///         Box::pin(async { Err(SignerError::new("the device does not answer")) })
///     }
/// }
/// ```
pub trait Signer: Send + Sync {
    /// The public half (RFC 7517): its required members, `kid`, and `use` of `sig`. What it signs with follows from it:
    /// Ed25519 (`OKP`), or RSA-PSS with SHA-512 and 64 bytes of salt (`RSA`).
    fn public_jwk(&self) -> Value;

    /// Signs these very bytes, once. Called for every attempt of every signed call; give its future a time limit, here it has
    /// none. Fails with a [`SignerError`]: the call ends with it, and nothing is sent.
    fn sign<'a>(&'a self, base: &'a [u8]) -> Io<'a, Result<Vec<u8>, SignerError>>;
}

impl fmt::Debug for dyn Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

#[cfg(feature = "aauth")]
#[cfg_attr(docsrs, doc(cfg(feature = "aauth")))]
impl Signer for crate::profile::AgentKey {
    fn public_jwk(&self) -> Value {
        crate::profile::AgentKey::public_jwk(self)
    }

    fn sign<'a>(&'a self, base: &'a [u8]) -> Io<'a, Result<Vec<u8>, SignerError>> {
        let signature =
            crate::profile::AgentKey::sign(self, base).map_err(|_| SignerError::new("the key refused"));
        Box::pin(std::future::ready(signature))
    }
}
