//! Revocation: each token is checked at the service as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lumoauth::aauth::{
    AgentKey, Client, IncomingMessage, Message, Nonce, RequestError, Verifier, VerifierConfig,
};
use lumoauth::crypto::{KeyPair, sign_compact};
use lumoauth::embed::wire::{Request, Response};
use lumoauth::http::{HeaderMap, Method, Request as HttpRequest, StatusCode};
use lumoauth::time::Now;
use lumoauth::verify::{IssuerKeys, TrustedIssuer};
use lumoauth::{Transport, error::TransportError};
use serde_json::json;

const RESOURCE: &str = "https://api.example.com";
const ISSUER: &str = "https://auth.acme.test/t/acme/api/v1";

/// A service that says one thing of every token, at a time that stands still.
struct Says(u16, &'static str, Arc<AtomicUsize>);

impl Transport for Says {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        assert_eq!(request.url().path(), "/t/acme/api/v1/aauth/auth/token/verify");
        assert!(request.headers().contains_key("signature"));
        self.2.fetch_add(1, Ordering::SeqCst);
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        Ok(Response::new(StatusCode::from_u16(self.0).unwrap(), headers, self.1))
    }

    fn sleep(&self, _: Duration) {}

    fn now(&self) -> Result<Now, TransportError> {
        Ok(super::support::at(super::support::START))
    }
}

#[test]
fn a_revoked_token_is_refused_where_the_service_is_asked() {
    let (agent, own) = (AgentKey::from_seed(&[3; 32]).unwrap(), AgentKey::from_seed(&[4; 32]).unwrap());
    let issuer = KeyPair::generate_ed25519().unwrap();
    let set = json!({"keys": [issuer.public_jwk().to_json()]}).to_string();
    let claims = json!({
        "iss": ISSUER, "aud": RESOURCE, "exp": super::support::START + 60, "cnf": {"jwk": agent.public_jwk()},
    });
    let token = sign_compact(&issuer, "auth+jwt", &claims).unwrap();
    let other = r#"{"active":true,"cnf_jkt":"somebody-else","pop_required":true}"#;
    for (status, body, expected) in [
        (200, r#"{"active":true,"pop_required":true}"#, "taken"),
        (200, r#"{"active":false,"error":"revoked"}"#, "revoked"),
        (200, other, "revoked"),
        (200, r#"{"active":"true"}"#, "unknown"),
        (200, "{}", "unknown"),
        (403, r#"{"error":"access_denied"}"#, "unknown"),
        (400, "<html>", "unknown"),
    ] {
        let asked = Arc::new(AtomicUsize::new(0));
        let trusted = TrustedIssuer::new(ISSUER).keys(IssuerKeys::parse(set.as_bytes()).unwrap());
        let says = || Says(status, body, Arc::clone(&asked));
        let service = Client::builder().base_url("https://auth.acme.test").tenant("acme").resource(RESOURCE);
        let service = service.key(own.clone()).build_with(says()).unwrap();
        let verifier = Verifier::build_with(VerifierConfig::new(RESOURCE, trusted), says()).unwrap();
        let verifier = verifier.ask_service(service);
        let message = Message::new(Method::GET, RESOURCE).unwrap();
        let message = message.authorization(format!("Bearer {token}")).unwrap();
        let now = says().now().unwrap();
        let headers = message.sign(&agent, now.wall, &Nonce::from_random(&[9; 16])).unwrap();
        let mut request = HttpRequest::new(());
        headers.apply(&mut request).unwrap();
        let outcome = verifier.verify_request(IncomingMessage::new(&request, b""));
        let said = match &outcome {
            Ok(_) => "taken",
            Err(RequestError::Revoked) => "revoked",
            Err(RequestError::Service(_)) => "unknown",
            Err(other) => panic!("{other}"),
        };
        assert_eq!(said, expected, "{body}");
        if let Err(error) = outcome {
            assert_eq!(error.status(), if expected == "revoked" { 401 } else { 503 });
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}

/// Whatever the token and the service both name must agree, and the service's word on scopes is the last one.
#[test]
fn what_the_service_says_of_a_token_must_agree_with_it() {
    let (agent, own) = (AgentKey::from_seed(&[3; 32]).unwrap(), AgentKey::from_seed(&[4; 32]).unwrap());
    let issuer = KeyPair::generate_ed25519().unwrap();
    let set = json!({"keys": [issuer.public_jwk().to_json()]}).to_string();
    let ends = super::support::START + 60;
    let jkt = agent.thumbprint();
    let claims = json!({
        "iss": ISSUER, "aud": RESOURCE, "exp": ends, "jti": "token-1", "agent": "https://agent.example",
        "agent_delegate": "worker", "sub": "user:alice", "scope": "read write", "act": {"sub": "agent:a"},
        "cnf": {"jwk": agent.public_jwk()}, "client_id": "agt_1", "tenant": "acme", "roles": ["reader"],
    });
    let bare = json!({"iss": ISSUER, "aud": RESOURCE, "exp": ends, "cnf": {"jwk": agent.public_jwk()}});
    let taken = |claims: &serde_json::Value, said: serde_json::Value| {
        let mut answer = json!({"active": true, "pop_required": true});
        answer.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        let says = || Says(200, Box::leak(answer.to_string().into_boxed_str()), Arc::default());
        let trusted = TrustedIssuer::new(ISSUER).keys(IssuerKeys::parse(set.as_bytes()).unwrap());
        let service = Client::builder().base_url("https://auth.acme.test").tenant("acme").resource(RESOURCE);
        let service = service.key(own.clone()).build_with(says()).unwrap();
        let verifier = Verifier::build_with(VerifierConfig::new(RESOURCE, trusted), says()).unwrap();
        let token = sign_compact(&issuer, "auth+jwt", claims).unwrap();
        let message = Message::new(Method::GET, RESOURCE).unwrap();
        let message = message.authorization(format!("Bearer {token}")).unwrap();
        let headers =
            message.sign(&agent, says().now().unwrap().wall, &Nonce::from_random(&[9; 16])).unwrap();
        let mut request = HttpRequest::new(());
        headers.apply(&mut request).unwrap();
        match verifier.ask_service(service).verify_request(IncomingMessage::new(&request, b"")) {
            Ok(_) => true,
            Err(RequestError::Revoked) => false,
            Err(other) => panic!("{said}: {other}"),
        }
    };
    let same = json!({
        "iss": ISSUER, "aud": RESOURCE, "exp": ends, "jti": "token-1", "agent": "https://agent.example",
        "agent_delegate": "worker", "sub": "user:alice", "scope": "write read", "act": {"sub": "agent:a"},
        "cnf_jkt": jkt, "resource": RESOURCE, "more": 1, "client_id": "agt_1", "tenant": "acme", "roles": ["reader"],
        "cnf": {"jkt": jkt},
    });
    assert!(taken(&claims, same.clone()));
    let mut silent = same.clone();
    for name in same.as_object().unwrap().keys() {
        // Nobody has to name anything.
        silent[name] = json!(null);
        assert!(taken(&claims, silent.clone()), "{name}");
    }
    assert!(taken(
        &bare,
        json!({"sub": "user:alice", "agent": "https://agent.example", "agent_delegate": "w", "scope": "read"})
    ));
    assert!(taken(&bare, json!({"scope": ""})));
    assert!(taken(&claims, json!({"scope": "read write more"})));
    assert!(taken(&claims, json!({"aud": [RESOURCE]})));
    assert!(taken(&claims, json!({"resource": format!("{RESOURCE}/")})));
    assert!(taken(&claims, json!({"aud": format!("{RESOURCE}:443/")})));
    assert!(taken(&claims, json!({"aud": [format!("{RESOURCE}/")]})));
    assert!(taken(&claims, json!({"cnf": {"jwk": agent.public_jwk()}})));
    assert!(taken(&claims, json!({"cnf": {"jwk": agent.public_jwk(), "jkt": jkt}})));
    assert!(taken(&bare, json!({"client_id": "agt_2", "roles": [], "tenant": "other"})));
    let others = [
        json!({"cnf": {"jkt": "somebody-else"}}),
        json!({"cnf": {"jwk": own.public_jwk()}}),
        json!({"cnf": {"jwk": agent.public_jwk(), "jkt": "somebody-else"}}),
        json!({"cnf": {"jwk": {}}}),
        json!({"cnf": {}}),
        json!({"cnf": {"x5t#S256": "x"}}),
        json!({"cnf": "x"}),
        json!({"client_id": "agt_2"}),
        json!({"client_id": ""}),
        json!({"client_id": ["agt_1"]}),
        json!({"tenant": "other"}),
        json!({"roles": []}),
        json!({"roles": ["reader", "admin"]}),
        json!({"aud": []}),
        json!({"aud": ""}),
        json!({"aud": 7}),
        json!({"cnf_jkt": "somebody-else"}),
        json!({"cnf_jkt": ""}),
        json!({"agent": "https://agent.example/"}),
        json!({"agent": ""}),
        json!({"agent_delegate": "another"}),
        json!({"agent_delegate": ""}),
        json!({"sub": "user:mallory"}),
        json!({"sub": ""}),
        json!({"exp": ends + 1}),
        json!({"exp": ends - 1}),
        json!({"exp": 0}),
        json!({"scope": ""}),
        json!({"scope": " "}),
        json!({"scope": "read"}),
        json!({"scope": "readwrite"}),
        json!({"act": {"sub": "agent:b"}}),
        json!({"act": {"sub": "agent:a", "act": {"sub": "agent:b"}}}),
        json!({"iss": "https://other.test"}),
        json!({"aud": "https://other.example.com"}),
        json!({"aud": [RESOURCE, "https://other.example.com"]}),
        json!({"jti": "token-2"}),
    ];
    for other in &others {
        assert!(!taken(&claims, other.clone()), "{other}");
    }
    println!("ask_service: {} answers that differ in one part: 0 taken", others.len());
}

/// A clock that stands still but for what the store takes.
#[derive(Clone, Default)]
struct Clock(Arc<AtomicUsize>);

impl Transport for Clock {
    fn send(&self, _: Request) -> Result<Response, TransportError> {
        panic!("the keys are at hand")
    }

    fn sleep(&self, _: Duration) {}

    fn now(&self) -> Result<Now, TransportError> {
        Ok(super::support::at(super::support::START + self.0.load(Ordering::SeqCst) as u64))
    }
}

/// A store that takes this many seconds for its answer.
struct Slow(Clock, usize);

impl lumoauth::aauth::ReplayStore for Slow {
    fn reserve(
        &self,
        _: &lumoauth::aauth::Reservation,
        _: &Now,
    ) -> Result<lumoauth::aauth::Reserved, lumoauth::error::StoreError> {
        self.0.0.fetch_add(self.1, Ordering::SeqCst);
        Ok(lumoauth::aauth::Reserved::First)
    }
}

#[test]
fn h4_a_store_that_answers_when_the_signature_is_over_takes_nothing() {
    let world = super::support::World::new();
    let set = json!({"keys": [world.issuer.public_jwk().to_json()]}).to_string();
    for (seconds, taken) in [(0, true), (60, true), (61, false), (3600, false)] {
        let issuer =
            TrustedIssuer::new(super::support::ISSUER).keys(IssuerKeys::parse(set.as_bytes()).unwrap());
        let clock = Clock::default();
        let verifier = Verifier::build_with(VerifierConfig::new(RESOURCE, issuer), clock.clone()).unwrap();
        let verifier = verifier.replay_store(Slow(clock, seconds));
        let request = world.request(&world.message(Method::GET, "/", b""), b"", super::support::START);
        let outcome = verifier.verify_request(IncomingMessage::new(&request, b""));
        assert_eq!(outcome.is_ok(), taken, "{seconds}: {outcome:?}");
    }
}
