//! The keys that tokens are signed with: one signs now, others did or will, and all of them verify.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::crypto::{CryptoError, Jwk, JwkSet, KeyPair};

/// The keys of the service.
pub(crate) struct Keys {
    signs: Arc<KeyPair>,
    next: VecDeque<Arc<KeyPair>>,
    before: Vec<Arc<KeyPair>>,
}

impl Keys {
    /// The first key signs; the others are published and sign after it.
    pub(crate) fn new(signs: KeyPair, next: Vec<KeyPair>) -> Self {
        Keys { signs: Arc::new(signs), next: next.into_iter().map(Arc::new).collect(), before: Vec::new() }
    }

    /// The key that signs.
    pub(crate) fn signing(&self) -> Arc<KeyPair> {
        Arc::clone(&self.signs)
    }

    /// Every key that verifies: the one that signs first.
    pub(crate) fn public(&self) -> JwkSet {
        JwkSet::new(self.all().map(|key| key.public_jwk().clone()))
    }

    /// What the keys are for, each algorithm once.
    pub(crate) fn algorithms(&self) -> Vec<&'static str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.all().map(|key| Jwk::algorithm(key.public_jwk()).name()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Signs with the next key; a new one if there is none. The one before goes on to verify.
    pub(crate) fn rotate(&mut self) -> Result<(), CryptoError> {
        let next = match self.next.pop_front() {
            Some(next) => next,
            None => Arc::new(KeyPair::generate_p256()?),
        };
        self.before.push(std::mem::replace(&mut self.signs, next));
        Ok(())
    }

    /// The keys that signed before verify no more.
    pub(crate) fn retire(&mut self) {
        self.before.clear();
    }

    fn all(&self) -> impl Iterator<Item = &Arc<KeyPair>> {
        std::iter::once(&self.signs).chain(&self.next).chain(&self.before)
    }
}
