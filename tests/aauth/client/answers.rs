//! What is believed of an answer, and what is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lumoauth::aauth::{AgentToken, AuthToken, Client};
use lumoauth::embed::operations::aauth::{Authorize, Exchange, RedeemCode};
use lumoauth::error::ProtocolFault;
use lumoauth::{AccessToken, Error, Scopes, TokenType};

use super::world::*;

fn answering(status: u16, body: &str) -> (Client, World) {
    let body = body.to_owned();
    let world = World::new(move |_, _| (status, body.clone()));
    (builder().build_with(world.clone()).unwrap(), world)
}

#[test]
fn any_other_401_is_an_error() {
    for (body, code) in [
        (r#"{"error":"invalid_signature","error_description":"no"}"#, Some("invalid_signature")),
        (r#"{"error":"authentication_required","auth_server":"https://x"}"#, Some("authentication_required")),
        (r#"{"error":"authorization_required"}"#, Some("authorization_required")),
        ("<html>sign in</html>", None),
        ("", None),
    ] {
        let (client, world) = answering(401, body);
        let error = client.request_authorization("r.s.t").unwrap_err();
        assert!(matches!(error, Error::Api(_)) && error.is_unauthorized(), "{body}: {error}");
        assert_eq!(error.code(), code);
        let error = client.exchange(Exchange::new("u.p.s", "r.s.t")).unwrap_err();
        assert!(matches!(error, Error::Api(_)), "{body}: {error}");
        let seen = world.seen();
        if code == Some("authentication_required") {
            // It is the agent's token that is not good: another one is tried, once in five seconds.
            assert_eq!(seen.len(), 3, "the first call twice, the second once");
            assert_ne!(seen[0].agent_auth, seen[1].agent_auth);
            assert_eq!((&seen[0].body, &seen[1].agent_auth), (&seen[1].body, &seen[2].agent_auth));
        } else {
            assert_eq!(seen.len(), 2, "asked once each");
        }
    }
}

#[test]
fn a_refused_agent_token_is_replaced_once() {
    let refused = |seen: &Seen, _: usize| match seen.agent_auth.as_deref() {
        Some("agent_token=agent.token.0") => (401, r#"{"error":"authentication_required"}"#.to_owned()),
        _ if seen.line.ends_with("platform-token") => {
            (200, r#"{"access_token":"p","token_type":"DPoP"}"#.to_owned())
        }
        _ => (200, r#"{"auth_token":"a.b.c"}"#.to_owned()),
    };
    let (world, asked) = (World::new(refused), Arc::new(AtomicU32::new(0)));
    let (own, count) = (world.clone(), Arc::clone(&asked));
    let source = move || {
        let number = count.fetch_add(1, Ordering::SeqCst);
        Ok(AgentToken::new(format!("agent.token.{number}"), own.time().wall, Duration::from_secs(3600)))
    };
    let builder = Client::builder().tenant("acme").key(key()).agent(AGENT);
    let client = builder.agent_token_from(source).build_with(world.clone()).unwrap();
    assert!(client.request_authorization("r.s.t").is_ok(), "the call itself goes on with the next one");
    assert_eq!((asked.load(Ordering::SeqCst), world.seen().len()), (2, 2));
    assert!(client.platform_token([]).is_ok());
    assert_eq!(world.seen()[2].body["subject_token"], "agent.token.1", "the one that is shown is traded");

    // A token that was given is all that there is.
    let given = Client::builder().tenant("acme").key(key()).agent(AGENT).agent_token("agent.token.0");
    let error = given.build_with(world.clone()).unwrap().request_authorization("r.s.t").unwrap_err();
    assert_eq!((error.code(), world.seen().len()), (Some("authentication_required"), 4));
}

#[test]
fn a_traded_agent_token_that_is_refused_is_replaced_once() {
    let world = World::new(|seen, _| match seen.body["subject_token"].as_str() == Some("agent.token.1") {
        true => (200, r#"{"access_token":"p","token_type":"DPoP"}"#.to_owned()),
        false => (400, r#"{"error":"invalid_grant"}"#.to_owned()),
    });
    let (own, count) = (world.clone(), AtomicU32::new(0));
    let source = move || {
        let number = count.fetch_add(1, Ordering::SeqCst);
        Ok(AgentToken::new(format!("agent.token.{number}"), own.time().wall, Duration::from_secs(3600)))
    };
    let builder = Client::builder().tenant("acme").key(key()).agent(AGENT);
    let client = builder.agent_token_from(source).build_with(world.clone()).unwrap();
    assert!(client.platform_token([]).is_ok());
    assert_eq!(world.seen().len(), 2);
    // Elsewhere it is another token that is refused so.
    let error = client.request_authorization("r.s.t").unwrap_err();
    assert_eq!((error.code(), world.seen().len()), (Some("invalid_grant"), 3));
}

#[test]
fn consent_is_read_in_both_shapes() {
    let url = format!("{BASE}/aauth/agent/auth?request_token=rq");
    for (status, body) in [
        (200, format!(r#"{{"request_type":"auth","request_token":"rq","authorization_uri":"{url}"}}"#)),
        (401, format!(r#"{{"error":"authorization_required","auth_url":"{url}","request_token":"rq"}}"#)),
        (200, r#"{"request_token":"rq"}"#.to_owned()),
    ] {
        let (client, _) = answering(status, &body);
        let consent = client.request_authorization("r.s.t").unwrap().consent().unwrap();
        let shown = client.consent_url(&consent).unwrap();
        assert!(shown.starts_with(&format!("{url}&state=")), "{shown}");
        let state = consent.state().unwrap().expose();
        assert_eq!(state.len(), 43, "256 bits");
    }
}

#[test]
fn a_consent_url_elsewhere_is_refused() {
    for url in [
        "https://evil.test/consent",
        "https://app.lumoauth.dev.evil.test/",
        "https://app.lumoauth.dev@evil.test/",
        "http://app.lumoauth.dev/",
        "https://app.lumoauth.dev:8443/",
        "javascript:alert(1)",
        "//app.lumoauth.dev/",
    ] {
        for (status, name) in [(200, "authorization_uri"), (401, "auth_url")] {
            let (client, world) = answering(status, &format!(r#"{{"request_token":"rq","{name}":"{url}"}}"#));
            let error = client.request_authorization("r.s.t").unwrap_err();
            assert!(matches!(error, Error::Protocol(_)), "{url}: {error}");
            assert_eq!(error.status(), Some(status), "{error}");
            assert!(!error.to_string().contains("evil"), "{error}");
            assert_eq!(world.seen().len(), 1);
        }
    }
}

#[test]
fn more_than_was_asked_for_is_refused() {
    let (client, _) = answering(200, r#"{"auth_token":"a.b.c","scope":"read admin"}"#);
    let error = client.request_authorization(Authorize::new("r.s.t").scopes("read")).unwrap_err();
    let Error::Protocol(protocol) = error else { panic!("{error}") };
    assert_eq!(protocol.fault(), &ProtocolFault::WiderScope);
}

#[test]
fn nothing_secret_is_shown() {
    let echo = r#"{"error":"invalid_grant","error_description":"canary-resource-token canary-refresh"}"#;
    let (client, world) = answering(400, echo);

    let access = AccessToken::new(
        "canary-auth".into(),
        TokenType::Bearer,
        Scopes::none(),
        lumoauth::time::Timestamp::from_unix(START),
        std::time::Duration::from_secs(60),
    );
    let token = AuthToken::new(access).refresh("canary-refresh");
    let refused = client.refresh(&token, "canary-resource-token").unwrap_err();
    let both =
        RedeemCode::new("canary-refresh", "https://agent.example/cb").request_token("canary-resource-token");
    let error_of_code = client.redeem(both).unwrap_err();
    let shown = format!(
        "{error_of_code} {error_of_code:?} {refused} {refused:?} {client:?} {token:?} {:?}",
        builder()
    );
    assert!(!shown.contains("canary"), "{shown}");
    let agent_token = client.agent_token().unwrap();
    assert!(!shown.contains(agent_token.expose()));
    assert_eq!(shown.matches("[redacted]").count(), 8, "{shown}");
    assert_eq!(world.seen().len(), 2);
}
