//! Where a workload's token comes from, in the async mount.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use super::Io;
use crate::client::token_file;
use crate::error::WorkloadError;
use crate::secret::Secret;

/// A file, or a closure of the application's.
#[derive(Clone)]
pub(super) struct WorkloadSource(Arc<dyn Fn() -> Io<'static, Result<Secret, WorkloadError>> + Send + Sync>);

impl WorkloadSource {
    pub(super) fn new<F, T>(token: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<Secret, WorkloadError>> + Send + 'static,
    {
        WorkloadSource(Arc::new(move || Box::pin(token()) as Io<'static, Result<Secret, WorkloadError>>))
    }

    pub(super) fn file(path: PathBuf) -> Self {
        WorkloadSource(Arc::new(move || read(path.clone())))
    }

    /// The token as it is now.
    pub(super) fn token(&self) -> Io<'static, Result<Secret, WorkloadError>> {
        (self.0)()
    }
}

impl fmt::Debug for WorkloadSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkloadSource")
    }
}

/// What the thread that reads leaves for the task that waits.
#[derive(Default)]
struct Left {
    token: Option<Result<Secret, WorkloadError>>,
    waker: Option<Waker>,
}

/// Reads the file on a thread of its own: no runtime is assumed, and none of its threads is held up.
fn read(path: PathBuf) -> Io<'static, Result<Secret, WorkloadError>> {
    let left = Arc::new(Mutex::new(Left::default()));
    let reader = Arc::clone(&left);
    let work = move || {
        let token = token_file::read(&path);
        let waker = {
            let mut left = reader.lock().unwrap_or_else(PoisonError::into_inner);
            left.token = Some(token);
            left.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    };
    let started = std::thread::Builder::new().name("workload-token".to_owned()).spawn(work);
    let mut failed = started.err().map(|error| WorkloadError::Unreadable(error.kind()));
    Box::pin(std::future::poll_fn(move |context| {
        if let Some(error) = failed.take() {
            return Poll::Ready(Err(error));
        }
        let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
        match left.token.take() {
            Some(token) => Poll::Ready(token),
            None => {
                left.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }))
}
