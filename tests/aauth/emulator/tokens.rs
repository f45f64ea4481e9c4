//! Tokens for resources: granted at once, by the resource token and by nothing else.

use std::time::Duration;

use lumoauth::aauth::Grant;
use serde_json::{Value, json};

use super::world::*;

fn auth(world: &World, resource_token: &str) -> lumoauth::embed::wire::Response {
    world.post(1, "aauth/agent/token", &json!({"request_type": "auth", "resource_token": resource_token}))
}

#[test]
fn a_resource_without_consent_gives_a_token_at_once_in_every_layout() {
    for prefix in ["/t/acme/api/v1", "/orgs/acme/api/v1"] {
        let world = World::under(builder().build().unwrap(), prefix);
        for (resource, scope) in [("open", "read"), ("known", "read write")] {
            let answer = world.granted(resource, scope);
            let token = text(&answer, "auth_token");
            assert_eq!(
                answer,
                json!({"request_type": "auth", "auth_token": token, "expires_in": 3600, "token_type": "auth+jwt",
                    "refresh_token": answer["refresh_token"]})
            );
            assert!(text(&answer, "refresh_token").starts_with("aauth_refresh_"));
            let keys = ok(&world.get(&world.url("aauth/jwks.json")));
            assert_eq!(
                part(&token, 0),
                json!({"typ": "auth+jwt", "alg": "ES256", "kid": keys["keys"][0]["kid"]})
            );
            let said = claims(&token);
            let now = world.emulator.now().unix();
            assert_eq!(
                said,
                json!({"iss": world.issuer, "aud": world.url(&format!("aauth-demo/{resource}")), "agent": AGENT,
                    "agent_delegate": "main", "iat": now, "exp": now + 3600, "jti": said["jti"], "scope": scope,
                    "cnf": {"jwk": key(1).public_jwk()}})
            );
        }
    }
}

#[test]
fn with_an_rsa_key_tokens_are_rs256() {
    let pem = include_str!("../../vectors/test_rsa.pem");
    let world = World::of(builder().aauth_signing_key_pem(pem));
    assert_eq!(part(&text(&world.granted("open", "read"), "auth_token"), 0)["alg"], "RS256");
    let document = ok(&world.get(&world.url(".well-known/aauth-issuer")));
    assert_eq!(document["token_signing_algs_supported"], json!(["RS256"]));
}

#[test]
fn scopes_bind_through_the_resource_token_only() {
    let world = World::new();
    let token = world.resource_token("known", 1, "read");
    let body = json!({"request_type": "auth", "resource_token": token, "scope": "read write"});
    let answer = ok(&world.post(1, "aauth/agent/token", &body));
    assert_eq!(claims(&text(&answer, "auth_token"))["scope"], "read");
    let malformed = json!({"request_type": "auth", "resource_token": token, "scope": "a  b"});
    assert_eq!(refusal(&world.post(1, "aauth/agent/token", &malformed)), code(400, "invalid_scope"));
    let unknown = world.api_token("read fly");
    assert_eq!(refusal(&auth(&world, &unknown)), code(400, "invalid_scope"));
}

#[test]
fn resource_tokens_have_one_meaning() {
    let world = World::new();
    let now = world.emulator.now().unix();
    let own = json!({"iss": API, "aud": world.issuer, "agent": AGENT, "agent_jkt": key(1).thumbprint(), "iat": now,
        "exp": now + 300});
    let minted = |typ: &str, number: u8, change: &dyn Fn(&mut Value)| {
        let mut claims = own.clone();
        change(&mut claims);
        key(number).sign_token(typ, &claims).unwrap().expose().to_owned()
    };
    // It is good: the resource wants consent, and the agent has one redirect URI.
    assert!(ok(&auth(&world, &minted("resource+jwt", 9, &|_| {})))["authorization_uri"].is_string());
    let changes: [Change<'_>; 13] = [
        ("aud", &|claims| claims["aud"] = json!("https://other.test")),
        ("aud in a list", &|claims| claims["aud"] = json!([world.issuer])),
        ("no aud", &|claims| drop(claims.as_object_mut().unwrap().remove("aud"))),
        ("iss", &|claims| claims["iss"] = json!("https://api.example.com/")),
        ("no iss", &|claims| drop(claims.as_object_mut().unwrap().remove("iss"))),
        ("agent", &|claims| claims["agent"] = json!(SECOND)),
        ("no agent", &|claims| drop(claims.as_object_mut().unwrap().remove("agent"))),
        ("no agent at all", &|claims| {
            let claims = claims.as_object_mut().unwrap();
            claims.remove("agent");
            claims.remove("agent_jkt");
        }),
        ("agent_jkt", &|claims| claims["agent_jkt"] = json!(key(2).thumbprint())),
        ("agent_jkt a number", &|claims| claims["agent_jkt"] = json!(5)),
        ("exp", &|claims| claims["exp"] = json!(now)),
        ("no exp", &|claims| drop(claims.as_object_mut().unwrap().remove("exp"))),
        ("too long", &|claims| claims["exp"] = json!(now + 3601)),
    ];
    for (what, change) in changes {
        assert_eq!(
            refusal(&auth(&world, &minted("resource+jwt", 9, change))),
            code(400, "invalid_grant"),
            "{what}"
        );
    }
    assert_eq!(refusal(&auth(&world, &minted("JWT", 9, &|_| {}))), code(400, "invalid_grant"), "typ");
    assert_eq!(
        refusal(&auth(&world, &minted("resource+jwt", 1, &|_| {}))),
        code(400, "invalid_grant"),
        "key"
    );
    assert_eq!(refusal(&auth(&world, "a.b.c")), code(400, "invalid_grant"));
    let grant = Grant::new(AGENT, key(1).thumbprint(), world.issuer.clone()).unwrap().scopes("read");
    let stale = world.minted(&grant);
    world.emulator.advance(Duration::from_secs(300));
    assert_eq!(refusal(&auth(&world, &stale)), code(400, "invalid_grant"));
}

#[test]
fn requests_that_are_not_as_they_must_be() {
    let world = World::new();
    let token = world.resource_token("known", 1, "read");
    for (body, expected) in [
        (json!({}), "invalid_request"),
        (json!([]), "invalid_request"),
        (json!({"request_type": "token"}), "invalid_request"),
        (json!({"request_type": "auth"}), "invalid_request"),
        (json!({"request_type": "auth", "resource_token": ""}), "invalid_request"),
        (json!({"request_type": "auth", "resource_token": 5}), "invalid_request"),
        (
            json!({"request_type": "auth", "resource_token": token, "redirect_uri": "https://agent.example/cb2"}),
            "invalid_request",
        ),
        (json!({"request_type": "auth", "resource_token": token, "agent_token": "x"}), "invalid_request"),
        (json!({"request_type": "code", "redirect_uri": CALLBACK}), "invalid_request"),
        (json!({"request_type": "code", "code": "x"}), "invalid_request"),
        (json!({"request_type": "code", "code": "x", "redirect_uri": CALLBACK}), "invalid_grant"),
        (json!({"request_type": "refresh", "refresh_token": "x"}), "invalid_request"),
        (json!({"request_type": "refresh", "refresh_token": "x", "resource_token": token}), "invalid_grant"),
        (json!({"request_type": "exchange", "resource_token": token}), "invalid_request"),
        (json!({"request_type": "exchange", "resource_token": token, "auth_token": "x"}), "invalid_grant"),
        (
            json!({"request_type": "exchange", "resource_token": token, "auth_token": "x", "subject_token": "x"}),
            "invalid_request",
        ),
    ] {
        assert_eq!(refusal(&world.post(1, "aauth/agent/token", &body)), code(400, expected), "{body}");
    }
    // The third agent has no redirect URI, so nobody can be asked for it.
    let token = world.resource_token("agreed", 3, "read");
    let body = json!({"request_type": "auth", "resource_token": token});
    assert_eq!(refusal(&world.post(3, "aauth/agent/token", &body)), code(400, "invalid_request"));
    // A resource cannot ask in an agent's place.
    let response = world.by_resource(9, None, "aauth/agent/token", &json!({"request_type": "auth"}));
    assert_eq!(refusal(&response), code(401, "authentication_required"));
}

#[test]
fn a_delegate_and_a_token_for_the_platform() {
    let world = World::new();
    let issue = |body: &Value| world.post(1, "aauth/agent/issue", body);
    let body = json!({"delegate_sub": "worker", "delegate_public_key": key(5).public_jwk()});
    let answer = ok(&issue(&body));
    let token = text(&answer, "agent_token");
    assert_eq!(answer, json!({"agent_token": token, "token_type": "agent+jwt", "expires_in": 3600}));
    let said = claims(&token);
    assert_eq!(
        (&said["iss"], &said["sub"], &said["aud"]),
        (&json!(AGENT), &json!("worker"), &json!([world.issuer]))
    );
    // The delegate signs with its own key, and cannot name another one.
    let by_delegate = |path: &str, body: &Value| {
        world.send(&world.signed(
            &key(5),
            lumoauth::http::Method::POST,
            &world.url(path),
            body.to_string().as_bytes(),
            |message| message.agent_token(token.clone()).unwrap(),
        ))
    };
    assert_eq!(by_delegate("aauth/token/revoke", &json!({"token": "x"})).status(), 200);
    assert_eq!(refusal(&by_delegate("aauth/agent/issue", &body)), code(401, "authentication_required"));
    let several = json!({"delegate_sub": "w", "delegate_public_key": key(5).public_jwk(), "audience": ["https://a", "https://b"]});
    assert_eq!(claims(&text(&ok(&issue(&several)), "agent_token"))["aud"], json!(["https://a", "https://b"]));
    let mut private = key(5).public_jwk();
    private["d"] = json!("AA");
    for bad in [
        json!({"delegate_sub": "w"}),
        json!({"delegate_public_key": key(5).public_jwk()}),
        json!({"delegate_sub": "w", "delegate_public_key": private}),
        json!({"delegate_sub": "w", "delegate_public_key": "x"}),
        json!({"delegate_sub": "w", "delegate_public_key": key(5).public_jwk(), "audience": []}),
        json!({"delegate_sub": "w", "delegate_public_key": key(5).public_jwk(), "audience": 5}),
    ] {
        assert_eq!(refusal(&issue(&bad)), code(400, "invalid_request"), "{bad}");
    }

    let platform = |number: u8, change: &dyn Fn(&mut Value)| {
        let own = world.agent_token(number);
        let mut body = json!({"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": own,
            "subject_token_type": "urn:lumoauth:params:oauth:token-type:aauth-token"});
        change(&mut body);
        world.send(&world.signed(
            &key(number),
            lumoauth::http::Method::POST,
            &world.url("aauth/agent/platform-token"),
            body.to_string().as_bytes(),
            |message| message.agent_token(own).unwrap(),
        ))
    };
    let answer = ok(&platform(1, &|_| {}));
    let token = text(&answer, "access_token");
    assert_eq!(
        answer,
        json!({"access_token": token, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "DPoP", "expires_in": 300, "scope": "read:documents x", "agent_id": "aag_1",
            "cnf_jkt": key(1).thumbprint()})
    );
    assert_eq!(claims(&token)["cnf"], json!({"jkt": key(1).thumbprint()}));
    assert_eq!(ok(&platform(1, &|body| body["scope"] = json!("x")))["scope"], "x");
    // As a bearer token it is worth nothing.
    let request = lumoauth::embed::wire::Request::new(
        lumoauth::http::Method::GET,
        world.url("documents").parse().unwrap(),
    );
    let request = request.authorization("Bearer", &lumoauth::Secret::new(token)).unwrap();
    assert_eq!(world.send(&request).status(), 401);
    assert_eq!(refusal(&platform(1, &|body| body["scope"] = json!("x admin"))), code(400, "invalid_scope"));
    assert_eq!(
        refusal(&platform(1, &|body| body["grant_type"] = json!("x"))),
        code(400, "unsupported_grant_type")
    );
    assert_eq!(
        refusal(&platform(1, &|body| body["subject_token_type"] = json!("x"))),
        code(400, "invalid_request")
    );
    let other = world.agent_token(2);
    assert_eq!(
        refusal(&platform(1, &|body| body["subject_token"] = json!(other))),
        code(400, "invalid_grant")
    );
    assert_eq!(refusal(&platform(2, &|_| {})), code(403, "access_denied"));
}
