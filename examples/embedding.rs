//! Another SDK drives the pure core: its own I/O, its own clock, and an operation of its own. No client of this crate
//! is involved, neither blocking nor async.
//!
//! A stack of its own turns [`Session::call`]: it hands in the time and what arrived, and does what comes back. Here
//! the stack is a plain `TcpStream` to a local LumoAuth; it could be an event loop, a runtime, or a microcontroller.
//!
//! ```sh
//! cargo run --example embedding --no-default-features --features emulator
//! ```

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lumoauth::credentials::Credentials;
use lumoauth::embed::operation::{Answer, Auth, Context, Effect, Operation, Terms};
use lumoauth::embed::session::{Action, Arrived, Machine, Session, Settings, Step, Ticket};
use lumoauth::embed::wire::{self, Request, Response};
use lumoauth::emulator::Emulator;
use lumoauth::error::{Error, SignerError, StoreError, TransportError, TransportFault, WorkloadError};
use lumoauth::http::header::{HeaderMap, HeaderName, HeaderValue};
use lumoauth::http::{Method, StatusCode};
use lumoauth::time::{Now, Timestamp};
use lumoauth::{Ask, Secret};

/// An operation of its own: who am I, and where? `GET agents/me`. Token, retries and deadline come from the session.
struct WhoAmI;

impl Operation for WhoAmI {
    type Output = String;

    fn terms(&self) -> Terms {
        Terms::new("example.who_am_i", Effect::Read, Auth::Bearer).total(Duration::from_secs(4))
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        Ok(Request::new(Method::GET, context.site().join("agents/me")?))
    }

    fn response(&self, response: &Response) -> Result<Answer<String>, Error> {
        let mut fields = wire::read("example.who_am_i", response)?;
        let mut identity = fields.object("identity")?.ok_or_else(|| fields.missing("identity"))?;
        let (name, tenant) = (identity.required_text("name")?, identity.required_text("tenant")?);
        Ok(Answer::Done(format!("{name} of {tenant}")))
    }
}

/// The other SDK: whatever it has in place of a client.
struct Stack {
    started: Instant,
    sent: u32,
}

#[allow(clippy::disallowed_methods, clippy::print_stdout)] // a program has a clock, sleeps and prints
impl Stack {
    fn new() -> Self {
        Stack { started: Instant::now(), sent: 0 }
    }

    /// Turns a machine until it is done. This is all that a driver is.
    fn drive<M: Machine>(&mut self, mut machine: M) -> Result<M::Output, Error> {
        let mut arrived = None;
        loop {
            match machine.step(&self.now()?, arrived.take())? {
                Step::Do(Action::Send(request)) => {
                    println!("    -> {} {}", request.method(), request.url().path());
                    self.sent += 1;
                    arrived = Some(exchange(&request).into());
                }
                Step::Do(Action::Wait(pause)) => std::thread::sleep(pause),
                Step::Do(Action::Join(ticket)) => wait(&ticket),
                // A stack that runs as a workload reads its platform's token here.
                Step::Do(Action::Given(_)) => {
                    arrived = Some(Arrived::Given(Err(WorkloadError::NoSource.into())))
                }
                // A stack that keeps users' sessions, or tokens that processes share, asks its store here.
                Step::Do(Action::Store(_)) => {
                    let none = StoreError::unavailable("this stack has no store");
                    arrived = Some(Arrived::Stored(Err(none)));
                }
                // A stack that holds an agent's key signs `to_sign.base()` here.
                Step::Do(Action::Sign(_)) => arrived = Some(Arrived::Signature(Err(SignerError::NoSigner))),
                Step::Done(output) => return Ok(output),
            }
        }
    }

    /// Its own clocks, and randomness from the operating system.
    fn now(&self) -> Result<Now, TransportError> {
        let mut random = [0; 32];
        getrandom::getrandom(&mut random)
            .map_err(|_| TransportError::not_sent(TransportFault::Other, "no randomness"))?;
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = Timestamp::from_unix_millis(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX));
        Ok(Now::new(wall, self.started.elapsed(), random))
    }
}

/// Another thread of this SDK is fetching the token.
fn wait(ticket: &Ticket) {
    let (settled, told) = mpsc::channel();
    ticket.on_settled(move || {
        let _ = settled.send(());
    });
    let _ = told.recv_timeout(ticket.within());
}

/// Its own I/O: one connection a request, plain http to this machine. When in doubt, the outcome is unknown.
fn exchange(request: &Request) -> Result<Response, TransportError> {
    let no_connection = |_| TransportError::not_sent(TransportFault::Connect, "no connection");
    let (url, limits) = (request.url(), request.attempt_limits());
    let authority = url.authority().map(ToString::to_string).unwrap_or_default();
    let stream = TcpStream::connect(authority.as_str()).map_err(no_connection)?;
    stream.set_read_timeout(Some(limits.total)).map_err(no_connection)?;

    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut head =
        format!("{} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n", request.method());
    for (name, value) in request.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap_or_default()));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", request.body().len()));

    let bytes = talk(stream, &[head.as_bytes(), request.body()].concat(), limits.head + limits.body)
        .map_err(|error| TransportError::unknown(TransportFault::Broken, "no whole answer").because(error))?;
    parse(&bytes).ok_or_else(|| TransportError::unknown(TransportFault::Framing, "the answer is not HTTP"))
}

fn talk(mut stream: TcpStream, request: &[u8], most: usize) -> io::Result<Vec<u8>> {
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    stream.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads an answer that has a length. Anything else is refused: it could be half of one.
fn parse(bytes: &[u8]) -> Option<Response> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = (std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 4..]);
    let (status, lines) = head.split_once("\r\n")?;
    let status = StatusCode::from_bytes(status.strip_prefix("HTTP/1.1 ")?.get(..3)?.as_bytes()).ok()?;
    let mut headers = HeaderMap::new();
    for line in lines.split("\r\n") {
        let (name, value) = line.split_once(':')?;
        headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?);
    }
    let length: usize = headers.get("content-length")?.to_str().ok()?.parse().ok()?;
    (length == body.len()).then(|| Response::new(status, headers, body))
}

#[allow(clippy::print_stdout)] // a program may print
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let emulator = Emulator::demo()?;
    let served = emulator.serve("127.0.0.1:0")?;
    println!("A local LumoAuth listens on {}; a TcpStream carries the requests.\n", served.url());

    let site = lumoauth::Site::new(served.url(), emulator.site().layout().clone())?;
    let credentials = Credentials::new(emulator.client_id(), Secret::clone(emulator.secret()))?;
    let session = Session::new(Settings::new(site).credentials(credentials));
    let mut stack = Stack::new();

    println!("May I read the document? The session sees that it needs a token first:");
    println!("    {}", stack.drive(session.call(Ask::new("read_document")))?);
    println!("May I delete the user? The token is there already:");
    println!("    {}", stack.drive(session.call(Ask::new("delete_user")))?);
    println!("Who am I? An operation of the stack's own:");
    println!("    {}", stack.drive(session.call(WhoAmI))?);
    println!("The token is revoked behind its back; the session gets another one, once:");
    emulator.revoke_tokens(emulator.client_id())?;
    println!("    {}", stack.drive(session.call(Ask::new("read_document")))?);
    println!(
        "\n{} requests in all, {} of them for a token.",
        stack.sent,
        emulator.count("oauth.token").unwrap()
    );
    Ok(())
}
