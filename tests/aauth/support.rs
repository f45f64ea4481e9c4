//! A resource, an authorization server and an agent, all of this process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lumoauth::aauth::{
    AgentKey, IncomingMessage, MemoryReplayStore, Message, Nonce, RequestError, RequestVerifier,
    VerifiedRequest, VerifierConfig,
};
use lumoauth::crypto::{KeyPair, sign_compact};
use lumoauth::embed::session::{Machine, Step};
use lumoauth::http::{Method, Request};
use lumoauth::time::{Now, Timestamp};
use lumoauth::verify::{IssuerKeys, TrustedIssuer};
use serde_json::{Value, json};

pub const ISSUER: &str = "https://auth.acme.test/orgs/acme/api/v1";
pub const RESOURCE: &str = "https://api.example.com";
pub const START: u64 = 1_750_000_000;

pub fn at(seconds: u64) -> Now {
    Now::new(Timestamp::from_unix(seconds), Duration::from_secs(seconds - START + 1000), [7; 32])
}

pub struct World {
    pub issuer: KeyPair,
    pub agent: AgentKey,
    pub verifier: RequestVerifier,
    pub store: MemoryReplayStore,
    nonces: AtomicU64,
}

impl World {
    pub fn new() -> Self {
        World::with(|config| config)
    }

    pub fn with(settings: impl FnOnce(VerifierConfig) -> VerifierConfig) -> Self {
        let issuer = KeyPair::generate_ed25519().unwrap();
        let set = json!({"keys": [issuer.public_jwk().to_json()]}).to_string();
        let trusted = TrustedIssuer::new(ISSUER).keys(IssuerKeys::parse(set.as_bytes()).unwrap());
        World {
            verifier: RequestVerifier::new(settings(VerifierConfig::new(RESOURCE, trusted))).unwrap(),
            agent: AgentKey::from_seed(&[3; 32]).unwrap(),
            store: MemoryReplayStore::new(),
            issuer,
            nonces: AtomicU64::new(0),
        }
    }

    pub fn nonce(&self) -> Nonce {
        let number = self.nonces.fetch_add(1, Ordering::SeqCst);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        Nonce::from_random(&bytes)
    }

    /// The claims of a good token.
    pub fn claims(&self) -> Value {
        json!({
            "iss": ISSUER, "aud": RESOURCE, "exp": START + 3600, "iat": START, "jti": "token-1",
            "agent": "https://agent.example/", "sub": "user:alice", "scope": "read write",
            "cnf": {"jwk": self.agent.public_jwk()},
        })
    }

    pub fn token(&self, claims: &Value) -> String {
        sign_compact(&self.issuer, "auth+jwt", claims).unwrap()
    }

    /// A good message of the agent.
    pub fn message(&self, method: Method, path: &str, body: &[u8]) -> Message {
        let message = Message::new(method, &format!("{RESOURCE}{path}")).unwrap().body(body);
        message.authorization(format!("Bearer {}", self.token(&self.claims()))).unwrap()
    }

    /// The message signed at this time, as a request.
    pub fn request(&self, message: &Message, body: &[u8], created: u64) -> Request<Vec<u8>> {
        let headers = message.sign(&self.agent, Timestamp::from_unix(created), &self.nonce()).unwrap();
        let mut request = Request::new(body.to_vec());
        headers.apply(&mut request).unwrap();
        request
    }

    pub fn verify_at(&self, request: &Request<Vec<u8>>, now: &Now) -> Result<VerifiedRequest, RequestError> {
        let mut check = self.verifier.check(IncomingMessage::new(request, request.body()));
        match check.step(now, None).unwrap() {
            Step::Done(proven) => proven?.reserve(&self.store, now),
            other => panic!("the keys are at hand: {other:?}"),
        }
    }

    pub fn verify(&self, request: &Request<Vec<u8>>) -> Result<VerifiedRequest, RequestError> {
        self.verify_at(request, &at(START))
    }
}
