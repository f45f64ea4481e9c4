//! Signatures that were taken already: whoever sends one again is refused.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::refusal::RequestError;
use super::spans::Spans;
use crate::time::{Now, Timestamp};

/// One use of a nonce by a key, to be reserved before the request is acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    thumbprint: String,
    nonce: String,
    created: Timestamp,
    keep: Duration,
}

impl Reservation {
    /// This nonce of this key, in a signature made at this time, for a receiver of this window.
    pub fn of(thumbprint: &str, nonce: &str, created: Timestamp, window: Duration) -> Self {
        // Made up to a window ahead of the receiver's clock, it stays fresh until a window after that; a second for rounding.
        let keep = window.saturating_mul(2).saturating_add(Duration::from_secs(1));
        Reservation { thumbprint: thumbprint.to_owned(), nonce: nonce.to_owned(), created, keep }
    }

    /// The thumbprint of the key that signed (RFC 7638).
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The nonce. Another key may use the same one.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// When the signature was made, by its maker's clock.
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// How long it must be remembered at least: as long as the signature could pass as fresh. Where several receivers share a store
    /// and their clocks differ, add the difference.
    pub fn keep(&self) -> Duration {
        self.keep
    }

    pub(crate) fn digest(&self) -> u128 {
        // A thumbprint is base64url, so the zero byte ends it. Half of the hash: a collision would refuse one request.
        let hash = Sha256::new()
            .chain_update(&self.thumbprint)
            .chain_update([0])
            .chain_update(&self.nonce)
            .finalize();
        hash.first_chunk::<16>().map_or(0, |half| u128::from_le_bytes(*half))
    }
}

/// What became of a reservation. A store that cannot tell must not say `First`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Nobody has used it: it is reserved now.
    First,
    /// It was used before, or is so old that this cannot be told any more: a replay.
    Again,
    /// There is no room to remember it, so it cannot be taken.
    Full,
}

impl Reserved {
    /// An error unless it is the first use.
    pub(super) fn first(self) -> Result<(), RequestError> {
        match self {
            Reserved::First => Ok(()),
            Reserved::Again => Err(RequestError::Replayed),
            Reserved::Full => Err(RequestError::Full),
        }
    }
}

/// Remembers nonces in this process' memory. Bounded: when it is full, nothing is taken until something is over.
///
/// Less than 60 bytes an entry. Whoever holds a key that an issuer vouches for can fill it, and then nobody is served until
/// something is over: bound how often one agent may call before that. Several processes that serve one resource need a
/// store that they share: a signature that one of them has taken would be taken by another as well.
pub struct MemoryReplayStore {
    entries: Mutex<Entries>,
    capacity: usize,
}

/// What is remembered, in two parts: when the older one can be forgotten, the younger one becomes the older. So an entry
/// stays between one and two times as long as it must, and costs its digest alone.
#[derive(Default)]
struct Entries {
    younger: HashSet<u128>,
    older: HashSet<u128>,
    /// When the signatures of each part, and those that were forgotten, were made.
    made: [Spans; 2],
    forgotten: Spans,
    /// When the younger part began, and when the last entry came, on the monotonic clock.
    began: Duration,
    last: Duration,
    /// The longest that an entry has asked to be kept.
    keep: Duration,
}

impl Entries {
    /// By the monotonic clock: a wall clock that jumps ahead and back must not make anything forgotten.
    fn forget(&mut self, now: Duration) {
        if now.saturating_sub(self.last) >= self.keep {
            self.younger.clear();
            self.older.clear();
            std::mem::take(&mut self.made).into_iter().for_each(|made| self.forgotten.absorb(made));
            self.began = now;
        } else if now.saturating_sub(self.began) >= self.keep {
            self.older = std::mem::take(&mut self.younger);
            let [younger, older] = std::mem::take(&mut self.made);
            self.forgotten.absorb(older);
            self.made = [Spans::default(), younger];
            self.began = now;
        }
    }

    fn len(&self) -> usize {
        self.younger.len().saturating_add(self.older.len())
    }
}

impl MemoryReplayStore {
    /// The most entries, if nothing else is said.
    pub const CAPACITY: usize = 1_000_000;

    /// For a million entries.
    pub fn new() -> Self {
        MemoryReplayStore::with_capacity(Self::CAPACITY)
    }

    /// For this many entries: more than requests arrive in four times the window (four minutes, if not set otherwise).
    pub fn with_capacity(capacity: usize) -> Self {
        MemoryReplayStore { entries: Mutex::default(), capacity }
    }

    /// Reserves, if nobody has: exactly one of any number of callers gets [`Reserved::First`].
    pub fn reserve(&self, reservation: &Reservation, now: &Now) -> Reserved {
        let digest = reservation.digest();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.forget(now.monotonic);
        // A wall clock that was set back makes old signatures fresh again, and they may be among those forgotten.
        let known = entries.younger.contains(&digest) || entries.older.contains(&digest);
        if known || entries.forgotten.contain(reservation.created) {
            return Reserved::Again;
        }
        if entries.len() >= self.capacity {
            return Reserved::Full;
        }
        entries.keep = entries.keep.max(reservation.keep);
        entries.last = now.monotonic;
        entries.younger.insert(digest);
        let [younger, _] = &mut entries.made;
        younger.add(reservation.created);
        Reserved::First
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// True if none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for MemoryReplayStore {
    fn default() -> Self {
        MemoryReplayStore::new()
    }
}

impl fmt::Debug for MemoryReplayStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryReplayStore({} of {})", self.len(), self.capacity)
    }
}
