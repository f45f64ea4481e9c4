//! Every text that is read by itself: scopes, URLs, paths, tokens, challenges, callbacks, stored sessions, key sets, and what
//! verifiers of both mounts are shown and told.

use std::time::Duration;

use lumoauth::aauth::{
    AgentKey, IncomingMessage, Message, MessagePolicy, Nonce, RequestVerifier, SignatureInput, Target,
    parse_agent_auth, parse_content_digest, parse_signature,
};
use lumoauth::asynchronous;
use lumoauth::challenge::Challenge;
use lumoauth::claims::UnverifiedClaims;
use lumoauth::embed::operation::{Context, Operation};
use lumoauth::embed::operations::{Callback, Exchange, McpToken, UserSession, resource_metadata_urls};
use lumoauth::embed::segment;
use lumoauth::embed::session::Machine;
use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::TransportError;
use lumoauth::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use lumoauth::time::{Now, Timestamp};
use lumoauth::verify::{IssuerKeys, TrustedIssuer, Verifier, VerifierConfig};
use lumoauth::{ApiRequest, Layout, Origin, Pkce, Scopes, Secret, Site, TokenVerifier};
use serde_json::json;

use super::answers::{KIB, now};
use super::{Measure, shapes};

fn clock() -> Now {
    Now::new(Timestamp::from_unix(1_750_000_000), Duration::from_secs(1), [7; 32])
}

#[test]
fn f17_every_text_that_is_read_by_itself() {
    let Some(measure) = Measure::new("texts that are read by themselves", 5, 1) else { return };
    let site = Site::tenant("acme").unwrap();
    let (agent, origin) = (AgentKey::from_seed(&[3; 32]).unwrap(), Origin::parse("https://a.test").unwrap());
    type Read<'a> = (&'a str, usize, Box<dyn Fn(&str) + 'a>);
    let keys = || IssuerKeys::parse(agent.jwks().to_string().as_bytes()).unwrap();
    let issuer = || TrustedIssuer::new("https://i.test").keys(keys());
    let verifier = Verifier::new(VerifierConfig::new(issuer(), "https://a.test")).unwrap();
    let signed = lumoauth::aauth::VerifierConfig::new("https://a.test", issuer());
    let signed = RequestVerifier::new(signed).unwrap();
    let readers: Vec<Read<'_>> = vec![
        ("scopes", 256 * KIB, Box::new(|text| drop(Scopes::from(text).parameter()))),
        (
            "scopes in a list",
            256 * KIB,
            Box::new(|text| drop(Scopes::from(text.split(' ').collect::<Vec<_>>()))),
        ),
        ("an origin", 64 * KIB, Box::new(|text| drop(Origin::parse(text)))),
        ("a base URL", 64 * KIB, Box::new(|text| drop(Site::new(text, Layout::Tenant("acme".into()))))),
        ("a tenant", 64 * KIB, Box::new(|text| drop(Site::tenant(text)))),
        ("a path", 64 * KIB, Box::new(|text| drop(site.join(text)))),
        ("a path on its root", 64 * KIB, Box::new(|text| drop(site.join(&format!("/{text}"))))),
        ("a segment", 64 * KIB, Box::new(|text| drop(segment("id", text)))),
        (
            "a URL that is on an origin or not",
            60 * KIB,
            Box::new(|text| drop(text.parse().map(|url| origin.is_of(&url)))),
        ),
        ("a request", 64 * KIB, Box::new(|text| drop(ApiRequest::get(text).request(&Context::new(&site))))),
        ("a server's places", 64 * KIB, Box::new(|text| drop(resource_metadata_urls(text)))),
        (
            "a resource",
            64 * KIB,
            Box::new(|text| {
                drop(Exchange::new("t").resource(text).request(&Context::new(&site)));
                drop(McpToken::new(text).request(&Context::new(&site)));
            }),
        ),
        ("a callback", 256 * KIB, Box::new(|text| drop(Callback::read(text)))),
        (
            "a callback's parameters",
            256 * KIB,
            Box::new(|text| drop(Callback::read(&format!("https://a.test/cb?state={text}&code={text}")))),
        ),
        (
            "a place of a callback",
            256 * KIB,
            Box::new(|text| {
                drop(
                    Callback::read(&format!("{text}?state=s"))
                        .map(|own| own.check_place("https://a.test/cb")),
                )
            }),
        ),
        ("a verifier of PKCE", 64 * KIB, Box::new(|text| drop(Pkce::from_verifier(text)))),
        ("a stored session", 256 * KIB, Box::new(|text| drop(UserSession::from_bytes(text.as_bytes())))),
        (
            "claims that nobody verified",
            256 * KIB,
            Box::new(|text| drop(UnverifiedClaims::read(&Secret::new(text)))),
        ),
        ("a challenge", 64 * KIB, Box::new(|text| drop(Challenge::parse(text)))),
        ("keys", 1024 * KIB, Box::new(|text| drop(IssuerKeys::parse(text.as_bytes())))),
        (
            "an access token",
            64 * KIB,
            Box::new(|text| drop(verifier.check(&Secret::new(text)).step(&clock(), None))),
        ),
        (
            "an authorization token",
            64 * KIB,
            Box::new(|text| drop(signed.check_token(&Secret::new(text)).step(&clock(), None))),
        ),
        ("the input of a signature", 64 * KIB, Box::new(|text| drop(SignatureInput::parse(text)))),
        ("a signature", 64 * KIB, Box::new(|text| drop(parse_signature(text)))),
        (
            "a digest",
            64 * KIB,
            Box::new(|text| {
                let _ = parse_content_digest(text);
            }),
        ),
        (
            "an agent's header",
            64 * KIB,
            Box::new(|text| {
                let _ = parse_agent_auth(text);
            }),
        ),
        ("a target", 64 * KIB, Box::new(|text| drop(Target::parse(text)))),
        ("a key of somebody", 64 * KIB, Box::new(|text| drop(AgentKey::from_jwk(text.as_bytes())))),
        ("a key in PEM", 64 * KIB, Box::new(|text| drop(AgentKey::from_pem(text.as_bytes())))),
    ];
    for (reader, cap, read) in &readers {
        for (shape, text) in shapes::texts().into_iter().chain(shapes::headers()) {
            measure.feed(&format!("{reader}: {shape}"), *cap, text, |text| read(text));
        }
    }
    measure.end();
}

/// A session that a store gives back, with each of its members in every shape.
#[test]
fn f17_every_member_of_a_stored_session() {
    let Some(measure) = Measure::new("members of stored sessions", 7, 1) else { return };
    let cap = 256 * KIB;
    let good = || {
        let pending = json!({"client_id": "c", "state": "s", "verifier": "v".repeat(43), "redirect_uri": "https://a.test/", "scope": "a", "since": 1});
        json!({
            "version": 1, "generation": 1, "claim": {"by": "b", "at": 1}, "redeeming": {"by": "b", "at": 1, "pending": pending},
            "user": {"access": "t", "type": "Bearer", "scope": "a", "expires_at": 2_000_000_000_000_u64, "lifetime": 1, "refresh": "r", "put_off": null},
            "pending": [pending], "displaced": ["r1"],
        })
    };
    let (whole, small) = (shapes::all_values(cap), shapes::all_values(cap / 8));
    for member in [
        "version",
        "generation",
        "claim",
        "redeeming",
        "user",
        "pending",
        "displaced",
        "/user/scope",
        "/user/access",
        "/user/type",
        "/pending/0/scope",
        "/pending/0/redirect_uri",
        "/claim/by",
    ] {
        for (index, (shape, _)) in whole.iter().enumerate() {
            let make = |size: usize| {
                let mut session = good();
                let value = if size == cap { &whole } else { &small }[index].1.clone();
                match member.starts_with('/') {
                    true => *session.pointer_mut(member).unwrap() = value,
                    false => session[member] = value,
                }
                session.to_string()
            };
            measure.feed(&format!("{member}: {shape}"), cap, make, |text| {
                if let Ok(session) = UserSession::from_bytes(text.as_bytes()) {
                    drop((session.scopes(), session.refresh_tokens(), session.to_bytes()));
                }
            });
        }
    }
    measure.end();
}

/// What issuers say to verifiers, which fetch it, in both mounts.
#[test]
fn f17_every_document_of_an_issuer() {
    let Some(measure) = Measure::new("documents of issuers", 11, 5) else { return };
    let cap = 1000 * KIB;
    let token = Secret::new(shapes::token(
        &json!({"iss": "https://i.test", "aud": "https://a.test", "exp": 2_000_000_000}),
    ));
    let (whole, small) = (shapes::all_values(cap), shapes::all_values(cap / 8));
    let bodies = shapes::bodies();
    for (document, member) in [
        ("metadata", "issuer"),
        ("metadata", "jwks_uri"),
        ("metadata", "unknown"),
        ("keys", "keys"),
        ("keys", "unknown"),
        ("keys", ""),
    ] {
        let count = if member.is_empty() { bodies.len() } else { whole.len() };
        for index in 0..count {
            let shape = if member.is_empty() { bodies[index].0 } else { whole[index].0 };
            let make = |size: usize| {
                if member.is_empty() {
                    return bodies[index].1(size);
                }
                let mut good =
                    json!({"issuer": "https://i.test", "jwks_uri": "https://i.test/keys", "keys": []});
                good[member] = if size == cap { &whole } else { &small }[index].1.clone();
                good.to_string().into_bytes()
            };
            let answer = move |request: &Request, body: &[u8]| {
                let own = request.url().path().ends_with("/keys") == (document == "keys");
                let other = r#"{"issuer":"https://i.test","jwks_uri":"https://i.test/keys","keys":[]}"#;
                let body = if own { body.to_vec() } else { other.into() };
                Ok::<_, TransportError>(Response::new(StatusCode::OK, HeaderMap::new(), body))
            };
            let config = || VerifierConfig::new("https://i.test", "https://a.test");
            measure.feed(
                &format!("{document}, {member}: {shape} (blocking)"),
                cap,
                make,
                |body: &Vec<u8>| {
                    let body = body.clone();
                    let verifier =
                        TokenVerifier::build_with(config(), move |request: Request| answer(&request, &body));
                    drop(verifier.unwrap().verify(&token));
                },
            );
            {
                measure.feed(
                    &format!("{document}, {member}: {shape} (async)"),
                    cap,
                    make,
                    |body: &Vec<u8>| {
                        let body = body.clone();
                        let send = move |request: Request| std::future::ready(answer(&request, &body));
                        let transport = asynchronous::from_fn(send, |_| std::future::ready(()));
                        let verifier = asynchronous::TokenVerifier::build_with(config(), transport).unwrap();
                        drop(now(verifier.verify(&token)));
                    },
                );
            }
        }
    }
    measure.end();
}

/// A signed request, with each of its headers in every shape, and its path.
#[test]
fn f17_every_part_of_a_signed_request() {
    let Some(measure) = Measure::new("parts of signed requests", 5, 1) else { return };
    let cap = 60 * KIB;
    let agent = AgentKey::from_seed(&[3; 32]).unwrap();
    let policy = MessagePolicy::new("https://api.test").unwrap();
    let issuer = TrustedIssuer::new("https://i.test")
        .keys(IssuerKeys::parse(agent.jwks().to_string().as_bytes()).unwrap());
    let verifier =
        RequestVerifier::new(lumoauth::aauth::VerifierConfig::new("https://api.test", issuer)).unwrap();
    let message = Message::new(Method::POST, "https://api.test/a?b").unwrap().body(b"{}");
    let message = message
        .authorization(format!("Bearer {}", shapes::token(&json!({"iss": "https://i.test"}))))
        .unwrap();
    let headers =
        message.sign(&agent, Timestamp::from_unix(1_750_000_000), &Nonce::from_random(&[3; 16])).unwrap();
    let mut good = HeaderMap::new();
    headers.apply_to(&mut good).unwrap();
    let names = [
        "signature-input",
        "signature",
        "content-digest",
        "content-type",
        "authorization",
        "signature-key",
        "agent-auth",
        "x-unknown",
    ];
    for name in names.into_iter().chain(["path"]) {
        for (shape, make) in shapes::headers() {
            measure.feed(&format!("{name}: {shape}"), cap, make, |text| {
                let mut headers = good.clone();
                let path = if name == "path" { format!("/{text}") } else { "/a?b".to_owned() };
                if name != "path" {
                    let Ok(value) = HeaderValue::from_str(text) else { return };
                    headers.insert(HeaderName::from_static(name), value);
                }
                let message = IncomingMessage {
                    method: &Method::POST,
                    path_and_query: &path,
                    headers: &headers,
                    body: b"{}",
                };
                drop(policy.read(&message, &clock()));
                drop(verifier.check(message).step(&clock(), None));
            });
        }
    }
    measure.end();
}
