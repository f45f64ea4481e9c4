//! Identifiers, codes and tokens that nobody can guess.

use sha2::{Digest, Sha256};

use crate::crypto::base64url;
use crate::secret::Secret;
use crate::time::hex;

/// Makes identifiers that nobody can guess, from a seed made at the start and a counter.
pub(crate) struct Ids {
    seed: [u8; 32],
    counter: u64,
}

impl Ids {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Ids { seed, counter: 0 }
    }

    /// `prefix` and 16 hexadecimal digits.
    pub(crate) fn next(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", hex(self.bytes().get(..8).unwrap_or_default()))
    }

    /// `prefix` and 256 bits: codes and tokens.
    pub(crate) fn secret(&mut self, prefix: &str) -> Secret {
        Secret::new(format!("{prefix}{}", base64url(&self.bytes())))
    }

    /// Bytes that nobody can guess and that do not repeat.
    pub(crate) fn bytes(&mut self) -> [u8; 32] {
        self.counter = self.counter.saturating_add(1);
        Sha256::new().chain_update(self.seed).chain_update(self.counter.to_be_bytes()).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_do_not_repeat() {
        let mut ids = Ids::new([1; 32]);
        let (a, b) = (ids.next("aud_"), ids.next("aud_"));
        assert_ne!(a, b);
        assert_eq!(a.len(), 20);
        assert_ne!(a, Ids::new([2; 32]).next("aud_"));
    }
}
