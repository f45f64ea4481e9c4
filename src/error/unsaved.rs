//! Tokens of a user that were obtained and could not be saved: handed out, and never shown.

use std::fmt;

use crate::secret::Secret;

/// Tokens of a user that a store did not take. The client that obtained them keeps them, and saves or revokes them at its next
/// call for the session; a program that ends before that can save or revoke them itself.
///
/// It prints nothing of them.
#[derive(Clone)]
pub struct Unsaved {
    access: Secret,
    refresh: Option<Secret>,
}

impl Unsaved {
    pub(crate) fn new(access: Secret, refresh: Option<Secret>) -> Self {
        Unsaved { access, refresh }
    }

    /// The access token.
    pub fn access(&self) -> &Secret {
        &self.access
    }

    /// The refresh token, if there is one. It must not be lost: nobody else has it.
    pub fn refresh(&self) -> Option<&Secret> {
        self.refresh.as_ref()
    }
}

impl fmt::Debug for Unsaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unsaved(..)")
    }
}
