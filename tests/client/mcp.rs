//! Tokens for MCP servers, and requests to such servers: on the emulator, and against hostile ones.
#![cfg(all(feature = "ureq", feature = "emulator"))]
#![allow(clippy::print_stdout)] // each guarantee shows its figure

mod odd;

use std::sync::{Arc, Barrier};
use std::time::Duration;

use crate::hostile::{Recorded, Reply, Server};
use lumoauth::embed::operations::McpToken;
use lumoauth::embed::wire::Response;
use lumoauth::emulator::{AgentSeed, Emulator, FaultRule, McpServerSeed, Served, Tenant};
use lumoauth::error::{ProtocolError, ProtocolFault};
use lumoauth::{Agent, ApiRequest, Error};

const FILES: &str = "https://emulator.test/files";

fn built(servers: impl IntoIterator<Item = McpServerSeed>, issuers: bool) -> Emulator {
    let agent = AgentSeed::new("agt_1").secret("fixed").capabilities(["mcp:read", "mcp:write", "mcp:admin"]);
    let tenant = servers.into_iter().fold(Tenant::new("acme").agent(agent), Tenant::mcp_server);
    Emulator::builder().tenant(tenant).issuers_in_resource_metadata(issuers).build().unwrap()
}

fn emulator() -> Emulator {
    built([McpServerSeed::new("files").resource_uri(FILES).scopes(["mcp:read", "mcp:write"])], false)
}

/// How many exchanges the emulator saw.
fn exchanges(emulator: &Emulator) -> u64 {
    // One for the agent's own token, the others are exchanges.
    emulator.count("oauth.token").unwrap().saturating_sub(1)
}

#[test]
fn a_token_is_held_by_server_and_scopes() {
    let emulator = emulator();
    let agent = emulator.agent().unwrap();
    let first = agent.mcp_token("files").unwrap();
    assert_eq!(agent.mcp_token("files").unwrap().secret(), first.secret());
    assert_eq!(exchanges(&emulator), 1);
    // By another name it is another thing to ask for, and so are other scopes.
    let by_uri = agent.mcp_token(FILES).unwrap();
    let narrow = agent.mcp_token(McpToken::new("files").scopes(["mcp:read"])).unwrap();
    assert_eq!(exchanges(&emulator), 3);
    assert_ne!(by_uri.secret(), narrow.secret());
    assert_eq!(narrow.scopes().to_string(), "mcp:read");
    // The order of scopes is none.
    let both = agent.mcp_token(McpToken::new("files").scopes(["mcp:read", "mcp:write"])).unwrap();
    let swapped = agent.clone().mcp_token(McpToken::new("files").scopes(["mcp:write", "mcp:read"])).unwrap();
    assert_eq!(both.secret(), swapped.secret());
    assert_eq!(exchanges(&emulator), 4);
    // Other credentials have other tokens.
    let same = lumoauth::Credentials::new("agt_1", "fixed").unwrap();
    agent.set_credentials(same);
    assert_ne!(agent.mcp_token("files").unwrap().secret(), first.secret());
}

#[test]
fn a_token_is_renewed_before_it_ends_and_outlives_failures() {
    let emulator = emulator();
    let agent = emulator.agent().unwrap();
    let first = agent.mcp_token("files").unwrap();
    let before = exchanges(&emulator);
    let lifetime = first.lifetime();
    emulator.advance(lifetime - Duration::from_secs(100));
    // The service fails for the moment: the token still is good, and is not asked for at every call.
    agent.access_token().unwrap();
    emulator.fault(FaultRule::on("oauth.token").status(503).always()).unwrap();
    let asked = emulator.count("oauth.token").unwrap();
    for _ in 0..10 {
        assert_eq!(agent.mcp_token("files").unwrap().secret(), first.secret());
    }
    let tries = emulator.count("oauth.token").unwrap() - asked;
    assert!(tries <= 3, "{tries} requests for ten calls");
    emulator.clear_faults();
    emulator.advance(Duration::from_secs(11));
    assert_ne!(agent.mcp_token("files").unwrap().secret(), first.secret());
    assert!(exchanges(&emulator) > before);
}

/// What 64 threads get that ask at the same moment.
fn sixty_four<T: Send>(agent: &Agent, ask: impl Fn(&Agent) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(64);
    std::thread::scope(|scope| {
        let ask = || {
            barrier.wait();
            ask(agent)
        };
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn sixty_four_threads_make_one_exchange() {
    let emulator = emulator();
    let agent = emulator.agent().unwrap();
    agent.access_token().unwrap();
    let tokens = sixty_four(&agent, |agent| agent.mcp_token(FILES).unwrap().secret().clone());
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(exchanges(&emulator), 1);
    println!("mcp: 64 threads, {} exchange", exchanges(&emulator));
}

#[test]
fn a_strict_service_gets_the_clients_authentication_with_the_exchange() {
    use lumoauth::ClientAuth;
    use lumoauth::http::header::AUTHORIZATION;
    let answer = r#"{"access_token":"t","token_type":"Bearer","expires_in":60}"#;
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let own = Arc::clone(&seen);
    let transport = move |request: lumoauth::embed::wire::Request| {
        own.lock().unwrap().push(request);
        let (status, headers) = (lumoauth::http::StatusCode::OK, lumoauth::http::HeaderMap::new());
        Ok::<_, lumoauth::error::TransportError>(Response::new(status, headers, answer))
    };
    let agent = Agent::builder().tenant("acme").client_id("agt_1").client_secret("fixed");
    let agent = agent.build_with(transport).unwrap();
    let exchange = |token: &dyn Fn()| {
        token();
        let seen = seen.lock().unwrap();
        let sent =
            seen.iter().rfind(|request| String::from_utf8_lossy(request.body()).contains("token-exchange"));
        let sent = sent.unwrap();
        let form: Vec<(String, String)> = form_urlencoded::parse(sent.body()).into_owned().collect();
        let field = |name: &str| form.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        let basic = sent.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        (field("subject_token"), field("client_id"), field("client_secret"), basic)
    };
    let token = |wanted: McpToken| {
        let agent = &agent;
        exchange(&move || drop(agent.mcp_token(wanted.clone()).unwrap()))
    };
    let server = |wanted: McpToken| {
        let server = agent.mcp(wanted).unwrap();
        exchange(&move || drop(server.token().unwrap()))
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(token(McpToken::new("files")), (text("t"), None, None, None), "none, as the vendor's SDKs");
    // One that was authenticated otherwise is another one to ask for.
    let post = (text("t"), text("agt_1"), text("fixed"), None);
    assert_eq!(token(McpToken::new("files").client_auth(ClientAuth::Post)), post);
    assert_eq!(server(McpToken::new(FILES).client_auth(ClientAuth::Post)), post);
    let basic = (text("t"), text("agt_1"), None, text("Basic YWd0XzE6Zml4ZWQ="));
    assert_eq!(token(McpToken::new("files").client_auth(ClientAuth::Basic)), basic);
    assert_eq!(server(McpToken::new(FILES).client_auth(ClientAuth::Basic).scopes(["a"])), basic);
}

#[test]
fn an_unknown_server_is_the_services_refusal() {
    let error = emulator().agent().unwrap().mcp_token("nothing").unwrap_err();
    assert_eq!(error.code(), Some("invalid_target"), "{error}");
    for bad in ["", "a\r\nb"] {
        assert!(matches!(emulator().agent().unwrap().mcp_token(bad), Err(Error::Input(_))));
    }
}

/// The emulator's challenge route, spoken to as the MCP server itself.
fn own_server(required: &[&str], issuers: bool) -> (Emulator, String) {
    let probe = built([], false);
    let url = format!("{}/mcp/vault/challenge", probe.site().api_base());
    let server = McpServerSeed::new("vault")
        .resource_uri(&url)
        .scopes(["mcp:read", "mcp:write"])
        .required_scopes(required.iter().copied());
    (built([server], issuers), url)
}

#[test]
fn a_request_steps_up_once() {
    let (emulator, url) = own_server(&["mcp:read", "mcp:write"], false);
    let agent = emulator.agent().unwrap();
    let server = agent.mcp(McpToken::new(&url).scopes(["mcp:read"])).unwrap();
    let answer = server.request(ApiRequest::get("")).unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(server.scopes().to_string(), "mcp:read mcp:write");
    assert_eq!((emulator.count("mcp.challenge").unwrap(), exchanges(&emulator)), (2, 2));
    // The clone knows what was learnt.
    assert_eq!(server.clone().request(ApiRequest::get("")).unwrap().status(), 200);
    assert_eq!((emulator.count("mcp.challenge").unwrap(), exchanges(&emulator)), (3, 2));
}

#[test]
fn a_step_up_that_does_not_help_ends() {
    let (emulator, url) = own_server(&["mcp:secret"], false);
    let server = emulator.agent().unwrap().mcp(&url).unwrap();
    // The service does not grant the scope that the server demands: its refusal is the answer.
    let error = server.request(ApiRequest::get("")).unwrap_err();
    assert!(error.as_api().is_some(), "{error}");
    assert_eq!(emulator.count("mcp.challenge").unwrap(), 1);
}

#[test]
fn the_description_is_found_in_both_shapes() {
    for issuers in [false, true] {
        let (emulator, url) = own_server(&["mcp:read"], issuers);
        let server = emulator.agent().unwrap().mcp(&url).unwrap();
        let metadata = server.discover().unwrap();
        assert_eq!(metadata.resource(), url);
        assert_eq!(metadata.scopes_supported().to_string(), "mcp:read mcp:write");
        let written = &metadata.authorization_servers()[0];
        assert_eq!(written.ends_with("/.well-known/oauth-authorization-server"), !issuers, "{written}");
    }
}

/// An emulator over HTTP, and an MCP server on another port that does as it likes.
struct Foreign {
    emulator: Emulator,
    served: Served,
    server: Server,
    agent: Agent,
    url: String,
}

fn foreign(script: impl Fn(&Recorded, &str, &str) -> Reply + Send + Sync + 'static) -> Foreign {
    // The ports are known only when both run: the server reads them from here.
    let known: Arc<std::sync::OnceLock<(String, String)>> = Arc::default();
    let names = Arc::clone(&known);
    let server = Server::start(move |request| {
        let (url, issuer) = names.get().expect("set before any request");
        script(request, url, issuer)
    });
    let url = format!("{}/mcp", server.url());
    let emulator =
        built([McpServerSeed::new("far").resource_uri(&url).scopes(["mcp:read", "mcp:write"])], false);
    let served = emulator.serve("127.0.0.1:0").unwrap();
    let issuer = format!("{}/t/acme/api/v1", served.url());
    known.set((url.clone(), issuer)).unwrap();
    let agent = Agent::builder()
        .base_url(served.url())
        .tenant("acme")
        .client_id("agt_1")
        .client_secret("fixed")
        .build()
        .unwrap();
    Foreign { emulator, served, server, agent, url }
}

fn challenged(status: u16, challenge: impl Into<String>) -> Reply {
    Reply::json(status, "{}").header("WWW-Authenticate", challenge)
}

fn document(url: &str, server: &str) -> Reply {
    Reply::json(
        200,
        format!(
            r#"{{"resource":"{url}","authorization_servers":["{server}"],"scopes_supported":["mcp:write"]}}"#
        ),
    )
}

/// Every credential that must not reach the MCP server.
fn nothing_else_travelled(foreign: &Foreign) {
    for request in foreign.server.requests() {
        let all = format!("{} {:?} {}", request.target, request.header_all("authorization"), request.text());
        assert!(!all.contains("fixed") && !all.contains("subject_token") && !all.contains("Basic"), "{all}");
        if request.path().contains(".well-known") {
            assert!(request.header("authorization").is_none(), "{all}");
        }
    }
}

#[test]
fn a_challenge_is_answered_once() {
    let foreign = foreign(|request, url, issuer| match request.path() {
        "/mcp" => challenged(401, r#"Bearer error="invalid_token", scope="mcp:read""#),
        "/.well-known/oauth-protected-resource/mcp" => document(url, issuer),
        _ => Reply::text(404, ""),
    });
    let server = foreign.agent.mcp(&foreign.url).unwrap();
    let answer = server.request(ApiRequest::post("").json(&serde_json::json!({"a": 1})).unwrap()).unwrap();
    assert_eq!(answer.status(), 401);
    let sent = foreign.server.count(|request| request.path() == "/mcp");
    assert_eq!((sent, exchanges(&foreign.emulator)), (2, 2));
    assert_eq!(server.scopes().to_string(), "mcp:read");
    let tokens: Vec<_> = foreign
        .server
        .requests()
        .iter()
        .filter_map(|request| request.header("authorization").map(str::to_owned))
        .collect();
    assert_ne!(tokens[0], tokens[1], "the refused token is not sent again");
    nothing_else_travelled(&foreign);
    println!("mcp: a server that refuses every token is asked {sent} times");
    drop(foreign.served);
}

#[test]
fn a_token_that_is_refused_is_replaced() {
    let foreign = foreign(|request, url, issuer| match request.path() {
        "/.well-known/oauth-protected-resource" => {
            document(url, &format!("{issuer}/.well-known/oauth-authorization-server"))
        }
        "/mcp/tools" if request.target.contains("again") => Reply::json(200, r#"{"tools":[]}"#),
        "/mcp/tools" => challenged(401, "Bearer"),
        _ => Reply::text(404, ""),
    });
    let server = foreign.agent.mcp(&foreign.url).unwrap();
    assert_eq!(server.request(ApiRequest::get("/mcp/tools")).unwrap().status(), 401);
    // Without scopes in the challenge, what the resource supports is asked for.
    assert_eq!(server.scopes().to_string(), "mcp:write");
    let answer = server.request(ApiRequest::get("/mcp/tools").query("again", "1")).unwrap();
    assert_eq!(answer.status(), 200);
    let absolute = format!("{}/mcp/tools?again", foreign.server.url());
    assert_eq!(server.request(ApiRequest::get(absolute)).unwrap().status(), 200);
    nothing_else_travelled(&foreign);
}

fn fault(error: &Error) -> Option<&ProtocolFault> {
    match error {
        Error::Protocol(protocol) => Some(ProtocolError::fault(protocol)),
        _ => None,
    }
}

/// S8 and S12: whatever a server says of itself, no credential follows.
#[test]
fn s8_descriptions_that_lead_elsewhere_are_refused() {
    let elsewhere = Server::start(|_| Reply::json(200, "{}"));
    let elsewhere_url = elsewhere.url().to_owned();
    type Script = fn(&str, &str, &str) -> Reply;
    let cases: [(&str, Script); 8] = [
        ("another authorization server", |url, _, elsewhere| document(url, elsewhere)),
        ("an issuer with a slash more", |url, issuer, _| document(url, &format!("{issuer}/"))),
        ("no authorization server", |url, _, _| Reply::json(200, format!(r#"{{"resource":"{url}"}}"#))),
        ("another resource", |url, issuer, _| document(&format!("{url}/"), issuer)),
        ("a redirect", |_, _, elsewhere| Reply::text(302, "").header("Location", elsewhere)),
        ("not JSON", |_, _, _| Reply::html(200, "<html>")),
        ("too large", |_, _, _| Reply::json(200, format!("{{\"a\":\"{}\"}}", "x".repeat(2 << 20)))),
        ("a list without it", |_, _, _| {
            Reply::json(200, r#"{"resources":[{"resource":"https://x.test/"}]}"#)
        }),
    ];
    let count = cases.len();
    for (name, answer) in cases {
        let other = elsewhere_url.clone();
        let foreign = foreign(move |request, url, issuer| match request.path() {
            "/mcp" => challenged(401, "Bearer"),
            _ => answer(url, issuer, &other),
        });
        let server = foreign.agent.mcp(&foreign.url).unwrap();
        let (answer, described) = (server.request(ApiRequest::get("")), server.discover());
        let sent = foreign.server.count(|request| request.path() == "/mcp");
        if name.contains("authorization server") || name.contains("issuer") {
            // The server wants tokens of another service.
            let origin = match name {
                "another authorization server" => elsewhere_url.clone(),
                "no authorization server" => "none".to_owned(),
                _ => foreign.served.url().to_owned(),
            };
            let expected = Some(&ProtocolFault::ForeignAuthorizationServer { origin });
            assert_eq!(fault(answer.as_ref().unwrap_err()), expected, "{name}");
            assert_eq!((fault(&described.unwrap_err()), sent), (expected, 1), "{name}");
        } else {
            // It is not a description, so it says nothing: a new token, and what the server says to that.
            assert_eq!((answer.unwrap().status().as_u16(), sent), (401, 2), "{name}");
            // The service describes the servers that it knows.
            let known = described.unwrap();
            assert_eq!(known.scopes_supported().to_string(), "mcp:read mcp:write", "{name}");
        }
        nothing_else_travelled(&foreign);
    }
    // A challenge that points to another origin.
    let other = elsewhere_url.clone();
    let foreign = foreign(move |_, _, _| challenged(401, format!("Bearer resource_metadata=\"{other}/x\"")));
    let answer = foreign.agent.mcp(&foreign.url).unwrap().request(ApiRequest::get("")).unwrap();
    assert_eq!(answer.status(), 401);
    let touched = elsewhere.requests().len();
    assert_eq!(touched, 0);
    println!("s8: {} descriptions that lead elsewhere, {touched} requests there", count + 1);
}

#[test]
fn requests_stay_on_the_servers_origin() {
    let foreign = foreign(|_, _, _| Reply::json(200, "{}"));
    let server = foreign.agent.mcp(&foreign.url).unwrap();
    for path in ["https://other.test/x", foreign.served.url(), "//other.test/x", "tools", "/../x"] {
        let error = server.request(ApiRequest::get(path)).unwrap_err();
        assert!(matches!(error, Error::Input(_)), "{path}: {error}");
    }
    assert!(foreign.server.requests().is_empty());
    for bad in ["files", "urn:mcp:files", "http://far.test/mcp", "https://h/#x"] {
        assert!(matches!(foreign.agent.mcp(bad), Err(Error::Input(_))), "{bad}");
    }
}

const WITH_S256: &str = r#"{"issuer":"https://issuer.test","code_challenge_methods_supported":["S256"]}"#;

#[test]
fn what_the_service_says_is_looked_for_under_its_other_name_upon_anything_but_a_good_document() {
    let bad = [
        (401, "{}"),
        (403, "{}"),
        (404, ""),
        (405, ""),
        (200, "<html>"),
        (200, "[]"),
        (204, ""),
        (503, "{}"),
    ];
    for (status, body) in bad {
        let service = Server::start(move |request| match request.path() {
            "/t/acme/api/v1/.well-known/oauth-authorization-server" => Reply::json(status, body),
            "/t/acme/api/v1/.well-known/openid-configuration" => Reply::json(200, WITH_S256),
            "/.well-known/oauth-protected-resource/mcp" => {
                let host = request.header("host").unwrap_or_default();
                document(&format!("http://{host}/mcp"), "https://issuer.test")
            }
            _ => Reply::text(404, ""),
        });
        let builder = Agent::builder().base_url(service.url()).tenant("acme");
        let agent = builder.client_id("a").client_secret("b").build().unwrap();
        let found = agent.mcp(format!("{}/mcp", service.url()).as_str()).unwrap().discover();
        assert!(found.is_ok(), "{status} {body}: {found:?}");
    }
}

/// S12: an authorization server without S256 is none for MCP.
#[test]
fn s12_a_service_without_s256_is_refused() {
    for methods in ["", r#","code_challenge_methods_supported":["plain"]"#] {
        let service = Server::start(move |request| match request.path() {
            "/t/acme/api/v1/oauth/token" => {
                Reply::json(200, r#"{"access_token":"t","token_type":"Bearer","expires_in":300}"#)
            }
            "/t/acme/api/v1/.well-known/oauth-authorization-server" => {
                Reply::json(200, format!(r#"{{"issuer":"https://issuer.test"{methods}}}"#))
            }
            // What another document says does not undo it.
            "/t/acme/api/v1/.well-known/openid-configuration" => Reply::json(200, WITH_S256),
            "/t/acme/api/v1/mcp" => challenged(401, "Bearer"),
            "/.well-known/oauth-protected-resource/t/acme/api/v1/mcp" => {
                let host = request.header("host").unwrap_or_default();
                document(&format!("http://{host}/t/acme/api/v1/mcp"), "https://issuer.test")
            }
            _ => Reply::text(404, ""),
        });
        let builder = Agent::builder().base_url(service.url()).tenant("acme");
        let agent = builder.client_id("a").client_secret("b").build().unwrap();
        let url = format!("{}/t/acme/api/v1/mcp", service.url());
        let error = agent.mcp(&url).unwrap().request(ApiRequest::get("")).unwrap_err();
        assert!(error.to_string().contains("S256"), "{error}");
    }
}

#[test]
fn scopes_that_were_chosen_are_not_widened_by_what_is_supported() {
    let foreign = foreign(|request, url, issuer| match request.path() {
        "/mcp" => challenged(401, r#"Bearer error="invalid_token""#),
        "/.well-known/oauth-protected-resource/mcp" => document(url, issuer),
        _ => Reply::text(404, ""),
    });
    let server = foreign.agent.mcp(McpToken::new(&foreign.url).scopes(["mcp:read"])).unwrap();
    assert_eq!(server.request(ApiRequest::get("")).unwrap().status(), 401);
    assert_eq!(server.scopes().to_string(), "mcp:read");
}

#[test]
fn what_a_server_demands_in_vain_is_forgotten() {
    let demands = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = Arc::clone(&demands);
    let foreign = foreign(move |request, _, _| match request.path() {
        "/mcp" if request.target.contains("well") => Reply::json(200, "{}"),
        "/mcp" => {
            let number = counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let scopes: Vec<String> = (0..100).map(|scope| format!("odd:{number}:{scope}")).collect();
            challenged(403, format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", scopes.join(" ")))
        }
        _ => Reply::text(404, ""),
    });
    let server = foreign.agent.mcp(McpToken::new(&foreign.url).scopes(["mcp:read"])).unwrap();
    for _ in 0..20 {
        let error = server.request(ApiRequest::get("")).unwrap_err();
        assert_eq!(error.code(), Some("insufficient_scope"), "{error}");
        assert_eq!(server.scopes().to_string(), "mcp:read");
    }
    // The server is well again, and so is the handle.
    let answer = server.request(ApiRequest::get("/mcp").query("well", "1")).unwrap();
    assert_eq!(answer.status(), 200);
}

#[test]
fn a_refusal_without_a_challenge_drops_the_token() {
    let foreign = foreign(
        |request, _, _| {
            if request.index == 0 { Reply::json(401, "{}") } else { Reply::json(200, "{}") }
        },
    );
    let server = foreign.agent.mcp(&foreign.url).unwrap();
    assert_eq!(server.request(ApiRequest::get("")).unwrap().status(), 200);
    let mut requests = foreign.server.requests();
    requests.retain(|request| request.path() == "/mcp");
    assert_eq!(requests.len(), 2);
    assert_ne!(requests[0].header("authorization"), requests[1].header("authorization"));
}

#[test]
fn a_refusal_is_shared_by_all_who_waited() {
    let emulator = emulator();
    let agent = emulator.agent().unwrap();
    agent.access_token().unwrap();
    let refused = |agent: &Agent| agent.mcp_token("nothing").unwrap_err().code().map(str::to_owned);
    let codes = sixty_four(&agent, refused);
    assert!(codes.iter().all(|code| code.as_deref() == Some("invalid_target")), "{codes:?}");
    assert_eq!(exchanges(&emulator), 1);
    // A moment later it is asked again.
    emulator.advance(Duration::from_secs(2));
    agent.mcp_token("nothing").unwrap_err();
    assert_eq!(exchanges(&emulator), 2);
}

#[test]
fn a_bound_token_goes_to_no_other_origin() {
    let other = Server::start(|_| Reply::json(200, "{}"));
    let foreign = foreign(|_, _, _| Reply::json(200, "{}"));
    let agent = Agent::builder()
        .base_url(foreign.served.url())
        .tenant("acme")
        .client_id("agt_1")
        .client_secret("fixed")
        .allow_origin(other.url())
        .build()
        .unwrap();
    let token = agent.mcp_token(&foreign.url).unwrap();
    let error = agent.run(ApiRequest::get(format!("{}/x", other.url())).token(token)).unwrap_err();
    assert!(matches!(error, Error::Input(_)), "{error}");
    assert!(other.requests().is_empty());
}

/// A server that refuses the first token, with this challenge, and describes itself (if at all) as said.
fn renewing(
    challenge: &'static str,
    describe: impl Fn(&str, &str, &str) -> Reply + Send + Sync + 'static,
) -> (Foreign, Response) {
    let first = std::sync::OnceLock::new();
    let foreign =
        foreign(move |request, url, issuer| match (request.path(), request.header("authorization")) {
            ("/mcp", Some(token))
                if first.get_or_init(|| token.to_owned()) == token && challenge.is_empty() =>
            {
                Reply::json(401, "{}")
            }
            ("/mcp", Some(token)) if first.get_or_init(|| token.to_owned()) == token => {
                challenged(401, challenge)
            }
            ("/mcp", _) => Reply::json(200, "{}"),
            (place, _) => describe(place, url, issuer),
        });
    let answer = foreign.agent.mcp(&foreign.url).unwrap().request(ApiRequest::get("")).unwrap();
    (foreign, answer)
}

#[test]
fn renewing_needs_no_description() {
    type Script = fn(&str, &str, &str) -> Reply;
    let nowhere: Script = |_, _, _| Reply::text(404, "");
    let cases: [(&str, &'static str, Script); 10] = [
        ("no document", r#"Bearer error="invalid_token""#, nowhere),
        ("an inner host", r#"Bearer resource_metadata="https://inner.test/.well-known/x""#, nowhere),
        ("another scheme", r#"Bearer resource_metadata="https://127.0.0.1/.well-known/x""#, nowhere),
        (
            "a relative path",
            r#"Bearer resource_metadata="/.well-known/oauth-protected-resource/mcp""#,
            nowhere,
        ),
        (
            "twice",
            r#"Bearer resource_metadata="https://a.test/", resource_metadata="https://b.test/""#,
            nowhere,
        ),
        ("no challenge", "", nowhere),
        ("HTML", "Bearer", |_, _, _| Reply::html(200, "<html>")),
        ("a redirect", "Bearer", |_, _, _| Reply::text(302, "").header("Location", "https://a.test/")),
        ("503", "Bearer", |_, _, _| Reply::json(503, "{}")),
        ("403", "Bearer", |_, _, _| Reply::json(403, "{}")),
    ];
    for (name, challenge, describe) in cases {
        let (foreign, answer) = renewing(challenge, describe);
        assert_eq!(answer.status(), 200, "{name}");
        assert_eq!(exchanges(&foreign.emulator), 2, "{name}");
        nothing_else_travelled(&foreign);
    }
    println!("mcp: a token is renewed at {} servers without a good description", cases.len());
}

#[test]
fn what_a_bare_refusal_does_not_say_is_read_at_the_servers_own_places() {
    for challenge in ["", "Bearer", r#"Bearer resource_metadata="x", resource_metadata="y""#] {
        // At the second place, behind a page.
        let (foreign, answer) = renewing(challenge, |place, url, issuer| match place {
            "/.well-known/oauth-protected-resource" => document(url, issuer),
            _ => Reply::html(200, "<html>"),
        });
        assert_eq!(answer.status(), 200, "{challenge}");
        let token = foreign.agent.mcp_token(McpToken::new(&foreign.url).scopes(["mcp:write"])).unwrap();
        assert_eq!(token.scopes().to_string(), "mcp:write");
        assert_eq!(exchanges(&foreign.emulator), 2, "{challenge}: that token was held already");
    }
}

#[test]
fn too_few_scopes_without_a_name_ask_for_what_the_resource_supports() {
    let foreign = foreign(|request, url, issuer| match request.path() {
        "/mcp" => challenged(403, r#"Bearer error="insufficient_scope""#),
        "/.well-known/oauth-protected-resource/mcp" => document(url, issuer),
        _ => Reply::text(404, ""),
    });
    let server = foreign.agent.mcp(&foreign.url).unwrap();
    assert_eq!(server.request(ApiRequest::get("")).unwrap().status(), 403);
    let sent = foreign.server.count(|request| request.path() == "/mcp");
    assert_eq!((sent, server.scopes().to_string()), (2, "mcp:write".to_owned()));
}

#[test]
fn a_token_that_the_service_ended_early_is_replaced_as_a_subject() {
    let emulator = emulator();
    let agent = emulator.agent().unwrap();
    let own = agent.access_token().unwrap();
    agent.run(lumoauth::embed::operations::Revoke::new(own.secret().clone())).unwrap();
    let before = emulator.count("oauth.token").unwrap();
    agent.mcp_token("files").unwrap();
    let asked = emulator.count("oauth.token").unwrap() - before;
    assert_eq!(asked, 3, "refused as a subject, replaced, exchanged");
    assert_ne!(agent.access_token().unwrap().secret(), own.secret());
}
