//! Sessions in private files that several processes share.
//!
//! A session has a folder, named by a hash, and each version of the session is a file in it, named by its number. A
//! version is written whole under another name, and then linked to its number, which fails if there is that number
//! already: of two processes that save the same version exactly one succeeds. No lock is held, so none stays behind.
//! The numbers go on after a session was removed; the files of the last versions stay as empty marks.

use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lumoauth::SessionStore;
use lumoauth::error::StoreError;
use sha2::{Digest, Sha256};

/// How many marks stay. A process that slept between its look and its link learns from them that it came too late.
const MARKS: u64 = 64;
/// How often somebody may win before this process gives up.
const TRIES: usize = 100;
/// A file that was begun this long before is nobody's any more.
const LEFT_BEHIND: Duration = Duration::from_secs(60);

/// The sessions of one agent at one service.
pub struct FileStore {
    folder: PathBuf,
    service: String,
    client_id: String,
}

/// The newest version of a session: its number, whose it is, and its bytes. Empty bytes: the session was removed.
struct Newest {
    version: u64,
    head: Vec<u8>,
    bytes: Vec<u8>,
}

impl FileStore {
    /// In this folder, for this service and client: a session of another agent is never found under the same name.
    pub fn new(folder: PathBuf, service: &str, client_id: &str) -> Self {
        FileStore { folder, service: service.to_owned(), client_id: client_id.to_owned() }
    }

    /// Whose session it is: one line at the beginning of each file.
    fn head(&self, key: &str) -> Vec<u8> {
        serde_json::json!([self.service, self.client_id, key]).to_string().into_bytes()
    }

    /// Any name will do, so the folder has a hash of it: as long as every other, and safe on every file system.
    fn folder_of(&self, key: &str) -> PathBuf {
        let digest = Sha256::digest(self.head(key));
        self.folder.join(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    fn newest_of(&self, key: &str) -> Result<Option<Newest>, StoreError> {
        let newest = newest(&self.folder_of(key))?;
        match newest {
            Some(newest) if newest.head != self.head(key) => {
                Err(StoreError::new("a file of the session holds another session"))
            }
            newest => Ok(newest),
        }
    }

    /// Makes the version after `last`. False if somebody else did.
    fn put(&self, key: &str, last: u64, bytes: &[u8]) -> Result<bool, StoreError> {
        let folder = self.folder_of(key);
        match private_folder(&folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed("written", error)),
            _ => {}
        }
        let content = [&self.head(key), &b"\n"[..], bytes].concat();
        let begun = begin(&folder, &content).map_err(|error| failed("written", error))?;
        let version = last.saturating_add(1);
        let file = folder.join(version.to_string());
        let linked = std::fs::hard_link(&begun, &file);
        let _ = std::fs::remove_file(&begun);
        match linked {
            Ok(()) => {}
            // Taken, or somebody took this process for dead.
            Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {
                return Ok(false);
            }
            Err(error) => return Err(failed("written", error)),
        }
        let highest = versions(&folder)?.into_iter().max().unwrap_or(version);
        if highest.saturating_sub(version) >= MARKS {
            let _ = std::fs::remove_file(&file);
            return Ok(false);
        }
        let _ = File::open(&folder).and_then(|folder| folder.sync_all());
        tidy(&folder, version);
        Ok(true)
    }
}

impl SessionStore for FileStore {
    fn load(&self, key: &str) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
        let newest = self.newest_of(key)?.filter(|newest| !newest.bytes.is_empty());
        Ok(newest.map(|newest| (newest.bytes, newest.version)))
    }

    fn save_if(&self, key: &str, version: Option<u64>, bytes: &[u8]) -> Result<bool, StoreError> {
        let newest = self.newest_of(key)?;
        let held = newest.as_ref().filter(|newest| !newest.bytes.is_empty()).map(|newest| newest.version);
        if held != version {
            return Ok(false);
        }
        self.put(key, newest.map_or(0, |newest| newest.version), bytes)
    }

    fn remove(&self, key: &str) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let Some(newest) = self.newest_of(key)? else { return Ok(()) };
            if newest.bytes.is_empty() || self.put(key, newest.version, b"")? {
                return Ok(());
            }
        }
        Err(busy())
    }

    fn keys(&self) -> Result<Vec<String>, StoreError> {
        let mut keys = Vec::new();
        let entries = std::fs::read_dir(&self.folder).map_err(|error| failed("read", error))?;
        for entry in entries {
            let folder = entry.map_err(|error| failed("read", error))?.path();
            let Some(newest) = folder.is_dir().then(|| newest(&folder)).transpose()?.flatten() else {
                continue;
            };
            let head: (String, String, String) = serde_json::from_slice(&newest.head)
                .map_err(|_| StoreError::new("a file does not say whose session it holds"))?;
            if !newest.bytes.is_empty() && head.0 == self.service && head.1 == self.client_id {
                keys.push(head.2);
            }
        }
        keys.sort_unstable();
        Ok(keys)
    }
}

/// Makes a folder that is for this user alone.
pub(super) fn private_folder(folder: &Path) -> std::io::Result<()> {
    #[allow(unused_mut)] // there are no modes elsewhere
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A new file for this user alone, written to the disk, under a name that means nothing yet.
pub(super) fn begin(folder: &Path, content: &[u8]) -> std::io::Result<PathBuf> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    loop {
        let path = folder.join(format!("new-{:016x}", RandomState::new().hash_one(std::process::id())));
        let mut file = match options.open(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            opened => opened?,
        };
        file.write_all(content)?;
        file.sync_all()?;
        return Ok(path);
    }
}

/// The numbers of the versions that are there.
fn versions(folder: &Path) -> Result<Vec<u64>, StoreError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| failed("read", error))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| failed("read", error))?.file_name();
        found.extend(name.to_str().and_then(|name| name.parse::<u64>().ok()));
    }
    Ok(found)
}

/// The newest version. A file that is gone or empty by the time it is read has been followed by another one.
fn newest(folder: &Path) -> Result<Option<Newest>, StoreError> {
    for _ in 0..TRIES {
        let Some(version) = versions(folder)?.into_iter().max() else { return Ok(None) };
        let content = match std::fs::read(folder.join(version.to_string())) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            content => content.map_err(|error| failed("read", error))?,
        };
        if content.is_empty() {
            continue;
        }
        let mut parts = content.splitn(2, |byte| *byte == b'\n').map(<[u8]>::to_vec);
        let (Some(head), Some(bytes)) = (parts.next(), parts.next()) else {
            return Err(StoreError::new("a file of the session is cut off"));
        };
        return Ok(Some(Newest { version, head, bytes }));
    }
    Err(busy())
}

/// Takes the tokens out of what is older than this version, and removes what nobody needs. What fails here is done by
/// whoever saves next.
fn tidy(folder: &Path, version: u64) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let saved = std::fs::metadata(folder.join(version.to_string())).and_then(|about| about.modified());
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let number = name.to_str().and_then(|name| name.parse::<u64>().ok());
        let Ok(about) = entry.metadata() else { continue };
        match number {
            Some(older) if older < version && version - older > MARKS => drop(std::fs::remove_file(path)),
            Some(older) if older < version && about.len() > 0 => {
                if let Ok(mark) = begin(folder, b"") {
                    drop(std::fs::rename(mark, path));
                }
            }
            Some(_) => {}
            None => {
                let age = saved.as_ref().ok().zip(about.modified().ok());
                let age = age.and_then(|(saved, begun)| saved.duration_since(begun).ok());
                if age.is_some_and(|age| age > LEFT_BEHIND) {
                    drop(std::fs::remove_file(path));
                }
            }
        }
    }
}

fn failed(what: &str, error: std::io::Error) -> StoreError {
    StoreError::new(format!("a file of the session cannot be {what}: {error}"))
}

fn busy() -> StoreError {
    StoreError::new("the session was changed by others again and again")
}

#[cfg(test)]
mod tests;
