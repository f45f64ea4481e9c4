//! Records that nobody can read who has the store: sealed, and under names that say nothing.

use std::fmt;

use zeroize::Zeroizing;

use super::{Prefix, Record, Shelf, StoreKey};
use crate::crypto::naming::Naming;
use crate::crypto::sealing::{Sealing, hkdf_sha256};
use crate::crypto::{CryptoError, base64url};
use crate::error::{InputError, StoreError};
use crate::secret::Secret;

/// The first byte of every sealed record.
const FORMAT: u8 = 1;
/// What the associated data of every sealed record begins with.
const ABOUT: &[u8] = b"lumoauth sealed record 1";
/// The salt of keys that are derived from a secret.
const SALT: &[u8] = b"lumoauth store";

/// A key that seals records, with an id that stands in each record.
///
/// 32 bytes from a good source, such as your platform's vault. Take another one before 2^32 records were sealed with it
/// (more than a year of a hundred a second). ring keeps what it made of the key in memory until it is dropped, and does not
/// wipe that.
pub struct SealingKey {
    id: String,
    key: Sealing,
}

impl SealingKey {
    /// This key under this id, which is not secret: a date, a number.
    ///
    /// # Errors
    /// [`InputError`] if the id is empty or has more than 64 bytes.
    pub fn new(id: impl Into<String>, key: &[u8; 32]) -> Result<Self, InputError> {
        let id = id.into();
        if id.is_empty() || id.len() > 64 {
            return Err(InputError::new("id", "must have 1 to 64 bytes"));
        }
        let key = Sealing::new(key).map_err(|_| InputError::new("key", "cannot be used"))?;
        Ok(SealingKey { id, key })
    }

    /// The key that a secret and a purpose give (HKDF, RFC 5869). The secret must be one that nobody can guess, as a
    /// client's secret is: a password is none.
    ///
    /// # Errors
    /// As [`SealingKey::new`].
    pub fn derived(id: impl Into<String>, secret: &Secret, purpose: &str) -> Result<Self, InputError> {
        SealingKey::new(id, &*derived("sealing", secret, purpose)?)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The key by which names become texts that say nothing. It stays when sealing keys are changed: with another one nothing
/// is found any more.
pub struct NameKey(Naming);

impl NameKey {
    /// This key: 32 bytes from a good source, and not a sealing key's.
    pub fn new(key: &[u8; 32]) -> Self {
        NameKey(Naming::new(key))
    }

    /// The key that a secret and a purpose give (HKDF, RFC 5869), as with [`SealingKey::derived`].
    ///
    /// # Errors
    /// [`InputError`] if none can be made.
    pub fn derived(secret: &Secret, purpose: &str) -> Result<Self, InputError> {
        Ok(NameKey::new(&*derived("names", secret, purpose)?))
    }

    fn segment(&self, shelf: Shelf, segment: &str) -> String {
        base64url(&self.0.of(&[shelf.name().as_bytes(), b"\0", segment.as_bytes()]))
    }
}

impl fmt::Debug for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameKey")
    }
}

fn derived(kind: &str, secret: &Secret, purpose: &str) -> Result<Zeroizing<[u8; 32]>, InputError> {
    let purpose = [kind.as_bytes(), b"\0", purpose.as_bytes()];
    hkdf_sha256(secret.expose().as_bytes(), SALT, &purpose)
        .map_err(|_| InputError::new("secret", "gives no key"))
}

/// Any store, with all that it keeps sealed (AES-256-GCM).
///
/// Whoever reads the store finds no secret and no name: each segment of a key stands there as HMAC-SHA-256 under the
/// [`NameKey`], so that equal segments are seen to be equal and nothing else. The record is bound to its key and to the id of
/// the sealing key; the plain key is inside of it. How long records are, and when they change, is seen.
///
/// **Not noticed** is an old record that whoever can write the store puts back, nor one that is removed: a version is the store's
/// to give, and cannot be bound. That can bring back a refresh token that was used, which the service then refuses.
///
/// To change the sealing key, give the new one first and the old one to [`SealedStore::opens_too`]: what is saved from then on is
/// sealed with the new one. When all that was sealed with the old one is over or saved again, leave it out.
///
/// [`keys`](super::Store::keys) opens the records that it names, and fails with [`StoreError::corrupt`] if it cannot.
///
/// ```
/// # #[cfg(feature = "blocking")] {
/// use std::time::Duration;
/// use lumoauth::store::{MemoryStore, NameKey, SealedStore, SealingKey, Shelf, Store, StoreKey};
///
/// # let (names, key) = ([1; 32], [2; 32]);
/// let store = SealedStore::new(MemoryStore::new(), NameKey::new(&names), SealingKey::new("2026-11", &key)?);
/// let (session, within) = (StoreKey::new(Shelf::Sessions, ["alice"]), Duration::from_secs(1));
/// store.save_if(&session, None, b"secret", None, within)?.ok_or("there is one already")?;
/// assert_eq!(store.load(&session, within)?.ok_or("it is gone")?.bytes(), b"secret");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SealedStore<S> {
    pub(super) inner: S,
    names: NameKey,
    first: SealingKey,
    second: Option<SealingKey>,
}

impl<S> SealedStore<S> {
    /// Around this store.
    pub fn new(inner: S, names: NameKey, key: SealingKey) -> Self {
        SealedStore { inner, names, first: key, second: None }
    }

    /// Records that were sealed with this key are opened too. There may be one; the last one given counts.
    pub fn opens_too(self, older: SealingKey) -> Self {
        SealedStore { second: Some(older), ..self }
    }

    /// Under which key the inner store has it.
    pub(super) fn outer(&self, key: &StoreKey) -> StoreKey {
        let shelf = key.shelf();
        let segments = key.segments();
        StoreKey::new(shelf, segments.iter().map(|segment| self.names.segment(shelf, segment)))
    }

    pub(super) fn outer_prefix(&self, prefix: &Prefix) -> Prefix {
        let shelf = prefix.shelf();
        let segments = prefix.segments();
        Prefix::new(shelf, segments.iter().map(|segment| self.names.segment(shelf, segment)))
    }

    /// The record for the inner store: format, length of the id, id, nonce, sealed text. In that the plain key, a zero byte, and
    /// the bytes.
    pub(super) fn seal(&self, key: &StoreKey, outer: &StoreKey, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
        let id = self.first.id.as_bytes();
        let length = key.as_str().len().saturating_add(bytes.len()).saturating_add(1);
        let mut plain = Zeroizing::new(Vec::with_capacity(length));
        plain.extend_from_slice(key.as_str().as_bytes());
        plain.push(0);
        plain.extend_from_slice(bytes);
        let sealed = self.first.key.seal(&about(outer, id), &plain).map_err(|error| match error {
            CryptoError::Randomness => StoreError::unavailable("the operating system gave no randomness"),
            _ => StoreError::unavailable("the record could not be sealed"),
        })?;
        let id_length = u8::try_from(id.len()).unwrap_or_default();
        Ok([&[FORMAT, id_length][..], id, &sealed].concat())
    }

    /// The plain key and bytes of a record that the inner store has under this key.
    fn open(&self, outer: &StoreKey, record: &Record) -> Result<(StoreKey, Zeroizing<Vec<u8>>), StoreError> {
        let damaged = || StoreError::corrupt("a sealed record is damaged, or not for this key");
        let (head, rest) = record.bytes().split_first_chunk::<2>().ok_or_else(damaged)?;
        let [format, length] = *head;
        let (id, sealed) = rest.split_at_checked(length.into()).ok_or_else(damaged)?;
        if format != FORMAT {
            return Err(damaged());
        }
        let mut keys = [Some(&self.first), self.second.as_ref()].into_iter().flatten();
        let unknown = || StoreError::corrupt("a record is sealed with a key that was not given");
        let key = keys.find(|key| key.id.as_bytes() == id).ok_or_else(unknown)?;
        let plain = key.key.open(&about(outer, id), sealed).ok_or_else(damaged)?;
        let mut parts = plain.splitn(2, |byte| *byte == 0);
        let (Some(text), Some(bytes)) = (parts.next(), parts.next()) else { return Err(damaged()) };
        let text = std::str::from_utf8(text).map_err(|_| damaged())?;
        Ok((StoreKey::from_text(outer.shelf(), text), Zeroizing::new(bytes.to_vec())))
    }

    pub(super) fn opened(
        &self,
        key: &StoreKey,
        outer: &StoreKey,
        record: Option<Record>,
    ) -> Result<Option<Record>, StoreError> {
        let Some(record) = record else { return Ok(None) };
        let (named, bytes) = self.open(outer, &record)?;
        if named != *key {
            return Err(StoreError::corrupt("a sealed record is of another key"));
        }
        Ok(Some(Record::new(bytes.as_slice(), record.version())))
    }

    /// The plain key of a record, for a list.
    pub(super) fn named(&self, outer: &StoreKey, record: &Record) -> Result<StoreKey, StoreError> {
        self.open(outer, record).map(|(key, _)| key)
    }
}

/// What a sealed record is bound to.
fn about(outer: &StoreKey, id: &[u8]) -> Vec<u8> {
    [ABOUT, b"\0", outer.shelf().name().as_bytes(), b"\0", outer.as_str().as_bytes(), b"\0", id].concat()
}

impl<S: fmt::Debug> fmt::Debug for SealedStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedStore")
            .field("inner", &self.inner)
            .field("first", &self.first)
            .field("second", &self.second)
            .finish_non_exhaustive()
    }
}
