//! Names and connections of the reqwest transport: each attempt's own time to connect, names remembered for half a
//! minute, and every failure in here known as "not sent".

use std::cell::Cell;
use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ::reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use tower_layer::Layer;
use tower_service::Service;

use crate::error::{TransportError, TransportFault};
use crate::wire::Limits;

const REMEMBERED: Duration = Duration::from_secs(30);
/// Names remembered at once.
const CAPACITY: usize = 256;
/// Lookups under way at once. A name server that hangs holds this many of the runtime's blocking threads and no more.
const LOOKUPS: usize = 8;
/// Addresses of one host that are tried.
const ADDRESSES: usize = 16;

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

thread_local! {
    /// The attempt whose future this thread is polling: how the connector gets to know its limits.
    static CURRENT: Cell<Option<Attempt>> = const { Cell::new(None) };
}

/// What the connector knows of an attempt, and what it reports back.
#[derive(Clone)]
pub(super) struct Attempt {
    within: Duration,
    /// For attempts that must have a connection of their own: true once it was opened.
    connected: Option<Arc<AtomicBool>>,
}

impl Attempt {
    pub(super) fn new(limits: &Limits) -> Self {
        Attempt { within: limits.connect, connected: limits.fresh_connection.then(Arc::default) }
    }

    /// Polls with this attempt as the current one.
    pub(super) fn during<T>(&self, poll: impl FnOnce() -> T) -> T {
        let _restored = Restore(CURRENT.replace(Some(self.clone())));
        poll()
    }

    fn current() -> Option<Self> {
        let current = CURRENT.take();
        CURRENT.set(current.clone());
        current
    }

    /// True if it needed a connection of its own and there never was one: nothing was sent. A kept connection may have
    /// been used without anybody's knowing.
    pub(super) fn never_connected(&self) -> bool {
        self.connected.as_ref().is_some_and(|connected| !connected.load(Ordering::Acquire))
    }
}

/// Puts back what was current before, also if the poll panics.
struct Restore(Option<Attempt>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// Marks a failure that happened before anything was sent.
#[derive(Debug)]
pub(super) struct NotSent(pub(super) TransportError);

impl std::fmt::Display for NotSent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for NotSent {}

fn refused(fault: TransportFault, message: impl Into<String>) -> BoxError {
    Box::new(NotSent(TransportError::not_sent(fault, message)))
}

/// What the clients of one transport share.
#[derive(Debug)]
pub(super) struct Shared {
    known: Mutex<HashMap<String, (Vec<IpAddr>, Instant)>>,
    permits: Arc<Semaphore>,
    lookups: AtomicU64,
    connections: AtomicU64,
}

impl Default for Shared {
    fn default() -> Self {
        Shared {
            known: Mutex::default(),
            permits: Arc::new(Semaphore::new(LOOKUPS)),
            lookups: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        }
    }
}

impl Shared {
    /// Lookups made so far.
    pub(super) fn lookups(&self) -> u64 {
        self.lookups.load(Ordering::Relaxed)
    }

    /// Connections opened so far.
    pub(super) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Vec<IpAddr>, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Some address may be old: the next attempts ask again. Which host it was is not known where this is called.
    fn forget(&self) {
        self.lock().clear();
    }

    fn remembered(&self, host: &str) -> Option<Vec<IpAddr>> {
        let known = self.lock();
        let (addresses, at) = known.get(host)?;
        (at.elapsed() < REMEMBERED).then(|| addresses.clone())
    }

    #[allow(clippy::disallowed_methods)] // a transport has a clock
    fn remember(&self, host: String, addresses: Vec<IpAddr>) {
        let mut known = self.lock();
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(host, (addresses, Instant::now()));
    }

    /// The addresses of a host. A caller that goes away leaves its lookup to those who come after.
    async fn addresses(self: &Arc<Self>, host: &str) -> Result<Vec<IpAddr>, BoxError> {
        if let Some(addresses) = self.remembered(host) {
            return Ok(addresses);
        }
        let nothing = || refused(TransportFault::Name, format!("the host has no address: {host}"));
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| nothing())?;
        // Whoever held the permit may have asked for the same name.
        if let Some(addresses) = self.remembered(host) {
            return Ok(addresses);
        }
        self.lookups.fetch_add(1, Ordering::Relaxed);
        let (shared, name) = (Arc::clone(self), host.to_owned());
        let lookup = tokio::task::spawn_blocking(move || {
            let found = (name.as_str(), 0).to_socket_addrs();
            let addresses: Vec<IpAddr> =
                found.map(|found| found.map(|at| at.ip()).collect()).unwrap_or_default();
            if !addresses.is_empty() {
                shared.remember(name, addresses.clone());
            }
            drop(permit);
            addresses
        });
        lookup.await.ok().filter(|addresses| !addresses.is_empty()).ok_or_else(nothing)
    }
}

/// The resolver of one client.
pub(super) struct Lookup {
    pub(super) shared: Arc<Shared>,
    /// For hosts that are this machine: every other address is refused.
    pub(super) local: bool,
}

impl Resolve for Lookup {
    fn resolve(&self, name: Name) -> Resolving {
        let (shared, local) = (Arc::clone(&self.shared), self.local);
        Box::pin(async move {
            let addresses = shared.addresses(name.as_str()).await?;
            // What `localhost` means is the name service's to say.
            if local && !addresses.iter().all(IpAddr::is_loopback) {
                return Err(refused(
                    TransportFault::Refused,
                    "the name should be only this machine and is not",
                ));
            }
            let addresses = addresses.into_iter().take(ADDRESSES).map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// Wraps reqwest's connector.
#[derive(Clone)]
pub(super) struct DialLayer(pub(super) Arc<Shared>);

impl<S> Layer<S> for DialLayer {
    type Service = Dial<S>;

    fn layer(&self, connector: S) -> Dial<S> {
        Dial(Arc::new((Mutex::new(connector), Arc::clone(&self.0))))
    }
}

/// Opens connections (name, TCP, proxy, TLS) within the attempt's time to connect.
///
/// reqwest clones its connector three times a request, also where a kept connection serves it. So the clones of this one
/// share one connector, which is cloned only if there is something to open.
pub(super) struct Dial<S>(Arc<(Mutex<S>, Arc<Shared>)>);

impl<S> Clone for Dial<S> {
    fn clone(&self) -> Self {
        Dial(Arc::clone(&self.0))
    }
}

impl<S, To> Service<To> for Dial<S>
where
    S: Service<To, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
    To: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // Whether the connector is ready is asked of the clone that connects.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: To) -> Self::Future {
        let (connector, shared) = &*self.0;
        let mut connector = connector.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let shared = Arc::clone(shared);
        let attempt = Attempt::current();
        Box::pin(async move {
            let connecting = async {
                std::future::poll_fn(|context| connector.poll_ready(context)).await?;
                connector.call(to).await
            };
            let within = attempt.as_ref().map_or(Limits::default().connect, |attempt| attempt.within);
            let connected = match tokio::time::timeout(within, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(refused(TransportFault::Timeout, "connecting took too long")),
            };
            if connected.is_err() {
                shared.forget();
            } else {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                if let Some(connected) = attempt.and_then(|attempt| attempt.connected) {
                    connected.store(true, Ordering::Release);
                }
            }
            connected
        })
    }
}
