//! The async client on a transport of your own: hyper-util, in under 30 lines, without the feature `reqwest`.
//!
//! It talks plain http to a local LumoAuth on this machine. For https, give hyper-util a TLS connector.
//!
//! ```sh
//! cargo run --example hyper --no-default-features --features async,emulator
//! ```

use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use lumoauth::asynchronous::{Agent, Transport, from_fn};
use lumoauth::embed::wire::{Request, Response};
use lumoauth::emulator::Emulator;
use lumoauth::error::{TransportError, TransportFault};
use lumoauth::http;

/// hyper-util as a transport: one closure sends, one sleeps. It keeps to the limits and says what may have been sent.
fn hyper() -> impl Transport {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<hyper::body::Bytes>>();
    let send = move |request: Request| {
        let (client, limits) = (client.clone(), *request.attempt_limits());
        let exchange = async move {
            let request = http::Request::from(request).map(|body| Full::new(body.into()));
            let response = client.request(request).await.map_err(|error| match error.is_connect() {
                true => TransportError::not_sent(TransportFault::Connect, "no connection"),
                false => TransportError::unknown(TransportFault::Broken, "the connection broke"),
            })?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, limits.body).collect().await;
            let body =
                body.map_err(|_| TransportError::unknown(TransportFault::Broken, "no whole answer"))?;
            Ok(Response::new(head.status, head.headers, body.to_bytes()))
        };
        async move {
            let late = |_| TransportError::unknown(TransportFault::Timeout, "the answer took too long");
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
        emulator.count("oauth.token"),
        emulator.count("agents.ask")
    );
    Ok(())
}
