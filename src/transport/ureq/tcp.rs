//! TCP for the ureq transport, in place of ureq's own, which reports the end of the stream as an end of the answer (a
//! last chunk without its final line break was believed; here it is an error) and sends head and body of a request in
//! two packets, where one is enough. Besides, a write counts its time over all its pieces, and the bytes received are
//! counted and bounded.

use std::cell::Cell;
use std::io::{Error as IoError, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ureq::Timeout;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport, time,
};
use zeroize::Zeroizing;

use super::attempt;
use super::ended::ended;

/// What is held back at most, to leave together.
const TOGETHER: usize = 16 * 1024;
/// The shortest time limit that is handed to a socket; zero would mean none.
const SHORTEST: Duration = Duration::from_millis(1);

/// Opens TCP connections, unless the chain before it has made one.
#[derive(Debug, Default)]
pub(super) struct Tcp {
    pub(super) received: Arc<AtomicU64>,
}

impl<In: Transport> Connector<In> for Tcp {
    type Out = Either<In, TcpConnection>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        if let Some(made) = chained {
            return Ok(Some(Either::A(made)));
        }
        let stream = open(&details.addrs, &Budget::start(details.timeout))?;
        stream.set_nodelay(true)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        let (received, held_back) = (Arc::clone(&self.received), Zeroizing::default());
        Ok(Some(Either::B(TcpConnection { stream, buffers, received, held_back, has_just_read: false })))
    }
}

/// Tries the addresses in turn, each with half of what is left, the last with all of it.
fn open(addresses: &[SocketAddr], budget: &Budget) -> Result<TcpStream, ureq::Error> {
    let mut last = ureq::Error::Io(ErrorKind::AddrNotAvailable.into());
    for (tried, address) in addresses.iter().enumerate() {
        let left = match budget.left()? {
            Some(left) if addresses.len().saturating_sub(tried) > 1 => left.checked_div(2),
            left => left,
        };
        let opened = match left {
            Some(left) => TcpStream::connect_timeout(address, left.max(SHORTEST)),
            None => TcpStream::connect(address),
        };
        match opened {
            Ok(stream) => return Ok(stream),
            Err(error) if is_timeout(&error) => last = ureq::Error::Timeout(budget.reason),
            Err(error) => last = ureq::Error::Io(error),
        }
    }
    Err(last)
}

/// One open connection.
pub(super) struct TcpConnection {
    stream: TcpStream,
    buffers: LazyBuffers,
    received: Arc<AtomicU64>,
    /// Written by ureq and not sent yet: it leaves when an answer is waited for, or when it is enough.
    held_back: Zeroizing<Vec<u8>>,
    has_just_read: bool,
}

impl TcpConnection {
    fn send(&mut self, timeout: NextTimeout) -> Result<(), ureq::Error> {
        if self.held_back.is_empty() {
            return Ok(());
        }
        let budget = Budget::start(timeout);
        let mut rest = self.held_back.as_slice();
        while !rest.is_empty() {
            self.stream.set_write_timeout(budget.left()?.map(|left| left.max(SHORTEST)))?;
            match self.stream.write(rest) {
                Ok(0) => return Err(ended()),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => return Err(ureq::Error::Timeout(budget.reason)),
                Err(error) => return Err(ureq::Error::Io(error)),
            }
        }
        self.held_back.clear();
        Ok(())
    }
}

impl std::fmt::Debug for TcpConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TcpConnection")
    }
}

impl Transport for TcpConnection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.held_back.extend_from_slice(output);
        self.has_just_read = false;
        if self.held_back.len() < TOGETHER { Ok(()) } else { self.send(timeout.for_write()) }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.send(timeout.for_write())?;
        let budget = Budget::start(timeout.for_read());
        loop {
            self.stream.set_read_timeout(budget.left()?.map(|left| left.max(SHORTEST)))?;
            let room = attempt::room(self.buffers.input_append_buf().len())?;
            match self.stream.read(self.buffers.input_append_buf().get_mut(..room).unwrap_or_default()) {
                Ok(0) if room == 0 => return Ok(false),
                Ok(0) => return Err(ended()),
                Ok(amount) => {
                    self.received.fetch_add(amount as u64, Ordering::Relaxed);
                    attempt::received(amount);
                    self.buffers.input_appended(amount);
                    self.has_just_read = true;
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => return Err(ureq::Error::Timeout(budget.reason)),
                Err(error) => return Err(ureq::Error::Io(IoError::other(error))),
            }
        }
    }

    /// Nothing waits to be read on a good idle connection, and its other side has not closed it. Asked twice: when the
    /// connection is put away, right after the answer, and when it is taken out again. Only the second time counts.
    fn is_open(&mut self) -> bool {
        if !self.held_back.is_empty() {
            return false;
        }
        if std::mem::take(&mut self.has_just_read) {
            return true;
        }
        let mut byte = [0];
        let probe = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut byte));
        let idle = matches!(probe, Err(error) if error.kind() == ErrorKind::WouldBlock);
        idle && self.stream.set_nonblocking(false).is_ok()
    }
}

fn is_timeout(error: &IoError) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

thread_local! {
    /// When the connection that this thread is making must stand. A proxy's answer and a TLS handshake take several
    /// steps, and ureq gives each of them the whole time.
    static CONNECTING: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Until it is dropped, everything on this thread's connections ends when the time to connect does.
pub(super) struct ConnectLimit {
    outer: Option<Instant>,
}

/// Limits the making of a connection as a whole; one inside another (to a proxy) has no time of its own.
#[allow(clippy::disallowed_methods)] // a transport has a clock
pub(super) fn limit_connecting(details: &ConnectionDetails) -> ConnectLimit {
    let outer = CONNECTING.get();
    let own = match details.timeout.after {
        time::Duration::Exact(after) => Instant::now().checked_add(after),
        time::Duration::NotHappening => None,
    };
    CONNECTING.set(outer.or(own));
    ConnectLimit { outer }
}

impl ConnectLimit {
    /// True if this connection is made for another one: it leads to the proxy.
    pub(super) fn is_nested(&self) -> bool {
        self.outer.is_some()
    }
}

impl Drop for ConnectLimit {
    fn drop(&mut self) {
        CONNECTING.set(self.outer);
    }
}

/// The time that one step may take, counted from its start.
struct Budget {
    end: Option<Instant>,
    reason: Timeout,
}

impl Budget {
    #[allow(clippy::disallowed_methods)] // a transport has a clock
    fn start(timeout: NextTimeout) -> Self {
        let end = match timeout.after {
            time::Duration::Exact(after) => Instant::now().checked_add(after),
            time::Duration::NotHappening => None,
        };
        let end = match (end, CONNECTING.get()) {
            (Some(end), Some(limit)) => Some(end.min(limit)),
            (end, limit) => end.or(limit),
        };
        Budget { end, reason: timeout.reason }
    }

    /// What is left, if there is a limit.
    #[allow(clippy::disallowed_methods)]
    fn left(&self) -> Result<Option<Duration>, ureq::Error> {
        let Some(end) = self.end else { return Ok(None) };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ureq::Error::Timeout(self.reason)) } else { Ok(Some(left)) }
    }
}
