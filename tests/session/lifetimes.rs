//! Tokens of every lifetime: early renewal, odd values, many clients, many keys.

use std::collections::HashMap;
use std::time::Duration;

use lumoauth::Site;
use lumoauth::embed::session::{Session, Settings};
use lumoauth::error::{TransportError, TransportFault};

use super::server::{broken, hang, mint, read, reply};
use super::world::{World, credentials, session};

#[test]
fn t4_a_valid_token_outlives_refresh_failures() {
    let mut report = Vec::new();
    for (kind, total) in [
        ("503", 15_000),
        ("no answer", 15_000),
        ("no answer", 900),
        ("reset", 300),
        ("dead on arrival", 15_000),
    ] {
        let (mut world, session) = (World::new(4), session());
        world.run(session.token()).unwrap();
        world.server.on_token(move |hit| match kind {
            "503" => reply(503, "{}"),
            "no answer" => hang(),
            "reset" => broken(TransportError::unknown(TransportFault::Broken, "reset")),
            _ => mint(hit, "0"),
        });
        world.server.reset();
        let (begin, mut calls, mut errors) = (world.truth, 0, 0);
        // The whole life of the token, a call every 250 ms, up to 30 s before its end.
        while world.truth - begin < Duration::from_millis(3_569_000) {
            world.pass_millis(250);
            if world.truth - begin >= Duration::from_millis(3_567_000) {
                break;
            }
            calls += 1;
            errors += usize::from(world.run(session.call(read().total(total))).is_err());
        }
        let times: Vec<Duration> = world.server.token_hits.iter().map(|hit| hit.at).collect();
        let closest = times.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
        assert_eq!(errors, 0, "{kind}");
        assert!(closest >= Duration::from_secs(10), "{kind}: {closest:?}");
        report.push(format!(
            "{kind} ({total} ms a call): {calls} calls, {errors} errors, {} attempts, closest {closest:?}",
            times.len()
        ));
    }
    println!("T4: {}", report.join("; "));
}

#[test]
fn t6_no_hot_loop() {
    let year = "31536000";
    let odd = [
        "-1",
        "0",
        "1",
        "2",
        "5",
        "10",
        "2147483648",
        "9007199254740992",
        "9223372036854775808",
        "18446744073709551615",
        "1e308",
        "3600.5",
        "0.2",
        "\"3600\"",
        "null",
        "[]",
        year,
        "missing",
    ];
    let mut most = 0;
    for expires_in in odd {
        let (mut world, session) = (World::new(6), session());
        world.server.on_token(move |hit| match expires_in {
            "missing" => reply(200, &format!(r#"{{"access_token":"t{}"}}"#, hit.count)),
            value => mint(hit, value),
        });
        for _ in 0..400 {
            let before = world.server.tokens;
            let _ = world.run(session.call(read()));
            assert!(world.server.tokens - before <= 1, "{expires_in}: more than one token request in a call");
            world.pass_millis(45);
        }
        let times: Vec<Duration> = world.server.token_hits.iter().map(|hit| hit.at).collect();
        for at in 0..times.len() {
            let within =
                times[at..].iter().take_while(|time| **time - times[at] < Duration::from_secs(1)).count();
            assert!(within <= 1, "{expires_in}: {within} token requests in one second");
            most = most.max(within);
        }
    }
    println!(
        "T6: {} odd lifetimes, 400 calls each over 20 s: at most 1 token request a call, {most} a second",
        odd.len()
    );
}

#[test]
fn t12_a_fleet_does_not_synchronise() {
    let mut report = Vec::new();
    // The second figure is how often the clients look; the busiest moment is counted as coarsely, never finer than 1 s.
    for (lifetime, look) in [(1200_u64, 500), (3600, 1000), (86_400, 20_000)] {
        let mut instants = Vec::new();
        let mut world = World::new(lifetime);
        world.server.keep_hits = false;
        let fleet: Vec<_> = (0..1000).map(|_| session()).collect();
        world.server.on_token(move |hit| mint(hit, &lifetime.to_string()).after(0));
        for client in &fleet {
            world.run(client.token()).unwrap();
        }
        // A client's first token request after the start is its renewal.
        let begin = world.truth;
        let earliest = lifetime - 300.min(lifetime / 5) - lifetime / 10;
        world.pass_millis(earliest * 1000);
        let mut left: Vec<_> = fleet.iter().collect();
        while !left.is_empty() {
            left.retain(|client| {
                let before = world.server.tokens;
                world.run(client.token()).unwrap();
                let renewed = world.server.tokens > before;
                if renewed {
                    instants.push((world.truth - begin).as_millis() as u64);
                }
                !renewed
            });
            world.pass_millis(look);
            assert!((world.truth - begin).as_secs() < lifetime, "somebody never renewed early");
        }
        let spread = (instants.iter().max().unwrap() - instants.iter().min().unwrap()) as f64
            / (lifetime as f64 * 10.0);
        let mut seconds: HashMap<u64, usize> = HashMap::new();
        instants.iter().for_each(|at| *seconds.entry(at / look.max(1000)).or_default() += 1);
        let busiest = *seconds.values().max().unwrap() as f64 / 10.0;
        assert!(spread >= 9.0 && busiest <= 3.0, "{lifetime}: {spread} {busiest}");
        report.push(format!(
            "{lifetime} s: spread {spread:.1} %, busiest {} s {busiest:.1} %",
            look.max(1000) / 1000
        ));
    }
    println!("T12: 1,000 clients: {}", report.join("; "));
}

#[test]
fn t14_the_cache_is_bounded() {
    let (mut world, session) = (World::new(14), session());
    world.server.keep_hits = false;
    let mut most = 0;
    for key in 0..100_000 {
        world.run(session.with_scopes(format!("scope{key}")).token()).unwrap();
        most = most.max(session.cached_tokens());
    }
    assert!(most <= 1024, "{most}");
    // The newest are still there.
    let before = world.server.tokens;
    for key in 99_900..100_000 {
        world.run(session.with_scopes(format!("scope{key}")).token()).unwrap();
    }
    assert_eq!(world.server.tokens, before);
    // When they are over, they go as new ones come.
    world.pass_millis(4_000_000);
    for key in 0..200 {
        world.run(session.with_scopes(format!("late{key}")).token()).unwrap();
    }
    let left = session.cached_tokens();
    assert!(left <= 328, "{left}");
    println!(
        "T14: 100,000 keys: at most {most} entries; {left} entries after 200 new keys when all others are over"
    );
}

#[test]
fn t14_the_bound_is_a_setting() {
    for (asked, most) in [(10, 10), (0, 1)] {
        let mut world = World::new(14);
        let settings = Settings::new(Site::tenant("acme").unwrap()).credentials(credentials("agt_1"));
        let session = Session::new(settings.most_kept(asked));
        for key in 0..100 {
            world.run(session.with_scopes(format!("scope{key}")).token()).unwrap();
            assert!(session.cached_tokens() <= most);
        }
        let before = world.server.tokens;
        world.run(session.with_scopes("scope99").token()).unwrap();
        assert_eq!((session.cached_tokens(), world.server.tokens), (most, before));
    }
}

#[test]
fn t14_a_fetch_under_way_is_not_forced_out() {
    use lumoauth::embed::session::{Action, Machine, Step};
    let (mut world, session) = (World::new(15), session());
    world.server.keep_hits = false;
    let slow = session.with_scopes("slow");
    let mut leader = slow.token();
    assert!(matches!(leader.step(&world.now(), None), Ok(Step::Do(Action::Send(_)))));
    for key in 0..3000 {
        world.run(session.with_scopes(format!("scope{key}")).token()).unwrap();
    }
    let mut follower = slow.token();
    assert!(matches!(follower.step(&world.now(), None), Ok(Step::Do(Action::Join(_)))));
}
