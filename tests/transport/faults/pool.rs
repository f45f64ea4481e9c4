//! Kept connections that the server closes are not the caller's problem.

use crate::hostile::{Rng, Server, agent, service};
use lumoauth::embed::wire::Request;
use lumoauth::http::Method;
use lumoauth::transport::{TransportOptions, UreqTransport};
use lumoauth::{ApiRequest, Transport};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn f8_connections_closed_at_random_moments_are_invisible_to_calls_that_may_be_repeated() {
    const CALLS: usize = 10_000;
    let server = Server::start(service("tok"));
    let agent = agent(server.url()).build().unwrap();
    let done = AtomicBool::new(false);
    let (mut between, mut during) = (0, 0);
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
        // How often the closer's thread runs is the machine's affair; these happen on any machine.
        let mut rng = Rng::new(80);
        for call in 0..CALLS {
            if rng.below(50) == 0 {
                between += if rng.below(2) == 0 { server.close_idle() } else { server.reset_idle() };
            }
            let decision = agent.ask("read").unwrap_or_else(|error| panic!("call {call}: {error:?}"));
            assert!(decision.allowed());
        }
        done.store(true, Ordering::SeqCst);
        during = closer.join().unwrap();
    });
    let connections = server.connections();
    println!(
        "f8: {CALLS} calls, {between} + {during} connections closed under them, {connections} opened, 0 errors"
    );
    assert!(between > 100, "only {between} connections were closed");
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

/// Without the agent's repeats, so that only the look at a kept connection before its use can save the second call.
#[test]
fn f8_a_kept_connection_that_was_closed_is_noticed_before_it_is_used() {
    const ROUNDS: usize = 50;
    let server = Server::start(service("tok"));
    let transport = UreqTransport::new(&TransportOptions::new()).unwrap();
    let url: lumoauth::http::Uri = format!("{}/things", server.url()).parse().unwrap();
    let send = || transport.send(Request::new(Method::GET, url.clone()));
    let wait = Duration::from_secs(5);
    for round in 0..ROUNDS {
        send().unwrap_or_else(|error| panic!("round {round}, first: {error:?}"));
        assert!(server.wait_until(wait, |server| server.idle_connections() >= 1), "no connection was kept");
        assert!(server.close_idle() >= 1);
        assert!(server.wait_until(wait, |server| server.open_connections() == 0), "it was not closed");
        send().unwrap_or_else(|error| panic!("round {round}, second: {error:?}"));
    }
    // The second call of a round leaves a connection that the first call of the next one uses.
    println!("f8: {ROUNDS} kept connections closed, {} opened, 0 errors", server.connections());
    assert_eq!(server.connections(), ROUNDS + 1);
}
