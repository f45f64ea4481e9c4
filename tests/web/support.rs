//! A service behind the guards, its callers, and what they are answered.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::any;
use lumoauth::asynchronous::{Agent, TokenVerifier};
use lumoauth::crypto::{KeyPair, sign_compact};
use lumoauth::emulator::Emulator;
use lumoauth::http::{Method, Request, StatusCode};
use lumoauth::tower::Verified;
use lumoauth::verify::{IssuerKeys, TrustedIssuer, VerifierConfig};
use serde_json::{Value, json};
use tower::ServiceExt;

pub const RESOURCE: &str = "https://api.acme.test/v1";
pub const ISSUER: &str = "https://issuer.test";

pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Issues tokens of any claims, for callers that the emulator does not have.
pub struct Issuer {
    key: KeyPair,
    now: u64,
    emulator: Emulator,
}

impl Issuer {
    pub fn new() -> Self {
        let emulator = Emulator::demo().unwrap();
        Issuer { key: KeyPair::from_ed25519_seed(&[7; 32]).unwrap(), now: emulator.now().unix(), emulator }
    }

    pub fn config(&self) -> VerifierConfig {
        let keys = json!({"keys": [self.key.public_jwk().to_json()]}).to_string();
        let issuer = TrustedIssuer::new(ISSUER).keys(IssuerKeys::parse(keys.as_bytes()).unwrap());
        VerifierConfig::new(issuer, RESOURCE)
    }

    pub fn verifier(&self) -> TokenVerifier {
        TokenVerifier::build_with(self.config(), self.emulator.transport()).unwrap()
    }

    /// The usual token with these claims besides; `null` takes one away.
    pub fn token(&self, changes: &Value) -> String {
        let mut claims = json!({
            "iss": ISSUER, "aud": RESOURCE, "sub": "someone", "client_id": "app", "exp": self.now + 600, "iat": self.now,
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        sign_compact(&self.key, "at+jwt", &claims).unwrap()
    }

    pub fn person(&self) -> String {
        self.token(&json!({"sub": "user:alice", "auth_time": self.now}))
    }

    pub fn agent(&self) -> String {
        self.token(&json!({"sub": "agent:bot", "agent_id": "agt_demo"}))
    }

    pub fn agent_for_alice(&self) -> String {
        self.token(&json!({"sub": "user:alice", "auth_time": self.now, "act": {"sub": "agent:bot"}, "agent_id": "agt_demo"}))
    }

    pub fn unknown(&self) -> String {
        self.token(&json!({}))
    }
}

/// A handler that counts how often it ran.
#[derive(Clone, Default)]
pub struct Handler(Arc<AtomicU32>);

impl Handler {
    pub fn runs(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    pub fn router(&self) -> Router {
        let count = Arc::clone(&self.0);
        Router::new().fallback(any(move || {
            count.fetch_add(1, Ordering::SeqCst);
            async { "handled" }
        }))
    }

    /// Behind a guard, at every path.
    pub fn behind(&self, guard: Verified) -> Router {
        self.router().layer(guard)
    }
}

pub fn request(method: Method, path: &str, token: Option<&str>) -> Request<Body> {
    let builder = Request::builder().method(method).uri(path);
    let builder = match token {
        Some(token) => builder.header("authorization", format!("Bearer {token}")),
        None => builder,
    };
    builder.body(Body::empty()).unwrap()
}

pub async fn send(app: &Router, request: Request<Body>) -> Response {
    app.clone().oneshot(request).await.unwrap()
}

pub async fn get(app: &Router, path: &str, token: Option<&str>) -> Response {
    send(app, request(Method::GET, path, token)).await
}

pub async fn text(response: Response) -> String {
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

pub fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// Status, challenge and body of an answer.
pub async fn told(response: Response) -> (StatusCode, Option<String>, String) {
    let challenge = header(&response, "www-authenticate").map(str::to_owned);
    (response.status(), challenge, text(response).await)
}

pub fn agent(emulator: &Emulator) -> Agent {
    emulator.async_agent().unwrap()
}
