//! What the blocking clients ask of a transport.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::clock;
use crate::error::TransportError;
use crate::session::Ticket;
use crate::time::Now;
use crate::wire::{Request, Response};

#[cfg(feature = "contract")]
#[allow(clippy::duplicate_mod)] // mounted here as blocking code, in asynchronous.rs as async code
#[path = "contract.rs"]
mod contract;

#[cfg(feature = "contract")]
use crate::mount::blocking::dual;
#[cfg(feature = "contract")]
pub use contract::contract;

/// Sends requests, for the blocking clients; async ones take [`asynchronous::Transport`](crate::asynchronous::Transport).
///
/// The only I/O there is. A closure `Fn(Request) -> Result<Response, TransportError>` is one. A transport keeps to
/// [`Request::attempt_limits`], follows no redirect, and hands over whole responses only.
pub trait Transport: Send + Sync {
    /// Sends one request and reads the whole response.
    ///
    /// # Errors
    /// [`TransportError`], saying whether anything may have been sent. When in doubt, `unknown`.
    fn send(&self, request: Request) -> Result<Response, TransportError>;

    /// Lets time pass.
    #[allow(clippy::disallowed_methods)] // a transport is what sleeps
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

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
    fn join(&self, ticket: Ticket) {
        let settled = Arc::new((Mutex::new(false), Condvar::new()));
        let wake = Arc::clone(&settled);
        ticket.on_settled(move || {
            *wake.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
            wake.1.notify_all();
        });
        let guard = settled.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(settled.1.wait_timeout_while(guard, ticket.within(), |settled| !*settled));
    }
}

impl<F> Transport for F
where
    F: Fn(Request) -> Result<Response, TransportError> + Send + Sync,
{
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        self(request)
    }

    fn glance(&self) -> Result<Now, TransportError> {
        clock::glance()
    }
}
