//! What the service said of tokens a moment ago: few, for a short time, and only if it was asked for.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::token::VerifiedToken;
use crate::secret::Secret;
use crate::session::keep::{Freshness, Life};
use crate::time::Now;

/// The most tokens that are remembered.
const CAPACITY: usize = 1024;
/// The longest that one is: revocation is seen after this at the latest.
pub(super) const LONGEST: Duration = Duration::from_secs(60);

/// Tokens that the service called valid, by their digests.
pub(super) struct Remembered {
    age: Duration,
    tokens: Mutex<HashMap<[u8; 32], (VerifiedToken, Life)>>,
}

impl Remembered {
    pub(super) fn new(age: Duration) -> Self {
        Remembered { age: age.min(LONGEST), tokens: Mutex::default() }
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<[u8; 32], (VerifiedToken, Life)>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, token: &Secret, now: &Now) -> Option<VerifiedToken> {
        if self.age.is_zero() {
            return None;
        }
        let mut tokens = self.tokens();
        let (verified, life) = tokens.get_mut(&digest(token))?;
        (life.freshness(now) == Freshness::Fresh).then(|| verified.clone())
    }

    /// Keeps it if there is room: a crowd of new tokens costs requests, never memory.
    pub(super) fn keep(&self, token: &Secret, verified: &VerifiedToken, now: &Now) {
        if self.age.is_zero() {
            return;
        }
        let mut tokens = self.tokens();
        if tokens.len() >= CAPACITY {
            tokens.retain(|_, (_, life)| life.freshness(now) == Freshness::Fresh);
        }
        if tokens.len() < CAPACITY {
            tokens.insert(digest(token), (verified.clone(), Life::between(self.age, self.age, now)));
        }
    }
}

fn digest(token: &Secret) -> [u8; 32] {
    Sha256::digest(token.expose().as_bytes()).into()
}
