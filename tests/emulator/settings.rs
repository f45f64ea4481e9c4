//! What the builder is asked for: own claims, several keys and a rotation, discovery for the pages of other sites.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lumoauth::crypto::{Algorithm, VerifyingKey};
use lumoauth::embed::operations::routes;
use lumoauth::embed::wire::{Request, Response};
use lumoauth::emulator::{AgentSeed, BuildError, Emulator, EmulatorBuilder, McpServerSeed, Tenant, UserSeed};
use lumoauth::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue,
    ORIGIN,
};
use lumoauth::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{bearer, body, bot, jwt_part, small, token};

const RSA: &str = include_str!("../vectors/test_rsa.pem");

fn builder(agent: AgentSeed) -> EmulatorBuilder {
    Emulator::builder().tenant(Tenant::new("acme").agent(agent))
}

fn send(emulator: &Emulator, method: Method, path: &str) -> Response {
    let request = Request::new(method, emulator.site().join(path).unwrap());
    emulator.handle_in_process(&request.header(ORIGIN, HeaderValue::from_static("https://app.test"))).response
}

fn keys(emulator: &Emulator) -> Vec<Value> {
    let request = Request::new(Method::GET, emulator.site().url(routes::JWKS));
    body(&emulator.handle_in_process(&request).response)["keys"].as_array().unwrap().clone()
}

fn key_id(token: &str) -> String {
    jwt_part(token, 0)["kid"].as_str().unwrap().to_owned()
}

/// True if one of the published keys verifies the token, as whoever reads them now would have it.
fn verifies(emulator: &Emulator, token: &str) -> bool {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let algorithm = match jwt_part(token, 0)["alg"].as_str().unwrap() {
        "RS256" => Algorithm::Rs256,
        _ => Algorithm::Es256,
    };
    let named = |key: &&Value| key["kid"] == jwt_part(token, 0)["kid"];
    keys(emulator).iter().find(named).is_some_and(|key| {
        VerifyingKey::from_jwk(key).unwrap().verify(algorithm, signed.as_bytes(), &signature).is_ok()
    })
}

#[test]
fn keys_rotate_and_retire() {
    let emulator = builder(bot()).another_key_pem(RSA).build().unwrap();
    let first = token(&emulator);
    assert_eq!(keys(&emulator).len(), 2, "the next key is published before it signs");
    assert_eq!(keys(&emulator)[0]["kid"], key_id(&first), "the one that signs stands first");
    let metadata = body(&send(&emulator, Method::GET, ".well-known/openid-configuration"));
    assert_eq!(metadata["id_token_signing_alg_values_supported"], json!(["ES256", "RS256"]));
    emulator.rotate_signing_key().unwrap();
    let second = token(&emulator);
    assert_eq!(jwt_part(&second, 0)["alg"], "RS256");
    assert!(verifies(&emulator, &first) && verifies(&emulator, &second));
    emulator.rotate_signing_key().unwrap();
    let third = token(&emulator);
    assert!(key_id(&third) != key_id(&first) && key_id(&third) != key_id(&second));
    assert_eq!(keys(&emulator).len(), 3);
    emulator.reset();
    assert_eq!(keys(&emulator).len(), 3, "keys stay");
    emulator.retire_signing_keys();
    assert!(!verifies(&emulator, &first) && !verifies(&emulator, &second) && verifies(&emulator, &third));
    assert_eq!(emulator.jwks().keys().len(), 1);
    let twice = builder(bot()).signing_key_pem(RSA).another_key_pem(RSA).build().unwrap_err();
    assert!(matches!(twice, BuildError::Twice { what: "the kid", .. }), "{twice}");
    assert!(matches!(builder(bot()).another_key_pem("x").build(), Err(BuildError::Key(_))));
}

#[test]
fn claims_of_ones_own() {
    let agent = bot().claim("department", "research").claim("level", 3);
    let emulator =
        builder(agent).claim("department", "all").claim("env", json!({"name": "test"})).build().unwrap();
    let claims = jwt_part(&token(&emulator), 1);
    assert_eq!((&claims["department"], &claims["level"]), (&json!("research"), &json!(3)));
    assert_eq!((&claims["env"], &claims["sub"]), (&json!({"name": "test"}), &json!("agent:bot")));
    // What the service says itself is nobody's to say.
    for name in ["sub", "aud", "exp", "scope", "act", "cnf", "iss", "jti", ""] {
        let error = builder(bot()).claim(name, "x").build().unwrap_err();
        assert!(matches!(error, BuildError::BadText { what: "claim", .. }), "{name}: {error}");
        assert!(builder(bot().claim(name, "x")).build().is_err(), "{name}");
        let tenant = Tenant::new("acme").agent(bot()).user(UserSeed::new("alice").claim(name, "x"));
        assert!(Emulator::builder().tenant(tenant).build().is_err(), "{name}");
    }
}

#[test]
fn claims_of_a_user() {
    let user = UserSeed::new("alice").scopes(["read_document"]).claim("groups", json!(["staff"]));
    let emulator = Emulator::builder().tenant(Tenant::new("acme").agent(bot()).user(user)).build().unwrap();
    let post = |route, form| {
        let request = Request::new(Method::POST, emulator.site().url(route)).form(form);
        body(&emulator.handle_in_process(&request).response)
    };
    let client =
        || lumoauth::embed::wire::Form::new().field("client_id", "agt_bot").field("client_secret", "s3cret");
    let device = post(routes::DEVICE_AUTHORIZATION, client().field("scope", "openid read_document"));
    emulator.approve_device(device["user_code"].as_str().unwrap(), "alice").unwrap();
    let grant = client().field("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    let tokens = post(routes::TOKEN, grant.field("device_code", device["device_code"].as_str().unwrap()));
    assert_eq!(jwt_part(tokens["id_token"].as_str().unwrap(), 1)["groups"], json!(["staff"]));
    let access = tokens["access_token"].as_str().unwrap();
    assert!(jwt_part(access, 1).get("groups").is_none(), "an access token says nothing of that");
    let userinfo = bearer(Request::new(Method::GET, emulator.site().url(routes::USERINFO)), access);
    assert_eq!(body(&emulator.handle_in_process(&userinfo).response)["groups"], json!(["staff"]));
}

#[test]
fn documents_are_read_by_pages_of_other_sites_only_where_that_was_asked_for() {
    let server = McpServerSeed::new("files").resource_uri("https://mcp.test/files");
    let tenant = || Tenant::new("acme").agent(bot()).mcp_server(server.clone());
    let open = Emulator::builder().tenant(tenant()).cors_for_discovery(true).build().unwrap();
    let documents = [
        "oauth-authorization-server",
        "openid-configuration",
        "jwks.json",
        "oauth-protected-resource",
        "oauth-protected-resource/mcp/files",
        "aauth-issuer",
    ];
    let closed = small();
    let allowed = |response: &Response| response.header(ACCESS_CONTROL_ALLOW_ORIGIN).map(str::to_owned);
    for document in documents {
        let path = format!(".well-known/{document}");
        let response = send(&open, Method::GET, &path);
        assert_eq!((response.status(), allowed(&response).as_deref()), (StatusCode::OK, Some("*")), "{path}");
        let asked = send(&open, Method::OPTIONS, &path);
        assert_eq!(
            (asked.status(), allowed(&asked).as_deref()),
            (StatusCode::NO_CONTENT, Some("*")),
            "{path}"
        );
        assert_eq!(asked.header(ACCESS_CONTROL_ALLOW_METHODS), Some("GET, HEAD"));
        assert_eq!(asked.header(ACCESS_CONTROL_ALLOW_HEADERS), Some("*"));
        let asked = send(&closed, Method::OPTIONS, &path);
        assert_eq!((asked.status().as_u16(), allowed(&asked)), (405, None), "{path}");
        assert_eq!(allowed(&send(&closed, Method::GET, &path)), None, "{path}");
    }
    // Nothing but documents, and nothing that belongs to somebody.
    for path in ["agents/me", "oauth/userinfo", "oauth/token", "agents/ask", "mcp/servers", "oauth/authorize"]
    {
        for method in [Method::OPTIONS, Method::GET, Method::POST] {
            assert_eq!(allowed(&send(&open, method.clone(), path)), None, "{method} {path}");
        }
    }
}
