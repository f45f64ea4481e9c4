//! The proxy of the built-in transport.
#![cfg(feature = "ureq")]
#![allow(clippy::disallowed_methods, reason = "deadlines are measured in real time here")]

use std::time::Duration;

use crate::hostile::{Reply, Server, agent, always, service};
use crate::late::{OVERSHOOT, Stopwatch};
use lumoauth::embed::wire::{Limits, Request};
use lumoauth::error::{Sent, TransportFault};
use lumoauth::http::Method;
use lumoauth::transport::{TransportOptions, UreqTransport};
use lumoauth::{Agent, Error, Transport};

/// A service behind a proxy only: its name has no address.
const FAR: &str = "https://service.example.test";

fn far() -> lumoauth::AgentBuilder {
    agent(FAR)
}

#[test]
fn a_proxy_may_be_another_machine_and_plain_http() {
    // Nobody answers at the first address; the second is this machine by an unusual name.
    for proxy in ["http://10.255.255.1:3128", "http://127.0.0.2:9"] {
        let transport = UreqTransport::new(&TransportOptions::new().proxy(proxy)).unwrap();
        let limits = Limits {
            connect: Duration::from_millis(200),
            total: Duration::from_secs(2),
            ..Limits::default()
        };
        let request = Request::new(Method::GET, format!("{FAR}/x").parse().unwrap()).limits(limits);
        let error = transport.send(request).unwrap_err();
        assert!(
            matches!(error.fault(), TransportFault::Connect | TransportFault::Timeout),
            "{proxy}: {error:?}"
        );
        assert_eq!(error.sent(), Sent::NotSent, "{proxy}: {error:?}");
    }
}

#[test]
fn a_proxy_that_dribbles_its_answer_does_not_hold_a_call_beyond_its_deadline() {
    let slow = |head: &str| {
        let answer = format!("HTTP/1.1 200 Connection established\r\n{head}\r\n\r\n");
        Server::start(always(Reply::raw(answer).dribble_every(1, Duration::from_millis(50))))
    };
    // An answer that would take 2.3 s and one that would take half a minute.
    for head in ["X-A: b".to_owned(), format!("X-A: {}", "b".repeat(600))] {
        let proxy = slow(&head);
        let agent = far().proxy(proxy.url()).timeout(Duration::from_secs(1)).build().unwrap();
        let watch = Stopwatch::start();
        let error = agent.ask("read").unwrap_err();
        let (took, late) = (watch.elapsed(), watch.beyond(Duration::from_secs(1)));
        println!("dribbled CONNECT answer of {} bytes: ended after {took:?}, {error}", head.len() + 41);
        assert!(proxy.count(|request| request.method == "CONNECT") >= 1, "{:?}", proxy.requests());
        assert!(error.is_timeout(), "{error:?}");
        assert!(late <= OVERSHOOT, "{late:?} of {took:?}");
    }
}

#[test]
fn no_proxy_is_asked_for_this_machine() {
    let (proxy, server) = (Server::start(always(Reply::new(502))), Server::start(service("tok")));
    let port = server.addr().port();
    for url in [server.url().to_owned(), format!("http://localhost:{port}")] {
        let agent = agent(&url).proxy(proxy.url()).build().unwrap();
        assert!(agent.ask("read").unwrap().allowed());
    }
    assert_eq!((proxy.connections(), server.count_path("/agents/ask")), (0, 2));
}

#[test]
fn a_proxy_that_refuses_is_an_error_and_its_password_is_not_shown() {
    let proxy = Server::start(always(Reply::new(407).body("hunter2")));
    let url = proxy.url().replace("http://", "http://user:hunter2@");
    let agent = far().proxy(url).timeout(Duration::from_secs(5)).build().unwrap();
    let error = agent.ask("read").unwrap_err();
    assert!(proxy.count(|request| request.method == "CONNECT") >= 1);
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

#[test]
fn a_malformed_proxy_is_an_error_of_the_settings_without_its_password() {
    let mut wrong = Vec::new();
    for url in [
        "http://user:hunter2@",
        "http://user:hunter2@:3128",
        "http://user:hunter2@proxy.test:99999",
        "http://user:hunter2@proxy.test:port",
        "http://user:hunter2@pro xy.test:3128",
        "ftp://user:hunter2@proxy.test:3128",
        "socks5://user:hunter2@proxy.test:1080",
        "://user:hunter2@proxy.test",
        "",
    ] {
        let builder = far().proxy(url);
        assert!(!format!("{builder:?}").contains("hunter2"), "{url}");
        let built: Result<Agent, Error> = builder.build();
        match built {
            Err(error @ Error::Config(_)) => {
                let text = format!("{error} {error:?}");
                assert!(!text.contains("hunter2"), "{text}");
                assert!(text.contains("proxy"), "{text}");
            }
            other => {
                wrong.push(format!("{url:?} {}", if other.is_ok() { "is taken" } else { "is another error" }))
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Sends over each transport.
#[cfg(feature = "reqwest")]
fn over_each(options: &TransportOptions, url: &str) -> [Result<u16, lumoauth::error::TransportError>; 2] {
    use lumoauth::asynchronous::Transport as Asynchronous;
    use lumoauth::transport::ReqwestTransport;
    let request = || Request::new(Method::POST, url.parse().unwrap()).bytes("text/plain", "hello");
    let blocking = UreqTransport::new(options).unwrap();
    let asynchronous = ReqwestTransport::new(options).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answers = [
        blocking.send(request()),
        runtime.block_on(async { Asynchronous::send(&asynchronous, request()).await }),
    ];
    answers.map(|answer| answer.map(|answer| answer.status().as_u16()))
}

#[cfg(feature = "reqwest")]
#[test]
fn a_tunnel_through_a_proxy_carries_verified_tls_in_both_mounts() {
    use crate::hostile::{Cert, TestCa, Tls};
    use crate::tunnel::Tunnel;
    let ca = TestCa::new();
    let tls = Tls::issued_by(&ca, Cert::Valid, "id.corp.invalid");
    let server = Server::start_tls(&tls, always(Reply::json(201, "{}")));
    for tunnel in [Tunnel::start(server.addr()), Tunnel::start_tls(server.addr(), &ca)] {
        let proxy = tunnel.url().replace("://", "://us%20er:p%40ss@");
        let options = TransportOptions::new().root_certificates(ca.ca_pem()).proxy(proxy);
        for url in ["https://id.corp.invalid/x?y", "https://id.corp.invalid:8443/x?y"] {
            let port = if url.contains("8443") { 8443 } else { 443 };
            let before = server.requests().len();
            for (number, answer) in over_each(&options, url).into_iter().enumerate() {
                assert_eq!(answer.unwrap(), 201, "{}, {url}", tunnel.url());
                let seen = server.requests()[before + number].clone();
                assert_eq!((&*seen.method, &*seen.target, &*seen.body), ("POST", "/x?y", &b"hello"[..]));
                assert_eq!(
                    seen.header("proxy-authorization"),
                    None,
                    "the service sees no word of the proxy's"
                );
            }
            let asked = tunnel.last();
            assert_eq!(
                asked[..2],
                [format!("CONNECT id.corp.invalid:{port} HTTP/1.1"), format!("Host: id.corp.invalid:{port}")]
            );
            assert!(asked.contains(&"Proxy-Authorization: Basic dXMgZXI6cEBzcw==".to_owned()), "{asked:?}");
        }
        // Whoever answers at the other end of the tunnel must be whom the URL names.
        for answer in over_each(&options, "https://other.invalid/x") {
            let error = answer.unwrap_err();
            assert_eq!((error.fault(), error.sent()), (TransportFault::Tls, Sent::NotSent), "{error}");
        }
        // And so must a proxy in TLS.
        if tunnel.url().starts_with("https") {
            let untrusted = TransportOptions::new().proxy(tunnel.url());
            for answer in over_each(&untrusted, "https://id.corp.invalid/x") {
                let error = answer.unwrap_err();
                assert_eq!((error.fault(), error.sent()), (TransportFault::Tls, Sent::NotSent), "{error}");
            }
        }
    }
}

/// A proxy that answers oddly, or without end, has made no tunnel: nothing was sent.
#[cfg(feature = "reqwest")]
#[test]
fn a_proxy_that_answers_oddly_makes_no_tunnel_in_either_mount() {
    for reply in [
        Reply::new(200).body("something behind the head"),
        Reply::new(407),
        Reply::new(302).header("Location", "https://elsewhere.invalid"),
        Reply::raw("SSH-2.0-OpenSSH\r\n"),
        Reply::raw_then_for_ever("HTTP/1.1 200 OK\r\n", "X: y\r\n"),
        Reply::raw_then_for_ever("", "HTTP/1.1 100 Continue\r\n\r\n"),
        Reply::raw_then_for_ever("HTTP/1.1 200 ", "x"),
        Reply::hang_up(),
    ] {
        let proxy = Server::start(always(reply));
        let options = TransportOptions::new().proxy(proxy.url());
        for answer in over_each(&options, "https://id.corp.invalid/x") {
            let error = answer.unwrap_err();
            assert_eq!(error.sent(), Sent::NotSent, "{error:?}");
            assert!(matches!(error.fault(), TransportFault::Connect | TransportFault::Tls), "{error:?}");
        }
    }
}

/// What a proxy says is judged by both transports alike: what means a tunnel, and what is in doubt.
#[cfg(feature = "reqwest")]
#[test]
fn both_mounts_take_the_same_answers_of_a_proxy_for_a_tunnel() {
    use crate::hostile::{Cert, TestCa, Tls};
    use crate::tunnel::Tunnel;
    let ca = TestCa::new();
    let tls = Tls::issued_by(&ca, Cert::Valid, "id.corp.invalid");
    let server = Server::start_tls(&tls, always(Reply::json(201, "{}")));
    let cases = [
        ("HTTP/1.0 200 Connection established\r\n\r\n", true),
        ("HTTP/1.1 200\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", true),
        ("HTTP/1.1 200 \u{fc}\r\n\r\n", true),
        // Of a tunnel no length means anything (RFC 9110 section 9.3.6).
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", true),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true),
        ("HTTP/1.1 201 Created\r\n\r\n", false),
        ("HTTP/1.1 204 No Content\r\n\r\n", false),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", false),
        ("HTTP/1.0 200 OK\n\n", false),
        ("HTTP/1.1 200 OK\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nX: y\n\r\n", false),
        ("HTTP/1.1 200 OK\r\n folded: x\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nX: y\0\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nX y\r\n\r\n", false),
        ("HTTP/1.1 2000 OK\r\n\r\n", false),
        ("HTTP/2.0 200 OK\r\n\r\n", false),
        ("HTTP/1.2 200 OK\r\n\r\n", false),
        ("http/1.1 200 OK\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\n\r\nbehind it", false),
    ];
    let count = cases.len();
    for (answer, makes_one) in cases {
        let tunnel = Tunnel::answering(server.addr(), answer);
        let options = TransportOptions::new().root_certificates(ca.ca_pem()).proxy(tunnel.url());
        for (mount, sent) in over_each(&options, "https://id.corp.invalid/x").into_iter().enumerate() {
            let sent = sent.map_err(|error| (error.fault(), error.sent()));
            let expected = if makes_one { Ok(201) } else { Err((TransportFault::Connect, Sent::NotSent)) };
            assert_eq!(sent, expected, "{answer:?} in mount {mount}");
        }
    }
    println!("{count} answers of a proxy, judged alike in both mounts");
}
