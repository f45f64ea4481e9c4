//! What hostile tokens and nonces cost, alone in its process so that its memory can be counted.
#![cfg(feature = "verify")]
#![allow(clippy::disallowed_methods, clippy::print_stdout)] // a test of time reads the clock, and shows its figure

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lumoauth::Secret;
use lumoauth::embed::session::{Machine, Step};
use lumoauth::time::{Now, Timestamp};
use lumoauth::verify::{Verifier, VerifierConfig, VerifyError};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// One test at a time: memory is the process'.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn v4_hostile_forms_cost_little() {
    let _alone = alone();
    let verifier = Verifier::new(VerifierConfig::new("https://issuer.test", "https://api.test")).unwrap();
    let now = Now::new(Timestamp::from_unix(1_750_000_000), Duration::from_secs(1), [0; 32]);
    let forms = [
        ".".repeat(1_000_000),
        "a".repeat(10_000_000),
        "..".to_owned(),
        ".".repeat(16 * 1024),
        format!("{}.{}.a", "A".repeat(8000), "A".repeat(8000)),
        format!("eyJ{}", "[".repeat(16_000)),
        // {"a":[[[[...
        format!("eyJhIjpb{}..", "W1tb".repeat(4000)),
        // {"x":{"x":{"x":...
        format!("{}..", "eyJ4Ijp7IngiOnsi".repeat(1000)),
        format!("{}.e30.", "eyJhbGciOiJub25lIn0"),
    ];
    // As long as a token may be, and ordinary: what reading it costs is what the others are measured by, in the same rounds.
    let header = r#"{"alg":"ES256","typ":"at+jwt","kid":"k1"}"#;
    let payload = format!(r#"{{"iss":"https://issuer.test","pad":"{}"}}"#, "x".repeat(11_000));
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let ordinary =
        Secret::new(format!("{}.{}.{}", encode(header), encode(&payload), encode(&"s".repeat(64))));
    let forms: Vec<Secret> = forms.into_iter().map(Secret::new).collect();
    let (mut reference, mut largest) = (Duration::MAX, 0);
    let mut costs = vec![Duration::MAX; forms.len()];
    let timed = |token: &Secret| {
        let begun = Instant::now();
        let step = verifier.check(token).step(&now, None).unwrap();
        (begun.elapsed(), step)
    };
    // The least of many rounds: in one of them nobody else had the processor.
    for _ in 0..200 {
        let (cost, step) = timed(&ordinary);
        reference = reference.min(cost);
        assert!(matches!(step, Step::Do(_)), "it is read, and the keys are asked for: {step:?}");
        for (token, least) in forms.iter().zip(&mut costs) {
            let region = Region::new(ALLOCATOR);
            let (cost, step) = timed(token);
            largest = largest.max(region.change().bytes_allocated);
            *least = cost.min(*least);
            let Step::Done(Err(error)) = step else { panic!("it was not refused") };
            assert!(!matches!(error, VerifyError::Unavailable(_)), "{error}");
        }
    }
    let slowest = costs.into_iter().max().unwrap();
    println!(
        "v4: hostile forms refused in {slowest:?} at most, where an ordinary token is read in {reference:?}; {largest} bytes allocated at most"
    );
    assert!(largest <= 64 * 1024, "{largest}");
    assert!(slowest <= 4 * reference, "{slowest:?} where an ordinary one takes {reference:?}");
}

#[cfg(feature = "aauth")]
#[test]
fn h4_a_million_nonces_are_small() {
    use lumoauth::aauth::{MemoryReplayStore, Reservation, Reserved};
    let _alone = alone();
    let start = Timestamp::from_unix(1_750_000_000);
    let now = Now::new(start, Duration::from_secs(1), [0; 32]);
    // As long as the thumbprint of a key (RFC 7638) is.
    let of = |nonce: &str| Reservation::of(&"k".repeat(43), nonce, start, Duration::from_secs(60));
    let region = Region::new(ALLOCATOR);
    let store = MemoryReplayStore::new();
    for number in 0..1_000_000_u32 {
        assert_eq!(store.reserve(&of(&format!("nonce-{number:016}")), &now), Reserved::First);
    }
    let change = region.change();
    let kept = change.bytes_allocated.saturating_sub(change.bytes_deallocated);
    assert_eq!(store.len(), 1_000_000);
    assert_eq!(store.reserve(&of("one more"), &now), Reserved::Full);
    println!("h4: 1,000,000 nonces in {} MB", kept / 1_000_000);
    assert!((1_000_000..=100_000_000).contains(&kept), "{kept} bytes");
}
