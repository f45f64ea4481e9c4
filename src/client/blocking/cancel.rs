//! Ending a call that waits, from any thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::agent::Agent;
use super::jit_client::Jit;
use super::run::Outside;
use super::{Transport, run};
use crate::error::{Error, TransportError, TransportFault};
use crate::operation::Operation;
use crate::operations::{AuthorizationDetails, Permission};
use crate::session::{Arrived, Machine, Step, Ticket};
use crate::time::Now;
use crate::wire::{Request, Response};

/// So often it is looked whether the call is to end.
const LOOK: Duration = Duration::from_millis(20);

/// Ends calls that wait, from any thread. A clone is the same handle.
///
/// A call that is given one returns within 50 ms after [`Cancel::cancel`], with [`Error::Cancelled`]. What it has sent by then may still
/// take effect.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A handle that ends nothing yet.
    pub fn new() -> Self {
        Cancel::default()
    }

    /// Ends every call that was given this handle, now and later.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// True if it was used.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Jit {
    /// [`Jit::wait`], until another thread ends it. The request goes on waiting at the service.
    ///
    /// # Errors
    /// As there, and [`Error::Cancelled`].
    pub fn wait_unless(
        &self,
        cancel: &Cancel,
        request_id: &str,
        details: &AuthorizationDetails,
        within: Duration,
    ) -> Result<Permission, Error> {
        let machine = self.waiting(request_id, details, within);
        unless(cancel, self.driver().outside(), &self.driver().transport, machine)
    }
}

impl Agent {
    /// Runs an operation until another thread ends it: a device that polls, say. What has been sent by then may still take effect.
    ///
    /// # Errors
    /// As [`Agent::run`], and [`Error::Cancelled`].
    pub fn run_unless<O>(&self, cancel: &Cancel, operation: O) -> Result<O::Output, Error>
    where
        O: Operation + Send,
        O::Output: Send,
    {
        let machine = self.session().call(operation);
        unless(cancel, self.driver().outside(), &self.driver().transport, machine)
    }
}

/// Turns a machine until it is done, or the call is to end.
pub(super) fn unless<M>(
    cancel: &Cancel,
    outside: Outside<'_>,
    transport: &Arc<dyn Transport>,
    machine: M,
) -> Result<M::Output, Error>
where
    M: Machine + Send,
    M::Output: Send,
{
    let cancellable = Cancellable { inner: Arc::clone(transport), cancel: cancel.clone() };
    run::turn(Outside { transport: &cancellable, ..outside }, Unless { machine, cancel: cancel.clone() })
}

/// A machine that ends when it is told to.
struct Unless<M> {
    machine: M,
    cancel: Cancel,
}

impl<M: Machine> Machine for Unless<M> {
    type Output = M::Output;

    fn draws_secrets(&self) -> bool {
        self.machine.draws_secrets()
    }

    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<M::Output>, Error> {
        let came = matches!(arrived, Some(Arrived::Response(_)));
        let step = if came || !self.cancel.is_cancelled() {
            self.machine.step(now, arrived)?
        } else {
            return Err(Error::Cancelled);
        };
        match step {
            // What has arrived counts.
            Step::Done(output) => Ok(Step::Done(output)),
            Step::Do(_) if self.cancel.is_cancelled() => Err(Error::Cancelled),
            step => Ok(step),
        }
    }
}

/// A transport whose waiting ends early.
struct Cancellable {
    inner: Arc<dyn Transport>,
    cancel: Cancel,
}

fn cancelled() -> TransportError {
    TransportError::unknown(TransportFault::Other, "the call was cancelled")
}

impl Transport for Cancellable {
    /// On a thread of its own, which is left alone with it if the call is to end.
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let inner = Arc::clone(&self.inner);
        let again = request.clone();
        let spawned = std::thread::Builder::new()
            .name("lumoauth-cancellable".to_owned())
            .spawn(move || drop(answer.send(inner.send(request))));
        if spawned.is_err() {
            return self.inner.send(again);
        }
        loop {
            match answered.recv_timeout(LOOK) {
                Ok(answer) => return answer,
                Err(mpsc::RecvTimeoutError::Timeout) if !self.cancel.is_cancelled() => {}
                Err(_) => return Err(cancelled()),
            }
        }
    }

    fn sleep(&self, duration: Duration) {
        let mut left = duration;
        while !left.is_zero() && !self.cancel.is_cancelled() {
            let piece = left.min(LOOK);
            self.inner.sleep(piece);
            left = left.saturating_sub(piece);
        }
    }

    fn now(&self) -> Result<Now, TransportError> {
        self.inner.now()
    }

    fn glance(&self) -> Result<Now, TransportError> {
        self.inner.glance()
    }

    fn join(&self, ticket: Ticket) {
        let (settled, woken) = mpsc::sync_channel(1);
        let within = ticket.within();
        ticket.on_settled(move || {
            let _ = settled.try_send(());
        });
        let mut left = within;
        while !left.is_zero() && !self.cancel.is_cancelled() {
            let piece = left.min(LOOK);
            if woken.recv_timeout(piece) != Err(mpsc::RecvTimeoutError::Timeout) {
                return;
            }
            left = left.saturating_sub(piece);
        }
    }
}
