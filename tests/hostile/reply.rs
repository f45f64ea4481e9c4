//! What the server answers: a reply, and everything that may be wrong with it.

use super::latch::Latch;
use std::ops::Range;
use std::time::Duration;

/// What becomes of the connection after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It stays open for the next request.
    KeepAlive,
    /// It is closed in an orderly manner (with TLS: close_notify, then FIN).
    Close,
    /// It ends with a bare FIN (with TLS: no close_notify, which is a truncation).
    Fin,
    /// It ends with a RST; what was sent just before may be lost with it on some systems.
    Reset,
    /// It stays open, and nothing more is sent until the server is dropped.
    Stall,
}

/// How the end of the body is told.
#[derive(Clone, Debug)]
pub(super) enum Framing {
    Length,
    Declared(u64),
    NoLength,
    Chunked(usize),
    BadChunkSize,
    Unterminated,
    EndlessChunks,
    LengthAndChunked(u64),
    Endless,
}

/// An answer: build it with a constructor, then spoil it with modifiers.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(super) raw: Option<Vec<u8>>,
    pub(super) status: u16,
    pub(super) reason: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) endless_headers: Option<&'static str>,
    pub(super) endless_raw: Option<&'static str>,
    pub(super) body: Vec<u8>,
    pub(super) framing: Framing,
    pub(super) interim: Option<(u16, Option<usize>)>,
    pub(super) duplicate: Option<Range<usize>>,
    pub(super) gate: Option<Latch>,
    pub(super) holds: Vec<(usize, Latch)>,
    pub(super) cut: Option<usize>,
    pub(super) end: Option<End>,
    pub(super) dribble: Option<(usize, Duration)>,
}

/// Constructors.
impl Reply {
    /// A reply with no headers of its own and an empty body.
    pub fn new(status: u16) -> Self {
        Self {
            raw: None,
            status,
            reason: None,
            headers: Vec::new(),
            endless_headers: None,
            endless_raw: None,
            body: Vec::new(),
            framing: Framing::Length,
            interim: None,
            duplicate: None,
            gate: None,
            holds: Vec::new(),
            cut: None,
            end: None,
            dribble: None,
        }
    }

    /// A JSON reply; the body is sent as given, valid or not.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status).header("Content-Type", "application/json").body(body)
    }

    /// A plain text reply.
    pub fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status).header("Content-Type", "text/plain; charset=utf-8").body(body)
    }

    /// An HTML reply, as proxies and captive portals send.
    pub fn html(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status).header("Content-Type", "text/html; charset=utf-8").body(body)
    }

    /// These bytes and nothing else, then an orderly close unless told otherwise.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        let mut reply = Self::new(0).then(End::Close);
        reply.raw = Some(bytes.into());
        reply
    }

    /// These bytes, then this piece again and again for as long as the client reads.
    pub fn raw_then_for_ever(bytes: impl Into<Vec<u8>>, piece: &'static str) -> Self {
        let mut reply = Self::raw(bytes);
        reply.endless_raw = Some(piece);
        reply
    }

    /// Not a byte, while the connection stays open until the server is dropped.
    pub fn stall() -> Self {
        Self::raw("").then(End::Stall)
    }

    /// Not a byte, then a FIN.
    pub fn hang_up() -> Self {
        Self::raw("").then(End::Fin)
    }

    /// Not a byte, then a RST.
    pub fn reset() -> Self {
        Self::raw("").then(End::Reset)
    }
}

/// What the reply says.
impl Reply {
    /// Adds a header; repeats and contradictions with the server's own headers are allowed.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the reason phrase.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Adds one header line of that many bytes, its CRLF included.
    pub fn header_line_of(self, len: usize) -> Self {
        let value = "h".repeat(len.saturating_sub("X-Long: \r\n".len()));
        self.header("X-Long", value)
    }

    /// Adds that many small headers.
    pub fn many_headers(mut self, n: usize) -> Self {
        let many = (0..n).map(|i| (format!("X-Many-{i}"), "1".to_owned()));
        self.headers.extend(many);
        self
    }

    /// Sends header lines for as long as the client reads.
    pub fn endless_headers(mut self) -> Self {
        self.endless_headers = Some("X-Endless: 1\r\n");
        self
    }

    /// Sends one header line that goes on for as long as the client reads.
    pub fn endless_header_line(mut self) -> Self {
        self.endless_headers = Some("hhhhhhhhhhhhhhhh");
        self.header("X-Endless", "1")
    }

    /// Sends that many interim (1xx) responses first.
    pub fn interim(mut self, status: u16, n: usize) -> Self {
        self.interim = Some((status, Some(n)));
        self
    }

    /// Sends interim (1xx) responses for as long as the client reads, and no final one.
    pub fn endless_interim(mut self, status: u16) -> Self {
        self.interim = Some((status, None));
        self
    }
}

/// How the body is framed; the last call wins.
impl Reply {
    fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// Declares this Content-Length whatever the body's; if longer, the reply ends in a close.
    pub fn declared_length(self, length: u64) -> Self {
        self.framing(Framing::Declared(length))
    }

    /// Declares a Content-Length that is off by this much (not below 0); set the body first.
    pub fn length_off_by(self, delta: i64) -> Self {
        let length = (self.body.len() as u64).saturating_add_signed(delta);
        self.declared_length(length)
    }

    /// Sends no length at all: the body ends where the connection does.
    pub fn no_length(self) -> Self {
        self.framing(Framing::NoLength)
    }

    /// Sends the body in good chunks of that size.
    pub fn chunked(self, size: usize) -> Self {
        self.framing(Framing::Chunked(size.max(1)))
    }

    /// Sends the body in a chunk whose size is not a number.
    pub fn bad_chunk_size(self) -> Self {
        self.framing(Framing::BadChunkSize)
    }

    /// Sends the body in a good chunk, but closes in place of the last chunk.
    pub fn unterminated_chunks(self) -> Self {
        self.framing(Framing::Unterminated)
    }

    /// Sends good chunks after the body for as long as the client reads.
    pub fn endless_chunks(self) -> Self {
        self.framing(Framing::EndlessChunks)
    }

    /// Sends the body in a good chunk, and declares this Content-Length as well.
    pub fn length_and_chunked(self, length: u64) -> Self {
        self.framing(Framing::LengthAndChunked(length))
    }

    /// Sends no length, and filler after the body for as long as the client reads.
    pub fn endless_body(self) -> Self {
        self.framing(Framing::Endless)
    }
}

/// How and when the bytes go out; offsets count from the first byte of the reply.
impl Reply {
    /// Sends the first byte only once the latch is open.
    pub fn delay(mut self, latch: &Latch) -> Self {
        self.gate = Some(latch.clone());
        self
    }

    /// Pauses after `k` bytes until the latch is open; may be given for several offsets.
    pub fn hold_at(mut self, k: usize, latch: &Latch) -> Self {
        self.holds.push((k, latch.clone()));
        self.holds.sort_by_key(|&(at, _)| at);
        self
    }

    /// Sends bytes `range` of the reply a second time, right behind the first.
    pub fn duplicate(mut self, range: Range<usize>) -> Self {
        self.duplicate = Some(range);
        self
    }

    /// Sends `k` bytes, then a FIN; a reply of fewer bytes is sent whole.
    pub fn cut_at(mut self, k: usize) -> Self {
        self.cut = Some(k);
        self.then(End::Fin)
    }

    /// Sends `k` bytes, then a RST; a reply of fewer bytes is sent whole.
    pub fn reset_at(self, k: usize) -> Self {
        self.cut_at(k).then(End::Reset)
    }

    /// Sends `k` bytes, then nothing more on the open connection; a shorter reply is sent whole.
    pub fn stall_at(self, k: usize) -> Self {
        self.cut_at(k).then(End::Stall)
    }

    /// Writes `k` bytes at a time, each in a write of its own.
    pub fn dribble(self, k: usize) -> Self {
        self.dribble_every(k, Duration::ZERO)
    }

    /// Writes `k` bytes at a time with this pause after each, to defeat per-read timeouts.
    pub fn dribble_every(mut self, k: usize, pause: Duration) -> Self {
        self.dribble = Some((k.max(1), pause));
        self
    }

    /// Sets what becomes of the connection after the reply (or after its cut).
    pub fn then(mut self, end: End) -> Self {
        self.end = Some(end);
        self
    }

    /// Closes the connection after the reply without having said so.
    pub fn close(self) -> Self {
        self.then(End::Close)
    }

    /// Says `Connection: close`, and closes the connection after the reply.
    pub fn announce_close(self) -> Self {
        self.header("Connection", "close").close()
    }
}
