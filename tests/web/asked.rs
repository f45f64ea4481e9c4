//! The layers that ask about the service's own agent, and that verify signed requests.

use axum::Router;
use axum::body::Body;
use axum::routing::{get as route, post};
use lumoauth::aauth::{
    AgentKey, Message, MessageFault, Nonce, RequestError, VerifiedRequest, VerifierConfig,
};
use lumoauth::asynchronous::aauth::Verifier;
use lumoauth::axum::{require_allowed, signed};
use lumoauth::crypto::{KeyPair, sign_compact};
use lumoauth::emulator::{Emulator, FaultRule};
use lumoauth::http::{Method, Request};
use lumoauth::time::Timestamp;
use lumoauth::tower::Allowed;
use lumoauth::verify::{IssuerKeys, TrustedIssuer};
use lumoauth::{Ask, Decision, Error};
use serde_json::json;

use super::support::*;

#[test]
fn allowed_denied_and_not_decided() {
    let emulator = Emulator::demo().unwrap();
    run(async {
        let client = agent(&emulator);
        let handler = Handler::default();
        let ask = |action: &str| handler.router().layer(require_allowed(client.clone(), action));
        assert_eq!(get(&ask("read_document"), "/x", None).await.status(), 200);

        let response = get(&ask("delete_user"), "/x", None).await;
        assert_eq!(response.status(), 403);
        let decision = response.extensions().get::<Decision>().unwrap();
        assert!(!decision.allowed() && decision.audit_id().is_some() && decision.reason().is_some());
        let (reason, audit) =
            (decision.reason().unwrap().to_owned(), decision.audit_id().unwrap().to_owned());
        let shown = format!("{:?}", response.headers());
        let body = text(response).await;
        assert_eq!(body, r#"{"detail":"Forbidden"}"#);
        assert!(!shown.contains(&reason) && !shown.contains(&audit));

        for fault in [
            FaultRule::on("agents.ask").status(500),
            FaultRule::on("agents.ask").status(503).retry_after("20"),
            FaultRule::on("agents.ask").status(429).retry_after("20"),
            FaultRule::on("agents.ask").reset(),
            FaultRule::on("agents.ask").delay(std::time::Duration::from_secs(60)),
            FaultRule::on("agents.ask")
                .body("application/json", r#"{"allowed":"true","action":"read_document"}"#),
            FaultRule::on("agents.ask").body("application/json", r#"{"allowed":true,"action":"other"}"#),
            FaultRule::on("agents.ask").body("text/html", "<p>ok"),
            FaultRule::on("agents.ask").truncate(3),
        ] {
            emulator.clear_faults();
            emulator.fault(fault.always()).unwrap();
            let before = handler.runs();
            let response = get(&ask("read_document"), "/x", None).await;
            assert_eq!(response.status(), 503);
            assert!(header(&response, "retry-after").is_some());
            assert!(response.extensions().get::<Error>().is_some());
            assert_eq!(text(response).await, r#"{"detail":"Service Unavailable"}"#);
            assert_eq!(handler.runs(), before);
        }
        emulator.clear_faults();
        // An action that cannot be asked about is a mistake of the service.
        let before = handler.runs();
        assert_eq!(get(&ask(""), "/x", None).await.status(), 500);
        assert_eq!(handler.runs(), before);
    });
}

#[test]
fn what_is_asked_may_depend_on_the_request() {
    let emulator = Emulator::demo().unwrap();
    run(async {
        let question = |parts: &lumoauth::http::request::Parts| {
            let action = if parts.method == Method::DELETE { "delete_user" } else { "read_document" };
            Ask::new(action).context(json!({"path": parts.uri.path()}))
        };
        let app = Router::new()
            .fallback(async |axum::Extension(decision): axum::Extension<Decision>| {
                decision.context()["path"].to_string()
            })
            .layer(Allowed::asking(agent(&emulator), question));
        assert_eq!(text(get(&app, "/documents/7", None).await).await, "\"/documents/7\"");
        assert_eq!(send(&app, request(Method::DELETE, "/documents/7", None)).await.status(), 403);
        assert_eq!(emulator.count("agents.ask").unwrap(), 2, "each request is asked about");
        get(&app, "/documents/7", None).await;
        assert_eq!(emulator.count("agents.ask").unwrap(), 3);
    });
}

/// A request to a nested route, signed over the whole path.
fn signed_request(key: &AgentKey, token: &str, body: &[u8], now: Timestamp, nonce: u8) -> Request<Body> {
    let message = Message::new(Method::POST, "https://api.acme.test/v1/data?limit=2").unwrap().body(body);
    let message = message.authorization(format!("Bearer {token}")).unwrap();
    let mut request = Request::new(Body::from(body.to_vec()));
    message.sign(key, now, &Nonce::from_random(&[nonce; 16])).unwrap().apply(&mut request).unwrap();
    let path = request.uri().path_and_query().unwrap().as_str().to_owned();
    *request.uri_mut() = path.parse().unwrap();
    request
}

#[test]
fn signed_requests_on_nested_routes_with_a_bounded_body() {
    let emulator = Emulator::demo().unwrap();
    let (key, issuer) = (AgentKey::from_seed(&[3; 32]).unwrap(), KeyPair::generate_ed25519().unwrap());
    let keys = json!({"keys": [issuer.public_jwk().to_json()]}).to_string();
    let trusted = TrustedIssuer::new(ISSUER).keys(IssuerKeys::parse(keys.as_bytes()).unwrap());
    let now = emulator.now();
    let claims = json!({
        "iss": ISSUER, "aud": "https://api.acme.test", "exp": now.unix() + 60, "cnf": {"jwk": key.public_jwk()}, "scope": "read",
    });
    let token = sign_compact(&issuer, "auth+jwt", &claims).unwrap();
    run(async {
        let config = VerifierConfig::new("https://api.acme.test", trusted).longest_body(1000);
        let verifier = Verifier::build_with(config, emulator.transport()).unwrap();
        let echo = || post(async |_: VerifiedRequest, body: String| body);
        let handler = Router::new().route("/data", echo()).layer(signed(verifier.clone()));
        let app = Router::new().nest("/v1", handler);

        // Unsigned: the body is not read at all, though it has no end.
        let unsigned = Request::post("/v1/data").body(Body::new(Endless)).unwrap();
        let response = send(&app, unsigned).await;
        assert_eq!(
            (response.status().as_u16(), header(&response, "www-authenticate").is_some()),
            (401, true)
        );
        // Too long, whether its length is said or not.
        for length in [true, false] {
            let mut request = signed_request(&key, &token, b"{}", now, 1);
            *request.body_mut() = if length { Body::from(vec![7; 1001]) } else { Body::new(Endless) };
            if length {
                request.headers_mut().insert("content-length", 1001.into());
            }
            assert_eq!(send(&app, request).await.status(), 413, "{length}");
        }
        let response = send(&app, signed_request(&key, &token, b"{\"a\":1}", now, 2)).await;
        assert_eq!(text(response).await, "{\"a\":1}", "what stands behind has the body");
        let again = send(&app, signed_request(&key, &token, b"{\"a\":1}", now, 2)).await;
        assert!(matches!(again.extensions().get::<RequestError>(), Some(RequestError::Replayed)));
        assert_eq!(again.status(), 401);
        let mut other = signed_request(&key, &token, b"{}", now, 3);
        *other.body_mut() = Body::from("[]");
        let refused = send(&app, other).await;
        assert!(matches!(
            refused.extensions().get::<RequestError>(),
            Some(RequestError::Message(MessageFault::Digest))
        ));
        // Without the original URI the signature is of another path.
        let bare = Router::new().route("/data", echo()).layer(lumoauth::tower::Signed::new(verifier.clone()));
        let bare = Router::new().nest("/v1", bare);
        assert_eq!(send(&bare, signed_request(&key, &token, b"{}", now, 4)).await.status(), 401);
        // Scopes of a route.
        let wide = Router::new().route("/data", echo()).layer(signed(verifier).require_scopes("write"));
        let response =
            send(&Router::new().nest("/v1", wide), signed_request(&key, &token, b"{}", now, 5)).await;
        let challenge = header(&response, "www-authenticate").unwrap();
        assert_eq!(
            (response.status().as_u16(), challenge),
            (403, "Bearer error=\"insufficient_scope\", scope=\"write\"")
        );
    });
}

/// A body without end.
struct Endless;

impl http_body::Body for Endless {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, std::io::Error>>> {
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(bytes::Bytes::from_static(&[7; 64])))))
    }
}

#[test]
fn errors_of_a_handler_are_answers() {
    let emulator = Emulator::demo().unwrap();
    run(async {
        let client = agent(&emulator);
        let app = Router::new().route(
            "/x",
            route(async move || {
                let _ = client.require("delete_user").await?;
                Ok::<_, Error>("done")
            }),
        );
        let (status, _, body) = told(get(&app, "/x", None).await).await;
        assert_eq!((status.as_u16(), body.as_str()), (403, r#"{"detail":"Forbidden"}"#));
    });
}
