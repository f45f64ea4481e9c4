//! What the whole check of a signed request costs beside ring's verification of the same signatures over the same bytes.
//!
//! Compared are, over the same 20 requests in turn: ring alone, with key, base and signature decoded already; and the check of
//! a message with a replay store in memory: bounds, headers read, coverage, freshness, SHA-256 of the body, the base rebuilt,
//! the signature decoded and verified, the nonce reserved. The key is known there.
//!
//! Then the same with the token that says whose key it is: ring verifies the token's signature and the message's; beside it
//! `aauth::Verifier` takes the request as it came, with the issuer's keys fetched already: token parsed and verified, its
//! claims and its key read, and all that is above.
//!
//! `cargo bench --bench aauth_verify --features aauth,blocking`

#![allow(clippy::disallowed_methods, clippy::print_stdout)] // a bench reads the clock and prints

use std::hint::black_box;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lumoauth::aauth::{
    AgentKey, IncomingMessage, MemoryReplayStore, Message, MessagePolicy, Nonce, Reservation, Reserved,
    Verifier, VerifierConfig, parse_signature,
};
use lumoauth::crypto::{KeyPair, VerifyingKey, sign_compact};
use lumoauth::error::TransportError;
use lumoauth::http;
use lumoauth::http::{Method, Request};
use lumoauth::time::{Now, Timestamp};
use ring::rsa::PublicKeyComponents;
use ring::signature::{ED25519, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey};
use serde_json::{Value, json};

const ISSUER: &str = "https://app.lumoauth.dev/t/acme/api/v1";
const RESOURCE: &str = "https://api.example.com/files";
const URL: &str = "https://api.example.com/v1/files?limit=2&sort=asc";
const BODY: &[u8] = br#"{"name":"report","folder":"2025","tags":["quarter","draft"]}"#;
const ROUNDS: usize = 600;
const CALLS: usize = 20;
const CREATED: Timestamp = Timestamp::from_unix(1_750_000_000);

/// Verifies a signature of a base.
type Bare = Box<dyn Fn(&[u8], &[u8])>;

/// ring alone.
fn plain(jwk: &Value) -> Bare {
    let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().expect("public")).expect("base64url");
    if jwk["kty"] == "RSA" {
        let (n, e) = (part("n"), part("e"));
        return Box::new(move |base, signature| {
            let key = PublicKeyComponents { n: &n, e: &e };
            key.verify(&RSA_PSS_2048_8192_SHA512, base, signature).expect("verifies");
        });
    }
    let key = UnparsedPublicKey::new(&ED25519, part("x"));
    Box::new(move |base, signature| key.verify(base, signature).expect("verifies"))
}

/// The issuer, which has one key; the time stands still.
struct Issuer(Value);

impl lumoauth::Transport for Issuer {
    fn send(
        &self,
        _: lumoauth::embed::wire::Request,
    ) -> Result<lumoauth::embed::wire::Response, TransportError> {
        let keys = json!({"keys": [self.0]}).to_string();
        Ok(lumoauth::embed::wire::Response::new(http::StatusCode::OK, http::HeaderMap::new(), keys))
    }

    fn now(&self) -> Result<Now, TransportError> {
        Ok(Now::new(CREATED, Duration::from_secs(1), [7; 32]))
    }
}

fn each(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed() / CALLS as u32
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn main() {
    let now = Now::new(CREATED, Duration::from_secs(1), [7; 32]);
    let server = KeyPair::generate_ed25519().expect("random");
    let rsa = AgentKey::from_pem(include_bytes!("../tests/vectors/test_rsa.pem")).expect("the test key");
    let mut low = false;
    // RSA verifies in half the time, so that the same work beside it weighs twice.
    for (key, rounds, floor) in [(AgentKey::generate().expect("random"), ROUNDS, 0.93), (rsa, 100, 0.88)] {
        let policy = MessagePolicy::new(RESOURCE).expect("a URL");
        let public = VerifyingKey::from_jwk(&key.public_jwk()).expect("sound");
        let thumbprint = key.thumbprint().to_owned();
        let claims = json!({
            "iss": ISSUER, "aud": RESOURCE, "agent": "https://agent.example", "sub": "user:alice", "scope": "files:read",
            "iat": CREATED.unix(), "exp": CREATED.unix() + 3600, "jti": "jti_1", "cnf": {"jwk": key.public_jwk()},
        });
        let token = sign_compact(&server, "auth+jwt", &claims).expect("signs");
        let message = Message::new(Method::POST, URL).expect("a URL").body(BODY);
        let message = message.authorization(format!("Bearer {token}")).expect("visible");
        let mut number = 0_u128;
        let mut next = || {
            number += 1;
            let prepared = message.prepare(CREATED, &Nonce::from_random(&(number << 64).to_be_bytes()));
            let base = prepared.base().to_vec();
            let headers = prepared.finish(&key.sign(&base).expect("signs"));
            let signature = parse_signature(headers.signature()).expect("read");
            let mut request: http::Request<()> = Request::new(());
            headers.apply(&mut request).expect("headers");
            // What an HTTP server adds.
            for (name, value) in [("host", "api.example.com"), ("accept", "*/*"), ("content-length", "60")] {
                request.headers_mut().insert(name, http::HeaderValue::from_static(value));
            }
            (request, base, signature)
        };
        let bare = plain(&key.public_jwk());
        let issuer = server.public_jwk().to_json();
        let bare_token = plain(&issuer);
        let (signed, token_signature) = token.rsplit_once('.').expect("compact");
        let token_signature = URL_SAFE_NO_PAD.decode(token_signature).expect("base64url");
        let config = VerifierConfig::new(RESOURCE, ISSUER);
        let verifier = Verifier::build_with(config, Issuer(issuer)).expect("settings");
        let store = MemoryReplayStore::new();
        let (mut with, mut without) = (Vec::new(), Vec::new());
        let (mut all_with, mut all_without) = (Vec::new(), Vec::new());
        // Taken by turns, so that a busy machine burdens both alike.
        for round in 0..=rounds {
            let requests: Vec<_> = (0..CALLS).map(|_| next()).collect();
            let plain = each(|| requests.iter().for_each(|(_, base, signature)| bare(base, signature)));
            let whole = each(|| {
                for (request, _, _) in &requests {
                    let message = IncomingMessage::new(request, BODY);
                    let received = policy.read(&message, &now).expect("in order");
                    received.prove(&public).expect("proven");
                    let window = Duration::from_secs(60);
                    let reservation =
                        Reservation::of(&thumbprint, received.nonce(), received.created(), window);
                    assert_eq!(store.reserve(&reservation, &now), Reserved::First);
                    black_box(received);
                }
            });
            let both = each(|| {
                for (_, base, signature) in &requests {
                    bare_token(signed.as_bytes(), &token_signature);
                    bare(base, signature);
                }
            });
            let all = each(|| {
                for (request, _, _) in &requests {
                    black_box(
                        verifier.verify_request(IncomingMessage::new(request, BODY)).expect("verified"),
                    );
                }
            });
            if round > 0 {
                without.push(plain);
                with.push(whole);
                all_without.push(both);
                all_with.push(all);
            }
        }
        for (what, with, without) in
            [("message", with, without), ("message and token", all_with, all_without)]
        {
            let (with, without) = (median(with), median(without));
            let ratio = without.as_secs_f64() / with.as_secs_f64();
            let verdict = if ratio >= floor { "ok" } else { "BELOW" };
            low |= ratio < floor;
            println!(
                "{:14} {what:17} ring {without:>9.2?}, whole {with:>9.2?}, ratio {ratio:.3} (floor {floor}) {verdict}",
                key.algorithm().name()
            );
        }
    }
    if low {
        std::process::exit(1);
    }
}
