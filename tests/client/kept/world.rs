//! Virtual time for whole clients: threads and tasks that wait are counted, and time goes on only when all of them do.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::Waker;
use std::time::Duration;

use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::TransportError;
use lumoauth::time::{Now, Timestamp};

use super::service::{Reply, Service};

/// Real time after which the world is called stuck: nothing depends on it but how soon a failure is seen.
const STUCK: Duration = Duration::from_secs(120);

/// The clocks, who waits for them, and the service.
pub struct World {
    state: Mutex<State>,
    changed: Condvar,
    service: Mutex<Service>,
}

struct State {
    monotonic: Duration,
    /// By how many seconds the wall clock was set ahead, or back.
    moved: i64,
    draws: u64,
    /// Threads that are neither waiting nor over.
    busy: usize,
    next: u64,
    waits: Vec<Wait>,
    /// What a save in the store takes, and whether the next one panics when it is done.
    save: (Duration, bool),
}

struct Wait {
    id: u64,
    until: Duration,
    woken: bool,
    /// Its thread has stopped, and is counted again when it is woken.
    parked: bool,
    wake: Wake,
}

enum Wake {
    Thread(Arc<Condvar>),
    Task(Option<Waker>),
}

impl World {
    pub fn new(service: Service) -> Arc<Self> {
        let monotonic = Duration::from_secs(1000);
        let (waits, save) = (Vec::new(), (Duration::ZERO, false));
        let state = State { monotonic, moved: 0, draws: 1, busy: 0, next: 0, waits, save };
        Arc::new(World { state: Mutex::new(state), changed: Condvar::new(), service: Mutex::new(service) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn service(&self) -> MutexGuard<'_, Service> {
        self.service.lock().unwrap()
    }

    pub fn time(&self) -> Duration {
        self.state().monotonic
    }

    pub fn now(&self) -> Now {
        let mut state = self.state();
        state.draws += 1;
        let mut random = [0; 32];
        let mut mixed = state.draws.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for chunk in random.chunks_mut(8) {
            mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            chunk.copy_from_slice(&mixed.to_le_bytes());
        }
        let start = 1_750_000_000_u64.checked_add_signed(state.moved).unwrap();
        Now::new(Timestamp::from_unix(start).saturating_add(state.monotonic), state.monotonic, random)
    }

    /// The wall clock is set ahead, or back; or the machine was suspended for so many seconds.
    pub fn set_wall(&self, seconds: i64) {
        self.state().moved += seconds;
    }

    /// Nobody is on the way: a while passes at once.
    pub fn pass(&self, time: Duration) {
        let mut state = self.state();
        assert!(state.waits.is_empty(), "somebody waits");
        state.monotonic += time;
    }

    /// What the service says to this, and when.
    pub fn answer(&self, request: &Request) -> (Duration, Answer) {
        let Reply { after, result } = self.service().answer(request);
        (self.time().saturating_add(after), Answer(result))
    }

    /// Every save takes so long; and whoever saves next is lost when it is done, if that is asked for.
    pub fn slow_saves(&self, each: Duration, panics: bool) {
        self.state().save = (each, panics);
    }

    /// When a save that begins now is done.
    pub fn save_ends(&self) -> Duration {
        let state = self.state();
        state.monotonic + state.save.0
    }

    /// A save is done.
    pub fn saved(&self) {
        let panics = std::mem::take(&mut self.state().save.1);
        if panics {
            std::panic::resume_unwind(Box::new("the caller is lost"));
        }
    }

    /// Begins to wait.
    fn wait(&self, until: Duration, wake: Wake) -> u64 {
        let mut state = self.state();
        state.next += 1;
        let (id, woken) = (state.next, until <= state.monotonic);
        state.waits.push(Wait { id, until, woken, parked: false, wake });
        id
    }

    fn over(&self, id: u64) {
        self.state().waits.retain(|wait| wait.id != id);
    }

    /// Wakes those for whom it is time.
    fn wake(&self, is_time: impl Fn(&Wait) -> bool) {
        let mut tasks = Vec::new();
        let state = &mut *self.state();
        for wait in state.waits.iter_mut().filter(|wait| !wait.woken && is_time(wait)) {
            wait.woken = true;
            state.busy += usize::from(wait.parked);
            match &mut wait.wake {
                Wake::Thread(condition) => condition.notify_all(),
                Wake::Task(waker) => tasks.extend(waker.take()),
            }
        }
        tasks.into_iter().for_each(Waker::wake);
    }

    /// Lets time go on to the next moment that somebody waits for. False if nobody waits.
    pub fn advance(&self) -> bool {
        let now = {
            let mut state = self.state();
            let next = state.waits.iter().filter(|wait| !wait.woken).map(|wait| wait.until).min();
            let Some(next) = next else { return false };
            state.monotonic = state.monotonic.max(next);
            state.monotonic
        };
        self.wake(|wait| wait.until <= now);
        true
    }

    /// Threads: one more is there, counted before it runs.
    pub fn enter(&self) {
        self.state().busy += 1;
    }

    /// Threads: this one is over.
    pub fn leave(&self) {
        self.state().busy -= 1;
        self.changed.notify_all();
    }

    /// Threads: stops this one until then, or until `settle` is called by what it is given to.
    pub fn stop(self: &Arc<Self>, until: Duration, other: impl FnOnce(Box<dyn FnOnce() + Send>)) {
        let condition = Arc::new(Condvar::new());
        let id = self.wait(until, Wake::Thread(Arc::clone(&condition)));
        let world = Arc::clone(self);
        other(Box::new(move || world.wake(|wait| wait.id == id)));
        let mut state = self.state();
        loop {
            let own = state.waits.iter_mut().find(|wait| wait.id == id).unwrap();
            if own.woken {
                break;
            }
            if !std::mem::replace(&mut own.parked, true) {
                state.busy -= 1;
                self.changed.notify_all();
            }
            state = condition.wait(state).unwrap();
        }
        drop(state);
        self.over(id);
    }

    /// Threads: waits until all of them wait or are over.
    pub fn rest(&self) {
        let state = self.state();
        let (_state, timeout) =
            self.changed.wait_timeout_while(state, STUCK, |state| state.busy > 0).unwrap();
        assert!(!timeout.timed_out(), "a thread neither waits nor ends");
    }

    /// Tasks: a future that is ready then.
    pub fn until(self: &Arc<Self>, until: Duration) -> Until {
        Until { world: Arc::clone(self), until, wait: None }
    }
}

/// What arrives when its time has come.
pub struct Answer(Option<Result<Response, TransportError>>);

impl Answer {
    /// Panics in place of whoever is to be lost.
    pub fn arrives(self) -> Result<Response, TransportError> {
        self.0.unwrap_or_else(|| std::panic::resume_unwind(Box::new("the caller is lost")))
    }
}

/// Ready at some time.
pub struct Until {
    world: Arc<World>,
    until: Duration,
    wait: Option<u64>,
}

impl Future for Until {
    type Output = ();

    fn poll(mut self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        if let Some(wait) = self.wait.take() {
            self.world.over(wait);
        }
        if self.world.time() >= self.until {
            return std::task::Poll::Ready(());
        }
        self.wait = Some(self.world.wait(self.until, Wake::Task(Some(context.waker().clone()))));
        std::task::Poll::Pending
    }
}

impl Drop for Until {
    fn drop(&mut self) {
        if let Some(wait) = self.wait {
            self.world.over(wait);
        }
    }
}
