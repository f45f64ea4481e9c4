//! From a reply to bytes, and from bytes to the wire.

use super::reply::{End, Framing, Reply};
use super::shared::Shared;
use super::wire::Wire;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::time::Duration;

/// The size of the blocks of which endless things are made.
const BLOCK: usize = 16 * 1024;

/// A stretch of a reply.
enum Part {
    Once(Vec<u8>),
    Forever(Vec<u8>),
}

impl Reply {
    /// The bytes of the reply up to where it becomes endless, if it does.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in self.parts(false) {
            match part {
                Part::Once(some) => bytes.extend_from_slice(&some),
                Part::Forever(_) => break,
            }
        }
        bytes
    }

    /// What becomes of the connection, as set or else as the framing demands.
    fn ending(&self, bodiless: bool) -> End {
        let declared_too_much = matches!(self.framing, Framing::Declared(n) if n > self.body.len() as u64);
        let until_close = matches!(
            self.framing,
            Framing::NoLength | Framing::Endless | Framing::EndlessChunks | Framing::Unterminated
        );
        match self.end {
            Some(end) => end,
            None if !bodiless && (declared_too_much || until_close) => End::Close,
            None => End::KeepAlive,
        }
    }

    fn parts(&self, head: bool) -> Vec<Part> {
        let mut parts = self.plain_parts(head);
        if let (Some(range), Some(Part::Once(bytes))) = (&self.duplicate, parts.first_mut()) {
            let end = range.end.min(bytes.len());
            let again = bytes[range.start.min(end)..end].to_vec();
            bytes.splice(end..end, again);
        }
        parts
    }

    /// The reply's parts: one of finite bytes, then perhaps an endless one.
    fn plain_parts(&self, head: bool) -> Vec<Part> {
        if let Some(raw) = &self.raw {
            let endless =
                self.endless_raw.map(|piece| Part::Forever(piece.repeat(BLOCK / piece.len()).into()));
            return [Part::Once(raw.clone())].into_iter().chain(endless).collect();
        }
        let mut text = String::new();
        if let Some((status, n)) = self.interim {
            let one = format!("HTTP/1.1 {status} {}\r\n\r\n", phrase(status));
            match n {
                Some(n) => text = one.repeat(n),
                None => return vec![Part::Forever(one.repeat(BLOCK / one.len()).into())],
            }
        }
        let reason = self.reason.as_deref().unwrap_or(phrase(self.status));
        // Writing to a String cannot fail.
        let _ = write!(text, "HTTP/1.1 {} {reason}\r\n", self.status);
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        if let Some(piece) = self.endless_headers {
            if !piece.ends_with('\n') {
                // The line that goes on is the last one, still open.
                text.truncate(text.trim_end().len());
            }
            let lines = piece.repeat(BLOCK / piece.len());
            return vec![Part::Once(text.into()), Part::Forever(lines.into())];
        }
        let never_a_body = matches!(self.status, 100..=199 | 204 | 304);
        if !(never_a_body && matches!(self.framing, Framing::Length)) {
            text.push_str(&self.framing_headers());
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        if head || (never_a_body && matches!(self.framing, Framing::Length)) {
            return vec![Part::Once(bytes)];
        }
        self.push_body(&mut bytes);
        let mut parts = vec![Part::Once(bytes)];
        match self.framing {
            Framing::Endless => parts.push(Part::Forever(vec![b'a'; BLOCK])),
            Framing::EndlessChunks => parts.push(Part::Forever(chunk(&[b'a'; BLOCK]))),
            _ => {}
        }
        parts
    }

    fn framing_headers(&self) -> String {
        let length = match self.framing {
            Framing::Length => Some(self.body.len() as u64),
            Framing::Declared(n) | Framing::LengthAndChunked(n) => Some(n),
            _ => None,
        };
        let chunked = !matches!(
            self.framing,
            Framing::Length | Framing::Declared(_) | Framing::NoLength | Framing::Endless
        );
        let mut text = length.map_or_else(String::new, |n| format!("Content-Length: {n}\r\n"));
        if chunked {
            text.push_str("Transfer-Encoding: chunked\r\n");
        }
        text
    }

    fn push_body(&self, bytes: &mut Vec<u8>) {
        let body = &self.body;
        let last = b"0\r\n\r\n";
        match self.framing {
            Framing::Length | Framing::Declared(_) | Framing::NoLength | Framing::Endless => {
                bytes.extend_from_slice(body);
            }
            Framing::Chunked(size) => {
                body.chunks(size).for_each(|part| bytes.extend(chunk(part)));
                bytes.extend_from_slice(last);
            }
            Framing::BadChunkSize => {
                bytes.extend_from_slice(b"zz\r\n");
                bytes.extend_from_slice(body);
                bytes.extend_from_slice(b"\r\n");
                bytes.extend_from_slice(last);
            }
            // An empty chunk would be the last one.
            _ if body.is_empty() => {}
            _ => bytes.extend(chunk(body)),
        }
        if matches!(self.framing, Framing::LengthAndChunked(_)) {
            bytes.extend_from_slice(last);
        }
    }

    /// Sends the reply; hands back what is to become of the connection.
    pub(super) fn send(&self, wire: &mut Wire, shared: &Shared, head: bool) -> io::Result<End> {
        if let Some(latch) = &self.gate
            && !shared.wait_latch(latch)
        {
            return Ok(End::Stall);
        }
        let mut out = Out { wire, shared, reply: self, sent: 0, held: 0 };
        let end = self.ending(head);
        for part in self.parts(head) {
            match part {
                Part::Once(bytes) => {
                    if out.push(&bytes)?.is_break() {
                        return Ok(end);
                    }
                }
                Part::Forever(bytes) => while out.push(&bytes)?.is_continue() {},
            }
        }
        Ok(end)
    }
}

/// Where a reply has got to on its way out.
struct Out<'a> {
    wire: &'a mut Wire,
    shared: &'a Shared,
    reply: &'a Reply,
    sent: usize,
    held: usize,
}

impl Out<'_> {
    /// Sends bytes, and stops at the cut, if that is among them.
    fn push(&mut self, mut bytes: &[u8]) -> io::Result<ControlFlow<()>> {
        loop {
            while let Some((at, latch)) = self.reply.holds.get(self.held)
                && *at <= self.sent
            {
                self.held += 1;
                if !self.shared.wait_latch(latch) {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
            }
            if self.reply.cut.is_some_and(|cut| cut <= self.sent) {
                return Ok(ControlFlow::Break(()));
            }
            if bytes.is_empty() {
                return Ok(ControlFlow::Continue(()));
            }
            let (step, pause) = self.reply.dribble.unwrap_or((BLOCK, Duration::ZERO));
            let hold = self.reply.holds.get(self.held).map(|&(at, _)| at);
            let stops = [hold, self.reply.cut].into_iter().flatten();
            let here = stops.map(|at| at - self.sent).fold(step.min(bytes.len()), usize::min);
            self.wire.write_all(&bytes[..here])?;
            self.wire.flush()?;
            self.sent += here;
            bytes = &bytes[here..];
            if !pause.is_zero() {
                self.shared.pause(pause);
            }
        }
    }
}

fn chunk(data: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{:x}\r\n", data.len()).into_bytes();
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        103 => "Early Hints",
        200 => "OK",
        204 => "No Content",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
