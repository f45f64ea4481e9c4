//! Threads over a world of virtual time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lumoauth::aauth::{self, AgentKey};
use lumoauth::embed::session::{Action, Arrived, Machine, Step, Ticket};
use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::{Error, TransportError};
use lumoauth::store::{MemoryStore, Store};
use lumoauth::time::Now;
use lumoauth::verify::VerifierConfig;
use lumoauth::{Agent, DelegationChain, TokenVerifier, Transport};

use super::service::{API, AUDIENCE, Service, agents_source, read_agent_token, signed};
use super::table::{Ended, Failure, Mount, Setup};
use super::world::World;
use crate::stores::stub;

/// A call, and what is shown of its outcome.
pub type Job = Box<dyn FnOnce() -> Result<String, Failure> + Send>;

macro_rules! job {
    ($clients:ident, $call:expr, |$value:pat_param| $shown:expr) => {{
        let $clients = $clients.clone();
        let job: Job = Box::new(move || match $call {
            Ok($value) => Ok($shown),
            Err(error) => Err(Failure::from(error)),
        });
        job
    }};
}

#[allow(clippy::duplicate_mod)] // mounted here as blocking code, in asynchronous.rs as async code
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
    fn turn<M: Machine>(&self, mut machine: M) -> Result<M::Output, Error> {
        let mut arrived = None;
        loop {
            match machine.step(&self.0.now(), arrived.take())? {
                Step::Do(Action::Send(request)) => arrived = Some(Arrived::from(self.send(request))),
                Step::Do(Action::Wait(pause)) => self.sleep(pause),
                Step::Do(Action::Join(ticket)) => self.join(ticket),
                Step::Do(other) => panic!("{other:?}"),
                Step::Done(output) => return Ok(output),
            }
        }
    }
}

/// Asks for agents' tokens over the same wire.
fn agent_tokens(wire: Wire) -> impl aauth::AgentTokenSource {
    move || read_agent_token(wire.send(agents_source()), &wire.0.now())
}

impl Transport for Wire {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        let (when, answer) = self.0.answer(&request);
        self.0.stop(when, drop);
        answer.arrives()
    }

    fn sleep(&self, duration: Duration) {
        self.0.stop(self.0.time().saturating_add(duration), drop);
    }

    fn now(&self) -> Result<Now, TransportError> {
        Ok(self.0.now())
    }

    fn join(&self, ticket: Ticket) {
        let until = self.0.time().saturating_add(ticket.within());
        self.0.stop(until, |settled| ticket.on_settled(settled));
    }
}

/// A store whose saves take as long as the world says.
fn slow(world: Arc<World>) -> impl Store {
    let memory = MemoryStore::new();
    stub(move |asked| {
        let answer = asked.on(&memory);
        if asked.saves() {
            world.stop(world.save_ends(), drop);
            world.saved();
        }
        answer
    })
}

/// The threads of one world.
pub struct Threads {
    world: Arc<World>,
    ends: Arc<Mutex<Vec<Option<Ended>>>>,
}

impl Mount for Threads {
    const NAME: &'static str = "blocking";
    const CANCELS: bool = false;
    type Job = Job;
    type Clients = Clients;

    fn kinds() -> Vec<super::table::Kind<Self>> {
        kinds::kinds()
    }

    fn ending() -> super::table::Kind<Self> {
        kinds::ending()
    }

    fn new() -> Self {
        Threads { world: World::new(Service::new()), ends: Arc::default() }
    }

    fn world(&self) -> &Arc<World> {
        &self.world
    }

    fn clients(&self, setup: &Setup) -> Clients {
        Clients::new(Wire(Arc::clone(&self.world)), &self.world, setup)
    }

    fn spawn(&mut self, job: Job) -> usize {
        let at = {
            let mut ends = self.ends.lock().unwrap();
            ends.push(None);
            ends.len() - 1
        };
        self.world.enter();
        let (world, ends) = (Arc::clone(&self.world), Arc::clone(&self.ends));
        std::thread::spawn(move || {
            let began = world.time();
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
            let took = world.time() - began;
            ends.lock().unwrap()[at] = result.ok().map(|result| Ended { result, took });
            world.leave();
        });
        at
    }

    fn rest(&mut self) {
        self.world.rest();
    }

    fn cancel(&mut self, _: usize) {
        unreachable!("a thread cannot be taken away");
    }

    fn ended(&mut self, at: usize) -> Option<Ended> {
        self.ends.lock().unwrap()[at].take()
    }
}
pub type Mounted = Threads;
