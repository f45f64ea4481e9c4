//! One flight for many callers, turned in orders drawn from seeds.

use std::time::Duration;

use super::server::{hang, mint, read, reply};
use super::world::{World, credentials, seeds, session};

const CALLERS: usize = 64;

#[test]
fn t1_one_refresh_in_every_order() {
    seeds(200, |seed| {
        let (mut world, session) = (World::new(seed), session());
        world.server.on_token(|hit| mint(hit, "3600").after(200));
        for _ in 0..CALLERS {
            world.spawn(session.token());
        }
        let ends = world.run_ends();
        assert_eq!(world.server.tokens, 1);
        assert!(ends.iter().all(|end| end.result.as_ref().unwrap() == "agt_1||1"));
    });
    println!("T1: 200 orders of {CALLERS} callers, 1 token request in each");
}

#[test]
fn t2_a_failed_refresh_is_shared() {
    let mut report = Vec::new();
    for kind in ["503 at once", "503 after 4.9 s", "no answer"] {
        let worst = std::cell::Cell::new((0, Duration::ZERO));
        seeds(60, |seed| {
            let (mut world, session) = (World::new(seed), session());
            world.server.on_token(move |_| match kind {
                "503 at once" => reply(503, "{}"),
                "503 after 4.9 s" => reply(503, "{}").after(4900),
                _ => hang(),
            });
            for _ in 0..CALLERS {
                world.spawn(session.token());
            }
            let ends = world.run_ends();
            assert!(world.server.tokens <= 3, "{kind}: {}", world.server.tokens);
            let first = format!("{:?}", ends[0].result);
            assert!(
                ends.iter().all(|end| end.result.is_err() && format!("{:?}", end.result) == first),
                "{kind}"
            );
            let slowest = ends.iter().map(|end| end.took).max().unwrap();
            assert!(slowest <= Duration::from_millis(20_100), "{kind}: {slowest:?}");
            worst.set((worst.get().0.max(world.server.tokens), worst.get().1.max(slowest)));
        });
        report.push(format!("{kind}: {} requests, slowest {:?}", worst.get().0, worst.get().1));
    }
    println!("T2: {CALLERS} callers, 60 orders each: {}", report.join("; "));
}

#[test]
fn t2_a_follower_that_wakes_late_has_the_answer_too() {
    let (mut world, session) = (World::new(1), session());
    world.server.on_token(|_| reply(503, "{}"));
    use lumoauth::embed::session::{Action, Machine, Step};
    let mut leader = session.token();
    let Ok(Step::Do(Action::Send(request))) = leader.step(&world.now(), None) else { panic!("it leads") };
    let mut follower = session.token();
    assert!(matches!(follower.step(&world.now(), None), Ok(Step::Do(Action::Join(_)))));
    let mut arrived = Some(world.server.answer(&request, Duration::ZERO).arrived);
    let error = loop {
        match leader.step(&world.now(), arrived.take()) {
            Ok(Step::Do(Action::Send(request))) => {
                arrived = Some(world.server.answer(&request, Duration::ZERO).arrived);
            }
            Ok(Step::Do(Action::Wait(pause))) => world.pass(pause),
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    // The memory of the failure has faded when the machine gives this thread its turn.
    world.pass_millis(5000);
    let late = follower.step(&world.now(), None).unwrap_err();
    assert_eq!(format!("{late:?}"), format!("{error:?}"));
    assert_eq!(world.server.tokens, 3);
    println!("T2: a follower that wakes 5 s late returns the leader's error, 3 requests in all");
}

#[test]
fn t9_a_late_refusal_never_drops_a_newer_token() {
    use lumoauth::embed::session::{Action, Arrived, Machine, Step};
    // The call sends its token; the token is replaced in one of four ways; only then the refusal comes.
    for way in ["renewed", "other credentials", "same id, other secret", "other scopes"] {
        let (mut world, session) = (World::new(9), session());
        world.run(session.token()).unwrap();
        let mut call = session.call(read());
        let Ok(Step::Do(Action::Send(_))) = call.step(&world.now(), None) else { panic!("it has a token") };
        match way {
            "renewed" => {}
            "other credentials" => session.set_credentials(credentials("agt_2")),
            "same id, other secret" => session.set_credentials(credentials("agt_1")),
            _ => session.set_scopes(["b"]),
        }
        let newer = world.run(session.new_token()).unwrap();
        let now = world.now();
        let refusal = match reply(401, "{}").arrived {
            Arrived::Response(response) => response,
            Arrived::Failed(_) | Arrived::Given(_) | Arrived::Stored(_) | Arrived::Signature(_) => {
                unreachable!()
            }
        };
        let action = call.step(&now, Some(Arrived::Response(refusal))).unwrap();
        let Step::Do(Action::Send(request)) = action else { panic!("{way}: {action:?}") };
        assert!(request.url().path().ends_with("/probe"), "{way}: it goes out with the newer token at once");
        let held = session.current_token(&world.now()).expect(way);
        assert_eq!(held.secret(), newer.secret(), "{way}");
        assert_eq!(world.server.tokens, 2, "{way}");
    }
    println!("T9: 4 ways to replace a token before its refusal arrives, 0 newer tokens dropped");
}

#[test]
fn t9_a_refused_token_is_dropped_although_the_scopes_have_changed() {
    use lumoauth::embed::session::{Action, Machine, Step};
    let (mut world, session) = (World::new(9), session());
    let before = world.run(session.token()).unwrap();
    let mut call = session.call(read());
    let Ok(Step::Do(Action::Send(_))) = call.step(&world.now(), None) else { panic!("it has a token") };
    session.set_scopes(["b"]);
    let refusal = reply(401, "{}").arrived;
    assert!(matches!(call.step(&world.now(), Some(refusal)), Ok(Step::Do(Action::Send(_)))));
    drop(call);
    session.set_scopes([]);
    let after = world.run(session.token()).unwrap();
    assert_ne!(before.secret(), after.secret());
}

#[test]
fn t10_credentials_replaced_at_any_moment() {
    let counted = std::cell::Cell::new(0_usize);
    seeds(300, |seed| {
        let (mut world, session) = (World::new(seed), session());
        world.server.on_token(|hit| mint(hit, "3600").after(50));
        world.server.on_call(|hit| reply(200, hit.bearer.as_deref().unwrap()));
        let mut owners = Vec::new();
        let mut owner = 1;
        for turn in 0..24 {
            world.spawn(session.call(read()));
            owners.push(owner);
            for _ in 0..world.rng.below(12) {
                world.step();
            }
            if turn % 6 == 5 {
                owner += 1;
                session.set_credentials(credentials(&format!("agt_{owner}")));
            }
        }
        for (end, owner) in world.run_ends().iter().zip(owners) {
            let token = end.result.as_ref().unwrap();
            let whose: u32 = token[4..5].parse().unwrap();
            // A call from before may go out with a later one's; never a later call with an earlier one's.
            assert!(whose >= owner, "{token} for agt_{owner}");
            counted.set(counted.get() + 1);
        }
        let held = session.current_token(&world.now()).map(|token| token.secret().expose().to_owned());
        let last = format!("agt_{owner}|");
        assert!(held.as_ref().is_none_or(|held| held.starts_with(&last)), "{held:?} is held for {last}");
        let token = world.run(session.token()).unwrap();
        assert!(token.secret().expose().starts_with(&last));
    });
    let calls = counted.get();
    println!("T10: {calls} calls, credentials replaced 4 times in each of 300 orders, 0 mismatches");
}

#[test]
fn replaced_credentials_are_not_blamed_for_the_old_ones() {
    // A wrong secret is replaced while its refusal is on the way; nobody is refused for it afterwards.
    seeds(200, |seed| {
        let (mut world, session) = (World::new(seed), session());
        world.server.on_token(|hit| {
            let good = hit.form["client_secret"] == "the-right-client-secret";
            if good {
                mint(hit, "3600").after(30)
            } else {
                reply(401, r#"{"error":"invalid_client"}"#).after(30)
            }
        });
        for _ in 0..4 {
            world.spawn(session.call(read()));
        }
        for _ in 0..world.rng.below(12) {
            world.step();
        }
        session.set_credentials(lumoauth::Credentials::new("agt_1", "the-right-client-secret").unwrap());
        let after: Vec<usize> = (0..4).map(|_| world.spawn(session.call(read()))).collect();
        let ends = world.run_ends();
        for at in after {
            assert!(ends[at].result.is_ok(), "{:?}", ends[at].result);
        }
    });
}

#[test]
fn a_new_token_is_new_even_if_the_renewal_it_joined_fails() {
    use lumoauth::embed::session::{Action, Machine, Step};
    let (mut world, session) = (World::new(4), session());
    let old = world.run(session.token()).unwrap();
    world.pass_millis(3_400_000);
    let mut soft = session.token();
    let Ok(Step::Do(Action::Send(_))) = soft.step(&world.now(), None) else { panic!("it renews early") };
    let mut forced = session.new_token();
    let Ok(Step::Do(Action::Join(_))) = forced.step(&world.now(), None) else {
        panic!("one request at a time")
    };
    let failed = reply(503, "{}").arrived;
    assert!(
        matches!(soft.step(&world.now(), Some(failed)), Ok(Step::Done(token)) if token.secret() == old.secret())
    );
    let new = world.run(forced).unwrap();
    assert_ne!(new.secret(), old.secret());
}
