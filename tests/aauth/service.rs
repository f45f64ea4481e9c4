//! Revocation: each token is checked at the service as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lumoauth::aauth::{
    AgentKey, Client, IncomingMessage, Message, Nonce, RequestError, Verifier, VerifierConfig,
};
use lumoauth::crypto::{KeyPair, sign_compact};
use lumoauth::http::{HeaderMap, Method, Request as HttpRequest, StatusCode};
use lumoauth::time::Now;
use lumoauth::verify::{IssuerKeys, TrustedIssuer};
use lumoauth::wire::{Request, Response};
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
