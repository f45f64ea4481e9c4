//! Where requests and tokens may go: nowhere that the caller did not name, never after a redirect, never to a server
//! that TLS does not vouch for.
#![cfg(feature = "ureq")]

use crate::hostile::{Cert, Reply, Server, TestCa, Tls, agent, answer, script, service};
use http::Method;
use lumoauth::error::{ConfigError, Sent, TransportFault};
use lumoauth::{Agent, ApiRequest, CheckPermissions, Client, Error, Evaluate, Tuple};
use std::time::Duration;

const TOKEN: &str = "tok_R7hQx3Pz0VbK5sWdLm92EgJf";

type Operation = (&'static str, fn(&Agent) -> Result<(), Error>);

const OPERATIONS: [Operation; 8] = [
    ("ask", |agent| agent.ask("read").map(drop)),
    ("info", |agent| agent.info().map(drop)),
    ("identity", |agent| agent.identity().map(drop)),
    ("register", |agent| agent.register("bot").map(drop)),
    ("get", |agent| agent.request(Method::GET, "things").and_then(status)),
    ("post", |agent| agent.request(Method::POST, "things").and_then(status)),
    ("delete", |agent| agent.request(Method::DELETE, "things").and_then(status)),
    // Last, because a failed token request is remembered.
    ("token", |agent| agent.authenticate(["a"]).map(drop)),
];

fn status(response: lumoauth::embed::wire::Response) -> Result<(), Error> {
    response.error_for_status().map(drop)
}

#[test]
fn s8_no_url_reaches_another_origin() {
    let home = Server::start(service(TOKEN));
    let other = Server::start(service("tok_other"));
    let agent = agent(home.url()).build().unwrap();
    agent.ensure_authenticated().unwrap();
    let (there, here) = (other.addr(), home.addr());
    let urls = [
        format!("http://{there}/x"),
        format!("HTTP://{there}/x"),
        format!("https://{there}/x"),
        format!("//{there}/x"),
        format!("/\\{there}/x"),
        format!("\\\\{there}/x"),
        format!("///{there}/x"),
        format!("http:{there}/x"),
        format!("http:/{there}/x"),
        format!("http:///{there}/x"),
        format!("http://{here}@{there}/x"),
        format!("http://agt_1:pw@{there}/x"),
        format!("http://{here}:pw@{there}"),
        format!("http://{there}#@{here}/"),
        format!("http://{there}?@{here}/"),
        format!("http://{there}\\@{here}/"),
        format!("http://{there}\t/x"),
        format!(" http://{there}/x"),
        format!("http://127.0.0.1.:{}/x", there.port()),
        format!("http://localhost:{}/x", there.port()),
        format!("http://[::1]:{}/x", there.port()),
        format!("http://[::ffff:127.0.0.1]:{}/x", there.port()),
        format!("http://0x7f000001:{}/x", there.port()),
        format!("http://2130706433:{}/x", there.port()),
        format!("http://127.1:{}/x", there.port()),
        format!("http://127.0.0.2:{}/x", there.port()),
        "http://\u{ff4c}ocalhost/x".to_owned(),
        "https://b\u{fc}cher.example/x".to_owned(),
        "https://xn--bcher-kva.example/x".to_owned(),
        "https://app.lumoauth.dev.evil.test/x".to_owned(),
        "data:text/html,x".to_owned(),
        "data://text/html,x".to_owned(),
        "file:///etc/passwd".to_owned(),
        "javascript:alert(1)".to_owned(),
        "ftp://127.0.0.1/x".to_owned(),
        "ws://127.0.0.1/x".to_owned(),
    ];
    for url in &urls {
        for method in [Method::GET, Method::POST] {
            let result = agent.request(method, url).map(|response| response.status());
            // With a blank before it, it is no URL but a path behind the home origin.
            if url.starts_with(' ') {
                assert_eq!(result.unwrap(), 200, "{url}");
            } else {
                assert!(matches!(result, Err(Error::Input(_))), "{url}: {result:?}");
            }
        }
    }
    let mut unexpected: Vec<_> = home.requests().into_iter().map(|request| request.target).collect();
    unexpected.retain(|target| !target.starts_with('/'));
    assert!(unexpected.is_empty(), "{unexpected:?}");
    assert_eq!((other.connections(), other.bytes_received()), (0, 0));
    println!("s8: {} URLs of other origins, 0 connections and 0 bytes there", urls.len());
}

#[test]
fn s8_an_allowed_origin_gets_the_token_and_its_neighbours_do_not() {
    let home = Server::start(service(TOKEN));
    let allowed = Server::start(service("tok_other"));
    let neighbour = Server::start(service("tok_other"));
    let agent = agent(home.url()).allow_origin(allowed.url()).build().unwrap();
    let response =
        agent.run(ApiRequest::get(format!("{}/things?a=1", allowed.url())).query("b", "2")).unwrap();
    assert_eq!(response.status(), 200);
    let got = allowed.requests();
    assert_eq!((got.len(), got[0].target.as_str()), (1, "/things?a=1&b=2"));
    assert_eq!(got[0].header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    let error = agent.request(Method::GET, &format!("{}/things", neighbour.url())).unwrap_err();
    assert!(matches!(error, Error::Input(_)), "{error:?}");
    let error = agent.request(Method::GET, &format!("{}@{}/", allowed.url(), neighbour.addr())).unwrap_err();
    assert!(matches!(error, Error::Input(_)), "{error:?}");
    assert_eq!(neighbour.bytes_received(), 0);
    // The service's own operations never go there, and credentials neither.
    assert!(agent.ask("read").unwrap().allowed());
    agent.authenticate(["a"]).unwrap();
    assert_eq!(allowed.requests().len(), 1);
    println!("s8: the allowed origin got 1 request, its neighbour 0 bytes");
}

#[test]
fn s9_redirects_are_never_followed() {
    let (mut cases, canary) = (0, "canary-of-location");
    let elsewhere = Server::start(service("tok_other"));
    for status in [300, 301, 302, 303, 304, 305, 307, 308] {
        for target in ["same", "other", "relative"] {
            let base = match target {
                "same" => String::new(),
                "other" => elsewhere.url().to_owned(),
                _ => "..".to_owned(),
            };
            let location = format!("{base}/pursued?token={canary}");
            let token_too = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
            let redirect_token = std::sync::Arc::clone(&token_too);
            let server = Server::start(script(move |request| {
                let token = request.path().ends_with("/oauth/token");
                if token && !redirect_token.load(std::sync::atomic::Ordering::SeqCst) {
                    answer(request, TOKEN)
                } else {
                    Reply::json(status, format!(r#"{{"allowed":true,"url":"{location}"}}"#))
                        .header("Location", location.as_str())
                }
            }));
            let agent = agent(server.url()).build().unwrap();
            agent.ensure_authenticated().unwrap();
            for (name, run) in OPERATIONS {
                token_too.store(name == "token", std::sync::atomic::Ordering::SeqCst);
                let before = server.requests().len();
                let error = run(&agent).expect_err(name);
                assert!(matches!(error, Error::Protocol(_)), "{name} {status} {target}: {error:?}");
                let shown = format!("{error} {error:?} {error:#?}");
                assert!(!shown.contains(canary) && !shown.contains("pursued"), "{shown}");
                assert_eq!(server.requests().len(), before + 1, "{name} {status} {target}");
                cases += 1;
            }
            assert_eq!(server.count(|request| request.target.contains("pursued")), 0);
        }
    }
    assert_eq!((elsewhere.connections(), elsewhere.bytes_received()), (0, 0));
    println!("s9: {cases} redirects, 0 followed");
}

/// A key or a user's token is sent as it is, and so would be taken along to wherever a redirect points.
#[test]
fn s9_no_redirect_takes_a_key_along() {
    const KEY: &str = "canary_R7hQx3Pz0VbK5sWdLm92EgJf";
    let elsewhere = Server::start(service("tok_other"));
    let mut cases = 0;
    for status in [301, 302, 303, 307, 308] {
        for base in [elsewhere.url(), ""] {
            let location = format!("{base}/pursued");
            let server = Server::start(script(move |_| {
                Reply::json(status, r#"{"allowed":true,"decision":true}"#).header("Location", &location)
            }));
            let client = || Client::builder().base_url(server.url()).tenant("acme");
            let agent =
                Agent::builder().base_url(server.url()).tenant("acme").agent_key(KEY).build().unwrap();
            let clients = [client().api_key(KEY).build().unwrap(), client().user_token(KEY).build().unwrap()];
            let mut outcomes = vec![agent.ask("read").map(drop), agent.authz().permission("read").map(drop)];
            for client in &clients {
                let evaluation = Evaluate::new(("user", "a"), "read", ("document", "1"));
                outcomes.extend([
                    client.authz().permission("read").map(drop),
                    client.authz().relation(Tuple::viewer("document:1", "user:a")).map(drop),
                    client.authz().evaluate(evaluation).map(drop),
                    client.authz().permissions(CheckPermissions::new(["read"])).map(drop),
                    client.request(Method::GET, "scim/v2/Users").and_then(self::status),
                    client.request(Method::POST, "scim/v2/Users").and_then(self::status),
                ]);
            }
            for outcome in &outcomes {
                let error = outcome.as_ref().unwrap_err();
                assert!(matches!(error, Error::Protocol(_)), "{status}: {error:?}");
                let shown = format!("{error} {error:?} {error:#?}");
                assert!(!shown.contains("canary") && !shown.contains("pursued"), "{shown}");
            }
            // Each was asked once, with one credential.
            let requests = server.requests();
            assert_eq!(requests.len(), outcomes.len());
            for request in &requests {
                let sent = [request.header("authorization"), request.header("x-api-key")];
                let sent: Vec<&str> = sent.into_iter().flatten().collect();
                assert!(matches!(sent[..], [one] if one.contains(KEY)), "{}", request.target);
                assert!(!request.target.contains("pursued"));
            }
            cases += outcomes.len();
        }
    }
    assert_eq!((elsewhere.connections(), elsewhere.bytes_received()), (0, 0));
    println!("s9: {cases} redirects of requests with keys, 0 followed");
}

/// What a first call to this listener ends with. The agent trusts these roots in addition.
fn call(tls: &Tls, roots: Option<String>) -> (Result<(), Error>, Server) {
    let server = Server::start_tls(tls, service(TOKEN));
    let builder = agent(server.url()).timeout(Duration::from_secs(20));
    let builder = match roots {
        Some(pem) => builder.root_certificates(pem),
        None => builder,
    };
    let result = builder.build().unwrap().ask("read").map(drop);
    (result, server)
}

#[test]
fn s10_servers_that_tls_does_not_vouch_for_are_refused_before_anything_is_sent() {
    let mut refused = 0;
    let mut check = |name: &str, tls: &Tls, roots: Option<String>, faults: &[TransportFault]| {
        let (result, server) = call(tls, roots);
        match result {
            Err(Error::Transport(error)) => {
                assert_eq!(error.sent(), Sent::NotSent, "{name}: {error:?}");
                assert!(faults.contains(&error.fault()), "{name}: {error:?}");
            }
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(server.requests().len(), 0, "{name}: a request was sent");
        assert!(server.connections() > 0, "{name}: nobody called");
        refused += 1;
    };
    let certificate = [TransportFault::Tls];
    for cert in Cert::BAD {
        let ca = TestCa::new();
        for host in ["localhost", "127.0.0.1"] {
            let tls = Tls::issued_by(&ca, cert, host);
            check(&format!("{cert:?} for {host}"), &tls, Some(ca.ca_pem()), &certificate);
        }
    }
    check("a CA that nobody trusts", &Tls::valid_for("localhost"), None, &certificate);
    check("another CA", &Tls::valid_for("localhost"), Some(TestCa::new().ca_pem()), &certificate);
    let handshake = [TransportFault::Tls, TransportFault::Connect];
    for (name, tls) in [
        ("TLS 1.1", Tls::tls11_only()),
        ("plain HTTP", Tls::plain_http()),
        ("garbage", Tls::garbage()),
        ("a fatal alert", Tls::refuses()),
        ("an end in the handshake", Tls::canned("")),
    ] {
        check(name, &tls, Some(tls.ca_pem()), &handshake);
    }
    println!("s10: {refused} servers refused, 0 requests sent");
}

#[test]
fn s10_a_good_certificate_of_an_extra_root_is_accepted() {
    for host in ["localhost", "127.0.0.1"] {
        let tls = Tls::valid_for(host);
        let (result, server) = call(&tls, Some(tls.ca_pem()));
        result.unwrap();
        assert_eq!(server.count_path("/agents/ask"), 1);
    }
}

#[test]
fn s10_http_is_for_this_machine_only() {
    for base in [
        "http://app.lumoauth.dev",
        "http://10.0.0.1",
        "http://192.168.1.1:8000",
        "http://0.0.0.0",
        "http://[::]",
        "http://[::ffff:127.0.0.1]",
        "http://localhost.evil.test",
        "http://127.0.0.1.evil.test",
        "http://localhost.",
        "http://localtest.me",
        "http://128.0.0.1",
    ] {
        let error = agent(base).build().unwrap_err();
        assert!(
            matches!(error, Error::Config(ConfigError::NotHttps { .. } | ConfigError::BadUrl { .. })),
            "{base}: {error:?}"
        );
        let error = agent("http://127.0.0.1").allow_origin(base).build().unwrap_err();
        assert!(matches!(error, Error::Config(_)), "{base}: {error:?}");
    }
    let server = Server::start(service(TOKEN));
    let agent = agent(&format!("http://localhost:{}", server.addr().port())).build().unwrap();
    assert!(agent.ask("read").unwrap().allowed());
    assert_eq!(server.requests()[0].header("host"), Some(&*format!("localhost:{}", server.addr().port())));
}

/// Words that would turn verification off, wherever they stand in the library.
#[test]
fn s10_nothing_in_the_library_turns_verification_off() {
    fn walk(folder: &std::path::Path, found: &mut Vec<String>, files: &mut usize) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found, files);
                continue;
            }
            *files += 1;
            let text = std::fs::read_to_string(&path).unwrap_or_default().to_ascii_lowercase();
            let words = [
                "dangerous",
                "disable_verification",
                "accept_invalid",
                "insecure_tls",
                "danger_accept",
                "servercertverifier",
                "verifier(",
                "disable_sni",
                "key_log",
                "keylog",
            ];
            // Verifying tokens and signatures is another matter than verifying servers.
            let of_tls = path.components().any(|part| part.as_os_str() == "transport");
            for word in words.iter().filter(|word| of_tls || !word.contains("verifier(")) {
                if text.contains(word) {
                    found.push(format!("{}: {word}", path.display()));
                }
            }
        }
    }
    let (mut found, mut files) = (Vec::new(), 0);
    walk(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found, &mut files);
    assert!(files > 20 && found.is_empty(), "{found:?}");
}
