//! A blocking store as an async one, and a runtime to wait in.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lumoauth::asynchronous;
use lumoauth::store::{FileStore, Prefix, Shelf, Store, StoreKey};

use crate::stores::{Answered, AnswersLater, Asked, Io, Later};

/// A folder for one test's files.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        // Where there is a file system in memory, its disk has no time to wait for.
        let memory = PathBuf::from("/dev/shm");
        let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let folder = base.join(format!("lumoauth-store-{}-{name}", std::process::id()));
        FileStore::open(&folder).unwrap();
        Folder(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn store(&self) -> FileStore {
        FileStore::open(&self.0).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What nobody waits for any more may still be written.
        while self.0.exists() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// How long a method may last here.
pub const WITHIN: Duration = Duration::from_secs(10);

pub fn key(name: &str) -> StoreKey {
    StoreKey::new(Shelf::Sessions, [name])
}

pub fn on(shelf: Shelf, name: &str) -> StoreKey {
    StoreKey::new(shelf, [name])
}

pub fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// All keys of a store, from all its pages.
pub fn keys(store: &dyn Store, prefix: &Prefix) -> Vec<StoreKey> {
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let page = store.keys(prefix, after.as_deref(), WITHIN).unwrap();
        keys.extend_from_slice(page.keys());
        after = page.next().map(str::to_owned);
        if after.is_none() {
            return keys;
        }
    }
}

/// A blocking store, for the async mount.
pub fn later<S: Store>(store: S) -> impl asynchronous::store::Store {
    Later(Yielding(store))
}

struct Yielding<S>(S);

impl<S: Store> AnswersLater for Yielding<S> {
    fn answer<'a>(&'a self, asked: Asked<'a>) -> Io<'a, Answered> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            asked.on(&self.0)
        })
    }
}
