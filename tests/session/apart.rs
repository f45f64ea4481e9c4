//! Hosts whose clocks are apart, and a store that forgets: what a record says is not taken for more than it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::server::{mint, read, reply};
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
