//! Leaders that are killed, and servers that stand still, die, and come back empty: nobody hangs, and no refresh token is sent twice.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use serde_json::Value;

use crate::engine::programs;
use crate::member::{Member, Ways};
use crate::tokens::{World, tokens};

fn started(world: &World, ways: Ways) -> Member {
    let mut member = Member::start(world, ways, 0);
    assert_eq!(member.hear().unwrap()["ready"], true);
    member
}

/// How many steps a leader takes that nobody kills.
fn steps(world: &mut World, ways: Ways, what: &str) -> u64 {
    world.pass();
    let mut leader = started(world, ways);
    leader.tell(what, world.ahead);
    let mut steps = 0;
    while leader.hear().is_some_and(|said| said.get("step").is_some()) {
        steps += 1;
    }
    steps
}

#[test]
fn t16_a_leader_that_is_killed_at_any_moment_holds_up_nobody_and_nothing_is_sent_twice() {
    for program in programs("leaders that are killed") {
        let ways = Ways { threads: 2, pace: 50, patience: 60, tells: true };
        let rounds = crate::rounds::of(200);
        let (mut killed, mut ended, mut longest, mut consents, mut waited) = (0, 0, 0, 0, 0);
        let mut world = World::new(&program);
        world.consent();
        let whole = ["own", "user"].map(|what| steps(&mut world, ways, what));
        while killed < rounds {
            let round = killed + ended;
            let (what, steps) = (["own", "user"][round % 2], whole[round % 2]);
            world.pass();
            let mut leader = started(&world, ways);
            leader.tell(what, world.ahead);
            // After a step that was drawn; it may have ended before.
            let at = RandomState::new().hash_one(round) % steps;
            let is_alive = (0..at).all(|_| leader.hear().is_some_and(|said| said.get("step").is_some()));
            killed += usize::from(is_alive);
            ended += usize::from(!is_alive);
            assert!(ended <= rounds, "{ended} leaders ended before {killed} were killed");
            leader.kill();
            let before = world.asked();
            let mut next = started(&world, ways);
            next.tell(what, world.ahead);
            let mut end = next.end();
            longest = longest.max(end["took"].as_u64().unwrap());
            // A user's renewal is never taken over: whoever waits for it ends by its time, perhaps in a question to the store, and
            // asks again later.
            let late = |end: &Value| {
                let errors = end["errors"].to_string();
                errors.contains("waiting for another process") || errors.contains("did not answer in time")
            };
            while late(&end) {
                assert_eq!(what, "user", "{end}");
                waited += 1;
                next.tell(what, world.ahead);
                end = next.end();
                longest = longest.max(end["took"].as_u64().unwrap());
            }
            let errors = end["errors"].as_array().unwrap().len();
            if errors > 0 {
                // The user's refresh token may have been used; then the user consents anew.
                assert_eq!(what, "user", "{end}");
                assert!(end["errors"].to_string().contains("must consent"), "{end}");
                consents += 1;
                world.consent();
            }
            assert!(world.asked() - before <= 3, "{} requests", world.asked() - before);
            assert_eq!(world.refused(), 0, "round {round}: a refresh token was sent twice");
        }
        // Two threads sleep, so time goes on at twice the pace at most.
        assert!(longest <= 2 * 20_000, "{longest} ms");
        println!(
            "T16 on {}: {killed} leaders killed after 0 to {} steps; whoever came next had a token after {longest} ms of its time at most, 0 refresh \
             tokens sent twice, {consents} users had to consent anew, {waited} calls ended before that was known",
            program.file_name().unwrap().display(),
            whole.into_iter().max().unwrap_or_default() - 1
        );
    }
}

/// None had a token, and why.
fn failed(ends: &[Value]) {
    for end in ends {
        assert_eq!(end["tokens"].as_array().unwrap().len(), 0, "{end}");
        assert!(end["errors"].to_string().contains("the store failed"), "{end}");
    }
}

#[test]
fn t16_a_server_that_stands_still_dies_or_is_emptied_keeps_nobody_from_the_agents_own_token() {
    for program in programs("servers in trouble") {
        let mut world = World::new(&program);
        world.consent();
        let ways = Ways { threads: 4, pace: 10, patience: 60, tells: false };
        let mut members: Vec<Member> = (0..6).map(|_| started(&world, ways)).collect();
        tokens(&world.all(&mut members, "own").0);
        tokens(&world.all(&mut members, "user").0);
        for trouble in ["paused", "killed", "emptied"] {
            world.pass();
            match trouble {
                "paused" => {
                    members.iter_mut().for_each(|member| member.tell("patience", 1));
                    world.engine.signal("STOP");
                }
                "killed" => world.engine.kill(),
                _ => {
                    let _: () = redis::cmd("FLUSHALL").query(&mut world.engine.aside()).unwrap();
                }
            }
            let (own, asked) = world.all(&mut members, "own");
            tokens(&own);
            assert!((1..=6).contains(&asked), "{trouble}: {asked} requests of 6 processes");
            if trouble == "emptied" {
                let (user, _) = world.all(&mut members, "user");
                assert!(
                    user.iter().all(|end| end["errors"].to_string().contains("must consent")),
                    "{user:?}"
                );
            } else {
                // A refresh token leaves only if that is noted in the store.
                let (user, asked) = world.all(&mut members, "user");
                failed(&user);
                assert_eq!(asked, 0, "{trouble}");
            }
            if trouble == "paused" {
                world.engine.signal("CONT");
                members.iter_mut().for_each(|member| member.tell("patience", 60));
                let (user, asked) = world.all(&mut members, "user");
                tokens(&user);
                assert_eq!(asked, 7, "one renewal, and an exchange for each process");
            } else {
                if trouble == "killed" {
                    world.engine.again();
                }
                world.consent();
                tokens(&world.all(&mut members, "user").0);
            }
            assert_eq!(world.refused(), 0, "{trouble}");
        }
        println!(
            "T16 on {}: a server paused, killed and emptied under 6 processes of 4 threads: 0 calls without the agent's own token, 0 refresh \
             tokens sent twice or without a note",
            program.file_name().unwrap().display()
        );
    }
}
