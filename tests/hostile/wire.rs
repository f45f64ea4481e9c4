//! The byte stream under a connection: a socket, with or without TLS on it.

use super::reply::End;
use super::shared::Shared;
use rustls::{ServerConnection, StreamOwned};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// How often a blocked read or write looks at the stop flag, should its wake-up be missed.
const TICK: Duration = Duration::from_millis(200);

/// A socket that counts its bytes and gives up when the server is dropped.
pub(super) struct Sock {
    stream: Arc<TcpStream>,
    shared: Arc<Shared>,
}

/// A connection's stream of plain bytes.
pub(super) enum Wire {
    Plain(Sock),
    Tls(Box<StreamOwned<ServerConnection, Sock>>),
}

/// Whether the error only says that the other side has left.
pub(super) fn peer_left(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected
            | ErrorKind::UnexpectedEof
    )
}

fn again(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

impl Sock {
    pub(super) fn new(stream: Arc<TcpStream>, shared: Arc<Shared>) -> Self {
        // Some systems refuse these on a socket whose peer has left; the next read says so.
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(TICK));
        let _ = stream.set_write_timeout(Some(TICK));
        Self { stream, shared }
    }

    fn retry<T>(&self, mut attempt: impl FnMut(&TcpStream) -> io::Result<T>) -> io::Result<T> {
        loop {
            if self.shared.stopping() {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            match attempt(&self.stream) {
                Err(error) if again(&error) => {}
                result => return result,
            }
        }
    }

    /// Reads and throws away what still comes, until the peer leaves or the server is dropped.
    fn drain(&self) -> io::Result<()> {
        let mut scratch = [0; 4096];
        loop {
            match self.retry(|mut stream| stream.read(&mut scratch)) {
                Ok(0) => return Ok(()),
                Ok(n) => self.shared.add(&self.shared.discarded, n),
                Err(error) if peer_left(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads a little after every pause, until the peer leaves or the server is dropped.
    pub(super) fn sip(mut self, bytes: usize, pause: Duration) -> io::Result<()> {
        let mut scratch = vec![0; bytes.max(1)];
        while !self.shared.stopping() {
            self.shared.pause(pause);
            match self.read(&mut scratch) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if peer_left(&error) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes these bytes one by one with a pause after each, then nothing more.
    pub(super) fn dribble(mut self, bytes: &[u8], pause: Duration) -> io::Result<()> {
        for byte in bytes {
            self.write_all(&[*byte])?;
            self.shared.pause(pause);
        }
        self.finish(End::Stall)
    }

    /// Ends the connection in the given manner.
    pub(super) fn finish(self, end: End) -> io::Result<()> {
        match end {
            End::KeepAlive => Ok(()),
            End::Stall => self.drain(),
            // Closing with bytes unread would turn the FIN into a RST, hence the drain.
            End::Close | End::Fin => match self.stream.shutdown(Shutdown::Write) {
                Ok(()) => self.drain(),
                Err(error) if peer_left(&error) => Ok(()),
                Err(error) => Err(error),
            },
            End::Reset => socket2::SockRef::from(&*self.stream).set_linger(Some(Duration::ZERO)),
        }
    }
}

impl Read for Sock {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.retry(|mut stream| stream.read(buf))?;
        self.shared.add(&self.shared.received, n);
        Ok(n)
    }
}

impl Write for Sock {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.retry(|mut stream| stream.write(buf))?;
        self.shared.add(&self.shared.sent, n);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Wire {
    /// Ends the connection in the given manner; an orderly close says so in TLS first.
    pub(super) fn finish(self, end: End) -> io::Result<()> {
        match self {
            Self::Plain(sock) => sock.finish(end),
            Self::Tls(mut stream) => {
                if end == End::Close {
                    stream.conn.send_close_notify();
                    match stream.flush() {
                        Err(error) if !peer_left(&error) => return Err(error),
                        _ => {}
                    }
                }
                stream.into_parts().1.finish(end)
            }
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(sock) => sock.read(buf),
            Self::Tls(stream) => stream.read(buf),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(sock) => sock.write(buf),
            Self::Tls(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(sock) => sock.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
