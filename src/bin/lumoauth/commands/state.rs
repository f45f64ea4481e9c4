//! Where state is kept between runs: a folder for this user alone.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::store::{begin, private_folder};
use super::text::usage;
use crate::exit::Failure;

/// The folder, made if it is not there: the one given, else what the environment says.
pub(super) fn folder(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let folder = match given {
        Some(folder) => folder.to_owned(),
        None => usual()?,
    };
    let name = folder.display();
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent).map_err(|error| usage(&format!("{name}: {error}")))?;
    }
    match private_folder(&folder) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(usage(&format!("{name}: {error}"))),
    }
    let about = std::fs::metadata(&folder).map_err(|error| usage(&format!("{name}: {error}")))?;
    if !about.is_dir() {
        return Err(usage(&format!("{name}: is not a folder")));
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o077 != 0 {
        let help =
            "others may look into it, and it would hold users' tokens: use a folder of its own, or chmod 700";
        return Err(usage(&format!("{name}: {help}")));
    }
    // There is no safe way to ask who this user is; whoever makes a file owns it.
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let failed = |error| usage(&format!("{name}: {error}"));
        let probe = begin(&folder, b"").map_err(failed)?;
        let own = std::fs::metadata(&probe).map(|probe| probe.uid());
        let _ = std::fs::remove_file(&probe);
        if own.map_err(failed)? != about.uid() {
            return Err(usage(&format!("{name}: it belongs to another user: use a folder of your own")));
        }
    }
    Ok(folder)
}

fn usual() -> Result<PathBuf, Failure> {
    if let Some(folder) = variable("LUMOAUTH_STATE_DIR") {
        return Ok(folder);
    }
    // A relative path counts as none (XDG Base Directory Specification).
    if let Some(folder) = variable("XDG_STATE_HOME").filter(|folder| folder.is_absolute()) {
        return Ok(folder.join("lumoauth"));
    }
    let home = variable("HOME").filter(|folder| folder.is_absolute());
    let help = "it is not known where to keep sessions: give --state-dir or set LUMOAUTH_STATE_DIR";
    Ok(home.ok_or_else(|| usage(help))?.join(".local/state/lumoauth"))
}

#[allow(clippy::disallowed_methods)] // a program may read its environment; the library does so in one place of its own
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
