//! Tokens as they arrive, and their claims behind a good signature: nothing panics, and what passes is what it must be.
#![no_main]

use std::sync::OnceLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use lumoauth::Secret;
use lumoauth::aauth::{RequestVerifier, VerifierConfig};
use lumoauth::crypto::{KeyPair, sign_compact};
use lumoauth::embed::session::{Machine, Step};
use lumoauth::time::{Now, Timestamp};
use lumoauth::verify::{IssuerKeys, TrustedIssuer};
use serde_json::{Value, json};

fn world() -> &'static (KeyPair, RequestVerifier) {
    static WORLD: OnceLock<(KeyPair, RequestVerifier)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = KeyPair::from_ed25519_seed(&[1; 32]).expect("a seed");
        let set = json!({"keys": [issuer.public_jwk().to_json()]}).to_string();
        let trusted =
            TrustedIssuer::new("https://as.test").keys(IssuerKeys::parse(set.as_bytes()).expect("keys"));
        (issuer, RequestVerifier::new(VerifierConfig::new("https://api.test", trusted)).expect("settings"))
    })
}

// An even first byte: the rest is a token. An odd one: the rest are claims, and the issuer signs them.
fuzz_target!(|data: &[u8]| {
    let (issuer, verifier) = world();
    let Some((&which, rest)) = data.split_first() else { return };
    let (token, signed) = if which % 2 == 0 {
        let Ok(text) = std::str::from_utf8(rest) else { return };
        (text.to_owned(), None)
    } else {
        let Ok(claims) = serde_json::from_slice::<Value>(rest) else { return };
        (sign_compact(issuer, "auth+jwt", &claims).expect("signs"), Some(claims))
    };
    let now = Now::new(Timestamp::from_unix(1_750_000_000), Duration::from_secs(1), [0; 32]);
    match verifier.check_token(&Secret::new(token)).step(&now, None) {
        Ok(Step::Done(Ok(token))) => {
            let claims = signed.expect("nobody else can sign");
            assert_eq!(claims["iss"], "https://as.test");
            assert!(claims["aud"] == "https://api.test" || claims["aud"] == json!(["https://api.test"]));
            assert!(claims["exp"].as_f64().is_some_and(|end| end > 1_750_000_000.0));
            assert!(claims["cnf"]["jwk"].is_object());
            assert!(token.actors().len() <= 3);
        }
        Ok(Step::Done(Err(error))) => {
            let _ = error.challenge().map(|challenge| challenge.to_header());
        }
        other => panic!("the keys are given: {}", other.is_ok()),
    }
});
