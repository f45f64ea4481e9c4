//! What is sent and what is not: no secret, no second credential, no token of a kind that is no bearer token.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lumoauth::credentials::Workload;
use lumoauth::embed::operations::{Exchange, Revoke};
use lumoauth::embed::session::{Action, Arrived, Machine, Session, Settings, Step};
use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::{ConfigError, ProtocolFault, TransportError, WorkloadError};
use lumoauth::http::{HeaderMap, StatusCode, header};
use lumoauth::time::{Now, Timestamp};
use lumoauth::{Agent, ApiRequest, Error, Secret, Site, TokenType};

use super::support::*;

const CANARY: &str = "cnry9fQ2.Zk7mX4vTq.8sLpR3wYd";

type Seen = Arc<Mutex<Vec<Request>>>;

/// A service that gives this answer to everything, and what it saw.
fn service(status: u16, body: &str) -> (Seen, impl Fn(Request) -> Result<Response, TransportError> + use<>) {
    let (seen, body) = (Seen::default(), body.to_owned());
    let own = Arc::clone(&seen);
    let answer = move |request: Request| {
        // An echo, as proxies make one.
        let echo = String::from_utf8_lossy(request.body()).replace('"', "'");
        own.lock().unwrap().push(request);
        let body = body.replace("ECHO", &echo);
        Ok(Response::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body))
    };
    (seen, answer)
}

fn form(request: &Request) -> Vec<(String, String)> {
    form_urlencoded::parse(request.body()).into_owned().collect()
}

#[test]
fn the_exchange_carries_the_platforms_token_and_no_client_credential() {
    let body = r#"{"access_token":"own-token","token_type":"Bearer","expires_in":3600}"#;
    let (seen, service) = service(200, body);
    let builder = Agent::builder().tenant("acme").scopes(["read:documents"]);
    let agent = builder.workload_token("kubernetes", || Ok(Secret::new(format!(" {CANARY}\n"))));
    agent.build_with(service).unwrap().access_token().unwrap();
    let seen = seen.lock().unwrap();
    let expected = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", CANARY),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("subject_issuer", "kubernetes"),
        ("scope", "read:documents"),
    ];
    assert_eq!(form(&seen[0]), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(seen[0].headers().get(header::AUTHORIZATION), None);
    assert_eq!(seen[0].url().query(), None);
}

#[test]
fn the_platforms_token_is_in_no_text() {
    let body = r#"{"error":"workload_identity_failed","error_description":"refused: ECHO"}"#;
    let (seen, service) = service(401, body);
    let builder = Agent::builder().tenant("acme").workload_token("aws", || Ok(Secret::new(CANARY)));
    let agent = {
        assert!(!format!("{builder:?} {builder:#?}").contains(CANARY));
        builder.build_with(service).unwrap()
    };
    let error = agent.info().unwrap_err();
    assert_eq!(seen.lock().unwrap().len(), 1);
    assert!(form(&seen.lock().unwrap()[0]).iter().any(|(_, value)| value == CANARY));
    let arrived = Arrived::Given(Ok(Secret::new(CANARY).into()));
    let seen = seen.lock().unwrap();
    let text = format!("{error} {error:?} {error:#?} {agent:?} {arrived:?} {:?}", seen[0]);
    for at in 0..CANARY.len() - 12 {
        assert!(!text.contains(&CANARY[at..at + 12]), "{text}");
    }
}

#[test]
fn a_token_that_cannot_be_sent_is_an_error_when_it_arrives_and_never_sent_as_bearer() {
    let unusable = |result: Result<(), Error>| match result {
        Err(Error::Protocol(error)) => {
            assert!(matches!(error.fault(), ProtocolFault::UnusableToken { .. }), "{error:?}");
        }
        other => panic!("{other:?}"),
    };
    for (by_workload, kind) in
        [(true, "DPoP"), (false, "DPoP"), (true, "mac"), (false, "mac"), (false, "N_A")]
    {
        let body = format!(
            r#"{{"access_token":"bound-token","token_type":"{kind}","expires_in":3600,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}}"#
        );
        let body: &'static str = Box::leak(body.into_boxed_str());
        let (seen, service) = service(200, body);
        let builder = Agent::builder().tenant("acme");
        let agent = if by_workload {
            builder.workload_token("gcp", || Ok(Secret::new(CANARY)))
        } else {
            builder.client_id("agt_1").client_secret("fixed-secret")
        };
        let agent = agent.build_with(service).unwrap();
        unusable(agent.ensure_authenticated());
        unusable(agent.authenticate([]).map(drop));
        unusable(agent.access_token().map(drop));
        unusable(agent.request(lumoauth::http::Method::GET, "/x").map(drop));
        unusable(agent.ask("read").map(drop));
        unusable(agent.mcp_token("https://files.example/mcp").map(drop));
        // A bare exchange gives what it gives, as a value.
        if kind != "N_A" {
            let exchanged = agent.run(Exchange::new("user").actor("agent")).unwrap().access;
            assert_eq!(exchanged.token_type(), &TokenType::parse(kind));
            unusable(agent.run(ApiRequest::get("/x").token(exchanged)).map(drop));
        }
        let seen = seen.lock().unwrap();
        assert!(seen.iter().all(|request| !request.headers().contains_key(header::AUTHORIZATION)));
        assert!(seen.iter().all(|request| request.url().path().ends_with("/oauth/token")));
    }
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let build = |builder: lumoauth::AgentBuilder| builder.build_with(service(200, "{}").1).unwrap_err();
    let both = Agent::builder().tenant("acme").client_id("agt_1").client_secret("fixed-secret");
    let error = build(both.workload_token_file("kubernetes", "/nowhere"));
    assert!(
        matches!(error, Error::Config(ConfigError::BadText { setting: "workload_token", .. })),
        "{error:?}"
    );
    let error = build(Agent::builder().tenant("acme").workload_token_file("", "/nowhere"));
    assert!(
        matches!(error, Error::Config(ConfigError::Missing { setting: "workload_token", .. })),
        "{error:?}"
    );
    // What needs the client's secret says so before anything is sent.
    let (seen, service) = service(200, "{}");
    let builder = Agent::builder().tenant("acme").client_id(POD);
    let agent = builder.workload_token_file("kubernetes", "/nowhere").build_with(service).unwrap();
    let error = agent.run(Revoke::new("a-token")).unwrap_err();
    assert!(
        matches!(error, Error::Config(ConfigError::Missing { setting: "client_secret", .. })),
        "{error:?}"
    );
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn the_session_asks_for_the_token_and_takes_nothing_else_for_it() {
    let site = Site::tenant("acme").unwrap();
    let now = Now::new(Timestamp::from_unix(1_700_000_000), Duration::from_secs(1), [7; 32]);
    let session = || {
        let settings = Settings::new(site.clone()).workload(Workload::new("oidc").unwrap());
        Session::new(settings)
    };
    for arrived in [
        None,
        Some(Arrived::Response(Response::new(StatusCode::OK, HeaderMap::new(), "{}"))),
        Some(Arrived::Given(Err(WorkloadError::new("the metadata service is down").into()))),
    ] {
        let (session, was_told) = (session(), matches!(arrived, Some(Arrived::Given(_))));
        let mut call = session.token();
        assert!(matches!(call.step(&now, None), Ok(Step::Do(Action::Given(_)))));
        // Whoever comes meanwhile waits.
        assert!(matches!(session.token().step(&now, None), Ok(Step::Do(Action::Join(_)))));
        let error = call.step(&now, arrived).unwrap_err();
        assert!(matches!(&error, Error::Workload(_)), "{error:?}");
        assert_eq!(error.to_string().contains("metadata service"), was_told);
    }
    let session = session();
    let mut call = session.token();
    assert!(matches!(call.step(&now, None), Ok(Step::Do(Action::Given(_)))));
    let subject = Arrived::Given(Ok(Secret::new(CANARY).into()));
    assert!(matches!(call.step(&now, Some(subject)), Ok(Step::Do(Action::Send(_)))));
    // Too late: nothing is sent, and the next caller takes over.
    drop(call);
    let mut late = session.token();
    assert!(matches!(late.step(&now, None), Ok(Step::Do(Action::Given(_)))));
    let hour = Duration::from_secs(3600);
    let then = Now::new(now.wall.saturating_add(hour), now.monotonic + hour, [8; 32]);
    let error = late.step(&then, Some(Arrived::Given(Ok(Secret::new(CANARY).into())))).unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error:?}");
    assert!(matches!(session.token().step(&then, None), Ok(Step::Do(Action::Given(_)))));
}
