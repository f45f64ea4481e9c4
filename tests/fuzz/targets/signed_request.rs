//! Whole requests as they arrive: nothing but the one good request is ever proven, whatever its parts are replaced by.
#![no_main]

use std::sync::OnceLock;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use lumoauth::aauth::{AgentKey, IncomingMessage, Message, Nonce, RequestVerifier, VerifierConfig};
use lumoauth::crypto::{KeyPair, sign_compact};
use lumoauth::embed::session::{Machine, Step};
use lumoauth::time::{Now, Timestamp};
use lumoauth::verify::{IssuerKeys, TrustedIssuer};
use serde_json::json;

const NAMES: [&str; 6] =
    ["signature-input", "signature", "content-digest", "content-type", "authorization", "signature-key"];

struct World {
    verifier: RequestVerifier,
    headers: HeaderMap,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = KeyPair::from_ed25519_seed(&[1; 32]).expect("a seed");
        let agent = AgentKey::from_seed(&[2; 32]).expect("a seed");
        let set = json!({"keys": [issuer.public_jwk().to_json()]}).to_string();
        let trusted =
            TrustedIssuer::new("https://as.test").keys(IssuerKeys::parse(set.as_bytes()).expect("keys"));
        let claims = json!({
            "iss": "https://as.test", "aud": "https://api.test", "exp": 1_750_003_600,
            "cnf": {"jwk": agent.public_jwk()},
        });
        let token = sign_compact(&issuer, "auth+jwt", &claims).expect("signs");
        let message = Message::new(Method::POST, "https://api.test/a?b").expect("a URL").body(b"{}");
        let message = message.authorization(format!("Bearer {token}")).expect("a header");
        let nonce = Nonce::from_random(&[3; 16]);
        let signed = message.sign(&agent, Timestamp::from_unix(1_750_000_000), &nonce).expect("signs");
        let mut headers = HeaderMap::new();
        signed.apply_to(&mut headers).expect("headers");
        World {
            verifier: RequestVerifier::new(VerifierConfig::new("https://api.test", trusted))
                .expect("settings"),
            headers,
        }
    })
}

// The first byte says which part the rest replaces.
fuzz_target!(|data: &[u8]| {
    let World { verifier, headers } = world();
    let Some((&which, rest)) = data.split_first() else { return };
    let (mut headers, mut path, mut body) = (headers.clone(), "/a?b".to_owned(), b"{}".to_vec());
    let changed = match usize::from(which) % 9 {
        at @ 0..=5 => {
            let Ok(value) = HeaderValue::from_bytes(rest) else { return };
            let name = HeaderName::from_static(NAMES[at]);
            headers.insert(name.clone(), value.clone()).is_none_or(|old| old != value)
        }
        6 => {
            let Ok(text) = std::str::from_utf8(rest) else { return };
            path = text.to_owned();
            path != "/a?b"
        }
        7 => {
            body = rest.to_vec();
            body != b"{}"
        }
        _ => {
            let Ok(value) = HeaderValue::from_bytes(rest) else { return };
            headers.append(NAMES[usize::from(which) % 6], value);
            true
        }
    };
    let message =
        IncomingMessage { method: &Method::POST, path_and_query: &path, headers: &headers, body: &body };
    let now = Now::new(Timestamp::from_unix(1_750_000_000), Duration::from_secs(1), [0; 32]);
    match verifier.check(message).step(&now, None) {
        Ok(Step::Done(outcome)) => assert_eq!(outcome.is_ok(), !changed),
        other => panic!("the keys are given: {}", other.is_ok()),
    }
});
