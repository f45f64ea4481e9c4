//! Reading HTTP/1.1 requests and keeping what was read.

use std::io::{self, Read, Write};
use std::time::Instant;

/// More than any sane request; reading stops there instead of filling memory.
const LIMIT: usize = 64 << 20;

/// A request as the server read it, whole or torn.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The number of its connection, counted from 0 in the order accepted.
    pub connection: usize,
    /// The number of the request, counted from 0 over the whole server.
    pub index: usize,
    /// The method, empty if the request was torn before it.
    pub method: String,
    /// The target as sent (path and query), empty if the request was torn before it.
    pub target: String,
    /// The headers in the order and spelling sent.
    pub headers: Vec<(String, String)>,
    /// The body without its chunk framing; of a torn request, what came of it.
    pub body: Vec<u8>,
    /// Whether the whole request came in.
    pub complete: bool,
    /// Every byte of the request as it came over the wire (inside TLS, if any).
    pub raw: Vec<u8>,
    /// When the request was complete, or was found torn.
    pub at: Instant,
    pub(super) http10: bool,
}

/// Why a request ended before its end.
pub(super) enum Cause {
    Eof,
    Io(io::Error),
    Malformed(String),
}

/// How reading a request went.
pub(super) enum Outcome {
    Complete(Recorded),
    Torn(Recorded, Cause),
}

impl Recorded {
    pub(super) fn empty(connection: usize) -> Self {
        Self {
            connection,
            index: 0,
            method: String::new(),
            target: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
            complete: false,
            raw: Vec::new(),
            at: Instant::now(),
            http10: false,
        }
    }

    /// The first header of that name, in any spelling.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_all(name).first().copied()
    }

    /// Every header of that name, in any spelling.
    pub fn header_all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The target without its query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The decoded pairs of the query.
    pub fn query(&self) -> Vec<(String, String)> {
        pairs(self.target.split_once('?').map_or("", |(_, query)| query))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The decoded pairs of a form body.
    pub fn form(&self) -> Vec<(String, String)> {
        pairs(&self.text())
    }

    /// The first value of that name in a form body.
    pub fn form_value(&self, name: &str) -> Option<String> {
        let found = self.form().into_iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value)
    }

    /// Whether the client wants the connection closed after the reply.
    pub(super) fn closes(&self) -> bool {
        let connection = self.header("connection").unwrap_or_default();
        connection.eq_ignore_ascii_case("close")
            || (self.http10 && !connection.eq_ignore_ascii_case("keep-alive"))
    }
}

fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

pub(super) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut i = 0;
    while let Some(&byte) = bytes.get(i) {
        let escaped = (byte == b'%')
            .then(|| text.get(i + 1..i + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        i += if escaped.is_some() { 3 } else { 1 };
        out.push(escaped.unwrap_or(if byte == b'+' { b' ' } else { byte }));
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Reads one request; `buf` holds bytes already read, and keeps those read past its end.
pub(super) fn read_request<S: Read + Write>(stream: &mut S, buf: &mut Vec<u8>, connection: usize) -> Outcome {
    let mut request = Recorded::empty(connection);
    let mut parser = Parser { stream, buf, pos: 0 };
    let result = parser.request(&mut request);
    let used = if result.is_ok() { parser.pos } else { buf.len() };
    request.raw = buf.drain(..used).collect();
    request.at = Instant::now();
    request.complete = result.is_ok();
    match result {
        Ok(()) => Outcome::Complete(request),
        Err(cause) => Outcome::Torn(request, cause),
    }
}

/// Reads as much of a request as these bytes hold.
pub(super) fn parse_request(mut bytes: Vec<u8>, connection: usize) -> Recorded {
    // Reading from this stream is at once at its end, and writing to it goes nowhere.
    let mut nothing = io::empty();
    match read_request(&mut nothing, &mut bytes, connection) {
        Outcome::Complete(request) | Outcome::Torn(request, _) => request,
    }
}

/// Reads some more bytes into the buffer; false at the end of the stream.
pub(super) fn more(stream: &mut impl Read, buf: &mut Vec<u8>) -> io::Result<bool> {
    let mut block = [0; 16 * 1024];
    let n = stream.read(&mut block)?;
    buf.extend_from_slice(&block[..n]);
    Ok(n > 0)
}

struct Parser<'a, S> {
    stream: &'a mut S,
    buf: &'a mut Vec<u8>,
    pos: usize,
}

impl<S: Read + Write> Parser<'_, S> {
    fn more(&mut self) -> Result<(), Cause> {
        if self.buf.len() > LIMIT {
            return Err(Cause::Malformed("request over the size limit".into()));
        }
        match more(self.stream, self.buf) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Cause::Eof),
            Err(error) => Err(Cause::Io(error)),
        }
    }

    fn line(&mut self) -> Result<String, Cause> {
        let mut scanned = self.pos;
        loop {
            let rest = &self.buf[scanned..];
            if let Some(at) = rest.iter().position(|&byte| byte == b'\n') {
                let line = &self.buf[self.pos..scanned + at];
                let Some(line) = line.strip_suffix(b"\r") else {
                    return Err(Cause::Malformed("line without CR".into()));
                };
                let line = String::from_utf8_lossy(line).into_owned();
                self.pos = scanned + at + 1;
                return Ok(line);
            }
            scanned = self.buf.len();
            self.more()?;
        }
    }

    /// Appends the next `n` bytes to the body, or those of them that come.
    fn body(&mut self, n: usize, body: &mut Vec<u8>) -> Result<(), Cause> {
        let mut left = n;
        loop {
            let here = left.min(self.buf.len() - self.pos);
            body.extend_from_slice(&self.buf[self.pos..self.pos + here]);
            self.pos += here;
            left -= here;
            if left == 0 {
                return Ok(());
            }
            self.more()?;
        }
    }

    fn request(&mut self, request: &mut Recorded) -> Result<(), Cause> {
        let line = self.line()?;
        let parts: Vec<&str> = line.split(' ').collect();
        let &[method, target, version @ ("HTTP/1.1" | "HTTP/1.0")] = parts.as_slice() else {
            return Err(Cause::Malformed(format!("request line {line:?}")));
        };
        request.method = method.to_owned();
        request.target = target.to_owned();
        request.http10 = version == "HTTP/1.0";
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            match line.split_once(':') {
                Some((name, value)) if !name.is_empty() && !name.contains(' ') => {
                    let header = (name.to_owned(), value.trim().to_owned());
                    request.headers.push(header);
                }
                _ => return Err(Cause::Malformed(format!("header line {line:?}"))),
            }
        }
        let lengths = request.header_all("content-length");
        let codings = request.header_all("transfer-encoding");
        let length = match (lengths.as_slice(), codings.as_slice()) {
            ([], []) => return Ok(()),
            ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => None,
            ([length], []) => {
                Some(length.parse().map_err(|_| Cause::Malformed(format!("Content-Length {length:?}")))?)
            }
            _ => return Err(Cause::Malformed("contradictory body framing".into())),
        };
        if matches!(request.header("expect"), Some(v) if v.eq_ignore_ascii_case("100-continue")) {
            let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
            self.stream.write_all(go_on).map_err(Cause::Io)?;
        }
        match length {
            Some(length) => self.body(length, &mut request.body),
            None => self.chunks(&mut request.body),
        }
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> Result<(), Cause> {
        loop {
            let line = self.line()?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let Ok(size) = usize::from_str_radix(digits, 16) else {
                return Err(Cause::Malformed(format!("chunk size {line:?}")));
            };
            if size == 0 {
                break;
            }
            self.body(size, body)?;
            if !self.line()?.is_empty() {
                return Err(Cause::Malformed("chunk longer than its size".into()));
            }
        }
        while !self.line()?.is_empty() {}
        Ok(())
    }
}
