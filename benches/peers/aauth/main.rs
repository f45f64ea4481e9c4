//! Signing a message and verifying it, beside ring on the same bytes and beside two other libraries, in one run.
//!
//! `cargo run --release --manifest-path benches/peers/aauth/Cargo.toml`
//!
//! One POST with a body, one Ed25519 key known to both ends. Each library does what it calls signing and verifying, from
//! the parts of a message to its headers and back; their profiles differ, and so does what they promise:
//!
//! - **lumoauth**: the LumoAuth profile; the body's digest, time and coverage checked, the nonce reserved in a replay store.
//! - **aauth-core**: AAuth's drafts; body, type and time checked, no replay store.
//! - **httpsig**: RFC 9421 as such; the digest is the caller's business and is left out; no policy, no replay store.
//!
//! The other two stand on `ed25519-dalek`, which is faster than ring on processors with AVX2: compare what each adds to its own
//! signature, and see `Signer` for plugging another one in.

#![allow(clippy::disallowed_methods, clippy::print_stdout)] // a bench reads the clock and prints

use std::cell::Cell;
use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use aauth_core::httpsig::SigScheme;
use aauth_core::keys::PrivateKey;
use aauth_core::signing::{SignOptions, VerifyOptions, sign_request, verify_signature};
use httpsig::prelude::message_component::{HttpMessageComponent, HttpMessageComponentId};
use httpsig::prelude::{
    AlgorithmName, HttpSignatureBase, HttpSignatureHeaders, HttpSignatureParams, SecretKey,
};
use lumoauth::aauth::{
    AgentKey, IncomingMessage, MemoryReplayStore, Message, MessagePolicy, Nonce, Reservation, Reserved,
};
use lumoauth::crypto::VerifyingKey;
use lumoauth::http::{HeaderValue, Method, Request};
use lumoauth::time::{Now, Timestamp};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

const ROUNDS: usize = 600;
const CALLS: usize = 10;
const SEED: [u8; 32] = [7; 32];
const SECONDS: u64 = 1_750_000_000;
const URL: &str = "https://api.example.com/v1/files";
const BODY: &[u8] = br#"{"name":"report","folder":"2025","tags":["quarter","draft"]}"#;

/// One side: what it signs and verifies with.
struct Side {
    name: &'static str,
    sign: Box<dyn Fn()>,
    verify: Box<dyn Fn()>,
}

/// ring alone, over the base that lumoauth signs.
fn ring() -> Side {
    let own = AgentKey::from_seed(&SEED).expect("a key");
    let message = Message::new(Method::POST, URL).expect("a URL").body(BODY);
    let base = message.prepare(Timestamp::from_unix(SECONDS), &Nonce::from_random(&[1; 16])).base().to_vec();
    let key = Ed25519KeyPair::from_seed_unchecked(&SEED).expect("a key");
    let public = UnparsedPublicKey::new(&ED25519, key.public_key().as_ref().to_vec());
    let signature = own.sign(&base).expect("signs");
    let again = base.clone();
    Side {
        name: "ring alone",
        sign: Box::new(move || {
            black_box(key.sign(black_box(&base)));
        }),
        verify: Box::new(move || public.verify(black_box(&again), &signature).expect("verifies")),
    }
}

fn lumoauth() -> Side {
    let key = AgentKey::from_seed(&SEED).expect("a key");
    let created = Timestamp::from_unix(SECONDS);
    let now = Now::new(created, Duration::from_secs(1), [7; 32]);
    let public = VerifyingKey::from_jwk(&key.public_jwk()).expect("sound");
    let thumbprint = key.thumbprint().to_owned();
    let policy = MessagePolicy::new(URL).expect("a URL");
    let store = MemoryReplayStore::new();
    let message = || Message::new(Method::POST, URL).expect("a URL").body(BODY);
    // Each is verified once: a replay is refused.
    let signed: Vec<Request<()>> = (0..(ROUNDS + 1) * CALLS)
        .map(|number| {
            let nonce = Nonce::from_random(&(number as u128).to_be_bytes());
            let mut request = Request::new(());
            message().sign(&key, created, &nonce).expect("signs").apply(&mut request).expect("headers");
            request.headers_mut().insert("host", HeaderValue::from_static("api.example.com"));
            request
        })
        .collect();
    let next = Cell::new(0);
    Side {
        name: "lumoauth",
        sign: Box::new(move || {
            let nonce = Nonce::from_random(&[1; 16]);
            drop(black_box(message().sign(&key, created, &nonce).expect("signs")));
        }),
        verify: Box::new(move || {
            let incoming = IncomingMessage::new(&signed[next.replace(next.get() + 1)], BODY);
            let received = policy.read(&incoming, &now).expect("in order");
            received.prove(&public).expect("proven");
            let window = Duration::from_secs(60);
            let reservation = Reservation::of(&thumbprint, received.nonce(), received.created(), window);
            assert_eq!(store.reserve(&reservation, &now), Reserved::First);
        }),
    }
}

fn aauth_core() -> Side {
    let pem = AgentKey::from_seed(&SEED).expect("a key").to_pkcs8_pem().expect("PEM");
    let key = PrivateKey::from_pkcs8_pem(pem.expose()).expect("a key");
    let public = key.public_key();
    let created = i64::try_from(SECONDS).expect("fits");
    let sign = move || {
        let options = SignOptions {
            additional_signature_components: Some(vec!["content-type".into(), "content-digest".into()]),
            created: Some(created),
            ..SignOptions::default()
        };
        let mut headers = HashMap::from([("Content-Type".to_owned(), "application/json".to_owned())]);
        let scheme = SigScheme::Hwk;
        let signed = sign_request("POST", URL, &mut headers, Some(BODY), &key, &scheme, &options);
        (headers, signed.expect("signs"))
    };
    let (headers, signed) = sign();
    Side {
        name: "aauth-core 0.1.2",
        sign: Box::new(move || drop(black_box(sign()))),
        verify: Box::new(move || {
            let options =
                VerifyOptions { public_key: Some(&public), now: Some(created), ..VerifyOptions::default() };
            let (input, signature, key) = (&signed.signature_input, &signed.signature, &signed.signature_key);
            let verified =
                verify_signature("POST", URL, &headers, Some(BODY), input, signature, key, &options);
            assert!(verified.expect("read"));
        }),
    }
}

fn rfc_9421() -> Side {
    const LINES: [&str; 5] = [
        r#""@method": POST"#,
        r#""@authority": api.example.com"#,
        r#""@path": /v1/files"#,
        r#""content-type": application/json"#,
        r#""content-digest": sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"#,
    ];
    const NAMES: [&str; 5] =
        [r#""@method""#, r#""@authority""#, r#""@path""#, r#""content-type""#, r#""content-digest""#];
    let lines = || {
        let lines = LINES.map(|line| HttpMessageComponent::try_from(line).expect("a line"));
        lines.to_vec()
    };
    let key = SecretKey::from_bytes(&AlgorithmName::Ed25519, &SEED).expect("a key");
    let public = key.public_key();
    let sign = move || {
        let names = NAMES.map(|name| HttpMessageComponentId::try_from(name).expect("a name"));
        let mut params = HttpSignatureParams::try_new(&names).expect("parameters");
        params.set_created(SECONDS).set_key_info(&key).set_nonce("AQEBAQEBAQEBAQEBAQEBAQ");
        let base = HttpSignatureBase::try_new(&lines(), &params).expect("a base");
        let headers = base.build_signature_headers(&key, None).expect("signs");
        (headers.signature_header_value(), headers.signature_input_header_value())
    };
    let (signature, input) = sign();
    Side {
        name: "httpsig 0.0.26",
        sign: Box::new(move || drop(black_box(sign()))),
        verify: Box::new(move || {
            let headers = HttpSignatureHeaders::try_parse(&signature, &input).expect("read");
            let headers = headers.get("sig").expect("its name");
            let base = HttpSignatureBase::try_new(&lines(), headers.signature_params()).expect("a base");
            base.verify_signature_headers(&public, headers).expect("verifies");
        }),
    }
}

fn each(work: &dyn Fn()) -> Duration {
    let begun = Instant::now();
    for _ in 0..CALLS {
        work();
    }
    begun.elapsed() / CALLS as u32
}

fn main() {
    let sides = [ring(), lumoauth(), aauth_core(), rfc_9421()];
    let mut times = vec![(Vec::new(), Vec::new()); sides.len()];
    // Taken by turns, so that a busy machine burdens all alike.
    for round in 0..=ROUNDS {
        for (side, (signing, verifying)) in sides.iter().zip(&mut times) {
            let (sign, verify) = (each(&*side.sign), each(&*side.verify));
            if round > 0 {
                signing.push(sign);
                verifying.push(verify);
            }
        }
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    let medians: Vec<_> = times.iter_mut().map(|(sign, verify)| (median(sign), median(verify))).collect();
    let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
    for (side, (sign, verify)) in sides.iter().zip(&medians) {
        println!(
            "{:17} sign {sign:>9.2?} (ring / this {:.3}), verify {verify:>9.2?} (ring / this {:.3})",
            side.name,
            ratio(medians[0].0, *sign),
            ratio(medians[0].1, *verify)
        );
    }
}
