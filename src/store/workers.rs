//! Threads that wait for files and servers, so that nobody else has to: a call ends when its time is over.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::error::StoreError;
use crate::store::clock::Clock;

/// How many threads there are at most. If files or servers hang, these do, and the rest ends by its time.
const MOST: usize = 8;
/// How much may wait for them.
const WAITING: usize = 65_536;

/// The threads of one store, made when there is something to do.
#[derive(Clone)]
pub(super) struct Workers(Arc<Shared>);

struct Shared {
    /// What they wait for, as errors name it.
    what: &'static str,
    state: Mutex<State>,
    /// Something about the times has changed.
    times: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Box<dyn FnOnce() + Send>>,
    running: usize,
    /// When the time of those is over who cannot wait for it themselves.
    ends: BTreeMap<(Duration, u64), Arc<dyn Late>>,
    is_timed: bool,
    count: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn late(what: &str) -> StoreError {
    StoreError::unavailable(format!("{what} did not answer in time"))
}

/// Something whose time is over.
trait Late: Send + Sync {
    fn is_late(&self);
}

/// What is to be done, and whoever waits for it.
struct Outcome<T> {
    what: &'static str,
    state: Mutex<Answer<T>>,
    done: Condvar,
}

struct Answer<T> {
    answer: Option<Result<T, StoreError>>,
    /// Nobody waits any more.
    is_given_up: bool,
    waker: Option<Waker>,
}

impl<T: Send> Outcome<T> {
    fn settle(&self, answer: Result<T, StoreError>) {
        let waker = {
            let mut state = lock(&self.state);
            state.answer.get_or_insert(answer);
            state.waker.take()
        };
        self.done.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn give_up(&self) {
        lock(&self.state).is_given_up = true;
    }
}

impl<T: Send> Late for Outcome<T> {
    fn is_late(&self) {
        self.give_up();
        self.settle(Err(late(self.what)));
    }
}

/// Work that a thread will do, unless nobody waits for it any more when it could begin.
pub(crate) struct Job<T> {
    outcome: Arc<Outcome<T>>,
    workers: Arc<Shared>,
}

impl Workers {
    /// Threads that wait for this.
    pub(super) fn new(what: &'static str) -> Self {
        let (state, times) = (Mutex::default(), Condvar::new());
        Workers(Arc::new(Shared { what, state, times }))
    }

    /// Work that is told at what time of the monotonic clock nobody waits for it any more.
    #[cfg(feature = "redis")]
    pub(super) fn timed_job<T: Send + 'static>(
        &self,
        within: Duration,
        work: impl FnOnce(Duration) -> Result<T, StoreError> + Send + 'static,
    ) -> Job<T> {
        let end = Clock::Monotonic.now().saturating_add(within);
        self.job(move || work(end))
    }

    pub(super) fn job<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Job<T> {
        let state = Answer { answer: None, is_given_up: false, waker: None };
        let outcome = Arc::new(Outcome { what: self.0.what, state: Mutex::new(state), done: Condvar::new() });
        let done = Arc::clone(&outcome);
        let work = move || {
            if !lock(&done.state).is_given_up {
                done.settle(work());
            }
        };
        if let Err(error) = self.0.begin(Box::new(work)) {
            outcome.settle(Err(error));
        }
        Job { outcome, workers: Arc::clone(&self.0) }
    }
}

impl Shared {
    fn begin(self: &Arc<Self>, work: Box<dyn FnOnce() + Send>) -> Result<(), StoreError> {
        let mut state = lock(&self.state);
        if state.queue.len() >= WAITING {
            return Err(StoreError::unavailable(format!("too many calls wait for {}", self.what)));
        }
        state.queue.push_back(work);
        if state.running < MOST {
            state.running = state.running.saturating_add(1);
            drop(state);
            let mut running = Running { shared: Arc::clone(self), counted: true };
            let work = move || {
                while let Some(work) = running.next() {
                    work();
                }
            };
            let begun = std::thread::Builder::new().name("lumoauth-store".to_owned()).spawn(work);
            if begun.is_err() && lock(&self.state).running == 0 {
                lock(&self.state).queue.clear();
                return Err(StoreError::unavailable("no thread could be started"));
            }
        }
        Ok(())
    }

    /// Says when the time of this one is over.
    fn time(self: &Arc<Self>, within: Duration, whose: Arc<dyn Late>) -> (Duration, u64) {
        let mut state = lock(&self.state);
        state.count = state.count.saturating_add(1);
        let end = (Clock::Monotonic.now().saturating_add(within), state.count);
        state.ends.insert(end, Arc::clone(&whose));
        if !std::mem::replace(&mut state.is_timed, true) {
            drop(state);
            let shared = Arc::clone(self);
            let timer = std::thread::Builder::new().name("lumoauth-store".to_owned());
            if timer.spawn(move || shared.watch()).is_err() {
                lock(&self.state).is_timed = false;
                whose.is_late();
            }
        } else {
            self.times.notify_all();
        }
        end
    }

    /// Until nobody is left whose time could be over.
    fn watch(&self) {
        let mut state = lock(&self.state);
        loop {
            let now = Clock::Monotonic.now();
            match state.ends.first_key_value().map(|((end, _), _)| *end) {
                None => {
                    state.is_timed = false;
                    return;
                }
                Some(end) if end <= now => {
                    if let Some((_, whose)) = state.ends.pop_first() {
                        drop(state);
                        whose.is_late();
                        state = lock(&self.state);
                    }
                }
                Some(end) => {
                    let left = end.saturating_sub(now);
                    let waited = self.times.wait_timeout(state, left);
                    (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

/// One thread, counted as long as it runs.
struct Running {
    shared: Arc<Shared>,
    counted: bool,
}

impl Running {
    /// What is to be done next. If there is nothing, the thread counts no more from this moment: what comes then starts
    /// another one.
    fn next(&mut self) -> Option<Box<dyn FnOnce() + Send>> {
        let mut state = lock(&self.shared.state);
        let work = state.queue.pop_front();
        if work.is_none() {
            state.running = state.running.saturating_sub(1);
            self.counted = false;
        }
        work
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.counted {
            let mut state = lock(&self.shared.state);
            state.running = state.running.saturating_sub(1);
        }
    }
}

impl<T: Send + 'static> Job<T> {
    /// Waits for it, but not longer than this.
    pub(crate) fn wait(self, within: Duration) -> Result<T, StoreError> {
        let state = lock(&self.outcome.state);
        let waited = self.outcome.done.wait_timeout_while(state, within, |state| state.answer.is_none());
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_given_up = true;
        state.answer.take().unwrap_or_else(|| Err(late(self.outcome.what)))
    }

    /// The same, as a future that needs no runtime.
    pub(crate) fn within(self, within: Duration) -> Pending<T> {
        let whose: Arc<dyn Late> = Arc::clone(&self.outcome) as Arc<dyn Late>;
        let end = self.workers.time(within, whose);
        Pending { job: self, end }
    }
}

/// A job that is waited for. Dropped, it is given up.
pub(crate) struct Pending<T: Send + 'static> {
    job: Job<T>,
    end: (Duration, u64),
}

impl<T: Send + 'static> Future for Pending<T> {
    type Output = Result<T, StoreError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = lock(&self.job.outcome.state);
        match state.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T: Send + 'static> Drop for Pending<T> {
    fn drop(&mut self) {
        self.job.outcome.give_up();
        lock(&self.job.workers.state).ends.remove(&self.end);
        self.job.workers.times.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::task::Wake;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(1);

    struct Thread(std::thread::Thread);

    impl Wake for Thread {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    fn block_on<T: Send + 'static>(mut pending: Pending<T>) -> Result<T, StoreError> {
        let waker = Arc::new(Thread(std::thread::current())).into();
        loop {
            match Pin::new(&mut pending).poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(answer) => return answer,
                Poll::Pending => std::thread::park(),
            }
        }
    }

    #[test]
    fn what_hangs_ends_by_its_time_and_holds_eight_threads_at_most() {
        let workers = Workers::new("a test");
        let (release, held) = channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let (begun, begins) = channel();
        let hung: Vec<_> = (0..MOST)
            .map(|_| {
                let (held, begun) = (Arc::clone(&held), begun.clone());
                workers.job(move || {
                    begun.send(()).unwrap();
                    let _ = lock(&held).recv();
                    Ok(())
                })
            })
            .collect();
        (0..MOST).for_each(|_| begins.recv().unwrap());
        let ran = Arc::new(Mutex::new(0));
        let job = || {
            let ran = Arc::clone(&ran);
            workers.job(move || {
                *lock(&ran) += 1;
                Ok(())
            })
        };
        assert!(job().wait(SHORT).unwrap_err().is_unavailable());
        assert!(block_on(job().within(SHORT)).unwrap_err().is_unavailable());
        drop(job().within(LONG));
        let (waits, last) = (job(), job());
        assert_eq!(lock(&workers.0.state).running, MOST);
        for hung in hung {
            assert!(hung.wait(SHORT).unwrap_err().is_unavailable());
        }
        drop(release);
        waits.wait(LONG).unwrap();
        block_on(last.within(LONG)).unwrap();
        // Those whose time was over before they could begin were not done any more.
        assert_eq!(*lock(&ran), 2);
    }

    #[test]
    fn many_wait_and_all_are_served_and_no_thread_stays() {
        let workers = Workers::new("a test");
        let jobs: Vec<_> = (0..1_000).map(|number| workers.job(move || Ok(number)).within(LONG)).collect();
        for (number, job) in jobs.into_iter().enumerate() {
            assert_eq!(block_on(job).unwrap(), number);
        }
        for number in 0..1_000 {
            assert_eq!(workers.job(move || Ok(number)).wait(LONG).unwrap(), number);
        }
        // Each thread holds a clone until it ends.
        while Arc::strong_count(&workers.0) > 1 {
            std::thread::yield_now();
        }
        let state = lock(&workers.0.state);
        assert_eq!((state.running, state.is_timed, state.ends.len(), state.queue.len()), (0, false, 0, 0));
    }
}
