//! Tasks over a world of virtual time, polled in an order that a seed draws.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use lumoauth::aauth::AgentKey;
use lumoauth::asynchronous::store::{MemoryStore, Store};
use lumoauth::asynchronous::{Agent, DelegationChain, Io, TokenVerifier, Transport, aauth};
use lumoauth::embed::session::{Action, Arrived, Machine, Step};
use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::{Error, TransportError};
use lumoauth::time::Now;
use lumoauth::verify::VerifierConfig;

use super::service::{API, AUDIENCE, Service, agents_source, read_agent_token, signed};
use super::table::{Ended, Failure, Mount, Setup};
use super::world::World;
use crate::stores::{self, Answered, AnswersLater, Asked, Later};

/// A call, and what is shown of its outcome.
pub type Job = std::pin::Pin<Box<dyn Future<Output = Result<String, Failure>> + Send>>;

macro_rules! job {
    ($clients:ident, $call:expr, |$value:pat_param| $shown:expr) => {{
        let $clients = $clients.clone();
        let job: Job = Box::pin(async move {
            match $call.await {
                Ok($value) => Ok($shown),
                Err(error) => Err(Failure::from(error)),
            }
        });
        job
    }};
}

#[allow(clippy::duplicate_mod)] // mounted here as async code, in blocking.rs as blocking code
#[path = "clients.rs"]
mod clients;
#[allow(clippy::duplicate_mod)]
#[path = "kinds.rs"]
mod kinds;

pub use clients::Clients;

#[derive(Clone)]
pub struct Wire(Arc<World>);

impl Wire {
    /// Turns a machine that no client of this mount turns with a time of its own.
    async fn turn<M: Machine>(&self, mut machine: M) -> Result<M::Output, Error> {
        let mut arrived = None;
        loop {
            match machine.step(&self.0.now(), arrived.take())? {
                Step::Do(Action::Send(request)) => arrived = Some(Arrived::from(self.send(request).await)),
                Step::Do(Action::Wait(pause)) => self.sleep(pause).await,
                Step::Do(Action::Join(ticket)) => self.join(ticket).await,
                Step::Do(other) => panic!("{other:?}"),
                Step::Done(output) => return Ok(output),
            }
        }
    }
}

/// Asks for agents' tokens over the same wire.
fn agent_tokens(wire: Wire) -> impl aauth::AgentTokenSource {
    move || {
        let wire = wire.clone();
        async move { read_agent_token(wire.send(agents_source()).await, &wire.0.now()) }
    }
}

impl Transport for Wire {
    fn send<'a>(&'a self, request: Request) -> Io<'a, Result<Response, TransportError>> {
        Box::pin(async move {
            let (when, answer) = self.0.answer(&request);
            self.0.until(when).await;
            answer.arrives()
        })
    }

    fn sleep<'a>(&'a self, duration: Duration) -> Io<'a, ()> {
        Box::pin(self.0.until(self.0.time().saturating_add(duration)))
    }

    fn now(&self) -> Result<Now, TransportError> {
        Ok(self.0.now())
    }
}

/// A store whose saves take as long as the world says.
struct Slow(Arc<World>, MemoryStore);

fn slow(world: Arc<World>) -> impl Store {
    Later(Slow(world, MemoryStore::new()))
}

impl AnswersLater for Slow {
    fn answer<'a>(&'a self, asked: Asked<'a>) -> stores::Io<'a, Answered> {
        Box::pin(async move {
            let answer = asked.later(&self.1).await;
            if asked.saves() {
                self.0.until(self.0.save_ends()).await;
                self.0.saved();
            }
            answer
        })
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

struct Task {
    job: Option<Job>,
    woken: Arc<Woken>,
    began: Option<Duration>,
    ended: Option<Ended>,
}

/// The tasks of one world.
pub struct Tasks {
    world: Arc<World>,
    tasks: Vec<Task>,
    seed: u64,
}

impl Tasks {
    fn poll(&mut self, at: usize) {
        let (now, task) = (self.world.time(), &mut self.tasks[at]);
        let Some(job) = &mut task.job else { return };
        let began = *task.began.get_or_insert(now);
        let waker = Waker::from(Arc::clone(&task.woken));
        let mut context = Context::from_waker(&waker);
        let polled =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job.as_mut().poll(&mut context)));
        match polled {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(result)) => task.ended = Some(Ended { result, took: now - began }),
            Err(_) => {}
        }
        task.job = None;
    }
}

impl Mount for Tasks {
    const NAME: &'static str = "async";
    const CANCELS: bool = true;
    type Job = Job;
    type Clients = Clients;

    fn kinds() -> Vec<super::table::Kind<Self>> {
        kinds::kinds()
    }

    fn ending() -> super::table::Kind<Self> {
        kinds::ending()
    }

    fn new() -> Self {
        Tasks { world: World::new(Service::new()), tasks: Vec::new(), seed: 1 }
    }

    fn world(&self) -> &Arc<World> {
        &self.world
    }

    fn clients(&self, setup: &Setup) -> Clients {
        Clients::new(Wire(Arc::clone(&self.world)), &self.world, setup)
    }

    fn spawn(&mut self, job: Job) -> usize {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        self.tasks.push(Task { job: Some(job), woken, began: None, ended: None });
        self.tasks.len() - 1
    }

    fn rest(&mut self) {
        loop {
            let ready: Vec<usize> = (0..self.tasks.len())
                .filter(|at| self.tasks[*at].job.is_some() && self.tasks[*at].woken.0.load(Ordering::SeqCst))
                .collect();
            if ready.is_empty() {
                return;
            }
            self.seed =
                self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let chosen = ready[(self.seed >> 33) as usize % ready.len()];
            self.tasks[chosen].woken.0.store(false, Ordering::SeqCst);
            self.poll(chosen);
        }
    }

    fn cancel(&mut self, at: usize) {
        self.tasks[at].job = None;
    }

    fn ended(&mut self, at: usize) -> Option<Ended> {
        self.tasks[at].ended.take()
    }
}
pub type Mounted = Tasks;
