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
    let agent = far().proxy(url).timeout(Duration::from_millis(500)).build().unwrap();
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
