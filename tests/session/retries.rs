//! Repeating: how often, and never a storm.

use std::time::Duration;

use lumoauth::embed::operation::Effect;

use super::server::{broken, hang, probe, read, reply};
use super::world::{Rng, World, session};
use lumoauth::error::{TransportError, TransportFault};

const CALLS: usize = 10_000;

#[test]
fn f6_no_retry_storm() {
    let (mut world, session) = (World::new(6), session());
    world.server.keep_hits = false;
    world.run(session.token()).unwrap();
    world.server.on_call(|_| reply(503, "{}").after(1));
    for _ in 0..CALLS {
        world.run(session.call(read())).unwrap_err();
    }
    let storm = world.server.calls;
    assert!(storm <= CALLS + 10, "{storm}");
    // Healed: the very next call is good, and repeating comes back with success.
    world.server.on_call(|_| reply(200, "{}"));
    let begin = world.truth;
    world.run(session.call(read())).unwrap();
    let recovered = world.truth - begin;
    assert!(recovered <= Duration::from_secs(1));
    for _ in 0..10 {
        world.run(session.call(read())).unwrap();
    }
    world.server.reset();
    world.server.on_call(|hit| reply(if hit.count == 1 { 503 } else { 200 }, "{}"));
    world.run(session.call(read())).unwrap();
    println!("F6: {CALLS} calls at 100 % failures: {storm} requests; recovered {recovered:?} after healing");
}

#[test]
fn f6_a_storm_of_callers_at_once() {
    let (mut world, session) = (World::new(6), session());
    world.server.keep_hits = false;
    world.run(session.token()).unwrap();
    world.server.on_call(|_| reply(503, "{}").after(20));
    for _ in 0..1000 {
        world.spawn(session.call(read()));
    }
    assert!(world.run_ends().iter().all(|end| end.result.is_err()));
    assert!(world.server.calls <= 1010, "{}", world.server.calls);
    println!("F6: 1,000 callers at once at 100 % failures: {} requests", world.server.calls);
}

#[test]
fn f6_amplification_at_ten_percent_failures() {
    let mut worst = 0.0_f64;
    for kind in ["503", "reset", "no answer"] {
        let (mut world, session) = (World::new(6), session());
        world.server.keep_hits = false;
        world.run(session.token()).unwrap();
        let mut rng = Rng(66);
        world.server.on_call(move |_| match (rng.below(10), kind) {
            (0, "503") => reply(503, "{}").after(1),
            (0, "reset") => broken(TransportError::unknown(TransportFault::Broken, "reset")),
            (0, _) => hang(),
            _ => reply(200, "{}").after(1),
        });
        for _ in 0..CALLS {
            let _ = world.run(session.call(read().total(60_000)));
        }
        let amplification = world.server.calls as f64 / CALLS as f64;
        assert!(amplification <= 1.11, "{kind}: {amplification}");
        worst = worst.max(amplification);
    }
    println!("F6: {CALLS} calls at 10 % failures of 3 kinds: amplification at most {worst:.3}");
}

#[test]
fn three_attempts_and_what_is_never_repeated() {
    for (status, sends) in
        [(503, 3), (500, 3), (408, 3), (429, 3), (400, 1), (403, 1), (404, 1), (409, 1), (501, 1), (302, 1)]
    {
        let (mut world, session) = (World::new(1), session());
        world.server.on_call(move |_| reply(status, "{}"));
        world.run(session.call(read().total(60_000))).unwrap_err();
        assert_eq!(world.server.calls, sends, "{status}");
    }
    for fault in [TransportFault::Tls, TransportFault::TooLarge, TransportFault::Refused] {
        let (mut world, session) = (World::new(1), session());
        world.server.on_call(move |_| broken(TransportError::unknown(fault, "no")));
        world.run(session.call(probe(Effect::Read))).unwrap_err();
        assert_eq!(world.server.calls, 1, "{fault:?}");
    }
}
