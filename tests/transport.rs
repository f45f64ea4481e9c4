//! The blocking client over real sockets.
#![cfg(feature = "ureq")]

mod hostile;

use hostile::{Reply, Server, always, by_path};
use lumoauth::Agent;
use lumoauth::transport::{TransportOptions, UreqTransport};
use std::sync::Barrier;

const TOKEN: &str = r#"{"access_token":"tok","token_type":"Bearer","expires_in":3600,"scope":"a"}"#;
const ALLOW: &str = r#"{"allowed":true,"action":"read","reason":"ok","audit_id":"aud_1"}"#;

fn service() -> Server {
    Server::start(by_path([
        ("/oauth/token", always(Reply::json(200, TOKEN))),
        ("/agents/ask", always(Reply::json(200, ALLOW))),
    ]))
}

fn agent(base_url: &str) -> (Agent, UreqTransport) {
    let transport = UreqTransport::new(&TransportOptions::new()).unwrap();
    let agent = Agent::builder()
        .base_url(base_url)
        .tenant("acme")
        .client_id("agt_1")
        .client_secret("secret")
        .build_with(transport.clone())
        .unwrap();
    (agent, transport)
}

#[test]
fn eight_threads_open_eight_connections_in_the_whole_run() {
    let server = service();
    let (agent, transport) = agent(&server.url());
    let barrier = Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..100 {
                    assert!(agent.ask("read").unwrap().allowed());
                }
            });
        }
    });
    assert_eq!(server.count_path("/agents/ask"), 800);
    assert_eq!(server.count_path("/oauth/token"), 1);
    assert!(transport.statistics().connections <= 8, "{:?}", transport.statistics());
    server.check();
}
