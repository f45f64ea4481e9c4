//! Waiting for a person on another device outlives the failures of a quarter of an hour (RFC 8628 section 3.5).

use std::time::Duration;

use lumoauth::embed::operation::{Answer, Operation};
use lumoauth::embed::operations::{DeviceAuthorization, DeviceCode, TokenSet};
use lumoauth::embed::session::{Action, Arrived, Machine, Session, Settings, Step};
use lumoauth::embed::wire::Response;
use lumoauth::error::{TransportError, TransportFault};
use lumoauth::http::{HeaderMap, StatusCode};
use lumoauth::time::{Now, Timestamp};
use lumoauth::{Credentials, Error, Site};

const LIFE: u64 = 900;

fn answer(status: u16, retry_after: Option<&str>, body: &str) -> Response {
    let mut headers = HeaderMap::new();
    if let Some(value) = retry_after {
        headers.insert("retry-after", value.parse().unwrap());
    }
    Response::new(StatusCode::from_u16(status).unwrap(), headers, body)
}

fn code() -> DeviceCode {
    let body = format!(
        r#"{{"device_code":"d","user_code":"WDJB-MJHT","verification_uri":"https://app.lumoauth.dev/device","expires_in":{LIFE},"interval":5}}"#
    );
    match DeviceAuthorization::new("a").response(&answer(200, None, &body)).unwrap() {
        Answer::Done(code) => code,
        Answer::Again(_) => panic!("this never polls"),
    }
}

type Outcome = (Result<TokenSet, Error>, Vec<Duration>, Duration);

/// Polls by a clock of its own: the outcome, the pauses, and how long it took. An attempt takes a second.
fn poll(session: Session, mut service: impl FnMut(usize, Duration) -> Arrived) -> Outcome {
    let mut call = session.call(code().poll());
    let (mut at, mut pauses, mut polls, mut arrived) = (Duration::ZERO, Vec::new(), 0, None);
    loop {
        let wall = Timestamp::from_unix(1_750_000_000).saturating_add(at);
        match call.step(&Now::new(wall, at, [9; 32]), arrived.take()) {
            Ok(Step::Do(Action::Send(_))) => {
                at += Duration::from_secs(1);
                arrived = Some(service(polls, at));
                polls += 1;
            }
            Ok(Step::Do(Action::Wait(pause))) => {
                pauses.push(pause);
                at += pause;
            }
            Ok(Step::Done(tokens)) => return (Ok(tokens), pauses, at),
            Err(error) => return (Err(error), pauses, at),
            Ok(other) => panic!("{other:?}"),
        }
    }
}

fn settings() -> Settings {
    let credentials = Credentials::new("c", "a-long-client-secret").unwrap();
    Settings::new(Site::tenant("acme").unwrap()).credentials(credentials)
}

fn session() -> Session {
    Session::new(settings())
}

fn pending() -> Arrived {
    Arrived::Response(answer(400, None, r#"{"error":"authorization_pending"}"#))
}

fn granted() -> Arrived {
    Arrived::Response(answer(200, None, r#"{"access_token":"t","token_type":"Bearer","scope":"a"}"#))
}

type Failing = (&'static str, fn() -> Arrived);

/// Failures that pass.
fn passing() -> Vec<Failing> {
    vec![
        ("500", || Arrived::Response(answer(500, None, "{}"))),
        ("502", || Arrived::Response(answer(502, None, "<html>"))),
        ("503", || Arrived::Response(answer(503, Some("1"), ""))),
        ("504", || Arrived::Response(answer(504, None, ""))),
        ("408", || Arrived::Response(answer(408, None, ""))),
        ("429", || Arrived::Response(answer(429, Some("1"), r#"{"error":"rate_limit_exceeded"}"#))),
        ("429 for long", || Arrived::Response(answer(429, Some("90"), "{}"))),
        ("timeout", || Arrived::Failed(TransportError::unknown(TransportFault::Timeout, "late"))),
        ("reset", || Arrived::Failed(TransportError::unknown(TransportFault::Broken, "reset"))),
        ("refused", || Arrived::Failed(TransportError::not_sent(TransportFault::Connect, "refused"))),
        ("no name", || Arrived::Failed(TransportError::not_sent(TransportFault::Name, "no such host"))),
    ]
}

#[test]
fn f14_a_login_on_a_device_outlives_failures_in_a_row() {
    for (name, failure) in passing() {
        // Pending, then four failures, then the person has agreed.
        let (result, pauses, took) = poll(session(), |poll, _| match poll {
            0 => pending(),
            1..=4 => failure(),
            _ => granted(),
        });
        result.unwrap_or_else(|error| panic!("{name}: {error}"));
        // It asks less and less often, and never more often than every 10 s after a failure.
        assert_eq!(pauses.len(), 5, "{name}: {pauses:?}");
        assert!(pauses[1..].iter().all(|pause| *pause >= Duration::from_secs(10)), "{name}: {pauses:?}");
        assert!(pauses[1..].windows(2).all(|two| two[0] <= two[1]), "{name}: {pauses:?}");
        assert!(took < Duration::from_secs(LIFE), "{name}");

        // They last until shortly before the code is over.
        let back = Duration::from_secs(LIFE - 120);
        let (result, ..) = poll(session(), |_, at| if at < back { failure() } else { granted() });
        result.unwrap_or_else(|error| panic!("{name}: {error}"));

        // They never end: the code does. What failed last is told.
        let (result, pauses, took) = poll(session(), |_, _| failure());
        let error = result.unwrap_err();
        let Error::DeadlineExceeded { last: Some(last), .. } = &error else { panic!("{name}: {error:?}") };
        assert!(last.is_temporary(), "{last}");
        assert!(
            took <= Duration::from_secs(LIFE + 1) && took > Duration::from_secs(LIFE - 130),
            "{name}: {took:?}"
        );
        assert!(pauses.len() <= 22, "{name}: {} polls in a quarter of an hour", pauses.len());
    }
    println!("F14: {} failures, for the whole life of a code: polled 22 times at most", passing().len());
}

#[test]
fn f14_after_a_failure_the_usual_pause_comes_back_and_slow_down_stays() {
    let slow_down = || Arrived::Response(answer(400, None, r#"{"error":"slow_down"}"#));
    let gone = || Arrived::Response(answer(502, None, ""));
    let (result, pauses, _) = poll(session(), |poll, _| match poll {
        0 | 3 => slow_down(),
        1 | 4 => gone(),
        2 | 5 => pending(),
        _ => granted(),
    });
    result.unwrap();
    let seconds: Vec<u64> = pauses.iter().map(Duration::as_secs).collect();
    assert_eq!(seconds, [10, 20, 10, 15, 30, 15]);
    // A limiter may say it with another status.
    let (result, pauses, _) = poll(session(), |poll, _| match poll {
        0 => Arrived::Response(answer(429, None, r#"{"error":"slow_down"}"#)),
        _ => granted(),
    });
    result.unwrap();
    assert_eq!(pauses, [Duration::from_secs(10)]);
}

#[test]
fn f14_nobody_asks_earlier_than_the_answer_says() {
    let pending = r#"{"error":"authorization_pending"}"#;
    let slow_down = r#"{"error":"slow_down"}"#;
    // What `Retry-After` says is for once; what the service names as its interval, or asks for by `slow_down`, stays.
    for (status, retry_after, body, first, then) in [
        (400, Some("30"), pending, 30, 5),
        (400, Some("30"), slow_down, 30, 10),
        (429, Some("60"), slow_down, 60, 10),
        (400, Some("Sun, 06 Nov 1994 08:50:17 GMT"), pending, 40, 5),
        (400, Some("2"), pending, 5, 5),
        (400, Some("-1"), pending, 5, 5),
        (400, Some("Sun, 06 Nov 1994 08:49:00 GMT"), pending, 5, 5),
        (400, None, r#"{"error":"slow_down","interval":30}"#, 30, 30),
        (400, None, r#"{"error":"slow_down","interval":"30"}"#, 30, 30),
        (400, None, r#"{"error":"slow_down","interval":19.5}"#, 20, 20),
        (400, None, r#"{"error":"slow_down","interval":2}"#, 10, 10),
        (400, None, r#"{"error":"slow_down","interval":-30}"#, 10, 10),
        (400, None, r#"{"error":"authorization_pending","interval":30}"#, 5, 5),
    ] {
        let (result, pauses, _) = poll(session(), |poll, _| match poll {
            0 => {
                let mut answer = answer(status, retry_after, body);
                if retry_after.is_some_and(|value| value.starts_with("Sun")) {
                    let mut headers = answer.headers().clone();
                    headers.insert("date", "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
                    answer = Response::new(answer.status(), headers, body);
                }
                Arrived::Response(answer)
            }
            1 => self::pending(),
            _ => granted(),
        });
        result.unwrap();
        let seconds: Vec<u64> = pauses.iter().map(Duration::as_secs).collect();
        let what = format!("{status} {retry_after:?} {body}: {pauses:?}");
        assert!(pauses[0] >= Duration::from_secs(first) && seconds[0] <= first * 11 / 10, "{what}");
        assert_eq!(seconds[1], then, "{what}");
    }
    // Later than the code lives: nothing is asked any more, and nobody waits for nothing.
    for endless in ["900", "411000", "18446744073709551616", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        let (result, pauses, took) =
            poll(session(), |_, _| Arrived::Response(answer(400, Some(endless), pending)));
        assert!(matches!(result, Err(Error::DeadlineExceeded { .. })), "{endless}: {result:?}");
        assert!(pauses.is_empty() && took < Duration::from_secs(2), "{endless}: {pauses:?}");
    }
}

#[test]
fn f14_times_that_are_written_as_texts_are_times() {
    let begun = |expires_in: &str, interval: &str| {
        let body = format!(
            r#"{{"device_code":"d","user_code":"u","verification_uri":"https://app.lumoauth.dev/device","expires_in":{expires_in},"interval":{interval}}}"#
        );
        match DeviceAuthorization::new("a").response(&answer(200, None, &body)) {
            Ok(Answer::Done(code)) => Some((code.expires_in.as_secs(), code.interval.as_secs())),
            _ => None,
        }
    };
    assert_eq!(begun("\"900\"", "\"5\""), Some((900, 5)));
    assert_eq!((begun("900.9", "null"), begun("900", "0")), (Some((900, 5)), Some((900, 1))));
    assert_eq!(begun("18446744073709551615", "1e308"), Some((u64::MAX, u64::MAX)));
    for odd in ["-1", "\"\"", "\"-1\"", "\"5s\"", "\"1e3\"", "[]", "true", "{}", "1e999"] {
        assert_eq!((begun(odd, "5"), begun("900", odd)), (None, None), "{odd}");
    }
    assert_eq!(begun("null", "5"), None);
}

#[test]
fn f14_a_refusal_ends_it_at_once_and_the_clients_timeout_does_not() {
    let refusals = [
        (400, r#"{"error":"access_denied"}"#),
        (400, r#"{"error":"expired_token"}"#),
        (400, r#"{"error":"invalid_grant"}"#),
        (401, r#"{"error":"invalid_client"}"#),
        (403, "{}"),
        (200, "<html>"),
        (302, ""),
    ];
    for (status, body) in refusals {
        let (result, pauses, _) = poll(session(), |_, _| Arrived::Response(answer(status, None, body)));
        assert!(result.is_err() && pauses.is_empty(), "{status} {body}");
    }
    let wrong_host = || Arrived::Failed(TransportError::not_sent(TransportFault::Tls, "wrong host"));
    let (result, pauses, _) = poll(session(), |_, _| wrong_host());
    assert!(result.is_err() && pauses.is_empty());
    // The person takes ten minutes; the client's other calls may take eight seconds.
    let short = Session::new(settings().total(Duration::from_secs(8)));
    let (result, ..) = poll(short, |_, at| if at < Duration::from_secs(600) { pending() } else { granted() });
    result.unwrap();
}
