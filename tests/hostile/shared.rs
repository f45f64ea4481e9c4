//! What the server's threads and the test's thread both look at.

use super::latch::Latch;
use super::request::Recorded;
use super::targets::Credentials;
use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// State shared between a server and its threads.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) received: AtomicU64,
    pub(super) discarded: AtomicU64,
    pub(super) sent: AtomicU64,
    stop: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

/// The part of the shared state that is under the lock.
#[derive(Default)]
pub(super) struct State {
    pub(super) version: u64,
    pub(super) accepted: usize,
    pub(super) running: usize,
    pub(super) requests: Vec<Recorded>,
    pub(super) open: BTreeMap<usize, Open>,
    pub(super) handshakes: usize,
    pub(super) handshake_errors: Vec<String>,
    pub(super) problems: Vec<String>,
    /// Problems that a test has taken away, because it had asked for them.
    pub(super) taken: Vec<String>,
    credentials: Credentials,
    pub(super) threads: Vec<JoinHandle<()>>,
    latches: Vec<Latch>,
}

/// A connection that has been accepted and not yet let go.
pub(super) struct Open {
    pub(super) stream: Arc<TcpStream>,
    pub(super) idle: bool,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes whoever waits for a change.
    pub(super) fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let value = change(&mut state);
        state.version += 1;
        drop(state);
        self.changed.notify_all();
        value
    }

    pub(super) fn add(&self, counter: &AtomicU64, n: usize) {
        counter.fetch_add(n as u64, Ordering::SeqCst);
        self.update(|_| ());
    }

    pub(super) fn problem(&self, text: String) {
        self.update(|state| state.problems.push(text));
    }

    pub(super) fn stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Stores a request under the next number and hands back the numbered copy.
    pub(super) fn record(&self, mut request: Recorded) -> Recorded {
        self.update(|state| {
            request.index = state.requests.len();
            state.credentials.learn(&request);
            state.problems.extend(state.credentials.in_target(&request));
            state.requests.push(request.clone());
            request
        })
    }

    /// Looks at every target once more: what came later may have been a credential already.
    pub(super) fn look_at_targets_again(&self) {
        self.update(|state| {
            let again = state.requests.iter().filter_map(|request| state.credentials.in_target(request));
            let again: Vec<_> = again.collect();
            state.problems.extend(again.into_iter().filter(|found| !state.taken.contains(found)));
        });
    }

    pub(super) fn set_idle(&self, id: usize, idle: bool) {
        self.update(|state| {
            if let Some(open) = state.open.get_mut(&id) {
                open.idle = idle;
            }
        });
    }

    /// Waits for the test to open the latch; false when the server is dropped first.
    pub(super) fn wait_latch(&self, latch: &Latch) -> bool {
        let stopping = self.update(|state| {
            state.latches.push(latch.clone());
            self.stopping()
        });
        !stopping && latch.wait_or_stop(&self.stop)
    }

    /// Waits out the time, or less when the server is dropped.
    pub(super) fn pause(&self, time: Duration) {
        let waited = self.changed.wait_timeout_while(self.lock(), time, |_| !self.stopping());
        drop(waited);
    }

    /// Waits until the server is dropped.
    pub(super) fn wait_stopped(&self) {
        let waited = self.changed.wait_while(self.lock(), |_| !self.stopping());
        drop(waited);
    }

    /// Waits until the state is no longer the version seen, or the deadline has passed.
    pub(super) fn wait_change(&self, seen: u64, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout_while(self.lock(), left, |state| state.version == seen);
        drop(waited);
    }

    /// Tells every thread to end, and wakes those blocked on a socket, a latch or a pause.
    pub(super) fn stop(&self) {
        let latches = self.update(|state| {
            self.stop.store(true, Ordering::SeqCst);
            for open in state.open.values() {
                // Fails only when the peer has gone already, and then nothing is blocked on it.
                let _ = open.stream.shutdown(Shutdown::Both);
            }
            std::mem::take(&mut state.latches)
        });
        for latch in latches {
            latch.poke();
        }
    }

    /// Waits until every thread has ended; false when the time is up first.
    pub(super) fn wait_ended(&self, timeout: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), timeout, |state| state.running > 0);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.running == 0
    }
}
