//! The value that makes a signature good for one use.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::InputError;

/// The shortest nonce, in characters: 12 bytes in base64url (`docs/wire.md`, aauth-nonce).
pub(crate) const SHORTEST: usize = 16;
/// The longest nonce that is read, in characters.
pub(crate) const LONGEST: usize = 128;

/// A nonce: base64url without padding, at least 12 bytes of it. It is public once sent, and must not be used twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// Of 16 random bytes. They must be unpredictable and never have been used.
    pub fn from_random(bytes: &[u8; 16]) -> Self {
        Nonce(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// A text that is one already.
    ///
    /// # Errors
    /// [`InputError`] if it has less than 16 or more than 128 characters, or others than those of base64url.
    pub fn parse(text: impl Into<String>) -> Result<Self, InputError> {
        let text = text.into();
        if is_nonce(&text) {
            Ok(Nonce(text))
        } else {
            Err(InputError::new(
                "nonce",
                "is not base64url of 16 to 128 characters (12 random bytes at least)",
            ))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// True for a text that can be a nonce.
pub(crate) fn is_nonce(text: &str) -> bool {
    (SHORTEST..=LONGEST).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
