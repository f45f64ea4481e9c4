//! Host names to addresses, remembered for half a minute: a warm call looks up nothing and starts no thread.

use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicU64, Ordering};
#[cfg(feature = "ureq")]
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{TransportError, TransportFault};

const REMEMBERED: Duration = Duration::from_secs(30);
/// Names remembered at once.
const CAPACITY: usize = 256;
/// Lookups under way at once. A name server that hangs costs this many threads and no more.
pub(super) const LOOKUPS: usize = 8;
/// Addresses of one host that are tried.
pub(super) const ADDRESSES: usize = 16;

#[cfg(feature = "ureq")]
type Looked = Result<Vec<IpAddr>, ()>;

/// The names that one transport knows. Cheap to clone; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    lookups: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    known: HashMap<String, (Vec<IpAddr>, Instant)>,
    #[cfg(feature = "ureq")]
    pending: HashMap<String, Vec<SyncSender<Looked>>>,
}

impl Names {
    /// Lookups made so far.
    pub(super) fn lookups(&self) -> u64 {
        self.0.lookups.load(Ordering::Relaxed)
    }

    /// A connection failed: the address may be old.
    pub(super) fn forget(&self, host: &str) {
        self.lock().known.remove(host);
    }

    /// What is known of this host, if that is not old. An address is its own name.
    pub(super) fn known(&self, host: &str) -> Option<Vec<IpAddr>> {
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Some(vec![address]);
        }
        known(&self.lock(), host)
    }

    /// Asks the system, on this thread, and remembers what it says.
    #[allow(clippy::disallowed_methods)] // a transport has a clock
    pub(super) fn look_up(&self, host: &str) -> Vec<IpAddr> {
        self.0.lookups.fetch_add(1, Ordering::Relaxed);
        let found = (host, 0).to_socket_addrs();
        let addresses: Vec<IpAddr> = found.map(|found| found.map(|at| at.ip()).collect()).unwrap_or_default();
        if !addresses.is_empty() {
            self.remember(host, &addresses, Instant::now());
        }
        addresses
    }

    pub(super) fn remember(&self, host: &str, addresses: &[IpAddr], at: Instant) {
        let mut state = self.lock();
        if state.known.len() >= CAPACITY {
            state.known.clear();
        }
        state.known.insert(host.to_owned(), (addresses.to_vec(), at));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn known(state: &State, host: &str) -> Option<Vec<IpAddr>> {
    let (addresses, at) = state.known.get(host)?;
    (at.elapsed() < REMEMBERED).then(|| addresses.clone())
}

/// The name service did not say where the host is.
pub(super) fn no_address(host: &str) -> TransportError {
    TransportError::not_sent(TransportFault::Name, format!("the host has no address: {host}"))
}

/// A host that is this machine by its name must be so by every address: what `localhost` means is the name service's to
/// say, and plain http is for this machine only.
///
/// # Errors
/// [`TransportFault::Refused`] if one address is another machine's.
pub(super) fn must_be_local(addresses: &[IpAddr]) -> Result<(), TransportError> {
    if addresses.iter().all(IpAddr::is_loopback) {
        return Ok(());
    }
    let message = "the host's name is that of this machine, and it has an address of another one";
    Err(TransportError::not_sent(TransportFault::Refused, message))
}

/// Lookups for threads that wait.
#[cfg(feature = "ureq")]
impl Names {
    /// The addresses of a host.
    ///
    /// # Errors
    /// [`TransportFault::Name`] if it has none, or if too many lookups are under way; [`TransportFault::Timeout`].
    pub(super) fn addresses(&self, host: &str, within: Duration) -> Result<Vec<IpAddr>, TransportError> {
        let failed = |fault, message: &str| TransportError::not_sent(fault, format!("{message}: {host}"));
        if let Some(addresses) = self.known(host) {
            return Ok(addresses);
        }
        let receiver = {
            let mut state = self.lock();
            if let Some(addresses) = known(&state, host) {
                return Ok(addresses);
            }
            self.ask(&mut state, host).ok_or_else(|| {
                failed(TransportFault::Name, "too many name lookups are under way to look up the host")
            })?
        };
        match receiver.recv_timeout(within) {
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(())) => Err(no_address(host)),
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
        let (names, name) = (self.clone(), host.to_owned());
        let lookup = std::thread::Builder::new().name("lumoauth-name".into()).stack_size(256 * 1024);
        lookup.spawn(move || names.look_up_and_tell(&name)).ok()?;
        state.pending.insert(host.to_owned(), vec![sender]);
        Some(receiver)
    }

    fn look_up_and_tell(&self, host: &str) {
        let addresses = self.look_up(host);
        let looked = if addresses.is_empty() { Err(()) } else { Ok(addresses) };
        for waiting in self.lock().pending.remove(host).unwrap_or_default() {
            // A caller whose time ran out is not there any more.
            let _ = waiting.try_send(looked.clone());
        }
    }
}

/// What both transports must do with a name service that gives `localhost` an address of another machine: refuse, before
/// a listener on this machine, which is among the addresses, sees a connection. `send` makes a transport that knows these
/// names, and sends this request.
#[cfg(test)]
#[allow(clippy::disallowed_methods)]
pub(super) fn refuses_a_localhost_that_is_elsewhere(
    send: impl Fn(&Names, crate::wire::Request) -> Result<crate::wire::Response, TransportError>,
) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (here, elsewhere) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([192, 0, 2, 1]));
    for addresses in [&[here, elsewhere][..], &[elsewhere, here], &[elsewhere]] {
        for scheme in ["http", "https"] {
            let names = Names::default();
            names.remember("localhost", addresses, Instant::now());
            let url = format!("{scheme}://localhost:{port}/").parse().unwrap();
            let error = send(&names, crate::wire::Request::new(http::Method::GET, url)).unwrap_err();
            let found = (error.fault(), error.sent());
            assert_eq!(
                found,
                (TransportFault::Refused, crate::error::Sent::NotSent),
                "{scheme}, {addresses:?}: {error}"
            );
        }
    }
    assert!(listener.accept().is_err(), "it was connected to");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn one_address_of_another_machine_is_one_too_many() {
        for local in [&["127.0.0.1"][..], &["::1"], &["127.0.0.1", "::1", "127.9.9.9"]] {
            assert!(must_be_local(&addresses(local)).is_ok(), "{local:?}");
        }
        for other in
            [&["192.0.2.1"][..], &["127.0.0.1", "192.0.2.1"], &["192.0.2.1", "127.0.0.1"], &["::1", "::"]]
        {
            let error = must_be_local(&addresses(other)).unwrap_err();
            assert_eq!(error.fault(), TransportFault::Refused, "{other:?}");
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods)]
    fn names_are_remembered_for_a_while() {
        let (names, now) = (Names::default(), Instant::now());
        names.remember("a.test", &addresses(&["192.0.2.1"]), now);
        assert_eq!(names.known("a.test"), Some(addresses(&["192.0.2.1"])));
        names.remember("a.test", &addresses(&["192.0.2.1"]), now.checked_sub(REMEMBERED).unwrap());
        assert_eq!(names.known("a.test"), None);
        names.remember("a.test", &addresses(&["192.0.2.1"]), now);
        names.forget("a.test");
        assert_eq!((names.known("a.test"), names.lookups()), (None, 0));
        assert_eq!(names.known("[::1]"), Some(addresses(&["::1"])));
        for number in 0..=CAPACITY {
            names.remember(&format!("{number}.test"), &addresses(&["192.0.2.1"]), now);
        }
        assert!(names.lock().known.len() <= CAPACITY);
    }
}
