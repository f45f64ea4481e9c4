//! Refusals: 401 once, Retry-After, budgets, arguments, and who may see a credential.

use std::time::Duration;

use lumoauth::embed::operation::{Auth, Effect};
use lumoauth::embed::session::{Session, Settings};
use lumoauth::{Origin, Site};

use super::server::{mint, probe, read, reply};
use super::world::{World, credentials, session};

#[test]
fn t8_401_recovers_once_and_never_loops() {
    let (mut world, session) = (World::new(8), session());
    world.run(session.token()).unwrap();
    world.server.on_call(|_| reply(401, r#"{"error":"invalid_token"}"#));
    world.server.reset();
    assert!(world.run(session.call(read())).unwrap_err().is_unauthorized());
    let first = (world.server.calls, world.server.tokens);
    assert_eq!(first, (2, 1));
    let begin = world.truth;
    let mut later = 0;
    while world.truth - begin < Duration::from_millis(4900) {
        world.server.reset();
        assert!(world.run(session.call(read())).unwrap_err().is_unauthorized());
        assert_eq!((world.server.calls, world.server.tokens), (1, 0));
        later += 1;
        world.pass_millis(100);
    }
    world.pass_millis(200);
    world.server.reset();
    world.run(session.call(read())).unwrap_err();
    assert_eq!((world.server.calls, world.server.tokens), (2, 1), "after 5 s it may try again");
    println!(
        "T8: 401 for ever: {} calls and {} refresh; then {later} calls in 5 s, 0 refreshes",
        first.0, first.1
    );
}

#[test]
fn t8_401_recovers() {
    let (mut world, session) = (World::new(8), session());
    world.run(session.token()).unwrap();
    let revoked = "agt_1||1";
    world
        .server
        .on_call(move |hit| reply(if hit.bearer.as_deref() == Some(revoked) { 401 } else { 200 }, "{}"));
    for effect in [Effect::Read, Effect::Once] {
        world.run(session.call(probe(effect))).unwrap();
    }
    assert_eq!((world.server.calls, world.server.tokens), (3, 2));
    // 403 says nothing about the token.
    world.server.on_call(|_| reply(403, "{}"));
    world.server.reset();
    assert!(world.run(session.call(read())).unwrap_err().is_forbidden());
    assert_eq!((world.server.calls, world.server.tokens), (1, 0));
}

#[test]
fn t8_a_refusal_and_failures_share_one_budget_of_attempts() {
    let (mut world, session) = (World::new(8), session());
    world.run(session.token()).unwrap();
    world.server.on_call(|hit| reply(if hit.count == 1 { 401 } else { 503 }, "{}"));
    world.run(session.call(read())).unwrap_err();
    assert_eq!(world.server.calls, 3);
    // After an answer to a poll, the next one has three attempts of its own.
    world.server.reset();
    world.server.on_call(|hit| reply([503, 503, 202, 503, 503, 200][hit.count - 1], "{}"));
    world.run(session.call(read().total(60_000))).unwrap();
    assert_eq!(world.server.calls, 6);
}

const RETRY_AFTER: [&str; 14] = [
    "0",
    "1",
    "2.5",
    "60",
    "61",
    "3600",
    "411000",
    "18446744073709551616",
    "-1",
    "NaN",
    "",
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "tomorrow",
];

#[test]
fn f5_retry_after_cannot_hang_a_call() {
    let longest = std::cell::Cell::new(Duration::ZERO);
    for value in RETRY_AFTER {
        for total in [1000_u64, 15_000, 300_000] {
            for seed in 0..20 {
                let (mut world, session) = (World::new(seed), session());
                world.server.on_call(move |hit| {
                    if hit.count == 1 {
                        reply(429, "{}").header("retry-after", value)
                    } else {
                        reply(200, "{}")
                    }
                });
                world.run(session.token()).unwrap();
                let begin = world.truth;
                let result = world.run(session.call(read().total(total)));
                let took = world.truth - begin;
                let slept = took.saturating_sub(Duration::from_millis(10));
                longest.set(longest.get().max(slept));
                assert!(
                    slept <= Duration::from_secs(66).min(Duration::from_millis(total)),
                    "{value}: {slept:?}"
                );
                if let (Ok(_), Ok(asked)) = (&result, value.parse::<f64>())
                    && asked > 0.0
                {
                    assert!(slept.as_secs_f64() >= asked, "{value}: came back after {slept:?}");
                }
                if let Err(error) = result {
                    assert_eq!(took, Duration::from_millis(5), "{value}: at once");
                    assert!(error.is_rate_limited());
                    let named = matches!(value, "1" | "2.5" | "60" | "61" | "3600" | "411000")
                        || value.starts_with("1844")
                        || value.starts_with("Fri");
                    assert_eq!(error.retry_after().is_some_and(|after| !after.is_zero()), named, "{value}");
                }
            }
        }
    }
    println!("F5: {} values on a call, longest sleep {:?}", RETRY_AFTER.len(), longest.get());
}

#[test]
fn f5_retry_after_cannot_hang_a_token_request() {
    let (mut longest, mut remembered) = (Duration::ZERO, Duration::ZERO);
    for status in [429, 503] {
        for value in RETRY_AFTER {
            let (mut world, session) = (World::new(5), session());
            world.server.on_token(move |_| reply(status, "{}").header("retry-after", value));
            let begin = world.truth;
            let error = world.run(session.call(read())).unwrap_err();
            let took = world.truth - begin;
            assert!(took <= Duration::from_millis(15_000), "{value}: {took:?}");
            longest = longest.max(took);
            if matches!(value, "61" | "3600" | "411000" | "60") {
                assert_eq!(took, Duration::from_millis(5), "{value}: at once");
                assert!(error.retry_after().is_some_and(|after| after >= Duration::from_secs(60)));
                let before = world.server.tokens;
                let again = world.run(session.call(read())).unwrap_err();
                assert_eq!((again.retry_after(), world.server.tokens), (error.retry_after(), before));
            }
            // It is remembered for a while, and then not any more.
            world.server.on_token(|hit| mint(hit, "3600"));
            let begin = world.truth;
            while world.run(session.call(read())).is_err() {
                world.pass_millis(1000);
                assert!(world.truth - begin <= Duration::from_secs(600), "{value}");
            }
            remembered = remembered.max(world.truth - begin);
        }
    }
    println!(
        "F5: {} values on the token endpoint, longest call {longest:?}, longest memory {remembered:?}",
        RETRY_AFTER.len()
    );
}

#[test]
fn f5_nobody_returns_earlier_than_asked() {
    let mut pauses = Vec::new();
    for status in [429, 503] {
        for seed in 0..100 {
            let (mut world, session) = (World::new(seed), session());
            world.server.on_token(move |hit| match hit.count == 1 {
                true => reply(status, "{}").header("retry-after", "4"),
                false => mint(hit, "3600"),
            });
            world.server.on_call(move |hit| match hit.count == 1 {
                true => reply(status, "{}").header("retry-after", "60"),
                false => reply(200, "{}"),
            });
            let begin = world.truth;
            world.run(session.token()).unwrap();
            let token = world.truth - begin;
            assert!(token >= Duration::from_secs(4), "{status} at the token endpoint: {token:?}");
            let begin = world.truth;
            world.run(session.call(read().total(300_000))).unwrap();
            let call = world.truth - begin;
            assert!(call >= Duration::from_secs(60), "{status} at the API: {call:?}");
            pauses.push(call);
        }
    }
    let (least, most) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
    println!("F5: 60 s asked, 200 repetitions: after {least:?} to {most:?}");
    assert!(*most <= Duration::from_secs(66) + Duration::from_millis(10), "{most:?}");
    assert!(*most - *least >= Duration::from_secs(5), "they return together");
}

#[test]
fn a_used_up_budget_is_an_answer() {
    let (mut world, session) = (World::new(1), session());
    world.server.on_call(|_| reply(429, r#"{"error":"budget_exceeded"}"#).header("retry-after", "1"));
    let error = world.run(session.call(read())).unwrap_err();
    assert!(error.is_budget_exceeded());
    assert_eq!(world.server.calls, 1);
}

#[test]
fn an_argument_that_cannot_be_sent_is_found_before_any_request() {
    let (mut world, session) = (World::new(1), session());
    let mut bad = read();
    bad.bad = true;
    assert!(world.run(session.call(bad.clone())).unwrap_err().is_usage());
    let mut elsewhere = read();
    elsewhere.url = Some("https://elsewhere.example/x".parse().unwrap());
    assert!(world.run(session.call(elsewhere)).unwrap_err().is_usage());
    assert_eq!((world.server.tokens, world.server.calls), (0, 0));
    // Nobody is left waiting for a token that this call began to fetch.
    world.run(session.call(read())).unwrap();
    assert!(world.run(session.call(bad)).unwrap_err().is_usage());
}

#[test]
fn an_allowed_origin_sees_the_token_and_never_the_client_secret() {
    let settings = Settings::new(Site::tenant("acme").unwrap())
        .credentials(credentials("agt_1"))
        .allow_origin(Origin::parse("https://api.example").unwrap());
    let (mut world, session) = (World::new(1), Session::new(settings));
    let to_api = |auth: Auth| {
        let mut own = read().auth(auth);
        own.url = Some("https://api.example/x".parse().unwrap());
        own
    };
    world.run(session.call(to_api(Auth::Bearer))).unwrap();
    assert!(world.server.call_hits[0].bearer.is_some());
    let result = world.run(session.call(to_api(Auth::Client)));
    assert!(result.as_ref().is_err_and(|error| error.is_usage()), "{result:?}");
    assert_eq!(world.server.calls, 1);
}

#[test]
fn a_token_that_is_no_bearer_is_never_sent_as_one() {
    let (mut world, session) = (World::new(1), session());
    world.server.on_token(|_| reply(200, r#"{"access_token":"t","token_type":"DPoP","expires_in":600}"#));
    for _ in 0..10 {
        world.run(session.call(read())).unwrap_err();
    }
    assert_eq!((world.server.tokens, world.server.calls), (1, 0));
}
