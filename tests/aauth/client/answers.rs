//! What is believed of an answer, and what is not.

use lumoauth::aauth::{AuthToken, Client};
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
        assert_eq!(world.seen().len(), 2, "asked once each");
    }
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
