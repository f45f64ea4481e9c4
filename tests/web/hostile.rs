//! Callers that want more of an MCP server than they may have, and what goes out of their sight.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::get as route;
use lumoauth::emulator::{AgentSeed, Emulator, Tenant};
use lumoauth::http::{Method, Request};
use lumoauth::service::Rule;
use lumoauth::tower::ServerAuth;
use serde_json::{Value, json};

use super::mcp::*;
use super::support::*;

/// The same request with another body, and its length.
fn carrying(mut request: Request<Body>, body: String) -> Request<Body> {
    request.headers_mut().insert("content-length", body.len().into());
    *request.body_mut() = Body::from(body);
    request
}

#[test]
fn tools_are_never_public() {
    let issuer = Issuer::new();
    let server = Server::default();
    let auth = rules(ServerAuth::new(issuer.verifier()));
    let app = server.behind(&auth.public(Method::POST, "/mcp").public(Method::GET, "/mcp"));
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}});
    run(async {
        assert_eq!(send(&app, post(None, &initialize, &[])).await.status(), 200, "the rest of it is");
        let escaped = r#"{"method":"tools\u002fcall","params":{"n\u0061me":"open"}}"#.to_owned();
        let list_in_headers = post(None, &list(), &[("mcp-method", "tools/list")]);
        for refused in [
            post(None, &call("open"), &[]),
            post(None, &call("no such tool"), &[]),
            post(None, &list(), &[]),
            list_in_headers,
            carrying(post(None, &Value::Null, &[]), escaped),
        ] {
            let (status, challenge, _) = told(send(&app, refused).await).await;
            assert_eq!(status, 401);
            assert!(challenge.unwrap().starts_with("Bearer "));
        }
        for unreadable in ["x", "[]", "", r#"{"method":"initialize","method":"tools/call"}"#] {
            let request = carrying(post(None, &Value::Null, &[]), unreadable.to_owned());
            assert_eq!(send(&app, request).await.status(), 400, "{unreadable}");
        }
        assert_eq!(server.count(), 1);
        // Whoever has a token is somebody there too.
        let token = issuer.person();
        assert_eq!(send(&app, post(Some(&token), &call("people"), &[])).await.status(), 200);
        assert_eq!(send(&app, post(Some(&token), &call("agents"), &[])).await.status(), 403);
        let seen = names(&text(send(&app, post(Some(&token), &list(), &[])).await).await);
        assert_eq!(seen, ["open", "people"]);
        // A stream that is public lists no tools.
        let open = Server::answering(stream(format!("data: {}\n\n", listed(&TOOLS))));
        let open = open.behind(&rules(ServerAuth::new(issuer.verifier())).public(Method::GET, "/mcp"));
        let text = text(get(&open, "/mcp", None).await).await;
        assert!(names(text.strip_prefix("data: ").unwrap()).is_empty(), "{text}");
    });
}

#[test]
fn the_callers_token_goes_nowhere_on_public_routes_either() {
    let issuer = Issuer::new();
    let server = Server::default();
    let auth = ServerAuth::new(issuer.verifier()).preflights();
    let app = server.behind(&auth.public(Method::GET, "/health").public(Method::POST, "/mcp"));
    run(async {
        let token = issuer.person();
        let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize"});
        let twice = {
            let mut request = request(Method::GET, "/health", Some(&token));
            request.headers_mut().append("authorization", format!("Bearer {token}").parse().unwrap());
            request
        };
        let odd = {
            let mut request = request(Method::GET, "/health", None);
            request.headers_mut().insert("authorization", format!("DPoP {token}").parse().unwrap());
            request
        };
        for request in [
            request(Method::GET, "/health", Some(&token)),
            request(Method::HEAD, "/health", Some(&token)),
            post(Some(&token), &initialize, &[]),
            twice,
            odd,
        ] {
            assert_eq!(send(&app, request).await.status(), 200);
        }
        let seen = server.seen.lock().unwrap().clone();
        assert_eq!(seen.len(), 5);
        for (headers, _) in seen {
            assert!(!headers.contains_key("authorization"), "{headers:?}");
        }
    });
}

#[test]
fn only_messages_that_were_read_reach_the_server() {
    let issuer = Issuer::new();
    let server = Server::default();
    let app = server.behind(&rules(ServerAuth::new(issuer.verifier())).preflights());
    run(async {
        let token = issuer.person();
        let hidden = call("agents").to_string();
        for method in [Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS] {
            let request = carrying(request(method, "/mcp", Some(&token)), hidden.clone());
            send(&app, request).await;
        }
        let mut preflight = request(Method::OPTIONS, "/mcp", None);
        preflight.headers_mut().insert("origin", "https://page.test".parse().unwrap());
        preflight.headers_mut().insert("access-control-request-method", "POST".parse().unwrap());
        send(&app, carrying(preflight, hidden.clone())).await;
        let seen = server.seen.lock().unwrap().clone();
        assert_eq!(seen.len(), 5);
        for (headers, body) in seen {
            assert_eq!((body.as_str(), headers.get("content-length")), ("", None));
        }
        // By whatever other method, it is read first.
        for method in ["POST", "PUT", "PATCH", "TRACE", "post", "QUERY", "REPORT"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let request = carrying(request(method.clone(), "/mcp", Some(&token)), hidden.clone());
            assert_eq!(send(&app, request).await.status(), 403, "{method}");
        }
        assert_eq!(server.count(), 5);
    });
}

/// What one JSON reader takes for a call of one tool, another for a call of another, or of none.
#[test]
fn bodies_that_readers_may_read_differently_reach_nobody() {
    let issuer = Issuer::new();
    let server = Server::default();
    let app = server.behind(&rules(ServerAuth::new(issuer.verifier())));
    let call = r#"{"id":1,"method":"tools/call","params":{"name":"agents"}}"#;
    let list = r#"{"id":1,"method":"ping"}"#;
    let utf16: Vec<u8> = call.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut bodies: Vec<Vec<u8>> = [
        format!("{list}{call}"),
        format!("{list}\n{call}"),
        format!("{list}\0{call}"),
        format!("{list}//{call}"),
        format!("/*{list}*/{call}"),
        format!("\u{feff}{call}"),
        format!("[{list},{call}]"),
        format!("[[{call}]]"),
        list.replace("\"ping\"", "\"ping\",\"method\":\"tools/call\""),
        call.replace("\"method\"", "\"method\":\"ping\",\"m\\u0065thod\""),
        call.replace("{\"name\"", "{\"name\":\"open\",\"n\\u0061me\""),
        call.replace("\"params\"", "\"params\":{\"name\":\"open\"},\"p\\u0061rams\""),
        call.replace("\"id\":1", "\"id\":1e999"),
        call.replace("\"id\":1", "\"id\":NaN"),
        call.replace("\"id\":1", "\"id\":01"),
        call.replace("agents", "agents\\ud800"),
        call.replace("agents", "agents\u{7}"),
        call.replace('"', "'"),
        call.replace("}}", "},}"),
        format!("{}{call}{}", "[".repeat(5_000), "]".repeat(5_000)),
    ]
    .map(String::into_bytes)
    .into();
    bodies.push(utf16);
    bodies.push([call.as_bytes(), b"\xff"].concat());
    bodies.push(
        call.replace("agents", "agents?")
            .into_bytes()
            .iter()
            .map(|b| if *b == b'?' { 0xc0 } else { *b })
            .collect(),
    );
    run(async {
        let token = issuer.person();
        for body in &bodies {
            let mut request = post(Some(&token), &Value::Null, &[]);
            *request.body_mut() = Body::from(body.clone());
            let status = send(&app, request).await.status();
            assert_eq!(status, 400, "{}", String::from_utf8_lossy(body));
        }
        assert_eq!(server.count(), 0);
        // Packed bodies are no messages, whoever would unpack them.
        let packed = post(Some(&token), &Value::Null, &[("content-encoding", "gzip")]);
        assert_eq!(send(&app, carrying(packed, "\u{1f}\u{8b}\u{8}".to_owned())).await.status(), 400);
        // Big numbers, blanks and escapes are what they are everywhere.
        let escaped = "\r\n\t {\"id\":123456789012345678901234567890,\"m\\u0065thod\":\"tools\\/call\",\"params\":{\"name\":\"op\\u0065n\"}} ";
        assert_eq!(
            send(&app, carrying(post(Some(&token), &Value::Null, &[]), escaped.to_owned())).await.status(),
            200
        );
        println!("{} bodies, none of which reached the server", bodies.len() + 1);
    });
}

#[test]
fn a_list_is_kept_for_nobody_else() {
    let issuer = Issuer::new();
    let mut whole = listed(&TOOLS);
    whole["result"]["ttlMs"] = json!(60_000);
    whole["result"]["cacheScope"] = json!("public");
    let text_of = whole.to_string();
    let plain = Server::answering(move || {
        let headers = [("content-type", "application/json"), ("cache-control", "public, max-age=600")];
        (headers, text_of.clone()).into_response()
    });
    let events = Server::answering(stream(format!("data: {whole}\n\n")));
    run(async {
        // Also for whoever sees all of it.
        for auth in [ServerAuth::new(issuer.verifier()), rules(ServerAuth::new(issuer.verifier()))] {
            for server in [&plain, &events] {
                let response = send(&server.behind(&auth), post(Some(&issuer.person()), &list(), &[])).await;
                assert_eq!(header(&response, "cache-control"), Some("no-store"));
                let text = text(response).await;
                let answer: Value =
                    serde_json::from_str(text.strip_prefix("data: ").unwrap_or(&text)).unwrap();
                let result = &answer["result"];
                assert_eq!((&result["cacheScope"], &result["ttlMs"]), (&json!("private"), &json!(60_000)));
            }
        }
    });
}

#[test]
fn names_of_tools_are_bounded_before_anybody_is_asked_about_them() {
    let issuer = Issuer::new();
    let service = AgentSeed::new("agt_service").capabilities(["authz:check"]);
    let emulator = Emulator::builder().tenant(Tenant::new("acme").agent(service)).build().unwrap();
    let server = Server::default();
    let auth = ServerAuth::new(issuer.verifier()).other_tools(Rule::new().policy());
    let app = server.behind(&auth.policies_by(agent(&emulator)));
    run(async {
        let token = issuer.person();
        for name in ["", &"a".repeat(1025), &"\u{e9}".repeat(600)] {
            let (status, _, body) = told(send(&app, post(Some(&token), &call(name), &[])).await).await;
            assert_eq!(status, 400);
            assert!(body.contains("-32602") && body.len() < 300, "{body}");
        }
        assert_eq!(emulator.count("authz.evaluations").unwrap(), 0);
        assert_eq!(send(&app, post(Some(&token), &call(&"a".repeat(1024)), &[])).await.status(), 403);
        assert_eq!((emulator.count("authz.evaluations").unwrap(), server.count()), (1, 0));
    });
}

#[test]
fn what_is_no_list_passes_as_it_is() {
    let issuer = Issuer::new();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let keep = Arc::clone(&seen);
    let pages = Router::new()
        .route("/page", route(async || ([("content-type", "text/html"), ("cache-control", "public")], "<p>")))
        .route("/long", route(async || ([("content-type", "application/json")], " ".repeat(9_000))))
        .layer(axum::middleware::from_fn(
            move |request: axum::extract::Request, next: axum::middleware::Next| {
                keep.lock().unwrap().push(request.headers().contains_key("accept-encoding"));
                next.run(request)
            },
        ));
    let app = pages.layer(rules(ServerAuth::new(issuer.verifier())).body_limit(5_000).layer());
    run(async {
        let with = |path: &str| {
            let mut request = request(Method::GET, path, Some(&issuer.person()));
            request.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
            request
        };
        let page = send(&app, with("/page")).await;
        assert_eq!(header(&page, "cache-control"), Some("public"));
        assert_eq!(text(page).await, "<p>");
        assert_eq!(text(send(&app, with("/long")).await).await.len(), 9_000);
        // A stream could list tools, and a packed one cannot be read.
        assert_eq!(*seen.lock().unwrap(), [false, false]);
        assert_eq!(get(&app, "/page", None).await.status(), 401);
    });
}

#[test]
fn lengths_are_those_of_what_is_sent_on() {
    let issuer = Issuer::new();
    let long = [("content-type", "application/json"), ("content-length", "999999")];
    let json = Server::answering(move || (long, listed(&TOOLS).to_string()).into_response());
    let stream_of = |text: String| {
        let headers = [("content-type", "text/event-stream"), ("content-length", "999999")];
        move || (headers, text.clone()).into_response()
    };
    let events = Server::answering(stream_of(format!("data: {}\n\n", listed(&TOOLS))));
    run(async {
        for server in [&json, &events] {
            let app = server.behind(&rules(ServerAuth::new(issuer.verifier())));
            let response = send(&app, post(Some(&issuer.person()), &list(), &[])).await;
            let said = header(&response, "content-length").map(str::to_owned);
            let length = text(response).await.len();
            assert!(said.is_none_or(|said| said == length.to_string()), "{length}");
        }
        // A message may be as long as it may be, whether it says so or not.
        let server = Server::default();
        let body = call("open").to_string();
        for (limit, status) in [(body.len(), 200), (body.len() - 1, 413)] {
            let app = server.behind(&ServerAuth::new(issuer.verifier()).body_limit(limit));
            for said in [true, false] {
                let request = post(Some(&issuer.person()), &Value::Null, &[]);
                let mut request = carrying(request, body.clone());
                if !said {
                    request.headers_mut().remove("content-length");
                }
                assert_eq!(send(&app, request).await.status().as_u16(), status, "{limit} {said}");
            }
        }
    });
}

#[test]
fn lists_are_asked_for_unpacked_and_everything_else_as_it_was() {
    let issuer = Issuer::new();
    let server = Server::default();
    let app = server.behind(&ServerAuth::new(issuer.verifier()));
    run(async {
        for message in [list(), call("open")] {
            send(&app, post(Some(&issuer.person()), &message, &[("accept-encoding", "gzip")])).await;
        }
        let seen = server.seen.lock().unwrap().clone();
        let packed: Vec<bool> =
            seen.iter().map(|(headers, _)| headers.contains_key("accept-encoding")).collect();
        assert_eq!(packed, [false, true]);
    });
}

#[test]
fn a_stream_ends_where_it_cannot_be_read() {
    let issuer = Issuer::new();
    run(async {
        let pieces =
            [format!("data: {}\n", "x".repeat(3_000)), format!("\n\ndata: {}\n\n", listed(&["open"]))];
        let server = Server::answering(move || {
            let body = Body::new(Pieces(pieces.clone().into()));
            ([("content-type", "text/event-stream")], body).into_response()
        });
        let app = server.behind(&ServerAuth::new(issuer.verifier()).body_limit(2_000));
        let mut body = send(&app, post(Some(&issuer.person()), &list(), &[])).await.into_body();
        let first = http_body_util::BodyExt::frame(&mut body).await.unwrap();
        assert!(first.is_err());
        assert!(http_body_util::BodyExt::frame(&mut body).await.is_none(), "nothing comes behind it");
    });
}

/// A body in pieces.
struct Pieces(std::collections::VecDeque<String>);

impl http_body::Body for Pieces {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, std::io::Error>>> {
        let piece = self.0.pop_front().map(|piece| Ok(http_body::Frame::data(piece.into())));
        std::task::Poll::Ready(piece)
    }
}
