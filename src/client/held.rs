//! Tokens that a client holds for others than itself, by what they are for.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::Error;
use crate::time::Now;
use crate::token::{AccessToken, Freshness, Held};

/// The most tokens held at once.
const CAPACITY: usize = 1024;
/// After a renewal that failed, while the token still is good.
const PAUSE: Duration = Duration::from_secs(10);
/// A bounded store of tokens: what is over goes, then whatever was put in first.
pub(super) struct HeldTokens<K> {
    tokens: Mutex<State<K>>,
}

struct State<K> {
    held: HashMap<K, Entry>,
    count: u64,
}

struct Entry {
    held: Held,
    number: u64,
    /// No renewal before this, on the monotonic clock: the last one failed.
    put_off: Duration,
}

impl<K> Default for HeldTokens<K> {
    fn default() -> Self {
        HeldTokens { tokens: Mutex::new(State { held: HashMap::new(), count: 0 }) }
    }
}

impl<K: Clone + Eq + Hash> HeldTokens<K> {
    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token, and whether it should be renewed; none that is over.
    pub(super) fn get(&self, key: &K, now: &Now) -> Option<(AccessToken, Freshness)> {
        let mut state = self.lock();
        let entry = state.held.get_mut(key)?;
        match entry.held.freshness(now) {
            Freshness::Expired => None,
            Freshness::Soft if now.monotonic >= entry.put_off => {
                Some((entry.held.token.clone(), Freshness::Soft))
            }
            _ => Some((entry.held.token.clone(), Freshness::Fresh)),
        }
    }

    /// Nobody needs to try to renew it for a while.
    pub(super) fn put_off(&self, key: &K, now: &Now) {
        if let Some(entry) = self.lock().held.get_mut(key) {
            entry.put_off = now.monotonic.saturating_add(PAUSE);
        }
    }

    /// Holds a token that was asked for at that time.
    pub(super) fn put(&self, key: K, token: &AccessToken, asked: &Now, now: &Now) {
        let mut state = self.lock();
        state.held.retain(|_, entry| entry.held.freshness(now) != Freshness::Expired);
        if state.held.len() >= CAPACITY && !state.held.contains_key(&key) {
            let oldest = state.held.iter().min_by_key(|(_, entry)| entry.number).map(|(key, _)| key.clone());
            oldest.and_then(|key| state.held.remove(&key));
        }
        state.count = state.count.saturating_add(1);
        let number = state.count;
        let held = Held::new(token.clone(), number, asked);
        state.held.insert(key, Entry { held, number, put_off: Duration::ZERO });
    }

    /// What came of fetching a token that was asked for at that time, while `current` was the one held. A renewal that fails
    /// for the moment takes nothing away from a token that is good.
    pub(super) fn settle(
        &self,
        key: K,
        current: Option<AccessToken>,
        fetched: Result<AccessToken, Error>,
        (asked, now): (&Now, &Now),
    ) -> Result<AccessToken, Error> {
        match (fetched, current) {
            (Ok(token), _) => {
                self.put(key, &token, asked, now);
                Ok(token)
            }
            (Err(error), Some(token)) if error.is_temporary() && self.get(&key, now).is_some() => {
                self.put_off(&key, now);
                Ok(token)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Drops every token but those whose key is kept.
    pub(super) fn retain(&self, keep: impl Fn(&K) -> bool) {
        self.lock().held.retain(|key, _| keep(key));
    }
}
