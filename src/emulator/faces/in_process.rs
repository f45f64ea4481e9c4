//! The emulator as a transport of the clients: no socket, and time that passes only when somebody waits for it.

use std::time::Duration;

use crate::crypto::random_bytes;
use crate::emulator::faces::emulator::Emulator;
use crate::emulator::state::clock::START;
use crate::emulator::values::answer::{Cut, Fault, Reply};
use crate::error::{TransportError, TransportFault};
use crate::time::Now;
use crate::wire::{Request, Response};

/// Carries requests to an [`Emulator`] in the same process, for blocking and async clients alike. A pause moves the
/// emulator's clock instead of waiting.
#[derive(Clone, Debug)]
pub struct InProcess {
    pub(super) emulator: Emulator,
}

impl InProcess {
    fn carry(&self, request: &Request) -> Result<Response, TransportError> {
        let limits = request.attempt_limits();
        let Reply { response, fault } = self.emulator.handle_in_process(request);
        let Fault { delay, cut } = fault.unwrap_or_default();
        if delay >= limits.total {
            self.emulator.advance(limits.total);
            return Err(TransportError::unknown(TransportFault::Timeout, "the answer took too long"));
        }
        self.emulator.advance(delay);
        match cut {
            Some(Cut::NotSent) => {
                return Err(TransportError::not_sent(TransportFault::Connect, "no connection"));
            }
            Some(Cut::Reset) => {
                return Err(TransportError::unknown(TransportFault::Broken, "the connection broke"));
            }
            Some(Cut::Truncate(at)) if at < response.body().len() => {
                return Err(TransportError::unknown(TransportFault::Broken, "the answer broke off"));
            }
            Some(Cut::Truncate(_)) | None => {}
        }
        if response.body().len() > limits.body {
            return Err(TransportError::unknown(
                TransportFault::TooLarge,
                "the answer is larger than allowed",
            ));
        }
        Ok(response)
    }

    fn time(&self) -> Result<Now, TransportError> {
        let wall = self.emulator.now();
        let random = random_bytes().map_err(|_| {
            TransportError::not_sent(TransportFault::Other, "the operating system gave no randomness")
        })?;
        Ok(Now::new(wall, wall.saturating_since(START), random))
    }

    fn pause(&self, duration: Duration) {
        self.emulator.advance(duration);
    }
}

impl Emulator {
    /// The transport that carries requests here.
    pub fn transport(&self) -> InProcess {
        InProcess { emulator: self.clone() }
    }
}

#[cfg(feature = "blocking")]
mod blocking {
    use super::{Duration, InProcess, Now, Request, Response, TransportError};
    use crate::transport::blocking::Transport;

    impl Transport for InProcess {
        fn send(&self, request: Request) -> Result<Response, TransportError> {
            self.carry(&request)
        }

        fn sleep(&self, duration: Duration) {
            self.pause(duration);
        }

        fn now(&self) -> Result<Now, TransportError> {
            self.time()
        }
    }
}

#[cfg(feature = "async")]
mod asynchronous {
    use super::{Duration, InProcess, Now, Request, Response, TransportError};
    use crate::session::Ticket;
    use crate::transport::asynchronous::{Io, Settled, Transport};

    impl Transport for InProcess {
        fn send(&self, request: Request) -> Io<'_, Result<Response, TransportError>> {
            Box::pin(async move { self.carry(&request) })
        }

        fn sleep(&self, duration: Duration) -> Io<'_, ()> {
            Box::pin(async move { self.pause(duration) })
        }

        fn now(&self) -> Result<Now, TransportError> {
            self.time()
        }

        /// Without a timer: the clock moves only when somebody moves it, so waiting cannot run out by itself.
        fn join(&self, ticket: Ticket) -> Io<'_, ()> {
            Box::pin(Settled::of(&ticket, None))
        }
    }
}
