//! Where state is kept between runs.

use std::path::{Path, PathBuf};

use super::text::usage;
use crate::exit::Failure;

/// The folder: the one given, else what the environment says.
pub(super) fn folder(given: Option<&Path>) -> Result<PathBuf, Failure> {
    given.map_or_else(usual, |folder| Ok(folder.to_owned()))
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
pub(super) fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
