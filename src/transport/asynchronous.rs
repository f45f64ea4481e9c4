//! What the async clients ask of a transport.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::clock;
use crate::error::TransportError;
use crate::session::Ticket;
use crate::time::Now;
use crate::wire::{Request, Response};

#[cfg(feature = "contract")]
#[allow(clippy::duplicate_mod)] // mounted here as async code, in blocking.rs as blocking code
#[path = "contract.rs"]
mod contract;

#[cfg(feature = "contract")]
use crate::mount::asynchronous::dual;
#[cfg(feature = "contract")]
pub use contract::contract;

/// What an async transport gives back.
pub type Io<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Sends requests, for the async clients; blocking ones take [`lumoauth::Transport`](crate::Transport).
///
/// The only I/O there is. [`from_fn`] makes one of two closures. A transport keeps to [`Request::attempt_limits`], follows no redirect, and
/// hands over whole responses only.
pub trait Transport: Send + Sync {
    /// Sends one request and reads the whole response. Fails with a [`TransportError`] that says whether anything may
    /// have been sent; when in doubt, `unknown`.
    fn send<'a>(&'a self, request: Request) -> Io<'a, Result<Response, TransportError>>;

    /// Lets time pass, by the runtime's timer.
    fn sleep<'a>(&'a self, duration: Duration) -> Io<'a, ()>;

    /// The time and fresh randomness.
    ///
    /// # Errors
    /// [`TransportError`] if the operating system gives no randomness.
    fn now(&self) -> Result<Now, TransportError> {
        clock::now()
    }

    /// The time, for calls that need nothing unpredictable: what they draw here ends up in the length of a pause, the moment of
    /// a renewal, or the name of an attempt. The clocks are those of [`Transport::now`]; the bytes have to differ from call to call
    /// and from process to process, or all would come back at once. A transport that wraps another hands this on.
    ///
    /// # Errors
    /// As [`Transport::now`], which it is if not written otherwise.
    fn glance(&self) -> Result<Now, TransportError> {
        self.now()
    }

    /// Waits until another call has settled the token, at most for [`Ticket::within`].
    fn join<'a>(&'a self, ticket: Ticket) -> Io<'a, ()> {
        let timer = self.sleep(ticket.within());
        Box::pin(Settled::of(&ticket, Some(timer)))
    }
}

/// Ends when a ticket is settled, or with the timer.
pub(crate) struct Settled<'a> {
    shared: Arc<Mutex<(bool, Option<Waker>)>>,
    timer: Option<Io<'a, ()>>,
}

impl<'a> Settled<'a> {
    pub(crate) fn of(ticket: &Ticket, timer: Option<Io<'a, ()>>) -> Self {
        let shared = Arc::new(Mutex::new((false, None::<Waker>)));
        let wake = Arc::clone(&shared);
        ticket.on_settled(move || {
            let waker = {
                let mut state = wake.lock().unwrap_or_else(PoisonError::into_inner);
                state.0 = true;
                state.1.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        Settled { shared, timer }
    }
}

impl Future for Settled<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        {
            let mut state = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            if state.0 {
                return Poll::Ready(());
            }
            state.1 = Some(context.waker().clone());
        }
        match &mut self.timer {
            Some(timer) => timer.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

/// A transport made of two closures: one sends, one sleeps.
pub fn from_fn<S, SF, W, WF>(send: S, sleep: W) -> impl Transport
where
    S: Fn(Request) -> SF + Send + Sync,
    SF: Future<Output = Result<Response, TransportError>> + Send + 'static,
    W: Fn(Duration) -> WF + Send + Sync,
    WF: Future<Output = ()> + Send + 'static,
{
    FromFn { send, sleep }
}

struct FromFn<S, W> {
    send: S,
    sleep: W,
}

impl<S, SF, W, WF> Transport for FromFn<S, W>
where
    S: Fn(Request) -> SF + Send + Sync,
    SF: Future<Output = Result<Response, TransportError>> + Send + 'static,
    W: Fn(Duration) -> WF + Send + Sync,
    WF: Future<Output = ()> + Send + 'static,
{
    fn send<'a>(&'a self, request: Request) -> Io<'a, Result<Response, TransportError>> {
        Box::pin((self.send)(request))
    }

    fn sleep<'a>(&'a self, duration: Duration) -> Io<'a, ()> {
        Box::pin((self.sleep)(duration))
    }

    fn glance(&self) -> Result<Now, TransportError> {
        clock::glance()
    }
}
