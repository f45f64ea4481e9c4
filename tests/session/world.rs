//! Virtual time, and a scheduler that turns many calls in an order drawn from a seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lumoauth::embed::session::{Action, Arrived, Machine, Session, Settings, Step};
use lumoauth::error::Error;
use lumoauth::time::{Now, Timestamp};
use lumoauth::{Credentials, Site};

use super::server::{Reply, Server};
use super::shelves::Shelves;

/// More steps than any call of these tests needs.
const STEPS: usize = 10_000;

/// A small generator (splitmix64): the same seed, the same run, everywhere.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&self.next().to_le_bytes()));
        bytes
    }
}

pub fn credentials(id: &str) -> Credentials {
    Credentials::new(id, "a-long-client-secret").unwrap()
}

pub fn session() -> Session {
    Session::new(Settings::new(Site::tenant("acme").unwrap()).credentials(credentials("agt_1")))
}

/// How a virtual thread ended.
pub struct Ended {
    pub result: Result<String, Error>,
    /// From its first step.
    pub took: Duration,
}

trait Turn {
    fn turn(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<String>, Error>;
}

struct Turned<M, F>(M, F);

impl<M: Machine, F: Fn(M::Output) -> String> Turn for Turned<M, F> {
    fn turn(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<String>, Error> {
        Ok(match self.0.step(now, arrived)? {
            Step::Do(action) => Step::Do(action),
            Step::Done(output) => Step::Done((self.1)(output)),
        })
    }
}

#[allow(clippy::large_enum_variant)] // a test has few of them
enum State {
    At(Duration, Option<Arrived>),
    Joined { settled: Arc<AtomicBool>, until: Duration },
    Over,
}

struct Thread {
    machine: Option<Box<dyn Turn>>,
    state: State,
    began: Option<Duration>,
    ended: Option<Ended>,
    /// How far its wall clock is ahead of the world's, in milliseconds.
    ahead: i64,
}

pub struct World {
    /// Milliseconds since the epoch.
    pub wall: u64,
    pub monotonic: Duration,
    /// What no clock shows: the service's time.
    pub truth: Duration,
    pub rng: Rng,
    pub server: Server,
    pub shelves: Shelves,
    /// The longest that the store takes, in milliseconds.
    pub store_takes: u64,
    /// How often a call was told to wait for another.
    pub joins: usize,
    threads: Vec<Thread>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        World {
            wall: 1_750_000_000_000,
            monotonic: Duration::from_secs(1000),
            truth: Duration::from_secs(500_000),
            rng: Rng(seed),
            server: Server::new(),
            shelves: Shelves::new(),
            store_takes: 4,
            joins: 0,
            threads: Vec::new(),
        }
    }

    pub fn now(&mut self) -> Now {
        Now::new(Timestamp::from_unix_millis(self.wall), self.monotonic, self.rng.bytes())
    }

    /// Lets time pass on every clock.
    pub fn pass(&mut self, time: Duration) {
        self.wall = self.wall.saturating_add(u64::try_from(time.as_millis()).unwrap());
        self.monotonic += time;
        self.truth += time;
    }

    pub fn pass_millis(&mut self, millis: u64) {
        self.pass(Duration::from_millis(millis));
    }

    /// Turns one machine to its end with nobody else about.
    pub fn run<M: Machine>(&mut self, mut machine: M) -> Result<M::Output, Error> {
        let mut arrived = None;
        for _ in 0..STEPS {
            let now = self.now();
            match machine.step(&now, arrived.take())? {
                Step::Do(Action::Send(request)) => {
                    let reply = self.server.answer(&request, self.truth);
                    self.pass(reply.after);
                    arrived = Some(reply.arrived);
                }
                Step::Do(Action::Wait(pause)) => self.pass(pause),
                Step::Do(Action::Store(request)) => {
                    let takes = self.store_time();
                    let (after, answer) = self.shelves.answer(&request, takes);
                    self.pass(after);
                    arrived = Some(answer);
                }
                Step::Do(Action::Join(_)) | Step::Do(Action::Given(_) | Action::Sign(_)) => {
                    panic!("there is nobody to wait for")
                }
                Step::Done(output) => return Ok(output),
            }
        }
        panic!("no end after {STEPS} steps");
    }

    /// Adds a virtual thread; `run_all` turns it.
    pub fn spawn<M>(&mut self, machine: M) -> usize
    where
        M: Machine + 'static,
        M::Output: Shown,
    {
        let machine: Box<dyn Turn> = Box::new(Turned(machine, |output: M::Output| output.shown()));
        let state = State::At(self.monotonic, None);
        self.threads.push(Thread { machine: Some(machine), state, began: None, ended: None, ahead: 0 });
        self.threads.len() - 1
    }

    /// Sets a virtual thread's wall clock ahead of the world's by so many milliseconds.
    pub fn ahead(&mut self, thread: usize, millis: i64) {
        self.threads[thread].ahead = millis;
    }

    fn store_time(&mut self) -> Duration {
        Duration::from_millis(self.rng.below(self.store_takes.saturating_add(1)))
    }

    /// Drops a virtual thread's machine, as a cancelled caller does.
    pub fn cancel(&mut self, thread: usize) {
        self.threads[thread].machine = None;
        self.threads[thread].state = State::Over;
    }

    /// Takes one step of one thread that can go on, or lets time pass to the next moment at which one can. False when
    /// all are over.
    pub fn step(&mut self) -> bool {
        let now = self.monotonic;
        let due = |state: &State| match state {
            State::At(at, _) => Some(*at),
            State::Joined { settled, .. } if settled.load(Ordering::SeqCst) => Some(now),
            State::Joined { until, .. } => Some(*until),
            State::Over => None,
        };
        let Some(next) = self.threads.iter().filter_map(|thread| due(&thread.state)).min() else {
            return false;
        };
        if next > now {
            self.pass(next - now);
            return true;
        }
        let ready: Vec<usize> = (0..self.threads.len())
            .filter(|&at| due(&self.threads[at].state).is_some_and(|at| at <= now))
            .collect();
        let chosen = ready[self.rng.below(ready.len() as u64) as usize];
        self.turn(chosen);
        true
    }

    fn turn(&mut self, thread: usize) {
        let mut now = self.now();
        let wall = now.wall.unix_millis().saturating_add_signed(self.threads[thread].ahead);
        now.wall = Timestamp::from_unix_millis(wall);
        let State::At(_, arrived) =
            std::mem::replace(&mut self.threads[thread].state, State::At(now.monotonic, None))
        else {
            return; // It waited for another: the next turn steps it with nothing.
        };
        let began = *self.threads[thread].began.get_or_insert(now.monotonic);
        let Some(machine) = self.threads[thread].machine.as_mut() else { return };
        let result = match machine.turn(&now, arrived) {
            Ok(Step::Do(Action::Send(request))) => {
                let Reply { after, arrived } = self.server.answer(&request, self.truth);
                self.threads[thread].state = State::At(now.monotonic.saturating_add(after), Some(arrived));
                return;
            }
            Ok(Step::Do(Action::Wait(pause))) => {
                self.threads[thread].state = State::At(now.monotonic.saturating_add(pause), None);
                return;
            }
            Ok(Step::Do(Action::Join(ticket))) => {
                self.joins += 1;
                let settled = Arc::new(AtomicBool::new(false));
                let wake = Arc::clone(&settled);
                ticket.on_settled(move || wake.store(true, Ordering::SeqCst));
                let until = now.monotonic.saturating_add(ticket.within());
                self.threads[thread].state = State::Joined { settled, until };
                return;
            }
            Ok(Step::Do(Action::Store(request))) => {
                let takes = self.store_time();
                let (after, answer) = self.shelves.answer(&request, takes);
                self.threads[thread].state = State::At(now.monotonic.saturating_add(after), Some(answer));
                return;
            }
            Ok(Step::Do(Action::Given(_) | Action::Sign(_))) => panic!("it has a secret"),
            Ok(Step::Done(output)) => Ok(output),
            Err(error) => Err(error),
        };
        let took = now.monotonic - began;
        self.threads[thread].ended = Some(Ended { result, took });
        self.cancel(thread);
    }

    /// Turns every virtual thread to its end and takes what became of them, in the order in which they were added.
    /// A cancelled one has no end.
    pub fn run_all(&mut self) -> Vec<Option<Ended>> {
        let mut steps = 0;
        while self.step() {
            steps += 1;
            assert!(steps < 10_000_000, "no end");
        }
        self.threads.drain(..).map(|thread| thread.ended).collect()
    }

    /// The same when none is cancelled.
    pub fn run_ends(&mut self) -> Vec<Ended> {
        self.run_all().into_iter().map(|ended| ended.expect("it ended")).collect()
    }
}

/// Outputs as text, so that threads with different ones fit into one world.
pub trait Shown {
    fn shown(self) -> String;
}

impl Shown for String {
    fn shown(self) -> String {
        self
    }
}

impl Shown for lumoauth::AccessToken {
    fn shown(self) -> String {
        self.secret().expose().to_owned()
    }
}

/// Runs a test for many seeds; a failure names its own.
pub fn seeds(count: u64, test: impl Fn(u64)) {
    for seed in 0..count {
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(seed)));
        if let Err(panic) = run {
            println!("seed {seed} failed");
            std::panic::resume_unwind(panic);
        }
    }
}
