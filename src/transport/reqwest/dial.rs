//! Opens connections: name, TCP, the proxy's tunnel, TLS. Whatever fails in here failed before a byte of the request
//! left.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::super::framing::Watch;
use super::super::names::{ADDRESSES, LOOKUPS, Names, must_be_local, no_address};
use super::super::proxy::Via;
use super::stream::{Both, Counted, Flow};
use crate::error::{TransportError, TransportFault};
use crate::origin::Origin;
use crate::trust::{Trust, no_trust};
use crate::wire::Limits;

/// What opens the connections of one transport.
pub(super) struct Dial {
    trust: Arc<Trust>,
    names: Names,
    permits: Arc<Semaphore>,
    connections: AtomicU64,
}

impl std::fmt::Debug for Dial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dial")
    }
}

fn failed(fault: TransportFault, message: impl Into<String>) -> TransportError {
    TransportError::not_sent(fault, message)
}

fn too_long() -> TransportError {
    failed(TransportFault::Timeout, "connecting took too long")
}

impl Dial {
    pub(super) fn new(trust: Trust, names: Names) -> Self {
        Dial {
            trust: Arc::new(trust),
            names,
            permits: Arc::new(Semaphore::new(LOOKUPS)),
            connections: AtomicU64::new(0),
        }
    }

    /// Connections opened so far.
    pub(super) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// A connection over which requests to this origin can go.
    pub(super) async fn open(
        &self,
        origin: &Origin,
        via: Option<&Via>,
        limits: &Limits,
        flow: &Flow,
    ) -> Result<Box<dyn Both>, TransportError> {
        let opened = match timeout(limits.connect, self.steps(origin, via, limits, flow)).await {
            Ok(opened) => opened,
            Err(_) => Err(too_long()),
        };
        match &opened {
            Ok(_) => {
                self.connections.fetch_add(1, Ordering::Relaxed);
            }
            // The address may be old.
            Err(_) => self.names.forget(via.map_or(origin.host(), Via::host)),
        }
        opened.map_err(|error| error.towards(origin.host(), origin.port()))
    }

    async fn steps(
        &self,
        origin: &Origin,
        via: Option<&Via>,
        limits: &Limits,
        flow: &Flow,
    ) -> Result<Box<dyn Both>, TransportError> {
        let began = Instant::now();
        let (host, port) = via.map_or((origin.host(), origin.port()), |via| (via.host(), via.port()));
        let addresses = self.addresses(host).await?;
        if via.is_none() && origin.is_loopback() {
            must_be_local(&addresses)?;
        }
        let socket = connect(&addresses, port, began, limits.connect).await?;
        let mut stream: Box<dyn Both> = Box::new(Counted::new(socket, flow));
        if let Some(via) = via {
            if via.is_https() {
                stream = self.handshake(via.host(), stream).await?;
            }
            tunnel(&mut stream, origin, via, limits).await?;
        }
        if origin.is_https() { self.handshake(origin.host(), stream).await } else { Ok(stream) }
    }

    /// The addresses of a host. A caller that goes away leaves its lookup to those who come after.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, TransportError> {
        if let Some(addresses) = self.names.known(host) {
            return Ok(addresses);
        }
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| no_address(host))?;
        // Whoever held the permit may have asked for the same name.
        if let Some(addresses) = self.names.known(host) {
            return Ok(addresses);
        }
        let (names, name) = (self.names.clone(), host.to_owned());
        let lookup = tokio::task::spawn_blocking(move || {
            let addresses = names.look_up(&name);
            drop(permit);
            addresses
        });
        lookup.await.ok().filter(|addresses| !addresses.is_empty()).ok_or_else(|| no_address(host))
    }

    /// The TLS settings. Files are read on a thread that may wait for them.
    async fn tls(&self) -> Result<TlsConnector, TransportError> {
        if let Some(config) = self.trust.at_hand() {
            return Ok(config.into());
        }
        let trust = Arc::clone(&self.trust);
        match tokio::task::spawn_blocking(move || trust.read()).await {
            Ok(read) => Ok(read.map_err(no_trust)?.into()),
            Err(_) => Err(failed(TransportFault::Tls, "nobody read the certificates to trust")),
        }
    }

    async fn handshake(&self, host: &str, stream: Box<dyn Both>) -> Result<Box<dyn Both>, TransportError> {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|_| failed(TransportFault::Tls, "the host is not a name or address"))?;
        match self.tls().await?.connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(tls) => Err(failed(TransportFault::Tls, format!("TLS failed: {tls}"))),
                None => Err(failed(TransportFault::Connect, "no connection")
                    .because(std::io::Error::from(error.kind()))),
            },
        }
    }
}

/// Tries the addresses in turn, each with half of what is left, the last with all of it.
async fn connect(
    addresses: &[IpAddr],
    port: u16,
    began: Instant,
    within: Duration,
) -> Result<TcpStream, TransportError> {
    let mut last = failed(TransportFault::Connect, "no connection");
    let addresses = addresses.get(..ADDRESSES).unwrap_or(addresses);
    for (tried, address) in addresses.iter().enumerate() {
        let left = within.saturating_sub(began.elapsed());
        let is_last = tried.saturating_add(1) == addresses.len();
        let within = if is_last { left } else { left.checked_div(2).unwrap_or_default() };
        match timeout(within, TcpStream::connect(SocketAddr::new(*address, port))).await {
            Ok(Ok(socket)) => {
                let _ = socket.set_nodelay(true);
                return Ok(socket);
            }
            Ok(Err(error)) => last = failed(TransportFault::Connect, "no connection").because(error),
            Err(_) => last = too_long(),
        }
    }
    Err(last)
}

/// Asks the proxy for a connection to the origin (RFC 9110 section 9.3.6).
async fn tunnel(
    stream: &mut Box<dyn Both>,
    origin: &Origin,
    via: &Via,
    limits: &Limits,
) -> Result<(), TransportError> {
    let none = || failed(TransportFault::Connect, "the proxy made no connection");
    let to = format!("{}:{}", origin.host(), origin.port());
    let mut request = Zeroizing::new(format!(
        "CONNECT {to} HTTP/1.1\r\nHost: {to}\r\nUser-Agent: {}\r\nProxy-Connection: Keep-Alive\r\n",
        super::USER_AGENT
    ));
    if let Some((user, password)) = via.credentials() {
        let pair = Zeroizing::new(format!("{user}:{password}"));
        let pair = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&pair);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| none().because(error))?;
    stream.flush().await.map_err(|error| none().because(error))?;
    let mut watch = Watch::new(&Method::CONNECT, limits);
    let mut piece = [0; 1024];
    loop {
        let amount = stream.read(&mut piece).await.map_err(|error| none().because(error))?;
        let bytes = piece.get(..amount).filter(|bytes| !bytes.is_empty()).ok_or_else(none)?;
        if watch.tunnel(bytes).map_err(|_| none())? {
            return Ok(());
        }
    }
}
