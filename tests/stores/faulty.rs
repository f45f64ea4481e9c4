//! A store that fails at the calls that a test names, in both mounts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use lumoauth::emulator::Emulator;
use lumoauth::store::{MemoryStore, Record, Store, StoreError, StoreKey};

use super::{Answer, Answered, Answers, Asked, Stub};

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
pub type Faulty = Stub<Arc<Faults>>;

pub struct Faults {
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
        Stub(Arc::new(Faults { store: MemoryStore::new(), emulator: emulator.clone(), calls, rule, before }))
    }

    pub fn at(&self, from: usize, to: usize, fault: Fault) {
        self.calls.store(0, Ordering::SeqCst);
        *self.rule.lock().unwrap() = Some((from, to, fault));
    }

    pub fn heal(&self) -> usize {
        *self.rule.lock().unwrap() = None;
        self.calls.swap(0, Ordering::SeqCst)
    }
}

fn gone() -> StoreError {
    StoreError::unavailable("the disk went away")
}

impl Answers for Arc<Faults> {
    fn answer(&self, asked: Asked<'_>) -> Answer {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let rule = *self.rule.lock().unwrap();
        let fault = rule.filter(|(from, to, _)| (*from..*to).contains(&call)).map(|(_, _, fault)| fault);
        match fault {
            Some(Fault::Fails) => return Err(gone()),
            Some(Fault::Hangs) => {
                self.emulator.advance(asked.within());
                return Err(gone());
            }
            Some(Fault::Stale) => {
                if let Asked::Load { key, .. } = asked
                    && let Some(before) = self.before.lock().unwrap().get(key).cloned()
                {
                    return Ok(Answered::Loaded(before));
                }
            }
            Some(Fault::Lost) | None => {}
        }
        let before = match asked {
            Asked::Save { key, within, .. } => Some((key, self.store.load(key, within)?)),
            _ => None,
        };
        let answer = asked.on(&self.store)?;
        if let (Some((key, before)), Answered::Saved(Some(_))) = (before, &answer) {
            self.before.lock().unwrap().insert(key.clone(), before);
        }
        if fault == Some(Fault::Lost) { Err(gone()) } else { Ok(answer) }
    }
}
