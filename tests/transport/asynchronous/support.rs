//! What these tests share.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use lumoauth::asynchronous::Agent;
use lumoauth::emulator::{AgentSeed, Emulator, Tenant};
use tokio::runtime::{Builder, Runtime};

use crate::hostile::{Reply, Server, always, by_path};

pub const TOKEN: &str = r#"{"access_token":"tok","token_type":"Bearer","expires_in":3600,"scope":"a"}"#;
pub const ALLOW: &str = r#"{"allowed":true,"action":"read","reason":"ok","audit_id":"aud_1"}"#;

pub fn service(ask: Reply) -> Server {
    Server::start(by_path([("/oauth/token", always(Reply::json(200, TOKEN))), ("/agents/ask", always(ask))]))
}

pub fn agent(base_url: &str) -> Agent {
    let builder = Agent::builder().base_url(base_url).tenant("acme");
    builder.client_id("agt_1").client_secret("secret").build().unwrap()
}

pub fn emulator() -> Emulator {
    let seed = AgentSeed::new("agt_1").secret("fixed").name("bot").capabilities(["read"]);
    Emulator::builder().tenant(Tenant::new("acme").agent(seed)).build().unwrap()
}

pub fn single() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

pub fn several() -> Runtime {
    Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap()
}

/// Polls at most `n` times.
pub fn polled<F: Future>(mut future: Pin<&mut F>, n: usize) -> Option<F::Output> {
    let mut context = Context::from_waker(Waker::noop());
    (0..n).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

/// More polls than any of these calls needs: a call that is not done by then hangs.
pub const ENOUGH: usize = 1000;
