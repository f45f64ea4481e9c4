//! An agent acts for a user: consent, exchange, requests, handing on, revoking; on the emulator.
#![cfg(all(feature = "blocking", feature = "emulator"))]

mod consents;
mod lifetimes;
mod outages;
mod stores;
mod support;

use std::collections::HashMap;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use lumoauth::embed::operations::UserSession;
use lumoauth::emulator::FaultRule;
use lumoauth::error::{ConsentError, StoreError};
use lumoauth::http::Method;
use lumoauth::store::MemoryStore;
use lumoauth::{Agent, ClientAuth, DelegationChain, Error};

use self::support::*;
use crate::stores::stub;

fn query(url: &str) -> HashMap<String, String> {
    let query = url.split_once('?').unwrap().1;
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

#[test]
fn the_walk() {
    let emulator = emulator();
    let chain = chain(&emulator);
    assert!(!chain.has_delegation("s1").unwrap());
    consent(&emulator, &chain, "s1");
    assert!(chain.has_delegation("s1").unwrap());
    assert_eq!(chain.active_sessions().unwrap(), ["s1"]);

    let delegation = chain.exchange("s1", ["read:documents"]).unwrap();
    let claims = delegation.unverified_claims().unwrap();
    assert_eq!(claims.unverified_actors().len(), 1);
    let before = emulator.count("oauth.token").unwrap();
    chain.exchange("s1", ["read:documents"]).unwrap();
    assert_eq!(emulator.count("oauth.token").unwrap(), before, "held until it ends");

    let response = chain.request("s1", Method::GET, "/api/v1/documents").unwrap();
    assert_eq!(response.status(), 200, "{}", response.text());
    assert!(response.text().contains("alice"), "{}", response.text());

    chain.revoke("s1").unwrap();
    assert!(!chain.has_delegation("s1").unwrap());
    let error = chain.exchange("s1", []).unwrap_err();
    assert!(matches!(error, Error::Consent(ConsentError::Needed)), "{error}");
    chain.revoke("s1").unwrap();
    chain.revoke("never heard of").unwrap();
}

#[test]
fn s12_the_consent_flow_takes_only_its_own_answers() {
    let emulator = emulator();
    let chain = chain(&emulator);
    let url = chain.consent_url("s1", ["read:documents"]).unwrap();
    let sent = query(&url);
    assert!(sent["state"].len() >= 22 && sent["code_challenge_method"] == "S256", "{sent:?}");
    assert_eq!(sent["redirect_uri"], REDIRECT);
    let again = query(&chain.consent_url("s1", ["read:documents"]).unwrap());
    assert_ne!(sent["state"], again["state"]);
    assert_ne!(sent["code_challenge"], again["code_challenge"]);

    let consent_error = |url: &str| match chain.handle_callback_url("s1", url) {
        Err(Error::Consent(error)) => error,
        other => panic!("{other:?}"),
    };
    // Four may be pending, so the first URL was given up by the fifth.
    for _ in 0..3 {
        chain.consent_url("s1", ["read:documents"]).unwrap();
    }
    let old = come_back(&emulator, &url);
    assert_eq!(consent_error(&old), ConsentError::WrongState);
    let url = chain.consent_url("s1", ["read:documents"]).unwrap();
    let back = come_back(&emulator, &url);
    assert_eq!(consent_error(&back.replace("state=", "state=x")), ConsentError::WrongState);
    assert_eq!(consent_error(&format!("{back}&code=other")), ConsentError::Twice { parameter: "code" });
    assert_eq!(consent_error(&format!("{back}&state=other")), ConsentError::Twice { parameter: "state" });
    let parts = query(&back);
    let without_issuer = format!("{REDIRECT}?code={}&state={}", parts["code"], parts["state"]);
    let before = emulator.count("oauth.token").unwrap();
    assert_eq!(consent_error(&without_issuer), ConsentError::NoIssuer);
    assert_eq!(emulator.count("oauth.token").unwrap(), before, "no code may travel after a check failed");
    // That answer used the state up.
    assert_eq!(consent_error(&back), ConsentError::WrongState);
    let url = chain.consent_url("s1", ["read:documents"]).unwrap();
    let back = come_back(&emulator, &url);
    let other_issuer = back.replace("lumoauth.test", "lumoauth.evil");
    assert_eq!(consent_error(&other_issuer), ConsentError::WrongIssuer);
    // A good one works, once.
    let url = chain.consent_url("s1", ["read:documents"]).unwrap();
    let back = come_back(&emulator, &url);
    chain.handle_callback_url("s1", &back).unwrap();
    assert_eq!(consent_error(&back), ConsentError::WrongState);
}

#[test]
fn a_refusal_is_told_apart() {
    let emulator = builder().auto_consent("alice").auto_deny().build().unwrap();
    let chain = chain(&emulator);
    let back = come_back(&emulator, &chain.consent_url("s1", ["read:documents"]).unwrap());
    let error = chain.handle_callback_url("s1", &back).unwrap_err();
    assert!(
        matches!(&error, Error::Consent(ConsentError::Refused { code, .. }) if code == "access_denied"),
        "{error}"
    );
}

#[test]
fn the_plain_callback_takes_a_code_and_each_way_of_client_authentication_works() {
    for how in [None, Some(ClientAuth::Post), Some(ClientAuth::Basic)] {
        let emulator = emulator();
        let mut chain = DelegationChain::new(&emulator.agent().unwrap(), REDIRECT).unwrap();
        if let Some(how) = how {
            chain = chain.client_auth(how);
        }
        let back = come_back(&emulator, &chain.consent_url("s1", ["read:documents"]).unwrap());
        chain.handle_consent_callback("s1", query(&back)["code"].as_str()).unwrap();
        chain.exchange("s1", []).unwrap();
    }
    // The client itself may use Basic throughout.
    let emulator = emulator();
    let agent = Agent::builder()
        .base_url(emulator.site().base_url())
        .tenant("acme")
        .client_id("agt_1")
        .client_secret("fixed-secret")
        .client_auth(ClientAuth::Basic)
        .build_with(emulator.transport())
        .unwrap();
    let chain = DelegationChain::new(&agent, REDIRECT).unwrap();
    consent(&emulator, &chain, "s1");
    emulator.advance(Duration::from_secs(3600));
    chain.exchange("s1", []).unwrap();
}

#[test]
fn sixty_four_threads_on_one_expired_session_make_one_refresh() {
    let emulator = emulator();
    let chain = chain(&emulator);
    consent(&emulator, &chain, "s1");
    emulator.advance(Duration::from_secs(3600));
    let before = emulator.count("oauth.token").unwrap();
    let barrier = Arc::new(Barrier::new(64));
    let tokens: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..64)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    chain.exchange("s1", []).unwrap().token().secret().expose().to_owned()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(tokens.iter().all(|token| token == &tokens[0]));
    // One refresh of the user's token, one token of the agent, one exchange.
    let requests = emulator.count("oauth.token").unwrap() - before;
    println!("64 threads: {requests} token requests (refresh, agent, exchange)");
    assert_eq!(requests, 3);
}

#[test]
fn f7_a_refresh_token_is_never_sent_twice() {
    let emulator = emulator();
    let chain = chain(&emulator);
    consent(&emulator, &chain, "s1");
    emulator.advance(Duration::from_secs(3600));
    // The answer to the refresh is lost: the token may have been rotated.
    emulator.fault(FaultRule::on("oauth.token").nth(1).reset()).unwrap();
    let error = chain.exchange("s1", []).unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error:?}");
    let before = emulator.count("oauth.token").unwrap();
    let error = chain.exchange("s1", []).unwrap_err();
    assert!(matches!(error, Error::Consent(ConsentError::Needed)) && error.needs_consent(), "{error:?}");
    assert_eq!(emulator.count("oauth.token").unwrap(), before);
    consent(&emulator, &chain, "s1");
    chain.exchange("s1", []).unwrap();
}

#[test]
fn f7_a_refresh_that_was_not_sent_is_made_again_and_a_code_is_sent_once() {
    let emulator = emulator();
    let chain = chain(&emulator);
    consent(&emulator, &chain, "s1");
    emulator.advance(Duration::from_secs(3600));
    emulator.fault(FaultRule::on("oauth.token").nth(1).times(3).drop_before()).unwrap();
    assert!(chain.exchange("s1", []).is_err());
    // The failure is the answer for a moment, for all who come.
    assert!(chain.exchange("s1", []).is_err());
    emulator.advance(Duration::from_secs(1));
    chain.exchange("s1", []).unwrap();

    let back = come_back(&emulator, &chain.consent_url("s2", ["read:documents"]).unwrap());
    emulator.fault(FaultRule::on("oauth.token").nth(1).truncate(5)).unwrap();
    let before = emulator.count("oauth.token").unwrap();
    let error = chain.handle_callback_url("s2", &back).unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { operation: "oauth.token", .. }), "{error:?}");
    assert_eq!(emulator.count("oauth.token").unwrap() - before, 1);
}

#[test]
fn authority_is_handed_on_three_deep_and_no_deeper() {
    let emulator = emulator();
    let chain = chain(&emulator);
    consent(&emulator, &chain, "s1");
    let other = |id: &str| {
        let agent = Agent::builder().base_url(emulator.site().base_url()).tenant("acme");
        let agent =
            agent.client_id(id).client_secret("fixed-secret").build_with(emulator.transport()).unwrap();
        agent.access_token().unwrap().secret().clone()
    };
    let second = chain.delegate_to_sub_agent("s1", other("agt_2"), ["read:documents"]).unwrap();
    assert_eq!(second.unverified_claims().unwrap().unverified_actors().len(), 2);
    // The second agent hands on in a chain of its own.
    let own = DelegationChain::without_consent(&emulator.agent().unwrap());
    own.set_user_token("s1", second.token().secret().clone()).unwrap();
    let third = own.exchange("s1", []).unwrap();
    assert_eq!(third.unverified_claims().unwrap().unverified_actors().len(), 3);
    let before = emulator.count("oauth.token").unwrap();
    let error = own.delegate_to_sub_agent("s1", other("agt_4"), []).unwrap_err();
    assert!(matches!(&error, Error::Input(error) if error.to_string().contains("three actors")), "{error}");
    assert_eq!(emulator.count("oauth.token").unwrap() - before, 1, "only the sub-agent's own token");
}

#[test]
fn revoking_reports_a_failure_and_can_be_tried_again() {
    let emulator = emulator();
    let chain = chain(&emulator);
    consent(&emulator, &chain, "s1");
    consent(&emulator, &chain, "s2");
    emulator.fault(FaultRule::on("oauth.revoke").nth(1).times(3).status(503)).unwrap();
    assert!(chain.revoke("s1").unwrap_err().is_temporary());
    assert!(chain.has_delegation("s1").unwrap(), "kept, to try again");
    assert!(emulator.active_refresh_tokens() >= 2);
    chain.revoke_all().unwrap();
    assert_eq!(emulator.active_refresh_tokens(), 0);
    assert!(chain.active_sessions().unwrap().is_empty());
}

#[test]
fn the_store_is_asked_and_its_failure_is_told() {
    let emulator = emulator();
    let memory = MemoryStore::new();
    let chain = chain(&emulator).store(stub(move |asked| match asked.saves() {
        true => Err(StoreError::unavailable("the disk is full")),
        false => asked.on(&memory),
    }));
    let error = chain.consent_url("s1", []).unwrap_err();
    assert_eq!(error.to_string(), "the store failed: the disk is full");
    assert_eq!(emulator.count_all(), 0);
}

#[test]
fn what_a_user_never_consented_to_is_refused() {
    let emulator = emulator();
    let chain = chain(&emulator);
    consent(&emulator, &chain, "s1");
    let error = chain.exchange("s1", ["write:documents"]).unwrap_err();
    assert!(matches!(&error, Error::Api(api) if api.has_code("insufficient_scope")), "{error}");
    assert!(matches!(chain.exchange("", []).unwrap_err(), Error::Input(_)));
    let never_begun = chain.exchange("s9", []).unwrap_err();
    assert!(matches!(never_begun, Error::Consent(ConsentError::Needed)), "{never_begun}");
    let stored = UserSession::new().to_bytes();
    assert!(UserSession::from_bytes(&stored).is_ok());
}
