//! Stores of tests: a test says what its store answers, and the shape of a store, in both mounts, stands here.
#![allow(dead_code, unused_imports, reason = "each test binary uses its own part")]

#[cfg(all(feature = "blocking", feature = "emulator"))]
mod faulty;

use std::ops::Deref;
use std::time::Duration;

use lumoauth::store::{Page, Prefix, Record, StoreError, StoreKey, Version};

#[cfg(all(feature = "blocking", feature = "emulator"))]
pub use faulty::{FAULTS, Fault, Faulty};

/// What a store is asked.
#[derive(Clone, Copy)]
pub enum Asked<'a> {
    Load {
        key: &'a StoreKey,
        within: Duration,
    },
    Save {
        key: &'a StoreKey,
        version: Option<Version>,
        bytes: &'a [u8],
        keep: Option<Duration>,
        within: Duration,
    },
    Remove {
        key: &'a StoreKey,
        version: Version,
        within: Duration,
    },
    List {
        prefix: &'a Prefix,
        after: Option<&'a str>,
        within: Duration,
    },
}

/// What it answers: to each question its own.
#[derive(Debug)]
pub enum Answered {
    Loaded(Option<Record>),
    Saved(Option<Version>),
    Removed(bool),
    Listed(Page),
}

pub type Answer = Result<Answered, StoreError>;

impl Asked<'_> {
    pub fn name(&self) -> &'static str {
        match self {
            Asked::Load { .. } => "load",
            Asked::Save { .. } => "save",
            Asked::Remove { .. } => "remove",
            Asked::List { .. } => "keys",
        }
    }

    pub fn saves(&self) -> bool {
        matches!(self, Asked::Save { .. })
    }

    pub fn within(&self) -> Duration {
        match self {
            Asked::Load { within, .. }
            | Asked::Save { within, .. }
            | Asked::Remove { within, .. }
            | Asked::List { within, .. } => *within,
        }
    }

    /// The answer of a store that has no faults.
    #[cfg(feature = "blocking")]
    pub fn on<S: lumoauth::store::Store + ?Sized>(self, store: &S) -> Answer {
        Ok(match self {
            Asked::Load { key, within } => Answered::Loaded(store.load(key, within)?),
            Asked::Save { key, version, bytes, keep, within } => {
                Answered::Saved(store.save_if(key, version, bytes, keep, within)?)
            }
            Asked::Remove { key, version, within } => {
                Answered::Removed(store.remove_if(key, version, within)?)
            }
            Asked::List { prefix, after, within } => Answered::Listed(store.keys(prefix, after, within)?),
        })
    }

    /// The same of one in the async mount.
    #[cfg(feature = "async")]
    pub async fn later<S: lumoauth::asynchronous::store::Store + ?Sized>(self, store: &S) -> Answer {
        Ok(match self {
            Asked::Load { key, within } => Answered::Loaded(store.load(key, within).await?),
            Asked::Save { key, version, bytes, keep, within } => {
                Answered::Saved(store.save_if(key, version, bytes, keep, within).await?)
            }
            Asked::Remove { key, version, within } => {
                Answered::Removed(store.remove_if(key, version, within).await?)
            }
            Asked::List { prefix, after, within } => {
                Answered::Listed(store.keys(prefix, after, within).await?)
            }
        })
    }
}

impl Answered {
    fn record(self) -> Option<Record> {
        let Answered::Loaded(record) = self else { panic!("to a load: {self:?}") };
        record
    }

    fn version(self) -> Option<Version> {
        let Answered::Saved(version) = self else { panic!("to a save: {self:?}") };
        version
    }

    fn removed(self) -> bool {
        let Answered::Removed(removed) = self else { panic!("to a removal: {self:?}") };
        removed
    }

    fn page(self) -> Page {
        let Answered::Listed(page) = self else { panic!("to a list: {self:?}") };
        page
    }
}

/// What answers at once.
pub trait Answers: Send + Sync {
    fn answer(&self, asked: Asked<'_>) -> Answer;
}

impl<F: Fn(Asked<'_>) -> Answer + Send + Sync> Answers for F {
    fn answer(&self, asked: Asked<'_>) -> Answer {
        self(asked)
    }
}

/// A store that answers so, in both mounts.
#[derive(Clone)]
pub struct Stub<A>(pub A);

/// A store of one function.
pub fn stub<F: Fn(Asked<'_>) -> Answer + Send + Sync>(answers: F) -> Stub<F> {
    Stub(answers)
}

impl<A> Deref for Stub<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.0
    }
}

#[cfg(feature = "blocking")]
impl<A: Answers> lumoauth::store::Store for Stub<A> {
    fn load(&self, key: &StoreKey, within: Duration) -> Result<Option<Record>, StoreError> {
        self.0.answer(Asked::Load { key, within }).map(Answered::record)
    }

    fn save_if(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Result<Option<Version>, StoreError> {
        self.0.answer(Asked::Save { key, version, bytes, keep, within }).map(Answered::version)
    }

    fn remove_if(&self, key: &StoreKey, version: Version, within: Duration) -> Result<bool, StoreError> {
        self.0.answer(Asked::Remove { key, version, within }).map(Answered::removed)
    }

    fn keys(&self, prefix: &Prefix, after: Option<&str>, within: Duration) -> Result<Page, StoreError> {
        self.0.answer(Asked::List { prefix, after, within }).map(Answered::page)
    }
}

#[cfg(feature = "async")]
pub use later::{AnswersLater, Io, Later, block_on};

#[cfg(feature = "async")]
mod later {
    use lumoauth::asynchronous::store::Store;

    use super::*;

    /// What a method of the async mount gives back.
    pub type Io<'a, T> = std::pin::Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

    /// What takes its time.
    pub trait AnswersLater: Send + Sync {
        fn answer<'a>(&'a self, asked: Asked<'a>) -> Io<'a, Answered>;
    }

    impl<A: Answers> AnswersLater for Stub<A> {
        fn answer<'a>(&'a self, asked: Asked<'a>) -> Io<'a, Answered> {
            Box::pin(async move { self.0.answer(asked) })
        }
    }

    /// A store of the async mount that answers so.
    #[derive(Clone)]
    pub struct Later<A>(pub A);

    macro_rules! store {
        ($store:ident, $bound:ident, |$own:ident| $answers:expr) => {
            impl<A: $bound> Store for $store<A> {
                fn load<'a>(&'a self, key: &'a StoreKey, within: Duration) -> Io<'a, Option<Record>> {
                    let $own = self;
                    let answer = AnswersLater::answer($answers, Asked::Load { key, within });
                    Box::pin(async move { answer.await.map(Answered::record) })
                }

                fn save_if<'a>(
                    &'a self,
                    key: &'a StoreKey,
                    version: Option<Version>,
                    bytes: &'a [u8],
                    keep: Option<Duration>,
                    within: Duration,
                ) -> Io<'a, Option<Version>> {
                    let $own = self;
                    let asked = Asked::Save { key, version, bytes, keep, within };
                    let answer = AnswersLater::answer($answers, asked);
                    Box::pin(async move { answer.await.map(Answered::version) })
                }

                fn remove_if<'a>(
                    &'a self,
                    key: &'a StoreKey,
                    version: Version,
                    within: Duration,
                ) -> Io<'a, bool> {
                    let $own = self;
                    let answer = AnswersLater::answer($answers, Asked::Remove { key, version, within });
                    Box::pin(async move { answer.await.map(Answered::removed) })
                }

                fn keys<'a>(
                    &'a self,
                    prefix: &'a Prefix,
                    after: Option<&'a str>,
                    within: Duration,
                ) -> Io<'a, Page> {
                    let $own = self;
                    let answer = AnswersLater::answer($answers, Asked::List { prefix, after, within });
                    Box::pin(async move { answer.await.map(Answered::page) })
                }
            }
        };
    }
    store!(Later, AnswersLater, |own| &own.0);
    store!(Stub, Answers, |own| own);

    /// Turns a future on this thread until it is done.
    pub fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }
}
