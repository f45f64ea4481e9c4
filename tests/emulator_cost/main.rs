//! What the emulator costs over a long run, counted: alone in its process, because it counts the process' memory.
#![cfg(feature = "emulator")]
#![allow(clippy::print_stdout)] // each guarantee shows its figure

#[path = "../rounds/mod.rs"]
mod rounds;

use std::alloc::System;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lumoauth::embed::operations::routes;
use lumoauth::embed::wire::{Form, Request};
use lumoauth::emulator::{AgentSeed, Emulator, Tenant, UserSeed};
use lumoauth::http::Method;
use lumoauth::http::header::{AUTHORIZATION, HeaderValue};
use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One test at a time: memory is the process'.
static ALONE: Mutex<()> = Mutex::new(());

/// Asks that are compared.
const THOUSAND: usize = 1_000;
/// What a long run may keep: two logs of 10,000 entries, tokens until they end, and what a collection has in reserve.
const KEPT: isize = 64 << 20;

/// Nanoseconds that this thread was at work, however busy the machine is. None where the system does not say.
fn at_work() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok()
}

/// So many agents and users, with an ask of each agent that is ready to be sent.
struct World {
    emulator: Emulator,
    asks: Vec<Request>,
}

impl World {
    fn new(agents: usize) -> Self {
        let id = |number: usize| format!("agt_{number:05}");
        let all = (0..agents).map(|number| AgentSeed::new(id(number)).secret("s").capabilities(["read"]));
        let tenant = all.fold(Tenant::new("acme"), Tenant::agent);
        let users = (0..agents).map(|number| UserSeed::new(format!("user_{number}")));
        let emulator = Emulator::builder()
            .tenant(users.fold(tenant, Tenant::user))
            .access_token_lifetime(Duration::from_secs(86_400 * 365))
            .build()
            .unwrap();
        let asks = (0..agents).map(|number| {
            let form = Form::new().field("grant_type", "client_credentials").field("client_id", &id(number));
            let form = form.secret("client_secret", &"s".into());
            let request = Request::new(Method::POST, emulator.site().url(routes::TOKEN)).form(form);
            let body: Value = emulator.handle_in_process(&request).response.json().unwrap();
            let token = format!("Bearer {}", body["access_token"].as_str().unwrap());
            let action = if number % 2 == 0 { "read" } else { "<script>" };
            Request::new(Method::POST, emulator.site().url(routes::ASK))
                .json(&json!({"action": action}))
                .header(AUTHORIZATION, HeaderValue::from_str(&token).unwrap())
        });
        let asks = asks.collect();
        World { emulator, asks }
    }

    /// A thousand asks of agents one after the other, the last ones first: how much was allocated, and the work of the quickest hundred.
    fn thousand(&self, from: usize) -> (usize, Option<u64>) {
        let region = Region::new(ALLOCATOR);
        let hundred = |hundred: usize| {
            let before = at_work();
            for number in 0..100 {
                let place = (from + hundred * 100 + number) % self.asks.len();
                let request = &self.asks[self.asks.len() - 1 - place];
                assert_eq!(self.emulator.handle_in_process(request).response.status(), 200);
            }
            Some(at_work()?.saturating_sub(before?))
        };
        let quickest = (0..THOUSAND / 100).map(hundred).min().flatten();
        (region.change().allocations, quickest)
    }
}

#[test]
fn the_last_thousand_asks_cost_what_the_first_did_and_memory_is_bounded() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (agents, asks) = (rounds::of(10_000), rounds::of(300_000));
    let many = World::new(agents);
    let first = many.thousand(0);
    // Both logs are full from here on.
    for thousand in 1..20 {
        let _ = many.thousand(thousand * THOUSAND);
    }
    let region = Region::new(ALLOCATOR);
    for thousand in 20..(asks / THOUSAND).max(22) - 1 {
        let _ = many.thousand(thousand * THOUSAND);
        many.emulator.advance(Duration::from_secs(1));
    }
    let change = region.change();
    let kept = change.bytes_allocated as isize - change.bytes_deallocated as isize;
    let last = many.thousand(asks);
    let ratio = last.0 as f64 / first.0 as f64;
    assert!(ratio <= 1.2, "allocations of the first thousand {}, of the last {}", first.0, last.0);
    assert!(kept.abs() < 1 << 20, "{kept} bytes more than when both logs were full");
    assert_eq!((many.emulator.log().len(), many.emulator.audit().len()), (10_000, 10_000));
    println!(
        "{agents} agents, {asks} asks: allocations of the last thousand {ratio:.3} of the first thousand's; {kept} bytes kept more"
    );

    // Work, beside that of a new emulator and of one with ten agents: the quickest hundred of a thousand, in the best of some tries.
    if at_work().is_none() {
        return println!("SKIPPED: this system does not say how long a thread was at work");
    }
    for (what, agents) in [("a first thousand", agents), ("ten agents", 10)] {
        let other = World::new(agents);
        other.thousand(0);
        let mut best = f64::INFINITY;
        for number in 0..40 {
            let (own, theirs) = (many.thousand(number * THOUSAND).1, other.thousand(0).1);
            best = best.min(own.unwrap() as f64 / theirs.unwrap() as f64);
            if best <= 1.2 {
                break;
            }
        }
        println!("work of a late hundred beside that of {what}: {best:.2}");
        assert!(best <= 1.2, "{what}: {best:.2} times the work");
    }
}

#[test]
fn tokens_that_ended_are_not_kept() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let tenant = Tenant::new("acme").agent(AgentSeed::new("agt_a").secret("s"));
    let emulator =
        Emulator::builder().tenant(tenant).access_token_lifetime(Duration::from_secs(60)).build().unwrap();
    let form = Form::new().field("grant_type", "client_credentials").field("client_id", "agt_a");
    let form = form.secret("client_secret", &"s".into());
    let request = Request::new(Method::POST, emulator.site().url(routes::TOKEN)).form(form);
    let region = Region::new(ALLOCATOR);
    for _ in 0..rounds::of(100_000) {
        assert_eq!(emulator.handle_in_process(&request).response.status(), 200);
        emulator.advance(Duration::from_secs(1));
    }
    let change = region.change();
    let kept = change.bytes_allocated as isize - change.bytes_deallocated as isize;
    println!("{} tokens of a minute: {kept} bytes kept", rounds::of(100_000));
    assert!(kept < KEPT, "{kept} bytes kept");
}

#[test]
fn e4_starts_and_stops_leave_nothing_behind() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let tenant = Tenant::new("acme").agent(AgentSeed::new("agt_a").secret("s"));
    let emulator = Emulator::builder().tenant(tenant).build().unwrap();
    let count = |of: &str| std::fs::read_dir(of).map_or(0, Iterator::count);
    let form = "grant_type=client_credentials&client_id=agt_a&client_secret=s";
    let round = || {
        let served = emulator.serve("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(served.addr()).unwrap();
        write!(
            stream,
            "POST /t/acme/api/v1/oauth/token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        )
        .unwrap();
        let mut begins = [0; 12];
        stream.read_exact(&mut begins).unwrap();
        assert_eq!(&begins, b"HTTP/1.1 200");
    };
    round();
    let before = (count("/proc/self/task"), count("/proc/self/fd"));
    for _ in 0..1_000 {
        round();
    }
    // The other tests of this process wait for this one, each in a thread of its own that may have begun meanwhile.
    let after = (count("/proc/self/task"), count("/proc/self/fd"));
    assert!(
        after.0 <= before.0 + 4 && after.1 <= before.1 + 4,
        "threads and open files: {before:?}, {after:?}"
    );
    assert_eq!(emulator.count("oauth.token").unwrap(), 1_001);
    println!("1,000 starts and stops: threads and open files {before:?} before, {after:?} after");
}
