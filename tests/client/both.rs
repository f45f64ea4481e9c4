//! The blocking and the async client are one source: against equal services they give equal results and send equal
//! requests.
#![cfg(all(feature = "blocking", feature = "async", feature = "emulator"))]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use lumoauth::challenge::Challenge;
use lumoauth::emulator::{AgentSeed, Emulator, FaultRule, McpServerSeed, Tenant};
use lumoauth::http::Method;
use lumoauth::{Agent, ApiRequest, Ask, Register, asynchronous};
use serde_json::json;

fn emulator() -> Emulator {
    let agent = AgentSeed::new("agt_1").secret("fixed").name("bot").capabilities(["read", "write"]);
    let files = McpServerSeed::new("files").resource_uri("https://files.test/mcp").scopes(["read"]);
    Emulator::builder().tenant(Tenant::new("acme").agent(agent).mcp_server(files)).build().unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// What the emulator saw: route, status and time of every request.
fn seen(emulator: &Emulator) -> Vec<String> {
    emulator
        .log()
        .iter()
        .map(|entry| format!("{} {} {} {}", entry.route, entry.method, entry.path, entry.status))
        .collect()
}

/// What differs between two runs by nature: audit ids.
fn plain(text: &str) -> String {
    match text.split_once("\"audit_id\": \"") {
        Some((before, after)) => format!("{before}{}", after.split_once('"').map_or("", |(_, rest)| rest)),
        None => text.to_owned(),
    }
}

macro_rules! flow {
    ($name:ident, $agent:ident, $emulator:ident, |$results:ident| { $($step:expr;)* }) => {
        #[test]
        fn $name() {
            let blocking = {
                let $emulator = emulator();
                let $agent: Agent = $emulator.agent().unwrap();
                let mut $results: Vec<String> = Vec::new();
                $( $results.push(flow!(@blocking $step)); )*
                ($results, seen(&$emulator))
            };
            let asynchronous = block_on(async {
                let $emulator = emulator();
                let $agent: asynchronous::Agent = $emulator.async_agent().unwrap();
                let mut $results: Vec<String> = Vec::new();
                $( $results.push(flow!(@async $step)); )*
                ($results, seen(&$emulator))
            });
            assert_eq!(blocking, asynchronous);
            assert!(!blocking.1.is_empty());
        }
    };
    (@blocking $step:expr) => {{ let step = $step; plain(&format!("{:?}", step)) }};
    (@async $step:expr) => {{ let step = $step; plain(&format!("{:?}", step.await)) }};
}

// A blocking step is its result; an async step is a future of it. `authenticate` and the like are written once.
flow!(authenticate_and_scopes, agent, emulator, |results| {
    agent.authenticate(["read"]);
    agent.ensure_authenticated();
    agent.authenticate(["not:granted"]);
});

flow!(identity_and_record, agent, emulator, |results| {
    agent.info();
    agent.identity();
    agent.has_capability("read");
    agent.has_capability("delete");
    agent.budget();
    agent.is_budget_exhausted();
    agent.is_allowed("read");
    agent.is_allowed("delete_user");
    agent.register(Register::new("bot").description("d"));
    agent.request(Method::GET, "agents/me");
    agent.request(Method::GET, "//evil.test");
    agent.run(ApiRequest::get("nothing/here").query("a", "b"));
});

/// The same over real connections: ureq and reqwest, each against a served emulator of its own.
#[cfg(all(feature = "ureq", feature = "reqwest"))]
mod over_http {
    use super::*;

    /// What differs between two runs by nature: audit ids, ports, and the time of day, which a served emulator keeps.
    fn timeless(text: &str, url: &str) -> String {
        let text = text.replace(url, "URL");
        [("Timestamp(", ')'), ("aud_", '"')].into_iter().fold(text, |text, (begin, end)| {
            let mut parts = text.split(begin);
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |out, part| out + begin + part.split_once(end).map_or(part, |(_, rest)| rest))
        })
    }

    macro_rules! steps {
        (|$results:ident, $result:ident| $push:expr, [$($step:expr),* $(,)?]) => {
            $({
                let $result = $step;
                $results.push($push);
            })*
        };
    }

    macro_rules! all {
        ($agent:ident, |$results:ident, $result:ident| $push:expr) => {
            steps!(|$results, $result| $push, [
                $agent.is_allowed("read"),
                $agent.authenticate(["not:granted"]),
                $agent.authenticate(["read"]),
                $agent.ensure_authenticated(),
                $agent.ask(Ask::new("read").context(json!({ "id": 1, "text": "ä\u{1}" }))),
                $agent.ask("delete_user"),
                $agent.info(),
                $agent.identity(),
                $agent.has_capability("write"),
                $agent.budget(),
                $agent.is_budget_exhausted(),
                $agent.register(Register::new("bot").description("d")),
                $agent.request(Method::GET, "agents/me"),
                $agent.request(Method::HEAD, "agents/me"),
                $agent.request(Method::DELETE, "nothing/here"),
                $agent.request(Method::GET, "//evil.test"),
                $agent.run(ApiRequest::get("nothing/here").query("a", "b c&d")),
            ]);
        };
    }

    fn order(emulator: &Emulator) {
        emulator.fault(FaultRule::on("agents.ask").nth(2).status(503)).unwrap();
        emulator.fault(FaultRule::on("agents.ask").nth(3).reset()).unwrap();
        emulator.fault(FaultRule::on("oauth.userinfo").nth(1).truncate(10)).unwrap();
    }

    #[test]
    fn every_flow_is_the_same_over_ureq_and_reqwest() {
        let blocking = {
            let emulator = emulator();
            let served = emulator.serve("127.0.0.1:0").unwrap();
            order(&emulator);
            let builder = Agent::builder().base_url(served.url()).tenant("acme");
            let agent = builder.client_id("agt_1").client_secret("fixed").build().unwrap();
            let (url, mut results) = (served.url().to_owned(), Vec::new());
            all!(agent, |results, result| timeless(&format!("{result:?}"), &url));
            (results, seen(&emulator))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let asynchronous = runtime.block_on(async {
            let emulator = emulator();
            let served = emulator.serve("127.0.0.1:0").unwrap();
            order(&emulator);
            let builder = asynchronous::Agent::builder().base_url(served.url()).tenant("acme");
            let agent = builder.client_id("agt_1").client_secret("fixed").build().unwrap();
            let (url, mut results) = (served.url().to_owned(), Vec::new());
            all!(agent, |results, result| timeless(&format!("{:?}", result.await), &url));
            (results, seen(&emulator))
        });
        for (blocking, asynchronous) in blocking.0.iter().zip(&asynchronous.0) {
            assert_eq!(blocking, asynchronous);
        }
        assert_eq!(blocking, asynchronous);
        assert!(blocking.1.len() > 15, "{:#?}", blocking.1);
    }
}

#[test]
fn decisions_and_retries_and_refusals_are_the_same() {
    let order = |emulator: &Emulator| {
        emulator.fault(FaultRule::on("agents.ask").nth(2).status(503)).unwrap();
        emulator.fault(FaultRule::on("agents.ask").nth(7).reset()).unwrap();
        emulator.fault(FaultRule::on("oauth.token").nth(1).status(429).retry_after("2")).unwrap();
    };
    let question = || Ask::new("read").context(json!({ "id": 1 }));
    let blocking = {
        let emulator = emulator();
        order(&emulator);
        let agent = emulator.agent().unwrap();
        let mut results = Vec::new();
        for _ in 0..4 {
            results.push(plain(&agent.ask(question()).unwrap().to_string()));
            emulator.revoke_tokens("agt_1").unwrap();
            emulator.advance(Duration::from_secs(6));
        }
        (results, seen(&emulator))
    };
    let asynchronous = block_on(async {
        let emulator = emulator();
        order(&emulator);
        let agent = emulator.async_agent().unwrap();
        let mut results = Vec::new();
        for _ in 0..4 {
            results.push(plain(&agent.ask(question()).await.unwrap().to_string()));
            emulator.revoke_tokens("agt_1").unwrap();
            emulator.advance(Duration::from_secs(6));
        }
        (results, seen(&emulator))
    });
    assert_eq!(blocking, asynchronous);
    // 4 answers; a 503 and a reset repeated; a 401 after each of three revocations, with a new token each.
    let count = |route: &str| blocking.1.iter().filter(|line| line.starts_with(route)).count();
    assert_eq!(count("oauth.token"), 5, "{:#?}", blocking.1);
    assert_eq!(count("agents.ask"), 9, "{:#?}", blocking.1);
}

#[test]
fn a_thousand_tasks_share_one_token_request() {
    let emulator = emulator();
    let agent = emulator.async_agent().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let barrier = Arc::new(tokio::sync::Barrier::new(1000));
    let tasks: Vec<_> = (0..1000)
        .map(|_| {
            let (agent, barrier) = (agent.clone(), Arc::clone(&barrier));
            runtime.spawn(async move {
                barrier.wait().await;
                agent.is_allowed("read").await
            })
        })
        .collect();
    for task in tasks {
        assert!(runtime.block_on(task).unwrap().unwrap());
    }
    assert_eq!(emulator.count("oauth.token").unwrap(), 1);
    assert_eq!(emulator.count("agents.ask").unwrap(), 1000);
}

#[test]
fn futures_are_send_and_clients_are_shared() {
    fn send<T: Send>(value: T) -> T {
        value
    }
    fn shared<T: Clone + Send + Sync + 'static>() {}
    shared::<Agent>();
    shared::<asynchronous::Agent>();
    let emulator = emulator();
    let agent = emulator.async_agent().unwrap();
    let all = send(async {
        send(agent.authenticate([])).await.unwrap();
        send(agent.ask("read")).await.unwrap().require().unwrap();
        send(agent.info()).await.unwrap();
        send(agent.run(ApiRequest::get("agents/me"))).await.unwrap();
    });
    block_on(all);
}

#[test]
fn both_worlds_have_the_same_methods() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/client");
    let methods = |file: &str| -> BTreeSet<String> {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with("pub fn ") || line.starts_with("pub async fn "));
        lines
            .filter_map(|line| line.split("fn ").nth(1)?.split(['(', '<']).next().map(str::to_owned))
            .collect()
    };
    // The clients are one source, mounted from one list, so only what the mounts add could differ: `build`, `from_env` and
    // the verifiers' `new`, where a transport is ready.
    let text = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
    let (blocking, asynchronous, list) = (text("blocking.rs"), text("asynchronous.rs"), text("../client.rs"));
    let mounted: BTreeSet<String> = list
        .lines()
        .filter_map(|line| line.trim().strip_prefix("#[path = \""))
        .map(|line| line.trim_end_matches("\"]").to_owned())
        .collect();
    for mount in [&blocking, &asynchronous] {
        assert_eq!(mount.matches("mounted_twice!();").count(), 1);
        // But for the one file that is there where no transport is built in, which is a question of each mount's own feature.
        let own: Vec<_> = mount.lines().filter(|line| line.contains("#[path")).collect();
        assert_eq!(own, ["#[path = \"no_transport.rs\"]"], "a mount has files that the other one has not");
    }
    // Signing in has a door of its own in `lib.rs`; its async twin is in the mount.
    let door = text("../lib.rs");
    let handed =
        door.split("pub use ").filter_map(|rest| rest.strip_prefix("crate::client::blocking::sign_in::"));
    let blocking = handed.fold(blocking, |mount, rest| format!("pub use super::sign_in::{rest};\n{mount}"));
    // Under which names they are handed on. What stands for itself (values, the store, the transport) is not the clients'.
    let names = |mount: &str| -> BTreeSet<String> {
        let mount = mount.split("pub mod store").next().unwrap();
        let uses = mount.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
        uses.filter(|names| !names.starts_with("crate::"))
            .flat_map(|names| names.split(|c: char| !c.is_alphanumeric() && c != '_'))
            .filter(|word| word.starts_with(char::is_uppercase))
            .map(str::to_owned)
            .collect()
    };
    // What ends a blocking call from another thread has no twin: an async call is dropped.
    let mut in_both = names(&blocking);
    assert!(in_both.remove("Cancel"));
    assert_eq!(in_both, names(&asynchronous));
    for client in ["Agent", "AgentBuilder", "DelegationChain", "TokenVerifier", "IdTokenVerifier"] {
        assert!(names(&blocking).contains(client), "{client}");
    }
    let shared: BTreeSet<String> = mounted.iter().flat_map(|file| methods(file)).collect();
    // Every public type of the shared files is handed on.
    for file in &mounted {
        for line in text(file).lines().filter_map(|line| line.strip_prefix("pub struct ")) {
            let name = line.split(|c: char| !c.is_alphanumeric()).next().unwrap();
            assert!(names(&blocking).contains(name), "{name} of {file} is in no mount");
        }
    }
    assert!(shared.len() > 30, "{shared:?}");
    let extra = |file: &str| methods(file).difference(&shared).cloned().collect::<Vec<_>>();
    for file in ["built_in.rs", "workload.rs"] {
        let both = (extra(&format!("blocking/{file}")), extra(&format!("asynchronous/{file}")));
        assert_eq!(both.0, both.1, "{file}");
    }
    assert_eq!(extra("blocking/built_in.rs"), ["build", "from_env"]);
}

flow!(mcp_tokens, agent, emulator, |results| {
    agent.mcp_token("files");
    agent.mcp_token("files");
    agent.mcp_token("nothing");
});

#[test]
fn mcp_servers() {
    let url = |emulator: &Emulator| format!("{}/mcp/files/challenge", emulator.site().api_base());
    let blocking = {
        let emulator = emulator();
        let server = emulator.agent().unwrap().mcp(url(&emulator)).unwrap();
        let results = [
            format!("{:?}", server.request(ApiRequest::get(""))),
            format!("{:?}", server.discover()),
            format!("{:?}", server.token()),
        ];
        (results, seen(&emulator))
    };
    let asynchronous = block_on(async {
        let emulator = emulator();
        let server = emulator.async_agent().unwrap().mcp(url(&emulator)).unwrap();
        let results = [
            format!("{:?}", server.request(ApiRequest::get("")).await),
            format!("{:?}", server.discover().await),
            format!("{:?}", server.token().await),
        ];
        (results, seen(&emulator))
    });
    assert_eq!(blocking, asynchronous);
    assert!(!blocking.1.is_empty());
}

#[test]
fn challenges_that_another_client_received_are_answered() {
    let challenge = Challenge::bearer().parameter("error", "insufficient_scope").parameter("scope", "read");
    let (resource, wrong) = ("https://files.test/mcp", "https://other.test/mcp");
    let blocking = {
        let emulator = emulator();
        let server = emulator.agent().unwrap().resource(resource).unwrap();
        let token = server.answer(&challenge).unwrap().expect("a scope more than before");
        let mut request = lumoauth::http::Request::get(resource).body(()).unwrap();
        server.authorize(&mut request).unwrap();
        let mut elsewhere = lumoauth::http::Request::get(wrong).body(()).unwrap();
        let refused = server.authorize(&mut elsewhere).unwrap_err().to_string();
        assert!(elsewhere.headers().is_empty());
        let sent = request.headers()["authorization"].to_str().unwrap().to_owned();
        assert_eq!(sent, format!("Bearer {}", token.secret().expose()));
        (token.scopes().to_string(), refused, seen(&emulator))
    };
    let asynchronous = block_on(async {
        let emulator = emulator();
        let server = emulator.async_agent().unwrap().resource(resource).unwrap();
        let token = server.answer(&challenge).await.unwrap().expect("a scope more than before");
        let mut request = lumoauth::http::Request::get(resource).body(()).unwrap();
        server.authorize(&mut request).await.unwrap();
        let mut elsewhere = lumoauth::http::Request::get(wrong).body(()).unwrap();
        let refused = server.authorize(&mut elsewhere).await.unwrap_err().to_string();
        assert!(elsewhere.headers().is_empty());
        let sent = request.headers()["authorization"].to_str().unwrap().to_owned();
        assert_eq!(sent, format!("Bearer {}", token.secret().expose()));
        (token.scopes().to_string(), refused, seen(&emulator))
    });
    assert_eq!(blocking, asynchronous);
    assert_eq!(blocking.0, "read");
}
