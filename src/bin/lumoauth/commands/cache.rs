//! Tokens that runs of the command line share: where they lie, sealed with a key that comes from the client secret.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lumoauth::store::{FileStore, NameKey, Prefix, SealedStore, SealingKey, Shelf, Store, StoreError};
use lumoauth::{AgentBuilder, Error, Secret};

use super::shared::named;
use super::state::variable;
use super::{bare, say, secret};
use crate::args::SettingsArgs;
use crate::exit::{self, Ended, Failure};

/// What keys are derived for.
const PURPOSE: &str = "tokens of the command line";
/// How long one look at a file may last.
const WITHIN: Duration = Duration::from_secs(5);

/// Where tokens are kept.
#[allow(clippy::large_enum_variant)] // there is one
pub(super) enum Kept {
    Sealed(SealedStore<FileStore>),
    /// A workload's token changes, so no key can come from it.
    Plain(FileStore),
    /// The store that the environment names.
    Named(Arc<dyn Store>),
}

impl Kept {
    pub(super) fn shared_by(self, builder: AgentBuilder) -> AgentBuilder {
        match self {
            Kept::Sealed(store) => builder.shared_tokens(store),
            Kept::Plain(store) => builder.shared_tokens(store),
            Kept::Named(store) => builder.shared_tokens(store),
        }
    }
}

/// In the first folder that will do, or why there is none.
pub(super) fn open(settings: &SettingsArgs, given: Option<&Secret>) -> Result<Kept, String> {
    let mut why = "neither XDG_RUNTIME_DIR, XDG_CACHE_HOME nor HOME says where".to_owned();
    for folder in folders() {
        match FileStore::open(&folder) {
            Ok(files) => return kept(settings, &folder, files, given),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

/// Sealed if there is a secret that a key can come from.
fn kept(
    settings: &SettingsArgs,
    folder: &Path,
    files: FileStore,
    given: Option<&Secret>,
) -> Result<Kept, String> {
    let secret = match given {
        Some(secret) => Some(secret.clone()),
        None => variable("AGENT_CLIENT_SECRET").and_then(|secret| secret.to_str().map(Secret::from)),
    };
    let folder = folder.display();
    let secret = if settings.workload_token_file.is_some() { None } else { secret };
    match secret {
        Some(secret) => {
            let failed = |error: lumoauth::error::InputError| error.to_string();
            let names = NameKey::derived(&secret, PURPOSE).map_err(failed)?;
            let key = SealingKey::derived("client secret", &secret, PURPOSE).map_err(failed)?;
            say(settings, &format!("tokens are kept in {folder}, sealed with a key from the client secret"));
            Ok(Kept::Sealed(SealedStore::new(files, names, key)))
        }
        None => {
            say(
                settings,
                &format!("tokens are kept in {folder}, not sealed: the files are for this user alone (0600)"),
            );
            Ok(Kept::Plain(files))
        }
    }
}

/// Where tokens may lie, the best place first.
fn folders() -> Vec<PathBuf> {
    // A relative path counts as none (XDG Base Directory Specification).
    let absolute = |name: &str| variable(name).filter(|folder| folder.is_absolute());
    let runtime = absolute("XDG_RUNTIME_DIR").filter(|folder| is_own(folder));
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    runtime.into_iter().chain(cache).map(|folder| folder.join("lumoauth")).collect()
}

/// True if the folder is this user's, and closed to all others.
#[cfg(unix)]
fn is_own(folder: &Path) -> bool {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let Ok(about) = std::fs::symlink_metadata(folder) else { return false };
    let is_closed = about.is_dir() && about.permissions().mode() & 0o777 == 0o700;
    // Whose this process is; where the system does not say it, the folder is not used.
    is_closed && std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == about.uid())
}

#[cfg(not(unix))]
fn is_own(_: &Path) -> bool {
    false
}

/// `lumoauth cache clear`: in the store that the environment names, else in every folder where runs may have left tokens. One
/// that fails keeps none of the others.
pub(super) fn clear(settings: &SettingsArgs, revoke: bool) -> Result<Ended, Failure> {
    let secret = if revoke { secret(settings)? } else { None };
    if let Some(named) = named(settings)? {
        if revoke {
            let agent = bare(settings, secret)?.shared_tokens(named.store).build()?;
            say(settings, &format!("tokens revoked: {}", agent.revoke_shared_tokens()?));
        }
        let removed = remove(&*named.bare).map_err(Error::from)?;
        say(settings, &format!("records removed from the store: {removed}"));
        return Ok(Ended { answer: Vec::new(), code: exit::OK });
    }
    let mut first = None;
    for folder in folders().into_iter().filter(|folder| folder.is_dir()) {
        if let Err(failure) = clear_one(settings, &folder, revoke, secret.as_ref()) {
            first.get_or_insert(failure);
        }
    }
    first.map_or(Ok(Ended { answer: Vec::new(), code: exit::OK }), Err)
}

fn clear_one(
    settings: &SettingsArgs,
    folder: &Path,
    revoke: bool,
    secret: Option<&Secret>,
) -> Result<(), Failure> {
    let files = FileStore::open(folder).map_err(Error::from)?;
    if revoke && let Ok(kept) = kept(settings, folder, files.clone(), secret) {
        let agent = kept.shared_by(bare(settings, secret.cloned())?).build()?;
        say(settings, &format!("tokens revoked: {}", agent.revoke_shared_tokens()?));
    }
    match remove(&files) {
        Ok(removed) => {
            say(settings, &format!("records removed from {}: {removed}", folder.display()));
            Ok(())
        }
        // What cannot be read has no version by which it could go, and all were to go.
        Err(error) if error.is_corrupt() => {
            let help = |_| Failure::from(Error::from(error));
            std::fs::remove_dir_all(folder.join(Shelf::Tokens.name())).map_err(help)?;
            say(settings, &format!("all records removed from {}: some were damaged", folder.display()));
            Ok(())
        }
        Err(error) => Err(Error::from(error).into()),
    }
}

/// Removes every token, sealed or not.
fn remove(files: &dyn Store) -> Result<usize, StoreError> {
    let (mut removed, mut after) = (0, None);
    loop {
        let page = files.keys(&Prefix::all(Shelf::Tokens), after.as_deref(), WITHIN)?;
        for key in page.keys() {
            if let Some(record) = files.load(key, WITHIN)? {
                removed += usize::from(files.remove_if(key, record.version(), WITHIN)?);
            }
        }
        after = page.next().map(str::to_owned);
        if after.is_none() {
            return Ok(removed);
        }
    }
}
