//! What a warm call costs, counted: alone in its process, because it counts the process' threads.
#![cfg(feature = "ureq")]

mod hostile;

use hostile::{Reply, Server, always, by_path};
use lumoauth::Agent;
use lumoauth::transport::{TransportOptions, UreqTransport};

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

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

#[test]
fn a_warm_ask_starts_no_thread_looks_up_no_name_and_opens_no_connection() {
    let server = service();
    let (agent, transport) = agent(&format!("http://localhost:{}", server.addr().port()));
    assert!(agent.ask("read").unwrap().allowed());
    // The lookup's thread may still be on its way out.
    while threads() > 0
        && std::fs::read_dir("/proc/self/task").is_ok_and(|mut tasks| tasks.any(|task| named_lookup(task)))
    {
        std::thread::yield_now();
    }
    let (before, cold) = (threads(), transport.statistics());
    assert_eq!((cold.connections, cold.lookups), (1, 1));
    for _ in 0..200 {
        assert!(agent.ask("read").unwrap().allowed());
        assert_eq!(threads(), before, "a warm call started a thread");
    }
    let warm = transport.statistics();
    assert_eq!((warm.connections, warm.lookups), (1, 1));
    assert_eq!(
        (server.count_path("/agents/ask"), server.count_path("/oauth/token"), server.connections()),
        (201, 1, 1)
    );
    server.check();
}

fn named_lookup(task: std::io::Result<std::fs::DirEntry>) -> bool {
    let name = task.and_then(|task| std::fs::read_to_string(task.path().join("comm")));
    name.is_ok_and(|name| name.trim() == "lumoauth-name")
}
