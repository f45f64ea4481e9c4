//! A store in the virtual world: it takes time, and fails as it is told.

use std::collections::HashMap;
use std::time::Duration;

use lumoauth::embed::session::{Access, Arrived, StoreAnswer, StoreRequest};
use lumoauth::error::StoreError;
use lumoauth::store::{Page, Record, StoreKey, Version};

/// What happens to one call of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
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

type Script = Box<dyn FnMut(usize) -> Fault>;

pub struct Shelves {
    pub records: HashMap<StoreKey, (u64, Vec<u8>)>,
    before: HashMap<StoreKey, Option<(u64, Vec<u8>)>>,
    versions: u64,
    pub calls: usize,
    pub loads: usize,
    pub saves: usize,
    pub longest: Duration,
    script: Script,
}

impl Shelves {
    pub fn new() -> Self {
        Shelves {
            records: HashMap::new(),
            before: HashMap::new(),
            versions: 0,
            calls: 0,
            loads: 0,
            saves: 0,
            longest: Duration::ZERO,
            script: Box::new(|_| Fault::None),
        }
    }

    pub fn on_call(&mut self, script: impl FnMut(usize) -> Fault + 'static) {
        self.script = Box::new(script);
    }

    pub fn reset(&mut self) {
        (self.calls, self.loads, self.saves) = (0, 0, 0);
    }

    /// Everything that is kept, as text.
    pub fn text(&self) -> String {
        let record = |(key, (_, bytes)): (&StoreKey, &(u64, Vec<u8>))| {
            format!("{} {}", key.as_str(), String::from_utf8_lossy(bytes))
        };
        self.records.iter().map(record).collect::<Vec<_>>().join("\n")
    }

    /// Changes the only record there is.
    pub fn edit(&mut self, change: impl Fn(&mut serde_json::Value)) {
        assert_eq!(self.records.len(), 1, "{}", self.text());
        self.versions += 1;
        for (version, bytes) in self.records.values_mut() {
            let mut value = serde_json::from_slice(bytes).unwrap();
            change(&mut value);
            (*version, *bytes) = (self.versions, value.to_string().into_bytes());
        }
    }

    pub fn answer(&mut self, request: &StoreRequest, takes: Duration) -> (Duration, Arrived) {
        assert!(!format!("{request:?} {:?}", request.access()).contains('|'), "{request:?}");
        let fault = (self.script)(self.calls);
        self.calls += 1;
        let within = request.within();
        self.longest = self.longest.max(within);
        let gone = || Err(StoreError::unavailable("the disk went away"));
        let (takes, answer) = match fault {
            Fault::Hangs => (within, gone()),
            Fault::Fails => (takes, gone()),
            Fault::Lost => (takes, self.done(request.access(), false).and_then(|_| gone())),
            Fault::Stale | Fault::None => (takes, self.done(request.access(), fault == Fault::Stale)),
        };
        (takes.min(within), Arrived::Stored(answer))
    }

    fn done(&mut self, access: &Access, stale: bool) -> Result<StoreAnswer, StoreError> {
        let record =
            |(version, bytes): &(u64, Vec<u8>)| Record::new(bytes.clone(), Version::from_number(*version));
        Ok(match access {
            Access::Load(key) => {
                self.loads += 1;
                let before = self.before.get(key).filter(|_| stale);
                let now = self.records.get(key).cloned();
                StoreAnswer::Loaded(before.cloned().unwrap_or(now).as_ref().map(record))
            }
            Access::Save { key, version, bytes, keep } => {
                assert!(keep.is_some(), "a token is not kept for ever");
                self.saves += 1;
                let held = self.records.get(key).cloned();
                if held.as_ref().map(|(version, _)| Version::from_number(*version)) != *version {
                    return Ok(StoreAnswer::Saved(None));
                }
                self.before.insert(key.clone(), held);
                self.versions += 1;
                self.records.insert(key.clone(), (self.versions, bytes.to_vec()));
                StoreAnswer::Saved(Some(Version::from_number(self.versions)))
            }
            Access::Remove { key, version } => {
                let held = self.records.get(key).map(|(version, _)| Version::from_number(*version));
                let removed = held == Some(*version);
                if removed {
                    self.before.insert(key.clone(), self.records.remove(key));
                }
                StoreAnswer::Removed(removed)
            }
            Access::List { prefix, .. } => {
                let keys = self.records.keys().filter(|key| prefix.is_of(key)).cloned().collect();
                StoreAnswer::Listed(Page::new(keys, None))
            }
            _ => panic!("another question"),
        })
    }
}
