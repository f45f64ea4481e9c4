//! The service's limits a minute are kept by many callers of one agent.
#![cfg(all(feature = "blocking", feature = "emulator"))]

use std::time::Duration;

use lumoauth::Agent;
use lumoauth::emulator::{AgentSeed, Emulator, Tenant};

const CALLERS: usize = 64;
const MINUTES: usize = 10;
/// Questions at the same moment, six times a minute: 90 a minute.
const AT_ONCE: usize = 15;

#[test]
fn t13_the_rate_budget() {
    let seed = AgentSeed::new("agt_1").secret("fixed").capability("read");
    let emulator = Emulator::builder()
        .tenant(Tenant::new("acme").agent(seed))
        .rate_limit_per_minute(100)
        .token_rate_limit_per_minute(30)
        .access_token_lifetime(Duration::from_secs(300))
        .build()
        .unwrap();
    let agent = emulator.agent().unwrap();
    let callers: Vec<Agent> = (0..CALLERS).map(|_| agent.clone()).collect();
    let mut turn = callers.iter().cycle();
    for _ in 0..MINUTES * 6 {
        std::thread::scope(|scope| {
            for agent in turn.by_ref().take(AT_ONCE) {
                scope.spawn(|| assert!(agent.ask("read").unwrap().allowed()));
            }
        });
        emulator.advance(Duration::from_secs(10));
    }
    let log = emulator.log();
    let of = |route: &str| log.iter().filter(|entry| entry.route == route).count();
    let (asks, tokens) = (of("agents.ask"), of("oauth.token"));
    let refused = log.iter().filter(|entry| entry.status == 429).count();
    println!(
        "t13: {CALLERS} callers, {MINUTES} minutes: {asks} asks (100 a minute allowed), {tokens} token requests \
         (30 a minute allowed), {refused} answers 429"
    );
    assert_eq!(asks, MINUTES * 6 * AT_ONCE);
    assert_eq!(refused, 0);
    // Tokens of 300 s, renewed a little before they end.
    assert!((2..=4).contains(&tokens), "{tokens} token requests");
}
