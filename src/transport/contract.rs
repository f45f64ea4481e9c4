//! The promises of a transport, as a test that anybody runs on a transport of their own.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (beside `blocking.rs` and `asynchronous.rs`).

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::{Method, Uri};

use super::{Transport, dual};
use crate::error::{Sent, TransportError, TransportFault};
use crate::store::{Broken, holds};
use crate::transport::odd::Odd;
use crate::wire::{Limits, Request, Response};

/// How long an attempt may last that is to run out of time.
const SHORT: Duration = Duration::from_millis(300);
/// How long an attempt may last that is to end for another reason.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long after its time an attempt has to be over, and how often that is tried: a machine may be busy.
const LATE: Duration = Duration::from_secs(3);
const TRIES: usize = 3;
/// What a server could push into a transport that had read enough long ago: buffers of the system.
const BUFFERS: u64 = 16 << 20;

/// Runs the contract of [`Transport`] on a transport: the first promise that it breaks is the error.
///
/// Use it in a test of your transport. It starts a server on 127.0.0.1, in plain http, that answers well and badly; the
/// transport must speak to that. What it does in TLS, with names and with proxies is not tried here.
///
/// # Errors
/// [`Broken`]: the promise and what was seen.
#[dual]
pub async fn contract<T: Transport + ?Sized>(transport: &T) -> Result<(), Broken> {
    let server = Odd::start();
    holds("the contract has a server on loopback", server.is_ok(), || "none could be started".to_owned())?;
    let Ok(server) = server else { return Ok(()) };
    let tried = Tried { transport, server };
    tried.requests().await?;
    tried.answers().await?;
    tried.statuses().await?;
    tried.nothing_of_its_own().await?;
    tried.limits().await?;
    tried.halves().await?;
    tried.time().await?;
    tried.not_sent().await?;
    tried.connections().await?;
    tried.clock().await
}

struct Tried<'a, T: ?Sized> {
    transport: &'a T,
    server: Odd,
}

/// What may fail is shown without its body.
fn shown(answer: &Result<Response, TransportError>) -> String {
    match answer {
        Ok(response) => format!("an answer of {} with {} bytes", response.status(), response.body().len()),
        Err(error) => format!("{:?}, {:?}: {error}", error.fault(), error.sent()),
    }
}

#[dual]
impl<T: Transport + ?Sized> Tried<'_, T> {
    fn request(&self, method: Method, path: &str) -> Request {
        Request::new(method, self.server.url(path).parse::<Uri>().unwrap_or_default())
    }

    async fn get(&self, path: &str, limits: Limits) -> Result<Response, TransportError> {
        self.transport.send(self.request(Method::GET, path).limits(limits)).await
    }

    async fn is_answered(
        &self,
        rule: &'static str,
        path: &str,
        status: u16,
        body: &[u8],
    ) -> Result<Option<Response>, Broken> {
        let answer = self.get(path, Limits::default()).await;
        let good = answer.as_ref().is_ok_and(|it| it.status().as_u16() == status && it.body() == body);
        holds(rule, good, || format!("GET {path}: {}", shown(&answer)))?;
        Ok(answer.ok())
    }

    /// The attempt fails, and whether anything was sent is said as it is.
    async fn fails(
        &self,
        rule: &'static str,
        request: Request,
        sent: Sent,
    ) -> Result<Option<TransportFault>, Broken> {
        let path = request.url().path().to_owned();
        let answer = self.transport.send(request).await;
        let good = answer.as_ref().is_err_and(|error| error.sent() == sent);
        holds(rule, good, || format!("{path}: {}, where {sent:?} was to be said", shown(&answer)))?;
        Ok(answer.err().map(|error| error.fault()))
    }

    async fn requests(&self) -> Result<(), Broken> {
        let rule = "a request arrives as it is";
        let body: Vec<u8> = (0..=255).cycle().take(40_000).collect();
        for (method, body) in [
            (Method::POST, body.as_slice()),
            (Method::PUT, b"x"),
            (Method::POST, b""),
            (Method::GET, b""),
            (Method::DELETE, b""),
        ] {
            let target = "/plain?a=%20b&c='d'";
            let mut request = self.request(method.clone(), target);
            if !body.is_empty() {
                request = request.bytes("application/octet-stream", body);
            }
            let own = HeaderName::from_static("x-own");
            let request = request
                .header(own, HeaderValue::from_static("a, \"b\""))
                .header(AUTHORIZATION, HeaderValue::from_static("Bearer contract"));
            let answer = self.transport.send(request).await;
            holds(rule, answer.is_ok(), || format!("{method} {target}: {}", shown(&answer)))?;
            let seen = self.server.arrived("/plain").pop();
            let seen = seen.as_ref();
            let is_same =
                |check: bool, what: &str| holds(rule, check, || format!("{method}: another {what} arrived"));
            is_same(seen.is_some_and(|seen| seen.method == method.as_str()), "method")?;
            is_same(seen.is_some_and(|seen| seen.target == target), "path or query")?;
            is_same(seen.is_some_and(|seen| seen.body == body), "body")?;
            for (name, value) in [
                ("x-own", "a, \"b\""),
                ("authorization", "Bearer contract"),
                ("accept", "application/json"),
                ("accept-encoding", "identity"),
            ] {
                is_same(seen.is_some_and(|seen| seen.header(name) == [value]), name)?;
            }
        }
        Ok(())
    }

    async fn answers(&self) -> Result<(), Broken> {
        let rule = "an answer is handed over whole";
        let plain = self.is_answered(rule, "/plain", 200, br#"{"ok":true}"#).await?;
        let header = plain.as_ref().and_then(|plain| plain.headers().get("x-answer"));
        holds(rule, header.is_some_and(|value| value == "yes"), || "a header is missing".to_owned())?;
        self.is_answered(rule, "/chunks", 200, br#"{"ok":true}"#).await?;
        self.is_answered(rule, "/empty", 204, b"").await?;
        Ok(())
    }

    async fn statuses(&self) -> Result<(), Broken> {
        let rule = "whatever its status, an answer is an answer, with its body";
        for status in [201_u16, 400, 401, 403, 404, 409, 418, 429, 500, 503] {
            self.is_answered(rule, &format!("/status/{status}"), status, br#"{"ok":true}"#).await?;
        }
        Ok(())
    }

    async fn nothing_of_its_own(&self) -> Result<(), Broken> {
        let rule = "no redirect is followed";
        for status in [301_u16, 302, 303, 307, 308] {
            self.is_answered(rule, &format!("/redirect/{status}"), status, b"{}").await?;
        }
        let followed = self.server.arrived("/elsewhere").len();
        holds(rule, followed == 0, || format!("{followed} were"))?;
        self.is_answered("nothing is decoded", "/encoded", 200, b"not gzip").await?;
        let rule = "no cookie is kept";
        self.is_answered(rule, "/cookie", 200, br#"{"ok":true}"#).await?;
        self.is_answered(rule, "/cookie/again", 200, br#"{"ok":true}"#).await?;
        let again = self.server.arrived("/cookie/again");
        holds(rule, again.iter().all(|seen| seen.header("cookie").is_empty()), || "it came back".to_owned())
    }

    async fn limits(&self) -> Result<(), Broken> {
        let rule = "a body or head over its limit is an error";
        let limits = Limits { total: PATIENCE, ..Limits::default() };
        for path in ["/large", "/endless", "/endless-head"] {
            self.fails(rule, self.request(Method::GET, path).limits(limits), Sent::Unknown).await?;
        }
        let most = self.server.endless();
        let rule = "reading stops when there is enough";
        holds(rule, most <= BUFFERS, || format!("{most} bytes of one answer were taken"))
    }

    async fn halves(&self) -> Result<(), Broken> {
        let rule = "an answer that is not whole, or does not say where it ends, is an error";
        for path in ["/cut", "/cut-chunks", "/no-length", "/hang-up"] {
            let request = self.request(Method::POST, path).bytes("text/plain", "x");
            self.fails(rule, request, Sent::Unknown).await?;
            let attempts = self.server.arrived(path).len();
            let rule = "an attempt is made once";
            holds(rule, attempts == 1, || format!("POST {path} arrived {attempts} times"))?;
        }
        Ok(())
    }

    #[allow(clippy::disallowed_methods)] // a transport has a clock
    async fn time(&self) -> Result<(), Broken> {
        let rule = "an attempt ends with its time";
        for path in ["/stall", "/stall-body"] {
            let mut late = Duration::MAX;
            for _ in 0..TRIES {
                let began = Instant::now();
                let limits = Limits { total: SHORT, connect: SHORT, ..Limits::default() };
                let request = self.request(Method::GET, path).limits(limits);
                let fault = self.fails(rule, request, Sent::Unknown).await?;
                let is_timeout = fault == Some(TransportFault::Timeout);
                holds(rule, is_timeout, || format!("{path}: {fault:?} is no Timeout"))?;
                late = late.min(began.elapsed().saturating_sub(SHORT));
                if late <= LATE {
                    break;
                }
            }
            holds(rule, late <= LATE, || format!("{path}: {late:?} after it"))?;
        }
        let rule = "nothing is sent when no time is left";
        let limits = Limits { total: Duration::ZERO, ..Limits::default() };
        self.fails(rule, self.request(Method::GET, "/no-time").limits(limits), Sent::NotSent).await?;
        let arrived = self.server.arrived("/no-time").len();
        holds(rule, arrived == 0, || "a request arrived".to_owned())
    }

    async fn not_sent(&self) -> Result<(), Broken> {
        let rule = "what found no connection is known as not sent";
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let Ok(closed) = port else { return Ok(()) };
        let url = format!("http://{closed}/").parse::<Uri>().unwrap_or_default();
        self.fails(rule, Request::new(Method::GET, url), Sent::NotSent).await?;
        Ok(())
    }

    async fn connections(&self) -> Result<(), Broken> {
        let rule = "an attempt that needs a connection of its own has one, before and after it";
        for (path, fresh_connection) in [("/own", false), ("/own", true), ("/own", true), ("/own", false)] {
            let limits = Limits { fresh_connection, ..Limits::default() };
            let answer = self.get(path, limits).await;
            holds(rule, answer.is_ok(), || shown(&answer))?;
        }
        let used: Vec<usize> = self.server.arrived("/own").iter().map(|seen| seen.connection).collect();
        let alone = |at: usize| used.iter().filter(|other| used.get(at) == Some(other)).count() == 1;
        holds(rule, used.len() == 4 && alone(1) && alone(2), || format!("connections {used:?}"))
    }

    #[allow(clippy::disallowed_methods)] // a transport has a clock
    async fn clock(&self) -> Result<(), Broken> {
        let rule = "time goes on, and what is drawn is never the same";
        let (one, other) = (self.transport.now(), self.transport.now());
        let good = one
            .as_ref()
            .ok()
            .zip(other.as_ref().ok())
            .is_some_and(|(one, other)| one.monotonic <= other.monotonic && one.random != other.random);
        holds(rule, good, || "two looks at the clock".to_owned())?;
        let (one, other) = (self.transport.glance(), self.transport.glance());
        let good = one
            .as_ref()
            .ok()
            .zip(other.as_ref().ok())
            .is_some_and(|(one, other)| one.monotonic <= other.monotonic && one.random != other.random);
        holds(rule, good, || "two glances at the clock".to_owned())?;
        let rule = "sleeping takes its time";
        let began = Instant::now();
        self.transport.sleep(Duration::from_millis(20)).await;
        holds(rule, began.elapsed() >= Duration::from_millis(20), || format!("{:?}", began.elapsed()))
    }
}
