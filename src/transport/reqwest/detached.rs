//! Work that goes on when whoever waits for it goes away.

use std::future::{Future, pending};

use tokio::runtime::Handle;

/// Does it in a task of its own, where there is a runtime: it goes on when this is dropped.
pub(crate) async fn to_its_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let Ok(runtime) = Handle::try_current() else { return work.await };
    match runtime.spawn(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and this with it.
            Err(_) => pending().await,
        },
    }
}
