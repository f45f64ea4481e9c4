//! What an attempt may still receive, and what its answer means so far. ureq's connections do not know whose attempt
//! they serve; its thread does: an attempt is made, and its answer read, on the thread of its caller.

use std::cell::RefCell;

use http::Method;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

use super::super::framing::{Framing, Watch, allowance, beyond};
use super::ended::is_ended;
use super::resolver::marked;
use crate::wire::Limits;

thread_local! {
    static CURRENT: RefCell<Option<Attempt>> = const { RefCell::new(None) };
}

/// The attempt that this thread is making.
struct Attempt {
    watch: Watch,
    left: u64,
}

/// Until it is dropped, this thread makes one attempt.
pub(super) struct Attempting {
    outer: Option<Attempt>,
}

pub(super) fn begin(method: &Method, limits: &Limits) -> Attempting {
    let attempt = Attempt { watch: Watch::new(method, limits), left: allowance(limits) };
    Attempting { outer: CURRENT.replace(Some(attempt)) }
}

impl Attempting {
    /// What the head of the answer announced.
    pub(super) fn framing(&self) -> Option<Framing> {
        CURRENT.with_borrow(|current| current.as_ref()?.watch.framing())
    }
}

impl Drop for Attempting {
    fn drop(&mut self) {
        CURRENT.replace(self.outer.take());
    }
}

/// How many bytes may be read from the socket now, of so many that there is room for.
pub(super) fn room(space: usize) -> Result<usize, ureq::Error> {
    let left = CURRENT.with_borrow(|current| current.as_ref().map_or(0, |attempt| attempt.left));
    match usize::try_from(left).map_or(space, |left| left.min(space)) {
        0 if space > 0 => Err(marked(beyond())),
        room => Ok(room),
    }
}

/// So many bytes were read from the socket.
pub(super) fn received(amount: usize) {
    CURRENT.with_borrow_mut(|current| {
        if let Some(attempt) = current {
            attempt.left = attempt.left.saturating_sub(amount as u64);
        }
    });
}

/// Bytes of the answer, out of TLS and out of the proxy's tunnel.
fn pass(bytes: &[u8]) -> Result<(), ureq::Error> {
    CURRENT.with_borrow_mut(|current| match current {
        Some(attempt) => attempt.watch.pass(bytes).map_err(marked),
        None => Ok(()),
    })
}

/// True if the answer ends with its connection, as its caller has allowed.
fn ends_with_connection() -> bool {
    let framing = CURRENT.with_borrow(|current| current.as_ref()?.watch.framing());
    framing == Some(Framing::Connection)
}

/// Looks at what a connection brings before ureq does.
pub(super) struct Watched<T> {
    pub(super) inner: T,
    pub(super) looks: Looks,
}

/// Whose bytes they are.
pub(super) enum Looks {
    /// The service's: they belong to the attempt that this thread makes.
    Service,
    /// The proxy's, until there is a tunnel; what comes through that is looked at where it comes out.
    Proxy(Box<Watch>),
    Tunnel,
}

impl Looks {
    /// For a connection to a proxy.
    pub(super) fn proxy() -> Self {
        Looks::Proxy(Box::new(Watch::new(&Method::CONNECT, &Limits::default())))
    }
}

impl<T> std::fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watched")
    }
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let before = self.inner.buffers().input().len();
        let more = match self.inner.await_input(timeout) {
            Err(error)
                if matches!(self.looks, Looks::Service) && is_ended(&error) && ends_with_connection() =>
            {
                return Ok(false);
            }
            more => more?,
        };
        let new = self.inner.buffers().input().get(before..).unwrap_or_default();
        let is_tunnel = match &mut self.looks {
            Looks::Service => return pass(new).map(|()| more),
            Looks::Proxy(watch) => watch.tunnel(new).map_err(marked)?,
            Looks::Tunnel => false,
        };
        if is_tunnel {
            self.looks = Looks::Tunnel;
        }
        Ok(more)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
