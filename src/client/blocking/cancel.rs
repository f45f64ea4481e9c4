//! Ending a call that waits, from any thread.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// How long the thread of a pause that was ended may go on pausing. Nobody waits for it.
const PIECE: Duration = Duration::from_millis(100);

/// Ends calls that wait, from any thread. A clone is the same handle.
///
/// A call that is given one returns within 50 ms after [`Cancel::cancel`], with [`Error::Cancelled`]. What it has sent by then may still
/// take effect.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Handle>);

#[derive(Default)]
struct Handle {
    used: AtomicBool,
    waiting: Mutex<Waiting>,
}

/// Who is to be told when the handle is used.
#[derive(Default)]
struct Waiting {
    next: u64,
    wakers: Vec<(u64, Waker)>,
}

type Waker = Box<dyn FnOnce() + Send>;

impl Cancel {
    /// A handle that ends nothing yet.
    pub fn new() -> Self {
        Cancel::default()
    }

    /// Ends every call that was given this handle, now and later.
    pub fn cancel(&self) {
        self.0.used.store(true, Ordering::SeqCst);
        let wakers = std::mem::take(&mut self.waiting().wakers);
        wakers.into_iter().for_each(|(_, wake)| wake());
    }

    /// True if it was used.
    pub fn is_cancelled(&self) -> bool {
        self.0.used.load(Ordering::SeqCst)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called when the handle is used, or at once if it was, until what is given back is dropped.
    fn on_cancel(&self, wake: impl FnOnce() + Send + 'static) -> Watch<'_> {
        let mut waiting = self.waiting();
        let number = waiting.next;
        waiting.next = number.wrapping_add(1);
        // Whoever uses it says so first, and then takes the list.
        if self.is_cancelled() {
            drop(waiting);
            wake();
        } else {
            waiting.wakers.push((number, Box::new(wake)));
        }
        Watch { cancel: self, number }
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel").field("is_cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

/// Somebody who is to be told.
struct Watch<'a> {
    cancel: &'a Cancel,
    number: u64,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.cancel.waiting().wakers.retain(|(number, _)| *number != self.number);
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

/// What came of a job on a thread of its own.
enum Apart<T> {
    Done(T),
    /// The call is to end. The job is left alone with its thread.
    Cancelled,
    /// The thread ended without an answer.
    Lost,
    /// There is no thread.
    NoThread,
}

/// Says that its thread is over, however it ends.
struct Over<T>(Sender<Option<T>>);

impl<T> Drop for Over<T> {
    fn drop(&mut self) {
        let _ = self.0.send(None);
    }
}

impl Cancel {
    /// Does this on a thread of its own, and waits for it or for the end of the call, whichever is first: woken by it, without looking.
    fn apart<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Apart<T> {
        let (end, ended) = mpsc::channel();
        let over = Over(end.clone());
        let thread = std::thread::Builder::new().name("lumoauth-cancellable".to_owned());
        let spawned = thread.spawn(move || {
            let done = job();
            let _ = over.0.send(Some(done));
        });
        if spawned.is_err() {
            return Apart::NoThread;
        }
        let _watch = self.on_cancel(move || {
            let _ = end.send(None);
        });
        match ended.recv() {
            Ok(Some(done)) => Apart::Done(done),
            _ if self.is_cancelled() => Apart::Cancelled,
            _ => Apart::Lost,
        }
    }
}

/// Pauses, and looks now and then whether the pause is to end.
fn pause(transport: &dyn Transport, cancel: &Cancel, duration: Duration) {
    let mut left = duration;
    while !left.is_zero() && !cancel.is_cancelled() {
        let piece = left.min(PIECE);
        transport.sleep(piece);
        left = left.saturating_sub(piece);
    }
}

impl Transport for Cancellable {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        let (inner, again) = (Arc::clone(&self.inner), request.clone());
        match self.cancel.apart(move || inner.send(request)) {
            Apart::Done(answer) => answer,
            Apart::Cancelled => Err(cancelled()),
            Apart::Lost => {
                Err(TransportError::unknown(TransportFault::Other, "the transport ended without an answer"))
            }
            Apart::NoThread => self.inner.send(again),
        }
    }

    fn sleep(&self, duration: Duration) {
        let (inner, cancel) = (Arc::clone(&self.inner), self.cancel.clone());
        if let Apart::NoThread = self.cancel.apart(move || pause(&*inner, &cancel, duration)) {
            pause(&*self.inner, &self.cancel, duration);
        }
    }

    fn now(&self) -> Result<Now, TransportError> {
        self.inner.now()
    }

    fn glance(&self) -> Result<Now, TransportError> {
        self.inner.glance()
    }

    fn join(&self, ticket: Ticket) {
        let (woken, wakes) = mpsc::channel();
        let (settled, within) = (woken.clone(), ticket.within());
        ticket.on_settled(move || {
            let _ = settled.send(());
        });
        let _watch = self.cancel.on_cancel(move || {
            let _ = woken.send(());
        });
        // Whichever comes first; that the time is over is seen by the clock.
        let _: Result<(), RecvTimeoutError> = wakes.recv_timeout(within);
    }
}
