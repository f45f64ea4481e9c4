//! The rules of a guard in front of strangers, each shown.

use lumoauth::asynchronous::TokenVerifier;
use lumoauth::emulator::{Emulator, FaultRule};
use lumoauth::http::{Method, StatusCode};
use lumoauth::service::{Caller, Rule};
use lumoauth::tower::Verified;
use lumoauth::verify::{VerifierConfig, VerifyError};
use serde_json::json;

use super::support::*;

const UNAUTHORIZED: &str = r#"{"detail":"Unauthorized"}"#;

#[test]
fn there_is_no_guard_without_an_audience() {
    let issuer = Issuer::new();
    let emulator = Emulator::demo().unwrap();
    assert!(TokenVerifier::of(&agent(&emulator), "").is_err());
    run(async {
        let handler = Handler::default();
        let app = handler.behind(Verified::new(issuer.verifier()));
        for audience in [
            json!(null),
            json!("https://other.test"),
            json!([]),
            json!("https://api.acme.test/v1/x"),
            json!(["a", 1]),
        ] {
            let token = issuer.token(&json!({"aud": audience}));
            assert_eq!(get(&app, "/x", Some(&token)).await.status(), 401, "{audience}");
        }
        assert_eq!(handler.runs(), 0);
        let several = issuer.token(&json!({"aud": ["https://other.test", RESOURCE]}));
        assert_eq!(get(&app, "/x", Some(&several)).await.status(), 200);
    });
}

#[test]
fn what_cannot_be_decided_is_refused() {
    let emulator = Emulator::demo().unwrap();
    run(async {
        let client = agent(&emulator);
        let token = client.access_token().await.unwrap().secret().expose().to_owned();
        for (route, answer) in [
            ("wellknown.jwks", FaultRule::on("wellknown.jwks").status(503).retry_after("9")),
            ("wellknown.jwks", FaultRule::on("wellknown.jwks").body("application/json", "{\"keys\":{}}")),
            ("wellknown.jwks", FaultRule::on("wellknown.jwks").body("text/html", "<p>hello")),
            ("wellknown.jwks", FaultRule::on("wellknown.jwks").reset()),
            ("wellknown.jwks", FaultRule::on("wellknown.jwks").delay(std::time::Duration::from_secs(600))),
            ("wellknown.openid_configuration", FaultRule::any().status(500)),
        ] {
            emulator.clear_faults();
            emulator.fault(answer.always()).unwrap();
            let handler = Handler::default();
            let app =
                handler.behind(Verified::new(TokenVerifier::of(&client, emulator.client_id()).unwrap()));
            let response = get(&app, "/x", Some(&token)).await;
            assert_eq!(response.status(), 503, "{route}");
            assert!(
                header(&response, "retry-after").is_some() && header(&response, "www-authenticate").is_none()
            );
            assert!(matches!(response.extensions().get::<VerifyError>(), Some(VerifyError::Unavailable(_))));
            assert_eq!(text(response).await, r#"{"detail":"Service Unavailable"}"#);
            assert_eq!(handler.runs(), 0);
        }
        // The service is asked about each token, and cannot be.
        emulator.clear_faults();
        let verifier = TokenVerifier::of(&client, emulator.client_id()).unwrap();
        let handler = Handler::default();
        let app = handler.behind(Verified::new(verifier).at_service(client.clone()));
        assert_eq!(get(&app, "/x", Some(&token)).await.status(), 200);
        emulator.fault(FaultRule::on("oauth.introspect").status(500).always()).unwrap();
        assert_eq!(get(&app, "/x", Some(&token)).await.status(), 503);
        emulator.clear_faults();
        emulator.revoke_tokens(emulator.client_id()).unwrap();
        assert_eq!(get(&app, "/x", Some(&token)).await.status(), 401, "it was revoked");
        assert_eq!(handler.runs(), 1);
    });
}

#[test]
fn public_routes_are_exact_and_know_no_caller() {
    let issuer = Issuer::new();
    run(async {
        let handler = Handler::default();
        let app = handler.behind(Verified::new(issuer.verifier()).public(Method::GET, "/health"));
        for path in ["/health", "/health?token=x"] {
            assert_eq!(get(&app, path, None).await.status(), 200, "{path}");
        }
        let before = handler.runs();
        for path in [
            "/health/",
            "/health/x",
            "/healthy",
            "/Health",
            "/%68ealth",
            "//health",
            "/health/../admin",
            "/health;x",
        ] {
            let (status, _, body) = told(get(&app, path, None).await).await;
            assert_eq!((status.as_u16(), body.as_str()), (401, UNAUTHORIZED), "{path}");
        }
        assert_eq!(send(&app, request(Method::POST, "/health", None)).await.status(), 401);
        assert_eq!(handler.runs(), before);
        // A token on a public route is not looked at, and makes no caller.
        let seen = axum::Router::new()
            .route("/health", axum::routing::get(async |caller: Option<Caller>| caller.is_some().to_string()))
            .route("/who", axum::routing::get(async |caller: Caller| caller.subject().to_owned()))
            .layer(Verified::new(issuer.verifier()).public(Method::GET, "/health"));
        assert_eq!(text(get(&seen, "/health", Some(&issuer.person())).await).await, "false");
        assert_eq!(text(get(&seen, "/who", Some(&issuer.person())).await).await, "user:alice");
    });
}

#[test]
fn challenges_are_escaped_and_name_the_document() {
    let issuer = Issuer::new();
    let config = issuer.config().realm("a \"realm\" \\ \r\nSet-Cookie: x=y").require_scopes("read write");
    let verifier = TokenVerifier::build_with(config, Emulator::demo().unwrap().transport()).unwrap();
    run(async {
        let app = Handler::default().behind(Verified::new(verifier));
        let response = get(&app, "/x", None).await;
        let document = "resource_metadata=\"https://api.acme.test/.well-known/oauth-protected-resource/v1\"";
        let challenge = header(&response, "www-authenticate").unwrap().to_owned();
        let realm = "realm=\"a \\\"realm\\\" \\\\ ??Set-Cookie: x=y\"";
        assert_eq!(challenge, format!("Bearer {realm}, scope=\"read write\", {document}"));
        assert!(header(&response, "set-cookie").is_none());
        let scopeless = get(&app, "/x", Some(&issuer.person())).await;
        let challenge = header(&scopeless, "www-authenticate").unwrap();
        assert_eq!(
            challenge,
            format!("Bearer error=\"insufficient_scope\", scope=\"read write\", {realm}, {document}")
        );
        assert_eq!(scopeless.status(), 403);
    });
}

#[test]
fn absent_scopes_are_none() {
    let issuer = Issuer::new();
    run(async {
        let handler = Handler::default();
        let app = handler.behind(Verified::new(issuer.verifier()).require(Rule::new().scopes("read")));
        for scope in
            [json!(null), json!(""), json!("write"), json!("READ"), json!("readwrite"), json!("read:all")]
        {
            let (status, challenge, _) =
                told(get(&app, "/x", Some(&issuer.token(&json!({"scope": scope})))).await).await;
            assert_eq!(status, 403, "{scope}");
            assert!(challenge.unwrap().contains("error=\"insufficient_scope\", scope=\"read\""));
        }
        for odd in [json!(["read"]), json!(7), json!({"read": true})] {
            assert_eq!(
                get(&app, "/x", Some(&issuer.token(&json!({"scope": odd})))).await.status(),
                401,
                "{odd}"
            );
        }
        // Neither another claim nor another spelling is one.
        for claims in [json!({"scp": "read"}), json!({"scopes": "read"}), json!({"permissions": ["read"]})] {
            assert_eq!(get(&app, "/x", Some(&issuer.token(&claims))).await.status(), 403, "{claims}");
        }
        assert_eq!(handler.runs(), 0);
        assert_eq!(get(&app, "/x", Some(&issuer.token(&json!({"scope": "write read"})))).await.status(), 200);
    });
}

#[test]
fn nothing_is_kept_from_one_caller_for_another() {
    let issuer = Issuer::new();
    run(async {
        let app = axum::Router::new()
            .route("/who", axum::routing::get(async |caller: Caller| caller.subject().to_owned()))
            .layer(Verified::new(issuer.verifier()));
        let tokens: Vec<_> =
            (0..50).map(|at| issuer.token(&json!({"sub": format!("caller {at}")}))).collect();
        for round in 0..3 {
            for (at, token) in tokens.iter().enumerate() {
                let response = get(&app, "/who", Some(token)).await;
                assert_eq!(text(response).await, format!("caller {at}"), "round {round}");
                assert_eq!(get(&app, "/who", None).await.status(), 401);
            }
        }
        // What stands in front cannot name the caller, not even by mistake.
        let mistaken = axum::Router::new()
            .route("/who", axum::routing::get(async |caller: Option<Caller>| caller.is_some().to_string()))
            .layer(Verified::new(issuer.verifier()).public(Method::GET, "/who"))
            .layer(Verified::new(issuer.verifier()));
        assert_eq!(text(get(&mistaken, "/who", Some(&tokens[0])).await).await, "false");
    });
}

#[test]
fn every_method_is_checked() {
    let issuer = Issuer::new();
    run(async {
        let handler = Handler::default();
        let app = handler.behind(Verified::new(issuer.verifier()));
        let odd = Method::from_bytes(b"PROPFIND").unwrap();
        for method in [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::OPTIONS,
            Method::TRACE,
            Method::CONNECT,
            odd,
            Method::DELETE,
        ] {
            assert_eq!(send(&app, request(method.clone(), "/x", None)).await.status(), 401, "{method}");
        }
        let mut preflight = request(Method::OPTIONS, "/x", None);
        preflight.headers_mut().insert("origin", "https://page.test".parse().unwrap());
        preflight.headers_mut().insert("access-control-request-method", "DELETE".parse().unwrap());
        let again = || {
            let mut copy = request(Method::OPTIONS, "/x", None);
            *copy.headers_mut() = preflight.headers().clone();
            copy
        };
        assert_eq!(send(&app, again()).await.status(), 401, "unless it is opened for them");
        assert_eq!(handler.runs(), 0);
        let open = handler.behind(Verified::new(issuer.verifier()).preflights());
        assert_eq!(send(&open, again()).await.status(), 200);
        // What only looks like one is none.
        for (name, method) in [
            ("origin", Method::OPTIONS),
            ("access-control-request-method", Method::OPTIONS),
            ("x", Method::POST),
        ] {
            let mut request = again();
            request.headers_mut().remove(name);
            *request.method_mut() = method;
            assert_eq!(send(&open, request).await.status(), 401, "{name}");
        }
        let head = send(&app, request(Method::HEAD, "/x", Some(&issuer.person()))).await;
        assert_eq!(head.status(), 200);
    });
}

#[test]
fn strangers_are_told_nothing() {
    let issuer = Issuer::new();
    run(async {
        let app = Handler::default().behind(Verified::new(issuer.verifier()));
        let good = issuer.person();
        let (signed, _) = good.rsplit_once('.').unwrap();
        let all = [
            issuer.token(&json!({"exp": 1})),
            issuer.token(&json!({"aud": "https://secret-name.test"})),
            issuer.token(&json!({"iss": "https://other.test"})),
            issuer.token(&json!({"sub": null})),
            issuer.token(&json!({"cnf": {"jkt": "x"}})),
            format!("{signed}.{}", "A".repeat(86)),
            "opaque".to_owned(),
            "a.b.c".to_owned(),
        ];
        let mut answers = Vec::new();
        for token in &all {
            answers.push(told(get(&app, "/x", Some(token)).await).await);
        }
        let document = "https://api.acme.test/.well-known/oauth-protected-resource/v1";
        let same = (
            StatusCode::UNAUTHORIZED,
            Some(format!("Bearer error=\"invalid_token\", resource_metadata=\"{document}\"")),
            UNAUTHORIZED.to_owned(),
        );
        assert!(answers.iter().all(|answer| *answer == same), "{answers:#?}");
        let two = {
            let mut request = request(Method::GET, "/x", Some(&good));
            request.headers_mut().append("authorization", format!("Bearer {good}").parse().unwrap());
            told(send(&app, request).await).await
        };
        assert_eq!((two.0.as_u16(), two.2.as_str()), (400, r#"{"detail":"Bad Request"}"#));
        // Not in the query, not in a form, not as another scheme.
        for path in [format!("/x?access_token={good}")] {
            assert_eq!(get(&app, &path, None).await.status(), 401);
        }
        // Why, is for the service's own eyes.
        let response = get(&app, "/x", Some(&all[0])).await;
        assert!(matches!(response.extensions().get::<VerifyError>(), Some(VerifyError::Expired)));
    });
}

#[test]
fn the_document_is_served_at_both_places() {
    let issuer = Issuer::new();
    let config: VerifierConfig = issuer.config().scopes_supported("read write");
    let verifier = TokenVerifier::build_with(config, Emulator::demo().unwrap().transport()).unwrap();
    run(async {
        let handler = Handler::default();
        let app = handler.router().layer(Verified::new(verifier.clone()));
        let app = axum::Router::new().nest("/v1", app).merge(lumoauth::axum::metadata_routes(&verifier));
        for path in ["/.well-known/oauth-protected-resource/v1", "/.well-known/oauth-protected-resource"] {
            let response = get(&app, path, None).await;
            assert_eq!(response.status(), 200, "{path}");
            assert_eq!(header(&response, "content-type"), Some("application/json"));
            assert_eq!(header(&response, "access-control-allow-origin"), Some("*"));
            let document: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
            assert_eq!(
                document,
                json!({
                    "resource": RESOURCE, "authorization_servers": [ISSUER], "bearer_methods_supported": ["header"],
                    "scopes_supported": ["read", "write"],
                })
            );
        }
        for path in ["/.well-known/oauth-protected-resource/v2", "/.well-known/oauth-protected-resource/v1/x"]
        {
            assert_eq!(get(&app, path, None).await.status(), 404, "{path}");
        }
        assert_eq!(get(&app, "/v1/anything", None).await.status(), 401);
    });
}
