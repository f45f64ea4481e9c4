//! What a row is, what a mount is, and how both come together.

use std::sync::Arc;
use std::time::Duration;

use lumoauth::Error;
use lumoauth::verify::VerifyError;

use super::service::{Hit, Reply};
use super::world::World;

/// A promise, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    T1,
    T2,
    T3,
    T4,
    T5,
    T6,
    T7,
    T8,
    T9,
    T10,
    T11,
}

pub const PROMISES: [Promise; 11] = [
    Promise::T1,
    Promise::T2,
    Promise::T3,
    Promise::T4,
    Promise::T5,
    Promise::T6,
    Promise::T7,
    Promise::T8,
    Promise::T9,
    Promise::T10,
    Promise::T11,
];

/// How the clients are set up.
#[derive(Clone, Copy, Default)]
pub struct Setup {
    pub most_kept: Option<usize>,
    /// The whole time of a call; an attempt has half of it.
    pub patience: Option<Duration>,
}

/// Why a call has no value.
#[derive(Debug)]
pub struct Failure {
    /// All of it.
    pub text: String,
    pub is_timeout: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { text: format!("{error:?}"), is_timeout: error.is_timeout() }
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        let is_timeout = matches!(&error, VerifyError::Unavailable(error) if error.is_timeout());
        Failure { text: format!("{error:?}"), is_timeout }
    }
}

/// How a call ended.
pub struct Ended {
    pub result: Result<String, Failure>,
    pub took: Duration,
}

/// One of the two mounts, with a world of its own.
pub trait Mount: Sized + 'static {
    const NAME: &'static str;
    /// A call can be taken away while it waits.
    const CANCELS: bool;
    type Job: 'static;
    type Clients: Clone + 'static;

    fn kinds() -> Vec<Kind<Self>>;
    /// A kind that comes to its end.
    fn ending() -> Kind<Self>;
    fn new() -> Self;
    fn world(&self) -> &Arc<World>;
    fn clients(&self, setup: &Setup) -> Self::Clients;
    /// Begins a call, at once or when the others have their turn.
    fn spawn(&mut self, job: Self::Job) -> usize;
    /// Until all calls wait or are over.
    fn rest(&mut self);
    fn cancel(&mut self, at: usize);
    /// How a call ended, once. None if it is under way or was lost.
    fn ended(&mut self, at: usize) -> Option<Ended>;

    /// Until all calls are over.
    fn finish(&mut self) {
        loop {
            self.rest();
            if !self.world().advance() {
                return;
            }
        }
    }

    /// One call alone.
    fn run(&mut self, job: Self::Job) -> Result<String, Failure> {
        let at = self.spawn(job);
        self.finish();
        self.ended(at).expect("it ended").result
    }
}

/// Begins a call for a key.
pub type Get<M> = fn(&<M as Mount>::Clients, u32) -> <M as Mount>::Job;

/// A row of the table.
pub struct Kind<M: Mount> {
    pub name: &'static str,
    /// Where the kind is: `tests/house/kept.rs` looks whether all have a row.
    pub source: &'static str,
    /// The requests that fetch it.
    pub fetches: fn(&Hit) -> bool,
    /// What they are answered, with a lifetime if there is one.
    pub good: fn(&Hit, &str) -> Reply,
    /// What comes before, so that this kind alone has to be fetched.
    pub before: fn(&M::Clients, u32) -> Vec<M::Job>,
    /// Seconds that pass after that.
    pub age: u64,
    /// A call that needs it, by a key.
    pub get: Get<M>,
    /// A call that looks into what is held, if the other does not.
    pub again: Option<Get<M>>,
    /// When it is over there is no other.
    pub ends: bool,
    /// Seconds after which it is due but good.
    pub soft: u64,
    /// Seconds between two early attempts, at least.
    pub pause: u64,
    /// How a caller for key 0 comes to have too little time.
    pub late: Late<M>,
    /// How it is used, if it is a token.
    pub used: Vec<Used<M>>,
    /// The promises that it keeps in part, and why no more can be promised.
    pub partly: &'static [(Promise, &'static str)],
    /// The promises in which it does not take part, and why.
    pub not: &'static [(Promise, &'static str)],
}

/// How a caller comes to have too little time while it leads.
pub enum Late<M: Mount> {
    /// It has little from the beginning.
    Short(fn(&M::Clients) -> M::Job),
    /// The same, and the store takes longer than that to save that the fetch begins.
    Saving(fn(&M::Clients) -> M::Job),
    /// It has little, and whoever is asked cannot be stopped.
    Asking(fn(&M::Clients) -> M::Job),
    /// What is asked before, with these requests, takes its time.
    Behind(fn(&Hit) -> bool),
}

/// How a token is used, and refused.
pub struct Used<M: Mount> {
    /// A call that brings it by a key, if it is not the row's.
    pub hold: Option<Get<M>>,
    /// By a key, and a number that tells calls apart where calls for one key would be one.
    pub call: fn(&M::Clients, u32, u32) -> M::Job,
    pub uses: fn(&Hit) -> bool,
    pub token: fn(&Hit) -> String,
    pub refuse: fn() -> Reply,
    /// How often the first call that is refused for ever uses it.
    pub most: usize,
}

impl<M: Mount> Kind<M> {
    pub fn ready(&self, setup: &Setup, keys: u32) -> (M, M::Clients) {
        let mut mount = M::new();
        let clients = mount.clients(setup);
        for key in 0..keys {
            for job in (self.before)(&clients, key) {
                mount.run(job).unwrap_or_else(|error| panic!("{}: before: {error:?}", self.name));
            }
        }
        mount.world().pass(Duration::from_secs(self.age));
        self.heal(&mount);
        (mount, clients)
    }

    pub fn on(&self, mount: &M, script: impl FnMut(&Hit) -> Reply + Send + 'static) {
        mount.world().service().on(self.fetches, script);
    }

    /// From now on, and counted from here, it is fetched well.
    pub fn heal(&self, mount: &M) {
        let good = self.good;
        self.on(mount, move |hit| good(hit, "3600"));
    }

    pub fn fetched(&self, mount: &M) -> usize {
        mount.world().service().hits(self.fetches).len()
    }

    /// Waits until a fetch has been sent.
    pub fn until_sent(&self, mount: &mut M) {
        loop {
            mount.rest();
            if self.fetched(mount) > 0 {
                return;
            }
            assert!(mount.world().advance(), "{}: it is not fetched", self.name);
        }
    }
}
