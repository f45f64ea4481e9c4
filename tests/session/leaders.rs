//! Leaders that are dropped, that have little time, or that stand still.

use std::time::Duration;

use lumoauth::embed::session::{Action, Machine, Step};

use super::server::{hang, mint, read, reply};
use super::world::{World, seeds, session};

#[test]
fn t11_a_leader_dropped_at_every_step() {
    let mut dropped = 0;
    // The leader's steps: not begun, request out, pausing after a failure, second request out, token there.
    for steps in 0..8 {
        for seed in 0..50 {
            let (mut world, session) = (World::new(seed), session());
            world.server.on_token(|hit| {
                if hit.count == 1 { reply(503, "{}").after(40) } else { mint(hit, "3600").after(40) }
            });
            let leader = world.spawn(session.call(read()));
            let mut taken = 0;
            while taken < steps && world.step() {
                taken += 1;
            }
            for _ in 0..8 {
                world.spawn(session.call(read()));
            }
            for _ in 0..world.rng.below(8) {
                world.step();
            }
            world.cancel(leader);
            dropped += 1;
            let ends = world.run_all();
            for end in ends.iter().skip(1) {
                let end = end.as_ref().expect("every follower ends");
                assert!(end.result.is_ok(), "{:?}", end.result);
                assert!(end.took < Duration::from_secs(2), "{:?}", end.took);
            }
        }
    }
    println!("T11: {dropped} leaders dropped at 8 places, 8 followers each, 0 hangs and 0 errors");
}

#[test]
fn t11_a_leader_with_a_shorter_deadline() {
    seeds(100, |seed| {
        let (mut world, session) = (World::new(seed), session());
        // The first request is never answered.
        world.server.on_token(|hit| if hit.count == 1 { hang() } else { mint(hit, "3600") });
        let leader = world.spawn(session.call(read().total(300)));
        while world.server.tokens == 0 {
            world.step();
        }
        for _ in 0..8 {
            world.spawn(session.call(read()));
        }
        let ends = world.run_ends();
        assert!(ends[leader].result.as_ref().unwrap_err().is_timeout());
        assert!(ends[leader].took <= Duration::from_millis(400));
        assert!(ends[1..].iter().all(|end| end.result.is_ok() && end.took < Duration::from_secs(1)));
        assert_eq!(world.server.tokens, 2);
    });
    println!(
        "T11: 100 leaders with 300 ms before 8 followers with 15 s: the leader ends in time, followers have a token"
    );
}

#[test]
fn t11_a_short_deadline_does_not_end_the_attempts_of_others() {
    seeds(100, |seed| {
        let (mut world, session) = (World::new(seed), session());
        world.server.on_token(|hit| {
            if hit.count == 1 { reply(503, "{}").after(40) } else { mint(hit, "3600").after(40) }
        });
        // The leader has no time for a second attempt.
        let leader = world.spawn(session.call(read().total(41)));
        while world.server.tokens == 0 {
            world.step();
        }
        for _ in 0..8 {
            world.spawn(session.call(read()));
        }
        let ends = world.run_ends();
        // A draw of almost no pause lets even the leader go on.
        if ends[leader].result.is_err() {
            assert!(ends[1..].iter().all(|end| end.result.is_ok()), "{:?}", ends[1].result);
        }
    });
}

#[test]
fn t11_short_deadlines_share_the_three_attempts() {
    seeds(100, |seed| {
        let (mut world, session) = (World::new(seed), session());
        world.server.on_token(|_| reply(503, "{}").after(0));
        for caller in 0..64 {
            world.spawn(session.call(read().total(1 + caller * 10)));
        }
        let ends = world.run_ends();
        assert!(ends.iter().all(|end| end.result.is_err()));
        assert!(world.server.tokens <= 3, "{} requests", world.server.tokens);
    });
}

#[test]
fn t11_a_leader_that_stands_still() {
    // A future that nobody polls any more and nobody drops.
    let (mut world, session) = (World::new(5), session());
    let mut still = session.call(read().total(2000));
    assert!(matches!(still.step(&world.now(), None), Ok(Step::Do(Action::Send(_)))));
    for _ in 0..8 {
        world.spawn(session.call(read()));
    }
    let ends = world.run_ends();
    assert!(ends.iter().all(|end| end.result.is_ok()), "{:?}", ends[0].result);
    let slowest = ends.iter().map(|end| end.took).max().unwrap();
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    println!("T11: a leader of 2 s that nobody turns any more: 8 followers have a token after {slowest:?}");
    // When it is turned after all, it harms nobody.
    let requests = world.server.tokens;
    let late = mint(&world.server.token_hits[0].clone(), "3600").arrived;
    assert!(still.step(&world.now(), Some(late)).unwrap_err().is_timeout());
    assert!(session.current_token(&world.now()).is_some());
    world.run(session.call(read())).unwrap();
    assert_eq!(world.server.tokens, requests);
}

#[test]
fn a_token_call_that_has_ended_leads_no_longer() {
    let (mut world, session) = (World::new(6), session());
    let mut late = session.token();
    assert!(matches!(late.step(&world.now(), None), Ok(Step::Do(Action::Send(_)))));
    let mut follower = session.call(read().total(60_000));
    assert!(matches!(follower.step(&world.now(), None), Ok(Step::Do(Action::Join(_)))));
    world.pass_millis(20_000);
    assert!(late.step(&world.now(), None).unwrap_err().is_timeout());
    // The machine is still there, but its duty is not.
    assert!(matches!(follower.step(&world.now(), None), Ok(Step::Do(Action::Send(_)))));
    assert!(late.step(&world.now(), None).is_err());
}

#[test]
fn bad_scopes_harm_only_their_own_callers() {
    let (mut world, session) = (World::new(7), session());
    let bad = session.with_scopes(["no\"quotes"]);
    for _ in 0..8 {
        world.spawn(bad.call(read()));
        world.spawn(session.call(read()));
    }
    let ends = world.run_ends();
    for (at, end) in ends.iter().enumerate() {
        assert_eq!(end.result.is_err(), at % 2 == 0);
    }
    assert!(ends[0].result.as_ref().unwrap_err().is_usage());
    assert_eq!(world.server.tokens, 1);
    let mut refused = World::new(8);
    refused.server.on_token(|hit| {
        if hit.form.get("scope").is_some_and(|scope| scope == "unknown") {
            reply(400, r#"{"error":"invalid_scope"}"#)
        } else {
            mint(hit, "3600")
        }
    });
    let unknown = session.with_scopes(["unknown"]);
    assert_eq!(refused.run(unknown.call(read())).unwrap_err().code(), Some("invalid_scope"));
    refused.run(session.with_scopes(["other"]).call(read())).unwrap();
}
