//! Folders and files that are for one user alone.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::StoreError;

/// What makes folders for this user alone.
fn private() -> DirBuilder {
    #[allow(unused_mut)] // there are no modes elsewhere
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Makes a folder for this user alone. False if there is one already.
pub(super) fn make(folder: &Path) -> std::io::Result<bool> {
    match private().create(folder) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a folder with those above it, and sees to it that it belongs to this user and is closed to all others. Gives
/// back who that is.
pub(super) fn open(folder: &Path) -> Result<Owner, StoreError> {
    let refused = |problem: &str| StoreError::unavailable(format!("{}: {problem}", folder.display()));
    let failed = |error: std::io::Error| refused(&error.to_string());
    if let Some(parent) = folder.parent() {
        // For this user alone as well (XDG Base Directory Specification).
        private().recursive(true).create(parent).map_err(failed)?;
    }
    make(folder).map_err(failed)?;
    let about = std::fs::metadata(folder).map_err(failed)?;
    if !about.is_dir() {
        return Err(refused("it is not a folder"));
    }
    if !is_closed(&about) {
        let help =
            "others may look into it, and it would hold secrets: use a folder of its own, or chmod 700";
        return Err(refused(help));
    }
    // There is no safe way to ask who this user is; whoever makes a file owns it.
    let probe = begin(folder, &[]).map_err(failed)?;
    let own = std::fs::metadata(&probe).map(|about| Owner::of(&about));
    let _ = std::fs::remove_file(&probe);
    let own = own.map_err(failed)?;
    if Owner::of(&about) != own {
        return Err(refused("it belongs to another user"));
    }
    Ok(own)
}

/// Whose a file is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner(u32);

impl Owner {
    #[cfg(unix)]
    fn of(about: &Metadata) -> Self {
        Owner(std::os::unix::fs::MetadataExt::uid(about))
    }

    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Self {
        Owner(0)
    }

    /// Refuses a file that others may read or that somebody else has put there.
    pub(super) fn check(self, about: &Metadata) -> Result<(), StoreError> {
        if Owner::of(about) != self {
            return Err(StoreError::corrupt("a file of the store belongs to another user"));
        }
        if !is_closed(about) {
            return Err(StoreError::corrupt("a file of the store may be read by others: chmod 600"));
        }
        Ok(())
    }
}

#[cfg(unix)]
fn is_closed(about: &Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o077 == 0
}

#[cfg(not(unix))]
fn is_closed(_: &Metadata) -> bool {
    true
}

/// A new file for this user alone.
pub(super) fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The same, with content that is written to the disk.
pub(super) fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = create(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = std::fs::remove_file(path);
    }
    written
}

/// The same, under a name that means nothing yet.
pub(super) fn begin(folder: &Path, content: &[u8]) -> std::io::Result<PathBuf> {
    let path = begun(folder);
    write(&path, content).map(|()| path)
}

/// A name that means nothing yet.
pub(super) fn begun(folder: &Path) -> PathBuf {
    folder.join(format!("{BEGUN}{:016x}{:016x}", random(), random()))
}

/// What was begun this long before is nobody's any more.
const LEFT_BEHIND: Duration = Duration::from_secs(60);
/// How the names of files begin that were begun and are nothing yet.
pub(super) const BEGUN: &str = "new-";

/// Writes down which files a folder has.
pub(super) fn sync(folder: &Path) {
    // Not every file system can; what was written is there all the same, unless the machine stops now.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

/// A number that no other process and no other call has. It is no secret.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one((std::process::id(), std::thread::current().id()))
}

/// Removes what was begun so long before the folder that it is nobody's any more. The file system's own clock says so.
pub(super) fn remove_if_left(begun: &Path, folder: &Path) {
    let times = |path: &Path| std::fs::metadata(path).and_then(|about| about.modified()).ok();
    let Some((made, begun_at)) = times(folder).zip(times(begun)) else { return };
    if made.duration_since(begun_at).is_ok_and(|age| age > LEFT_BEHIND) {
        let _ = std::fs::remove_file(begun).or_else(|_| std::fs::remove_dir_all(begun));
    }
}
