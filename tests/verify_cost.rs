//! What a hostile token costs, alone in its process so that its memory can be counted.
#![cfg(feature = "verify")]
#![allow(clippy::disallowed_methods, clippy::print_stdout)] // a test of time reads the clock, and shows its figure

use std::time::{Duration, Instant};

use lumoauth::Secret;
use lumoauth::embed::session::{Machine, Step};
use lumoauth::time::{Now, Timestamp};
use lumoauth::verify::{Verifier, VerifierConfig, VerifyError};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

#[test]
fn v4_hostile_forms_cost_little() {
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
    let (mut slowest, mut largest) = (Duration::ZERO, 0);
    for form in forms {
        let token = Secret::new(form);
        let mut best = Duration::MAX;
        // The best of three: other processes of the machine do not count.
        for _ in 0..3 {
            let region = Region::new(ALLOCATOR);
            let begun = Instant::now();
            let step = verifier.check(&token).step(&now, None).unwrap();
            best = best.min(begun.elapsed());
            largest = largest.max(region.change().bytes_allocated);
            let Step::Done(Err(error)) = step else { panic!("it was not refused") };
            assert!(!matches!(error, VerifyError::Unavailable(_)), "{error}");
        }
        slowest = slowest.max(best);
    }
    println!("v4: hostile forms refused in {slowest:?} at most, {largest} bytes allocated at most");
    assert!(largest <= 64 * 1024, "{largest}");
    assert!(slowest <= Duration::from_millis(1), "{slowest:?}");
}
