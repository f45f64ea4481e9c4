//! What the server is asked to do with one record: read it, or compare and change it in one step.

use std::sync::LazyLock;
use std::time::Duration;

use redis::{Cmd, Script, Value, cmd};

use crate::crypto::random_bytes;
use crate::error::StoreError;
use crate::store::{Record, Shelf, StoreKey, Version};

/// A record begins with its version, of so many bytes.
const VERSION: usize = 16;

/// A script, and the name (SHA-1) by which a server knows it again.
struct Code {
    text: &'static str,
    name: LazyLock<String>,
}

/// The record becomes ARGV[2], which begins with its new version, if it has the version ARGV[1]; it is kept for ARGV[3]
/// milliseconds. Asked twice, because an answer was lost, it knows its own version again. An empty text that somebody else left
/// there is not taken for nothing.
static SAVE: Code =
    Code { text: SAVE_TEXT, name: LazyLock::new(|| Script::new(SAVE_TEXT).get_hash().to_owned()) };
const SAVE_TEXT: &str = "local v=redis.call('GETRANGE',KEYS[1],0,15) \
    if v==string.sub(ARGV[2],1,16) then return 1 end \
    if v~=ARGV[1] or (v=='' and redis.call('EXISTS',KEYS[1])==1) then return 0 end \
    redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3]) \
    return 1";
/// The record is removed if it has the version ARGV[1].
static REMOVE: Code =
    Code { text: REMOVE_TEXT, name: LazyLock::new(|| Script::new(REMOVE_TEXT).get_hash().to_owned()) };
const REMOVE_TEXT: &str = "if redis.call('GETRANGE',KEYS[1],0,15)~=ARGV[1] then return 0 end \
    redis.call('DEL',KEYS[1]) \
    return 1";

/// What one record's server is asked.
pub(super) struct Question {
    /// The name of the record on the server.
    pub(super) key: Vec<u8>,
    what: What,
    /// The record must not be dropped before its time.
    pub(super) must_stay: bool,
}

enum What {
    Load,
    Save { over: Vec<u8>, bytes: Vec<u8>, keep: Duration },
    Remove { version: Vec<u8> },
}

impl Question {
    pub(super) fn load(key: Vec<u8>) -> Self {
        Question { key, what: What::Load, must_stay: false }
    }

    /// Saves bytes, and the version that they then have: sixteen bytes that nobody has drawn before. A number that the server
    /// counts would begin anew when it is emptied, and go back when another one takes its place.
    pub(super) fn save(
        shelf: Shelf,
        key: Vec<u8>,
        over: Option<Version>,
        bytes: &[u8],
        keep: Duration,
    ) -> Result<(Self, Version), StoreError> {
        let random = || StoreError::unavailable("the operating system gave no randomness");
        let version = random_bytes::<VERSION>().map_err(|_| random())?;
        let over = over.map(|over| over.as_bytes().to_vec()).unwrap_or_default();
        let bytes = [&version[..], bytes].concat();
        // One that is over is as good as the shortest time there is.
        let keep = keep.max(Duration::from_millis(1));
        let must_stay = matches!(shelf, Shelf::Nonces | Shelf::Approvals);
        Ok((
            Question { key, what: What::Save { over, bytes, keep }, must_stay },
            Version::from_bytes(&version)?,
        ))
    }

    pub(super) fn remove(key: Vec<u8>, version: Version) -> Self {
        Question { key, what: What::Remove { version: version.as_bytes().to_vec() }, must_stay: false }
    }

    /// True if asking it changes something.
    pub(super) fn changes(&self) -> bool {
        !matches!(self.what, What::Load)
    }

    /// As it is sent: a script by its name, or the whole of it to a server that does not know it yet.
    pub(super) fn command(&self, whole: bool) -> Cmd {
        let script = match &self.what {
            What::Load => {
                let mut command = cmd("GET");
                command.arg(&self.key);
                return command;
            }
            What::Save { .. } => &SAVE,
            What::Remove { .. } => &REMOVE,
        };
        let mut command = cmd(if whole { "EVAL" } else { "EVALSHA" });
        command.arg(if whole { script.text } else { script.name.as_str() }).arg(1).arg(&self.key);
        match &self.what {
            What::Save { over, bytes, keep } => {
                // The server adds it to its time, which must not overflow.
                let keep = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX).min(1 << 52);
                command.arg(over).arg(bytes).arg(keep);
            }
            What::Remove { version } => {
                command.arg(version);
            }
            What::Load => {}
        }
        command
    }
}

/// The record of an answer.
pub(super) fn record(answer: Value) -> Result<Option<Record>, StoreError> {
    match answer {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => {
            let bytes = zeroize::Zeroizing::new(bytes);
            let damaged = || StoreError::corrupt("what the server has is no record of this store");
            let (version, rest) = bytes.split_first_chunk::<VERSION>().ok_or_else(damaged)?;
            Ok(Some(Record::new(rest, Version::from_bytes(version)?)))
        }
        _ => Err(odd()),
    }
}

/// Whether it was done.
pub(super) fn done(answer: &Value) -> Result<bool, StoreError> {
    match answer {
        Value::Int(0) => Ok(false),
        Value::Int(1) => Ok(true),
        _ => Err(odd()),
    }
}

pub(super) fn odd() -> StoreError {
    StoreError::unavailable("the server's answer is none to what it was asked")
}

/// How records are called on the server: what all begin with, the shelf, and the key's text.
#[derive(Clone)]
pub(super) struct Names(pub(super) String);

impl Names {
    pub(super) fn of(&self, key: &StoreKey) -> Vec<u8> {
        self.text(key.shelf(), key.as_str()).into_bytes()
    }

    fn text(&self, shelf: Shelf, text: &str) -> String {
        format!("{}{shelf}:{text}", self.0)
    }

    /// The pattern (SCAN) of those whose text begins so.
    pub(super) fn pattern(&self, shelf: Shelf, prefix: &str) -> Vec<u8> {
        let mut pattern = Vec::new();
        for byte in self.text(shelf, prefix).bytes() {
            if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\' | b'^') {
                pattern.push(b'\\');
            }
            pattern.push(byte);
        }
        pattern.push(b'*');
        pattern
    }

    /// The key that a name stands for, if it is one of this shelf.
    pub(super) fn key(&self, shelf: Shelf, name: &[u8]) -> Option<StoreKey> {
        let text = std::str::from_utf8(name).ok()?.strip_prefix(&self.text(shelf, ""))?;
        Some(StoreKey::from_text(shelf, text))
    }
}
