//! What the pure core costs: one warm `ask` through the machine, in time and allocations. No I/O.
//!
//! `cargo bench --bench operations`

#![allow(clippy::disallowed_methods)] // a bench reads the clock

use std::hint::black_box;
use std::time::{Duration, Instant};

use lumoauth::embed::session::{Action, Arrived, Machine, Settings, Step};
use lumoauth::embed::wire::Response;
use lumoauth::http::{HeaderMap, StatusCode};
use lumoauth::time::{Now, Timestamp};
use lumoauth::{Ask, Credentials, Decision, Site, embed::Session};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

const CALLS: u32 = 200_000;

fn answer(body: &str) -> Arrived {
    Arrived::Response(Response::new(StatusCode::OK, HeaderMap::new(), body.as_bytes()))
}

fn ask(session: &Session, now: &Now) -> Decision {
    let mut call = session.call(Ask::new("read_document"));
    let mut arrived = None;
    loop {
        match call.step(now, arrived.take()).expect("the scripted service answers") {
            Step::Done(decision) => return decision,
            Step::Do(Action::Send(request)) if request.url().path().ends_with("/oauth/token") => {
                arrived = Some(answer(r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#));
            }
            Step::Do(Action::Send(request)) => {
                black_box(&request);
                arrived = Some(answer(
                    r#"{"allowed":true,"action":"read_document","reason":"ok","audit_id":"aud_1"}"#,
                ));
            }
            Step::Do(Action::Wait(_))
            | Step::Do(Action::Join(_) | Action::Given(_) | Action::Store(_) | Action::Sign(_)) => {
                unreachable!("one caller, no failure")
            }
        }
    }
}

fn main() {
    let credentials = Credentials::new("agt_1", "secret").expect("valid");
    let session = Session::new(Settings::new(Site::tenant("acme").expect("valid")).credentials(credentials));
    let now = Now::new(Timestamp::from_unix(1_750_000_000), Duration::from_secs(1), [7; 32]);
    drop(black_box(ask(&session, &now)));

    let region = Region::new(ALLOCATOR);
    drop(black_box(ask(&session, &now)));
    let allocations = region.change().allocations;

    let begun = Instant::now();
    for _ in 0..CALLS {
        drop(black_box(ask(&session, &now)));
    }
    let each = begun.elapsed() / CALLS;
    println!(
        "a warm ask through the machine: {each:?}, {allocations} allocations ({CALLS} calls, one thread)"
    );
}
