//! A service on a socket of its own.

use axum::Router;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A service that listens on loopback until it is dropped.
pub struct Serving {
    /// Where it is, without a path.
    pub url: String,
    runtime: Option<Runtime>,
}

impl Serving {
    /// `app` is told where it will be.
    pub fn start(app: impl FnOnce(&str) -> Router) -> Self {
        Serving::at(0, app)
    }

    /// At this port, or at any that is free for 0.
    pub fn at(port: u16, app: impl FnOnce(&str) -> Router) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", port))).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(axum::serve(listener, app(&url)).into_future());
        Serving { url, runtime: Some(runtime) }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
