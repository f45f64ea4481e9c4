//! The blocking transport: ureq, told exactly what it may do.

mod attempt;
mod ended;
mod resolver;
mod tcp;
mod tls;

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Method;
use ureq::unversioned::transport::{ConnectProxyConnector, ConnectionDetails, Connector};
use ureq::{AsSendBody, Timeout};
use zeroize::Zeroizing;

use self::attempt::{Attempting, Looks, Watched};
use self::resolver::{Marked, SharedNames, marked};
use self::tcp::Tcp;
use self::tls::TlsConnector;
use super::blocking::Transport;
use super::clock;
use super::framing::{Framing, HEAD, too_large};
use super::names::Names;
use super::options::TransportOptions;
use super::proxy::{Proxies, Via};
use super::statistics::Statistics;
use super::target::target;
use crate::error::{ConfigError, Sent, TransportError, TransportFault};
use crate::time::Now;
use crate::trust::Trust;
use crate::wire::{Limits, Request, Response};

const IDLE_AGE: Duration = Duration::from_secs(10);
const IDLE_PER_HOST: usize = 32;
const IDLE: usize = 128;
const OUTPUT: usize = 16 * 1024;

/// The transport behind the blocking clients: verified TLS, kept connections, no redirects, no compression, limits on
/// every part. Cheap to clone; clones share the connections.
#[derive(Clone, Debug)]
pub struct UreqTransport {
    agent: ureq::Agent,
    names: Names,
    connections: Arc<AtomicU64>,
    received: Arc<AtomicU64>,
    proxies: Proxies,
}

impl UreqTransport {
    /// A transport with these options. The only place that builds a ureq agent.
    ///
    /// # Errors
    /// [`ConfigError`] if a root certificate cannot be read or the proxy's URL is not usable.
    pub fn new(options: &TransportOptions) -> Result<Self, ConfigError> {
        Self::knowing(options, Names::default())
    }

    fn knowing(options: &TransportOptions, names: Names) -> Result<Self, ConfigError> {
        let proxies = Proxies::read(options)?;
        let proxy = proxies.via().map(proxy).transpose()?;
        let named = proxies.via().map(|via| (via.host().to_owned(), via.port()));
        let limits = Limits::default();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .allow_non_standard_methods(true)
            .proxy(proxy)
            .user_agent(concat!("lumoauth-rust/", env!("CARGO_PKG_VERSION")))
            .accept("")
            .accept_encoding("")
            .timeout_global(Some(limits.total))
            .timeout_connect(Some(limits.connect))
            .timeout_resolve(Some(limits.connect))
            // Ours is judged below. ureq's would count what came behind an interim answer.
            .max_response_header_size(usize::MAX)
            .max_idle_connections(IDLE)
            .max_idle_connections_per_host(IDLE_PER_HOST)
            .max_idle_age(IDLE_AGE)
            .input_buffer_size(HEAD)
            .output_buffer_size(OUTPUT)
            .build();
        let connections = Arc::new(AtomicU64::new(0));
        let received = Arc::new(AtomicU64::new(0));
        let chain =
            ().chain(ConnectProxyConnector::default())
                .chain(Tcp { received: Arc::clone(&received) })
                .chain(TlsConnector(Trust::new(&options.roots, options.named_certificates())?));
        let via = named.as_ref().map(|(host, _)| host.clone());
        let dial = Dial { chain, names: names.clone(), connections: Arc::clone(&connections), via };
        let resolver = SharedNames { names: names.clone(), proxy: named };
        let agent = ureq::Agent::with_parts(config, dial, resolver);
        Ok(UreqTransport { agent, names, connections, received, proxies })
    }

    /// What it has done so far.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            connections: self.connections.load(Ordering::Relaxed),
            lookups: self.names.lookups(),
            received: self.received.load(Ordering::Relaxed),
        }
    }

    fn run(
        &self,
        mut request: http::Request<impl AsSendBody>,
        limits: &Limits,
        direct: bool,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        // The limits of a usual call are the agent's own: nothing has to be configured for it.
        if direct || limits.fresh_connection || usual(limits) != usual(&Limits::default()) {
            let mut config = self
                .agent
                .configure_request(request)
                .timeout_global(Some(limits.total))
                .timeout_connect(Some(limits.connect))
                .timeout_resolve(Some(limits.connect));
            if limits.fresh_connection {
                // A configuration that the pool's connections do not have: neither taken from it nor given back.
                config = config.output_buffer_size(OUTPUT.saturating_add(1));
            }
            if direct {
                config = config.proxy(None);
            }
            request = config.build();
        }
        self.agent.run(request)
    }
}

/// The proxy in ureq's words.
fn proxy(via: &Via) -> Result<ureq::Proxy, ConfigError> {
    let protocol = if via.is_https() { ureq::ProxyProtocol::Https } else { ureq::ProxyProtocol::Http };
    let mut builder = ureq::Proxy::builder(protocol).host(via.host()).port(via.port());
    if let Some((user, password)) = via.credentials() {
        builder = builder.username(user).password(password);
    }
    builder.build().map_err(|_| Via::UNUSABLE)
}

/// About how many bytes the head of a request has: ureq cannot send one that its buffer does not hold.
fn head_size(request: &Request) -> usize {
    let line = |name: usize, value: usize| name.saturating_add(value).saturating_add(4);
    let url = request.url();
    let authority = url.authority().map_or(0, |authority| authority.as_str().len());
    let path = url.path_and_query().map_or(0, |path| path.as_str().len());
    let start = authority.saturating_add(path).saturating_add(80);
    request.headers().iter().fold(start, |size, (name, value)| {
        size.saturating_add(line(name.as_str().len(), value.as_bytes().len()))
    })
}

/// What ureq has to know of the limits.
fn usual(limits: &Limits) -> (Duration, Duration) {
    (limits.total, limits.connect)
}

impl Transport for UreqTransport {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        let limits = *request.attempt_limits();
        if limits.total.is_zero() {
            return Err(TransportError::not_sent(TransportFault::Timeout, "no time is left"));
        }
        let method = request.method().clone();
        if method == Method::CONNECT || (method == Method::HEAD && !request.body().is_empty()) {
            let message = "CONNECT, and HEAD with a body, are not requests that can be sent";
            return Err(TransportError::not_sent(TransportFault::Refused, message));
        }
        if head_size(&request) > OUTPUT {
            let message = "the head of the request is larger than 16 KiB";
            return Err(TransportError::not_sent(TransportFault::Refused, message));
        }
        let target = target(request.url())?;
        let direct = self.proxies.via().is_some() && self.proxies.of(&target).is_none();
        let attempting = attempt::begin(&method, &limits);
        let (head, body) = request.into_head_and_body();
        let answer = if body.is_empty() && !matches!(method, Method::POST | Method::PUT | Method::PATCH) {
            self.run(head, &limits, direct)
        } else {
            self.run(head.map(|()| body.as_slice()), &limits, direct)
        };
        let answer = answer.map_err(|error| failed(error).towards(target.host(), target.port()));
        let (parts, body) = answer?.into_parts();
        let mut body = read(&attempting, body, &limits)?;
        Ok(Response::new(parts.status, parts.headers, std::mem::take(&mut *body)))
    }

    fn glance(&self) -> Result<Now, TransportError> {
        clock::glance()
    }
}

/// Reads the whole body, and only if it is certain where it ends.
fn read(
    attempting: &Attempting,
    mut body: ureq::Body,
    limits: &Limits,
) -> Result<Zeroizing<Vec<u8>>, TransportError> {
    let framing = attempting.framing().ok_or_else(|| {
        TransportError::unknown(TransportFault::Framing, "the answer does not say where it ends")
    })?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(framing.room(limits.body)?));
    if framing == Framing::Nothing {
        return Ok(bytes);
    }
    let cap = (limits.body as u64).saturating_add(1);
    body.as_reader().take(cap).read_to_end(&mut bytes).map_err(broken)?;
    if bytes.len() > limits.body {
        return Err(too_large(limits.body));
    }
    Ok(bytes)
}

/// Opens connections. Whatever fails in here failed before a byte of the request left.
#[derive(Debug)]
struct Dial<C> {
    chain: C,
    names: Names,
    connections: Arc<AtomicU64>,
    /// The proxy's host: its address may be the one that is old.
    via: Option<String>,
}

impl<C: Connector<()>> Connector<()> for Dial<C> {
    type Out = Watched<C::Out>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<()>,
    ) -> Result<Option<Watched<C::Out>>, ureq::Error> {
        let limit = tcp::limit_connecting(details);
        match self.chain.connect(details, chained) {
            Ok(connection) => {
                self.connections.fetch_add(1, Ordering::Relaxed);
                let looks = if limit.is_nested() { Looks::proxy() } else { Looks::Service };
                Ok(connection.map(|inner| Watched { inner, looks }))
            }
            Err(error) => {
                self.names.forget(details.uri.host().unwrap_or_default());
                if let Some(via) = &self.via {
                    self.names.forget(via);
                }
                Err(marked(not_connected(error)))
            }
        }
    }
}

fn not_connected(error: ureq::Error) -> TransportError {
    match error {
        ureq::Error::Timeout(_) => {
            TransportError::not_sent(TransportFault::Timeout, "connecting took too long")
        }
        ureq::Error::Tls(message) => TransportError::not_sent(TransportFault::Tls, message),
        ureq::Error::Io(error) if is_timeout(&error) => {
            TransportError::not_sent(TransportFault::Timeout, "connecting took too long")
        }
        ureq::Error::Io(error) => match tls_error(&error) {
            Some(tls) => TransportError::not_sent(TransportFault::Tls, format!("TLS failed: {tls}")),
            None => TransportError::not_sent(TransportFault::Connect, "no connection").because(error),
        },
        ureq::Error::ConnectProxyFailed(_) => {
            TransportError::not_sent(TransportFault::Connect, "the proxy made no connection")
        }
        ureq::Error::Other(inner) => match inner.downcast::<Marked>() {
            Ok(marked) if marked.0.sent() == Sent::NotSent => marked.0,
            Ok(_) => TransportError::not_sent(
                TransportFault::Connect,
                "no connection: there was no end of its beginning",
            ),
            Err(_) => TransportError::not_sent(TransportFault::Connect, "no connection"),
        },
        _ => TransportError::not_sent(TransportFault::Connect, "no connection"),
    }
}

/// What the server presented was refused, which trying again does not change; other trouble in the handshake may pass.
fn tls_error(error: &std::io::Error) -> Option<rustls::Error> {
    error.get_ref()?.downcast_ref::<rustls::Error>().cloned()
}

/// ureq's errors as ours. Their texts stay out: some contain the URL.
fn failed(error: ureq::Error) -> TransportError {
    match error {
        ureq::Error::Other(inner) => match inner.downcast::<Marked>() {
            Ok(marked) => marked.0,
            Err(_) => TransportError::unknown(TransportFault::Other, "the transport failed"),
        },
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            TransportError::not_sent(TransportFault::Timeout, "connecting took too long")
        }
        ureq::Error::Timeout(_) => {
            TransportError::unknown(TransportFault::Timeout, "the answer took too long")
        }
        ureq::Error::Io(error) => broken(error),
        ureq::Error::HostNotFound => {
            TransportError::not_sent(TransportFault::Name, "the host has no address")
        }
        ureq::Error::LargeResponseHeader(..) => {
            TransportError::unknown(TransportFault::TooLarge, "the head of the answer is too large")
        }
        ureq::Error::Protocol(_) => {
            TransportError::unknown(TransportFault::Framing, "the answer is not valid HTTP")
        }
        ureq::Error::Http(_) | ureq::Error::BadUri(_) => {
            TransportError::not_sent(TransportFault::Refused, "the request cannot be written as HTTP")
        }
        _ => TransportError::unknown(TransportFault::Other, "the transport failed"),
    }
}

/// A connection that broke while it was in use.
fn broken(error: std::io::Error) -> TransportError {
    if is_timeout(&error) {
        return TransportError::unknown(TransportFault::Timeout, "the answer took too long");
    }
    if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<ureq::Error>) {
        // ureq hides its own errors in I/O errors while a body is read.
        return match error.into_inner().map(|inner| inner.downcast::<ureq::Error>()) {
            Some(Ok(inner)) => failed(*inner),
            _ => TransportError::unknown(TransportFault::Broken, "the connection broke"),
        };
    }
    TransportError::unknown(TransportFault::Broken, "the connection broke").because(error)
}

fn is_timeout(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    matches!(error.kind(), std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock)
        || matches!(inner, Some(ureq::Error::Timeout(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_with_an_address_of_another_machine_is_refused() {
        crate::transport::names::refuses_a_localhost_that_is_elsewhere(|names, request| {
            let transport = UreqTransport::knowing(&TransportOptions::new(), names.clone()).unwrap();
            transport.send(request)
        });
    }
}
