//! Every flow, in both mounts: equal results, equal requests.

use lumoauth::aauth::{AuthToken, Authorization};
use lumoauth::embed::operations::aauth::{
    Authorize, Exchange, GetResourceToken, GetResourceTokenByName, GetResources, IssueDelegate, Revoke,
    VerifyAuthToken, VerifyResourceToken,
};
use lumoauth::{Error, http::Method};

use super::world::*;

/// The service as it is, current answers.
fn service(seen: &Seen, _: usize) -> (u16, String) {
    let token = |name: &str, more: &str| {
        let token = auth_token(name);
        format!(
            r#"{{"request_type":"x","auth_token":"{token}","expires_in":300,"token_type":"auth+jwt"{more}}}"#
        )
    };
    let path = seen.line.split_once(' ').unwrap().1;
    let body = match (path.strip_prefix(BASE).unwrap_or(path), seen.body["request_type"].as_str()) {
        ("/aauth/agent/token", Some("auth")) => format!(
            r#"{{"request_type":"auth","request_token":"rq-1","authorization_uri":"{BASE}/aauth/agent/auth?request_token=rq-1","expires_in":600}}"#
        ),
        ("/aauth/agent/token", Some("code")) => token("first", r#","refresh_token":"rf-1""#),
        ("/aauth/agent/token", Some("refresh")) => token("second", ""),
        ("/aauth/agent/token", Some("exchange")) => token("third", ""),
        ("/aauth/agent/issue", _) => {
            r#"{"agent_token":"a.b.c","token_type":"agent+jwt","expires_in":3600}"#.to_owned()
        }
        ("/aauth/agent/platform-token", _) => format!(
            r#"{{"access_token":"p","token_type":"DPoP","expires_in":300,"agent_id":"agt_1","cnf_jkt":"{}"}}"#,
            key().thumbprint()
        ),
        ("/aauth/resource/token", _) => {
            r#"{"resource_token":"r.s.t","token_type":"resource+jwt","expires_in":300}"#.to_owned()
        }
        ("/aauth/resource/token/verify", _) => format!(r#"{{"active":true,"resource":"{API}"}}"#),
        ("/aauth/auth/token/verify", _) => r#"{"active":true,"cnf_jkt":"j","pop_required":true}"#.to_owned(),
        ("/aauth/token/revoke", _) => r#"{"revoked":true}"#.to_owned(),
        ("/.well-known/aauth-issuer", _) => return (404, r#"{"error":"not_found"}"#.to_owned()),
        ("https://app.lumoauth.dev/.well-known/aauth-issuer", _) => format!(r#"{{"issuer":"{BASE}"}}"#),
        ("/aauth/jwks.json", _) => r#"{"keys":[{"kid":"k"}]}"#.to_owned(),
        ("/.well-known/aauth-agent", _) => format!(r#"[{{"agent":"{AGENT}","jwks_uri":"{AGENT}/jwks"}}]"#),
        ("/.well-known/aauth-resource", _) => format!(r#"{{"resource":"{API}","jwks_uri":"{API}/jwks"}}"#),
        ("https://api.example.com/v1/data?limit=2", _) => r#"{"data":[1]}"#.to_owned(),
        other => panic!("nothing is at {other:?}"),
    };
    (200, body)
}

macro_rules! walk {
    ($client:ident, $($await:tt)*) => {{
        let mut results: Vec<String> = Vec::new();
        let authorization = $client.request_authorization(Authorize::new("r.s.t").scopes("read"))$($await)*.unwrap();
        let Authorization::Consent(consent) = authorization else { panic!("a person is asked") };
        let url = $client.consent_url(&consent).unwrap();
        let state = url.rsplit_once("&state=").unwrap().1.to_owned();
        results.push(url);
        let forged = $client.handle_callback_url(&consent, "https://agent.example/cb?code=c&state=x")$($await)*;
        results.push(forged.unwrap_err().to_string());
        let back = format!("https://agent.example/cb?code=c-1&state={state}&iss={}", BASE.replace('/', "%2F"));
        let token = $client.handle_callback_url(&consent, &back)$($await)*.unwrap();
        results.push(format!("{token:?} {}", token.auth_token().expose()));
        let again = $client.handle_callback_url(&consent, &back)$($await)*;
        results.push(again.unwrap_err().to_string());
        let renewed = $client.refresh(&token, "fresh.s.t")$($await)*.unwrap();
        assert_eq!(renewed.refresh_token(), token.refresh_token(), "kept, since no new one came");
        results.push(format!("{renewed:?}"));
        let answer = $client.signed_request(&renewed, Method::GET, "https://API.example.com:443/v1/data?limit=2")$($await)*;
        results.push(answer.unwrap().text());
        let next = $client.exchange(Exchange::new("up.stream.x", "r.s.t"))$($await)*.unwrap();
        results.push(format!("{:?}", next.granted().unwrap()));
        results.push(format!("{:?}", $client.revoke(Revoke::refresh_token("rf-1"))$($await)*));
        results.push(format!("{:?}", $client.issue_delegate(IssueDelegate::new("w", key().public_jwk()))$($await)*));
        let platform = $client.platform_token("read")$($await)*.unwrap();
        results.push(format!("{platform:?}"));
        let by_name = GetResourceTokenByName::new(API, BASE);
        results.push(format!("{:?}", $client.resource_token_by_name(by_name)$($await)*));
        results.push(format!("{:?}", $client.verify_auth_token(VerifyAuthToken::new("t"))$($await)*));
        let verify = VerifyResourceToken::new("r.s.t", AGENT, key().thumbprint());
        results.push(format!("{:?}", $client.verify_resource_token(verify)$($await)*));
        results.push(format!("{:?}", $client.metadata()$($await)*));
        results.push(format!("{:?}", $client.keys()$($await)*));
        results.push(format!("{:?}", $client.agents()$($await)*));
        results.push(format!("{:?}", $client.resources(GetResources::new())$($await)*));
        results
    }};
}

#[test]
fn every_flow_is_the_same_in_both_mounts() {
    let world = World::new(service);
    let client = builder().build_with(world.clone()).unwrap();
    let blocking = (walk!(client,), world.seen());
    let asynchronous = block_on(async {
        let world = World::new(service);
        let client = async_builder().build_with(world.clone()).unwrap();
        (walk!(client, .await), world.seen())
    });
    assert_eq!(blocking.0, asynchronous.0);
    assert_eq!(blocking.1, asynchronous.1, "to the last bit of every signature");

    let seen = blocking.1;
    let at = |request_type: &str| seen.iter().find(|seen| seen.body["request_type"] == request_type).unwrap();
    assert_eq!(at("code").body["redirect_uri"], "https://agent.example/cb");
    assert_eq!(at("code").body["request_token"], "rq-1");
    assert_eq!(at("refresh").body["resource_token"], "fresh.s.t");
    assert_eq!(at("exchange").body["auth_token"], "up.stream.x");
    let issuers: Vec<_> = seen.iter().filter(|seen| seen.line.contains("aauth-issuer")).collect();
    assert_eq!(issuers.len(), 2, "the tenant's, then the root's, then believed for an hour");
    for seen in &seen {
        let (signed, at_service) = (seen.signature.is_some(), seen.line.contains("app.lumoauth.dev"));
        if seen.line.starts_with("GET https://app.lumoauth.dev") {
            assert!(!signed && seen.agent_auth.is_none(), "documents carry nothing: {}", seen.line);
        } else if seen.authorization.as_deref() == Some("Bearer https://api.example.com") {
            assert!(!signed, "the older form is not signed");
        } else if at_service {
            assert!(signed && seen.agent_auth.as_ref().unwrap().starts_with("agent_token=ey"), "{seen:?}");
            assert_eq!(seen.authorization, None);
        } else {
            assert_eq!(seen.line, "GET https://api.example.com/v1/data?limit=2");
            assert_eq!(
                seen.authorization.as_deref(),
                Some(format!("Bearer {}", auth_token("second")).as_str())
            );
            assert!(signed && seen.agent_auth.is_none(), "the agent's token goes to the service only");
        }
    }
    println!("every flow: {} requests, equal in both mounts", seen.len());
}

#[test]
fn the_issuers_document_is_looked_for_at_the_next_place_upon_anything_but_a_good_one() {
    let html = "<!doctype html><title>Sign in</title>";
    let places: [(u16, &str, usize); 11] = [
        (401, "{}", 1),
        (403, "{}", 1),
        (404, "{}", 1),
        (405, "", 1),
        (200, html, 1),
        (200, "{}", 1),
        (302, "", 1),
        (400, html, 1),
        (500, "{}", 2),
        (502, html, 2),
        (503, "{}", 2),
    ];
    for (status, body, asked) in places {
        let world = World::new(move |seen, _| match seen.line.starts_with(&format!("GET {BASE}/")) {
            true => (status, body.to_owned()),
            false => (200, r#"{"issuer":"https://root"}"#.to_owned()),
        });
        let client = builder().build_with(world.clone()).unwrap();
        assert_eq!(client.metadata().unwrap().issuer, "https://root", "{status} {body}");
        let lines: Vec<_> = world.seen().into_iter().map(|seen| seen.line).collect();
        assert_eq!(lines.len(), asked + 1, "{status}: {lines:?}");
        assert_eq!(lines.last().unwrap(), "GET https://app.lumoauth.dev/.well-known/aauth-issuer");
    }
    // What was wrong with a document says more than that there is none.
    let world = World::new(|seen, _| match seen.line.starts_with(&format!("GET {BASE}/")) {
        true => (403, r#"{"error":"forbidden"}"#.to_owned()),
        false => (404, "{}".to_owned()),
    });
    let client = builder().build_with(world.clone()).unwrap();
    assert_eq!(client.metadata().unwrap_err().code(), Some("forbidden"));
    // Who cannot be reached is not asked elsewhere, and a document that says something odd is the answer.
    for (status, body, requests) in [(0, "", 2), (200, r#"{"issuer":5}"#, 1)] {
        let world = World::new(move |_, _| (status, body.to_owned()));
        let client = builder().build_with(world.clone()).unwrap();
        assert!(client.metadata().is_err());
        assert_eq!(world.seen().len(), requests, "{status}");
    }
}

#[test]
fn a_resource_signs_with_the_name_of_its_key() {
    let world = World::new(service);
    let builder = lumoauth::aauth::Client::builder().tenant("acme").key(key()).resource(API);
    let client = builder.build_with(world.clone()).unwrap();
    let token = client.resource_token(GetResourceToken::new(AGENT, key().thumbprint())).unwrap();
    assert_eq!(token.secret().expose(), "r.s.t");
    let seen = world.seen();
    assert_eq!(seen[0].signature_key.as_deref(), Some("https://api.example.com#key-1"));
    assert_eq!(seen[0].agent_auth, None);
    assert!(matches!(client.agent_token(), Err(Error::Input(_))));
    assert!(matches!(client.platform_token([]), Err(Error::Input(_))));
    assert_eq!(world.seen().len(), 1);
}

#[test]
fn the_token_goes_to_its_resource_only() {
    let world = World::new(service);
    let client = builder().allow_origin("https://evil.test").build_with(world.clone()).unwrap();
    let kept = |text: &str| {
        AuthToken::new(lumoauth::AccessToken::new(
            text.into(),
            lumoauth::TokenType::Bearer,
            lumoauth::Scopes::none(),
            lumoauth::time::Timestamp::from_unix(START),
            std::time::Duration::from_secs(300),
        ))
    };
    let token = kept(&auth_token("x"));
    for url in [
        "https://evil.test/",
        "https://api.example.com.evil.test/",
        "https://api.example.com@evil.test/",
        "https://api.example.com:8443/",
        "http://api.example.com/",
        "https://app.lumoauth.dev/t/acme/api/v1/agents/me",
        "agents/me",
        "/x",
        "//evil.test/",
        "http://127.0.0.1:1/",
        "file:///etc/passwd",
    ] {
        let error = client.signed_request(&token, Method::GET, url).unwrap_err();
        assert!(matches!(error, Error::Input(_)), "{url}: {error}");
    }
    let opaque = kept("opaque");
    let error = client.signed_request(&opaque, Method::GET, "https://api.example.com/").unwrap_err();
    assert!(error.to_string().contains("bound_to"), "{error}");
    assert_eq!(world.seen(), [], "nothing was sent");
    let bound = opaque.bound_to(API).unwrap();
    assert!(client.signed_request(&bound, Method::GET, "https://api.example.com/v1/data?limit=2").is_ok());
}

#[test]
fn settings_are_checked_before_anything_is_sent() {
    let world = || World::new(|_, _| panic!("nothing is sent"));
    let new = || lumoauth::aauth::Client::builder().tenant("acme");
    for (builder, says) in [
        (new().agent(AGENT).agent_token("a.b.c"), "key is missing"),
        (new().key(key()), "agent is missing"),
        (new().key(key()).agent(AGENT), "agent_token is missing"),
        (new().key(key()).agent("agent").agent_token("a.b.c"), "agent is not an https URL"),
        (new().key(key()).agent("https://other.example").agent_server(server(), delegate()), "another one"),
        (new().key(key()).agent(AGENT).resource(API).agent_token("a.b.c"), "not both"),
        (builder().redirect_uri("/cb"), "redirect_uri"),
        (builder().tenant(""), "tenant is missing"),
    ] {
        let error = builder.build_with(world()).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains(says), "{says}: {error}");
    }
    // A key that signs tokens and no messages is told before the first message would fail.
    struct Elliptic(lumoauth::crypto::KeyPair);
    impl lumoauth::Signer for Elliptic {
        fn public_jwk(&self) -> serde_json::Value {
            self.0.public_jwk().to_json()
        }
        fn sign(&self, base: &[u8]) -> Result<Vec<u8>, lumoauth::error::SignerError> {
            self.0.sign(base).map_err(|_| lumoauth::error::SignerError::new("cannot"))
        }
    }
    let elliptic = Elliptic(lumoauth::crypto::KeyPair::generate_p256().unwrap());
    let error = new().key(elliptic).agent(AGENT).agent_token("a.b.c").build_with(world()).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("no Ed25519 or RSA key"), "{error}");
}

#[test]
fn h8_each_attempt_is_signed_afresh_in_both_mounts() {
    let script = |_: &Seen, number: usize| match number % 3 {
        2 => (200, r#"{"active":true}"#.to_owned()),
        _ => (503, "{}".to_owned()),
    };
    let (rounds, mut attempts) = (4, 0);
    let world = World::new(script);
    let client = builder().build_with(world.clone()).unwrap();
    for _ in 0..rounds {
        client.verify_auth_token(VerifyAuthToken::new("t")).unwrap();
    }
    let asynchronous = World::new(script);
    block_on(async {
        let client = async_builder().build_with(asynchronous.clone()).unwrap();
        for _ in 0..rounds {
            client.verify_auth_token(VerifyAuthToken::new("t")).await.unwrap();
        }
    });
    for world in [world, asynchronous] {
        let seen = world.seen();
        assert_eq!(seen.len(), rounds * 3);
        let distinct = |of: fn(&Seen) -> &Option<String>| {
            seen.iter().map(|seen| of(seen).clone().unwrap()).collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!(distinct(|seen| &seen.signature), seen.len());
        assert_eq!(distinct(|seen| &seen.input), seen.len());
        assert_eq!(distinct(|seen| &seen.agent_auth), 1, "one agent token for all of them");
        attempts += seen.len();
    }
    println!(
        "H8: {attempts} attempts of {} calls in both mounts, each with a signature of its own",
        2 * rounds
    );
}

#[test]
fn f7_what_was_not_sent_is_sent_with_another_signature() {
    let world = World::new(|_, number| match number {
        0 => (0, String::new()),
        _ => (200, r#"{"auth_token":"t","expires_in":300}"#.to_owned()),
    });
    let client = builder().build_with(world.clone()).unwrap();
    let code = lumoauth::embed::operations::aauth::RedeemCode::new("c", "https://agent.example/cb");
    assert_eq!(client.redeem(code).unwrap().auth_token().expose(), "t");
    let seen = world.seen();
    assert_eq!((seen.len(), &seen[0].body), (2, &seen[1].body));
    assert_ne!(seen[0].signature, seen[1].signature);
}

/// A code that the service had no time for is as good as before; one over which it broke may be spent.
#[test]
fn a_code_that_the_service_did_not_look_at_can_be_traded_later() {
    let trades = |refusal: u16| {
        let world = World::new(move |seen, _| {
            let trade = seen.body["request_type"].as_str() == Some("code");
            let first = trade && !FIRST.with(|first| first.replace(true));
            if first { (refusal, r#"{"error":"x"}"#.to_owned()) } else { service(seen, 0) }
        });
        FIRST.with(|first| first.set(false));
        let client = builder().build_with(world).unwrap();
        let asked = client.request_authorization(Authorize::new("r.s.t").scopes("read")).unwrap();
        let Authorization::Consent(consent) = asked else { panic!("a person is asked") };
        let url = client.consent_url(&consent).unwrap();
        let state = url.rsplit_once("&state=").unwrap().1.to_owned();
        let back =
            format!("https://agent.example/cb?code=c-1&state={state}&iss={}", BASE.replace('/', "%2F"));
        let first = client.handle_callback_url(&consent, &back).unwrap_err();
        (first, client.handle_callback_url(&consent, &back))
    };
    thread_local! {
        static FIRST: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    }
    let (first, second) = trades(429);
    assert!(first.is_rate_limited() && second.is_ok(), "{first:?}, {second:?}");
    for status in [500, 502, 503, 504] {
        let (first, second) = trades(status);
        assert!(
            matches!(first, Error::OutcomeUnknown { .. }) && !first.is_temporary(),
            "{status}: {first:?}"
        );
        assert!(matches!(second.unwrap_err(), Error::Consent(_)), "{status}");
    }
}
