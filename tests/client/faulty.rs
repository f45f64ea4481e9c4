//! A store that fails at the calls that a test names, in both mounts.
#![cfg(all(feature = "blocking", feature = "emulator"))]

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lumoauth::emulator::Emulator;
use lumoauth::store::{MemoryStore, Page, Prefix, Record, Store, StoreError, StoreKey, Version};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails, and nothing was done.
    Fails,
    /// It is done, and the answer is lost.
    Lost,
    /// What is read is what was there before the last change.
    Stale,
    /// It takes all the time it has, and then fails.
    Hangs,
}

pub const FAULTS: [Fault; 4] = [Fault::Fails, Fault::Lost, Fault::Stale, Fault::Hangs];

/// A store with a fault at one of its calls, or at all from one on.
#[derive(Clone)]
pub struct Faulty(Arc<Inner>);

struct Inner {
    store: MemoryStore,
    emulator: Emulator,
    calls: AtomicUsize,
    /// From which call to which, and what happens then.
    rule: Mutex<Option<(usize, usize, Fault)>>,
    before: Mutex<HashMap<StoreKey, Option<Record>>>,
}

impl Faulty {
    pub fn new(emulator: &Emulator) -> Self {
        let (calls, rule, before) = (AtomicUsize::new(0), Mutex::new(None), Mutex::default());
        Faulty(Arc::new(Inner { store: MemoryStore::new(), emulator: emulator.clone(), calls, rule, before }))
    }

    pub fn at(&self, from: usize, to: usize, fault: Fault) {
        self.0.calls.store(0, Ordering::SeqCst);
        *self.0.rule.lock().unwrap() = Some((from, to, fault));
    }

    pub fn heal(&self) -> usize {
        *self.0.rule.lock().unwrap() = None;
        self.0.calls.swap(0, Ordering::SeqCst)
    }

    fn fault(&self, within: Duration) -> Option<Fault> {
        let call = self.0.calls.fetch_add(1, Ordering::SeqCst);
        let rule = *self.0.rule.lock().unwrap();
        let fault = rule.filter(|(from, to, _)| (*from..*to).contains(&call)).map(|(_, _, fault)| fault);
        if fault == Some(Fault::Hangs) {
            self.0.emulator.advance(within);
        }
        fault
    }
}

fn gone() -> StoreError {
    StoreError::unavailable("the disk went away")
}

impl Faulty {
    fn loaded(&self, key: &StoreKey, within: Duration) -> Result<Option<Record>, StoreError> {
        match self.fault(within) {
            Some(Fault::Fails | Fault::Hangs | Fault::Lost) => Err(gone()),
            Some(Fault::Stale) => {
                let before = self.0.before.lock().unwrap().get(key).cloned();
                before.map_or_else(|| self.0.store.load(key, within), Ok)
            }
            None => self.0.store.load(key, within),
        }
    }

    fn saved(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Result<Option<Version>, StoreError> {
        let fault = self.fault(within);
        if matches!(fault, Some(Fault::Fails | Fault::Hangs)) {
            return Err(gone());
        }
        let before = self.0.store.load(key, within)?;
        let saved = self.0.store.save_if(key, version, bytes, keep, within)?;
        if saved.is_some() {
            self.0.before.lock().unwrap().insert(key.clone(), before);
        }
        if fault == Some(Fault::Lost) { Err(gone()) } else { Ok(saved) }
    }

    fn removed(&self, key: &StoreKey, version: Version, within: Duration) -> Result<bool, StoreError> {
        let fault = self.fault(within);
        if matches!(fault, Some(Fault::Fails | Fault::Hangs)) {
            return Err(gone());
        }
        let removed = self.0.store.remove_if(key, version, within)?;
        if fault == Some(Fault::Lost) { Err(gone()) } else { Ok(removed) }
    }

    fn listed(&self, prefix: &Prefix, after: Option<&str>, within: Duration) -> Result<Page, StoreError> {
        match self.fault(within) {
            Some(Fault::Fails | Fault::Hangs | Fault::Lost) => Err(gone()),
            _ => self.0.store.keys(prefix, after, within),
        }
    }
}

impl Store for Faulty {
    fn load(&self, key: &StoreKey, within: Duration) -> Result<Option<Record>, StoreError> {
        self.loaded(key, within)
    }

    fn save_if(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Result<Option<Version>, StoreError> {
        self.saved(key, version, bytes, keep, within)
    }

    fn remove_if(&self, key: &StoreKey, version: Version, within: Duration) -> Result<bool, StoreError> {
        self.removed(key, version, within)
    }

    fn keys(&self, prefix: &Prefix, after: Option<&str>, within: Duration) -> Result<Page, StoreError> {
        self.listed(prefix, after, within)
    }
}

/// What a method of the async mount gives back.
#[cfg(feature = "async")]
type Io<'a, T> = std::pin::Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

#[cfg(feature = "async")]
impl lumoauth::asynchronous::store::Store for Faulty {
    fn load<'a>(&'a self, key: &'a StoreKey, within: Duration) -> Io<'a, Option<Record>> {
        Box::pin(async move { self.loaded(key, within) })
    }

    fn save_if<'a>(
        &'a self,
        key: &'a StoreKey,
        version: Option<Version>,
        bytes: &'a [u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Io<'a, Option<Version>> {
        Box::pin(async move { self.saved(key, version, bytes, keep, within) })
    }

    fn remove_if<'a>(&'a self, key: &'a StoreKey, version: Version, within: Duration) -> Io<'a, bool> {
        Box::pin(async move { self.removed(key, version, within) })
    }

    fn keys<'a>(&'a self, prefix: &'a Prefix, after: Option<&'a str>, within: Duration) -> Io<'a, Page> {
        Box::pin(async move { self.listed(prefix, after, within) })
    }
}

#[cfg(feature = "async")]
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
