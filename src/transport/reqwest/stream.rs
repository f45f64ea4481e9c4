//! The bytes of one connection: counted and bounded at the socket, judged before hyper sees them.

use std::io::{Error as IoError, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
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

/// The socket.
pub(super) struct Counted {
    pub(super) socket: TcpStream,
    pub(super) flow: Flow,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), IoError>> {
        let room = self.flow.room()?;
        let before = buffer.filled().len();
        if buffer.remaining() <= room {
            ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        } else {
            let mut piece = [0; PIECE];
            let mut limited = ReadBuf::new(piece.get_mut(..room.min(PIECE)).unwrap_or_default());
            ready!(Pin::new(&mut self.socket).poll_read(context, &mut limited))?;
            buffer.put_slice(limited.filled());
        }
        self.flow.came(buffer.filled().len().saturating_sub(before));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, IoError>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize, IoError>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), IoError>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), IoError>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
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
        let mut piece = [0; PIECE];
        let mut buffer = ReadBuf::new(piece.get_mut(..cursor.remaining().min(PIECE)).unwrap_or_default());
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
