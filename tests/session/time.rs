//! Clocks that jump, and deadlines that hold in every phase.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lumoauth::embed::operation::Effect;
use lumoauth::embed::session::{Action, Machine, Step};

use super::server::{hang, mint, probe, read, reply};
use super::world::{World, seeds, session};

const HOUR: u64 = 3_600_000;

#[test]
fn t7_the_right_clock() {
    const WALKS: u64 = 10_000;
    let sent = std::cell::Cell::new((0_usize, 0_usize));
    seeds(WALKS, |seed| {
        let (mut world, session) = (World::new(seed), session());
        world.server.keep_hits = false;
        let lifetime = [300_u64, 1200, 3600, 86_400][(seed % 4) as usize];
        let ends = Arc::new(Mutex::new(std::collections::HashMap::new()));
        let (minted, checked) = (Arc::clone(&ends), Arc::clone(&ends));
        world.server.on_token(move |hit| {
            let end = hit.at + Duration::from_secs(lifetime);
            minted.lock().unwrap().insert(format!("agt_1||{}", hit.count), end);
            mint(hit, &lifetime.to_string())
        });
        world.server.on_call(move |hit| {
            let over = checked.lock().unwrap()[hit.bearer.as_ref().unwrap()] < hit.at;
            reply(200, if over { "over" } else { "valid" })
        });
        for _ in 0..10 {
            let (before, by) = (world.wall, world.rng.below(lifetime * 1500));
            match world.rng.below(8) {
                // Suspended: the wall clock goes on, the monotonic one does not.
                0 => {
                    world.pass_millis(8 * HOUR);
                    world.monotonic -= Duration::from_millis(8 * HOUR);
                }
                1 => {
                    world.pass_millis(by);
                    world.monotonic -= Duration::from_millis(by);
                }
                // The wall clock is set back a day while two hours pass.
                2 => {
                    world.pass_millis(2 * HOUR);
                    world.wall = before - 24 * HOUR + 2 * HOUR;
                }
                // Set forward; a leap second; slewed by 500 ppm.
                3 => {
                    world.pass_millis(by);
                    world.wall += by;
                }
                4 => {
                    world.pass_millis(by);
                    world.wall -= 1000;
                }
                5 => {
                    world.pass_millis(by);
                    world.wall -= by / 2000;
                }
                _ => world.pass_millis(by),
            }
            let answer = world.run(session.call(read())).unwrap();
            let (all, over) = sent.get();
            sent.set((all + 1, over + usize::from(answer == "over")));
            assert_eq!(answer, "valid");
        }
    });
    let (all, over) = sent.get();
    println!("T7: {WALKS} walks of both clocks, {all} calls, {over} tokens sent after their end");
}

#[test]
fn f4_the_deadline_holds_in_every_phase() {
    let mut report = Vec::new();
    let totals = [50_u64, 300, 1000, 8000, 20_000];
    for phase in [
        "token request",
        "the call itself",
        "waiting for another",
        "pauses",
        "Retry-After",
        "polling",
        "pace",
    ] {
        let worst = std::cell::Cell::new(Duration::ZERO);
        for total in totals {
            seeds(20, |seed| {
                let (mut world, session) = (World::new(seed), session());
                match phase {
                    "token request" | "waiting for another" => world.server.on_token(|_| hang()),
                    "the call itself" => world.server.on_call(|_| hang()),
                    "pauses" => world.server.on_call(|_| reply(503, "{}").after(30)),
                    "Retry-After" => world.server.on_call(|_| reply(429, "{}").header("retry-after", "2")),
                    "polling" => world.server.on_call(|_| reply(202, "{}").after(30)),
                    _ => world.server.on_token(|hit| mint(hit, "1")),
                }
                let mut leader = session.call(read().total(600_000));
                if phase == "waiting for another" {
                    assert!(matches!(leader.step(&world.now(), None), Ok(Step::Do(Action::Send(_)))));
                }
                if phase == "pace" {
                    world.run(session.token()).unwrap();
                    world.pass_millis(905);
                }
                for _ in 0..4 {
                    world.spawn(session.call(read().total(total)));
                }
                for end in world.run_ends() {
                    assert!(phase == "pace" || end.result.is_err());
                    let over = end.took.saturating_sub(Duration::from_millis(total));
                    worst.set(worst.get().max(over));
                }
            });
        }
        assert!(worst.get() <= Duration::from_millis(100), "{phase}: {:?}", worst.get());
        report.push(format!("{phase} {:?}", worst.get()));
    }
    println!("F4: overshoot of {totals:?} ms by phase: {}", report.join(", "));
}

#[test]
fn f4_nothing_begins_after_the_deadline() {
    // An answer that comes late leads to no new request: not a refusal, not a failure, not a "later".
    for status in [401, 503, 202] {
        for effect in [Effect::Read, Effect::Once] {
            let (mut world, session) = (World::new(4), session());
            world.run(session.token()).unwrap();
            let mut call = session.call(probe(effect).total(1000));
            assert!(matches!(call.step(&world.now(), None), Ok(Step::Do(Action::Send(_)))));
            world.pass_millis(1000);
            let late = reply(status, "{}").arrived;
            let result = call.step(&world.now(), Some(late));
            assert!(result.is_err(), "{status} {effect:?}: {result:?}");
            assert!(call.step(&world.now(), None).is_err());
            assert!(call.step(&world.now(), Some(reply(200, "{}").arrived)).is_err(), "it is over");
        }
    }
    let (mut world, session) = (World::new(4), session());
    let mut pausing = session.call(read().total(15_000));
    world.server.on_call(|_| reply(503, "{}"));
    world.run(session.token()).unwrap();
    assert!(matches!(pausing.step(&world.now(), None), Ok(Step::Do(Action::Send(_)))));
    assert!(matches!(
        pausing.step(&world.now(), Some(reply(503, "{}").arrived)),
        Ok(Step::Do(Action::Wait(_)))
    ));
    world.pass_millis(15_000);
    let result = pausing.step(&world.now(), Some(reply(200, "{}").arrived));
    assert!(result.as_ref().is_err_and(|error| error.is_timeout()), "{result:?}");
}

#[test]
fn f4_polling_without_a_pause_is_not_a_hot_loop() {
    let (mut world, session) = (World::new(4), session());
    world.server.on_call(|_| reply(202, "{}").after(0));
    let mut poll = read().total(10_000);
    poll.poll = Duration::ZERO;
    assert!(world.run(session.call(poll)).unwrap_err().is_timeout());
    assert!(world.server.calls <= 101, "{}", world.server.calls);
    println!("F4: polling with a pause of 0 for 10 s: {} requests", world.server.calls);
}

#[test]
fn huge_times_do_not_overflow() {
    let (mut world, session) = (World::new(4), session());
    let mut forever = read();
    (forever.total, forever.poll) = (Duration::MAX, Duration::MAX);
    world.server.on_call(|hit| if hit.count == 1 { reply(503, "{}") } else { reply(202, "{}") });
    assert!(world.run(session.call(forever)).unwrap_err().is_timeout());
    world.monotonic = Duration::MAX - Duration::from_secs(1);
    world.server.on_call(|_| reply(200, "{}"));
    let _ = world.run(session.call(read()));
}
