//! Agents' own tokens as they arrive: nobody is an agent whose token the agent's key did not sign.
#![no_main]

use std::sync::OnceLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use lumoauth::Secret;
use lumoauth::aauth::{AgentKey, AgentVerifier, AgentVerifierConfig};
use lumoauth::embed::session::{Machine, Step};
use lumoauth::time::{Now, Timestamp};
use lumoauth::verify::{IssuerKeys, TrustedIssuer};
use serde_json::Value;

fn world() -> &'static (AgentKey, AgentVerifier) {
    static WORLD: OnceLock<(AgentKey, AgentVerifier)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let key = AgentKey::from_seed(&[2; 32]).expect("a seed");
        let keys = IssuerKeys::parse(key.jwks().to_string().as_bytes()).expect("keys");
        let agent = TrustedIssuer::new("https://agent.test/").keys(keys);
        let config = AgentVerifierConfig::new("https://as.test").agent(agent);
        (key, AgentVerifier::new(config).expect("settings"))
    })
}

// An even first byte: the rest is a token. An odd one: the rest are claims, and the agent signs them.
fuzz_target!(|data: &[u8]| {
    let (key, verifier) = world();
    let Some((&which, rest)) = data.split_first() else { return };
    let (token, signed) = if which % 2 == 0 {
        let Ok(text) = std::str::from_utf8(rest) else { return };
        (Secret::new(text), None)
    } else {
        let Ok(claims) = serde_json::from_slice::<Value>(rest) else { return };
        (key.sign_token("agent+jwt", &claims).expect("signs"), Some(claims))
    };
    let now = Now::new(Timestamp::from_unix(1_750_000_000), Duration::from_secs(1), [0; 32]);
    match verifier.check_token(&token).step(&now, None) {
        Ok(Step::Done(Ok(_))) => {
            let claims = signed.expect("nobody else can sign");
            assert_eq!(claims["iss"], "https://agent.test/");
            assert!(claims["cnf"].is_object());
        }
        Ok(Step::Done(Err(_))) => {}
        other => panic!("the keys are given: {}", other.is_ok()),
    }
});
