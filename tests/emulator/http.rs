//! The server over real sockets, with a client of nothing but `TcpStream`.
// Delays and shutdowns are measured here, and the server's clock is compared with the real one.
#![allow(clippy::disallowed_methods)]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use lumoauth::emulator::{Emulator, FaultRule, ServeError, Served};

use crate::support::small;

const TOKEN: &str = "/t/acme/api/v1/oauth/token";
const FORM: &str = "grant_type=client_credentials&client_id=agt_bot&client_secret=s3cret";

struct Client(TcpStream);

struct Got {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Client {
    fn new(served: &Served) -> Self {
        let stream = TcpStream::connect(served.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        Client(stream)
    }

    fn post(&mut self, path: &str, headers: &str, body: &str) {
        let length = body.len();
        self.raw(&format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        ));
    }

    fn raw(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    /// One whole response; the body as long as announced, or as much of it as came.
    fn read(&mut self) -> std::io::Result<Got> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            if self.0.read(&mut byte)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length: usize = header(&head, "content-length").map_or(0, |value| value.parse().unwrap());
        let mut body = Vec::new();
        (&mut self.0).take(length as u64).read_to_end(&mut body)?;
        Ok(Got { status, head, body })
    }

    fn token(&mut self) -> std::io::Result<Got> {
        self.post(TOKEN, "", FORM);
        self.read()
    }
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn served() -> (Emulator, Served) {
    let emulator = small();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    (emulator, served)
}

#[test]
fn it_serves_loopback_only() {
    let emulator = small();
    for address in ["0.0.0.0:0", "[::]:0", "192.168.1.1:0", "8.8.8.8:80", "[2001:db8::1]:0"] {
        assert!(matches!(emulator.serve(address), Err(ServeError::NotLoopback(_))), "{address}");
    }
    for address in ["localhost:0", "127.0.0.1", "", "example.com:80"] {
        assert!(matches!(emulator.serve(address), Err(ServeError::BadAddress(_))), "{address}");
    }
}

#[test]
fn one_connection_serves_many_requests() {
    let (emulator, served) = served();
    let mut client = Client::new(&served);
    for _ in 0..3 {
        let got = client.token().unwrap();
        assert_eq!(got.status, 200);
        assert_eq!(header(&got.head, "cache-control"), Some("no-store"));
        let body: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
        let claims = crate::support::jwt_part(body["access_token"].as_str().unwrap(), 1);
        assert_eq!(claims["iss"], format!("{}/t/acme/api/v1", served.url()));
    }
    assert_eq!((served.connections(), emulator.count("oauth.token").unwrap()), (1, 3));
}

#[test]
fn the_environment_leads_to_it() {
    let (emulator, served) = served();
    let environment = emulator.environment(&served);
    assert_eq!(environment[0], ("LUMOAUTH_URL", served.url().to_owned()));
    assert_eq!(environment[3], ("AGENT_CLIENT_SECRET", "s3cret".to_owned()));
    assert_eq!(served.url(), format!("http://{}", served.addr()));
}

#[test]
fn a_reset_is_a_reset() {
    let (emulator, served) = served();
    for rule in [FaultRule::on("oauth.token").reset(), FaultRule::any().drop_before()] {
        emulator.fault(rule).unwrap();
        let error = Client::new(&served).token().map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    assert_eq!(emulator.count("oauth.token").unwrap(), 1);
    assert_eq!(Client::new(&served).token().unwrap().status, 200);
}

#[test]
fn a_truncated_body_was_announced_whole() {
    let (emulator, served) = served();
    for (asked, bytes) in [(0, Some(0)), (20, Some(20)), (1_000_000, None)] {
        emulator.fault(FaultRule::on("oauth.token").truncate(asked)).unwrap();
        let mut client = Client::new(&served);
        let got = client.token().unwrap();
        let announced: usize = header(&got.head, "content-length").unwrap().parse().unwrap();
        assert!(announced > 100);
        assert_eq!((got.status, got.body.len()), (200, bytes.unwrap_or(announced - 1)));
        assert_eq!(client.0.read(&mut [0]).unwrap(), 0, "the connection is over");
    }
}

#[test]
fn a_delay_delays() {
    let (emulator, served) = served();
    emulator.fault(FaultRule::on("oauth.token").delay(Duration::from_millis(60))).unwrap();
    let started = Instant::now();
    assert_eq!(Client::new(&served).token().unwrap().status, 200);
    assert!(started.elapsed() >= Duration::from_millis(60));
}

#[test]
fn shutdown_is_quick_whatever_is_going_on() {
    let stop = |served: Served| {
        let started = Instant::now();
        served.shutdown();
        started.elapsed()
    };
    // Beside a server with nothing to do, whose end takes whatever this machine takes for that: a server that waited for
    // anybody would be the later one in every round.
    let (mut rounds, mut quick) = (0, false);
    while rounds < 20 && !quick {
        rounds += 1;
        let (emulator, served) = served();
        emulator.fault(FaultRule::any().always().delay(Duration::from_secs(3600))).unwrap();
        let (mut waiting, mut idle) = (Client::new(&served), Client::new(&served));
        waiting.post(TOKEN, "", FORM);
        while emulator.count_all() == 0 {
            std::thread::yield_now();
        }
        let reference = stop(small().serve("127.0.0.1:0").unwrap());
        let took = stop(served);
        assert!(waiting.read().is_err() && idle.read().is_err());
        quick = took <= 20 * reference;
    }
    assert!(quick, "in none of {rounds} rounds as quick as a server with nothing to do");
}

#[test]
fn requests_that_no_server_takes() {
    let (emulator, served) = served();
    let status = |text: &str| {
        let mut client = Client::new(&served);
        client.raw(text);
        client.read().map(|got| got.status).unwrap_or_default()
    };
    let jwks = "/.well-known/jwks.json";
    assert_eq!(status(&format!("GET {jwks} HTTP/1.1\r\nHost: localhost:1\r\n\r\n")), 200);
    assert_eq!(status(&format!("GET {jwks} HTTP/1.1\r\nHost: [::1]:1\r\n\r\n")), 200);
    for head in ["", "Host: evil.test\r\n", "Host: a\r\nHost: 127.0.0.1\r\n", "Host: 127.0.0.1.evil.test\r\n"]
    {
        assert_eq!(status(&format!("GET {jwks} HTTP/1.1\r\n{head}\r\n")), 421, "{head:?}");
    }
    // A target that names a host itself counts more than the field.
    let port = served.addr().port();
    for (target, host, expected) in [
        (format!("http://localhost:{port}{jwks}"), "127.0.0.1", 200),
        (format!("http://evil.test{jwks}"), "127.0.0.1", 421),
        (format!("http://evil.test:{port}{jwks}"), "localhost", 421),
        (format!("https://127.0.0.1{jwks}"), "127.0.0.1", 421),
        (format!("http://localhost{jwks}"), "evil.test", 421),
        (format!("http://u@localhost{jwks}"), "localhost", 421),
    ] {
        assert_eq!(status(&format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")), expected, "{target}");
    }
    assert_eq!(status("nonsense\r\n\r\n"), 400);
    let long = "x".repeat(65_600);
    assert_eq!(status(&format!("GET {jwks} HTTP/1.1\r\nHost: 127.0.0.1\r\nX: {long}\r\n\r\n")), 431);
    let two = "Authorization: Bearer a\r\nAuthorization: Bearer a\r\n";
    assert_eq!(
        status(&format!("GET /t/acme/api/v1/agents/me HTTP/1.1\r\nHost: localhost\r\n{two}\r\n")),
        400
    );
    assert_eq!(emulator.count("agents.me").unwrap(), 1);
}

#[test]
fn a_body_too_large_is_refused() {
    let (_, served) = served();
    let mut client = Client::new(&served);
    let (head, part) = ("Content-Length: 2000000\r\n\r\n", "x".repeat(1024 * 1024 + 1));
    client.raw(&format!("POST {TOKEN} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}{part}"));
    let got = client.read().unwrap();
    assert_eq!((got.status, header(&got.head, "connection")), (413, Some("close")));
}

#[test]
fn the_servers_clock_is_the_real_time_moved() {
    let (emulator, served) = served();
    let real = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    // However long it takes to ask: what is said lies between the times before and after. Seconds may be cut off on either side.
    let between = |moved: u64, said: &mut dyn FnMut() -> u64| {
        let (before, said, after) = (real() + moved, said(), real() + moved);
        assert!((before - 1..=after + 1).contains(&said), "{before} {said} {after}");
    };
    between(0, &mut || emulator.now().unix());
    emulator.advance(Duration::from_secs(86_400));
    between(86_400, &mut || emulator.now().unix());
    between(86_400, &mut || {
        let got = Client::new(&served).token().unwrap();
        let body: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
        crate::support::jwt_part(body["access_token"].as_str().unwrap(), 1)["iat"].as_u64().unwrap()
    });
}

/// Whoever calls it by one of its names finds that name in tokens and documents.
#[test]
fn its_urls_are_those_that_it_was_called_by() {
    let (_, served) = served();
    let port = served.addr().port();
    let issuer = |host: &str| {
        let mut client = Client::new(&served);
        let path = "/t/acme/api/v1/.well-known/oauth-authorization-server";
        client.raw(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let document: serde_json::Value = serde_json::from_slice(&client.read().unwrap().body).unwrap();
        let length = FORM.len();
        client.raw(&format!(
            "POST {TOKEN} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{FORM}"
        ));
        let answer: serde_json::Value = serde_json::from_slice(&client.read().unwrap().body).unwrap();
        let claims = crate::support::jwt_part(answer["access_token"].as_str().unwrap(), 1);
        assert_eq!(claims["iss"], document["issuer"], "{host}");
        let issuer = document["issuer"].as_str().unwrap();
        assert!(document["jwks_uri"].as_str().unwrap().starts_with(issuer));
        issuer.strip_suffix("/t/acme/api/v1").unwrap().to_owned()
    };
    for name in ["localhost", "127.0.0.1", "[::1]"] {
        assert_eq!(issuer(&format!("{name}:{port}")), format!("http://{name}:{port}"));
    }
    assert_eq!(issuer(&format!("LocalHost:{port}")), format!("http://localhost:{port}"));
    // Names of this machine that are not its own: it says what it is.
    for host in ["localhost", "127.0.0.1:1", "127.0.0.2", &format!("127.0.0.2:{port}")] {
        assert_eq!(issuer(host), served.url(), "{host}");
    }
}

fn impatient() -> (Emulator, Served) {
    let tenant = lumoauth::emulator::Tenant::new("acme").agent(crate::support::bot());
    let builder = Emulator::builder().tenant(tenant).client_patience(Duration::from_secs(2));
    let emulator = builder.build().unwrap();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    (emulator, served)
}

/// True if the server ends the connection, within the client's own patience.
fn ends(mut client: Client) -> bool {
    let mut rest = Vec::new();
    match client.0.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn half_requests_end() {
    let (emulator, served) = impatient();
    // All at once: each takes as long as the server's patience.
    let halves = [
        "",
        "GET /.well-known/jwks.json HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        "POST /t/acme/api/v1/oauth/token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\nhalf",
        "POST /t/acme/api/v1/oauth/token HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ];
    let clients = halves.map(|half| {
        let mut client = Client::new(&served);
        client.raw(half);
        client
    });
    // After a whole request too.
    let mut whole = Client::new(&served);
    assert_eq!(whole.token().unwrap().status, 200);
    for (half, client) in halves.into_iter().zip(clients) {
        assert!(ends(client), "{half:?}");
    }
    assert!(ends(whole));
    assert_eq!(emulator.count_all(), 1, "halves are no requests");
}

/// Whoever sends and never reads does not hold what is to be written to it for ever.
#[test]
fn answers_that_nobody_takes_end() {
    let (_, served) = impatient();
    let mut client = Client::new(&served);
    client.0.set_write_timeout(Some(Duration::from_secs(120))).unwrap();
    let answer = client.token().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let token = answer["access_token"].as_str().unwrap();
    let body = format!("{{\"action\":\"a\",\"context\":{{\"x\":\"{}\"}}}}", "x".repeat(900_000));
    let request = format!(
        "POST /t/acme/api/v1/agents/ask HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let ended = (0..100).find_map(|_| client.0.write_all(request.as_bytes()).err());
    let kind = ended.map(|error| error.kind());
    assert!(
        matches!(kind, Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)),
        "the connection should have ended: {kind:?}"
    );
    assert_eq!(Client::new(&served).token().unwrap().status, 200);
}

/// What is said of an answer without its body is what is true of the answer with it.
#[test]
fn a_head_is_as_long_as_its_answer() {
    let (_, served) = served();
    let port = served.addr().port();
    for path in [
        "/.well-known/jwks.json",
        "/t/acme/api/v1/.well-known/openid-configuration",
        "/t/acme/api/v1/nothing",
    ] {
        let ask = |method: &str| {
            let mut client = Client::new(&served);
            client.raw(&format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
            ));
            let mut all = String::new();
            let _ = std::io::Read::read_to_string(&mut client.0, &mut all);
            let all = all.to_ascii_lowercase();
            let (head, body) =
                all.split_once("\r\n\r\n").map(|(head, body)| (head.to_owned(), body.len())).unwrap();
            let length: usize = header(&head, "content-length").unwrap().parse().unwrap();
            (head.lines().next().unwrap_or_default().to_owned(), length, body)
        };
        let (get, head) = (ask("GET"), ask("HEAD"));
        assert_eq!((get.1, &get.0, get.1), (get.2, &head.0, head.1), "{path}");
        assert_eq!(head.2, 0, "{path}");
    }
}
