//! Hosts whose clocks are apart, and a store that forgets: what a record says is not taken for more than it is, and what was refused is
//! nobody's any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::server::{Hit, Reply, mint, read, reply};
use super::sharing::process;
use super::world::World;

#[test]
fn t16_no_token_is_used_after_its_end_though_clocks_are_half_a_minute_apart() {
    for lifetime in [60_u64, 75, 90, 120, 300] {
        for clocks in [[0, 30_000, 0, 30_000], [30_000, 0, 0, 0], [0, 30_000, 30_000, 30_000]] {
            let mut world = World::new(lifetime);
            // When each token is over, by the service's own clock.
            let ends = Arc::new(Mutex::new(HashMap::new()));
            let issued = Arc::clone(&ends);
            world.server.on_token(move |hit| {
                let end = hit.at + Duration::from_secs(lifetime);
                issued.lock().unwrap().insert(format!("agt_1||{}", hit.count), end);
                mint(hit, &lifetime.to_string()).after(200)
            });
            let late = Arc::new(Mutex::new(Vec::new()));
            let used = Arc::clone(&late);
            world.server.on_call(move |hit| {
                let end = ends.lock().unwrap()[hit.bearer.as_ref().unwrap()];
                if hit.at >= end {
                    used.lock().unwrap().push(hit.at - end);
                }
                reply(200, "{}")
            });
            let processes = clocks.map(|_| process());
            let (begin, lives) = (world.monotonic, 3);
            // Not all of them are about all the time.
            let mut tick = 0_usize;
            while world.monotonic - begin < Duration::from_secs(lives * lifetime) {
                for (at, process) in processes.iter().enumerate().filter(|(at, _)| (tick >> at) % 3 != 2) {
                    let thread = world.spawn(process.call(read()));
                    world.ahead(thread, clocks[at]);
                }
                assert!(world.run_ends().iter().all(|end| end.result.is_ok()));
                world.pass_millis(700);
                tick += 1;
            }
            let late = late.lock().unwrap();
            assert!(late.is_empty(), "{lifetime} s, {clocks:?}: used {late:?} after their ends");
            let most = 3 * lives + 2;
            assert!(
                world.server.tokens as u64 <= most,
                "{lifetime} s, {clocks:?}: {} tokens",
                world.server.tokens
            );
        }
    }
}

#[test]
fn a_late_writer_replaces_no_newer_token_though_the_store_was_emptied_meanwhile() {
    let mut world = World::new(5);
    world.run(process().token()).unwrap();
    world.pass(Duration::from_secs(3600));
    // The second request takes long.
    world
        .server
        .on_token(|hit| if hit.count == 2 { mint(hit, "60").after(4_900) } else { mint(hit, "3600") });
    let late = world.spawn(process().token());
    while world.server.tokens == 1 {
        world.step();
    }
    world.shelves.records.clear();
    let other = world.spawn(process().token());
    let ends = world.run_ends();
    assert_eq!(ends[late].result.as_ref().unwrap(), "agt_1||2");
    assert_eq!(ends[other].result.as_ref().unwrap(), "agt_1||3");
    assert!(world.shelves.text().contains("agt_1||3"), "{}", world.shelves.text());
}

/// Refuses the first token.
fn refuse(hit: &Hit) -> Reply {
    if hit.bearer.as_deref() == Some("agt_1||1") { reply(401, "{}") } else { reply(200, "{}") }
}

#[test]
fn a_late_refusal_of_an_old_token_drops_no_newer_one() {
    let (mut world, one, other) = (World::new(6), process(), process());
    world.run(one.call(read())).unwrap();
    world.run(other.call(read())).unwrap();
    world.server.on_call(refuse);
    world.run(one.call(read())).unwrap();
    // Long after the renewal that the first refusal has forced.
    world.pass(Duration::from_secs(60));
    world.run(other.call(read())).unwrap();
    assert_eq!(world.server.tokens, 2);
    assert!(world.shelves.text().contains("agt_1||2"), "{}", world.shelves.text());
}

#[test]
fn a_refused_token_is_given_to_nobody_while_its_successor_is_fetched() {
    let (mut world, one) = (World::new(7), process());
    world.run(one.call(read())).unwrap();
    world.server.on_call(refuse);
    world.server.on_token(|hit| mint(hit, "3600").after(2_000));
    let leader = world.spawn(one.call(read()));
    while world.server.tokens == 1 {
        world.step();
    }
    for _ in 0..5 {
        world.spawn(process().call(read()));
    }
    let ends = world.run_ends();
    assert!(ends[leader].result.is_ok() && ends.iter().all(|end| end.result.is_ok()));
    let old = world.server.call_hits.iter().filter(|hit| hit.bearer.as_deref() == Some("agt_1||1")).count();
    assert_eq!((old, world.server.tokens), (2, 2), "the old one was taken once, and refused once");
}

#[test]
fn a_record_of_another_token_is_none_and_a_claim_that_is_far_off_holds_up_nobody() {
    let changes: [fn(&mut serde_json::Value); 4] = [
        |record| record["of"] = "another key".into(),
        |record| record["token"]["resource"] = "https://elsewhere.test".into(),
        |record| {
            record["token"] = serde_json::Value::Null;
            record["claim"] = serde_json::json!({ "by": "nobody", "at": 1_750_000_041_000_u64 });
        },
        |record| {
            record["token"] = serde_json::Value::Null;
            record["claim"] = serde_json::json!({ "by": "nobody", "at": 1_749_999_959_000_u64 });
        },
    ];
    for change in changes {
        let mut world = World::new(8);
        world.run(process().token()).unwrap();
        world.shelves.edit(change);
        let before = world.monotonic;
        assert_eq!(world.run(process().token()).unwrap().secret().expose(), "agt_1||2");
        assert!(world.monotonic - before < Duration::from_secs(1));
        assert_eq!(world.run(process().token()).unwrap().secret().expose(), "agt_1||2");
    }
}
