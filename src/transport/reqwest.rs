//! The async transport: reqwest, told exactly what it may do. Nothing outside of this file and its folder names
//! reqwest or tokio on the clients' behalf.

mod connect;

use std::error::Error as StdError;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ::reqwest::{Body, Client, Proxy as Through, Url, redirect, retry};
use http::header::CONTENT_LENGTH;
use http::uri::Authority;
use http::{HeaderValue, Method, Uri};
use rustls::ClientConfig;
use zeroize::Zeroizing;

use self::connect::{Attempt, DialLayer, Lookup, NotSent, Shared};
use super::framing::{Framing, too_large};
use super::options::{Proxy, TransportOptions};
use super::statistics::Statistics;
use super::trust;
use crate::client::asynchronous::{Io, Transport};
use crate::client::clock;
use crate::error::{ConfigError, TransportError, TransportFault};
use crate::origin::Origin;
use crate::time::Now;
use crate::wire::{Limits, Request, Response};

const IDLE_AGE: Duration = Duration::from_secs(10);
/// More than the blocking transport keeps: tasks come in larger numbers than threads.
const IDLE_PER_HOST: usize = 128;
/// Checked URLs remembered at once: those of a site's routes.
const URLS: usize = 16;

/// The transport behind the async clients: verified TLS, kept connections, no redirects, no compression, limits on
/// every part. Cheap to clone; clones share the connections.
///
/// It stands on tokio: poll its futures inside a tokio runtime with I/O and time enabled. Outside of one, every request
/// is refused before anything is sent. Making it needs no runtime.
///
/// What reqwest leaves no say in: it reads a head of up to about 400 KiB and 100 headers; what is larger than
/// [`Limits::head`] is refused after that. It has no limit on idle connections over all hosts (128 a host are kept). A
/// SOCKS proxy is refused if it is set; one that the environment names fails to connect. `localhost` must be this
/// machine even over https. A URL that the URL standard would rewrite
/// is refused.
#[derive(Clone, Debug)]
pub struct ReqwestTransport {
    /// For hosts that are this machine: never through a proxy.
    local: Clients,
    /// For all others: https only.
    remote: Clients,
    shared: Arc<Shared>,
    /// Few enough to be compared one by one, which is cheaper than hashing one.
    urls: Arc<RwLock<Vec<Known>>>,
}

/// A URL that was checked: as it was asked for, in reqwest's words, and whether its host is this machine.
type Known = (Uri, (Url, bool));

/// Two connection pools, one of which keeps nothing.
#[derive(Clone, Debug)]
struct Clients {
    kept: Client,
    fresh: Client,
}

impl ReqwestTransport {
    /// A transport with these options. The only place that builds a reqwest client.
    ///
    /// # Errors
    /// [`ConfigError`] if a root certificate cannot be read or the proxy's URL is not usable.
    pub fn new(options: &TransportOptions) -> Result<Self, ConfigError> {
        options.check_proxy()?;
        let config = trust::client_config(options)?;
        let shared = Arc::new(Shared::default());
        let clients = |proxy: &Proxy, local: bool| -> Result<Clients, ConfigError> {
            let client = |idle| client(&config, proxy, local, idle, &shared);
            Ok(Clients { kept: client(IDLE_PER_HOST)?, fresh: client(0)? })
        };
        let (local, remote) = (clients(&Proxy::None, true)?, clients(&options.proxy, false)?);
        Ok(ReqwestTransport { local, remote, shared, urls: Arc::default() })
    }

    /// What it has done so far.
    pub fn statistics(&self) -> Statistics {
        Statistics { connections: self.shared.connections(), lookups: self.shared.lookups(), received: 0 }
    }

    /// A URL, checked: once for each of those that come again and again, which have no query.
    fn url(&self, uri: &Uri) -> Result<(Url, bool), TransportError> {
        if uri.query().is_some() {
            return checked(uri);
        }
        let known = self.urls.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, checked)) = known.iter().find(|(known, _)| is_same(known, uri)) {
            return Ok(checked.clone());
        }
        drop(known);
        let checked = checked(uri)?;
        let mut known = self.urls.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= URLS {
            known.clear();
        }
        known.push((uri.clone(), checked.clone()));
        Ok(checked)
    }

    /// All that needs no waiting happens in here, so that the future that waits is small.
    fn start(
        &self,
        request: Request,
    ) -> Result<Started<impl Future<Output = ::reqwest::Result<::reqwest::Response>> + use<>>, TransportError>
    {
        let limits = *request.attempt_limits();
        if limits.total.is_zero() {
            return Err(TransportError::not_sent(TransportFault::Timeout, "no time is left"));
        }
        let (url, local) = self.url(request.url())?;
        let clients = if local { &self.local } else { &self.remote };
        let client = if limits.fresh_connection { &clients.fresh } else { &clients.kept };
        let attempt = Attempt::new(&limits);
        let method = request.method().clone();
        Ok(Started { answer: client.execute(outgoing(request, url)), attempt, method, limits })
    }
}

/// A request on its way: nothing is sent before it is polled.
struct Started<A> {
    answer: A,
    attempt: Attempt,
    method: Method,
    limits: Limits,
}

impl<A: Future<Output = ::reqwest::Result<::reqwest::Response>>> Started<A> {
    async fn finish(self) -> Result<Response, TransportError> {
        let Started { answer, attempt, method, limits } = self;
        if tokio::runtime::Handle::try_current().is_err() {
            let message = "this transport works inside a tokio runtime only";
            return Err(TransportError::not_sent(TransportFault::Refused, message));
        }
        let mut answer = pin!(async { read(answer.await.map_err(failed)?, &method, &limits).await });
        let answer = poll_fn(|context| attempt.during(|| answer.as_mut().poll(context)));
        match tokio::time::timeout(limits.total, answer).await {
            Ok(answer) => answer,
            Err(_) if attempt.never_connected() => {
                Err(TransportError::not_sent(TransportFault::Timeout, "connecting took too long"))
            }
            Err(_) => Err(TransportError::unknown(TransportFault::Timeout, "the answer took too long")),
        }
    }
}

impl Transport for ReqwestTransport {
    fn send<'a>(&'a self, request: Request) -> Io<'a, Result<Response, TransportError>> {
        match self.start(request) {
            Ok(started) => Box::pin(started.finish()),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn sleep<'a>(&'a self, duration: Duration) -> Io<'a, ()> {
        if tokio::runtime::Handle::try_current().is_err() {
            // No timer here; the next request says so.
            return Box::pin(std::future::ready(()));
        }
        Box::pin(tokio::time::sleep(duration))
    }

    fn glance(&self) -> Result<Now, TransportError> {
        clock::glance()
    }
}

fn client(
    config: &Arc<ClientConfig>,
    proxy: &Proxy,
    local: bool,
    idle: usize,
    shared: &Arc<Shared>,
) -> Result<Client, ConfigError> {
    let bad_proxy = |problem| ConfigError::BadUrl { setting: "proxy", problem };
    // Named one by one: another crate in the program may have switched on the features behind them.
    let builder = Client::builder()
        .tls_backend_preconfigured(ClientConfig::clone(config))
        .user_agent(concat!("lumoauth-rust/", env!("CARGO_PKG_VERSION")))
        .http1_only()
        .https_only(!local)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .pool_idle_timeout(IDLE_AGE)
        .pool_max_idle_per_host(idle)
        .dns_resolver(Lookup { shared: Arc::clone(shared), local })
        .connector_layer(DialLayer(Arc::clone(shared)));
    let builder = match proxy {
        Proxy::None => builder.no_proxy(),
        Proxy::Environment => builder,
        Proxy::Url(url) => {
            let scheme = url.expose().split_once("://").map_or("http", |(scheme, _)| scheme);
            if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
                return Err(bad_proxy("only http and https proxies are supported"));
            }
            let proxy = Through::all(url.expose()).map_err(|_| bad_proxy("write it as http://host:port"))?;
            builder.proxy(proxy)
        }
    };
    builder.build().map_err(|_| ConfigError::Unavailable("the HTTP client cannot be set up"))
}

/// True if they are the same byte by byte: two that mean the same may differ.
fn is_same(one: &Uri, other: &Uri) -> bool {
    one.path() == other.path()
        && one.authority().map(Authority::as_str) == other.authority().map(Authority::as_str)
        && one.scheme() == other.scheme()
        && one.query() == other.query()
}

/// A URL in reqwest's words, and whether its host is this machine.
fn checked(uri: &Uri) -> Result<(Url, bool), TransportError> {
    let refused = |message| TransportError::not_sent(TransportFault::Refused, message);
    let local = Origin::of(uri).is_some_and(|origin| origin.is_loopback());
    if !local && uri.scheme_str() != Some("https") {
        return Err(refused("plain http to a host that is not this machine is refused"));
    }
    let url = Url::parse(&uri.to_string()).map_err(|_| refused("the URL cannot be sent"))?;
    // The URL standard rewrites dots, backslashes, quotes and numbers that stand for addresses. What leaves is what was
    // checked, and perhaps signed.
    let same_host = url.host_str().zip(uri.host()).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b));
    if !same_host || url.path() != uri.path() || url.query() != uri.query() {
        return Err(refused("the URL has characters that would be rewritten: percent-encode them"));
    }
    Ok((url, local))
}

/// The request in reqwest's words.
fn outgoing(request: Request, url: Url) -> ::reqwest::Request {
    let (method, _, headers, mut body) = request.into_parts();
    let needs_length = matches!(method, Method::POST | Method::PUT | Method::PATCH);
    let mut out = ::reqwest::Request::new(method, url);
    *out.headers_mut() = headers;
    if !body.is_empty() {
        *out.body_mut() = Some(Body::from(std::mem::take(&mut *body)));
    } else if needs_length {
        // reqwest would leave it out, and some servers insist on it.
        out.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    out
}

/// Reads the whole body, and only if it is certain where it ends.
async fn read(
    mut response: ::reqwest::Response,
    method: &Method,
    limits: &Limits,
) -> Result<Response, TransportError> {
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let line = |name: usize, value: usize| name.saturating_add(value).saturating_add(4);
    let sizes = headers.iter().map(|(name, value)| line(name.as_str().len(), value.len()));
    if sizes.fold(0_usize, usize::saturating_add) > limits.head {
        let message = format!("the head of the answer is larger than {} bytes", limits.head);
        return Err(TransportError::unknown(TransportFault::TooLarge, message));
    }
    let framing = Framing::of(method, response.version(), status, &headers)?;
    let mut body = Zeroizing::new(Vec::with_capacity(framing.room(limits.body)?));
    if framing == Framing::Nothing {
        return Ok(Response::new(status, headers, Vec::new()));
    }
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if chunk.len() > limits.body.saturating_sub(body.len()) {
            return Err(too_large(limits.body));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response::new(status, headers, std::mem::take(&mut *body)))
}

/// reqwest's errors as ours. Their texts stay out: some contain the URL.
fn failed(error: ::reqwest::Error) -> TransportError {
    if let Some(NotSent(marked)) = below(&error) {
        return marked.clone();
    }
    let connecting = error.is_connect();
    let because = |failure: TransportError| match below::<std::io::Error>(&error) {
        Some(io) => failure.because(std::io::Error::from(io.kind())),
        None => failure,
    };
    if connecting {
        return match below::<rustls::Error>(&error) {
            Some(tls) => TransportError::not_sent(TransportFault::Tls, format!("TLS failed: {tls}")),
            None if error.is_timeout() => {
                TransportError::not_sent(TransportFault::Timeout, "connecting took too long")
            }
            None => because(TransportError::not_sent(TransportFault::Connect, "no connection")),
        };
    }
    if error.is_builder() {
        let message = "the request cannot be written as HTTP";
        return TransportError::not_sent(TransportFault::Refused, message);
    }
    if error.is_timeout() {
        return TransportError::unknown(TransportFault::Timeout, "the answer took too long");
    }
    match below::<hyper::Error>(&error) {
        Some(hyper) if hyper.is_parse_too_large() => {
            TransportError::unknown(TransportFault::TooLarge, "the head of the answer is too large")
        }
        Some(hyper) if hyper.is_parse() => {
            TransportError::unknown(TransportFault::Framing, "the answer is not valid HTTP")
        }
        _ => because(TransportError::unknown(TransportFault::Broken, "the connection broke")),
    }
}

/// The first error of this type in the chain; also inside I/O errors, which hide the one they were made of.
fn below<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| below::<E>(inner)) {
            return Some(found);
        }
        at = error.source();
    }
    None
}
