//! Sessions of an MCP server (revisions up to 2025-11-25): whoever began one uses it, and nobody else.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use lumoauth::http::{HeaderMap, Method, Request};
use lumoauth::tower::ServerAuth;
use serde_json::json;

use super::support::*;

const SECRET: &str = "thirty-two bytes or a few more of them";

/// A method, the session and the event that came with it.
type Seen = (Method, Option<String>, Option<String>);

/// A server with a session for everybody; it remembers what reached it of sessions and events.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<Vec<Seen>>>);

impl Server {
    fn router(&self, id: &'static str) -> Router {
        let seen = Arc::clone(&self.0);
        Router::new().fallback(any(move |method: Method, headers: HeaderMap| {
            let told = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            seen.lock().unwrap().push((method, told("mcp-session-id"), told("last-event-id")));
            async move { ([("mcp-session-id", id), ("content-type", "application/json")], "{}").into_response() }
        }))
    }

    fn last(&self) -> Option<Seen> {
        self.0.lock().unwrap().last().cloned()
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

fn message(method: Method, token: &str, headers: &[(&'static str, &str)]) -> Request<Body> {
    let body = if method == Method::POST { r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"# } else { "" };
    let mut request = request(method, "/mcp", Some(token));
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    *request.body_mut() = Body::from(body);
    request
}

fn session(response: &Response) -> String {
    header(response, "mcp-session-id").unwrap().to_owned()
}

#[test]
fn a_session_is_its_beginners() {
    let issuer = Issuer::new();
    let server = Server::default();
    let app = server.router("s.1~!").layer(ServerAuth::new(issuer.verifier()).layer());
    let acting = |agent: &str, id: &str| json!({"sub": "user:alice", "auth_time": 1, "act": {"sub": agent}, "agent_id": id});
    let callers = [
        json!({"sub": "user:alice", "auth_time": 1}),
        json!({"sub": "user:bob", "auth_time": 1}),
        json!({"sub": "user:alice", "auth_time": 1, "client_id": "other"}),
        // What stands together stays apart.
        json!({"sub": "user:aliceapp", "auth_time": 1, "client_id": "app"}),
        json!({"sub": "user:alice", "auth_time": 1, "client_id": "appapp"}),
        json!({"sub": "agent:bot", "agent_id": "agt_1"}),
        json!({"sub": "agent:bot", "agent_id": "agt_2"}),
        acting("agent:bot", "agt_1"),
        acting("agent:other", "agt_1"),
        acting("agent:bot", "agt_2"),
        json!({"sub": "user:alice", "auth_time": 1, "act": {"sub": "agent:bot", "act": {"sub": "agent:other"}}, "agent_id": "agt_1"}),
    ];
    run(async {
        let mut ids = Vec::new();
        for caller in &callers {
            let response = send(&app, message(Method::POST, &issuer.token(caller), &[])).await;
            ids.push(session(&response));
        }
        let mut refused = 0;
        for (owner, id) in ids.iter().enumerate() {
            assert!(id.starts_with("s.1~!."), "what a load balancer may look at stays in front: {id}");
            for (at, caller) in callers.iter().enumerate() {
                // Renewed, with other scopes, it is the same caller's.
                let mut renewed = caller.clone();
                renewed["scope"] = json!("more");
                renewed["jti"] = json!("another");
                for method in [Method::POST, Method::GET, Method::DELETE, Method::HEAD, Method::OPTIONS] {
                    let before = server.count();
                    let token = issuer.token(&renewed);
                    let headers = [("mcp-session-id", id.as_str()), ("last-event-id", "7")];
                    let response = send(&app, message(method.clone(), &token, &headers)).await;
                    if owner == at {
                        assert_eq!((response.status().as_u16(), session(&response)), (200, id.clone()));
                        let own = (method, Some("s.1~!".to_owned()), Some("7".to_owned()));
                        assert_eq!(server.last().unwrap(), own, "the server has its own id");
                    } else {
                        let (status, challenge, body) = told(response).await;
                        let words = if method == Method::HEAD { "" } else { r#"{"detail":"Not Found"}"# };
                        assert_eq!((status.as_u16(), challenge, body.as_str()), (404, None, words));
                        assert_eq!(server.count(), before, "{owner} {at} {method}");
                        refused += 1;
                    }
                }
            }
        }
        println!("{refused} requests with a session of another caller: none reached the server");
    });
}

#[test]
fn what_was_not_given_out_is_no_session() {
    let issuer = Issuer::new();
    let server = Server::default();
    let app = server.router("s-1").layer(ServerAuth::new(issuer.verifier()).layer());
    run(async {
        let token = issuer.person();
        let id = session(&send(&app, message(Method::POST, &token, &[])).await);
        let before = server.count();
        let mut made =
            vec![String::new(), "s-1".into(), "s-1.".into(), ".".into(), format!("{id}="), format!("{id}.")];
        made.push(format!("s-2{}", id.strip_prefix("s-1").unwrap()));
        made.push(format!("s-1.x{}", id.strip_prefix("s-1").unwrap()));
        made.extend((0..id.len()).map(|at| id[..at].to_owned()));
        // Every single letter changed.
        for at in 0..id.len() {
            let mut other = id.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            made.push(String::from_utf8(other).unwrap());
        }
        for made in &made {
            let response = send(&app, message(Method::POST, &token, &[("mcp-session-id", made)])).await;
            assert_eq!(response.status(), 404, "{made:?}");
        }
        let twice = [("mcp-session-id", id.as_str()), ("mcp-session-id", id.as_str())];
        assert_eq!(send(&app, message(Method::POST, &token, &twice)).await.status(), 404);
        assert_eq!(server.count(), before);
        // Without a session there is nothing to resume: the id of an event is not enough.
        for method in [Method::GET, Method::POST] {
            send(&app, message(method.clone(), &token, &[("last-event-id", "of-somebody")])).await;
            assert_eq!(server.last().unwrap(), (method, None, None));
        }
        println!("{} ids that were not given out: 404", made.len());
    });
}

/// On a public route nobody is known, so nobody has a session there: not one of the server's own either.
#[test]
fn nobody_has_a_session() {
    let issuer = Issuer::new();
    let server = Server::default();
    let auth = ServerAuth::new(issuer.verifier()).public(Method::POST, "/mcp").public(Method::GET, "/mcp");
    let app = server.router("s-1").layer(auth.layer());
    run(async {
        for method in [Method::POST, Method::GET] {
            let headers = [("mcp-session-id", "s-1"), ("last-event-id", "7")];
            let response = send(&app, message(method.clone(), &issuer.person(), &headers)).await;
            assert_eq!((response.status().as_u16(), header(&response, "mcp-session-id")), (200, None));
            assert_eq!(server.last(), Some((method, None, None)));
        }
    });
}

#[test]
fn processes_with_one_secret_know_each_others_sessions() {
    let issuer = Issuer::new();
    let auth = || ServerAuth::new(issuer.verifier());
    let too_short = auth().session_secret("31 bytes, which can be guessed.").unwrap_err();
    assert!(too_short.to_string().starts_with("session_secret has fewer than 32 bytes"), "{too_short}");
    let shared = || auth().session_secret(SECRET).unwrap();
    assert!(!format!("{:?}", shared()).contains("thirty"));
    run(async {
        let app = |auth: &ServerAuth| Server::default().router("s-1").layer(auth.layer());
        let token = issuer.person();
        let drawn = auth();
        for (one, other, knows) in [
            (shared(), shared(), true),
            (drawn.clone(), drawn, true),
            (auth(), auth(), false),
            (shared(), auth(), false),
            (shared(), auth().session_secret(format!("{SECRET}.")).unwrap(), false),
        ] {
            let id = session(&send(&app(&one), message(Method::POST, &token, &[])).await);
            let response =
                send(&app(&other), message(Method::POST, &token, &[("mcp-session-id", &id)])).await;
            assert_eq!(response.status() == 200, knows);
        }
    });
}
