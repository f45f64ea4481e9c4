//! What the verification of a whole token costs beside ring's verification of the same bytes, with warm keys.
//!
//! `cargo bench --bench verify --features verify,emulator`

#![allow(clippy::disallowed_methods, clippy::print_stdout)] // a bench reads the clock and prints

use std::hint::black_box;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lumoauth::Secret;
use lumoauth::crypto::{KeyPair, sign_compact};
use lumoauth::embed::session::{Machine, Step};
use lumoauth::time::{Now, Timestamp};
use lumoauth::verify::{IssuerKeys, TrustedIssuer, Verifier, VerifierConfig};
use ring::rsa::PublicKeyComponents;
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

const ISSUER: &str = "https://app.lumoauth.dev/t/acme/api/v1";
const ROUNDS: usize = 60;
const CALLS: u32 = 200;

/// ring alone: key, message and signature are decoded already.
fn plain(jwk: &Value, message: Vec<u8>, signature: Vec<u8>) -> Box<dyn Fn()> {
    let part =
        |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().expect("a public key")).expect("base64url");
    match jwk["kty"].as_str() {
        Some("RSA") => {
            let (n, e) = (part("n"), part("e"));
            Box::new(move || {
                let key = PublicKeyComponents { n: &n, e: &e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, &message, &signature).expect("verifies");
            })
        }
        Some("EC") => {
            let key =
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [vec![4], part("x"), part("y")].concat());
            Box::new(move || key.verify(&message, &signature).expect("verifies"))
        }
        _ => {
            let key = UnparsedPublicKey::new(&ED25519, part("x"));
            Box::new(move || key.verify(&message, &signature).expect("verifies"))
        }
    }
}

fn each(work: &dyn Fn()) -> Duration {
    let begun = Instant::now();
    for _ in 0..CALLS {
        work();
    }
    begun.elapsed() / CALLS
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn main() {
    let now = Now::new(Timestamp::from_unix(1_750_000_010), Duration::from_secs(1), [7; 32]);
    let rsa = KeyPair::from_pem(include_bytes!("../tests/vectors/test_rsa.pem")).expect("the test key");
    let keys = [
        (KeyPair::generate_ed25519().expect("random"), 0.95),
        (KeyPair::generate_p256().expect("random"), 0.94),
        (rsa, 0.92),
    ];
    let mut low = false;
    for (key, floor) in keys {
        let claims = json!({
            "iss": ISSUER, "aud": "https://api.example.com/mcp", "sub": "agent:research-bot", "client_id": "agt_1",
            "scope": "read:documents mcp:use", "iat": 1_750_000_000, "exp": 1_750_003_600, "jti": "jti_0123456789abcdef",
        });
        let text = sign_compact(&key, "at+jwt", &claims).expect("signs");
        let (input, signature) = text.rsplit_once('.').expect("three parts");
        let jwk = key.public_jwk().to_json();
        let bare =
            plain(&jwk, input.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(signature).expect("base64url"));

        let set = IssuerKeys::parse(json!({"keys": [jwk]}).to_string().as_bytes()).expect("sound");
        let issuer = TrustedIssuer::new(ISSUER).keys(set);
        let verifier =
            Verifier::new(VerifierConfig::new(issuer, "https://api.example.com/mcp")).expect("valid");
        let token = Secret::new(text.as_str());
        let whole = || match verifier.check(&token).step(&now, None) {
            Ok(Step::Done(Ok(verified))) => drop(black_box(verified)),
            _ => unreachable!("the token is good"),
        };
        each(&whole);
        // Taken by turns, so that a busy machine burdens both alike.
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            without.push(each(&bare));
            with.push(each(&whole));
        }
        let (with, without) = (median(with), median(without));
        let ratio = without.as_secs_f64() / with.as_secs_f64();
        let verdict = if ratio >= floor { "ok" } else { "BELOW" };
        low |= ratio < floor;
        println!(
            "{:6} ring {without:>9.2?}, whole token {with:>9.2?}, ratio {ratio:.3} (floor {floor}) {verdict}",
            key.algorithm().name()
        );
    }
    if low {
        std::process::exit(1);
    }
}
