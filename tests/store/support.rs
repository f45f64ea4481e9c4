//! A blocking store as an async one, and a runtime to wait in.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use lumoauth::asynchronous;
use lumoauth::store::{FileStore, Page, Prefix, Record, Shelf, Store, StoreError, StoreKey, Version};

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
pub struct Async<S>(pub S);

type Io<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

impl<S: Store> asynchronous::store::Store for Async<S> {
    fn load<'a>(&'a self, key: &'a StoreKey, within: Duration) -> Io<'a, Option<Record>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.load(key, within)
        })
    }

    fn save_if<'a>(
        &'a self,
        key: &'a StoreKey,
        version: Option<Version>,
        bytes: &'a [u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Io<'a, Option<Version>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.save_if(key, version, bytes, keep, within)
        })
    }

    fn remove_if<'a>(&'a self, key: &'a StoreKey, version: Version, within: Duration) -> Io<'a, bool> {
        Box::pin(async move { self.0.remove_if(key, version, within) })
    }

    fn keys<'a>(&'a self, prefix: &'a Prefix, after: Option<&'a str>, within: Duration) -> Io<'a, Page> {
        Box::pin(async move { self.0.keys(prefix, after, within) })
    }
}
