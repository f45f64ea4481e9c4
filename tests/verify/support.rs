//! Keys, tokens and a clock for these tests.

use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lumoauth::Secret;
use lumoauth::crypto::KeyPair;
use lumoauth::session::{Action, Machine};
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

/// The end of a check that needs no I/O.
pub fn check(verifier: &Verifier, token: &Secret, now: &Now) -> Result<VerifiedToken, VerifyError> {
    match verifier.check(token).step(now, None).unwrap() {
        Action::Done(result) => result,
        other => panic!("the keys are at hand: {other:?}"),
    }
}

pub fn accepts(verifier: &Verifier, token: &str) -> bool {
    check(verifier, &Secret::new(token), &at(START + 10)).is_ok()
}

pub fn refusal(verifier: &Verifier, token: &Secret) -> VerifyError {
    check(verifier, token, &at(START + 10)).unwrap_err()
}
