//! The secret of sessions: refused if it can be guessed.

use super::ConfigError;
use crate::secret::Secret;

/// The shortest, in bytes.
const SHORTEST: usize = 32;

impl ConfigError {
    /// Refuses one that can be guessed.
    pub(crate) fn of_session_secret(secret: &Secret) -> Result<(), Self> {
        if secret.expose().len() < SHORTEST {
            let problem = "has fewer than 32 bytes, which can be guessed: take 32 random ones, such as `openssl rand -base64 32` gives";
            return Err(ConfigError::BadText { setting: "session_secret", problem });
        }
        Ok(())
    }
}
