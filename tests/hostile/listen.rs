//! Accepting connections, each on a thread of its own.

use super::latch::Latch;
use super::reply::End;
use super::serve::{Setup, serve};
use super::shared::{Open, Shared};
use super::wire::peer_left;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// What to do with a connection as soon as it is accepted.
#[derive(Clone, Debug)]
pub enum Accept {
    /// Read requests and answer them.
    Serve,
    /// Close it at once, as a dying process does: the client sees a FIN or a RST.
    Drop,
    /// Send a FIN, and read and discard what comes: the client sees the end of the stream.
    Fin,
    /// Send a RST.
    Reset,
    /// Keep it open, read nothing and send nothing until the server is dropped.
    Hang,
    /// Read that many bytes (inside TLS, if any), record them as a request, and end.
    ReadThen(usize, End),
    /// Read (and throw away) that many bytes after every such pause, and send nothing.
    Sip(usize, Duration),
    /// Serve it, but only once the latch is open.
    After(Latch),
}

/// An address where nobody listens: connecting to it is refused for as long as this lives.
pub struct ClosedPort {
    socket: socket2::Socket,
}

impl ClosedPort {
    /// Takes a port, and does not listen on it.
    pub fn new() -> io::Result<Self> {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        Ok(Self { socket })
    }

    /// The address.
    pub fn addr(&self) -> SocketAddr {
        let addr = self.socket.local_addr().expect("the socket's address");
        addr.as_socket().expect("an IP address")
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }
}

/// Runs `work` on a thread that counts as the server's, and turns its failure into a problem.
pub(super) fn spawn(
    shared: &Arc<Shared>,
    name: String,
    work: impl FnOnce() -> Result<(), String> + Send + 'static,
) {
    shared.update(|state| state.running += 1);
    let own = Arc::clone(shared);
    let body = move || {
        let problem = match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(())) => None,
            Ok(Err(text)) => Some(text),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                Some(format!("panic: {}", text.unwrap_or("unknown")))
            }
        };
        own.update(|state| {
            state.problems.extend(problem);
            state.running -= 1;
        });
    };
    let spawned = thread::Builder::new().name(name).spawn(body);
    shared.update(|state| match spawned {
        Ok(thread) => {
            // Their failures are noted already, so threads at their end need no joining.
            state.threads.retain(|thread| !thread.is_finished());
            state.threads.push(thread);
        }
        Err(error) => {
            state.running -= 1;
            state.problems.push(format!("no thread: {error}"));
        }
    });
}

/// Accepts connections until the server is dropped.
pub(super) fn accept_loop(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    setup: &Arc<Setup>,
) -> Result<(), String> {
    loop {
        let stream = match listener.accept() {
            _ if shared.stopping() => return Ok(()),
            Ok((stream, _)) => Arc::new(stream),
            // A connection that its client took back before it was accepted.
            Err(error) if peer_left(&error) || error.kind() == ErrorKind::Interrupted => {
                continue;
            }
            Err(error) => return Err(format!("accept: {error}")),
        };
        let registered = Arc::clone(&stream);
        let id = shared.update(|state| {
            let id = state.accepted;
            if shared.stopping() {
                return None;
            }
            state.accepted += 1;
            let open = Open { stream: registered, idle: false };
            state.open.insert(id, open);
            Some(id)
        });
        let Some(id) = id else {
            return Ok(());
        };
        let (own_shared, own_setup) = (Arc::clone(shared), Arc::clone(setup));
        spawn(shared, format!("hostile-{id}"), move || {
            let leave = Leave(&own_shared, id);
            let result = serve(&own_shared, &own_setup, id, stream);
            drop(leave);
            result
        });
    }
}

/// Lets a connection go when its thread is done with it, by return or by panic.
struct Leave<'a>(&'a Shared, usize);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        // The last hold on the socket is given up in here, so what is not listed is closed.
        self.0.update(|state| drop(state.open.remove(&self.1)));
    }
}
