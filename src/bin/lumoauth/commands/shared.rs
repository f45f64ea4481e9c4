//! The store that the environment names: where tokens and users' sessions are that machines share.

use std::sync::Arc;

use lumoauth::Secret;
use lumoauth::store::{FileStore, NameKey, SealedStore, SealingKey, Store};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::say;
use super::state::variable;
use super::text::{read_text, usage};
use crate::args::SettingsArgs;
use crate::exit::Failure;

const STORE: &str = "LUMOAUTH_STORE";
const KEY: &str = "LUMOAUTH_STORE_KEY";
const KEY_FILE: &str = "LUMOAUTH_STORE_KEY_FILE";
const NAME_KEY: &str = "LUMOAUTH_STORE_NAME_KEY";
const UNSEALED: &str = "LUMOAUTH_STORE_UNSEALED";
/// What names are made for.
const PURPOSE: &str = "names of the command line";

/// A store that is named: for agents, and without its seal for what looks at all records, whoever they are for.
pub(super) struct Named {
    pub(super) store: Arc<dyn Store>,
    pub(super) bare: Arc<dyn Store>,
}

/// The store that the environment names, if it names one.
pub(super) fn named(settings: &SettingsArgs) -> Result<Option<Named>, Failure> {
    let Some(url) = text(STORE)? else { return Ok(None) };
    let unsealed = match text(UNSEALED)? {
        None => false,
        Some(said) if said.expose() == "yes" => true,
        Some(_) => return Err(usage(&format!("{UNSEALED} is yes, or not set"))),
    };
    let keys = keys()?;
    let scheme = url.expose().split("://").next().unwrap_or_default();
    let Some(Keys { names, first, second }) = keys else {
        if !unsealed {
            return Err(usage(&format!(
                "{STORE} is set, and no key that seals what is kept there: set {KEY} or {KEY_FILE} (64 hexadecimal digits); \
                 {UNSEALED}=yes keeps tokens there for everybody to read who can read the store"
            )));
        }
        let bare = open(url.expose())?;
        say(settings, &format!("tokens and sessions are kept in the {scheme} store, not sealed"));
        return Ok(Some(Named { store: Arc::clone(&bare), bare }));
    };
    if unsealed {
        return Err(usage(&format!("a key is given, and {UNSEALED} says that it is not to be used")));
    }
    let bare = open(url.expose())?;
    let sealed = SealedStore::new(Arc::clone(&bare), names, first);
    let sealed = match second {
        Some(second) => sealed.opens_too(second),
        None => sealed,
    };
    say(settings, &format!("tokens and sessions are kept in the {scheme} store, sealed"));
    Ok(Some(Named { store: Arc::new(sealed), bare }))
}

/// The store of this URL. An error does not repeat it: it may hold a password.
fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    let wrong = |why: &dyn std::fmt::Display| usage(&format!("{STORE}: {why}"));
    match url.split_once("://") {
        Some(("file", path)) => {
            if !path.starts_with('/') || path.contains('%') {
                return Err(wrong(&"behind file:// stands an absolute path, as it is and without %"));
            }
            Ok(Arc::new(FileStore::open(path).map_err(|error| wrong(&error))?))
        }
        #[cfg(feature = "redis")]
        Some(("redis" | "rediss" | "valkey" | "valkeys" | "unix", _)) => {
            let settings = lumoauth::store::RedisStore::server(url).map_err(|error| wrong(&error))?;
            Ok(Arc::new(settings.unsealed().map_err(|error| wrong(&error))?))
        }
        #[cfg(not(feature = "redis"))]
        Some(("redis" | "rediss" | "valkey" | "valkeys" | "unix", _)) => {
            Err(wrong(&"this program was built without the feature redis"))
        }
        _ => Err(wrong(&"must begin with redis://, rediss:// or file:///")),
    }
}

struct Keys {
    names: NameKey,
    first: SealingKey,
    second: Option<SealingKey>,
}

/// A variable that is set, as text.
fn text(name: &str) -> Result<Option<Secret>, Failure> {
    let Some(value) = variable(name) else { return Ok(None) };
    let text = value.to_str().ok_or_else(|| usage(&format!("{name} is no text")))?;
    Ok(Some(Secret::new(text)))
}

/// The keys that are given. The first seals. The last gives names unless a key of its own does, so that adding a new one in front
/// finds what is there.
fn keys() -> Result<Option<Keys>, Failure> {
    let (name, given) = match (text(KEY)?, variable(KEY_FILE)) {
        (Some(_), Some(_)) => return Err(usage(&format!("{KEY} and {KEY_FILE} are both set: set one"))),
        (Some(given), None) => (KEY, given),
        (None, Some(file)) => (KEY_FILE, Secret::new(read_text(&file)?)),
        (None, None) => return Ok(None),
    };
    let wrong = |why: &str| usage(&format!("{name}: {why}"));
    let mut found = Vec::new();
    for part in given.expose().trim().split(',') {
        let (id, digits) = match part.trim().split_once(':') {
            Some((id, digits)) => (Some(id.to_owned()), digits),
            None => (None, part.trim()),
        };
        let key = bytes(digits).ok_or_else(|| {
            wrong("a key is 64 hexadecimal digits, with an id and a colon before it or without")
        })?;
        let id = id.unwrap_or_else(|| fingerprint(&key));
        if found.iter().any(|(other, _)| *other == id) {
            return Err(wrong("the two keys have one id"));
        }
        found.push((id, key));
    }
    let names = match text(NAME_KEY)? {
        Some(given) => {
            let key = bytes(given.expose().trim());
            key.ok_or_else(|| usage(&format!("{NAME_KEY}: it is 64 hexadecimal digits")))?
        }
        None => found.last().map(|(_, key)| key.clone()).unwrap_or_default(),
    };
    let digits = Secret::new(hex(&names));
    let names = NameKey::derived(&digits, PURPOSE).map_err(|error| wrong(&error.to_string()))?;
    let mut sealing = Vec::new();
    for (id, key) in &found {
        sealing.push(SealingKey::new(id, key).map_err(|error| wrong(&error.to_string()))?);
    }
    let mut sealing = sealing.into_iter();
    match (sealing.next(), sealing.next(), sealing.next()) {
        (Some(first), second, None) => Ok(Some(Keys { names, first, second })),
        _ => {
            Err(wrong("there are two keys at most: the first seals, the second opens what was sealed before"))
        }
    }
}

/// A key's id if it has no other. It is in each record, and says nothing of the key.
fn fingerprint(key: &[u8; 32]) -> String {
    let hash = Sha256::new().chain_update("lumoauth key id").chain_update(key).finalize();
    hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(digits: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    let pairs = digits.as_bytes().chunks_exact(2);
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}
