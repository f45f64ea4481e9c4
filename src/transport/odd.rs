//! A server on loopback that answers as its paths say, well and badly: what the contract of transports is tried against.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What the server stops at when it sends without end.
const ENOUGH: u64 = 32 << 20;
/// A request is as large as this at most.
const LARGEST: usize = 1 << 20;
const BODY: &str = r#"{"ok":true}"#;

/// A request as it arrived.
#[derive(Clone)]
pub(super) struct Arrived {
    /// Connections are counted from 0.
    pub(super) connection: usize,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Arrived {
    /// The values of a header.
    pub(super) fn header(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// A running server; it ends when it is dropped.
pub(super) struct Odd {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    arrived: Mutex<Vec<Arrived>>,
    open: Mutex<Vec<TcpStream>>,
    /// The most that one answer without end came to.
    endless: AtomicU64,
    stopped: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Odd {
    pub(super) fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (addr, shared) = (listener.local_addr()?, Arc::new(Shared::default()));
        let accepting = Arc::clone(&shared);
        thread::Builder::new().spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                if accepting.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                lock(&accepting.open).extend(stream.try_clone());
                let shared = Arc::clone(&accepting);
                // A connection that breaks is the client's business.
                let _ = thread::Builder::new().spawn(move || shared.serve(stream, number));
            }
        })?;
        Ok(Odd { addr, shared })
    }

    /// The URL of a path.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// What arrived at a path so far.
    pub(super) fn arrived(&self, path: &str) -> Vec<Arrived> {
        let arrived = lock(&self.shared.arrived);
        arrived.iter().filter(|it| it.target.split('?').next() == Some(path)).cloned().collect()
    }

    /// The most that one answer without end came to, in bytes.
    pub(super) fn endless(&self) -> u64 {
        self.shared.endless.load(Ordering::SeqCst)
    }
}

impl Drop for Odd {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        for stream in lock(&self.shared.open).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes whoever accepts.
        let _ = TcpStream::connect(self.addr);
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream, connection: usize) {
        let _ = stream.set_nodelay(true);
        let mut waiting = Vec::new();
        while let Some(request) = request(&mut stream, &mut waiting, connection) {
            let path = request.target.split('?').next().unwrap_or_default().to_owned();
            lock(&self.arrived).push(request);
            if !self.answer(&mut stream, &path) {
                break;
            }
        }
        let _ = stream.shutdown(Shutdown::Both);
    }

    /// False if the connection ends with it.
    fn answer(&self, stream: &mut TcpStream, path: &str) -> bool {
        let whole = |status: &str, headers: &str, body: &str| {
            format!("HTTP/1.1 {status} Reason\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
        };
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        match path.split_once('/').map(|(_, rest)| rest.split_once('/').unwrap_or((rest, ""))) {
            Some(("status", status)) => say(stream, whole(status, "", BODY)),
            Some(("redirect", status)) => say(stream, whole(status, "Location: /elsewhere\r\n", "{}")),
            Some(("cookie", _)) => say(stream, whole("200", "Set-Cookie: a=b; Path=/\r\n", BODY)),
            Some(("encoded", _)) => say(stream, whole("200", "Content-Encoding: gzip\r\n", "not gzip")),
            Some(("empty", _)) => say(stream, "HTTP/1.1 204 No Content\r\n\r\n".to_owned()),
            Some(("chunks", _)) => {
                say(stream, format!("{chunked}5\r\n{{\"ok\"\r\n6\r\n:true}}\r\n0\r\n\r\n"))
            }
            Some(("large", _)) => say(stream, whole("200", "", &"x".repeat(65 * 1024))),
            Some(("endless", _)) => {
                say(stream, chunked.to_owned())
                    && self.without_end(stream, &format!("400\r\n{}\r\n", "x".repeat(1024)))
            }
            Some(("endless-head", _)) => {
                say(stream, "HTTP/1.1 200 OK\r\n".to_owned()) && self.without_end(stream, "X-Endless: 1\r\n")
            }
            Some(("cut", _)) => {
                end(stream, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"ok\"".to_owned())
            }
            Some(("cut-chunks", _)) => end(stream, format!("{chunked}5\r\n{{\"ok\"\r\n")),
            Some(("no-length", _)) => {
                end(stream, format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{BODY}"))
            }
            Some(("hang-up", _)) => false,
            Some(("stall", _)) => true,
            Some(("stall-body", _)) => {
                say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"ok\"".to_owned())
            }
            _ => say(stream, whole("200", "X-Answer: yes\r\n", BODY)),
        }
    }

    fn without_end(&self, stream: &mut TcpStream, piece: &str) -> bool {
        let (block, mut sent) = (piece.repeat(64), 0_u64);
        while sent < ENOUGH && stream.write_all(block.as_bytes()).is_ok() {
            sent = sent.saturating_add(block.len() as u64);
        }
        self.endless.fetch_max(sent, Ordering::SeqCst);
        false
    }
}

/// The next request of a connection; none if it is over, or no request.
fn request(stream: &mut TcpStream, waiting: &mut Vec<u8>, connection: usize) -> Option<Arrived> {
    let head = loop {
        if let Some(at) = waiting.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        more(stream, waiting)?;
    };
    let text = String::from_utf8_lossy(waiting.get(..head)?).into_owned();
    waiting.drain(..head.checked_add(4)?);
    let mut lines = text.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut arrived = Arrived { connection, method, target, headers, body: Vec::new() };
    let length = arrived.header("content-length").first().and_then(|length| length.parse().ok());
    let is_chunked = !arrived.header("transfer-encoding").is_empty();
    arrived.body = match length {
        _ if is_chunked => unchunked(stream, waiting)?,
        Some(length) => taken(stream, waiting, length)?,
        None => Vec::new(),
    };
    Some(arrived)
}

fn more(stream: &mut TcpStream, waiting: &mut Vec<u8>) -> Option<()> {
    let mut piece = [0; 4096];
    let amount = stream.read(&mut piece).ok().filter(|amount| *amount > 0)?;
    waiting.extend_from_slice(piece.get(..amount)?);
    (waiting.len() <= LARGEST).then_some(())
}

fn taken(stream: &mut TcpStream, waiting: &mut Vec<u8>, length: usize) -> Option<Vec<u8>> {
    while waiting.len() < length {
        more(stream, waiting)?;
    }
    Some(waiting.drain(..length).collect())
}

fn unchunked(stream: &mut TcpStream, waiting: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = loop {
            match waiting.windows(2).position(|two| two == b"\r\n") {
                Some(end) => break end,
                None => more(stream, waiting)?,
            }
        };
        let size = usize::from_str_radix(std::str::from_utf8(waiting.get(..end)?).ok()?, 16).ok()?;
        waiting.drain(..end.checked_add(2)?);
        let mut chunk = taken(stream, waiting, size.checked_add(2).filter(|size| *size <= LARGEST)?)?;
        chunk.truncate(size);
        if size == 0 {
            return Some(body);
        }
        body.extend(chunk);
    }
}

/// True if it was sent.
fn say(stream: &mut TcpStream, text: String) -> bool {
    stream.write_all(text.as_bytes()).is_ok()
}

/// The last that a connection says.
fn end(stream: &mut TcpStream, text: String) -> bool {
    let _ = stream.write_all(text.as_bytes());
    false
}
