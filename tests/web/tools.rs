//! MCP servers behind their guard: rules per tool, lists that show what may be called, and what is refused.

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::any;
use lumoauth::emulator::{AgentSeed, Emulator, FaultRule, Tenant, UserSeed};
use lumoauth::http::Method;
use lumoauth::service::{Caller, Rule};
use lumoauth::tower::ServerAuth;
use serde_json::{Value, json};

use super::mcp::*;
use super::support::*;

#[test]
fn each_caller_sees_what_it_may_call_and_can_call_no_more() {
    let issuer = Issuer::new();
    let server = Server::default();
    let app = server.behind(&rules(ServerAuth::new(issuer.verifier())));
    run(async {
        let reader = issuer.token(&json!({"auth_time": 1, "scope": "docs:read"}));
        let capable = issuer.token(&json!({"agent_id": "a", "scope": "tool:use"}));
        let for_alice = issuer.token(&json!({"act": {"sub": "a"}, "scope": "tool:use docs:read"}));
        for (token, may) in [
            (issuer.person(), &["open", "people"][..]),
            (reader, &["open", "read", "people"]),
            (issuer.agent(), &["open", "agents"]),
            (capable, &["open", "agents", "capable"]),
            (for_alice, &["open", "read", "agents"]),
            (issuer.unknown(), &["open"]),
        ] {
            let response = send(&app, post(Some(&token), &list(), &[])).await;
            let text = text(response).await;
            assert_eq!(names(&text), may);
            let mut expected = listed(may);
            expected["result"]["tools"]
                .as_array_mut()
                .unwrap()
                .iter_mut()
                .for_each(|tool| tool["x"] = json!(1));
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected, "everything else stays");
            for tool in TOOLS {
                let before = server.count();
                let status = send(&app, post(Some(&token), &call(tool), &[])).await.status();
                assert_eq!(status.as_u16(), if may.contains(&tool) { 200 } else { 403 }, "{tool}");
                assert_eq!(server.count() - before, usize::from(may.contains(&tool)));
            }
        }
    });
}

#[test]
fn a_challenge_names_all_scopes_that_the_call_needs() {
    let issuer = Issuer::new();
    let emulator = Emulator::demo().unwrap();
    let config = issuer.config().require_scopes("mcp:use");
    let verifier = lumoauth::asynchronous::TokenVerifier::build_with(config, emulator.transport()).unwrap();
    let app = Server::default().behind(&rules(ServerAuth::new(verifier)));
    run(async {
        let document = "resource_metadata=\"https://api.acme.test/.well-known/oauth-protected-resource/v1\"";
        let response =
            send(&app, post(None, &call("read"), &[("mcp-method", "tools/call"), ("mcp-name", "read")]))
                .await;
        let challenge = header(&response, "www-authenticate").unwrap();
        assert_eq!(
            (response.status().as_u16(), challenge),
            (401, &*format!("Bearer scope=\"mcp:use docs:read\", {document}"))
        );
        let token = issuer.token(&json!({"scope": "mcp:use"}));
        let (status, challenge, body) = told(send(&app, post(Some(&token), &call("read"), &[])).await).await;
        let expected =
            format!("Bearer error=\"insufficient_scope\", scope=\"mcp:use docs:read\", {document}");
        assert_eq!(
            (status.as_u16(), challenge.unwrap(), body.as_str()),
            (403, expected, r#"{"detail":"Forbidden"}"#)
        );
        // Scopes would not help: nobody is told of any.
        let (status, challenge, _) = told(send(&app, post(Some(&token), &call("people"), &[])).await).await;
        assert_eq!((status.as_u16(), challenge), (403, None));
    });
}

#[test]
fn the_callers_token_goes_nowhere_and_the_caller_is_known() {
    let issuer = Issuer::new();
    let server = Server::default();
    let app = server.behind(&ServerAuth::new(issuer.verifier()));
    let who = Router::new()
        .fallback(any(async |caller: Caller| caller.subject().to_owned()))
        .layer(ServerAuth::new(issuer.verifier()).layer());
    run(async {
        let token = issuer.person();
        for request in [
            post(Some(&token), &call("open"), &[]),
            request(Method::GET, "/mcp", Some(&token)),
            request(Method::DELETE, "/mcp", Some(&token)),
        ] {
            send(&app, request).await;
        }
        let seen = server.seen.lock().unwrap().clone();
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|(headers, body)| !format!("{headers:?}{body}").contains(&token)
            && !headers.contains_key("authorization")));
        assert_eq!(text(send(&who, post(Some(&token), &call("open"), &[])).await).await, "user:alice");
    });
}

#[test]
fn messages_that_do_not_say_one_thing_reach_nobody() {
    let issuer = Issuer::new();
    let server = Server::default();
    let app = server.behind(&rules(ServerAuth::new(issuer.verifier())).body_limit(2000));
    run(async {
        let token = issuer.person();
        let code = async |body: &str, headers: &[(&'static str, &str)]| {
            let mut request = post(Some(&token), &Value::Null, headers);
            *request.body_mut() = Body::from(body.to_owned());
            let response = send(&app, request).await;
            let status = response.status().as_u16();
            let answer: Value = serde_json::from_str(&text(response).await).unwrap();
            (status, answer["error"]["code"].as_i64())
        };
        let open = call("open").to_string();
        assert_eq!(
            code(&open, &[("mcp-method", "tools/call"), ("mcp-name", "people")]).await,
            (400, Some(-32020))
        );
        assert_eq!(code(&call("people").to_string(), &[("mcp-name", "open")]).await, (400, Some(-32020)));
        assert_eq!(code(&open, &[("mcp-method", "tools/list")]).await, (400, Some(-32020)));
        let twice = r#"{"id":1,"method":"tools/call","params":{"name":"open","name":"agents"}}"#;
        assert_eq!(code(twice, &[]).await, (400, Some(-32700)));
        assert_eq!(code(&format!("[{open}]"), &[]).await, (400, Some(-32600)));
        assert_eq!(code(r#"{"method":"tools/call","params":{}}"#, &[]).await, (400, Some(-32602)));
        assert_eq!(code(&"x".repeat(2001), &[]).await, (413, None));
        // Every method but those of streams carries a message.
        let mut put = post(Some(&token), &call("agents"), &[]);
        *put.method_mut() = Method::PUT;
        assert_eq!(send(&app, put).await.status(), 403);
        assert_eq!(server.count(), 0);
        for method in [Method::GET, Method::DELETE, Method::HEAD, Method::OPTIONS, Method::POST] {
            assert_eq!(send(&app, request(method, "/mcp", None)).await.status(), 401);
        }
        assert_eq!(server.count(), 0);
    });
}

#[test]
fn streams_are_filtered_too() {
    let issuer = Issuer::new();
    let whole = listed(&TOOLS);
    let progress =
        json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"x": "é\u{2028}"}});
    let text_of = format!(
        "id: 0\nretry: 3\ndata: \n\n: note\ndata: {progress}\n\nevent: message\nid: 1\r\ndata: {whole}\r\n\r\n"
    );
    let server = Server::answering(stream(text_of));
    let app = server.behind(&rules(ServerAuth::new(issuer.verifier())));
    run(async {
        for request in
            [post(Some(&issuer.person()), &list(), &[]), request(Method::GET, "/mcp", Some(&issuer.person()))]
        {
            let response = send(&app, request).await;
            assert_eq!(header(&response, "content-type"), Some("text/event-stream; charset=utf-8"));
            let text = text(response).await;
            let (before, last) = text.rsplit_once("data: ").unwrap();
            assert_eq!(
                before,
                format!("id: 0\nretry: 3\ndata: \n\n: note\ndata: {progress}\n\nevent: message\nid: 1\n")
            );
            assert_eq!(names(last), ["open", "people"]);
        }
        // A call's stream is not touched.
        let untouched = text(send(&app, post(Some(&issuer.person()), &call("open"), &[])).await).await;
        assert!(untouched.contains("agents") && untouched.contains("\r\n\r\n"));
    });
}

#[test]
fn what_cannot_be_read_is_not_passed() {
    let issuer = Issuer::new();
    let json = |text: &'static str| move || ([("content-type", "application/json")], text).into_response();
    let twice = r#"{"result":{"tools":[]},"result":{"tools":[{"name":"agents"}]}}"#;
    run(async {
        let answered = async |server: Server| {
            let app = server.behind(&rules(ServerAuth::new(issuer.verifier())).body_limit(5000));
            let response = send(&app, post(Some(&issuer.person()), &list(), &[])).await;
            let status = response.status().as_u16();
            let read = axum::body::to_bytes(response.into_body(), 1 << 20).await;
            (status, read.map_or("broken".to_owned(), |body| String::from_utf8(body.to_vec()).unwrap()))
        };
        let bad = r#"{"detail":"Bad Gateway"}"#.to_owned();
        assert_eq!(answered(Server::answering(json(twice))).await, (502, bad.clone()));
        assert_eq!(answered(Server::answering(json("{"))).await, (502, bad.clone()));
        let long = || ([("content-type", "application/json")], " ".repeat(5001)).into_response();
        assert_eq!(answered(Server::answering(long)).await, (502, bad.clone()));
        let text = || listed(&["agents"]).to_string().into_response();
        assert_eq!(answered(Server::answering(text)).await, (502, bad.clone()));
        let packed =
            || ([("content-type", "application/json"), ("content-encoding", "gzip")], "x").into_response();
        assert_eq!(answered(Server::answering(packed)).await, (502, bad));
        // Of a stream, the events that can be read.
        let events = "data: {\"a\":1}\n\ndata: {broken\n\ndata: {\"b\":2}\n\ndata: {\"result\":{\"tools\":[{\"name\":\"agents\"}]}}".to_owned();
        let kept = answered(Server::answering(stream(events))).await;
        assert_eq!(kept, (200, "data: {\"a\":1}\n\ndata: {\"b\":2}\n\n".to_owned()));
        let endless = format!("data: {}\n\n", "x".repeat(6000));
        assert_eq!(answered(Server::answering(stream(endless))).await, (200, "broken".to_owned()));
        // A refusal of the server's own passes.
        let refused = || (lumoauth::http::StatusCode::NOT_ACCEPTABLE, "Not Acceptable").into_response();
        assert_eq!(answered(Server::answering(refused)).await, (406, "Not Acceptable".to_owned()));
        let nothing = || lumoauth::http::StatusCode::ACCEPTED.into_response();
        assert_eq!(answered(Server::answering(nothing)).await, (202, String::new()));
    });
}

/// A tenant whose policies decide about tools, and its service's agent.
fn policies() -> Emulator {
    let service = AgentSeed::new("agt_service").name("service").capabilities(["authz:check"]);
    let bot = AgentSeed::new("agt_bot").name("bot");
    let allow = |name: &str, tool: &str, id: &str| {
        json!({"name": name, "resourceType": "mcp_server", "action": tool, "effect": "allow",
            "conditions": {"operator": "AND", "conditions": [{"subject": "user.id", "operator": "equals", "value": id}]}})
    };
    let tenant = Tenant::new("acme")
        .agent(service)
        .agent(bot)
        .user(UserSeed::new("alice"))
        .user(UserSeed::new("bob"))
        .policy(allow("alice", "secret", "alice"))
        .policy(allow("bot", "secret", "agt_bot"))
        .policy(allow("bob", "other", "bob"));
    Emulator::builder().tenant(tenant).build().unwrap()
}

#[test]
fn policies_are_asked_with_the_services_own_credential() {
    let (issuer, emulator) = (Issuer::new(), policies());
    let server = Server::default();
    let auth =
        ServerAuth::new(issuer.verifier()).tool("secret", Rule::new().policy()).policies_by(agent(&emulator));
    let app = server.behind(&auth);
    let asked = || emulator.count("authz.evaluations").unwrap();
    run(async {
        let now = 1;
        let person = |name: &str| issuer.token(&json!({"sub": format!("user:{name}"), "auth_time": now}));
        let agent_of = |id: &str| issuer.token(&json!({"sub": "x", "agent_id": id}));
        let acting = |name: &str, id: Value| {
            issuer.token(&json!({"sub": format!("user:{name}"), "act": {"sub": "x"}, "agent_id": id}))
        };
        for (token, status, costs) in [
            (person("alice"), 200, 1),
            (person("alice"), 200, 0),
            (person("bob"), 403, 1),
            (person("nobody"), 403, 1),
            (agent_of("agt_bot"), 200, 1),
            (agent_of("agt_other"), 403, 1),
            (issuer.token(&json!({"agent_name": "bot"})), 403, 0),
            (issuer.unknown(), 403, 0),
            (acting("alice", json!("agt_bot")), 200, 1),
            (acting("bob", json!("agt_bot")), 403, 1),
            (acting("alice", json!("agt_other")), 403, 1),
            (acting("alice", json!(null)), 403, 0),
        ] {
            let before = asked();
            let response = send(&app, post(Some(&token), &call("secret"), &[])).await;
            assert_eq!((response.status().as_u16(), asked() - before), (status, costs));
        }
        // The caller's token is in none of the questions.
        let log = format!("{:?}", emulator.log());
        assert!(!log.contains(&person("alice")));

        // Allows are used for 30 s, denials for 5 s.
        emulator.advance(std::time::Duration::from_secs(4));
        let ask = async |token: String| {
            let before = asked();
            let status = send(&app, post(Some(&token), &call("secret"), &[])).await.status().as_u16();
            (status, asked() - before)
        };
        assert_eq!((ask(person("alice")).await, ask(person("bob")).await), ((200, 0), (403, 0)));
        emulator.advance(std::time::Duration::from_secs(2));
        assert_eq!((ask(person("alice")).await, ask(person("bob")).await), ((200, 0), (403, 1)));
        emulator.advance(std::time::Duration::from_secs(25));
        assert_eq!(ask(person("alice")).await, (200, 1));

        // When it cannot be asked, nobody gets through on what is not known.
        emulator.advance(std::time::Duration::from_secs(31));
        for fault in [
            FaultRule::on("authz.evaluations").status(500),
            FaultRule::on("authz.evaluations").status(403),
            FaultRule::on("authz.evaluations").body("application/json", r#"{"evaluations":[]}"#),
            FaultRule::on("authz.evaluations")
                .body("application/json", r#"{"evaluations":[{"decision":"true"}]}"#),
            FaultRule::on("authz.evaluations").reset(),
        ] {
            emulator.clear_faults();
            emulator.fault(fault.always()).unwrap();
            assert_eq!(ask(person("alice")).await.0, 503);
        }
        emulator.clear_faults();
        let nobody_asks = Server::default();
        let alone =
            nobody_asks.behind(&ServerAuth::new(issuer.verifier()).tool("secret", Rule::new().policy()));
        assert_eq!(send(&alone, post(Some(&person("alice")), &call("secret"), &[])).await.status(), 503);
        assert_eq!(nobody_asks.count(), 0);
    });
}

#[test]
fn a_list_costs_one_question_at_most() {
    let (issuer, emulator) = (Issuer::new(), policies());
    let many: Vec<String> = (0..150).map(|at| format!("tool {at}")).collect();
    let tools: Vec<&str> = ["secret", "other"].into_iter().chain(many.iter().map(String::as_str)).collect();
    let answer = listed(&tools).to_string();
    let server =
        Server::answering(move || ([("content-type", "application/json")], answer.clone()).into_response());
    let auth =
        ServerAuth::new(issuer.verifier()).other_tools(Rule::new().policy()).policies_by(agent(&emulator));
    let app = server.behind(&auth);
    let asked = || emulator.count("authz.evaluations").unwrap();
    run(async {
        for (name, expected) in [("alice", "secret"), ("bob", "other")] {
            let token = issuer.token(&json!({"sub": format!("user:{name}"), "auth_time": 1}));
            let before = asked();
            let seen = names(&text(send(&app, post(Some(&token), &list(), &[])).await).await);
            assert_eq!((seen, asked() - before), (vec![expected.to_owned()], 1));
        }
        // Of those of whom nothing can be asked, nothing is.
        let before = asked();
        let seen = names(&text(send(&app, post(Some(&issuer.unknown()), &list(), &[])).await).await);
        assert_eq!((seen.len(), asked() - before), (0, 0));
        emulator.fault(FaultRule::on("authz.evaluations").status(500).always()).unwrap();
        emulator.advance(std::time::Duration::from_secs(60));
        let token = issuer.token(&json!({"sub": "user:alice", "auth_time": 1}));
        let seen = names(&text(send(&app, post(Some(&token), &list(), &[])).await).await);
        assert!(seen.is_empty(), "what cannot be asked is not shown");
    });
}

#[test]
fn a_rule_about_policies_lets_nobody_through_where_nobody_asks() {
    let issuer = Issuer::new();
    run(async {
        let handler = Handler::default();
        let app =
            handler.behind(lumoauth::tower::Verified::new(issuer.verifier()).require(Rule::new().policy()));
        assert_eq!(get(&app, "/x", Some(&issuer.person())).await.status(), 403);
        assert_eq!(handler.runs(), 0);
    });
}
