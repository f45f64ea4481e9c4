//! Floods: what is read of them, and what they cost in memory. Alone in its process, because it measures the process.
#![cfg(feature = "ureq")]

mod hostile;

use hostile::{Reply, Server, agent, answer, script};
use lumoauth::error::{Sent, TransportFault};
use lumoauth::transport::{TransportOptions, UreqTransport};
use lumoauth::{ApiRequest, Error};
use std::time::Duration;

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

#[test]
fn f9_floods_end_early_and_cost_no_memory() {
    let json = || Reply::json(200, "");
    let floods = [
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
    ];
    let (mut most_read, mut most_grown) = (0, 0);
    for (name, reply) in floods {
        let server = Server::start(script(move |request| match request.path().ends_with("/oauth/token") {
            true => answer(request, "tok"),
            false => reply.clone(),
        }));
        let transport = UreqTransport::new(&TransportOptions::new()).unwrap();
        let agent =
            agent(server.url()).timeout(Duration::from_secs(5)).build_with(transport.clone()).unwrap();
        agent.ensure_authenticated().unwrap();
        let operations: [Operation<'_>; 3] = [
            ("ask", &|| agent.ask("read").map(drop)),
            ("info", &|| agent.info().map(drop)),
            ("post", &|| agent.run(ApiRequest::post("x").body_limit(64 << 10)).map(drop)),
        ];
        for (operation, run) in operations {
            let (read, memory) = (transport.statistics().received, resident());
            let error = run().expect_err(name);
            let read = transport.statistics().received - read;
            let grown = resident().zip(memory).map_or(0, |(after, before)| after.saturating_sub(before));
            let source = match &error {
                Error::OutcomeUnknown { source, .. } => source,
                other => other,
            };
            match source {
                Error::Transport(error) => {
                    assert!(
                        matches!(error.fault(), TransportFault::TooLarge | TransportFault::Framing),
                        "{name}, {operation}: {error:?}"
                    );
                    assert_eq!(error.sent(), Sent::Unknown, "{name}, {operation}");
                }
                other => panic!("{name}, {operation}: {other:?}"),
            }
            // A framing error is tried three times.
            assert!(read <= MIB, "{name}, {operation}: {read} bytes read");
            assert!(grown <= 8 * MIB, "{name}, {operation}: {grown} bytes grown");
            println!("f9 {name}, {operation}: {read} bytes read, {grown} bytes of memory, {error}");
            (most_read, most_grown) = (most_read.max(read), most_grown.max(grown));
        }
    }
    println!("f9: at most {most_read} bytes read and {most_grown} bytes of memory grown");
}

#[test]
fn f9_a_small_gzip_body_is_handed_over_as_it_came() {
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
