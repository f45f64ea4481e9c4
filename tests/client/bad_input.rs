//! Bad input is a clear typed error, found before any I/O where it can be known before.
#![cfg(feature = "blocking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::{ConfigError, ProtocolFault, TransportError};
use lumoauth::http::{HeaderMap, Method, StatusCode};
use lumoauth::{Agent, AgentBuilder, ApiRequest, Ask, Error, Register};

fn builder() -> AgentBuilder {
    Agent::builder().tenant("acme").client_id("agt_1").client_secret("secret")
}

/// An agent whose service answers every route with this; and the number of requests that left.
fn service(token: &'static str, other: &'static str) -> (Agent, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let transport = move |request: Request| -> Result<Response, TransportError> {
        counter.fetch_add(1, Ordering::SeqCst);
        let body = if request.url().path().ends_with("/oauth/token") { token } else { other };
        Ok(Response::new(StatusCode::OK, HeaderMap::new(), body))
    };
    (builder().build_with(transport).unwrap(), sent)
}

const TOKEN: &str = r#"{"access_token":"tok","token_type":"Bearer","expires_in":3600}"#;

fn config(builder: AgentBuilder) -> ConfigError {
    let transport = |_: Request| -> Result<Response, TransportError> { panic!("nothing may be sent") };
    match builder.build_with(transport).unwrap_err() {
        Error::Config(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn settings_are_checked_when_the_client_is_built() {
    for (builder, expected) in [
        (builder().base_url("lumoauth.dev"), "base_url is not usable: it must start with https://"),
        (
            builder().base_url("http://app.lumoauth.dev"),
            "base_url is http to a host that is not this machine",
        ),
        (builder().base_url("https://u:p@app.lumoauth.dev"), "user name or password"),
        (builder().base_url("https://app.lumoauth.dev/?x"), "no query"),
        (builder().base_url("https://bücher.example"), "A-label"),
        (builder().base_url(""), "it is empty"),
        (builder().tenant(""), "tenant is missing: set it on the builder or in LUMOAUTH_TENANT"),
        (builder().tenant("../evil"), "dot segment"),
        (builder().tenant("a\r\nb"), "control character"),
        (builder().organization(""), "organization is missing"),
        (builder().client_id(""), "client_id is missing"),
        (builder().client_id("agt\r\nX: y"), "client_id has a line break"),
        (builder().client_id("agt_ß"), "client_id has a character that cannot be sent"),
        (builder().client_secret(""), "client_secret is missing"),
        (builder().client_secret("secret\n"), "client_secret has a line break: trim it"),
        (builder().client_secret("a\0b"), "client_secret has a character that cannot be sent"),
        (builder().user_agent("a\nb"), "user_agent has a character"),
        (builder().allow_origin("http://api.example.com"), "origin is http"),
        (builder().allow_origin("api.example.com"), "https://"),
        (
            Agent::builder(),
            "tenant (LUMOAUTH_TENANT), client_id (AGENT_CLIENT_ID), client_secret (AGENT_CLIENT_SECRET) are missing",
        ),
    ] {
        let error = config(builder).to_string();
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    }
}

#[cfg(feature = "ureq")]
#[test]
fn what_a_ready_transport_needs_is_checked_too() {
    let error = |builder: AgentBuilder| builder.build().unwrap_err().to_string();
    assert!(error(builder().root_certificates("no certificate")).contains("no certificate in the PEM text"));
    assert!(
        error(builder().root_certificates("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
            .contains("X.509")
    );
    assert!(error(builder().proxy("socks5://127.0.0.1:1")).contains("only http and https proxies"));
    let shown = format!("{:?}", builder().proxy("http://user:canary@127.0.0.1:1"));
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn arguments_are_checked_before_anything_is_sent() {
    let (agent, sent) = service(TOKEN, r#"{"allowed":true}"#);
    agent.ensure_authenticated().unwrap();
    let before = sent.load(Ordering::SeqCst);
    let input = |result: Result<(), Error>, expected: &str| match result.unwrap_err() {
        Error::Input(error) => assert!(error.to_string().contains(expected), "{error}"),
        other => panic!("{other:?}"),
    };
    input(agent.ask("").map(drop), "action is empty");
    input(agent.ask(Ask::new(" \t")).map(drop), "action is empty");
    input(agent.register(Register::new("")).map(drop), "name is empty");
    for path in
        ["", "//evil.test/x", "/../x", "/a/%2e%2e/b", "..", "/a\r\nHost: evil", "\\\\evil.test", "/x#y"]
    {
        input(agent.request(Method::GET, path).map(drop), "path");
    }
    for url in [
        "https://evil.test/",
        "https://app.lumoauth.dev.evil.test/",
        "https://app.lumoauth.dev:444/",
        "data:text/html,x",
    ] {
        input(agent.request(Method::GET, url).map(drop), "path");
    }
    input(agent.run(ApiRequest::get("/x").header("X", "a\nb")).map(drop), "header");
    input(agent.run(ApiRequest::get("/x").header("Authorization", "Bearer x")).map(drop), "header");
    assert_eq!(sent.load(Ordering::SeqCst), before, "something was sent");
    // A scope belongs to the token request, which is not sent either.
    input(agent.authenticate(["a\"b"]).map(drop), "scope");
    assert_eq!(sent.load(Ordering::SeqCst), before, "something was sent");
}

#[test]
fn answers_that_are_not_json_say_what_they_are() {
    for (body, expected) in [
        (
            "<!doctype html><title>504 Gateway Timeout</title>",
            ProtocolFault::NotJson { found: "an HTML page" },
        ),
        ("", ProtocolFault::NotJson { found: "empty" }),
        ("OK", ProtocolFault::NotJson { found: "text" }),
        ("{\"allowed\":true", ProtocolFault::BrokenJson { line: 1, column: 15 }),
        ("{\"allowed\":true,\"allowed\":true}", ProtocolFault::DuplicateKey { key: "allowed".into() }),
    ] {
        let (agent, _) = service(TOKEN, body);
        let Err(Error::Protocol(error)) = agent.ask("read") else { panic!("{body}") };
        assert_eq!(error.fault(), &expected);
        assert_eq!(error.operation(), "agents.ask");
    }
}

#[test]
fn odd_lifetimes_are_errors_or_bounded() {
    for body in [
        r#"{"access_token":"t","expires_in":-1}"#,
        r#"{"access_token":"t","expires_in":[]}"#,
        r#"{"access_token":"t","expires_in":"soon"}"#,
        r#"{"access_token":"t","expires_in":true}"#,
        r#"{"access_token":"t","expires_in":0}"#,
        r#"{"access_token":"","expires_in":1}"#,
        r#"{"access_token":"a b","expires_in":1}"#,
        r#"{"expires_in":3600}"#,
    ] {
        let (agent, sent) = service(body, r#"{"allowed":true}"#);
        let error = agent.ask("read").unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{body}: {error}");
        assert!(error.to_string().starts_with("oauth.token: "), "{error}");
        assert_eq!(sent.load(Ordering::SeqCst), 1, "the question must not travel without a token: {body}");
    }
    for body in [
        r#"{"access_token":"t","expires_in":18446744073709551615}"#,
        r#"{"access_token":"t","expires_in":1e308}"#,
        r#"{"access_token":"t","expires_in":"3600"}"#,
        r#"{"access_token":"t","expires_in":3600.5}"#,
        r#"{"access_token":"t"}"#,
    ] {
        let (agent, sent) = service(body, r#"{"allowed":true}"#);
        assert!(agent.ask("read").unwrap().allowed() && agent.ask("read").unwrap().allowed(), "{body}");
        assert_eq!(sent.load(Ordering::SeqCst), 3, "{body}");
    }
}

#[cfg(feature = "ureq")]
#[test]
fn a_missing_environment_names_the_variable() {
    // The environment of this test has none of them set; setting some would race with other tests.
    let error = Agent::from_env().unwrap_err();
    assert!(matches!(error, Error::Config(ConfigError::SeveralMissing { .. })), "{error:?}");
    for name in ["LUMOAUTH_TENANT", "AGENT_CLIENT_ID", "AGENT_CLIENT_SECRET"] {
        assert!(error.to_string().contains(name), "{error}");
    }
    assert!(error.is_usage());
}
