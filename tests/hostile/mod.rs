//! A hostile HTTP server for fault tests: it answers as its script says, right or wrong.
//!
//! The server runs on threads of the test's process and listens on 127.0.0.1. A panic in a
//! script, a request that is not HTTP, and any I/O error other than the client's leaving are
//! problems of the server: [`Server::check`] and the server's drop fail the test on them.
//! So is a credential in the path or query of any request (S15, `targets.rs`).
//! Nothing here sleeps; a test waits with a [`Latch`] or with [`Server::wait_until`].
#![allow(clippy::disallowed_methods, reason = "the server has a clock of its own")]
#![allow(dead_code, unused_imports, reason = "each test binary uses its own part of the server")]

mod latch;
mod listen;
mod plan;
mod render;
mod reply;
mod request;
mod script;
mod serve;
mod service;
mod shared;
mod targets;
mod tls;
mod wire;

pub use latch::Latch;
pub use listen::{Accept, ClosedPort};
pub use plan::{Fault, Plan, Rng};
pub use reply::{End, Reply};
pub use request::Recorded;
pub use script::{Script, always, by_path, nth, script, sequence};
pub use service::{ASK_ALLOW, ASK_DENY, INFO, ME, REGISTERED, SECRET, agent, answer, service, token};
pub use tls::{Cert, TestCa, Tls};

use serve::{OnAccept, Setup};
use shared::Shared;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// How long a dropped server waits for its threads before it calls them stuck.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server being set up.
pub struct Builder {
    tls: Option<Tls>,
    on_accept: OnAccept,
}

impl Builder {
    /// Speaks TLS (or what the value says) in place of plain HTTP.
    pub fn tls(mut self, tls: &Tls) -> Self {
        self.tls = Some(tls.clone());
        self
    }

    /// Decides for each new connection, by its number counted from 0, what to do with it.
    pub fn on_accept(mut self, f: impl Fn(usize) -> Accept + Send + Sync + 'static) -> Self {
        self.on_accept = Box::new(f);
        self
    }

    /// Starts the server with a script that decides the reply to each whole request.
    pub fn start(self, script: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port to listen on");
        let addr = listener.local_addr().expect("the listener's address");
        let url = match &self.tls {
            Some(tls) => format!("https://{}:{}", tls.host(), addr.port()),
            None => format!("http://{addr}"),
        };
        let setup = Arc::new(Setup { script: Box::new(script), on_accept: self.on_accept, tls: self.tls });
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        listen::spawn(&shared, "hostile-accept".to_owned(), move || {
            listen::accept_loop(&listener, &accepting, &setup)
        });
        Server { addr, url, shared }
    }
}

/// A running hostile server; dropping it ends it, and fails the test if it had problems.
pub struct Server {
    addr: SocketAddr,
    url: String,
    shared: Arc<Shared>,
}

impl Server {
    /// Starts a plain HTTP server.
    pub fn start(script: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> Self {
        Self::builder().start(script)
    }

    /// Starts a TLS server.
    pub fn start_tls(tls: &Tls, script: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> Self {
        Self::builder().tls(tls).start(script)
    }

    /// A server to be set up: plain HTTP that serves every connection, until told otherwise.
    pub fn builder() -> Builder {
        Builder { tls: None, on_accept: Box::new(|_| Accept::Serve) }
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address that the server listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Every request so far, torn ones included, in the order in which they ended.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.lock().requests.clone()
    }

    /// How many requests so far (torn ones included) the closure holds for.
    pub fn count(&self, f: impl Fn(&Recorded) -> bool) -> usize {
        self.requests().iter().filter(|request| f(request)).count()
    }

    /// How many requests so far (torn ones included) have a path that ends like this.
    pub fn count_path(&self, suffix: &str) -> usize {
        self.count(|request| request.path().ends_with(suffix))
    }

    /// How many connections have been accepted.
    pub fn connections(&self) -> usize {
        self.shared.lock().accepted
    }

    /// How many accepted connections the server has not yet let go.
    pub fn open_connections(&self) -> usize {
        self.shared.lock().open.len()
    }

    /// How many open connections are between requests (or before their first).
    pub fn idle_connections(&self) -> usize {
        let state = self.shared.lock();
        state.open.values().filter(|open| open.idle).count()
    }

    /// How many bytes came over the wire and were looked at (with TLS: the encrypted ones).
    pub fn bytes_received(&self) -> u64 {
        self.shared.received.load(Ordering::SeqCst)
    }

    /// How many bytes came after a connection's end was decided, and were thrown away.
    pub fn bytes_discarded(&self) -> u64 {
        self.shared.discarded.load(Ordering::SeqCst)
    }

    /// How many bytes were handed to the system to send.
    pub fn bytes_sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// How many TLS handshakes were completed.
    pub fn handshakes(&self) -> usize {
        self.shared.lock().handshakes
    }

    /// What went wrong with the TLS handshakes that failed, as the server saw it.
    pub fn handshake_errors(&self) -> Vec<String> {
        self.shared.lock().handshake_errors.clone()
    }

    /// Waits until the closure holds, looking at every change; false when the time is up first.
    pub fn wait_until(&self, timeout: Duration, mut f: impl FnMut(&Self) -> bool) -> bool {
        let deadline = Instant::now() + timeout;
        loop {
            let seen = self.shared.lock().version;
            if f(self) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            self.shared.wait_change(seen, deadline);
        }
    }

    /// Closes (FIN) every connection that is between requests; says how many.
    ///
    /// A request that is on its way at that moment is lost, as it is in real life; for a certain
    /// outcome wait for [`Server::idle_connections`] first.
    pub fn close_idle(&self) -> usize {
        self.end_idle(|stream| stream.shutdown(Shutdown::Both))
    }

    /// Resets (RST) every connection that is between requests; says how many.
    pub fn reset_idle(&self) -> usize {
        self.end_idle(|stream| {
            socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
            // This only wakes the thread that reads; the close that it then does sends the RST.
            stream.shutdown(Shutdown::Read)
        })
    }

    fn end_idle(&self, end: impl Fn(&TcpStream) -> io::Result<()>) -> usize {
        self.shared.update(|state| {
            let idle = state.open.values_mut().filter(|open| open.idle);
            let ended = idle.filter_map(|open| {
                open.idle = false;
                end(&open.stream).ok()
            });
            ended.count()
        })
    }

    /// The server's problems so far.
    pub fn problems(&self) -> Vec<String> {
        self.shared.lock().problems.clone()
    }

    /// Hands over the problems, so that they no longer fail the test.
    pub fn take_problems(&self) -> Vec<String> {
        self.shared.update(|state| {
            let taken = std::mem::take(&mut state.problems);
            state.taken.extend(taken.clone());
            taken
        })
    }

    /// Panics if the server has had a problem.
    pub fn check(&self) {
        let problems = self.problems();
        assert!(problems.is_empty(), "hostile server: {problems:?}");
    }

    fn shut_down(&self) {
        self.shared.stop();
        // Wakes the accept loop; should that be gone already, nobody is there to answer.
        let _ = TcpStream::connect_timeout(&self.addr, Duration::from_secs(1));
        if !self.shared.wait_ended(PATIENCE) {
            self.shared.problem("a thread is stuck, perhaps in the script".into());
            return;
        }
        self.shared.look_at_targets_again();
        let threads = self.shared.update(|state| std::mem::take(&mut state.threads));
        for thread in threads {
            if thread.join().is_err() {
                self.shared.problem("a thread panicked".into());
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shut_down();
        if !thread::panicking() {
            self.check();
        } else if !self.problems().is_empty() {
            eprintln!("hostile server: {:?}", self.problems());
        }
    }
}
