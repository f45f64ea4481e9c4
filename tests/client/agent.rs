//! What an agent promises about its scopes, its record, its time limits and its errors.
#![cfg(all(feature = "ureq", feature = "emulator"))]

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use crate::hostile::{self, ASK_ALLOW, Latch, Server, service};
use lumoauth::embed::session::{Action, Arrived, Machine, Session, Settings, Step};
use lumoauth::embed::wire::{Request, Response};
use lumoauth::emulator::{AgentSeed, Emulator, Tenant};
use lumoauth::error::{TransportError, TransportFault};
use lumoauth::http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use lumoauth::http::{HeaderMap, Method, StatusCode};
use lumoauth::time::{Now, Timestamp};
use lumoauth::{Agent, AgentBuilder, ApiRequest, Ask, Credentials, Error, Site, Transport};

const TOKEN: &str = r#"{"access_token":"tok","token_type":"Bearer","expires_in":3600,"scope":"a"}"#;

fn emulator() -> Emulator {
    let agent = AgentSeed::new("agt_1").secret("fixed").name("bot").capabilities(["read", "write"]);
    Emulator::builder().tenant(Tenant::new("acme").agent(agent)).build().unwrap()
}

fn builder() -> AgentBuilder {
    Agent::builder().tenant("acme").client_id("agt_1").client_secret("a-long-client-secret")
}

fn reply(status: u16, headers: &[(HeaderName, &'static str)], body: &str) -> Response {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(name, HeaderValue::from_static(value));
    }
    Response::new(StatusCode::from_u16(status).unwrap(), map, body)
}

/// An agent whose requests a closure answers, all but those for tokens.
fn answered_by(
    builder: AgentBuilder,
    answer: impl Fn(&Request) -> Result<Response, TransportError> + Send + Sync + 'static,
) -> Agent {
    let transport = move |request: Request| match request.url().path().ends_with("/oauth/token") {
        true => Ok(reply(200, &[], TOKEN)),
        false => answer(&request),
    };
    builder.build_with(transport).unwrap()
}

#[test]
fn refused_scopes_do_not_stay() {
    let emulator = emulator();
    let agent = emulator.agent().unwrap();
    agent.authenticate(["read"]).unwrap();
    assert!(agent.authenticate(["not:granted"]).is_err());
    assert!(agent.ask("read").unwrap().allowed());
    assert!(agent.token_scopes().contains("read"));
    // With the next token too.
    emulator.advance(Duration::from_secs(7200));
    assert!(agent.ask("read").unwrap().allowed());
    assert!(agent.token_scopes().contains("read"));
    assert!(!agent.token_scopes().contains("write"));
}

#[test]
fn threads_that_authenticate_at_once_each_get_the_scopes_they_asked_for() {
    const ROUNDS: usize = 100;
    let emulator = emulator();
    let agent = emulator.agent().unwrap();
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        for (own, other) in [("read", "write"), ("write", "read")] {
            let (agent, barrier) = (agent.clone(), &barrier);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    barrier.wait();
                    let token = agent.authenticate([own]).unwrap();
                    let scopes = token.scopes();
                    assert!(scopes.contains(own) && !scopes.contains(other), "round {round}: {scopes:?}");
                }
            });
        }
    });
}

#[test]
fn a_record_that_arrives_after_new_credentials_is_not_kept() {
    const OLD: &str = r#"{"sub":"agt_1","id":"agt_1","name":"old","capabilities":["old"]}"#;
    const NEW: &str = r#"{"sub":"agt_2","id":"agt_2","name":"new","capabilities":["new"]}"#;
    let (gate, asked) = (Latch::new(), Arc::new(AtomicUsize::new(0)));
    let (waits, counts) = (gate.clone(), Arc::clone(&asked));
    let agent = answered_by(builder(), move |request| {
        assert!(request.url().path().ends_with("/oauth/userinfo"), "{request:?}");
        if counts.fetch_add(1, Ordering::SeqCst) == 0 {
            assert!(waits.wait_timeout(Duration::from_secs(120)), "nobody opened the gate");
            return Ok(reply(200, &[], OLD));
        }
        Ok(reply(200, &[], NEW))
    });
    std::thread::scope(|scope| {
        let old = scope.spawn(|| agent.info());
        assert!(gate.wait_for_waiting(1, Duration::from_secs(120)));
        agent.set_credentials(Credentials::new("agt_2", "another-long-secret").unwrap());
        gate.open();
        // An answer or an error to the one who asked; what counts is what is kept.
        let _ = old.join().unwrap();
    });
    assert!(agent.has_capability("new").unwrap(), "the old agent's record was kept");
    assert!(!agent.has_capability("old").unwrap());
}

#[test]
fn an_agent_with_scopes_of_its_own_has_a_record_of_its_own() {
    let emulator = emulator();
    let agent = emulator.agent().unwrap();
    assert!(agent.has_capability("read").unwrap());
    let other = agent.with_scopes(["read"]);
    assert!(other.has_capability("read").unwrap());
    assert_eq!(emulator.count("oauth.userinfo").unwrap(), 2, "the record is shared with other scopes");
    // Both are kept, and clones share them.
    assert!(agent.clone().has_capability("read").unwrap() && other.clone().has_capability("read").unwrap());
    assert_eq!(emulator.count("oauth.userinfo").unwrap(), 2);
}

/// A transport whose clock stands: how long a call has is exact.
struct Standing(Arc<Mutex<Vec<Duration>>>);

impl Transport for Standing {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        if request.url().path().ends_with("/oauth/token") {
            return Ok(reply(200, &[], TOKEN));
        }
        self.0.lock().unwrap().push(request.attempt_limits().total);
        Ok(reply(200, &[], "{}"))
    }

    fn now(&self) -> Result<Now, TransportError> {
        Ok(Now::new(Timestamp::from_unix(1_750_000_000), Duration::from_secs(1000), [7; 32]))
    }
}

#[test]
fn the_time_of_a_request_wins_over_the_time_of_the_agent() {
    let seen: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let agent = builder().timeout(Duration::from_secs(2)).build_with(Standing(Arc::clone(&seen))).unwrap();
    agent.run(ApiRequest::get("things").timeout(Duration::from_secs(9))).unwrap();
    agent.run(ApiRequest::get("things").timeout(Duration::from_millis(500))).unwrap();
    agent.run(ApiRequest::get("things")).unwrap();
    let wanted = [9000, 500, 2000].map(Duration::from_millis);
    assert_eq!(*seen.lock().unwrap(), wanted);
}

#[test]
fn a_head_that_no_server_takes_is_not_sent() {
    let server = Server::start(service("tok"));
    let agent = hostile::agent(server.url()).build().unwrap();
    assert!(agent.ask("read").unwrap().allowed());
    let before = (server.requests().len(), server.bytes_received());
    let large = "h".repeat(17_000);
    for method in [Method::GET, Method::POST] {
        let request = ApiRequest::new(method.clone(), "things").header("X-Large", &large);
        let error = agent.run(request).expect_err(method.as_str());
        assert!(!matches!(error, Error::OutcomeUnknown { .. }), "{method}: {error:?}");
    }
    assert_eq!((server.requests().len(), server.bytes_received()), before, "something was sent");
    // Nothing stays behind on the connection.
    assert!(agent.ask("read").unwrap().allowed());
}

#[test]
fn a_pause_that_the_service_wants_next_to_nothing_for_is_still_a_pause() {
    const CALLS: u64 = 100;
    for (status, wanted) in [(429, "0.000000001"), (429, "0"), (503, "0.000000001"), (503, "0")] {
        let mut paused = Duration::ZERO;
        for call in 0..CALLS {
            let credentials = Credentials::new("agt_1", "a-long-client-secret").unwrap();
            let session = Session::new(Settings::new(Site::tenant("acme").unwrap()).credentials(credentials));
            let mut machine = session.call(Ask::new("read"));
            let (mut arrived, mut asks, mut time) = (None, 0, Duration::from_secs(1000));
            let random = AtomicU8::new(u8::try_from(call).unwrap());
            loop {
                // Any randomness: every byte another, and other ones for every call.
                let random = std::array::from_fn(|_| random.fetch_add(41, Ordering::Relaxed));
                let wall = Timestamp::from_unix_millis(1_750_000_000_000 + time.as_millis() as u64);
                match machine.step(&Now::new(wall, time, random), arrived.take()).unwrap() {
                    Step::Do(Action::Send(request)) if request.url().path().ends_with("/oauth/token") => {
                        arrived = Some(Arrived::Response(reply(200, &[], TOKEN)));
                    }
                    Step::Do(Action::Send(_)) => {
                        asks += 1;
                        arrived = Some(Arrived::Response(match asks {
                            1 => reply(status, &[(RETRY_AFTER, wanted)], "{}"),
                            _ => reply(200, &[], ASK_ALLOW),
                        }));
                    }
                    Step::Do(Action::Wait(pause)) => {
                        paused += pause;
                        time += pause;
                    }
                    Step::Do(Action::Join(_))
                    | Step::Do(Action::Given(_) | Action::Store(_) | Action::Sign(_)) => {
                        panic!("there is nobody to wait for")
                    }
                    Step::Done(decision) => break assert!(decision.allowed()),
                }
            }
            assert_eq!(asks, 2);
        }
        let mean = paused / u32::try_from(CALLS).unwrap();
        println!("{status}, Retry-After: {wanted}: {mean:?} of pause on average");
        assert!(mean >= Duration::from_millis(1), "{status}, {wanted}: {mean:?}");
    }
}

#[test]
fn an_allow_beside_a_refusal_is_no_allow() {
    for body in [
        r#"{"allowed":true,"error":"access_denied"}"#,
        r#"{"allowed":true,"success":false}"#,
        r#"{"allowed":true,"action":"read","audit_id":"aud_1","error":"access_denied"}"#,
        r#"{"allowed":true,"action":"read","audit_id":"aud_1","success":false}"#,
    ] {
        let agent = answered_by(builder(), move |_| Ok(reply(200, &[], body)));
        let answer = agent.ask("read");
        assert!(answer.is_err(), "{body}: {answer:?}");
        let answer = agent.is_allowed("read");
        assert!(answer.is_err(), "{body}: {answer:?}");
    }
}

#[test]
fn an_error_of_the_transport_names_the_operation() {
    let broken = || TransportError::not_sent(TransportFault::Tls, "no certificate");
    let agent = answered_by(builder(), move |_| Err(broken()));
    for (operation, error) in [
        ("agents.ask: ", agent.ask("read").unwrap_err()),
        ("oauth.userinfo: ", agent.info().unwrap_err()),
        ("agents.me: ", agent.identity().unwrap_err()),
    ] {
        assert!(error.to_string().starts_with(operation), "{error}");
        assert!(error.to_string().contains("no certificate"), "{error}");
    }
    let agent = builder().build_with(move |_| Err(broken())).unwrap();
    let error = agent.authenticate(["a"]).unwrap_err();
    assert!(error.to_string().starts_with("oauth.token: "), "{error}");
}

#[test]
fn a_clock_that_fails_after_a_send_does_not_deny_what_was_sent() {
    use lumoauth::Transport;
    use lumoauth::error::Sent;
    /// Its clock works until the question has left.
    struct Failing(AtomicUsize, u16);
    impl Transport for Failing {
        fn send(&self, request: Request) -> Result<Response, TransportError> {
            if request.url().path().ends_with("/oauth/token") {
                return Ok(reply(200, &[], TOKEN));
            }
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(reply(self.1, &[], ASK_ALLOW))
        }
        fn now(&self) -> Result<Now, TransportError> {
            if self.0.load(Ordering::Relaxed) > 0 {
                return Err(TransportError::not_sent(TransportFault::Other, "no randomness"));
            }
            Ok(Now::new(Timestamp::from_unix(1_750_000_000), Duration::from_secs(120), [7; 32]))
        }
    }
    let ask = |status| {
        let agent = builder().build_with(Failing(AtomicUsize::new(0), status)).unwrap();
        let answer = agent.ask("read");
        // Nothing is begun without a clock.
        assert!(matches!(agent.ask("read"), Err(Error::Transport(error)) if error.sent() == Sent::NotSent));
        answer
    };
    assert!(ask(200).unwrap().allowed());
    match ask(503) {
        Err(Error::Transport(error)) => assert_eq!(error.sent(), Sent::Unknown, "{error}"),
        other => panic!("{other:?}"),
    }
}
