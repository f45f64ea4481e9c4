//! Floods: what is read of them, and what they cost in memory. Alone in its process, because it measures the process, and
//! one test at a time, because what one takes is not what another costs.
#![cfg(feature = "ureq")]

mod hostile;

#[cfg(feature = "reqwest")]
use hostile::SECRET;
use hostile::{Reply, Server, Tls, agent, always, answer, script};
use lumoauth::embed::wire::{Limits, Request, Response};
use lumoauth::error::{Sent, TransportError, TransportFault};
use lumoauth::http::Method;
use lumoauth::transport::{TransportOptions, UreqTransport};
use lumoauth::{ApiRequest, Error, Transport};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Held by every test for as long as it runs: the memory of the process is everybody's.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

type Operation<'a> = (&'a str, &'a dyn Fn() -> Result<(), Error>);

const MIB: u64 = 1 << 20;

/// The memory of the process in bytes, where the system says it.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    text.split(' ').nth(1)?.parse::<u64>().ok().map(|pages| pages * 4096)
}

/// 200 KB that would be 200 MB; nobody is to find out.
fn gzip_bomb() -> Reply {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    bytes.resize(204 * 1024, 0x42);
    Reply::new(200).header("Content-Type", "application/json").header("Content-Encoding", "gzip").body(bytes)
}

/// Answers of which something never ends.
fn floods() -> Vec<(&'static str, Reply)> {
    let json = || Reply::json(200, "");
    let chunked = |rest: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{rest}");
    let raw = Reply::raw_then_for_ever;
    vec![
        ("100 MB announced", json().declared_length(100 << 20)),
        ("100 MB of a text announced", json().body("{\"allowed\":true,").declared_length(100 << 20)),
        ("2^64 bytes announced", json().declared_length(u64::MAX)),
        ("no length and no end", json().endless_body()),
        ("chunks without end", json().endless_chunks()),
        ("chunks of one byte", json().body("x".repeat(300_000)).chunked(1)),
        ("headers without end", json().endless_headers()),
        ("a header line without end", json().endless_header_line()),
        ("interim answers without end", json().endless_interim(103)),
        ("interim 100s without end", json().endless_interim(100)),
        ("a gzip bomb", gzip_bomb()),
        ("a gzip bomb in chunks", gzip_bomb().chunked(4096)),
        ("an endless error page", Reply::html(503, "<html>").endless_chunks()),
        ("a reason without end", raw("HTTP/1.1 200 ", "really ")),
        ("a status line without end", raw("HTTP/1.1", " ")),
        ("lines before the answer without end", raw("", "\r\n")),
        ("no HTTP, without end", raw("", "0123456789abcdef")),
        ("a chunk's size without end", raw(&chunked(""), "0")),
        ("an extension without end", raw(&chunked("2;"), "a")),
        ("chunks of one byte without end", raw(&chunked(""), "1\r\na\r\n")),
        ("extensions without end", raw(&chunked(""), "1;some=text\r\na\r\n")),
        ("a trailer without end", raw(&chunked("0\r\nX: "), "y")),
        ("trailers without end", raw(&chunked("0\r\n"), "X: y\r\n")),
        ("interim answers with headers without end", raw("", "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n")),
        ("the protocol changed, and no end", raw("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "x")),
    ]
}

/// Sends one request as it is over each transport; hands over what it came to and how many bytes were received.
fn over_each(
    request: &Request,
    options: &TransportOptions,
) -> Vec<(&'static str, Result<Response, TransportError>, u64)> {
    let blocking = UreqTransport::new(options).unwrap();
    let answer = blocking.send(request.clone());
    #[cfg_attr(not(feature = "reqwest"), allow(unused_mut))]
    let mut came = vec![("blocking", answer, blocking.statistics().received)];
    #[cfg(feature = "reqwest")]
    {
        use lumoauth::asynchronous::Transport;
        use lumoauth::transport::ReqwestTransport;
        let transport = ReqwestTransport::new(options).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(async { Transport::send(&transport, request.clone()).await });
        came.push(("async", answer, transport.statistics().received));
    }
    came
}

/// The work that a server can make of one attempt is counted in bytes, not in time: a runtime with a single thread, or a
/// machine that is busy, changes nothing.
#[test]
fn f18_the_bytes_of_an_attempt_are_bounded_in_both_transports() {
    let _alone = alone();
    let (tls, limits) =
        (Tls::valid_for("localhost"), Limits { total: Duration::from_secs(60), ..Limits::default() });
    let options = TransportOptions::new().root_certificates(tls.ca_pem());
    let most_allowed = (limits.head + limits.body + 64 * 1024) as u64;
    let (mut cases, mut most) = (0, 0);
    for (name, reply) in floods() {
        for server in [Server::start(always(reply.clone())), Server::start_tls(&tls, always(reply.clone()))] {
            for fresh_connection in [false, true] {
                let request = Request::new(Method::GET, server.url().parse().unwrap());
                let request = request.limits(Limits { fresh_connection, ..limits });
                for (by, answer, read) in over_each(&request, &options) {
                    let error = answer.expect_err(name);
                    assert!(
                        matches!(error.fault(), TransportFault::TooLarge | TransportFault::Framing),
                        "{name}, {by}: {error:?}"
                    );
                    assert_eq!(error.sent(), Sent::Unknown, "{name}, {by}");
                    assert!((1..=most_allowed).contains(&read), "{name}, {by}: {read} bytes read");
                    (cases, most) = (cases + 1, most.max(read));
                }
            }
        }
    }
    println!(
        "f18: {cases} answers without end, plain and over TLS: at most {most} of {most_allowed} bytes read"
    );
}

/// A body that is large and allowed is read, with all that belongs to it.
#[test]
fn f18_what_is_within_the_limits_is_read() {
    let _alone = alone();
    let tls = Tls::valid_for("localhost");
    let options = TransportOptions::new().root_certificates(tls.ca_pem());
    for (body, chunk) in [(64 << 10, 1 << 10), (10 << 20, 4 << 10), (10 << 20, 1 << 20)] {
        for reply in [Reply::text(200, vec![b'x'; body]), Reply::text(200, vec![b'x'; body]).chunked(chunk)] {
            let reply = reply.interim(103, 20).many_headers(90);
            for server in
                [Server::start(always(reply.clone())), Server::start_tls(&tls, always(reply.clone()))]
            {
                let limits = Limits { body, total: Duration::from_secs(60), ..Limits::default() };
                let request = Request::new(Method::GET, server.url().parse().unwrap()).limits(limits);
                for (by, answer, _) in over_each(&request, &options) {
                    let answer = answer.unwrap_or_else(|error| panic!("{body}, {chunk}, {by}: {error:?}"));
                    assert_eq!(answer.body().len(), body, "{by}");
                }
            }
        }
    }
}

fn flooded(reply: Reply) -> Server {
    Server::start(script(move |request| match request.path().ends_with("/oauth/token") {
        true => answer(request, "tok"),
        false => reply.clone(),
    }))
}

/// Runs the operation, which must end in an error about the answer, and says how much was read for it.
fn ends(name: &str, received: impl Fn() -> u64, run: &dyn Fn() -> Result<(), Error>) -> (u64, u64) {
    let (read, memory) = (received(), resident());
    let error = run().expect_err(name);
    let read = received() - read;
    let grown = resident().zip(memory).map_or(0, |(after, before)| after.saturating_sub(before));
    let source = match &error {
        Error::OutcomeUnknown { source, .. } => source,
        other => other,
    };
    match source {
        Error::Transport(error) => {
            let expected = matches!(error.fault(), TransportFault::TooLarge | TransportFault::Framing);
            assert!(expected, "{name}: {error:?}");
            assert_eq!(error.sent(), Sent::Unknown, "{name}");
        }
        other => panic!("{name}: {other:?}"),
    }
    assert!(read <= MIB, "{name}: {read} bytes read");
    assert!(grown <= 8 * MIB, "{name}: {grown} bytes grown");
    println!("f9 {name}: {read} bytes read, {grown} bytes of memory, {error}");
    (read, grown)
}

#[test]
fn f9_floods_end_early_and_cost_no_memory() {
    let _alone = alone();
    let (mut most_read, mut most_grown) = (0, 0);
    let mut note =
        |(read, grown): (u64, u64)| (most_read, most_grown) = (most_read.max(read), most_grown.max(grown));
    for (name, reply) in floods() {
        let server = flooded(reply);
        let transport = UreqTransport::new(&TransportOptions::new()).unwrap();
        let agent =
            agent(server.url()).timeout(Duration::from_secs(30)).build_with(transport.clone()).unwrap();
        agent.ensure_authenticated().unwrap();
        let operations: [Operation<'_>; 3] = [
            ("ask", &|| agent.ask("read").map(drop)),
            ("info", &|| agent.info().map(drop)),
            ("post", &|| agent.run(ApiRequest::post("x").body_limit(64 << 10)).map(drop)),
        ];
        for (operation, run) in operations {
            note(ends(&format!("{name}, {operation}"), || transport.statistics().received, run));
        }
    }
    println!("f9: at most {most_read} bytes read and {most_grown} bytes of memory grown");
}

#[cfg(feature = "reqwest")]
#[test]
fn f9_floods_end_early_in_the_async_mount_on_a_single_thread() {
    let _alone = alone();
    use lumoauth::asynchronous::Agent;
    use lumoauth::transport::ReqwestTransport;
    let (mut most_read, mut most_grown) = (0, 0);
    let mut note =
        |(read, grown): (u64, u64)| (most_read, most_grown) = (most_read.max(read), most_grown.max(grown));
    for (name, reply) in floods() {
        let server = flooded(reply);
        let transport = ReqwestTransport::new(&TransportOptions::new()).unwrap();
        let builder = Agent::builder().base_url(server.url()).tenant("acme").client_id("agt_1");
        let builder = builder.client_secret(SECRET).timeout(Duration::from_secs(30));
        let agent = builder.build_with(transport.clone()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(agent.ensure_authenticated()).unwrap();
        let post = || agent.run(ApiRequest::post("x").body_limit(64 << 10));
        let operations: [Operation<'_>; 3] = [
            ("ask", &|| runtime.block_on(agent.ask("read")).map(drop)),
            ("info", &|| runtime.block_on(agent.info()).map(drop)),
            ("post", &|| runtime.block_on(post()).map(drop)),
        ];
        for (operation, run) in operations {
            note(ends(&format!("{name}, async {operation}"), || transport.statistics().received, run));
        }
    }
    println!("f9: at most {most_read} bytes read and {most_grown} bytes of memory grown in the async mount");
}

#[test]
fn f9_a_small_gzip_body_is_handed_over_as_it_came() {
    let _alone = alone();
    let server = Server::start(script(|request| match request.path().ends_with("/oauth/token") {
        true => answer(request, "tok"),
        false => Reply::new(200).header("Content-Encoding", "gzip").body([0x1f, 0x8b, 8, 0, 1, 2, 3]),
    }));
    let agent = agent(server.url()).build().unwrap();
    let response = agent.run(ApiRequest::get("x")).unwrap();
    assert_eq!(response.body(), [0x1f, 0x8b, 8, 0, 1, 2, 3]);
    assert!(matches!(agent.ask("read"), Err(Error::Protocol(_))));
    assert_eq!(server.count(|request| request.header("accept-encoding") != Some("identity")), 0);
}
