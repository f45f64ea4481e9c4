//! PKCE (RFC 7636) and the unguessable values of the consent flow.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::secret::Secret;
use crate::time::Now;

/// The secret half of a PKCE pair. There is no way to go without S256.
#[derive(Clone, PartialEq, Eq)]
pub struct Pkce {
    verifier: Secret,
}

impl Pkce {
    /// A verifier of 256 random bits (RFC 7636 section 4.1), drawn from `now`. Use a [`Now`] for one purpose only.
    pub fn new(now: &Now) -> Self {
        Pkce { verifier: Secret::new(derive("pkce", now)) }
    }

    /// A verifier that was kept.
    pub fn from_verifier(verifier: impl Into<Secret>) -> Self {
        Pkce { verifier: verifier.into() }
    }

    /// The verifier, for the token request.
    pub fn verifier(&self) -> &Secret {
        &self.verifier
    }

    /// The challenge, for the authorization request; its method is S256 (RFC 7636 section 4.2).
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.expose().as_bytes()))
    }
}

impl fmt::Debug for Pkce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pkce { verifier } = self;
        f.debug_struct("Pkce").field("verifier", verifier).finish()
    }
}

/// 256 bits for one purpose, from the random bytes of a moment: several values may come from one moment, and knowing
/// one of them does not help to guess another.
pub(crate) fn derive(purpose: &str, now: &Now) -> String {
    URL_SAFE_NO_PAD.encode(digest(purpose, now))
}

/// 128 bits for one purpose, in the same way.
pub(crate) fn derive_bytes(purpose: &str, now: &Now) -> [u8; 16] {
    let digest = digest(purpose, now);
    std::array::from_fn(|at| digest.get(at).copied().unwrap_or_default())
}

fn digest(purpose: &str, now: &Now) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"lumoauth ");
    hash.update(purpose.as_bytes());
    hash.update([0]);
    hash.update(now.random);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use std::time::Duration;

    #[test]
    fn the_example_of_rfc_7636_appendix_b() {
        let pkce = Pkce::from_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(pkce.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn purposes_are_apart_and_lengths_are_right() {
        let now = Now::new(Timestamp::from_unix(1), Duration::ZERO, [3; 32]);
        let pkce = Pkce::new(&now);
        assert_eq!(pkce.verifier().expose().len(), 43);
        assert_ne!(pkce.verifier().expose(), derive("state", &now));
        assert!(!format!("{pkce:?}").contains(pkce.verifier().expose()));
    }
}
