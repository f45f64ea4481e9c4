//! Users' sessions in private files that several processes share.

use std::path::Path;
use std::time::Duration;

use lumoauth::SessionStore;
use lumoauth::store::{FileStore, Prefix, Shelf, Store, StoreError, StoreKey, Version};
use sha2::{Digest, Sha256};

/// How long a file may take: longer than any disk, shorter than anybody waits.
const WITHIN: Duration = Duration::from_secs(20);
/// How often somebody may be faster before this process gives up.
const TRIES: usize = 100;

/// The sessions of one agent at one service: a session of another agent is never found under the same name.
pub struct Sessions {
    files: FileStore,
    service: String,
    client_id: String,
}

impl Sessions {
    /// In this folder, which must be this user's alone.
    pub fn open(folder: &Path, service: &str, client_id: &str) -> Result<Self, StoreError> {
        let files = FileStore::open(folder)?;
        Ok(Sessions { files, service: service.to_owned(), client_id: client_id.to_owned() })
    }

    fn key(&self, session: &str) -> StoreKey {
        StoreKey::new(Shelf::Sessions, [&self.service, &self.client_id, session])
    }

    /// The newest version, if the number names it.
    fn numbered(&self, key: &StoreKey, wanted: u64) -> Result<Option<Version>, StoreError> {
        let held = self.files.load(key, WITHIN)?.map(|record| record.version());
        Ok(held.filter(|held| number(*held) == wanted))
    }
}

/// The chain names versions by numbers: this one's.
fn number(version: Version) -> u64 {
    let hash = Sha256::digest(version.as_bytes());
    hash.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

impl SessionStore for Sessions {
    fn load(&self, session: &str) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
        let record = self.files.load(&self.key(session), WITHIN)?;
        Ok(record.map(|record| (record.bytes().to_vec(), number(record.version()))))
    }

    fn save_if(&self, session: &str, version: Option<u64>, bytes: &[u8]) -> Result<bool, StoreError> {
        let key = self.key(session);
        let over = match version {
            None => None,
            Some(wanted) => match self.numbered(&key, wanted)? {
                None => return Ok(false),
                held => held,
            },
        };
        Ok(self.files.save_if(&key, over, bytes, None, WITHIN)?.is_some())
    }

    fn remove(&self, session: &str) -> Result<(), StoreError> {
        let key = self.key(session);
        for _ in 0..TRIES {
            let Some(record) = self.files.load(&key, WITHIN)? else { return Ok(()) };
            if self.files.remove_if(&key, record.version(), WITHIN)? {
                return Ok(());
            }
        }
        Err(StoreError::unavailable("the session was changed by others again and again"))
    }

    fn keys(&self) -> Result<Vec<String>, StoreError> {
        let prefix = Prefix::new(Shelf::Sessions, [&self.service, &self.client_id]);
        let (mut sessions, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.files.keys(&prefix, after.as_deref(), WITHIN)?;
            sessions.extend(page.keys().iter().filter_map(|key| key.segments().pop()));
            match page.next() {
                Some(next) => after = Some(next.to_owned()),
                None => break,
            }
        }
        sessions.sort_unstable();
        Ok(sessions)
    }
}
