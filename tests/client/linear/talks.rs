//! Talks of several steps: an MCP server that describes itself, and a device that waits for its person. In both mounts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lumoauth::asynchronous::Io;
use lumoauth::embed::operations::DeviceAuthorization;
use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::TransportError;
use lumoauth::http::{HeaderMap, StatusCode};

use lumoauth::time::{Now, Timestamp};
use lumoauth::{Agent, ApiRequest, Transport, asynchronous};
use serde_json::{Value, json};

use super::Measure;
use super::answers::{KIB, now, response};
use super::shapes;

const SERVER: &str = "https://mcp.acme.test/x";

/// Answers each request, in a world whose time passes only while somebody waits.
#[derive(Clone)]
struct Plays {
    answer: Arc<dyn Fn(&Request) -> Response + Send + Sync>,
    waited: Arc<Mutex<Duration>>,
}

impl Plays {
    fn new(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        Plays { answer: Arc::new(answer), waited: Arc::default() }
    }
}

impl Transport for Plays {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        Ok((self.answer)(&request).from_url(request.url().clone()))
    }

    fn sleep(&self, duration: Duration) {
        *self.waited.lock().unwrap() += duration;
    }

    fn now(&self) -> Result<Now, TransportError> {
        let waited = *self.waited.lock().unwrap();
        Ok(Now::new(Timestamp::from_unix(1_750_000_000).saturating_add(waited), waited, [7; 32]))
    }
}

impl asynchronous::Transport for Plays {
    fn send<'a>(&'a self, request: Request) -> Io<'a, Result<Response, TransportError>> {
        Box::pin(std::future::ready(Transport::send(self, request)))
    }

    fn sleep<'a>(&'a self, duration: Duration) -> Io<'a, ()> {
        Transport::sleep(self, duration);
        Box::pin(std::future::ready(()))
    }

    fn now(&self) -> Result<Now, TransportError> {
        Transport::now(self)
    }
}

/// The same agent in either mount, new each time: what was said before is not remembered.
fn each_mount(
    plays: &Plays,
    blocking: bool,
    run: impl Fn(&Agent),
    asynchronous: impl Fn(&asynchronous::Agent),
) {
    match blocking {
        true => {
            let builder = Agent::builder().tenant("acme").client_id("agt_1");
            run(&builder.client_secret("the-clients-own-secret").build_with(plays.clone()).unwrap());
        }
        false => {
            let builder = asynchronous::Agent::builder().tenant("acme").client_id("agt_1");
            asynchronous(&builder.client_secret("the-clients-own-secret").build_with(plays.clone()).unwrap());
        }
    }
}

fn token(request: &Request) -> Option<Response> {
    let body = r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#;
    request.url().path().ends_with("/oauth/token").then(|| response(200, &[], body))
}

/// A server that refuses every token, and says at length what it is.
#[test]
fn f17_every_description_in_a_talk_with_an_mcp_server() {
    let Some(measure) = Measure::new("descriptions in talks with MCP servers", 97, 7) else { return };
    let cap = 1000 * KIB;
    let (whole, small) = (shapes::all_values(cap), shapes::all_values(cap / 8));
    let bodies = shapes::bodies();
    let good =
        json!({"resource": SERVER, "authorization_servers": ["https://app.lumoauth.dev/t/acme/api/v1"]});
    let service = json!({"issuer": "https://app.lumoauth.dev/t/acme/api/v1"});
    let challenges = [
        (401, "Bearer"),
        (401, r#"Bearer error="invalid_token""#),
        (403, r#"Bearer error="insufficient_scope""#),
    ];
    for (document, member) in [
        ("description", "resource"),
        ("description", "authorization_servers"),
        ("description", "scopes_supported"),
        ("description", "unknown"),
        ("description", ""),
        ("service", "issuer"),
        ("service", ""),
    ] {
        let count = if member.is_empty() { bodies.len() } else { whole.len() };
        for index in 0..count {
            let shape = if member.is_empty() { bodies[index].0 } else { whole[index].0 };
            let make = |size: usize| {
                if member.is_empty() {
                    return bodies[index].1(size);
                }
                let mut made = if document == "service" { &service } else { &good }.clone();
                made[member] = if size == cap { &whole } else { &small }[index].1.clone();
                made.to_string().into_bytes()
            };
            for ((status, challenge), blocking) in
                challenges.into_iter().flat_map(|challenge| [(challenge, true), (challenge, false)])
            {
                let what = format!("{document}, {member}: {shape} after {status} {challenge} ({blocking})");
                let (good, service) = (good.to_string(), service.to_string());
                measure.feed(&what, cap, make, |body: &Vec<u8>| {
                    let (body, good, service) = (body.clone(), good.clone(), service.clone());
                    let plays = Plays::new(move |request: &Request| {
                        let host = request.url().host().unwrap_or_default();
                        let well_known = request.url().path().contains("/.well-known/");
                        let said = |of: &str, usual: &str| {
                            let body = if document == of { body.clone() } else { usual.into() };
                            Response::new(StatusCode::OK, HeaderMap::new(), body)
                        };
                        match (host, well_known) {
                            ("mcp.acme.test", true) => said("description", &good),
                            ("mcp.acme.test", false) => {
                                response(status, &[("www-authenticate", challenge)], "")
                            }
                            (_, true) => said("service", &service),
                            _ => token(request).unwrap_or_else(|| response(404, &[], "")),
                        }
                    });
                    each_mount(
                        &plays,
                        blocking,
                        |agent| {
                            let server = agent.mcp(SERVER).unwrap();
                            drop(server.request(ApiRequest::get("")));
                            drop(server.discover());
                        },
                        |agent| {
                            let server = agent.mcp(SERVER).unwrap();
                            drop(now(server.request(ApiRequest::get(""))));
                            drop(now(server.discover()));
                        },
                    );
                });
            }
        }
    }
    measure.end();
}

/// What a person's device is told while it waits, over and over, and at the end.
#[test]
fn f17_every_answer_to_a_device_that_waits() {
    const ROUNDS: u64 = 8;
    let Some(measure) = Measure::new("answers to devices that wait", 29, 3) else { return };
    let cap = 62 * KIB;
    let (whole, small) = (shapes::all_values(cap), shapes::all_values(cap / 8));
    let begun = json!({
        "device_code": "d", "user_code": "u", "verification_uri": "https://app.lumoauth.dev/d", "expires_in": 900, "interval": 5
    });
    let waiting = ["authorization_pending", "slow_down"].map(|error| json!({ "error": error }));
    let given = json!({"access_token": "t", "token_type": "Bearer", "expires_in": 3600});
    let mut cases: Vec<(&Value, &str)> = Vec::new();
    for own in &waiting {
        cases.extend(
            ["error", "error_description", "error_uri", "interval", "unknown"].map(|member| (own, member)),
        );
    }
    cases.extend(
        ["scope", "refresh_token", "expires_in", "id_token", "unknown"].map(|member| (&given, member)),
    );
    for (usual, member) in cases {
        for (index, (shape, _)) in whole.iter().enumerate() {
            for (status, blocking) in [(400, true), (400, false), (503, true), (503, false)] {
                let make = |size: usize| {
                    let mut made = usual.clone();
                    made[member] = if size == cap { &whole } else { &small }[index].1.clone();
                    made.to_string()
                };
                let status = if usual == &given { 200 } else { status };
                let what = format!("{usual} with {member}: {shape}, {status} ({blocking})");
                measure.feed(&what, cap, make, |body: &String| {
                    let (body, begun, polled) = (body.clone(), begun.to_string(), AtomicU64::new(0));
                    let plays = Plays::new(move |request: &Request| {
                        if !request.url().path().ends_with("/oauth/token") {
                            return response(200, &[], begun.as_str());
                        }
                        match polled.fetch_add(1, Ordering::SeqCst) {
                            round if round < ROUNDS => response(status, &[], body.as_str()),
                            _ => response(400, &[], r#"{"error":"access_denied"}"#),
                        }
                    });
                    each_mount(
                        &plays,
                        blocking,
                        |agent| {
                            let device = agent.run(DeviceAuthorization::new(["a"])).unwrap();
                            drop(agent.run(device.poll()));
                        },
                        |agent| {
                            let device = now(agent.run(DeviceAuthorization::new(["a"]))).unwrap();
                            drop(now(agent.run(device.poll())));
                        },
                    );
                });
            }
        }
    }
    measure.end();
}
