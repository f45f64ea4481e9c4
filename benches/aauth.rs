//! What signing a message costs beside ring's signature of the same bytes.
//!
//! Compared are, with one Ed25519 key, time and nonce: ring alone, which signs the finished base of the message, held ready;
//! and the whole way from URL, body and tokens to the signed headers: URL read and made canonical, values checked, SHA-256 of
//! the body, the base built, signed and wiped, the signature encoded, the headers' texts. The last figure signs a
//! message that is there already, as a repetition does.
//!
//! Blocks are shorter than the time for which a processor is given away, so that most of them run undisturbed.
//!
//! `cargo bench --bench aauth --features aauth`

#![allow(clippy::disallowed_methods, clippy::print_stdout)] // a bench reads the clock and prints

use std::hint::black_box;
use std::time::{Duration, Instant};

use lumoauth::aauth::{AgentKey, Message, Nonce};
use lumoauth::http::Method;
use lumoauth::time::Timestamp;
use ring::signature::Ed25519KeyPair;

const ROUNDS: usize = 3000;
const CALLS: u32 = 10;
const FLOOR: f64 = 0.94;
const SEED: [u8; 32] = [7; 32];
const CREATED: Timestamp = Timestamp::from_unix(1_750_000_000);
const TOKEN: &str = "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiYXV0aCtqd3QifQ.eyJpc3MiOiJodHRwczovL2FwcC5sdW1vYXV0aC5kZXYifQ.c2ln";

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

fn get() -> Message {
    let message = Message::new(Method::GET, "https://api.example.com/v1/data?limit=2&sort=asc");
    message.expect("a URL").authorization(TOKEN).expect("a value")
}

fn post() -> Message {
    let message = Message::new(Method::POST, "https://app.lumoauth.dev/orgs/acme/api/v1/aauth/agent/token");
    let body =
        br#"{"request_type": "auth", "resource_token": "RESOURCE_TOKEN_FIXED", "scope": "read write"}"#;
    message.expect("a URL").body(body).agent_token("aaa.bbb.ccc").expect("a token")
}

fn main() {
    let key = AgentKey::from_seed(&SEED).expect("a key");
    let bare = Ed25519KeyPair::from_seed_unchecked(&SEED).expect("a key");
    let nonce = Nonce::from_random(&[3; 16]);
    let mut low = false;
    for (name, make) in [("GET with a token", get as fn() -> Message), ("POST with a body", post)] {
        let base = make().prepare(CREATED, &nonce).base().to_vec();
        let without = || {
            black_box(bare.sign(black_box(&base)));
        };
        let whole = || drop(black_box(make().sign(&key, CREATED, &nonce).expect("signs")));
        let prepared = make();
        let again = || drop(black_box(prepared.sign(&key, CREATED, &nonce).expect("signs")));
        each(&whole);
        // Taken by turns, so that a busy machine burdens all alike.
        let (mut rings, mut wholes, mut agains) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            rings.push(each(&without));
            wholes.push(each(&whole));
            agains.push(each(&again));
        }
        let (ring, whole, again) = (median(rings), median(wholes), median(agains));
        let ratio = |time: Duration| ring.as_secs_f64() / time.as_secs_f64();
        let verdict = if ratio(whole) >= FLOOR { "ok" } else { "BELOW" };
        low |= ratio(whole) < FLOOR;
        println!(
            "{name}: ring {ring:.2?}, whole message {whole:.2?}, ratio {:.3} (floor {FLOOR}) {verdict}; the same message again {again:.2?}, ratio {:.3}",
            ratio(whole),
            ratio(again)
        );
    }
    if low {
        std::process::exit(1);
    }
}
