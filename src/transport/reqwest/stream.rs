//! The bytes of one connection: counted and bounded at the socket, judged before hyper sees them.

use std::io::{Error as IoError, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::super::framing::{Watch, beyond};
use crate::error::{TransportError, TransportFault};

/// What TLS may say while nobody has the connection.
const IDLE: u64 = 4 * 1024;
/// What is read at once.
const PIECE: usize = 8 * 1024;

/// What the attempt that holds a connection may still receive, and what its answer means so far.
#[derive(Debug, Default)]
struct State {
    left: u64,
    /// None while the connection is made, and while nobody has it: then nothing may come.
    watch: Option<Watch>,
    fault: Option<TransportError>,
    socket: Option<Arc<TcpStream>>,
}

/// Shared by a connection's socket, by what hyper reads of it, and by the attempt.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    state: Arc<Mutex<State>>,
    /// Bytes received by the whole transport.
    received: Arc<AtomicU64>,
}

impl Flow {
    /// For a connection that is made for an attempt with this allowance.
    pub(super) fn new(allowance: u64, received: &Arc<AtomicU64>) -> Self {
        let state = State { left: allowance, ..State::default() };
        Flow { state: Arc::new(Mutex::new(state)), received: Arc::clone(received) }
    }

    /// An attempt begins; what it may receive is set anew on a kept connection only.
    pub(super) fn begin(&self, watch: Watch, allowance: Option<u64>) {
        let mut state = self.lock();
        state.left = allowance.unwrap_or(state.left);
        state.watch = Some(watch);
    }

    /// The attempt is over: what it saw of the answer.
    pub(super) fn end(&self) -> Option<Watch> {
        let mut state = self.lock();
        state.left = IDLE;
        state.watch.take()
    }

    /// What the attempt has seen so far.
    pub(super) fn seen<T>(&self, look: impl FnOnce(&Watch) -> T) -> Option<T> {
        self.lock().watch.as_ref().map(look)
    }

    /// True if the other side is still there, and silent. The system is asked: the runtime knows only what it was told
    /// when it last looked.
    pub(super) fn is_quiet(&self) -> bool {
        let state = self.lock();
        let Some(socket) = &state.socket else { return false };
        let waiting = SockRef::from(&**socket).peek(&mut [MaybeUninit::uninit()]);
        waiting.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Why the bytes were not taken, if they were not.
    pub(super) fn fault(&self) -> Option<TransportError> {
        self.lock().fault.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes may be read from the socket now.
    fn room(&self) -> Result<usize, IoError> {
        let mut state = self.lock();
        if state.left == 0 {
            return Err(refused(&mut state, beyond()));
        }
        Ok(usize::try_from(state.left).unwrap_or(usize::MAX))
    }

    fn came(&self, amount: usize) {
        self.received.fetch_add(amount as u64, Ordering::Relaxed);
        let mut state = self.lock();
        state.left = state.left.saturating_sub(amount as u64);
    }

    /// Bytes of the answer, out of TLS and out of the proxy's tunnel.
    fn pass(&self, bytes: &[u8]) -> Result<(), IoError> {
        let mut state = self.lock();
        let judged = match &mut state.watch {
            Some(watch) => watch.pass(bytes),
            None => {
                let message = "something came that nobody asked for";
                Err(TransportError::unknown(TransportFault::Framing, message))
            }
        };
        judged.map_err(|error| refused(&mut state, error))
    }
}

fn refused(state: &mut State, error: TransportError) -> IoError {
    state.fault.get_or_insert(error);
    IoError::other("the answer is refused")
}

/// A stream of bytes both ways.
pub(super) trait Both: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Both for T {}

/// The socket. It is shared with the flow, which asks the system about it.
pub(super) struct Counted {
    socket: Arc<TcpStream>,
    flow: Flow,
}

impl Counted {
    pub(super) fn new(socket: TcpStream, flow: &Flow) -> Self {
        let socket = Arc::new(socket);
        flow.lock().socket = Some(Arc::clone(&socket));
        Counted { socket, flow: flow.clone() }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), IoError>> {
        let room = self.flow.room()?.min(buffer.remaining());
        loop {
            ready!(self.socket.poll_read_ready(context))?;
            match self.socket.try_read(buffer.initialize_unfilled_to(room)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => {
                    let amount = read?;
                    buffer.advance(amount);
                    self.flow.came(amount);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl Counted {
    fn write(
        &self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> Result<usize, IoError>,
    ) -> Poll<Result<usize, IoError>> {
        loop {
            ready!(self.socket.poll_write_ready(context))?;
            match write(&self.socket) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, IoError>> {
        self.write(context, |socket| socket.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize, IoError>> {
        self.write(context, |socket| socket.try_write_vectored(pieces))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), IoError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), IoError>> {
        // A connection ends as a whole, when it is dropped.
        Poll::Ready(Ok(()))
    }
}

/// What hyper reads and writes.
pub(super) struct Watched {
    pub(super) stream: Box<dyn Both>,
    pub(super) flow: Flow,
}

impl Read for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<Result<(), IoError>> {
        // Most polls find nothing: what is not read into is not cleared either.
        let mut piece = [const { MaybeUninit::uninit() }; PIECE];
        let mut buffer = ReadBuf::uninit(piece.get_mut(..cursor.remaining().min(PIECE)).unwrap_or_default());
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        if !buffer.filled().is_empty() {
            self.flow.pass(buffer.filled())?;
        }
        cursor.put_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }
}

impl Write for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, IoError>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize, IoError>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), IoError>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), IoError>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
