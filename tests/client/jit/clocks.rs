//! A request ends when the service says so, by the service's own clock, whatever the clock of this machine says.

use std::time::Duration;

use lumoauth::embed::session::{Action, Arrived, Machine, Session, Settings, Step};
use lumoauth::embed::wire::Response;
use lumoauth::http::{HeaderMap, StatusCode};
use lumoauth::jit::Permission;
use lumoauth::time::{Now, Timestamp};
use lumoauth::{Credentials, Error, Site};

/// Sun, 15 Jun 2025 15:06:40 GMT.
const SERVICE: u64 = 1_750_000_000;
const DAY: u64 = 24 * 3600;

/// The end of the request in one of the forms that are known, 60 s after the service's beginning.
const ENDS: [&str; 3] = [r#""2025-06-15T15:07:40Z""#, r#""2025-06-15T17:07:40.000+02:00""#, "1750000060"];

fn answer(body: &str, date: Option<u64>) -> Response {
    let mut headers = HeaderMap::new();
    if let Some(date) = date {
        let minutes = (date - SERVICE) / 60;
        let seconds = (date - SERVICE) % 60 + 40;
        let (minutes, seconds) = (6 + minutes + seconds / 60, seconds % 60);
        headers.insert("date", format!("Sun, 15 Jun 2025 15:{minutes:02}:{seconds:02} GMT").parse().unwrap());
    }
    Response::new(StatusCode::OK, headers, body)
}

/// Waits with a clock of this machine that is off by so much, at first and after a while; the outcome and the time that it took.
fn wait(
    end: &str,
    dated: bool,
    wall: impl Fn(Duration) -> u64,
    within: Duration,
) -> (Result<Permission, Error>, Duration) {
    let credentials = Credentials::new("c", "a-long-client-secret").unwrap();
    let session = Session::new(Settings::new(Site::tenant("acme").unwrap()).credentials(credentials));
    let mut waiting = session.wait_for_permission("jit_1", None, None, within);
    let (mut at, mut arrived) = (Duration::from_secs(5000), None);
    let began = at;
    let body =
        format!(r#"{{"request_id":"jit_1","status":"pending","risk_level":"high","expires_at":{end}}}"#);
    loop {
        let own = Timestamp::from_unix(wall(at - began));
        match waiting.step(&Now::new(own, at, [9; 32]), arrived.take()) {
            Ok(Step::Do(Action::Send(request))) => {
                let date = dated.then(|| SERVICE + (at - began).as_secs());
                arrived = Some(Arrived::Response(match request.url().path().ends_with("/oauth/token") {
                    true => answer(r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#, date),
                    false => answer(&body, date).received_at(own),
                }));
            }
            Ok(Step::Do(Action::Wait(pause))) => at += pause,
            Ok(Step::Done(permission)) => return (Ok(permission), at - began),
            Err(error) => return (Err(error), at - began),
            Ok(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn f14_a_request_ends_by_the_services_clock() {
    type Wall = fn(Duration) -> u64;
    let walls: [(&str, Wall); 5] = [
        ("right", |at| SERVICE + at.as_secs()),
        ("a day ahead", |at| SERVICE + DAY + at.as_secs()),
        ("a day behind", |at| SERVICE - DAY + at.as_secs()),
        ("set back while it waits", |at| SERVICE + at.as_secs() - if at.as_secs() > 20 { DAY } else { 0 }),
        ("set forward while it waits", |at| SERVICE + at.as_secs() + if at.as_secs() > 20 { DAY } else { 0 }),
    ];
    for end in ENDS {
        for (name, wall) in walls {
            let (outcome, took) = wait(end, true, wall, Duration::from_secs(600));
            assert!(matches!(outcome, Ok(Permission::Expired(_))), "{end}, {name}: {outcome:?}");
            let seconds = took.as_secs();
            assert!((59..=61).contains(&seconds), "{end}, {name}: after {took:?}");
        }
    }
    // A service that says no time of its own is taken at its word by this machine's clock, and never waited for beyond the caller's time.
    let (outcome, took) = wait(ENDS[0], false, |at| SERVICE + at.as_secs(), Duration::from_secs(600));
    assert!(
        matches!(outcome, Ok(Permission::Expired(_))) && took.as_secs() <= 61,
        "{outcome:?} after {took:?}"
    );
    let far = wait("253402300799", true, |at| SERVICE + at.as_secs(), Duration::from_secs(30));
    assert!(matches!(far.0, Ok(Permission::Pending(_))) && far.1 <= Duration::from_secs(31), "{far:?}");
    // What is no time is an answer that says nothing.
    for odd in [r#""tomorrow""#, "-1", "1e400", "[]", "true", r#""2025-06-31T00:00:00Z""#] {
        let (outcome, _) = wait(odd, true, |at| SERVICE + at.as_secs(), Duration::from_secs(30));
        assert!(matches!(outcome, Err(Error::Protocol { .. })), "{odd}: {outcome:?}");
    }
}
