//! What authorization requests are refused for, faults and limits on the new routes, and any input at all.

use std::time::Duration;

use lumoauth::embed::operations::routes;
use lumoauth::embed::wire::Request;
use lumoauth::emulator::{Emulator, FaultRule, Tenant};
use lumoauth::http::header::{HeaderName, LOCATION};
use lumoauth::http::{Method, Uri};
use lumoauth::time::Timestamp;
use lumoauth::{Layout, Site};
use proptest::prelude::*;

use super::support::*;

#[test]
fn some_requests_are_answered_where_they_are() {
    let emulator = alice();
    for changes in [
        ("client_id", ""),
        ("client_id", "nobody"),
        ("redirect_uri", ""),
        ("redirect_uri", "https://myapp.com/consent?x"),
        ("redirect_uri", "https://myapp.com/CONSENT"),
        ("redirect_uri", "https://evil.test/consent"),
        ("redirect_uri", "http://127.0.0.1:5000/other"),
        ("redirect_uri", "http://localhost:5000/callback"),
        ("request_uri", "urn:ietf:params:oauth:request_uri:x"),
    ] {
        let response = authorize(&emulator, &asking("read:documents", &[changes]));
        assert_eq!((response.status().as_u16(), response.header(LOCATION)), (400, None), "{changes:?}");
        assert!(response.text().starts_with("<!doctype html>"), "{changes:?}");
    }
    for twice in ["client_id=agt_demo", "redirect_uri=https://myapp.com/consent", "x=%"] {
        let response = authorize(&emulator, &format!("{}&{twice}", asking("read:documents", &[])));
        assert_eq!(response.status(), 400, "{twice}");
    }
}

#[test]
fn all_others_are_sent_back() {
    let emulator = alice();
    let short = &challenge(VERIFIER)[..42];
    for (changes, code) in [
        (("response_type", ""), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
        (("response_mode", "fragment"), "invalid_request"),
        (("request", "a.b.c"), "request_not_supported"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", short), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge_method", "s256"), "invalid_request"),
        (("scope", "fly"), "invalid_scope"),
        (("scope", "read:documents  openid"), "invalid_scope"),
        (("resource", "https://nowhere.test"), "invalid_target"),
        (("resource", "https://mcp.acme.test/my-mcp-server#f"), "invalid_target"),
        (("access_type", "always"), "invalid_request"),
        (("prompt", "none login"), "invalid_request"),
        (("prompt", "shout"), "invalid_request"),
        (("prompt", "none"), "consent_required"),
    ] {
        let pairs = back(&authorize(&emulator, &asking("read:documents", &[changes])));
        assert_eq!(value(&pairs, "error"), code, "{changes:?}");
        assert_eq!(value(&pairs, "state"), "st&te", "{changes:?}");
        assert_ne!(value(&pairs, "iss"), "", "{changes:?}");
        assert_eq!(value(&pairs, "code"), "", "{changes:?}");
    }
    let twice = format!("{}&scope=openid", asking("read:documents", &[]));
    assert_eq!(value(&back(&authorize(&emulator, &twice)), "error"), "invalid_request");
    let states = back(&authorize(&emulator, &format!("{}&state=b", asking("read:documents", &[]))));
    assert_eq!((value(&states, "error"), value(&states, "state")), ("invalid_request", ""));
    back(&authorize(&emulator, &asking("read:documents", &[])));
    let silent = back(&authorize(&emulator, &asking("read:documents", &[("prompt", "none")])));
    assert_ne!(value(&silent, "code"), "", "agreed to before");
    let page = Emulator::demo().unwrap();
    let silent = back(&authorize(&page, &asking("read:documents", &[("prompt", "none")])));
    assert_eq!(value(&silent, "error"), "login_required");
    let deny = Emulator::builder().tenant(Tenant::demo()).auto_deny().build().unwrap();
    assert_eq!(value(&back(&authorize(&deny, &asking("openid", &[]))), "error"), "access_denied");
    let loopback = [("redirect_uri", "http://127.0.0.1:61234/callback")];
    let response = authorize(&emulator, &asking("read:documents", &loopback));
    assert!(response.header(LOCATION).unwrap().starts_with("http://127.0.0.1:61234/callback?code="));
}

#[test]
fn tenants_are_walls_here_too() {
    let emulator =
        Emulator::builder().tenant(Tenant::demo()).tenant(Tenant::new("other")).auto_consent("alice").build();
    let emulator = emulator.unwrap();
    let other = Site::new("https://lumoauth.test", Layout::Tenant("other".into())).unwrap();
    let url: Uri = format!("{}?{}", other.url(routes::AUTHORIZE), asking("openid", &[])).parse().unwrap();
    assert_eq!(emulator.handle_in_process(&Request::new(Method::GET, url)).response.status(), 400);
    let token = user_token(&emulator, "read:documents");
    let request = Request::new(Method::GET, other.join("documents").unwrap());
    assert_eq!(emulator.handle_in_process(&bearer(request, &token)).response.status(), 401);
}

#[test]
fn faults_and_limits_work_on_the_new_routes() {
    let builder = Emulator::builder().tenant(Tenant::demo()).auto_consent("alice").rate_limit_per_minute(4);
    let emulator = builder.build().unwrap();
    for name in [
        "oauth.authorize",
        "oauth.par",
        "oauth.device",
        "oauth.device_authorization",
        "oauth.revoke",
        "oauth.introspect",
        "mcp.challenge",
        "mcp.servers.list",
        "documents.list",
        "wellknown.oauth_protected_resource.mcp",
    ] {
        emulator.fault(FaultRule::on(name).status(503)).unwrap();
    }
    assert_eq!(authorize(&emulator, &asking("openid", &[])).status(), 503);
    assert_eq!(get(&emulator, "mcp/mcp_0001/challenge", None).status(), 503);
    assert_eq!(signed(&emulator, routes::REVOKE, &[("token", "x")]).status(), 503);
    assert_eq!(get(&emulator, "documents", None).status(), 503);
    assert_eq!(get(&emulator, "documents", None).status(), 429, "the fifth in a minute");
    emulator.advance(Duration::from_secs(60));
    assert_eq!(get(&emulator, "documents", None).status(), 401);
    assert_eq!(
        (emulator.count("documents.list").unwrap(), emulator.count("oauth.authorize").unwrap()),
        (3, 1)
    );
}

#[test]
fn nothing_secret_is_printed_or_logged() {
    let emulator = alice();
    let tokens = user_tokens(&emulator, "openid read:documents");
    let token = emulator.workload_issuer("x").map(|issuer| format!("{issuer:?}"));
    assert!(token.is_none());
    let shown = format!("{emulator:?} {:?} {:?}", emulator.log(), emulator.audit());
    for name in ["access_token", "refresh_token", "id_token"] {
        assert!(!shown.contains(&text(&tokens, name)), "{name}");
    }
    assert!(!shown.contains("code_"));
}

const NAMES: [&str; 32] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "resource",
    "request_uri",
    "nonce",
    "access_type",
    "grant_type",
    "code",
    "code_verifier",
    "refresh_token",
    "subject_token",
    "subject_token_type",
    "actor_token",
    "actor_token_type",
    "audience",
    "subject_issuer",
    "requested_token_type",
    "device_code",
    "user_code",
    "token",
    "csrf",
    "request",
    "user",
    "decision",
    "client_secret",
    "x",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any parameters, good and bad, on any route, at any time.
    #[test]
    fn nothing_makes_it_panic(
        route in prop::sample::select(vec![
            "oauth/authorize", "oauth/token", "oauth/par", "oauth/revoke", "oauth/introspect", "oauth/device",
            "oauth/device_authorization", "mcp/mcp_0001/challenge", "mcp/servers/x", "documents",
            ".well-known/oauth-protected-resource", ".well-known/oauth-protected-resource/mcp/mcp_0001",
        ]),
        post in any::<bool>(),
        picks in prop::collection::vec((0..NAMES.len(), 0..24_usize, "[ -~é]{0,50}"), 0..14),
        time in prop::option::of(any::<u64>()),
    ) {
        let emulator = Emulator::builder().tenant(Tenant::demo()).build().unwrap();
        let secret = emulator.secret().clone();
        let own = agent_token(&emulator, "agt_demo");
        authorize(&emulator, &asking("openid read:documents", &[("access_type", "offline")]));
        let id = emulator.pending_consents()[0].id.clone();
        let to = emulator.approve_consent(&id, "alice").unwrap();
        let code = value(&sent(to.expose()).1, "code").to_owned();
        let user = text(&ok(&redeem(&emulator, &code)), "access_token");
        let s256 = challenge(VERIFIER);
        let known = [
            "code", "agt_demo", REDIRECT, "read:documents", "openid", &s256, "S256", "none", MCP, "mcp_0001",
            "offline", "authorization_code", "refresh_token", EXCHANGE, &code, VERIFIER, &own, &user,
            "urn:ietf:params:oauth:token-type:access_token", "urn:ietf:params:oauth:token-type:jwt",
            "urn:ietf:params:oauth:grant-type:device_code", "alice", secret.expose(),
        ];
        let pairs: Vec<(&str, &str)> = picks
            .iter()
            .map(|(name, pick, random)| (NAMES[*name], known.get(*pick).copied().unwrap_or(random)))
            .collect();
        let base = emulator.site().join(route).unwrap();
        let request = if post {
            Request::new(Method::POST, base)
                .bytes("application/x-www-form-urlencoded", encoded(&pairs))
        } else {
            Request::new(Method::GET, format!("{base}?{}", encoded(&pairs)).parse().unwrap())
        };
        let request = if picks.len() % 2 == 0 { request } else { bearer(request, &user) };
        let now = time.map_or(emulator.now(), Timestamp::from_unix_millis);
        let response = emulator.handle(&request, now).response;
        prop_assert!(response.status().as_u16() >= 200 && response.status().as_u16() < 500);
        let location = response.header(LOCATION).unwrap_or_default();
        prop_assert!(location.is_empty() || location.starts_with(REDIRECT));
        prop_assert!(response.header(HeaderName::from_static("date")).is_some() || time.is_some());
    }
}
