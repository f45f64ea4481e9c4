//! Keys, tokens and a clock for these tests.

use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lumoauth::Secret;
use lumoauth::crypto::KeyPair;
use lumoauth::embed::session::{Arrived, Machine, Step};
use lumoauth::time::{Now, Timestamp};
use lumoauth::verify::{IssuerKeys, TrustedIssuer, VerifiedToken, Verifier, VerifierConfig, VerifyError};
use serde_json::{Value, json};

pub const ISSUER: &str = "https://issuer.test/t/acme/api/v1";
pub const AUDIENCE: &str = "https://api.test/mcp";
/// When these tests take place.
pub const START: u64 = 1_750_000_000;
pub const RSA_PEM: &str = include_str!("../vectors/test_rsa.pem");

pub fn rsa() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::from_pem(RSA_PEM.as_bytes()).unwrap())
}

pub fn p256() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::generate_p256().unwrap())
}

pub fn ed25519() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::from_ed25519_seed(&[7; 32]).unwrap())
}

pub fn at(seconds: u64) -> Now {
    Now::new(Timestamp::from_unix(seconds), Duration::from_secs(seconds), [3; 32])
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of these exact texts.
pub fn sign_raw(key: &KeyPair, header: &str, payload: &str) -> String {
    let input = format!("{}.{}", encode(header), encode(payload));
    let signature = key.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", encode(signature))
}

pub fn header(key: &KeyPair) -> Value {
    json!({"typ": "at+jwt", "alg": key.algorithm().name(), "kid": key.key_id()})
}

pub fn payload() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "agent:bot", "client_id": "agt_1", "scope": "read:documents mcp:use",
        "iat": START, "exp": START + 600, "jti": "jti_1",
    })
}

/// The usual token with some claims set anew, or taken away with `null`.
pub fn token(key: &KeyPair, changes: &Value) -> Secret {
    let mut payload = payload();
    let claims = payload.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.remove(name);
        } else {
            claims.insert(name.clone(), value.clone());
        }
    }
    Secret::new(sign_raw(key, &header(key).to_string(), &payload.to_string()))
}

pub fn jwks(keys: &[&KeyPair]) -> Value {
    json!({"keys": keys.iter().map(|key| key.public_jwk().to_json()).collect::<Vec<_>>()})
}

pub fn given(keys: &Value) -> TrustedIssuer {
    TrustedIssuer::new(ISSUER).keys(IssuerKeys::parse(keys.to_string().as_bytes()).unwrap())
}

/// The strict defaults, with the three keys of these tests.
pub fn config() -> VerifierConfig {
    VerifierConfig::new(given(&jwks(&[rsa(), p256(), ed25519()])), AUDIENCE)
}

pub fn verifier() -> Verifier {
    Verifier::new(config()).unwrap()
}

/// A check under way: the steps of its machine, and what it ends with.
pub type Steps = Box<dyn FnMut(&Now, Option<Arrived>) -> Step<Result<(), VerifyError>>>;

/// A verifier of some kind of token: begins the check of one.
pub type Begin = Box<dyn Fn(&Secret) -> Steps>;

/// A kind of token, for the matrices that run over each kind: access tokens, and the tokens of AAuth.
pub struct Kind {
    pub typ: &'static str,
    /// The usual claims.
    pub payload: Value,
    /// A verifier that trusts this issuer, for the usual audience.
    pub verifier: fn(TrustedIssuer) -> Begin,
}

fn steps<T>(mut machine: impl Machine<Output = Result<T, VerifyError>> + 'static) -> Steps {
    Box::new(move |now, arrived| match machine.step(now, arrived).unwrap() {
        Step::Do(action) => Step::Do(action),
        Step::Done(result) => Step::Done(result.map(drop)),
    })
}

/// Every kind that there is.
pub fn kinds_of_tokens() -> Vec<Kind> {
    vec![
        access_tokens(),
        #[cfg(feature = "aauth")]
        auth_tokens(),
    ]
}

pub fn access_tokens() -> Kind {
    let verifier = |issuer| -> Begin {
        let verifier = Verifier::new(VerifierConfig::new(issuer, AUDIENCE)).unwrap();
        Box::new(move |token| steps(verifier.check(token)))
    };
    Kind { typ: "at+jwt", payload: payload(), verifier }
}

#[cfg(feature = "aauth")]
pub fn auth_tokens() -> Kind {
    use lumoauth::aauth::{self, RequestVerifier};
    let verifier = |issuer| -> Begin {
        let verifier = RequestVerifier::new(aauth::VerifierConfig::new(AUDIENCE, issuer)).unwrap();
        Box::new(move |token| steps(verifier.check_token(token)))
    };
    let payload = json!({
        "iss": ISSUER, "aud": AUDIENCE, "agent": "https://agent.test", "sub": "user:alice", "scope": "read:documents",
        "iat": START, "exp": START + 600, "jti": "jti_1", "cnf": {"jwk": ed25519().public_jwk().to_json()},
    });
    Kind { typ: "auth+jwt", payload, verifier }
}

impl Kind {
    /// The header of a token of this kind.
    pub fn header(&self, key: &KeyPair) -> Value {
        json!({"typ": self.typ, "alg": key.algorithm().name(), "kid": key.key_id()})
    }

    /// The usual token with some claims set anew.
    pub fn token(&self, key: &KeyPair, changes: &Value) -> Secret {
        let mut payload = self.payload.clone();
        payload.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        Secret::new(sign_raw(key, &self.header(key).to_string(), &payload.to_string()))
    }
}

/// The end of a check of any kind that needs no I/O.
pub fn done(begin: &Begin, token: &Secret, now: &Now) -> Result<(), VerifyError> {
    match begin(token)(now, None) {
        Step::Done(result) => result,
        other => panic!("the keys are at hand: {other:?}"),
    }
}

/// The end of a check that needs no I/O.
pub fn check(verifier: &Verifier, token: &Secret, now: &Now) -> Result<VerifiedToken, VerifyError> {
    match verifier.check(token).step(now, None).unwrap() {
        Step::Done(result) => result,
        other => panic!("the keys are at hand: {other:?}"),
    }
}

pub fn accepts(verifier: &Verifier, token: &str) -> bool {
    check(verifier, &Secret::new(token), &at(START + 10)).is_ok()
}

pub fn refusal(verifier: &Verifier, token: &Secret) -> VerifyError {
    check(verifier, token, &at(START + 10)).unwrap_err()
}
