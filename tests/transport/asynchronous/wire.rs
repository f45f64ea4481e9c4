//! What goes over the wire, and what is not taken from it.

use std::time::Duration;

use lumoauth::asynchronous::{Agent, Transport};
use lumoauth::embed::wire::{Limits, Request, Response};
use lumoauth::error::{Error, Sent, TransportError, TransportFault};
use lumoauth::http::{Method, Uri};
use lumoauth::transport::{ReqwestTransport, TransportOptions};

use super::support::{ALLOW, service, several, single};
use crate::hostile::{self, Cert, ClosedPort, Reply, Server, TestCa, Tls, always};

/// All the time that a busy machine needs.
fn limits() -> Limits {
    let patience = Duration::from_secs(60);
    Limits { connect: patience, total: patience, ..Limits::default() }
}

/// For what never answers.
fn short() -> Limits {
    Limits { connect: Duration::from_millis(200), total: Duration::from_millis(300), ..Limits::default() }
}

fn get(url: &str) -> Request {
    Request::new(Method::GET, format!("{url}/x?q=canary").parse::<Uri>().unwrap())
}

fn carry(options: &TransportOptions, request: Request) -> Result<Response, TransportError> {
    let transport = ReqwestTransport::new(options).unwrap();
    single().block_on(async { Transport::send(&transport, request).await })
}

/// How a single request ends.
fn ends(request: Request) -> (TransportFault, Sent) {
    let error = carry(&TransportOptions::new(), request).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("canary"), "{shown}");
    (error.fault(), error.sent())
}

#[test]
fn an_answer_that_is_not_whole_or_not_certain_is_an_error() {
    use TransportFault::{Broken, Framing, Timeout, TooLarge};
    let whole = || Reply::json(200, ALLOW);
    let large = "x".repeat(65 * 1024);
    let twice = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}";
    let cases: Vec<(&str, Reply, &[TransportFault])> = vec![
        ("cut in the head", whole().cut_at(20), &[Broken, Framing]),
        ("cut in the body", whole().length_off_by(10).close(), &[Broken]),
        ("reset in the body", whole().length_off_by(10).then(hostile::End::Reset), &[Broken]),
        ("no answer", Reply::hang_up(), &[Broken]),
        ("reset", Reply::reset(), &[Broken]),
        ("stall", Reply::stall(), &[Timeout]),
        ("stall in the head", whole().stall_at(30), &[Timeout]),
        ("stall in the body", whole().length_off_by(10).then(hostile::End::Stall), &[Timeout]),
        ("no length", whole().no_length(), &[Framing]),
        ("length and chunked", whole().length_and_chunked(5), &[Framing]),
        ("two lengths", Reply::raw(twice), &[Framing]),
        ("bad chunk", whole().bad_chunk_size(), &[Broken, Framing]),
        ("unterminated chunks", whole().unterminated_chunks().close(), &[Broken]),
        ("not HTTP", Reply::raw("hello, this is no HTTP at all\r\n\r\n"), &[Framing]),
        ("too large", Reply::json(200, large.as_str()), &[TooLarge]),
        ("too large, chunked", Reply::json(200, large.as_str()).chunked(1000), &[TooLarge]),
        ("endless chunks", whole().endless_chunks(), &[TooLarge]),
        ("one long header", whole().header_line_of(20_000), &[TooLarge]),
        ("many headers", whole().many_headers(5000), &[TooLarge]),
        ("endless headers", whole().endless_headers(), &[TooLarge]),
        (
            "endless interim answers",
            Reply::json(200, ALLOW).endless_interim(103),
            &[Timeout, TooLarge, Framing],
        ),
    ];
    for (name, reply, faults) in cases {
        let server = Server::start(always(reply));
        for fresh_connection in [false, true] {
            let limits = if faults.contains(&Timeout) { short() } else { limits() };
            let (fault, sent) = ends(get(server.url()).limits(Limits { fresh_connection, ..limits }));
            assert!(faults.contains(&fault), "{name}: {fault:?}");
            assert_eq!(sent, Sent::Unknown, "{name}");
        }
        assert!(server.count(|_| true) <= 2, "{name}: sent again");
    }
}

/// Old servers end an answer with its connection. A caller that allows it gets what came, whole as far as that can be known:
/// over TLS the end is the server's word, over plain http a reset is none.
#[cfg(feature = "ureq")]
#[test]
fn f9_an_answer_that_ends_with_its_connection_is_taken_where_that_is_allowed() {
    use lumoauth::transport::UreqTransport;
    let tls = Tls::valid_for("localhost");
    let options = TransportOptions::new().root_certificates(tls.ca_pem());
    let body = "x".repeat(50_000);
    let long = Reply::text(200, body.clone()).no_length();
    let old = |head: &str| Reply::raw(format!("{head}\r\n\r\n{ALLOW}"));
    // What comes of it: plainly, and over TLS.
    let cases: Vec<(&str, Reply, Option<&str>, Option<&str>)> = vec![
        ("closed", old("HTTP/1.1 200 OK").close(), Some(ALLOW), Some(ALLOW)),
        ("HTTP/1.0, closed", old("HTTP/1.0 200 OK").close(), Some(ALLOW), Some(ALLOW)),
        ("announced", old("HTTP/1.1 500 No\r\nConnection: close").close(), Some(ALLOW), Some(ALLOW)),
        ("nothing", Reply::raw("HTTP/1.1 200 OK\r\n\r\n").close(), Some(""), Some("")),
        ("long", long.clone().close(), Some(&body), Some(&body)),
        ("a bare FIN", long.clone().then(hostile::End::Fin), Some(&body), None),
        ("cut in the head", old("HTTP/1.1 200 OK").cut_at(10), None, None),
        ("a length that is not kept", Reply::json(200, ALLOW).length_off_by(1).close(), None, None),
        ("chunks without an end", Reply::json(200, ALLOW).unterminated_chunks().close(), None, None),
        ("more than allowed", Reply::text(200, "x".repeat(100_000)).no_length().close(), None, None),
        ("never closed", long.then(hostile::End::Stall), None, None),
        ("no end", Reply::json(200, "").endless_body(), None, None),
    ];
    for (name, reply, plain, secure) in cases {
        for (server, expected) in [
            (Server::start(always(reply.clone())), plain),
            (Server::start_tls(&tls, always(reply.clone())), secure),
        ] {
            for allowed in [true, false] {
                // What is never over runs out of time; everything else has enough.
                let total = if name == "never closed" { short().total } else { limits().total };
                let limits = Limits { until_closed: allowed, total, ..Limits::default() };
                let request = || get(server.url()).limits(limits);
                let blocking = UreqTransport::new(&options).unwrap();
                let transport = ReqwestTransport::new(&options).unwrap();
                let answers = [
                    lumoauth::Transport::send(&blocking, request()),
                    single().block_on(async { Transport::send(&transport, request()).await }),
                ];
                for (answer, by) in answers.into_iter().zip(["blocking", "async"]) {
                    let expected = expected.filter(|_| allowed);
                    let what = format!("{name}, {by}, allowed: {allowed}");
                    match answer {
                        Ok(answer) => assert_eq!(Some(&*answer.text()), expected, "{what}"),
                        Err(error) => {
                            assert_eq!(expected, None, "{what}: {error:?}");
                            assert_eq!(error.sent(), Sent::Unknown, "{what}");
                        }
                    }
                }
            }
        }
    }
}

#[cfg(feature = "ureq")]
#[test]
fn f9_both_transports_judge_the_end_of_an_answer_alike() {
    use lumoauth::transport::UreqTransport;
    let chunks = format!("{:x}\r\n{ALLOW}\r\n0\r\n\r\n", ALLOW.len());
    let length = ALLOW.len();
    let raw = |head: String, body: &str| {
        Reply::raw(format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n"))).then(hostile::End::Fin)
    };
    let coded = |version: &str| format!("HTTP/{version} 200 OK\nTransfer-Encoding: chunked");
    // None: refused. Some: the body that both must read.
    let cases: Vec<(&str, Reply, Option<&str>)> = vec![
        ("length and coding", raw(format!("{}\nContent-Length: {length}", coded("1.1")), &chunks), None),
        ("coding under HTTP/1.0", raw(coded("1.0"), &chunks), None),
        ("coding under HTTP/1.0, but none", raw(coded("1.0"), ALLOW), None),
        (
            "coding and length under HTTP/1.0",
            raw(format!("{}\nContent-Length: {length}", coded("1.0")), ALLOW),
            None,
        ),
        ("two codings", raw(format!("{}\nTransfer-Encoding: chunked", coded("1.1")), &chunks), None),
        ("another coding", raw("HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked".into(), &chunks), None),
        ("identity", raw("HTTP/1.1 200 OK\nTransfer-Encoding: identity".into(), ALLOW), None),
        ("two lengths", raw("HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: 3".into(), ALLOW), None),
        ("one length twice", raw("HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: 2".into(), "{}"), None),
        ("a list of lengths", raw("HTTP/1.1 200 OK\nContent-Length: 2, 2".into(), "{}"), None),
        ("a signed length", raw("HTTP/1.1 200 OK\nContent-Length: +2".into(), "{}"), None),
        ("no length, closing", raw("HTTP/1.1 200 OK\nConnection: close".into(), ALLOW), None),
        ("no length under HTTP/1.0", raw("HTTP/1.0 200 OK".into(), ALLOW), None),
        ("206 without a length", raw("HTTP/1.1 206 Partial Content\nConnection: close".into(), ALLOW), None),
        ("206", raw(format!("HTTP/1.1 206 Partial Content\nContent-Length: {length}"), ALLOW), Some(ALLOW)),
        ("chunks", raw(coded("1.1"), &chunks), Some(ALLOW)),
        (
            "a length under HTTP/1.0",
            raw(format!("HTTP/1.0 200 OK\nContent-Length: {length}"), ALLOW),
            Some(ALLOW),
        ),
        ("204", raw("HTTP/1.1 204 No Content".into(), ""), Some("")),
    ];
    let head = |lines: &str| raw(format!("HTTP/1.1 200 OK\nContent-Length: {length}\n{lines}"), ALLOW);
    let bare = |text: String| Reply::raw(text).then(hostile::End::Fin);
    let chunked = |rest: &str| raw(coded("1.1"), rest);
    let more: Vec<(&str, Reply, Option<&str>)> = vec![
        ("a signed chunk size", chunked("+2\r\nok\r\n0\r\n\r\n"), None),
        ("a blank behind a chunk size", chunked("2 \r\nok\r\n0\r\n\r\n"), None),
        ("a tab behind a chunk size", chunked("2\t\r\nok\r\n0\r\n\r\n"), None),
        ("a blank before a chunk size", chunked(" 2\r\nok\r\n0\r\n\r\n"), None),
        ("a blank before an extension", chunked("2 ;a=b\r\nok\r\n0\r\n\r\n"), None),
        ("a prefixed chunk size", chunked("0x2\r\nok\r\n0\r\n\r\n"), None),
        ("an empty chunk size", chunked("\r\nok\r\n0\r\n\r\n"), None),
        ("a chunk size over 64 bits", chunked("10000000000000002\r\nok\r\n0\r\n\r\n"), None),
        ("a bare LF behind a chunk size", chunked("2\nok\r\n0\r\n\r\n"), None),
        ("a bare LF in an extension", chunked("2;a\nb\r\nok\r\n0\r\n\r\n"), None),
        ("a bare CR in an extension", chunked("2;a\rb\r\nok\r\n0\r\n\r\n"), None),
        ("a NUL in an extension", chunked("2;\0\r\nok\r\n0\r\n\r\n"), None),
        ("a bare LF behind a chunk", chunked("2\r\nok\n0\r\n\r\n"), None),
        ("a chunk longer than its size", chunked("2\r\nokay\r\n0\r\n\r\n"), None),
        ("a trailer that is no header", chunked("2\r\nok\r\n0\r\nno header\r\n\r\n"), None),
        ("a folded trailer", chunked("2\r\nok\r\n0\r\nX: y\r\n z\r\n\r\n"), None),
        ("a trailer with a NUL", chunked("2\r\nok\r\n0\r\nX: \0\r\n\r\n"), None),
        ("a length behind the end", chunked("2\r\nok\r\n0\r\nContent-Length: 2\r\n\r\n"), None),
        ("a bare LF behind trailers", chunked("2\r\nok\r\n0\r\nX: y\n\r\n"), None),
        ("a bare LF at the very end", chunked("2\r\nok\r\n0\r\n\n"), None),
        (
            "a bare LF behind the status",
            bare(format!("HTTP/1.1 200 OK\nContent-Length: {length}\r\n\r\n{ALLOW}")),
            None,
        ),
        (
            "a bare LF behind a header",
            bare(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\n\r\n{ALLOW}")),
            None,
        ),
        (
            "a bare LF for the empty line",
            bare(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\n{ALLOW}")),
            None,
        ),
        ("bare LFs throughout", bare(format!("HTTP/1.1 200 OK\nContent-Length: {length}\n\n{ALLOW}")), None),
        ("a bare CR in a header", head("X: a\rb"), None),
        ("a NUL in a header", head("X: \0"), None),
        ("a folded header", head("X: a\n b"), None),
        ("a blank before the colon", head("X : a"), None),
        ("a line without a colon", head("X"), None),
        ("a nameless header", head(": a"), None),
        (
            "an empty line first",
            bare(format!("\r\nHTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{ALLOW}")),
            None,
        ),
        (
            "two blanks in the status line",
            raw(format!("HTTP/1.1  200 OK\nContent-Length: {length}"), ALLOW),
            None,
        ),
        ("another minor version", raw(format!("HTTP/1.2 200 OK\nContent-Length: {length}"), ALLOW), None),
        ("another protocol", raw(format!("ICY 200 OK\nContent-Length: {length}"), ALLOW), None),
        ("101", raw(format!("HTTP/1.1 101 Other\nUpgrade: x\nContent-Length: {length}"), ALLOW), None),
        ("an extension", chunked("2;a=\"b c\";d\r\nok\r\n0;e\r\n\r\n"), Some("ok")),
        ("trailers", chunked("2\r\nok\r\n0\r\nX: y\r\nZ:\r\n\r\n"), Some("ok")),
        ("zeros before a chunk size", chunked("0002\r\nok\r\n00\r\n\r\n"), Some("ok")),
        ("a tab and a character beyond ASCII in a header", head("X: a\tb\u{e4}"), Some(ALLOW)),
        ("no reason", raw(format!("HTTP/1.1 200\nContent-Length: {length}"), ALLOW), Some(ALLOW)),
    ];
    let blocking = UreqTransport::new(&TransportOptions::new()).unwrap();
    let cases = cases.into_iter().chain(more);
    for (name, reply, expected) in cases {
        let server = Server::start(always(reply));
        let request = || get(server.url()).limits(limits());
        let answers =
            [lumoauth::Transport::send(&blocking, request()), carry(&TransportOptions::new(), request())];
        for (answer, by) in answers.into_iter().zip(["ureq", "reqwest"]) {
            match (answer, expected) {
                (Ok(response), Some(body)) => assert_eq!(response.text(), body, "{name} by {by}"),
                (Err(error), None) => {
                    assert_eq!(error.fault(), TransportFault::Framing, "{name} by {by}: {error}");
                    assert_eq!(error.sent(), Sent::Unknown, "{name} by {by}");
                }
                (answer, _) => panic!("{name} by {by}: {answer:?}"),
            }
        }
    }
}

/// What comes behind an answer is not the next one: neither where it came with it, nor where it waits in the socket or
/// in TLS.
#[cfg(feature = "ureq")]
#[test]
fn f9_bytes_behind_an_answer_are_not_the_next_answer() {
    use lumoauth::transport::UreqTransport;
    let forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
    let behind = |head: &str, body: &str| {
        Reply::raw(format!("{head}\r\n\r\n{body}{forged}")).then(hostile::End::KeepAlive)
    };
    let tls = Tls::valid_for("localhost");
    let options = TransportOptions::new().root_certificates(tls.ca_pem());
    for (name, reply, body) in [
        ("a length", behind("HTTP/1.1 200 OK\r\nContent-Length: 2", "ok"), "ok"),
        ("chunks", behind("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", "2\r\nok\r\n0\r\n\r\n"), "ok"),
        ("204", behind("HTTP/1.1 204 No Content", ""), ""),
        ("no body", behind("HTTP/1.1 200 OK\r\nContent-Length: 0", ""), ""),
    ] {
        for server in [Server::start(always(reply.clone())), Server::start_tls(&tls, always(reply.clone()))] {
            let blocking = UreqTransport::new(&options).unwrap();
            for _ in 0..3 {
                let answer = lumoauth::Transport::send(&blocking, get(server.url()).limits(limits()));
                assert_eq!(answer.unwrap().text(), body, "{name} by ureq at {}", server.url());
            }
            let transport = ReqwestTransport::new(&options).unwrap();
            single().block_on(async {
                for _ in 0..3 {
                    let answer = Transport::send(&transport, get(server.url()).limits(limits())).await;
                    assert_eq!(answer.unwrap().text(), body, "{name} by reqwest at {}", server.url());
                }
            });
            assert_eq!(server.connections(), 6, "{name}: such a connection serves nobody else");
        }
    }
}

/// What leaves is what was checked, byte for byte, over both transports.
#[cfg(feature = "ureq")]
#[test]
fn a_url_leaves_as_it_is_written() {
    use lumoauth::transport::UreqTransport;
    let server = Server::start(always(Reply::json(200, ALLOW)));
    let blocking = UreqTransport::new(&TransportOptions::new()).unwrap();
    for target in ["/a%2Fb//c;d?e='f'&g=%27|h", "/%7e~/a:b@c?", "/?", "/a?/../b", "/.a/..b/..."] {
        let request = || Request::new(Method::GET, format!("{}{target}", server.url()).parse().unwrap());
        lumoauth::Transport::send(&blocking, request()).unwrap();
        carry(&TransportOptions::new(), request()).unwrap();
        let seen: Vec<_> = server.requests().into_iter().rev().take(2).map(|seen| seen.target).collect();
        assert_eq!(seen, [target, target]);
    }
    for url in [
        "http://127.0.0.1:1/a/../b",
        "http://127.0.0.1:1/%2E%2e",
        "https://127.1",
        "https://a@localhost",
        "http://192.0.2.1",
    ] {
        let request = Request::new(Method::GET, url.parse().unwrap());
        let error = lumoauth::Transport::send(&blocking, request).unwrap_err();
        assert_eq!((error.fault(), error.sent()), (TransportFault::Refused, Sent::NotSent), "{url} by ureq");
    }
}

/// A connection is woken by the runtime that it was opened in. One that is asleep wakes nobody.
#[test]
fn a_kept_connection_serves_its_own_runtime_only() {
    let server = Server::start(always(Reply::json(200, ALLOW)));
    let transport = ReqwestTransport::new(&TransportOptions::new()).unwrap();
    let (first, second) = (single(), single());
    for runtime in [&first, &second, &first, &second] {
        let answer =
            runtime.block_on(async { Transport::send(&transport, get(server.url()).limits(limits())).await });
        answer.unwrap();
    }
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_kept_connection_that_was_closed_is_not_used() {
    let server = Server::start(always(Reply::json(200, ALLOW)));
    let transport = ReqwestTransport::new(&TransportOptions::new()).unwrap();
    let runtime = several();
    for round in 1..=20 {
        let answer =
            runtime.block_on(async { Transport::send(&transport, get(server.url()).limits(limits())).await });
        answer.unwrap();
        assert_eq!(server.connections(), round);
        assert!(server.wait_until(Duration::from_secs(10), |server| server.idle_connections() == 1));
        server.close_idle();
        assert!(server.wait_until(Duration::from_secs(10), |server| server.open_connections() == 0));
    }
}

#[test]
fn what_fails_before_the_request_left_is_known_as_not_sent() {
    let port = ClosedPort::new().unwrap();
    assert_eq!(ends(get(&port.url()).limits(limits())), (TransportFault::Connect, Sent::NotSent));
    let hangs = Server::start_tls(&Tls::hangs(), always(Reply::json(200, ALLOW)));
    for fresh_connection in [false, true] {
        let limits = Limits { fresh_connection, ..short() };
        assert_eq!(ends(get(hangs.url()).limits(limits)), (TransportFault::Timeout, Sent::NotSent));
    }
    let nowhere = get("https://no-such-host.invalid").limits(limits());
    let (fault, sent) = ends(nowhere);
    assert!(matches!(fault, TransportFault::Name | TransportFault::Timeout), "{fault:?}");
    assert_eq!(sent, Sent::NotSent);
    let zero = get("http://127.0.0.1:1").limits(Limits { total: Duration::ZERO, ..limits() });
    assert_eq!(ends(zero), (TransportFault::Timeout, Sent::NotSent));
    for url in ["http://example.com", "http://192.0.2.1", "https://127.1"] {
        assert_eq!(ends(get(url).limits(limits())), (TransportFault::Refused, Sent::NotSent), "{url}");
    }
    for path in ["/a/%2e%2e/b", "/a/../b", "/a/."] {
        let rewritten = Request::new(Method::GET, format!("http://127.0.0.1:1{path}").parse().unwrap());
        assert_eq!(ends(rewritten.limits(limits())), (TransportFault::Refused, Sent::NotSent), "{path}");
    }
}

#[test]
fn redirects_are_handed_over_and_nothing_is_decoded() {
    let elsewhere = service(Reply::json(200, ALLOW));
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{}/x", elsewhere.url());
        let server = Server::start(always(Reply::json(status, "{}").header("Location", location)));
        let response = carry(&TransportOptions::new(), get(server.url()).limits(limits())).unwrap();
        assert_eq!((response.status().as_u16(), server.requests().len()), (status, 1));
        let seen = &server.requests()[0];
        assert_eq!(seen.header("Accept-Encoding"), Some("identity"));
        assert_eq!(seen.header("Referer"), None);
    }
    assert_eq!(elsewhere.connections(), 0);
    let server = Server::start(always(Reply::json(200, "not gzip").header("Content-Encoding", "gzip")));
    let response = carry(&TransportOptions::new(), get(server.url()).limits(limits())).unwrap();
    assert_eq!(response.body(), b"not gzip");
}

/// What a server sees of the same requests over both transports: method, target, headers, body.
#[cfg(feature = "ureq")]
#[test]
fn both_transports_send_the_same() {
    use lumoauth::transport::UreqTransport;
    let server = Server::start(always(Reply::json(200, ALLOW)));
    let url = |path: &str| format!("{}{path}", server.url()).parse::<Uri>().unwrap();
    let requests = || {
        [Method::GET, Method::DELETE, Method::POST, Method::PUT, Method::PATCH].into_iter().flat_map(
            |method| {
                let empty = Request::new(method.clone(), url("/t/acme/a%2Fb?x=1%20&y=%27~"));
                let full = empty.clone().json(&serde_json::json!({ "text": "\u{e4}" }));
                [empty, full]
            },
        )
    };
    let (blocking, asynchronous) = (UreqTransport::new(&TransportOptions::new()).unwrap(), single());
    for request in requests() {
        lumoauth::Transport::send(&blocking, request).unwrap();
    }
    let transport = ReqwestTransport::new(&TransportOptions::new()).unwrap();
    asynchronous.block_on(async {
        for request in requests() {
            Transport::send(&transport, request).await.unwrap();
        }
    });
    let seen: Vec<_> = server
        .requests()
        .into_iter()
        .map(|seen| {
            let mut headers: Vec<_> = seen
                .headers
                .iter()
                .map(|(name, value)| format!("{}: {value}", name.to_lowercase()))
                .collect();
            headers.sort();
            (seen.method.clone(), seen.target.clone(), headers, seen.body.clone())
        })
        .collect();
    for (blocking, asynchronous) in seen[..10].iter().zip(&seen[10..]) {
        assert_eq!(blocking, asynchronous);
    }
    assert_eq!(seen.len(), 20);
}

#[test]
fn tls_is_verified() {
    for cert in Cert::BAD {
        let ca = TestCa::new();
        let server =
            Server::start_tls(&Tls::issued_by(&ca, cert, "localhost"), always(Reply::json(200, ALLOW)));
        let options = TransportOptions::new().root_certificates(ca.ca_pem());
        let error = carry(&options, get(server.url()).limits(limits())).unwrap_err();
        assert_eq!((error.fault(), error.sent()), (TransportFault::Tls, Sent::NotSent), "{cert:?}: {error}");
        assert_eq!(server.requests().len(), 0);
    }
    let old = Server::start_tls(&Tls::tls11_only(), always(Reply::json(200, ALLOW)));
    assert_eq!(ends(get(old.url()).limits(limits())), (TransportFault::Tls, Sent::NotSent));
    for host in ["localhost", "127.0.0.1"] {
        let tls = Tls::valid_for(host);
        let server = Server::start_tls(&tls, always(Reply::json(200, ALLOW)));
        assert_eq!(ends(get(server.url()).limits(limits())).0, TransportFault::Tls, "an unknown authority");
        let options = TransportOptions::new().root_certificates(tls.ca_pem());
        assert_eq!(carry(&options, get(server.url()).limits(limits())).unwrap().body(), ALLOW.as_bytes());
    }
}

#[test]
fn a_single_use_request_takes_no_kept_connection_and_leaves_none() {
    let server = Server::start(always(Reply::json(200, ALLOW)));
    let transport = ReqwestTransport::new(&TransportOptions::new()).unwrap();
    single().block_on(async {
        for fresh_connection in [false, true, true, false] {
            let limits = Limits { fresh_connection, ..limits() };
            Transport::send(&transport, get(server.url()).limits(limits)).await.unwrap();
        }
    });
    assert_eq!(server.connections(), 3, "one kept, two of their own");
}

#[test]
fn the_proxy_is_for_others_than_this_machine() {
    let proxy = Server::start(always(Reply::new(502)));
    let server = Server::start(always(Reply::json(200, ALLOW)));
    let options = TransportOptions::new().proxy(format!("http://user:canary@{}", proxy.addr()));
    assert_eq!(carry(&options, get(server.url()).limits(limits())).unwrap().status(), 200);
    assert_eq!(proxy.connections(), 0);
    let error = carry(&options, get("https://example.com").limits(limits())).unwrap_err();
    assert_eq!((error.fault(), error.sent()), (TransportFault::Connect, Sent::NotSent), "{error}");
    assert!(!format!("{error:?}").contains("canary"));
    let seen = proxy.requests();
    assert!(seen.iter().all(|request| request.method == "CONNECT") && !seen.is_empty(), "{seen:?}");
    for url in ["socks5://127.0.0.1:1", "http://"] {
        let error = Agent::builder().tenant("t").client_id("a").client_secret("s").proxy(url).build();
        assert!(matches!(error, Err(Error::Config(_))), "{url}");
    }
}
