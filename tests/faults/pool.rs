//! Kept connections that the server closes are not the caller's problem.

use crate::hostile::{Rng, Server, agent, service};
use lumoauth::ApiRequest;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn f8_connections_closed_at_random_moments_are_invisible_to_calls_that_may_be_repeated() {
    const CALLS: usize = 10_000;
    let server = Server::start(service("tok"));
    let agent = agent(server.url()).build().unwrap();
    let done = AtomicBool::new(false);
    let mut closed = 0;
    std::thread::scope(|scope| {
        let closer = scope.spawn(|| {
            let (mut rng, mut closed) = (Rng::new(8), 0);
            while !done.load(Ordering::SeqCst) {
                let seen = server.bytes_sent();
                let wait = 200 * (1 + rng.below(30) as u64);
                server.wait_until(Duration::from_secs(1), |server| {
                    done.load(Ordering::SeqCst) || server.bytes_sent() > seen + wait
                });
                closed += if rng.below(2) == 0 { server.close_idle() } else { server.reset_idle() };
            }
            closed
        });
        for call in 0..CALLS {
            let decision = agent.ask("read").unwrap_or_else(|error| panic!("call {call}: {error:?}"));
            assert!(decision.allowed());
        }
        done.store(true, Ordering::SeqCst);
        closed = closer.join().unwrap();
    });
    let connections = server.connections();
    println!("f8: {CALLS} calls, {closed} connections closed under them, {connections} opened, 0 errors");
    assert!(closed > 100, "only {closed} connections were closed");
}

#[test]
fn f8_a_call_that_must_not_happen_twice_never_uses_a_kept_connection() {
    const CALLS: usize = 200;
    let server = Server::start(service("tok"));
    let agent = agent(server.url()).build().unwrap();
    for call in 0..CALLS {
        assert!(agent.ask("read").unwrap().allowed());
        let post = ApiRequest::post("things").header("X-Once", &call.to_string()).body("text/plain", "x");
        agent.run(post).unwrap();
    }
    let mut on: HashMap<usize, (usize, usize)> = HashMap::new();
    for request in server.requests() {
        let entry = on.entry(request.connection).or_default();
        entry.0 += 1;
        entry.1 += usize::from(request.header("x-once").is_some());
    }
    let shared = on.values().filter(|(all, once)| *once > 0 && *all > 1).count();
    println!("f8: {CALLS} single-use calls, {shared} on a connection that carried anything else");
    assert_eq!(shared, 0);
    assert_eq!(server.count(|request| request.header("x-once").is_some()), CALLS);
}
