//! Tokens checked at the service: what was revoked is seen, the same rules hold, and nothing but a clear yes is one.

use std::time::Duration;

use lumoauth::embed::operations::Revoke;
use lumoauth::embed::session::{Action, Arrived, Machine, Session, Settings, Step};
use lumoauth::embed::wire::Response;
use lumoauth::emulator::{Emulator, FaultRule};
use lumoauth::http::header::{AUTHORIZATION, HeaderMap as Headers, HeaderValue};
use lumoauth::http::{HeaderMap, StatusCode};
use lumoauth::time::{Now, Timestamp};
use lumoauth::verify::{VerifiedToken, Verifier, VerifierConfig, VerifyError};
use lumoauth::{Credentials, Secret, Site, TokenVerifier};
use serde_json::{Value, json};

use super::support::*;

fn session() -> Session {
    let credentials = Credentials::new("agt_1", "fixed-secret").unwrap();
    Session::new(Settings::new(Site::tenant("acme").unwrap()).credentials(credentials))
}

/// The check of an opaque token, with this answer of the service.
fn told(verifier: &Verifier, status: u16, body: &str) -> Result<VerifiedToken, VerifyError> {
    let mut check = verifier.check_at_service(&session(), &Secret::new("an-opaque-token"));
    let now = at(START + 10);
    let Ok(Step::Do(Action::Send(request))) = check.step(&now, None) else { panic!("it asks") };
    assert!(request.url().path().ends_with("/oauth/introspect") && request.url().query().is_none());
    let response = Response::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body);
    match check.step(&now, Some(Arrived::Response(response))) {
        Ok(Step::Done(result)) => result,
        // It would ask again.
        other => panic!("{other:?}"),
    }
}

/// An answer with some members set anew, or taken away with `null`.
fn answer(changes: Value) -> String {
    let mut answer = payload();
    answer["active"] = json!(true);
    answer["token_type"] = json!("Bearer");
    let members = answer.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    answer.to_string()
}

/// What was said a moment ago counts for a minute by both clocks: a machine that slept knows nothing any more.
#[test]
fn t7_what_is_remembered_is_over_by_either_clock() {
    let config = VerifierConfig::new(ISSUER, AUDIENCE).remember_answers(Duration::from_secs(60));
    let verifier = Verifier::new(config).unwrap();
    let asks = |wall: u64, monotonic: u64| {
        let now = Now::new(Timestamp::from_unix(START + wall), Duration::from_secs(monotonic), [1; 32]);
        let mut check = verifier.check_at_service(&session(), &Secret::new("an-opaque-token"));
        match check.step(&now, None) {
            Ok(Step::Do(Action::Send(_))) => {
                let body = answer(json!({}));
                let response = Response::new(StatusCode::OK, HeaderMap::new(), body);
                let ended = check.step(&now, Some(Arrived::Response(response)));
                assert!(matches!(ended, Ok(Step::Done(Ok(_)))), "{ended:?}");
                true
            }
            Ok(Step::Done(Ok(_))) => false,
            other => panic!("{other:?}"),
        }
    };
    assert!(asks(100, 1_000), "nothing is known");
    assert!(!asks(159, 1_059), "it is remembered");
    assert!(asks(259, 1_059), "the machine slept for a while");
    assert!(!asks(200, 1_060), "the wall clock was set back: it is used");
    assert!(asks(200, 1_119), "and no longer than for its minute");
}

/// What is remembered of a token does not outlive the token, and says when it is good.
#[test]
fn a_token_that_is_over_is_remembered_as_nothing() {
    use lumoauth::verify::Leeway;
    let config = VerifierConfig::new(ISSUER, AUDIENCE).leeway(Leeway::seconds(0).unwrap());
    let verifier = Verifier::new(config.remember_answers(Duration::from_secs(60))).unwrap();
    let check = |second: u64, exp: u64| {
        let mut check = verifier.check_at_service(&session(), &Secret::new("an-opaque-token"));
        let now = at(START + second);
        let Ok(Step::Do(Action::Send(_))) = check.step(&now, None) else { return None };
        let body = answer(json!({"exp": START + exp, "nbf": START + 5, "iat": START}));
        let response = Response::new(StatusCode::OK, HeaderMap::new(), body);
        match check.step(&now, Some(Arrived::Response(response))) {
            Ok(Step::Done(result)) => Some(result),
            other => panic!("{other:?}"),
        }
    };
    let verified = check(10, 30).unwrap().unwrap();
    assert_eq!(verified.not_before(), Some(Timestamp::from_unix(START + 5)));
    assert_eq!(verified.issued_at(), Some(Timestamp::from_unix(START)));
    assert!(check(29, 30).is_none(), "it is remembered");
    assert!(matches!(check(30, 30), Some(Err(VerifyError::Expired))), "it is over, and asked about");
}

#[test]
fn active_is_a_boolean_and_everything_else_is_no() {
    let verifier = verifier();
    let verified = told(&verifier, 200, &answer(json!({}))).unwrap();
    assert_eq!((verified.subject(), verified.client_id()), ("agent:bot", "agt_1"));
    assert!(!verified.claims().contains_key("active"));
    assert!(matches!(told(&verifier, 200, r#"{"active":false}"#), Err(VerifyError::Inactive)));
    // What comes with a no is not looked at.
    assert!(matches!(told(&verifier, 200, &answer(json!({"active": false}))), Err(VerifyError::Inactive)));
    let mut odd = 0;
    for active in
        [json!("true"), json!(1), json!(0), json!("false"), json!([true]), json!({}), json!([]), json!("")]
    {
        let result = told(&verifier, 200, &answer(json!({ "active": active })));
        assert!(matches!(result, Err(VerifyError::Unavailable(_))), "{active}: {result:?}");
        odd += 1;
    }
    let good = answer(json!({}));
    let double = good.replace("\"active\":true", "\"active\":false,\"active\":true");
    let twice = good.replace("\"active\":true", "\"active\":true,\"active\":true");
    let absent = answer(json!({"active": null}));
    let cut = &good[..good.len() - 1];
    for body in
        ["", "{}", "null", "true", "[]", "<html>", r#"{"active":null}"#, &double, &twice, &absent, cut]
    {
        let result = told(&verifier, 200, body);
        assert!(matches!(result, Err(VerifyError::Unavailable(_))), "{body}: {result:?}");
        odd += 1;
    }
    for status in [201, 202, 204, 206, 301, 302, 400, 401, 403, 404] {
        let result = told(&verifier, status, &good);
        assert!(matches!(result, Err(VerifyError::Unavailable(_))), "{status}: {result:?}");
        odd += 1;
    }
    println!("introspection: {odd} answers that are no clear yes, 0 accepted");
}

#[test]
fn the_rules_are_those_of_tokens_that_verify_here() {
    let actor = |name: &str| json!({"sub": name});
    let deep = json!({"sub": "a", "act": {"sub": "b", "act": {"sub": "c", "act": {"sub": "d"}}}});
    let verifier = Verifier::new(
        config()
            .require_scopes("mcp:use")
            .allow_actors(["agent:good"])
            .leeway(lumoauth::verify::Leeway::NONE),
    )
    .unwrap();
    let refused = |changes: Value| told(&verifier, 200, &answer(changes)).unwrap_err();
    told(&verifier, 200, &answer(json!({"act": actor("agent:good")}))).unwrap();
    told(&verifier, 200, &answer(json!({"aud": ["x", AUDIENCE], "token_type": null}))).unwrap();
    assert!(matches!(refused(json!({"iss": "https://issuer.test/t/other"})), VerifyError::Issuer { .. }));
    assert!(matches!(refused(json!({"aud": "https://other.test"})), VerifyError::Audience { .. }));
    assert!(matches!(refused(json!({"exp": START + 10})), VerifyError::Expired));
    assert!(matches!(refused(json!({"nbf": START + 11})), VerifyError::NotYetValid));
    assert!(matches!(refused(json!({"iat": START + 11})), VerifyError::IssuedInFuture));
    assert!(matches!(refused(json!({"scope": "read:documents"})), VerifyError::InsufficientScope { .. }));
    assert!(matches!(refused(json!({"act": actor("agent:bad")})), VerifyError::ActorNotAllowed));
    assert!(matches!(refused(json!({"act": deep})), VerifyError::ActorDepth));
    assert!(matches!(refused(json!({"cnf": {"jkt": "x"}})), VerifyError::Bound));
    assert!(matches!(refused(json!({"token_type": "DPoP"})), VerifyError::Bound));
    assert!(matches!(refused(json!({"token_type": "refresh_token"})), VerifyError::Type));
    // A claim that a token must have must be in the answer, and of its type.
    for claim in ["iss", "aud", "sub", "client_id", "exp"] {
        let missing = refused(json!({ claim: null }));
        assert!(matches!(missing, VerifyError::Claim { claim: found, .. } if found == claim), "{claim}");
        for odd in [json!(true), json!([1]), json!({"x": 1})] {
            let mistyped = refused(json!({ claim: odd }));
            assert!(matches!(mistyped, VerifyError::Claim { claim: found, .. } if found == claim), "{claim}");
        }
    }
    for (claim, odd) in
        [("act", json!("a")), ("scope", json!(["a"])), ("cnf", json!(1)), ("token_type", json!(1))]
    {
        assert!(matches!(refused(json!({ claim: odd })), VerifyError::Claim { .. }), "{claim}");
    }
}

#[test]
fn what_is_no_token_is_not_asked_about() {
    let verifier = Verifier::new(config().longest_token(100)).unwrap();
    let at_once =
        |text: &str| match verifier.check_at_service(&session(), &Secret::new(text)).step(&at(START), None) {
            Ok(Step::Done(Err(error))) => error,
            other => panic!("{other:?}"),
        };
    assert!(matches!(at_once(""), VerifyError::Malformed(_)));
    assert!(matches!(at_once(&"a".repeat(101)), VerifyError::TooLong));
}

#[test]
fn revocation_is_seen_at_once_and_remembering_delays_it_as_long_as_said() {
    let emulator = Emulator::demo().unwrap();
    let agent = emulator.agent().unwrap();
    let config = || VerifierConfig::new(emulator.site().api_base(), emulator.client_id());
    let strict = TokenVerifier::build_with(config(), emulator.transport()).unwrap();
    let minute = config().remember_answers(Duration::from_secs(3600));
    let lax = TokenVerifier::build_with(minute, emulator.transport()).unwrap();
    let token = agent.authenticate(["read:documents"]).unwrap().secret().clone();
    for _ in 0..3 {
        let verified = strict.verify_at_service(&agent, &token).unwrap();
        assert!(verified.scopes().contains("read:documents"));
        lax.verify_at_service(&agent, &token).unwrap();
    }
    assert_eq!(emulator.count("oauth.introspect").unwrap(), 4, "3 strict ones, 1 remembered");
    agent.run(Revoke::new(token.clone())).unwrap();
    assert!(matches!(strict.verify_at_service(&agent, &token), Err(VerifyError::Inactive)));
    // Local verification cannot see it; what is remembered does not last beyond 60 s, whatever was set.
    strict.verify(&token).unwrap();
    emulator.advance(Duration::from_secs(59));
    lax.verify_at_service(&agent, &token).unwrap();
    emulator.advance(Duration::from_secs(1));
    let error = lax.verify_at_service(&agent, &token).unwrap_err();
    assert!(matches!(error, VerifyError::Inactive));
    assert_eq!(error.status(), 401);
    let challenge = lax.verifier().challenge(&error).unwrap().to_string();
    assert!(challenge.starts_with("Bearer error=\"invalid_token\""), "{challenge}");

    let mut headers = Headers::new();
    assert!(matches!(strict.verify_headers_at_service(&agent, &headers), Err(VerifyError::MissingToken)));
    let fresh = agent.authenticate([]).unwrap();
    let value = HeaderValue::from_str(&format!("Bearer {}", fresh.secret().expose())).unwrap();
    headers.insert(AUTHORIZATION, value);
    strict.verify_headers_at_service(&agent, &headers).unwrap();
    // No answer is no yes.
    emulator.fault(FaultRule::on("oauth.introspect").nth(1).times(3).status(503)).unwrap();
    let error = strict.verify_headers_at_service(&agent, &headers).unwrap_err();
    assert!(error.is_temporary() && error.status() == 503, "{error:?}");
    assert!(!format!("{error} {error:?}").contains(fresh.secret().expose()));
}

#[cfg(feature = "async")]
#[test]
fn the_same_in_the_other_mount() {
    let emulator = Emulator::demo().unwrap();
    let agent = emulator.async_agent().unwrap();
    let config = VerifierConfig::new(emulator.site().api_base(), emulator.client_id());
    let verifier = lumoauth::asynchronous::TokenVerifier::build_with(config, emulator.transport()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    fn send<T: Send>(value: T) -> T {
        value
    }
    runtime.block_on(async {
        let token = agent.access_token().await.unwrap();
        send(verifier.verify_at_service(&agent, token.secret())).await.unwrap();
        emulator.revoke_tokens(emulator.client_id()).unwrap();
        let error = verifier.verify_at_service(&agent, token.secret()).await.unwrap_err();
        assert!(matches!(error, VerifyError::Inactive), "{error:?}");
    });
}
