//! PKCE (RFC 7636) and the unguessable values of the consent flow.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::error::InputError;
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

    /// A verifier that was kept, or made elsewhere.
    ///
    /// # Errors
    /// [`InputError`] if it is none: 43 to 128 letters, digits and `-._~` (RFC 7636 section 4.1). A shorter one can be guessed.
    pub fn from_verifier(verifier: impl Into<Secret>) -> Result<Self, InputError> {
        let verifier = verifier.into();
        let text = verifier.expose();
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if (43..=128).contains(&text.len()) && text.bytes().all(unreserved) {
            return Ok(Pkce { verifier });
        }
        Err(InputError::new("verifier", "is not 43 to 128 letters, digits, and the signs - . _ ~"))
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
        let pkce = Pkce::from_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        assert_eq!(pkce.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_verifier_is_one_of_rfc_7636_section_4_1() {
        let kept =
            |text: String| Pkce::from_verifier(text.as_str()).map(|pkce| pkce.verifier().expose().to_owned());
        let every = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
        for good in ["a".repeat(43), "~".repeat(128), every.to_owned()] {
            assert_eq!(kept(good.clone()).unwrap(), good);
        }
        for length in [0, 1, 42, 129, 10_000] {
            assert!(kept("a".repeat(length)).is_err(), "{length}");
        }
        for odd in ["+", "/", "=", " ", "%", "\n", "\0", "\"", "é", "\u{202e}", "!", "*"] {
            assert!(kept(format!("{}{odd}", "a".repeat(43))).is_err(), "{odd:?}");
            assert!(kept(format!("{odd}{}", "a".repeat(50))).is_err(), "{odd:?}");
        }
        let error = Pkce::from_verifier("short-and-secret").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
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
