//! Records in private files that several processes share.

mod folder;
mod states;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use self::folder::{BEGUN, Owner};
use self::states::{Content, State, TRIES, busy, failed, names};
use super::clock::Clock;
use super::workers::{Job, Workers};
use super::{Page, Prefix, Record, StoreKey, Version};
use crate::error::StoreError;

/// How many keys are on a page, and how many records are looked at for it.
const PAGE: usize = 100;
const LOOKS: usize = 1_000;
/// How many other records a new one looks after.
const SWEPT: usize = 4;

/// Keeps records in files, for all processes of one user on one machine.
///
/// The folder and every file are for this user alone. A folder that belongs to somebody else, or that others may look
/// into, is refused; so is a file. Records lie there as they are: put a `SealedStore` around it where the disk is not to be
/// trusted, or its backups.
///
/// No lock is held, so a process that dies leaves none behind. A record that is saved is on the disk. Files that hang, as
/// on a network, end a call when its time is over; at most eight threads wait for them.
///
/// How long a record is kept is measured by the wall clock, which processes share: set ahead, it ends records early.
/// The file system must have hard links, and times that are right to a minute. Use one folder for one purpose. A record has
/// 32 MiB at most.
///
/// ```
/// # #[cfg(feature = "blocking")] {
/// use std::time::Duration;
/// use lumoauth::store::{FileStore, Shelf, Store, StoreKey};
///
/// # let folder = std::env::temp_dir().join(format!("lumoauth-doc-{}", std::process::id()));
/// let store = FileStore::open(&folder)?;
/// let (key, within) = (StoreKey::new(Shelf::Sessions, ["session-1"]), Duration::from_secs(5));
/// store.save_if(&key, None, b"one", None, within)?.ok_or("there is one already")?;
/// // Another process, later:
/// let store = FileStore::open(&folder)?;
/// assert_eq!(store.load(&key, within)?.ok_or("it is gone")?.bytes(), b"one");
/// # std::fs::remove_dir_all(&folder)?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct FileStore {
    files: Arc<Files>,
    workers: Workers,
}

struct Files {
    folder: PathBuf,
    own: Owner,
    clock: Clock,
}

impl FileStore {
    /// In this folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be made, belongs to another user, or may be looked into by others.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StoreError> {
        let folder = folder.as_ref().to_owned();
        let own = folder::open(&folder)?;
        let files = Files { folder, own, clock: Clock::Wall };
        Ok(FileStore { files: Arc::new(files), workers: Workers::new("the file system") })
    }

    /// Measures by this clock, as the time since the epoch: for tests.
    pub fn clock(self, clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        let Files { folder, own, .. } = &*self.files;
        let files = Files { folder: folder.clone(), own: *own, clock: Clock::Given(Arc::new(clock)) };
        FileStore { files: Arc::new(files), ..self }
    }
}

impl FileStore {
    pub(super) fn load_job(&self, key: &StoreKey) -> Job<Option<Record>> {
        let (files, key) = (Arc::clone(&self.files), key.clone());
        self.workers.job(move || files.load(&key))
    }

    pub(super) fn save_job(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
    ) -> Job<Option<Version>> {
        let (files, key) = (Arc::clone(&self.files), key.clone());
        let bytes = Zeroizing::new(bytes.to_vec());
        self.workers.job(move || files.save_if(&key, version, &bytes, keep))
    }

    pub(super) fn remove_job(&self, key: &StoreKey, version: Version) -> Job<bool> {
        let (files, key) = (Arc::clone(&self.files), key.clone());
        self.workers.job(move || files.remove_if(&key, version))
    }

    pub(super) fn keys_job(&self, prefix: &Prefix, after: Option<&str>) -> Job<Page> {
        let (files, prefix, after) = (Arc::clone(&self.files), prefix.clone(), after.map(str::to_owned));
        self.workers.job(move || files.keys(&prefix, after.as_deref()))
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileStore({})", self.files.folder.display())
    }
}

/// The folder of one record, and the two above it.
struct Place {
    shelf: PathBuf,
    bucket: PathBuf,
    folder: PathBuf,
}

impl Files {
    /// Any name will do, so folders have a hash of it: as long as every other, and safe on every file system. Its first two
    /// digits are a folder above it, so that none gets too many.
    fn place(&self, key: &StoreKey) -> Place {
        let hash: String = Sha256::digest(key.as_str()).iter().map(|byte| format!("{byte:02x}")).collect();
        let shelf = self.folder.join(key.shelf().name());
        let bucket = shelf.join(hash.get(..2).unwrap_or_default());
        let folder = bucket.join(hash);
        Place { shelf, bucket, folder }
    }

    fn newest(&self, key: &StoreKey, place: &Place) -> Result<Option<State>, StoreError> {
        let newest = states::newest(&place.folder, self.own)?;
        if newest.as_ref().is_some_and(|newest| newest.key != key.as_str()) {
            return Err(StoreError::corrupt("a file of the store holds the record of another key"));
        }
        Ok(newest)
    }

    fn load(&self, key: &StoreKey) -> Result<Option<Record>, StoreError> {
        let newest = self.newest(key, &self.place(key))?;
        let there = newest.filter(|newest| newest.is_there(self.clock.now()));
        Ok(there.map(|newest| Record::new(newest.bytes.as_slice(), newest.version())))
    }

    fn save_if(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
    ) -> Result<Option<Version>, StoreError> {
        let place = self.place(key);
        for _ in 0..TRIES {
            let (newest, now) = (self.newest(key, &place)?, self.clock.now());
            let held = newest.as_ref().filter(|newest| newest.is_there(now));
            if held.map(State::version) != version {
                return Ok(None);
            }
            let content = Content::of(key.as_str(), bytes, keep.map(|keep| now.saturating_add(keep)));
            content.check()?;
            let saved = match (held, &newest) {
                (Some(held), _) => states::follow(&place.bucket, &place.folder, held, &content)?,
                // What was there before goes first.
                (None, Some(ended)) => {
                    states::end(&place.bucket, &place.folder, ended)?;
                    None
                }
                (None, None) => self.make(&place, &content)?,
            };
            if saved.is_some() {
                return Ok(saved);
            }
        }
        Err(busy())
    }

    fn make(&self, place: &Place, content: &Content) -> Result<Option<Version>, StoreError> {
        let mut above = self.folder.as_path();
        for folder in [&place.shelf, &place.bucket] {
            if folder::make(folder).map_err(|error| failed("written", &error))? {
                folder::sync(above);
            }
            above = folder;
        }
        let made = states::first(&place.bucket, &place.folder, content)?;
        match made {
            Some(_) => self.sweep(place),
            // What somebody has left there may be in the way.
            None => states::remove_if_unmarked(&place.folder),
        }
        Ok(made)
    }

    fn remove_if(&self, key: &StoreKey, version: Version) -> Result<bool, StoreError> {
        let place = self.place(key);
        for _ in 0..TRIES {
            let newest = self.newest(key, &place)?;
            let held = newest.filter(|newest| newest.is_there(self.clock.now()));
            let Some(held) = held.filter(|held| held.version() == version) else { return Ok(false) };
            if states::end(&place.bucket, &place.folder, &held)? {
                return Ok(true);
            }
        }
        Err(busy())
    }

    /// Looks after the records that come next in the bucket, round and round: ends those that are over, and removes what
    /// was begun and given up.
    fn sweep(&self, place: &Place) {
        let Ok(mut names) = names(&place.bucket) else { return };
        let own = place.folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let at = names.partition_point(|name| name.as_str() <= own);
        names.rotate_left(at);
        for name in names.iter().filter(|name| *name != own).take(SWEPT) {
            let path = place.bucket.join(name);
            if name.starts_with(BEGUN) {
                folder::remove_if_left(&path, &place.folder);
                continue;
            }
            match states::newest(&path, self.own) {
                Ok(Some(newest)) if !newest.is_there(self.clock.now()) => {
                    let _ = states::end(&place.bucket, &path, &newest);
                }
                Ok(None) => states::remove_if_unmarked(&path),
                _ => {}
            }
        }
    }

    /// In the order of the hashes.
    fn keys(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page, StoreError> {
        let shelf = self.folder.join(prefix.shelf().name());
        let from = after.unwrap_or_default();
        let (mut keys, mut looks) = (Vec::new(), 0_usize);
        for bucket in names(&shelf)? {
            if from.get(..2).is_some_and(|first| bucket.as_str() < first) {
                continue;
            }
            for name in names(&shelf.join(&bucket))? {
                if name.as_str() <= from || name.starts_with(BEGUN) {
                    continue;
                }
                let newest = states::newest(&shelf.join(&bucket).join(&name), self.own)?;
                if let Some(newest) = newest.filter(|newest| newest.is_there(self.clock.now())) {
                    let key = StoreKey::from_text(prefix.shelf(), newest.key);
                    keys.extend(Some(key).filter(|key| prefix.is_of(key)));
                }
                looks = looks.saturating_add(1);
                if keys.len() >= PAGE || looks >= LOOKS {
                    return Ok(Page::new(keys, Some(name)));
                }
            }
        }
        Ok(Page::new(keys, None))
    }
}

#[cfg(test)]
mod tests;
