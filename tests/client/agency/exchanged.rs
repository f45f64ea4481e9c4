//! What an exchange gives is held to what was asked for, and stays with its resource.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lumoauth::embed::operations::{Exchange, ExchangeTokenType};
use lumoauth::error::ProtocolFault;
use lumoauth::http::Method;
use lumoauth::{ApiRequest, DelegationChain, Error, Secret};
use serde_json::{Value, json};

use super::support::*;

const PREFIX: &str = "urn:ietf:params:oauth:token-type:";

/// A token that says that it has so many actors.
fn deep(actors: usize) -> String {
    let chain = (0..actors).fold(Value::Null, |inner, at| {
        let mut actor = json!({"sub": format!("agent:{at}")});
        if !inner.is_null() {
            actor["act"] = inner;
        }
        actor
    });
    let mut claims = json!({"sub": "user:alice"});
    if !chain.is_null() {
        claims["act"] = chain;
    }
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn answer(changes: &Value) -> String {
    let mut answer = json!({
        "access_token": "delegated-token", "token_type": "Bearer", "expires_in": 600, "scope": "a",
        "issued_token_type": format!("{PREFIX}access_token"),
    });
    for (name, value) in changes.as_object().unwrap() {
        answer[name] = value.clone();
    }
    answer.to_string()
}

#[test]
fn s14_what_an_exchange_gives_is_what_was_asked_for() {
    let run = |exchange: &Exchange, changes: Value| {
        let body = answer(&changes);
        let (_, agent) = agent_and(move |_| (200, body.clone()));
        agent.run(exchange.clone())
    };
    let fault = |exchange: &Exchange, changes: Value| match run(exchange, changes) {
        Err(Error::Protocol(error)) => error.fault().clone(),
        other => panic!("{other:?}"),
    };
    let plain = Exchange::new("user").actor("agent").scopes("a b");
    let mut refused = 0;
    // Kinds of token.
    for (issued, token_type) in [("access_token", "Bearer"), ("jwt", "bearer"), ("access_token", "DPoP")] {
        let changes = json!({"issued_token_type": format!("{PREFIX}{issued}"), "token_type": token_type});
        run(&plain, changes).unwrap();
    }
    let wants_refresh = plain.clone().requested(ExchangeTokenType::RefreshToken);
    run(&wants_refresh, json!({"issued_token_type": format!("{PREFIX}refresh_token"), "token_type": "N_A"}))
        .unwrap();
    for (exchange, changes) in [
        (&plain, json!({"issued_token_type": format!("{PREFIX}refresh_token")})),
        (&plain, json!({"issued_token_type": format!("{PREFIX}id_token")})),
        (&plain, json!({"issued_token_type": "access_token"})),
        (&plain, json!({"issued_token_type": ""})),
        (&plain, json!({"token_type": "N_A"})),
        (&plain, json!({"token_type": "n_a"})),
        (&wants_refresh, json!({})),
    ] {
        let fault = fault(exchange, changes.clone());
        assert!(matches!(fault, ProtocolFault::UnusableToken { .. }), "{changes}: {fault:?}");
        refused += 1;
    }
    for changes in
        [json!({"issued_token_type": 1}), json!({"token_type": ["Bearer"]}), json!({"scope": [["a"]]})]
    {
        let fault = fault(&plain, changes.clone());
        assert!(matches!(fault, ProtocolFault::Mistyped { .. }), "{changes}: {fault:?}");
        refused += 1;
    }
    // Scopes and details, never wider.
    let within = Exchange::new("user").actor("agent").at_most("a b");
    run(&plain, json!({"scope": ["a"]})).unwrap();
    run(&within, json!({"scope": "b"})).unwrap();
    run(&plain, json!({"authorization_details": []})).unwrap();
    for (exchange, changes) in [
        (&plain, json!({"scope": "a c"})),
        (&plain, json!({"scope": "A"})),
        (&within, json!({"scope": "a b c"})),
        (&plain, json!({"authorization_details": [{"type": "payment"}]})),
        (&within, json!({"authorization_details": [1]})),
    ] {
        let fault = fault(exchange, changes.clone());
        assert!(matches!(fault, ProtocolFault::WiderScope), "{changes}: {fault:?}");
        refused += 1;
    }
    for details in [json!("x"), json!({}), json!(1), json!(true)] {
        let fault = fault(&plain, json!({"authorization_details": details}));
        assert!(matches!(fault, ProtocolFault::Mistyped { .. }), "{fault:?}");
        refused += 1;
    }
    // Chains of actors: three, after the exchange and before it.
    for actors in 0..=6 {
        let result = run(&plain, json!({"access_token": deep(actors)}));
        assert_eq!(result.is_ok(), actors <= 3, "{actors}");
        refused += usize::from(result.is_err());
        let (seen, agent) = agent_and(|_| (200, answer(&json!({}))));
        let result = agent.run(Exchange::new(deep(actors)).actor("agent").scopes("a b"));
        assert_eq!(result.is_ok(), actors < 3, "{actors}");
        if let Err(error) = result {
            assert!(matches!(&error, Error::Input(error) if error.to_string().contains("three actors")));
            assert!(seen.lock().unwrap().is_empty(), "nothing is sent");
            refused += 1;
        }
    }
    println!("S14: {refused} exchanges with more, deeper or other than asked for, 0 accepted");
}

#[test]
fn s14_a_token_for_a_resource_goes_there_or_to_the_service() {
    const RESOURCE: &str = "https://api.example/mcp/v1";
    let (seen, agent) = agent_and(|request| match request.url().path().ends_with("/oauth/token") {
        true => (200, answer(&json!({}))),
        false => (200, "{}".to_owned()),
    });
    let chain = DelegationChain::without_consent(&agent);
    chain.set_user_token("s1", "user-token").unwrap();
    let send = |path: &str| chain.send_for("s1", ApiRequest::new(Method::GET, path), ["a"], RESOURCE);
    for path in ["https://api.example/x", "https://API.example:443/y", "/own", "agents/me"] {
        assert_eq!(send(path).unwrap().status(), 200, "{path}");
    }
    let before = seen.lock().unwrap().len();
    let elsewhere = [
        "https://api.example.evil.test/x",
        "https://api.example:444/x",
        "http://api.example/x",
        "https://evil.test/https://api.example/",
        "https://api.example@evil.test/",
    ];
    for path in elsewhere {
        let refused = send(path);
        assert!(matches!(refused, Err(Error::Input(_))), "{path}: {refused:?}");
    }
    assert_eq!(seen.lock().unwrap().len(), before);
    let foreign = |request: &lumoauth::embed::wire::Request| {
        !["api.example", "app.lumoauth.dev"].contains(&request.url().host().unwrap_or_default())
            || request.url().scheme_str() != Some("https")
            || request.url().port_u16().is_some_and(|port| port != 443)
    };
    assert_eq!(seen.lock().unwrap().iter().filter(|request| foreign(request)).count(), 0);
    // By hand too: the token itself knows where it belongs, even where others may go.
    let builder = lumoauth::Agent::builder().tenant("acme").client_id("agt_1").client_secret(SECRET);
    let sent = Seen::default();
    let own = std::sync::Arc::clone(&sent);
    let transport = move |request: lumoauth::embed::wire::Request| {
        let body = answer(&json!({}));
        own.lock().unwrap().push(request);
        let (status, headers) = (lumoauth::http::StatusCode::OK, lumoauth::http::HeaderMap::new());
        Ok::<_, lumoauth::error::TransportError>(lumoauth::embed::wire::Response::new(status, headers, body))
    };
    let open = builder.allow_origin("https://partner.example").build_with(transport).unwrap();
    let exchange = Exchange::new(Secret::new("user")).actor("agent").scopes("a").resource(RESOURCE);
    let bound = open.run(exchange).unwrap().access;
    assert_eq!(bound.resource(), Some(RESOURCE));
    let error = open.run(ApiRequest::get("https://partner.example/x").token(bound.clone())).unwrap_err();
    assert!(matches!(&error, Error::Input(error) if error.to_string().contains("resource")), "{error}");
    open.run(ApiRequest::get("https://api.example/x").token(bound)).unwrap();
    assert_eq!(sent.lock().unwrap().len(), 2);
    println!("S14: {before} requests; {} other origins, 0 reached", elsewhere.len() + 1);
}

/// How an opaque token can say what it is for: the answer says it. And what can be looked into is looked into, however it is written.
#[test]
fn s14_a_token_that_is_said_to_be_for_something_else_is_taken_by_nobody() {
    const RESOURCE: &str = "https://api.example/mcp/v1";
    let run = |changes: Value| {
        let body = answer(&changes);
        let (_, agent) = agent_and(move |_| (200, body.clone()));
        let exchange = Exchange::new(Secret::new("user")).actor("agent").scopes("a").resource(RESOURCE);
        let wanted = lumoauth::McpToken::new(RESOURCE).scopes("a");
        let chain = DelegationChain::without_consent(&agent);
        chain.set_user_token("s1", "user-token").unwrap();
        let outcomes = [
            agent.run(exchange).map(drop),
            agent.mcp_token(wanted).map(drop),
            chain.exchange_for("s1", ["a"], RESOURCE).map(drop),
        ];
        let taken: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
        assert!(taken.iter().all(|one| *one == taken[0]), "{changes}: {outcomes:?}");
        assert!(
            outcomes
                .iter()
                .flat_map(|outcome| outcome.as_ref().err())
                .all(|error| matches!(error, Error::Protocol(_)))
        );
        taken[0]
    };
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let padded = base64::engine::general_purpose::STANDARD.encode(r#"{"alg":"RS256","kid":"a?>"}"#);
    let (ours, theirs) =
        (json!({"aud": RESOURCE}).to_string(), json!({"aud": "https://evil.test"}).to_string());
    for changes in [
        json!({"resource": RESOURCE}),
        json!({"resource": [RESOURCE]}),
        json!({"resource": "HTTPS://API.example:443/mcp/v1"}),
        json!({"resource": null}),
        // Encrypted: nobody here can look into it, as into an opaque one.
        json!({"access_token": format!("{}.key.iv.text.tag", encode(r#"{"alg":"dir","enc":"A256GCM"}"#))}),
        json!({"access_token": format!("{padded}.{}.c2ln", encode(&ours))}),
        json!({"access_token": "ya29.opaque.token"}),
    ] {
        assert!(run(changes.clone()), "{changes}");
    }
    let refused = [
        json!({"resource": "https://evil.test/"}),
        json!({"resource": "https://api.example/"}),
        json!({"resource": ""}),
        json!({"resource": []}),
        json!({"resource": [RESOURCE, "https://evil.test"]}),
        json!({"resource": ["https://evil.test"]}),
        json!({"resource": [7]}),
        json!({"resource": {"uri": RESOURCE}}),
        json!({"access_token": format!("{padded}.{}.c2ln", encode(&theirs))}),
        json!({"access_token": format!("{}.{}.c2ln", encode(r#"{"alg":"none","alg":"none"}"#), encode(&theirs))}),
        json!({"access_token": format!("{}.{}.c2ln", encode("{\"alg\":\"RS256\"}\n"), encode(&theirs))}),
        json!({"access_token": format!("{}.{}", encode("{}"), encode(&ours))}),
        json!({"access_token": format!("{}.{}.c2ln", encode("{}"), encode(&ours)), "resource": "https://evil.test"}),
    ];
    for changes in &refused {
        assert!(!run(changes.clone()), "{changes}");
    }
    println!("S14: {} answers for another resource, three flows, 0 taken", refused.len());
}
