//! Codes, refresh tokens, ID tokens, pushed requests, revocation, introspection.

use std::time::Duration;

use lumoauth::embed::operations::routes;
use lumoauth::embed::wire::{Form, Request};
use lumoauth::emulator::{AgentSeed, Emulator, Tenant, TokenKind, UserSeed};
use lumoauth::http::Method;
use serde_json::json;

use super::support::*;

#[test]
fn the_code_flow_with_pkce() {
    let emulator = alice();
    let asked = asking("openid email read:documents", &[("nonce", "n-1"), ("access_type", "offline")]);
    let pairs = back(&authorize(&emulator, &asked));
    assert_eq!(value(&pairs, "state"), "st&te");
    assert_eq!(value(&pairs, "iss"), "https://lumoauth.test/t/acme-corp/api/v1", "RFC 9207");
    let tokens = ok(&redeem(&emulator, value(&pairs, "code")));
    assert_eq!(tokens["scope"], "openid email read:documents");
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(3600)));
    let access = text(&tokens, "access_token");
    let claims = jwt(&access, 1);
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!("user:alice"), &json!("agt_demo")));
    assert_eq!(claims["aud"], "agt_demo");
    assert!(claims.get("act").is_none());
    let id_token = text(&tokens, "id_token");
    assert_eq!(jwt(&id_token, 0)["typ"], "JWT");
    let id = jwt(&id_token, 1);
    assert_eq!(
        (&id["sub"], &id["aud"], &id["nonce"]),
        (&json!("user:alice"), &json!("agt_demo"), &json!("n-1"))
    );
    assert_eq!((&id["email"], &id["auth_time"]), (&json!("alice@acme.test"), &json!(emulator.now().unix())));
    let info = ok(&get(&emulator, "oauth/userinfo", Some(&access)));
    assert_eq!(info, json!({"sub": "user:alice", "email": "alice@acme.test", "email_verified": true}));
    assert_eq!(ok(&get(&emulator, "/api/v1/documents", Some(&access)))["sub"], "user:alice");
    assert_eq!(emulator.consented_scopes("alice", "agt_demo").len(), 3);
    assert_eq!(refusal(&get(&emulator, "agents/me", Some(&access))), refused(403, "agent_token_required"));
}

#[test]
fn a_second_use_of_a_code_ends_its_tokens() {
    let emulator = alice();
    let other = user_token(&emulator, "read:documents");
    let code = code(&emulator, "openid read:documents", &[("access_type", "offline")]);
    let tokens = ok(&redeem(&emulator, &code));
    let access = text(&tokens, "access_token");
    let delegated = ok(&delegate(&emulator, &access, &agent_token(&emulator, "agt_demo"), &[]));
    let rotated = ok(&refresh(&emulator, &text(&tokens, "refresh_token"), &[]));
    let all = [
        access,
        text(&delegated, "access_token"),
        text(&rotated, "access_token"),
        text(&rotated, "refresh_token"),
    ];
    assert!(all.iter().all(|token| active(&emulator, token)));
    emulator.advance(Duration::from_secs(900));
    assert_eq!(refusal(&redeem(&emulator, &code)), refused(400, "invalid_grant"));
    assert!(all.iter().all(|token| !active(&emulator, token)), "also after the code's own life");
    assert!(active(&emulator, &other), "another authorization is not touched");
}

#[test]
fn what_a_code_is_refused_for() {
    let emulator = alice();
    let token = |changes: &[(&str, &str)]| {
        let code = code(&emulator, "read:documents", &[]);
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("client_id", "agt_demo"),
            ("client_secret", emulator.secret().expose()),
        ];
        for (name, value) in changes {
            pairs.retain(|(own, _)| own != name);
            pairs.push((name, value));
        }
        refusal(&post(&emulator, routes::TOKEN, &pairs))
    };
    let long = format!("{VERIFIER}x");
    let scraper = emulator.secret_of("agt_scraper").unwrap().expose();
    for (changes, expected) in [
        (&[("code", "")][..], refused(400, "invalid_request")),
        (&[("code", "code_nothing")], refused(400, "invalid_grant")),
        (&[("redirect_uri", "")], refused(400, "invalid_request")),
        (&[("redirect_uri", "https://myapp.com/consent/")], refused(400, "invalid_grant")),
        (&[("code_verifier", "")], refused(400, "invalid_grant")),
        (&[("code_verifier", &long)], refused(400, "invalid_grant")),
        (&[("code_verifier", &challenge(VERIFIER))], refused(400, "invalid_grant")),
        (&[("client_id", "")], refused(400, "invalid_request")),
        (&[("client_secret", "")], refused(401, "invalid_client")),
        (&[("client_secret", "wrong")], refused(401, "invalid_client")),
        (&[("client_id", "agt_scraper"), ("client_secret", scraper)], refused(400, "invalid_grant")),
        (&[("resource", MCP)], refused(400, "invalid_target")),
    ] {
        assert_eq!(token(changes), expected, "{changes:?}");
    }
    assert_eq!(emulator.token_count(TokenKind::Access), 0, "no refusal gave a token");
    let late = code(&emulator, "read:documents", &[]);
    emulator.advance(Duration::from_secs(600));
    assert_eq!(refusal(&redeem(&emulator, &late)), refused(400, "invalid_grant"));
    let just = code(&emulator, "read:documents", &[]);
    emulator.advance(Duration::from_secs(599));
    ok(&redeem(&emulator, &just));
}

#[test]
fn a_refresh_token_is_good_for_one_time() {
    let emulator = alice();
    let tokens = user_tokens(&emulator, "openid read:documents write:documents");
    let first = text(&tokens, "refresh_token");
    assert_eq!(refusal(&refresh(&emulator, &first, &[("scope", "mcp:read")])), refused(400, "invalid_scope"));
    assert_eq!(refusal(&refresh(&emulator, &first, &[("resource", MCP)])), refused(400, "invalid_target"));
    assert_eq!(emulator.active_refresh_tokens(), 1, "a refusal uses nothing up");
    let narrow = ok(&refresh(&emulator, &first, &[("scope", "read:documents")]));
    assert_eq!(narrow["scope"], "read:documents");
    assert!(narrow.get("id_token").is_none(), "no openid, no ID token");
    let second = text(&narrow, "refresh_token");
    assert_ne!(first, second);
    let wide = ok(&refresh(&emulator, &second, &[]));
    assert_eq!(wide["scope"], "openid read:documents write:documents", "narrowing is for one token only");
    assert_eq!(jwt(&text(&wide, "id_token"), 1)["sub"], "user:alice");
    assert_eq!((emulator.active_refresh_tokens(), emulator.token_count(TokenKind::Access)), (1, 3));
    assert_eq!(refusal(&refresh(&emulator, &first, &[])), refused(400, "invalid_grant"));
    assert_eq!((emulator.active_refresh_tokens(), emulator.token_count(TokenKind::Access)), (0, 0));
    assert_eq!(
        refusal(&refresh(&emulator, &text(&wide, "refresh_token"), &[])),
        refused(400, "invalid_grant")
    );
}

#[test]
fn refresh_tokens_come_when_asked_for_and_end() {
    let emulator = alice();
    let online = ok(&redeem(&emulator, &code(&emulator, "read:documents", &[])));
    assert!(online.get("refresh_token").is_none());
    let offline = ok(&redeem(&emulator, &code(&emulator, "read:documents offline_access", &[])));
    let token = text(&offline, "refresh_token");
    let other = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str()),
        ("client_id", "agt_search"),
        ("client_secret", emulator.secret_of("agt_search").unwrap().expose()),
    ];
    assert_eq!(refusal(&post(&emulator, routes::TOKEN, &other)), refused(400, "invalid_grant"));
    assert_eq!(refusal(&get(&emulator, "oauth/userinfo", Some(&token))), refused(401, "invalid_token"));
    emulator.advance(Duration::from_secs(30 * 86_400));
    assert_eq!(refusal(&refresh(&emulator, &token, &[])), refused(400, "invalid_grant"));
}

#[test]
fn resources_bind_the_token() {
    let emulator = alice();
    let code = code(&emulator, "", &[("resource", MCP), ("access_type", "offline")]);
    let tokens = ok(&redeem(&emulator, &code));
    assert_eq!(tokens["scope"], "mcp:read mcp:write", "the server's scopes, when none are asked for");
    assert_eq!(jwt(&text(&tokens, "access_token"), 1)["aud"], MCP);
    let again = ok(&refresh(&emulator, &text(&tokens, "refresh_token"), &[("resource", MCP)]));
    assert_eq!(jwt(&text(&again, "access_token"), 1)["aud"], MCP);
}

#[test]
fn pushed_requests() {
    let emulator = alice();
    let asked: Vec<(String, String)> =
        form_urlencoded::parse(asking("read:documents", &[]).as_bytes()).into_owned().collect();
    let secret = emulator.secret().clone();
    let push = |more: &[(&str, &str)]| {
        let mut pairs: Vec<(&str, &str)> = asked.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        pairs.push(("client_secret", secret.expose()));
        for (name, value) in more {
            pairs.retain(|(own, _)| own != name);
            pairs.push((name, value));
        }
        post(&emulator, routes::PUSHED_AUTHORIZATION, &pairs)
    };
    let pushed = push(&[]);
    assert_eq!(pushed.status(), 201);
    assert_eq!(body(&pushed)["expires_in"], 600);
    let uri = text(&body(&pushed), "request_uri");
    assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:"));
    let by = |client: &str, uri: &str| {
        authorize(&emulator, &encoded(&[("client_id", client), ("request_uri", uri)]))
    };
    assert_eq!(by("agt_scraper", &uri).status(), 400, "another client's");
    let pairs = back(&by("agt_demo", &uri));
    assert_eq!(value(&pairs, "state"), "st&te");
    ok(&redeem(&emulator, value(&pairs, "code")));
    assert_eq!(by("agt_demo", &uri).status(), 400, "good for one time");
    let late = text(&body(&push(&[])), "request_uri");
    emulator.advance(Duration::from_secs(600));
    assert_eq!(by("agt_demo", &late).status(), 400);
    for (more, expected) in [
        (("redirect_uri", "https://evil.test"), refused(400, "invalid_request")),
        (("code_challenge_method", "plain"), refused(400, "invalid_request")),
        (("request_uri", "urn:x"), refused(400, "invalid_request")),
        (("resource", "https://nowhere.test"), refused(400, "invalid_target")),
        (("scope", "fly"), refused(400, "invalid_scope")),
        (("client_secret", "wrong"), refused(401, "invalid_client")),
    ] {
        assert_eq!(refusal(&push(&[more])), expected, "{more:?}");
    }
}

#[test]
fn revocation() {
    let emulator = alice();
    let revoke = |pairs: &[(&str, &str)]| signed(&emulator, routes::REVOKE, pairs);
    let tokens = user_tokens(&emulator, "read:documents");
    let (access, refresh_token) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    assert_eq!(ok(&revoke(&[("token", "nothing")])), json!({}));
    assert_eq!(refusal(&revoke(&[])), refused(400, "invalid_request"));
    let alone = [("token", access.as_str()), ("client_id", "agt_demo")];
    assert_eq!(refusal(&post(&emulator, routes::REVOKE, &alone)), refused(401, "invalid_client"));
    let others = agent_token(&emulator, "agt_search");
    assert_eq!(refusal(&revoke(&[("token", &others)])), refused(400, "invalid_grant"));
    assert!(active(&emulator, &others), "another client's token stays");
    ok(&revoke(&[("token", &access), ("token_type_hint", "odd")]));
    assert!(!active(&emulator, &access) && active(&emulator, &refresh_token));
    let again = text(&ok(&refresh(&emulator, &refresh_token, &[])), "refresh_token");
    let delegated = user_tokens(&emulator, "read:documents");
    ok(&revoke(&[("token", &again), ("token_type_hint", "refresh_token")]));
    assert!(!active(&emulator, &again), "and its access tokens with it");
    assert_eq!(emulator.active_refresh_tokens(), 1);
    assert!(active(&emulator, &text(&delegated, "access_token")));
}

#[test]
fn introspection() {
    let emulator = alice();
    let tokens = user_tokens(&emulator, "openid read:documents");
    let access = text(&tokens, "access_token");
    let says = ok(&signed(&emulator, routes::INTROSPECT, &[("token", &access)]));
    assert_eq!((&says["active"], &says["sub"]), (&json!(true), &json!("user:alice")));
    assert_eq!((&says["username"], &says["token_type"]), (&json!("alice"), &json!("Bearer")));
    assert_eq!((&says["scope"], &says["aud"]), (&json!("openid read:documents"), &json!("agt_demo")));
    assert_eq!((&says["jti"], &says["iss"]), (&jwt(&access, 1)["jti"], &jwt(&access, 1)["iss"]));
    let own = text(&tokens, "refresh_token");
    assert_eq!(ok(&signed(&emulator, routes::INTROSPECT, &[("token", &own)]))["token_type"], "refresh_token");
    let other = [
        ("token", own.as_str()),
        ("client_id", "agt_search"),
        ("client_secret", emulator.secret_of("agt_search").unwrap().expose()),
    ];
    assert_eq!(ok(&post(&emulator, routes::INTROSPECT, &other)), json!({"active": false}));
    assert!(!active(&emulator, &text(&tokens, "id_token")) && !active(&emulator, "nothing"));
    let unsigned = post(&emulator, routes::INTROSPECT, &[("token", &access)]);
    assert_eq!(refusal(&unsigned), refused(401, "invalid_client"));
    emulator.advance(Duration::from_secs(3600));
    assert!(!active(&emulator, &access));
}

#[test]
fn public_clients_have_pkce_and_nothing_else() {
    let app =
        AgentSeed::new("app").public().redirect_uri("http://127.0.0.1/callback").scopes(["read:documents"]);
    let tenant = Tenant::demo().agent(app).user(UserSeed::new("eve"));
    let emulator = Emulator::builder().tenant(tenant).auto_consent("alice").build().unwrap();
    assert!(emulator.secret_of("app").is_none());
    let redirect = "http://127.0.0.1:49152/callback";
    let code = code(&emulator, "read:documents", &[("client_id", "app"), ("redirect_uri", redirect)]);
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", redirect),
        ("code_verifier", VERIFIER),
        ("client_id", "app"),
    ];
    let secret = [("client_secret", "x")];
    let guess = post(&emulator, routes::TOKEN, &[&pairs[..], &secret].concat());
    assert_eq!(refusal(&guess), refused(401, "invalid_client"));
    let token = text(&ok(&post(&emulator, routes::TOKEN, &pairs)), "access_token");
    let own = [("grant_type", "client_credentials"), ("client_id", "app")];
    assert_eq!(refusal(&post(&emulator, routes::TOKEN, &own)), refused(401, "invalid_client"));
    ok(&post(&emulator, routes::REVOKE, &[("client_id", "app"), ("token", &token)]));
    assert!(!active(&emulator, &token));
    let eve = Emulator::builder()
        .tenant(Tenant::demo().user(UserSeed::new("eve")))
        .auto_consent("eve")
        .build()
        .unwrap();
    let pairs = back(&authorize(&eve, &asking("read:documents", &[])));
    assert_eq!(value(&pairs, "error"), "access_denied", "she has nothing to give");
    let pairs = back(&authorize(&eve, &asking("openid read:documents", &[])));
    assert_eq!(ok(&redeem(&eve, value(&pairs, "code")))["scope"], "openid", "she gives what she has");
}

#[test]
fn reset_forgets_what_was_under_way() {
    let emulator = alice();
    let code = code(&emulator, "read:documents", &[]);
    let token = user_token(&emulator, "read:documents");
    emulator.reset();
    assert_eq!(refusal(&redeem(&emulator, &code)), refused(400, "invalid_grant"));
    assert!(!active(&emulator, &token));
    assert!(emulator.consented_scopes("alice", "agt_demo").is_empty());
    let basic = Request::new(Method::POST, emulator.site().url(routes::REVOKE))
        .form(Form::new().field("token", "x"))
        .authorization("Basic", &lumoauth::Secret::new("eA"))
        .unwrap();
    assert_eq!(emulator.handle_in_process(&basic).response.status(), 401);
}
