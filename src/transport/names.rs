//! Host names to addresses, remembered for half a minute: a warm call looks up nothing and starts no thread.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::ureq::NotSent;
use crate::error::{TransportError, TransportFault};

const REMEMBERED: Duration = Duration::from_secs(30);
/// Names remembered at once.
const CAPACITY: usize = 256;
/// Lookups under way at once. A name server that hangs costs this many threads and no more.
const LOOKUPS: usize = 8;
/// Addresses of one host that are tried.
const ADDRESSES: usize = 16;

type Looked = Result<Vec<IpAddr>, ()>;

/// The resolver of one transport.
#[derive(Debug, Default)]
pub(super) struct Names {
    state: Arc<Mutex<State>>,
    lookups: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    known: HashMap<String, (Vec<IpAddr>, Instant)>,
    pending: HashMap<String, Vec<SyncSender<Looked>>>,
}

impl Names {
    /// Lookups made so far.
    pub(super) fn lookups(&self) -> u64 {
        self.lookups.load(Ordering::Relaxed)
    }

    /// A connection failed: the address may be old.
    pub(super) fn forget(&self, host: &str) {
        lock(&self.state).known.remove(host);
    }

    #[allow(clippy::disallowed_methods)] // a transport has a clock
    fn addresses(&self, host: &str, within: Duration) -> Result<Vec<IpAddr>, TransportError> {
        let failed = |fault, message: &str| TransportError::not_sent(fault, format!("{message}: {host}"));
        let receiver = {
            let mut state = lock(&self.state);
            if let Some((addresses, at)) = state.known.get(host)
                && at.elapsed() < REMEMBERED
            {
                return Ok(addresses.clone());
            }
            self.ask(&mut state, host).ok_or_else(|| {
                failed(TransportFault::Name, "too many name lookups are under way to look up the host")
            })?
        };
        match receiver.recv_timeout(within) {
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(())) => Err(failed(TransportFault::Name, "the host has no address")),
            Err(_) => Err(failed(TransportFault::Timeout, "the name lookup took too long for the host")),
        }
    }

    /// Joins the lookup of this host, or starts one.
    fn ask(&self, state: &mut State, host: &str) -> Option<Receiver<Looked>> {
        let (sender, receiver) = sync_channel(1);
        if let Some(waiting) = state.pending.get_mut(host) {
            waiting.push(sender);
            return Some(receiver);
        }
        if state.pending.len() >= LOOKUPS {
            return None;
        }
        let (shared, name) = (Arc::clone(&self.state), host.to_owned());
        let lookup = std::thread::Builder::new().name("lumoauth-name".into()).stack_size(256 * 1024);
        lookup.spawn(move || look_up(&shared, &name)).ok()?;
        self.lookups.fetch_add(1, Ordering::Relaxed);
        state.pending.insert(host.to_owned(), vec![sender]);
        Some(receiver)
    }
}

#[allow(clippy::disallowed_methods)] // a transport has a clock
fn look_up(shared: &Mutex<State>, host: &str) {
    let found = (host, 0).to_socket_addrs();
    let addresses: Vec<IpAddr> = found.map(|found| found.map(|at| at.ip()).collect()).unwrap_or_default();
    let looked = if addresses.is_empty() { Err(()) } else { Ok(addresses) };
    let mut state = lock(shared);
    if let Ok(addresses) = &looked {
        if state.known.len() >= CAPACITY {
            state.known.clear();
        }
        state.known.insert(host.to_owned(), (addresses.clone(), Instant::now()));
    }
    for waiting in state.pending.remove(host).unwrap_or_default() {
        // A caller whose time ran out is not there any more.
        let _ = waiting.try_send(looked.clone());
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shared with the connector, which reports failed connections.
#[derive(Debug, Clone)]
pub(super) struct SharedNames {
    pub(super) names: Arc<Names>,
    /// The proxy is the one host that may be spoken to in plain http wherever it is.
    pub(super) proxy: Option<(String, u16)>,
}

impl Resolver for SharedNames {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let refused = |error: TransportError| ureq::Error::Other(Box::new(NotSent(error)));
        let host = uri.host().unwrap_or_default();
        let https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let addresses = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.names.addresses(host, *timeout.after).map_err(refused)?,
        };
        // What `localhost` means is the name service's to say; plain http is for this machine only.
        let is_proxy = self.proxy.as_ref().is_some_and(|(name, at)| name == host && *at == port);
        if uri.scheme_str() == Some("http") && !is_proxy && !addresses.iter().all(IpAddr::is_loopback) {
            let message = "plain http to a name that is not only this machine is refused";
            return Err(refused(TransportError::not_sent(TransportFault::Refused, message)));
        }
        let mut resolved = self.empty();
        for address in addresses.into_iter().take(ADDRESSES) {
            resolved.push(SocketAddr::new(address, port));
        }
        Ok(resolved)
    }
}
