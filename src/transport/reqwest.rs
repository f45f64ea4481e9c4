//! The async transport: hyper over tokio and rustls, told exactly what it may do. It bears the name of reqwest, on which
//! it stood first; nothing of that is left. Nothing outside of this file and its folder names hyper or tokio on the
//! clients' behalf.

mod connection;
#[cfg(feature = "axum")]
mod detached;
mod dial;
mod pool;
mod stream;

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HOST, USER_AGENT as USER_AGENT_HEADER};
use http::{HeaderValue, Method, Uri, Version};
use tokio::runtime::Handle;

use self::connection::{Connection, Whole};
#[cfg(feature = "axum")]
pub(crate) use self::detached::to_its_end;
use self::dial::Dial;
use self::pool::{Key, Pool};
use self::stream::Flow;
use super::asynchronous::{Io, Transport};
use super::clock;
use super::framing::{Watch, allowance};
use super::names::Names;
use super::options::TransportOptions;
use super::proxy::Proxies;
use super::statistics::Statistics;
use super::target::target;
use crate::error::{ConfigError, TransportError, TransportFault};
use crate::origin::Origin;
use crate::time::Now;
use crate::trust::Trust;
use crate::wire::{Limits, Request, Response};

const USER_AGENT: &str = concat!("lumoauth-rust/", env!("CARGO_PKG_VERSION"));

/// The transport behind the async clients: verified TLS, kept connections, no redirects, no compression, limits on
/// every part. Cheap to clone; clones share the connections.
///
/// It stands on tokio: poll its futures inside a tokio runtime with I/O and time enabled. Outside of one, every request
/// is refused before anything is sent. Making it needs no runtime. A kept connection serves the runtime that it was
/// opened in.
///
/// It keeps 128 connections a host, each for 10 s. An answer has at most 100 headers in a head of at most 32 KiB (16 KiB
/// unless [`Limits::head`] says otherwise). An attempt reads its head, its body and 64 KiB at most, whatever it is that
/// goes on for ever. A host that is this machine by its name must have no other address. A segment of dots in a URL and a
/// host that is written as a number are refused.
#[derive(Clone, Debug)]
pub struct ReqwestTransport(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    dial: Dial,
    pool: Pool,
    proxies: Proxies,
    names: Names,
    received: Arc<AtomicU64>,
}

impl ReqwestTransport {
    /// A transport with these options.
    ///
    /// # Errors
    /// [`ConfigError`] if a root certificate cannot be read or the proxy's URL is not usable.
    pub fn new(options: &TransportOptions) -> Result<Self, ConfigError> {
        Self::knowing(options, Names::default())
    }

    fn knowing(options: &TransportOptions, names: Names) -> Result<Self, ConfigError> {
        let proxies = Proxies::read(options)?;
        let dial = Dial::new(Trust::new(&options.roots, options.named_certificates())?, names.clone());
        let (pool, received) = (Pool::default(), Arc::default());
        Ok(ReqwestTransport(Arc::new(Shared { dial, pool, proxies, names, received })))
    }

    /// What it has done so far.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            connections: self.0.dial.connections(),
            lookups: self.0.names.lookups(),
            received: self.0.received.load(Ordering::Relaxed),
        }
    }
}

impl Transport for ReqwestTransport {
    fn send<'a>(&'a self, request: Request) -> Io<'a, Result<Response, TransportError>> {
        match Attempt::new(request) {
            Ok(attempt) => Box::pin(self.0.make(attempt)),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn sleep<'a>(&'a self, duration: Duration) -> Io<'a, ()> {
        if Handle::try_current().is_err() {
            // No timer here; the next request says so.
            return Box::pin(std::future::ready(()));
        }
        Box::pin(tokio::time::sleep(duration))
    }

    fn glance(&self) -> Result<Now, TransportError> {
        clock::glance()
    }
}

/// One attempt, with all that needs no waiting done.
struct Attempt {
    request: http::Request<Whole>,
    origin: Origin,
    watch: Watch,
    limits: Limits,
}

impl Attempt {
    fn new(request: Request) -> Result<Self, TransportError> {
        let limits = *request.attempt_limits();
        if limits.total.is_zero() {
            return Err(TransportError::not_sent(TransportFault::Timeout, "no time is left"));
        }
        if *request.method() == Method::CONNECT
            || (*request.method() == Method::HEAD && !request.body().is_empty())
        {
            let message = "CONNECT, and HEAD with a body, are not requests that can be sent";
            return Err(TransportError::not_sent(TransportFault::Refused, message));
        }
        let origin = target(request.url())?;
        let watch = Watch::new(request.method(), &limits);
        Ok(Attempt { request: outgoing(request, &origin)?, origin, watch, limits })
    }
}

/// The request in hyper's words.
fn outgoing(request: Request, origin: &Origin) -> Result<http::Request<Whole>, TransportError> {
    let (method, url, headers, body) = request.into_parts();
    let unwritable =
        || TransportError::not_sent(TransportFault::Refused, "the request cannot be written as HTTP");
    // A path and a query, whether there is a proxy or not: it only makes a tunnel.
    let path = url.into_parts().path_and_query.map(Uri::from).ok_or_else(unwritable)?;
    let default = if origin.is_https() { 443 } else { 80 };
    let host = match origin.port() {
        port if port == default => HeaderValue::try_from(origin.host()),
        port => HeaderValue::try_from(format!("{}:{port}", origin.host())),
    };
    let length = matches!(method, Method::POST | Method::PUT | Method::PATCH) || !body.is_empty();
    let length = length.then_some(body.len());
    let mut out = http::Request::new(Whole::new(body));
    (*out.method_mut(), *out.uri_mut(), *out.version_mut(), *out.headers_mut()) =
        (method, path, Version::HTTP_11, headers);
    let headers = out.headers_mut();
    headers.insert(HOST, host.map_err(|_| unwritable())?);
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    headers.entry(USER_AGENT_HEADER).or_insert_with(|| HeaderValue::from_static(USER_AGENT));
    Ok(out)
}

impl Shared {
    async fn make(&self, attempt: Attempt) -> Result<Response, TransportError> {
        let Ok(runtime) = Handle::try_current() else {
            let message = "this transport works inside a tokio runtime only: start one, or take the blocking client, which needs none";
            return Err(TransportError::not_sent(TransportFault::Refused, message));
        };
        let (total, connected) = (attempt.limits.total, AtomicBool::new(false));
        let key = (attempt.origin.clone(), runtime.id());
        match tokio::time::timeout(total, self.exchange(attempt, key, &connected)).await {
            Ok(answer) => answer,
            Err(_) if !connected.load(Ordering::Relaxed) => {
                Err(TransportError::not_sent(TransportFault::Timeout, "connecting took too long"))
            }
            Err(_) => Err(TransportError::unknown(TransportFault::Timeout, "the answer took too long")),
        }
    }

    async fn exchange(
        &self,
        attempt: Attempt,
        key: Key,
        connected: &AtomicBool,
    ) -> Result<Response, TransportError> {
        let Attempt { request, origin, watch, limits } = attempt;
        let allowed = allowance(&limits);
        let kept = if limits.fresh_connection { None } else { self.kept(&key).await };
        let (mut connection, anew) = match kept {
            Some(kept) => (kept, Some(allowed)),
            None => {
                let flow = Flow::new(allowed, &self.received);
                let stream = self.dial.open(&origin, self.proxies.of(&origin), &limits, &flow).await?;
                (Connection::over(stream, flow).await?, None)
            }
        };
        connected.store(true, Ordering::Relaxed);
        let (response, again) = connection.exchange(request, watch, anew, &limits).await?;
        if again && !limits.fresh_connection {
            self.pool.put(key, connection);
        }
        Ok(response)
    }

    /// A kept connection whose other side is still there.
    async fn kept(&self, key: &Key) -> Option<Connection> {
        while let Some(mut connection) = self.pool.take(key) {
            if poll_fn(|context| Poll::Ready(connection.is_open(context))).await {
                return Some(connection);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_with_an_address_of_another_machine_is_refused() {
        crate::transport::names::refuses_a_localhost_that_is_elsewhere(|names, request| {
            let transport = ReqwestTransport::knowing(&TransportOptions::new(), names.clone()).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { transport.send(request).await })
        });
    }
}
