//! Tokens that processes share in a store: one request for all, whatever the store does.

use std::time::Duration;

use lumoauth::embed::operations::McpToken;
use lumoauth::embed::session::{Session, Settings};
use lumoauth::error::Error;
use lumoauth::{AccessToken, Credentials, Site};

use super::server::{Hit, hang, mint, read, reply};
use super::shelves::{FAULTS, Fault};
use super::world::{World, credentials, seeds};

/// A process of its own: it shares nothing with others but the store.
pub fn process() -> Session {
    process_of(credentials("agt_1"))
}

fn process_of(credentials: Credentials) -> Session {
    let settings = Settings::new(Site::tenant("acme").unwrap()).credentials(credentials);
    Session::new(settings.shared_tokens())
}

fn text(token: AccessToken) -> String {
    token.secret().expose().to_owned()
}

fn is_exchange(hit: &Hit) -> bool {
    hit.form.get("grant_type").is_some_and(|grant| grant.ends_with("token-exchange"))
}

#[test]
fn t16_a_fleet_with_an_expired_token_asks_for_one() {
    let rounds = if crate::rounds::all() { 200 } else { 4 };
    seeds(rounds, |seed| {
        let mut world = World::new(seed);
        world.run(process().token()).unwrap();
        world.pass(Duration::from_secs(3600));
        world.server.on_token(|hit| mint(hit, "3600").after(300));
        world.server.reset();
        let processes: Vec<Session> = (0..50).map(|_| process()).collect();
        for process in &processes {
            // Half of the clocks are half a minute ahead.
            let ahead = (world.rng.below(2) * 30_000) as i64;
            for _ in 0..20 {
                let thread = world.spawn(process.call(read()));
                world.ahead(thread, ahead);
            }
        }
        let ends = world.run_ends();
        for end in &ends {
            assert!(end.result.is_ok(), "{:?}", end.result.as_ref().err());
            assert!(end.took < Duration::from_secs(2), "{:?}", end.took);
        }
        assert_eq!(world.server.tokens, 1);
        assert!(world.server.call_hits.iter().all(|hit| hit.bearer == world.server.call_hits[0].bearer));
    });
    println!("T16: 50 processes of 20 calls, {rounds} rounds, clocks 30 s apart: 1 token request each");
}

#[test]
fn t16_a_token_for_an_mcp_server_is_asked_for_once_by_all() {
    seeds(20, |seed| {
        let mut world = World::new(seed);
        world.server.on_token(|hit| mint(hit, "3600").after(200));
        for _ in 0..8 {
            world.spawn(process().mcp_token(McpToken::new("files").scopes(["read"])));
        }
        let ends = world.run_ends();
        let first = ends[0].result.as_ref().unwrap();
        assert!(ends.iter().all(|end| end.result.as_ref().unwrap() == first));
        assert_eq!(world.server.token_hits.iter().filter(|hit| is_exchange(hit)).count(), 1);
        assert_eq!(world.server.tokens, 2, "and one of the agent's own");
    });
}

#[test]
fn a_renewal_is_three_calls_of_the_store_and_a_warm_call_none() {
    let (mut world, first, second) = (World::new(1), process(), process());
    world.run(first.call(read())).unwrap();
    assert_eq!((world.shelves.loads, world.shelves.saves), (1, 2));
    world.shelves.reset();
    for _ in 0..10 {
        world.run(first.call(read())).unwrap();
    }
    assert_eq!(world.shelves.calls, 0);
    world.run(second.call(read())).unwrap();
    assert_eq!((world.shelves.calls, world.shelves.loads), (1, 1));
    assert_eq!(world.server.tokens, 1);
    // Soft: one renews early, and the other finds it.
    world.pass(Duration::from_secs(3320));
    world.shelves.reset();
    world.run(first.call(read())).unwrap();
    world.run(second.call(read())).unwrap();
    assert_eq!((world.server.tokens, world.shelves.calls), (2, 4));
}

#[test]
fn a_claim_of_somebody_who_does_not_come_back_ends_by_itself() {
    let mut longest = Duration::ZERO;
    for steps in 1..5 {
        seeds(100, |seed| {
            let mut world = World::new(seed);
            world.server.on_token(|hit| mint(hit, "3600").after(100));
            let leader = world.spawn(process().call(read()));
            let mut taken = 0;
            while taken < steps * 2 && world.step() {
                taken += 1;
            }
            world.cancel(leader);
            let others: Vec<usize> = (0..8).map(|_| world.spawn(process().call(read()))).collect();
            let ends = world.run_all();
            for other in others {
                let end = ends[other].as_ref().unwrap();
                assert!(end.result.is_ok(), "{:?}", end.result.as_ref().err());
                assert!(end.took < Duration::from_millis(6_500), "{:?}", end.took);
            }
            assert!(world.server.tokens <= 2);
        });
    }
    // Whatever its clock said, and also if the caller has little time.
    for at in [0, 1_750_000_000_000_u64, 1_750_000_003_000, 1_750_000_030_000, u64::MAX] {
        for total in [8_000, 2_000, 500] {
            let mut world = World::new(7);
            world.run(process().token()).unwrap();
            world.pass(Duration::from_secs(3600));
            let at = if at == 0 || at == u64::MAX { at } else { at + 3_600_000 };
            world.shelves.edit(|record| record["claim"] = serde_json::json!({ "by": "nobody", "at": at }));
            let before = world.monotonic;
            world.run(process().call(read().total(total))).unwrap_or_else(|error| panic!("{at}: {error}"));
            longest = longest.max(world.monotonic - before);
        }
    }
    println!("a claim whose owner is gone: taken over within {longest:?}");
    assert!(longest < Duration::from_secs(6));
}

#[test]
fn a_late_writer_replaces_no_newer_token() {
    let mut world = World::new(3);
    world
        .server
        .on_token(|hit| if hit.count == 1 { mint(hit, "60").after(4_900) } else { mint(hit, "3600") });
    let late = world.spawn(process().token());
    while world.server.tokens == 0 {
        world.step();
    }
    // Another one does not wait so long, because it has not got the time.
    let other = world.spawn(process().call(read().total(3_000)));
    let ends = world.run_ends();
    assert!(ends[other].result.is_ok() && ends[late].result.is_ok());
    assert_eq!(
        ends[late].result.as_ref().unwrap(),
        "agt_1||1",
        "what was obtained serves whoever obtained it"
    );
    assert!(world.shelves.text().contains("agt_1||2"), "{}", world.shelves.text());
}

#[test]
fn a_refused_token_is_replaced_once_for_all_and_a_newer_one_stays() {
    let (mut world, processes) = (World::new(4), [process(), process(), process()]);
    for process in &processes {
        world.run(process.call(read())).unwrap();
    }
    let refuse = |mine: &'static str| {
        move |hit: &Hit| {
            if hit.bearer.as_deref() == Some(mine) { reply(401, "{}") } else { reply(200, "{}") }
        }
    };
    world.server.on_call(refuse("agt_1||1"));
    for process in &processes {
        world.run(process.call(read())).unwrap();
    }
    assert_eq!(world.server.tokens, 2);
    // A process that is new finds the new one.
    world.run(process().call(read())).unwrap();
    assert_eq!(world.server.tokens, 2);
}

#[test]
fn refusals_that_do_not_end_are_paced_for_all_processes_together() {
    let mut world = World::new(5);
    world.server.on_call(|_| reply(401, "{}"));
    for _ in 0..100 {
        let error = world.run(process().call(read())).unwrap_err();
        assert!(error.is_unauthorized(), "{error}");
        world.pass_millis(200);
    }
    // 20 s and more, one each five seconds.
    assert!((2..=7).contains(&world.server.tokens), "{}", world.server.tokens);
    println!("a service that refuses every token: 100 processes in 20 s, {} tokens", world.server.tokens);
}

#[test]
fn a_new_token_is_new_also_where_others_share_it() {
    let (mut world, one, other) = (World::new(6), process(), process());
    world.run(one.token()).unwrap();
    world.run(other.token()).unwrap();
    let new = world.run(one.new_token()).map(text).unwrap();
    assert_eq!((new.as_str(), world.server.tokens), ("agt_1||2", 2));
    // Those who want a new one at the same time share it.
    world.server.on_token(|hit| mint(hit, "3600").after(300));
    for _ in 0..20 {
        world.spawn(process().new_token());
    }
    let ends = world.run_ends();
    assert!(ends.iter().all(|end| end.result.as_deref().ok() == Some("agt_1||3")));
    assert_eq!(world.server.tokens, 3);
    // An old one that is good still is not thrown away.
    assert_eq!(world.run(other.token()).map(text).unwrap(), "agt_1||1");
}

#[test]
fn no_token_is_found_by_another_secret_scope_or_service() {
    let mut world = World::new(8);
    world.run(process().token()).unwrap();
    world.server.on_token(|hit| {
        let known = hit.form.get("client_secret").is_some_and(|secret| secret == "a-long-client-secret");
        if known { mint(hit, "3600") } else { reply(401, r#"{"error":"invalid_client"}"#) }
    });
    let wrong = process_of(Credentials::new("agt_1", "another-secret").unwrap());
    for _ in 0..3 {
        // Each time it is the service that says so, and at once.
        let (before, error) = (world.monotonic, world.run(wrong.call(read())).unwrap_err());
        assert!(error.is_unauthorized(), "{error}");
        assert!(world.monotonic - before < Duration::from_secs(1));
        world.pass(Duration::from_secs(31));
    }
    assert_eq!(world.server.tokens, 4);
    let settings = |site| Settings::new(site).credentials(credentials("agt_1")).shared_tokens();
    let others = [
        Session::new(settings(Site::tenant("acme").unwrap())).with_scopes(["read"]),
        Session::new(settings(Site::tenant("other").unwrap())),
        process_of(credentials("agt_2")),
    ];
    for other in others {
        assert_ne!(world.run(other.token()).map(text).unwrap(), "agt_1||1");
    }
    let kept = world.shelves.text();
    assert!(!kept.contains("a-long-client-secret") && !kept.contains("another-secret"), "{kept}");
}

#[test]
fn replaced_credentials_leave_nothing_under_the_old_ones() {
    // At every step of the fetch.
    for steps in 0..12 {
        let (mut world, session) = (World::new(9), process());
        world.server.on_token(|hit| {
            // A token that is traded names whose it was.
            let subject = hit.form.get("subject_token").map_or("", String::as_str);
            if !is_exchange(hit) {
                return mint(hit, "3600").after(20);
            }
            let body =
                format!(r#"{{"access_token":"for-{subject}","token_type":"Bearer","expires_in":3600}}"#);
            reply(200, &body).after(20)
        });
        world.spawn(session.mcp_token(McpToken::new("files")));
        let mut taken = 0;
        while taken < steps && world.step() {
            taken += 1;
        }
        session.set_credentials(credentials("agt_2"));
        world.run_ends();
        for (key, (_, bytes)) in &world.shelves.records {
            let (key, bytes) = (key.as_str(), String::from_utf8_lossy(bytes));
            assert!(!(key.contains("agt_1") && bytes.contains("agt_2|")), "{key}: {bytes}");
        }
    }
}

#[test]
fn a_failure_that_passes_is_not_repeated_by_every_process() {
    let mut world = World::new(10);
    world.server.on_token(|_| reply(429, "{}").header("retry-after", "30"));
    for _ in 0..40 {
        world.spawn(process().token());
    }
    let ends = world.run_ends();
    assert!(ends.iter().all(|end| end.result.as_ref().is_err_and(Error::is_temporary)));
    assert_eq!(world.server.tokens, 1);
    // It is over when the service said.
    world.server.on_token(|hit| mint(hit, "3600"));
    world.pass(Duration::from_secs(34));
    world.run(process().call(read())).unwrap();
    assert_eq!(world.server.tokens, 2);
}

#[test]
fn no_record_keeps_all_from_asking_for_long() {
    // A rest of 2 s that begins in a year, one of a year that begins now, and one that never ends.
    let (now, year) = (1_750_003_600_000_u64, 31_536_000_000_u64);
    for (at, length, most) in [(now + year, 2_000, 1), (now, year, 67), (u64::MAX, u64::MAX, 1)] {
        let mut world = World::new(13);
        world.run(process().token()).unwrap();
        world.pass(Duration::from_secs(3600));
        world.shelves.edit(|record| record["rest"] = serde_json::json!({ "at": at, "length": length }));
        let before = world.monotonic;
        let call = process().call(read().total(100_000));
        world.run(call).unwrap_or_else(|error| panic!("{at} {length}: {error}"));
        let took = world.monotonic - before;
        assert!(took < Duration::from_secs(most), "{at} {length}: {took:?}");
    }
}

#[test]
fn what_stands_in_a_record_and_is_no_token_is_replaced() {
    for change in ["{}", "[]", "", "{\"version\":2}", "{\"version\":1,\"of\":\"x\"}", "\u{0}"] {
        let (mut world, one) = (World::new(11), process());
        world.run(one.token()).unwrap();
        for (_, bytes) in world.shelves.records.values_mut() {
            *bytes = change.as_bytes().to_vec();
        }
        world.run(process().call(read())).unwrap();
        world.run(process().call(read())).unwrap();
        assert_eq!(world.server.tokens, 2, "{change}");
    }
}

type Flow = fn(&mut World, &Session) -> Result<String, Error>;

/// Every flow that asks the store for a token, and what is in the world before it.
const FLOWS: [(&str, Flow, Flow); 6] = [
    ("first token", |_, _| Ok(String::new()), |world, session| world.run(session.call(read()))),
    ("found", |world, _| world.run(process().call(read())), |world, session| world.run(session.call(read()))),
    (
        "renewal",
        |world, session| {
            world.run(session.call(read()))?;
            world.pass(Duration::from_secs(3600));
            Ok(String::new())
        },
        |world, session| world.run(session.call(read())),
    ),
    (
        "early renewal",
        |world, session| {
            world.run(session.call(read()))?;
            world.pass(Duration::from_secs(3400));
            Ok(String::new())
        },
        |world, session| world.run(session.call(read())),
    ),
    (
        "refusal",
        |world, session| {
            world.run(session.call(read()))?;
            world.server.on_call(|hit| {
                if hit.bearer.as_deref() == Some("agt_1||1") { reply(401, "{}") } else { reply(200, "{}") }
            });
            Ok(String::new())
        },
        |world, session| world.run(session.call(read())),
    ),
    (
        "MCP token",
        |_, _| Ok(String::new()),
        |world, session| world.run(session.mcp_token(McpToken::new("files"))).map(text),
    ),
];

#[test]
fn f16_a_shared_store_may_fail_at_any_call() {
    let (mut cases, mut slowest, mut most) = (0, Duration::ZERO, 0);
    for (name, before, flow) in FLOWS {
        for fault in FAULTS {
            for spread in [1, 1000] {
                for call in 0.. {
                    let (mut world, session) = (World::new(call as u64), process());
                    before(&mut world, &session).unwrap();
                    world.shelves.reset();
                    let before = world.server.tokens;
                    world.shelves.on_call(move |at| {
                        if (call..call + spread).contains(&at) { fault } else { Fault::None }
                    });
                    let began = world.monotonic;
                    let outcome = flow(&mut world, &session);
                    let took = world.monotonic - began;
                    let case = format!("{name}, {fault:?} at call {call} and {spread} on");
                    assert!(outcome.is_ok(), "{case}: {:?}", outcome.err());
                    let calls = world.shelves.calls;
                    (slowest, most) = (slowest.max(took), most.max(calls));
                    // A claim of somebody who is gone is waited for; an MCP token and the agent's own are two.
                    let bound = Duration::from_secs(if name == "MCP token" { 11 } else { 6 });
                    assert!(took < bound, "{case}: {took:?}");
                    // Whoever watches another's claim looks again after a pause, and never without one.
                    let looks = usize::try_from(took.as_millis() / 50).unwrap();
                    assert!(calls <= 12 + looks, "{case}: {calls} calls of the store in {took:?}");
                    let asked = world.server.tokens - before;
                    assert!(asked <= 2, "{case}: {asked}");
                    // The next process gets a token, whatever was left behind, and the one after it the same.
                    world.shelves.on_call(|_| Fault::None);
                    let began = world.monotonic;
                    let next = process();
                    assert!(flow(&mut world, &next).is_ok(), "{case}");
                    assert!(world.monotonic - began < bound, "{case}");
                    let before = world.server.tokens;
                    assert!(flow(&mut world, &process()).is_ok(), "{case}");
                    assert_eq!(world.server.tokens, before, "{case}: what was obtained is shared");
                    cases += 1;
                    if call >= calls {
                        break;
                    }
                }
            }
        }
    }
    println!(
        "F16, shared tokens: {cases} cases, 0 calls failed, slowest {slowest:?}, at most {most} calls of the store"
    );
}

#[test]
fn without_a_store_every_process_asks_once_and_the_store_is_left_in_peace() {
    let mut world = World::new(12);
    world.shelves.on_call(|_| Fault::Hangs);
    let processes: Vec<Session> = (0..8).map(|_| process()).collect();
    for process in &processes {
        for _ in 0..20 {
            world.spawn(process.call(read()));
        }
    }
    let ends = world.run_ends();
    assert!(ends.iter().all(|end| end.result.is_ok() && end.took < Duration::from_secs(5)));
    assert_eq!(world.server.tokens, 8);
    assert!(world.shelves.longest <= Duration::from_secs(2));
    // A hundred servers: the store is not asked a hundred times.
    world.shelves.reset();
    for server in 0..100 {
        world.run(processes[0].mcp_token(McpToken::new(format!("server-{server}")))).unwrap();
    }
    assert!(world.shelves.calls <= 200 && world.shelves.loads == 0, "{}", world.shelves.calls);
}

#[test]
fn a_leader_that_stands_still_holds_up_nobody_for_long() {
    let mut world = World::new(13);
    world.server.on_token(|hit| if hit.count <= 1 { hang() } else { mint(hit, "3600") });
    for _ in 0..30 {
        world.spawn(process().call(read()));
    }
    let ends = world.run_ends();
    for end in &ends {
        assert!(end.result.is_ok(), "{:?}", end.result.as_ref().err());
        assert!(end.took < Duration::from_secs(8), "{:?}", end.took);
    }
    assert!(world.server.tokens <= 3, "{}", world.server.tokens);
}

#[test]
fn t16_an_hour_of_a_fleet_with_tokens_of_five_minutes() {
    let count = if crate::rounds::all() { 1_000 } else { 100 };
    let mut world = World::new(1);
    world.server.on_token(|hit| mint(hit, "300").after(100));
    let processes: Vec<Session> = (0..count).map(|_| process()).collect();
    let (begin, mut calls) = (world.monotonic, 0);
    let hour = Duration::from_secs(3600);
    while world.monotonic - begin < hour {
        // Each calls every twenty seconds, fifty of them at the same moment.
        let tick = world.monotonic;
        for group in processes.chunks(50) {
            for process in group {
                let thread = world.spawn(process.call(read()));
                let ahead = i64::try_from(world.rng.below(2) * 30_000).unwrap();
                world.ahead(thread, ahead);
            }
            calls += group.len();
            for end in world.run_ends() {
                assert!(end.result.is_ok(), "{:?}", end.result.err());
            }
        }
        world.pass((tick + Duration::from_secs(20)).saturating_sub(world.monotonic));
    }
    let (tokens, stored) = (world.server.tokens, world.shelves.calls);
    // Renewed at four fifths of its life at the latest, and a tenth before that at the earliest; clocks are apart by half a minute.
    let soonest = Duration::from_secs(300 - 60 - 30 - 30);
    let most = hour.as_secs() / soonest.as_secs() + 1;
    println!(
        "T16: {count} processes, one hour, tokens of 5 minutes: {calls} calls, {tokens} token requests ({} renewals of one at a time), {stored} \
         questions to the store, {:.2} for each process and renewal",
        tokens - 1,
        stored as f64 / (tokens * count) as f64
    );
    assert!((12..=most as usize).contains(&tokens), "{tokens} requests, {most} at most");
    assert!(stored <= 3 * tokens * count, "{stored} questions to the store");
}
