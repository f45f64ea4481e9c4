//! The async client on a transport of your own: hyper-util, without the feature `reqwest`.
//!
//! It keeps what `lumoauth::transport::contract` asks of a transport, and a test of this library holds it to that. It talks
//! plain http to a local LumoAuth on this machine. For https, give hyper-util a TLS connector. What the built-in transport
//! does besides: each attempt's own time to connect, and a bound on everything that a server never ends.
//!
//! ```sh
//! cargo run --example hyper --no-default-features --features async,emulator
//! ```

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use lumoauth::asynchronous::{Agent, Transport, from_fn};
use lumoauth::embed::wire::{Limits, Request, Response};
use lumoauth::emulator::Emulator;
use lumoauth::error::{TransportError, TransportFault};
use lumoauth::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use lumoauth::http::{self, Method};

/// hyper-util as a transport: one closure sends, one sleeps. It keeps to the limits and says what may have been sent.
pub fn hyper() -> impl Transport {
    let client = |idle| {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_max_idle_per_host(idle).pool_idle_timeout(Duration::from_secs(10));
        builder.http1_max_buf_size(Limits::default().head).retry_canceled_requests(false);
        builder.build_http::<Full<hyper::body::Bytes>>()
    };
    // One keeps connections; the other is for what must not fail because a kept one went stale.
    let (kept, fresh) = (client(32), client(0));
    let send = move |request: Request| {
        let limits = *request.attempt_limits();
        let client = if limits.fresh_connection { fresh.clone() } else { kept.clone() };
        let unknown = TransportError::unknown;
        let exchange = async move {
            let asked_for_head = *request.method() == Method::HEAD;
            let request = http::Request::from(request).map(|body| Full::new(body.into()));
            let response = client.request(request).await.map_err(|error| match error.is_connect() {
                true => TransportError::not_sent(TransportFault::Connect, "no connection"),
                false => unknown(TransportFault::Broken, "the connection broke"),
            })?;
            let (head, body) = response.into_parts();
            // An answer that only ends with its connection may be half of one.
            let bodiless = asked_for_head || matches!(head.status.as_u16(), 204 | 304);
            if !bodiless
                && ![CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| head.headers.contains_key(name))
            {
                return Err(unknown(TransportFault::Framing, "the answer does not say where it ends"));
            }
            let body = Limited::new(body, limits.body).collect().await;
            let body =
                body.map_err(|_| unknown(TransportFault::Broken, "no whole answer within the limit"))?;
            Ok(Response::new(head.status, head.headers, body.to_bytes()))
        };
        async move {
            if limits.total.is_zero() {
                return Err(TransportError::not_sent(TransportFault::Timeout, "no time is left"));
            }
            let late = |_| unknown(TransportFault::Timeout, "the answer took too long");
            tokio::time::timeout(limits.total, exchange).await.map_err(late)?
        }
    };
    from_fn(send, tokio::time::sleep)
}

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout)] // a program may print
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let emulator = Emulator::demo()?;
    let served = emulator.serve("127.0.0.1:0")?;
    println!("A local LumoAuth listens on {}; hyper-util carries the requests.\n", served.url());

    let builder = Agent::builder().base_url(served.url()).tenant(emulator.tenant());
    let builder = builder.client_id(emulator.client_id()).client_secret(emulator.secret().clone());
    let agent = builder.build_with(hyper())?;

    println!("May I read the document?  {}", agent.ask("read_document").await?);
    println!("May I delete the user?    {}", agent.ask("delete_user").await?);
    println!(
        "\nRequests: {} for a token, {} asks.",
        emulator.count("oauth.token").unwrap(),
        emulator.count("agents.ask").unwrap()
    );
    Ok(())
}
