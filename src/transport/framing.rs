//! Where an answer ends, judged below the HTTP stack, byte by byte (RFC 9112): the one judgement of both transports. In
//! doubt it is a fault, before the stack above has seen the bytes.

use http::Method;

use crate::error::{TransportError, TransportFault};
use crate::wire::Limits;

/// The largest head that is read, whatever the limits say: no buffer holds more.
pub(super) const HEAD: usize = 32 * 1024;
/// Header fields of one head, or of all trailers.
const FIELDS: usize = 100;
/// The longest line of a chunk's size, with its extensions: more is refused by one stack and not by the other.
const SIZE_LINE: usize = 20;
/// All trailers of an answer, and all extensions of its chunks: less than what either stack would still take.
const ASIDE: usize = 8 * 1024;
/// All interim answers before an answer.
const INTERIM: usize = 64 * 1024;
/// What an attempt may receive beside head and body: TLS, interim answers, sizes of chunks, trailers.
const BESIDES: u64 = 64 * 1024;

/// How many bytes an attempt may receive in all, counted at the socket: the head, the body's cap, and 64 KiB (for caps
/// over 4 MiB the 64th part of the cap).
pub(super) fn allowance(limits: &Limits) -> u64 {
    let (head, body) = (limits.head.min(HEAD) as u64, limits.body as u64);
    let besides = BESIDES.max(body.checked_div(64).unwrap_or_default());
    head.saturating_add(body).saturating_add(besides)
}

/// The attempt received all that it may, and the answer went on.
pub(super) fn beyond() -> TransportError {
    let message = "the answer goes on and on: what belongs to neither head nor body is larger than 64 KiB";
    TransportError::unknown(TransportFault::TooLarge, message)
}

/// The answer is over its cap.
pub(super) fn too_large(cap: usize) -> TransportError {
    TransportError::unknown(TransportFault::TooLarge, format!("the answer is larger than {cap} bytes"))
}

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Nothing, whatever the head announces.
    Nothing,
    /// So many bytes.
    Length(u64),
    /// Chunks, the last of which is empty.
    Chunks,
    /// Everything until the connection ends, which the caller has allowed.
    Connection,
}

impl Framing {
    /// Room for the body, at most `cap` bytes.
    ///
    /// # Errors
    /// [`TransportFault::TooLarge`] if the announced length is over the cap.
    pub(super) fn room(self, cap: usize) -> Result<usize, TransportError> {
        match self {
            Framing::Nothing | Framing::Chunks | Framing::Connection => Ok(0),
            Framing::Length(length) => {
                usize::try_from(length).ok().filter(|length| *length <= cap).ok_or_else(|| too_large(cap))
            }
        }
    }
}

/// Looks at the bytes of one answer as they come off the wire.
#[derive(Debug)]
pub(super) struct Watch {
    /// The method says that there is no body.
    bodiless: bool,
    /// It is a proxy's, which says whether there is a tunnel.
    tunnel: bool,
    /// The answer may end with its connection.
    until_closed: bool,
    head: usize,
    at: At,
    /// What is there of a line that is not whole yet.
    line: Vec<u8>,
    /// What the head, or the trailers, may still have.
    left: usize,
    /// What interim answers may still have.
    interim: usize,
    /// What the extensions of chunks may still have.
    extensions: usize,
    fields: usize,
    old: bool,
    status: u16,
    length: Option<Result<u64, &'static str>>,
    chunked: Option<bool>,
    /// How often the head says where the answer ends.
    said: usize,
    framing: Option<Framing>,
    surplus: bool,
}

/// Where in the answer the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Status,
    Field,
    Body(u64),
    Size,
    Data(u64),
    DataEnd,
    Trailer,
    Over,
}

impl Watch {
    /// Before the first byte of the answer to a request of this method.
    pub(super) fn new(method: &Method, limits: &Limits) -> Self {
        let head = limits.head.min(HEAD);
        Watch {
            bodiless: *method == Method::HEAD || *method == Method::CONNECT,
            tunnel: *method == Method::CONNECT,
            until_closed: limits.until_closed,
            head,
            at: At::Status,
            line: Vec::new(),
            left: head,
            interim: INTERIM,
            extensions: ASIDE,
            fields: 0,
            old: false,
            status: 0,
            length: None,
            chunked: None,
            said: 0,
            framing: None,
            surplus: false,
        }
    }

    /// What the head announced, once it was read.
    pub(super) fn framing(&self) -> Option<Framing> {
        self.framing
    }

    /// True if the answer is whole and nothing came behind it, so that the connection may serve another request.
    pub(super) fn is_over(&self) -> bool {
        self.at == At::Over && !self.surplus
    }

    /// Bytes of a proxy's answer. True once there is a tunnel, and nothing came behind the answer: whoever speaks in it waits until
    /// it is spoken to. Which answers mean one is decided here for both transports.
    ///
    /// # Errors
    /// As [`Watch::pass`], and [`TransportFault::Framing`] for any answer but 200.
    pub(super) fn tunnel(&mut self, bytes: &[u8]) -> Result<bool, TransportError> {
        self.pass(bytes)?;
        match self.framing {
            None => Ok(false),
            Some(_) if self.status == 200 && self.is_over() => Ok(true),
            Some(_) => Err(fault("the proxy made no connection")),
        }
    }

    /// The next bytes. What comes behind the answer is not its own, and is not judged.
    ///
    /// # Errors
    /// [`TransportFault::Framing`] where it is not certain what they mean, [`TransportFault::TooLarge`] if the head is.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) -> Result<(), TransportError> {
        while !bytes.is_empty() {
            bytes = match self.at {
                At::Over => {
                    self.surplus = true;
                    return Ok(());
                }
                At::Body(left) => self.skip(left, bytes, At::Body, At::Over),
                At::Data(left) => self.skip(left, bytes, At::Data, At::DataEnd),
                At::Status | At::Field | At::Size | At::DataEnd | At::Trailer => self.lines(bytes)?,
            };
        }
        Ok(())
    }

    fn skip<'a>(&mut self, left: u64, bytes: &'a [u8], during: fn(u64) -> At, after: At) -> &'a [u8] {
        let taken = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let left = left.saturating_sub(taken as u64);
        self.at = if left == 0 { after } else { during(left) };
        bytes.get(taken..).unwrap_or_default()
    }

    /// Takes one line, or what is there of it.
    fn lines<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], TransportError> {
        let end = memchr::memchr(b'\n', bytes).map(|at| at.saturating_add(1));
        let (piece, rest) = bytes.split_at_checked(end.unwrap_or(bytes.len())).unwrap_or((bytes, &[]));
        self.bound(piece.len())?;
        if end.is_none() {
            self.line.extend_from_slice(piece);
            return Ok(rest);
        }
        if self.line.is_empty() {
            self.line(piece)?;
        } else {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(piece);
            self.line(&line)?;
            line.clear();
            self.line = line;
        }
        Ok(rest)
    }

    /// Refuses lines that are too long before they are kept.
    fn bound(&mut self, more: usize) -> Result<(), TransportError> {
        let long = self.line.len().saturating_add(more);
        match self.at {
            At::Size if long > SIZE_LINE.saturating_add(2) => {
                Err(fault("the size of a chunk is longer than 20 characters"))
            }
            At::DataEnd if long > 2 => Err(fault("a chunk is longer than its size")),
            At::Size | At::DataEnd => Ok(()),
            _ => {
                let left = self.left.checked_sub(more);
                self.left = left.ok_or_else(|| large_head(self.head))?;
                Ok(())
            }
        }
    }

    /// Judges a whole line.
    fn line(&mut self, line: &[u8]) -> Result<(), TransportError> {
        let line =
            line.strip_suffix(b"\r\n").ok_or_else(|| fault("a line ends without a carriage return"))?;
        match self.at {
            At::Status => self.status_line(line).map_err(fault),
            At::Field if line.is_empty() && self.status < 200 => self.end_of_interim(),
            At::Field if line.is_empty() => self.end_of_head().map_err(fault),
            At::Trailer if line.is_empty() => {
                self.at = At::Over;
                Ok(())
            }
            At::Field | At::Trailer => {
                self.fields = self.fields.saturating_add(1);
                if self.fields > FIELDS {
                    return Err(large_head(self.head));
                }
                self.field(line).map_err(fault)
            }
            At::Size => self.size(line).map_err(fault),
            At::DataEnd if line.is_empty() => {
                self.at = At::Size;
                Ok(())
            }
            At::DataEnd => Err(fault("a chunk is longer than its size")),
            At::Body(_) | At::Data(_) | At::Over => Ok(()),
        }
    }

    fn status_line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        const NONE: &str = "the answer is not HTTP/1.1";
        let (minor, rest) = line.strip_prefix(b"HTTP/1.").and_then(<[u8]>::split_first).ok_or(NONE)?;
        self.old = match minor {
            b'0' => true,
            b'1' => false,
            _ => return Err(NONE),
        };
        let (digits, reason) =
            rest.strip_prefix(b" ").and_then(|rest| rest.split_at_checked(3)).ok_or(NONE)?;
        let status = number(digits, 10).filter(|status| (100..1000).contains(status));
        self.status = status.and_then(|status| u16::try_from(status).ok()).ok_or(NONE)?;
        if !(reason.is_empty() || reason.starts_with(b" ")) || !is_text(reason) {
            return Err(NONE);
        }
        if self.status == 101 {
            return Err("the answer changes the protocol, which nobody asked for");
        }
        if self.tunnel && self.status < 200 {
            return Err("the proxy says something before it answers");
        }
        (self.at, self.length, self.chunked, self.said) = (At::Field, None, None, 0);
        Ok(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), &'static str> {
        const NONE: &str = "a line of the head or of the trailers is no header";
        let colon = memchr::memchr(b':', line).ok_or(NONE)?;
        let (name, value) = line.split_at_checked(colon).ok_or(NONE)?;
        let value = value.strip_prefix(b":").unwrap_or(value);
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) || !is_text(value) {
            return Err(NONE);
        }
        let is_length = name.eq_ignore_ascii_case(b"content-length");
        if !is_length && !name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Ok(());
        }
        if self.at == At::Trailer {
            return Err("the answer says behind its end where it ends");
        }
        self.said = self.said.saturating_add(1);
        // Blanks and tabs: nothing else that counts as white space is left.
        let value = value.trim_ascii();
        if is_length {
            self.length = Some(number(value, 10).ok_or("the answer's length is not a number"));
        } else {
            self.chunked = Some(value.eq_ignore_ascii_case(b"chunked"));
        }
        Ok(())
    }

    /// The answer itself comes later, and its head is counted for itself.
    fn end_of_interim(&mut self) -> Result<(), TransportError> {
        let left = self.interim.checked_sub(self.head.saturating_sub(self.left));
        self.interim = left.ok_or_else(beyond)?;
        (self.at, self.left, self.fields) = (At::Status, self.head, 0);
        Ok(())
    }

    fn end_of_head(&mut self) -> Result<(), &'static str> {
        let framing = self.announced()?;
        self.framing = Some(framing);
        (self.left, self.fields) = (ASIDE, 0);
        self.at = match framing {
            Framing::Nothing | Framing::Length(0) => At::Over,
            Framing::Length(length) => At::Body(length),
            Framing::Chunks => At::Size,
            // It goes on as long as something comes, and is never over before the connection is.
            Framing::Connection => At::Body(u64::MAX),
        };
        Ok(())
    }

    /// What the head says of the answer's end, if it says it once and without contradiction (section 6.3).
    fn announced(&self) -> Result<Framing, &'static str> {
        // What a proxy says of the length of a tunnel means nothing (RFC 9110 section 9.3.6).
        if self.tunnel && (200..300).contains(&self.status) {
            return Ok(Framing::Nothing);
        }
        let bodiless = self.bodiless || matches!(self.status, 204 | 304);
        let framing = match (self.length, self.chunked) {
            (Some(_), Some(_)) => return Err("the answer has both a length and a transfer coding"),
            (Some(length), None) => Framing::Length(length?),
            // Section 6.1: such a message has faulty framing.
            (None, Some(_)) if self.old => {
                return Err("the answer has a transfer coding, which HTTP/1.0 does not know");
            }
            (None, Some(true)) => Framing::Chunks,
            (None, Some(false)) => return Err("the answer has a transfer coding other than chunked"),
            (None, None) if bodiless => Framing::Nothing,
            (None, None) if self.until_closed => Framing::Connection,
            (None, None) => return Err("the answer does not say where it ends"),
        };
        if self.said > 1 {
            return Err("the answer says twice where it ends");
        }
        Ok(if bodiless { Framing::Nothing } else { framing })
    }

    fn size(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let end = line.iter().position(|byte| *byte == b';').unwrap_or(line.len());
        let (digits, extensions) = line.split_at_checked(end).unwrap_or((line, &[]));
        let size = number(digits, 16).ok_or("the size of a chunk is not a number")?;
        if !is_text(extensions) {
            return Err("an extension of a chunk has a control character");
        }
        let left = self.extensions.checked_sub(extensions.len());
        self.extensions = left.ok_or("the extensions of the chunks are larger than 8 KiB")?;
        self.at = if size == 0 { At::Trailer } else { At::Data(size) };
        Ok(())
    }
}

fn fault(message: &'static str) -> TransportError {
    TransportError::unknown(TransportFault::Framing, message)
}

fn large_head(cap: usize) -> TransportError {
    let message =
        format!("the head of the answer is larger than {cap} bytes, or has more than {FIELDS} headers");
    TransportError::unknown(TransportFault::TooLarge, message)
}

/// Digits and nothing else: no sign, no blank.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let more = |number: u64, digit: &u8| {
        let digit = char::from(*digit).to_digit(radix)?;
        number.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, more) }
}

/// A character of a header's name (RFC 9110 section 5.6.2).
fn is_token(byte: u8) -> bool {
    TOKEN.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Looked up, because every name of every answer is looked at.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // the compiler does it
const TOKEN: [bool; 256] = {
    let (mut table, mut rest) = ([false; 256], b"!#$%&'*+-.^_`|~0123456789".as_slice());
    while let [byte, behind @ ..] = rest {
        table[*byte as usize] = true;
        rest = behind;
    }
    let mut letter = b'a';
    while letter <= b'z' {
        table[letter as usize] = true;
        table[letter.to_ascii_uppercase() as usize] = true;
        letter += 1;
    }
    table
};

/// Characters of a header's value or of a reason (RFC 9110 section 5.5). All of them are looked at, good or not: a loop
/// that does not end early takes many bytes at a time.
fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |good, byte| good & (*byte == b'\t' || *byte >= b' ' && *byte != 0x7f))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Sent;

    const BODY: &str = "{\"allowed\":true}";

    /// How the answer is framed and whether it was whole, or what is wrong with it. Whole and in pieces of every size.
    fn judged(method: &Method, answer: &[u8]) -> Result<(Framing, bool), String> {
        let judge = |size: usize| {
            let mut watch = Watch::new(method, &Limits::default());
            for piece in answer.chunks(size) {
                watch.pass(piece).map_err(|error| {
                    assert_eq!(error.fault(), TransportFault::Framing, "{error}");
                    assert_eq!(error.sent(), Sent::Unknown);
                    error.to_string()
                })?;
            }
            Ok((watch.framing().ok_or("no head")?, watch.is_over()))
        };
        let whole = judge(answer.len());
        for size in 1..answer.len() {
            assert_eq!(judge(size), whole, "in pieces of {size}: {}", String::from_utf8_lossy(answer));
        }
        whole
    }

    fn head(first: &str, lines: &[&str]) -> String {
        lines.iter().fold(format!("{first}\r\n"), |head, line| format!("{head}{line}\r\n")) + "\r\n"
    }

    fn get(status: u16, lines: &[&str]) -> Result<Framing, String> {
        let answer = head(&format!("HTTP/1.1 {status} Reason"), lines);
        judged(&Method::GET, answer.as_bytes()).map(|(framing, _)| framing)
    }

    fn chunks(chunks: &str) -> Result<(Framing, bool), String> {
        let answer = head("HTTP/1.1 200 OK", &["Transfer-Encoding: chunked"]) + chunks;
        judged(&Method::GET, answer.as_bytes())
    }

    #[test]
    fn what_says_where_it_ends() {
        for status in [200, 206, 400, 503] {
            assert_eq!(get(status, &["Content-Length: 0"]), Ok(Framing::Length(0)));
            assert_eq!(get(status, &["content-length:\t17 "]), Ok(Framing::Length(17)));
            assert_eq!(get(status, &["Transfer-Encoding: chunked"]), Ok(Framing::Chunks));
            assert_eq!(get(status, &["X: \u{e4}", "Transfer-Encoding:Chunked"]), Ok(Framing::Chunks));
        }
        let old = judged(&Method::GET, head("HTTP/1.0 200", &["Content-Length: 17"]).as_bytes());
        assert_eq!(old, Ok((Framing::Length(17), false)));
    }

    #[test]
    fn an_answer_that_ends_with_its_connection_is_never_over_by_itself() {
        let limits = Limits { until_closed: true, ..Limits::default() };
        for first in ["HTTP/1.1 200 OK", "HTTP/1.0 200 OK", "HTTP/1.1 500 No"] {
            let mut watch = Watch::new(&Method::GET, &limits);
            watch.pass((head(first, &["X: y"]) + BODY).as_bytes()).unwrap();
            assert_eq!((watch.framing(), watch.is_over()), (Some(Framing::Connection), false));
        }
        // What says where it ends is held to it, and doubt is still a fault.
        let (length, coding) = ("Content-Length: 2", "Transfer-Encoding: chunked");
        let judged = |lines: &[&str]| {
            let mut watch = Watch::new(&Method::GET, &limits);
            watch.pass(head("HTTP/1.1 200 OK", lines).as_bytes()).map(|()| watch.framing())
        };
        assert_eq!(judged(&[length]).unwrap(), Some(Framing::Length(2)));
        assert_eq!(judged(&[coding]).unwrap(), Some(Framing::Chunks));
        for lines in
            [&[length, coding][..], &[length, length], &["Transfer-Encoding: gzip"], &["Content-Length: x"]]
        {
            assert!(judged(lines).is_err(), "{lines:?}");
        }
    }

    #[test]
    fn answers_without_a_body_may_announce_one() {
        for lines in [&[][..], &["Content-Length: 17"], &["Transfer-Encoding: chunked"]] {
            let answer = head("HTTP/1.1 200 OK", lines);
            assert_eq!(judged(&Method::HEAD, answer.as_bytes()), Ok((Framing::Nothing, true)));
            assert_eq!(get(204, lines), Ok(Framing::Nothing));
            assert_eq!(get(304, lines), Ok(Framing::Nothing));
        }
    }

    #[test]
    fn doubt_is_a_fault() {
        let (length, coding) = ("Content-Length: 2", "Transfer-Encoding: chunked");
        let cases: [(&[&str], &str); 12] = [
            (&[length, coding], "both a length and a transfer coding"),
            (&[length, length], "says twice"),
            (&[length, "Content-Length: 3"], "says twice"),
            (&[coding, coding], "says twice"),
            (&["Transfer-Encoding: gzip, chunked"], "other than chunked"),
            (&["Transfer-Encoding: identity"], "other than chunked"),
            (&["Content-Length: +2"], "not a number"),
            (&["Content-Length: 2, 2"], "not a number"),
            (&["Content-Length:"], "not a number"),
            (&["Content-Length: 18446744073709551616"], "not a number"),
            (&["Content-Length: 0x20"], "not a number"),
            (&[], "does not say where it ends"),
        ];
        for (lines, expected) in cases {
            let error = get(200, lines).unwrap_err();
            assert!(error.contains(expected), "{lines:?}: {error}");
        }
        let error = judged(&Method::GET, head("HTTP/1.0 200 OK", &[coding]).as_bytes()).unwrap_err();
        assert!(error.contains("HTTP/1.0 does not know"), "{error}");
        // Contradictions count where there is no body as well.
        assert!(get(204, &[length, coding]).is_err());
    }

    #[test]
    fn a_head_is_lines_of_headers_and_nothing_else() {
        for first in [
            "HTTP/2 200 OK",
            "HTTP/2.0 200 OK",
            "HTTP/0.9 200 OK",
            "HTTP/1.2 200 OK",
            "http/1.1 200 OK",
            "HTTP/1.1  200 OK",
            "HTTP/1.1\t200 OK",
            "HTTP/1.1 20 OK",
            "HTTP/1.1 2000 OK",
            "HTTP/1.1 099 OK",
            "HTTP/1.1 +20 OK",
            "HTTP/1.1200 OK",
            "HTTP/1.1 200OK",
            " HTTP/1.1 200 OK",
            "HTTP/1.1 200 O\0K",
            "HTTP/1.1 200 O\rK",
            "",
            "HTTP/1.1 101 Switching",
        ] {
            let judged = judged(&Method::GET, head(first, &["Content-Length: 0"]).as_bytes());
            assert!(judged.is_err(), "{first:?}: {judged:?}");
        }
        for line in [
            "X",
            "X Y: z",
            "X : y",
            ": y",
            " X: y",
            "\tX: y",
            "X: y\0",
            "X: y\rZ",
            "X: y\nZ: z",
            "X: \u{7f}",
            "\u{e4}: y",
        ] {
            let judged = get(200, &["Content-Length: 0", line]);
            assert!(judged.is_err(), "{line:?}: {judged:?}");
        }
        for bare in [
            "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n",
        ] {
            assert!(
                judged(&Method::GET, bare.as_bytes()).unwrap_err().contains("carriage return"),
                "{bare:?}"
            );
        }
    }

    #[test]
    fn chunks_are_sizes_and_data_and_nothing_else() {
        let whole = [
            "10\r\n{\"allowed\":true}\r\n0\r\n\r\n",
            "0000000000000010\r\n{\"allowed\":true}\r\n0\r\n\r\n",
            "8;a=b\r\n{\"allowe\r\n8;c\r\nd\":true}\r\n000\r\n\r\n",
            "0;x=\"y z\"\r\n\r\n",
            "0\r\nX-Trailer: y\r\nZ:\r\n\r\n",
        ];
        for body in whole {
            assert_eq!(chunks(body), Ok((Framing::Chunks, true)), "{body:?}");
            for cut in 0..body.len() {
                assert_eq!(chunks(&body[..cut]), Ok((Framing::Chunks, false)), "{:?}", &body[..cut]);
            }
        }
        for body in [
            "+2\r\nok\r\n0\r\n\r\n",
            "-0\r\n\r\n",
            "2 \r\nok\r\n0\r\n\r\n",
            " 2\r\nok\r\n0\r\n\r\n",
            "2\t;a\r\nok\r\n0\r\n\r\n",
            "0x2\r\nok\r\n0\r\n\r\n",
            "\r\nok\r\n0\r\n\r\n",
            ";a\r\nok\r\n0\r\n\r\n",
            "2\nok\r\n0\r\n\r\n",
            "2;a\nok\r\n0\r\n\r\n",
            "2;a\n2\r\nok\r\n0\r\n\r\n",
            "2;a\rb\r\nok\r\n0\r\n\r\n",
            "2;\0\r\nok\r\n0\r\n\r\n",
            "2\r\nokay\r\n0\r\n\r\n",
            "2\r\nok\n0\r\n\r\n",
            "2\r\nok0\r\n\r\n",
            "0\r\nno header\r\n\r\n",
            "0\r\nX: y\n\r\n",
            "0\r\n X: y\r\n\r\n",
            "0\r\n\n",
            "0\r\nContent-Length: 2\r\n\r\n",
            "0\r\ntransfer-encoding: chunked\r\n\r\n",
            "10000000000000000\r\n",
            "00000000000000000000000\r\n",
            "2;a-very-long-extension\r\nok\r\n",
        ] {
            let judged = chunks(body);
            assert!(judged.is_err(), "{body:?}: {judged:?}");
        }
    }

    #[test]
    fn what_comes_behind_an_answer_is_not_its_own() {
        for end in ["", "x", "HTTP/1.1 200 OK\r\n", "\r\n"] {
            let answer = head("HTTP/1.1 200 OK", &["Content-Length: 16"]) + BODY + end;
            assert_eq!(judged(&Method::GET, answer.as_bytes()), Ok((Framing::Length(16), end.is_empty())));
            assert_eq!(chunks(&format!("0\r\n\r\n{end}")), Ok((Framing::Chunks, end.is_empty())));
        }
    }

    #[test]
    fn interim_answers_are_passed_over() {
        let interim = "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nLink: x\r\n\r\n".repeat(3);
        let answer = interim + &head("HTTP/1.1 200 OK", &["Content-Length: 16"]) + BODY;
        assert_eq!(judged(&Method::GET, answer.as_bytes()), Ok((Framing::Length(16), true)));
    }

    /// Text that a server never ends: how much of it is taken before it is refused.
    #[test]
    fn everything_that_could_go_on_for_ever_ends_early() {
        let chunked = head("HTTP/1.1 200 OK", &["Transfer-Encoding: chunked"]);
        let cap = Limits::default().head;
        for (name, begin, piece, most) in [
            ("reason", "HTTP/1.1 200 ", "x", cap),
            ("no line", "", "x", cap),
            ("status line", "HTTP/1.1", " ", cap),
            ("header", "HTTP/1.1 200 OK\r\nX: ", "x", cap),
            ("headers", "HTTP/1.1 200 OK\r\n", "X: y\r\n", cap),
            ("size", &chunked, "0", SIZE_LINE + 2),
            ("extension", &format!("{chunked}2;"), "x", SIZE_LINE + 2),
            ("interim answers", "", "HTTP/1.1 100 Continue\r\n\r\n", INTERIM),
            ("trailer", &format!("{chunked}0\r\nX: "), "x", ASIDE),
            ("trailers", &format!("{chunked}0\r\n"), "X: y\r\n", ASIDE),
            ("extensions", &chunked, "1;ab\r\nx\r\n", 3 * ASIDE),
        ] {
            let mut watch = Watch::new(&Method::GET, &Limits::default());
            watch.pass(begin.as_bytes()).unwrap();
            let taken = (1..).find(|_| watch.pass(piece.as_bytes()).is_err()).unwrap() * piece.len();
            assert!(taken <= most + piece.len(), "{name}: {taken} bytes");
            assert!(watch.line.capacity() <= 2 * cap, "{name}");
        }
    }

    #[test]
    fn a_length_over_the_cap_is_refused_before_anything_is_read() {
        assert_eq!(Framing::Length(8).room(8).unwrap(), 8);
        for length in [9, u64::MAX] {
            assert_eq!(Framing::Length(length).room(8).unwrap_err().fault(), TransportFault::TooLarge);
        }
        assert_eq!(Framing::Chunks.room(8).unwrap(), 0);
    }

    #[test]
    fn an_attempt_has_its_head_its_body_and_a_little_more() {
        let limits = Limits::default();
        assert_eq!(allowance(&limits), (16 + 64 + 64) * 1024);
        assert_eq!(allowance(&Limits { body: 1 << 30, ..limits }), (16 << 10) + (1 << 30) + (1 << 24));
        assert_eq!(allowance(&Limits { body: usize::MAX, head: usize::MAX, ..limits }), u64::MAX);
    }
}
