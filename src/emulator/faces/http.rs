//! The emulator over HTTP/1.1 on loopback: one thread, real connections, faults played on the socket.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use http::StatusCode;
use http::header::{CONNECTION, HOST, HeaderValue};
use http::uri::Authority;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming as HttpBody, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::emulator::faces::console::Console;
use crate::emulator::faces::emulator::{Emulator, UnknownAgent};
use crate::emulator::values::answer::{Answer, Cut, Fault, Reply};
use crate::emulator::values::incoming::{BODY_LIMIT, Incoming};
use crate::secret::Secret;

mod patient;

use patient::Patient;

/// The largest head of a request.
const HEAD_LIMIT: usize = 64 * 1024;
/// How long to rest when no connection can be accepted (too many open files).
const PAUSE: Duration = Duration::from_millis(10);

/// Why the emulator cannot serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The text is no address with a port.
    #[error("{0:?} is not an address: write one as 127.0.0.1:0 or [::1]:8080")]
    BadAddress(String),
    /// The address is not a loopback one.
    #[error(
        "{0} is not a loopback address: the emulator hands out tokens to anybody who reaches it, so it serves 127.0.0.0/8 and [::1] only"
    )]
    NotLoopback(SocketAddr),
    /// The operating system refused.
    #[error("the emulator cannot serve")]
    Io(#[from] std::io::Error),
}

/// A running server. It ends when this is dropped.
#[derive(Debug)]
#[must_use = "the server ends when this is dropped"]
pub struct Served {
    pub(super) emulator: Emulator,
    url: String,
    console: Option<Secret>,
    address: SocketAddr,
    connections: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// The base URL: `http://127.0.0.1:49152`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address with the port it got.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The address of the console, if it was asked for ([`Emulator::serve_with_console`]). Whoever has it sees what happens and may decide
    /// for people: it is for the person at the machine, and for no agent.
    pub fn console(&self) -> Option<&Secret> {
        self.console.as_ref()
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Closes the listener and every connection, requests in work included, and waits until its thread has ended.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // The thread waits for this sender: it is dropped, never used.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
            self.emulator.state().clock.stop();
        }
    }
}

fn serve(emulator: &Emulator, address: &str, with_console: bool) -> Result<Served, ServeError> {
    let address: SocketAddr = address.parse().map_err(|_| ServeError::BadAddress(address.to_owned()))?;
    if !address.ip().is_loopback() {
        return Err(ServeError::NotLoopback(address));
    }
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let url = format!("http://{address}");
    let console = with_console.then(Console::new).transpose().map_err(std::io::Error::other)?;
    let console = console.map(Arc::new);
    let shown = console.as_ref().map(|console| console.address(&url));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _context = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    let connections = Arc::new(AtomicU64::new(0));
    let (stop, stopped) = oneshot::channel::<Infallible>();
    let host = Host { emulator: emulator.clone(), base: url.as_str().into(), address, console };
    let counter = Arc::clone(&connections);
    let thread = std::thread::Builder::new().name("lumoauth-emulator".into()).spawn(move || {
        runtime.block_on(async move {
            tokio::spawn(accept(listener, host, counter));
            let _ = stopped.await;
        });
        // Dropping the runtime drops every connection with it.
        drop(runtime);
    })?;
    emulator.state().clock.run();
    Ok(Served {
        emulator: emulator.clone(),
        url,
        console: shown,
        address,
        connections,
        stop: Some(stop),
        thread: Some(thread),
    })
}

impl Emulator {
    /// Serves HTTP on a loopback address, such as `127.0.0.1:0` for any free port, from a thread of its own.
    ///
    /// # Errors
    /// [`ServeError`] for an address that is not a loopback one, or cannot be had.
    pub fn serve(&self, address: &str) -> Result<Served, ServeError> {
        serve(self, address, false)
    }

    /// [`Emulator::serve`] with a console: a page for a person, at [`Served::console`], that shows agents, decisions, tokens and
    /// what waits for a person, and where all of that can be decided.
    ///
    /// # Errors
    /// [`ServeError`] as there.
    pub fn serve_with_console(&self, address: &str) -> Result<Served, ServeError> {
        serve(self, address, true)
    }

    /// The environment variables with which a program finds the server and signs in as the first agent. One of the
    /// values is the secret.
    pub fn environment(&self, served: &Served) -> Vec<(&'static str, String)> {
        variables(served, self.tenant(), self.client_id(), Some(self.secret()))
    }

    /// [`Emulator::environment`] for any agent of the seed, by its client id. A public client has no secret.
    ///
    /// # Errors
    /// [`UnknownAgent`] if there is none.
    pub fn environment_of(
        &self,
        served: &Served,
        client_id: &str,
    ) -> Result<Vec<(&'static str, String)>, UnknownAgent> {
        let (tenant, agent) = self.seeded(client_id)?;
        Ok(variables(served, &tenant.slug, client_id, agent.secret.as_ref()))
    }
}

fn variables(
    served: &Served,
    tenant: &str,
    client_id: &str,
    secret: Option<&Secret>,
) -> Vec<(&'static str, String)> {
    let own = [
        ("LUMOAUTH_URL", served.url().to_owned()),
        ("LUMOAUTH_TENANT", tenant.to_owned()),
        ("AGENT_CLIENT_ID", client_id.to_owned()),
    ];
    own.into_iter().chain(secret.map(|secret| ("AGENT_CLIENT_SECRET", secret.expose().to_owned()))).collect()
}

/// What every connection needs.
#[derive(Clone)]
struct Host {
    emulator: Emulator,
    base: Arc<str>,
    address: SocketAddr,
    console: Option<Arc<Console>>,
}

impl Host {
    /// The base URL of a request by the name that it called, if that is one of the server's own, with its port.
    fn called(&self, authority: &Authority) -> Option<Arc<str>> {
        let name = authority.as_str().to_ascii_lowercase();
        let port = self.address.port();
        let own = name.strip_suffix(&format!(":{port}")).or((port == 80).then_some(name.as_str()));
        let address = SocketAddr::new(self.address.ip(), 0).to_string();
        let address = address.trim_end_matches(":0");
        match own {
            Some(host) if ["localhost", "127.0.0.1", "[::1]", address].contains(&host) => {
                Some(format!("http://{name}").into())
            }
            _ => None,
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, host: Host, counter: Arc<AtomicU64>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                counter.fetch_add(1, Ordering::Relaxed);
                let _ = stream.set_nodelay(true);
                tokio::spawn(connection(stream, host.clone()));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn connection(stream: TcpStream, host: Host) {
    let patience = host.emulator.0.settings.patience;
    let reset = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&reset);
    let service = service_fn(move |request| {
        let (host, flag) = (host.clone(), Arc::clone(&flag));
        Box::pin(async move { answer(request, &host, &flag).await })
    });
    let mut connection = http1::Builder::new()
        .max_header_size(HEAD_LIMIT)
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .serve_connection(TokioIo::new(Patient::new(stream, patience)), service);
    // By reference, so that the socket is still there to be reset.
    let _ = (&mut connection).await;
    if reset.load(Ordering::Relaxed) {
        let _ = connection.into_parts().io.into_inner().into_stream().set_zero_linger();
    }
}

/// A fault that ends the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is reset on demand")]
struct ConnectionReset;

async fn answer(
    request: hyper::Request<HttpBody>,
    host: &Host,
    reset: &AtomicBool,
) -> Result<hyper::Response<Outgoing>, ConnectionReset> {
    let (head, body) = request.into_parts();
    let Some(authority) = for_us(&head) else {
        let status = StatusCode::MISDIRECTED_REQUEST;
        let answer = Answer::plain(status, "invalid_request", "Host must be one name of this machine");
        return Ok(outgoing(&answer.into_response(), None, true));
    };
    let called = host.called(&authority);
    let base = called.as_ref().unwrap_or(&host.base);
    let collected = Limited::new(body, BODY_LIMIT).collect();
    // What does not come in time does not come.
    let collected = tokio::time::timeout(host.emulator.0.settings.patience, collected).await;
    let (body, too_large) = match collected.map_err(|_| ConnectionReset)? {
        Ok(body) => (Some(body.to_bytes()), false),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => (None, true),
        // The rest of the body never came.
        Err(_) => return Err(ConnectionReset),
    };
    let incoming = Incoming {
        method: &head.method,
        path: head.uri.path(),
        query: head.uri.query(),
        headers: &head.headers,
        body: body.as_deref(),
        base,
    };
    if let Some(console) = host.console.as_ref().filter(|_| Console::has(incoming.path)) {
        let answer = console.answer(&host.emulator, &incoming, called.is_some());
        return Ok(outgoing(&answer.into_response(), None, too_large));
    }
    let Reply { response, fault } = host.emulator.answer(&incoming, None);
    let Fault { delay, cut } = fault.unwrap_or_default();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    match cut {
        Some(Cut::Reset | Cut::NotSent) => {
            reset.store(true, Ordering::Relaxed);
            Err(ConnectionReset)
        }
        Some(Cut::Truncate(bytes)) => Ok(outgoing(&response, Some(bytes), false)),
        None => Ok(outgoing(&response, None, too_large)),
    }
}

/// Exactly one `Host` (RFC 9112 section 3.2), and one that means this machine: a web page that has its own name
/// resolve to this machine gets nothing. A target that names a host itself counts more (section 3.2.2), and must mean this
/// machine as well.
fn for_us(head: &http::request::Parts) -> Option<Authority> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return None };
    let host = is_here(&host.to_str().ok()?.parse().ok()?)?;
    match (head.uri.authority(), head.uri.scheme_str()) {
        (None, _) => Some(host),
        (Some(named), None | Some("http")) => is_here(named),
        (Some(_), Some(_)) => None,
    }
}

/// The authority, if it is this machine's.
fn is_here(authority: &Authority) -> Option<Authority> {
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_here =
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback());
    (is_here && !authority.as_str().contains('@')).then(|| authority.clone())
}

fn outgoing(response: &crate::wire::Response, cut: Option<usize>, close: bool) -> hyper::Response<Outgoing> {
    let body = Bytes::copy_from_slice(response.body());
    let whole = body.len();
    let shown = cut.map_or(whole, |bytes| bytes.min(whole));
    let mut out = hyper::Response::new(Outgoing {
        announced: u64::try_from(whole).unwrap_or(u64::MAX),
        bytes: Some(body.slice(..shown)),
        broken: cut.is_some(),
        pauses: 3,
    });
    *out.status_mut() = response.status();
    *out.headers_mut() = response.headers().clone();
    if close {
        out.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    out
}

/// A body that may break off: it announces its whole length and fails after a part of it.
struct Outgoing {
    announced: u64,
    bytes: Option<Bytes>,
    broken: bool,
    /// Turns given to hyper to get the part out before the connection breaks.
    pauses: u8,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = ConnectionReset;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ConnectionReset>>> {
        if let Some(bytes) = self.bytes.take().filter(|bytes| !bytes.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if !self.broken {
            return Poll::Ready(None);
        }
        if let Some(left) = self.pauses.checked_sub(1) {
            self.pauses = left;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(ConnectionReset)))
    }

    fn is_end_stream(&self) -> bool {
        !self.broken && self.bytes.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
