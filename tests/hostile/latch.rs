//! A gate that a test opens by hand, in place of sleeping.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A gate that starts closed and, once opened, stays open; clones share it.
#[derive(Clone, Default)]
pub struct Latch {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    open: bool,
    waiting: usize,
}

impl Latch {
    /// A closed latch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the latch for good and lets every waiter go.
    pub fn open(&self) {
        self.lock().open = true;
        self.inner.changed.notify_all();
    }

    /// Whether the latch has been opened.
    pub fn is_open(&self) -> bool {
        self.lock().open
    }

    /// Blocks until the latch is opened.
    pub fn wait(&self) {
        self.wait_or_stop(&AtomicBool::new(false));
    }

    /// Blocks until the latch is opened or the time is up; says whether it is open.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        let mut state = self.lock();
        state.waiting += 1;
        self.inner.changed.notify_all();
        let waited = self.inner.changed.wait_timeout_while(state, timeout, |state| !state.open);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state.open
    }

    /// How many threads are blocked on the latch at this moment.
    pub fn waiting(&self) -> usize {
        self.lock().waiting
    }

    /// Blocks until at least `n` threads are blocked on the latch; false when the time is up first.
    pub fn wait_for_waiting(&self, n: usize, timeout: Duration) -> bool {
        let waited = self.inner.changed.wait_timeout_while(self.lock(), timeout, |state| state.waiting < n);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting >= n
    }

    /// Blocks until the latch is opened (true) or `stop` is set and the latch poked (false).
    pub(super) fn wait_or_stop(&self, stop: &AtomicBool) -> bool {
        let mut state = self.lock();
        state.waiting += 1;
        self.inner.changed.notify_all();
        let mut state = self
            .inner
            .changed
            .wait_while(state, |state| !state.open && !stop.load(Ordering::SeqCst))
            .unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state.open
    }

    /// Makes every waiter look at its stop flag again.
    pub(super) fn poke(&self) {
        // Taken and released so that no waiter is between its look at the flag and its sleep.
        drop(self.lock());
        self.inner.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Latch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Latch").field("open", &state.open).field("waiting", &state.waiting).finish()
    }
}
