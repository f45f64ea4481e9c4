//! The contract of transports: those that keep it pass, and those that break one promise fail by that promise.

use std::sync::Mutex;
use std::time::Duration;

use lumoauth::embed::wire::{Limits, Request, Response};
use lumoauth::error::{TransportError, TransportFault};
use lumoauth::http::{Method, StatusCode};
use lumoauth::transport::{ReqwestTransport, TransportOptions, UreqTransport, contract};
use lumoauth::{Transport, asynchronous};

#[path = "../../examples/hyper.rs"]
#[allow(dead_code, clippy::duplicate_mod)]
mod hyper;

fn built_in() -> UreqTransport {
    UreqTransport::new(&TransportOptions::new()).unwrap()
}

fn several() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn the_built_in_transports_and_the_example_keep_it() {
    contract(&built_in()).unwrap();
    let single = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for runtime in [single, several()] {
        let transport = ReqwestTransport::new(&TransportOptions::new()).unwrap();
        runtime.block_on(asynchronous::transport::contract(&transport)).unwrap();
        runtime.block_on(async { asynchronous::transport::contract(&hyper::hyper()).await }).unwrap();
    }
}

/// The promise that a transport breaks which sends in this way.
fn broken(
    send: impl Fn(&UreqTransport, Request) -> Result<Response, TransportError> + Send + Sync,
) -> &'static str {
    let inner = built_in();
    let result = contract(&|request: Request| send(&inner, request));
    result.expect_err("it was not seen").rule()
}

fn with(request: Request, change: impl Fn(&mut Limits)) -> Request {
    let mut limits = *request.attempt_limits();
    change(&mut limits);
    request.limits(limits)
}

fn with_body(response: Response, body: &[u8]) -> Response {
    Response::new(response.status(), response.headers().clone(), body)
}

#[test]
fn a_promise_that_is_broken_is_named() {
    let other = |request: &Request, path: &str| {
        let url = request.url().to_string().replace(request.url().path(), path);
        Request::new(request.method().clone(), url.parse().unwrap())
    };
    let asked = Mutex::new(Vec::<String>::new());
    for (found, expected) in [
        (
            broken(|inner, request| {
                inner.send(request.header("x-own".parse().unwrap(), "b".parse().unwrap()))
            }),
            "a request arrives as it is",
        ),
        (broken(|inner, request| inner.send(other(&request, "/plain"))), "a request arrives as it is"),
        (
            broken(|inner, request| inner.send(request).map(|answer| with_body(answer, b"{}"))),
            "an answer is handed over whole",
        ),
        (
            broken(|inner, request| {
                let answer = inner.send(request)?;
                match answer.status().is_client_error() {
                    true => Err(TransportError::unknown(TransportFault::Other, "not found")),
                    false => Ok(answer),
                }
            }),
            "whatever its status, an answer is an answer, with its body",
        ),
        (
            broken(|inner, request| {
                let answer = inner.send(request.clone())?;
                match answer.headers().contains_key("location") {
                    true => inner.send(other(&request, "/elsewhere")),
                    false => Ok(answer),
                }
            }),
            "no redirect is followed",
        ),
        (
            broken(|inner, request| {
                let answer = inner.send(request)?;
                let encoded = answer.headers().contains_key("content-encoding");
                Ok(if encoded { with_body(answer, b"decoded") } else { answer })
            }),
            "nothing is decoded",
        ),
        (
            broken(|inner, request| {
                let again = request.url().path() == "/cookie/again";
                let cookie = ("cookie".parse().unwrap(), "a=b".parse().unwrap());
                inner.send(if again { request.header(cookie.0, cookie.1) } else { request })
            }),
            "no cookie is kept",
        ),
        (
            broken(|inner, request| inner.send(with(request, |limits| limits.body = 1 << 20))),
            "a body or head over its limit is an error",
        ),
        (
            broken(|inner, request| match request.url().path() {
                "/endless" => {
                    let _ = inner.send(with(request, |limits| limits.body = 64 << 20));
                    Err(TransportError::unknown(TransportFault::TooLarge, "too large, at last"))
                }
                _ => inner.send(request),
            }),
            "reading stops when there is enough",
        ),
        (
            broken(|inner, request| match request.url().path() {
                "/cut" => Ok(Response::new(StatusCode::OK, Default::default(), &b"{"[..])),
                _ => inner.send(request),
            }),
            "an answer that is not whole, or does not say where it ends, is an error",
        ),
        (
            broken(|inner, request| match *request.method() == Method::POST {
                true => inner.send(request.clone()).or_else(|_| inner.send(request)),
                false => inner.send(request),
            }),
            "an attempt is made once",
        ),
        (
            broken(|inner, request| {
                inner.send(with(request, |limits| {
                    limits.total = limits.total.max(Duration::from_millis(3600))
                }))
            }),
            "an attempt ends with its time",
        ),
        (
            broken(|inner, request| match request.attempt_limits().total.is_zero() {
                true => inner.send(with(request, |limits| limits.total = Duration::from_secs(5))),
                false => inner.send(request),
            }),
            "nothing is sent when no time is left",
        ),
        (
            broken(|inner, request| {
                let error = |_| TransportError::unknown(TransportFault::Other, "no answer");
                let zero = request.attempt_limits().total.is_zero();
                let stalls = request.url().path().starts_with("/stall");
                let answer = inner.send(request);
                if zero || stalls { answer } else { answer.map_err(error) }
            }),
            "what found no connection is known as not sent",
        ),
        (
            broken(|inner, request| inner.send(with(request, |limits| limits.fresh_connection = false))),
            "an attempt that needs a connection of its own has one, before and after it",
        ),
    ] {
        assert_eq!(found, expected);
        asked.lock().unwrap().push(found.to_owned());
    }
    println!("{} broken promises, each found by its name", asked.lock().unwrap().len());
}

/// One whose clock stands, and one that does not sleep.
struct Odd(UreqTransport, bool);

impl Transport for Odd {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.0.send(request)
    }

    fn sleep(&self, duration: Duration) {
        if self.1 {
            Transport::sleep(&self.0, duration);
        }
    }

    fn now(&self) -> Result<lumoauth::time::Now, TransportError> {
        let now = Transport::now(&self.0)?;
        Ok(if self.1 { lumoauth::time::Now::new(now.wall, now.monotonic, [7; 32]) } else { now })
    }
}

#[test]
fn a_clock_that_is_broken_is_seen() {
    let rule = |sleeps| contract(&Odd(built_in(), sleeps)).unwrap_err().rule();
    assert_eq!(rule(true), "time goes on, and what is drawn is never the same");
    assert_eq!(rule(false), "sleeping takes its time");
}
