//! Whom tokens speak for: those of the emulator, and those that leave signs out or contradict themselves.

use lumoauth::emulator::Emulator;
use lumoauth::service::{Caller, CallerKind};
use lumoauth::verify::Verifier;
use lumoauth::{AccessToken, DelegationChain, TokenVerifier};
use serde_json::{Value, json};

use super::support::*;

/// A token with these claims, verified, and the caller that it makes.
fn caller(changes: &Value) -> Caller {
    let verifier: Verifier = verifier();
    let mut check = verifier.check(&token(ed25519(), changes));
    match lumoauth::embed::session::Machine::step(&mut check, &at(START), None).unwrap() {
        lumoauth::embed::session::Step::Done(verified) => Caller::new(verified.unwrap()),
        lumoauth::embed::session::Step::Do(_) => panic!("the keys are given"),
    }
}

#[test]
fn tokens_of_the_emulator_carry_the_signs() {
    let emulator =
        Emulator::builder().tenant(lumoauth::emulator::Tenant::demo()).auto_consent("alice").build().unwrap();
    let agent = emulator.agent().unwrap();
    let api = emulator.client_id();
    let verifier = |audience: &str| TokenVerifier::of(&agent, audience).unwrap();
    let of =
        |token: &AccessToken, audience: &str| Caller::new(verifier(audience).verify(token.secret()).unwrap());

    let own = of(&agent.access_token().unwrap(), api);
    assert_eq!((own.kind(), own.agent_id(), own.person()), (CallerKind::Agent, Some("agt_demo"), None));
    assert_eq!(own.token().claims()["agent_name"], "research-bot");

    let bound = of(&agent.mcp_token("my-mcp-server").unwrap(), "https://mcp.acme.test/my-mcp-server");
    assert_eq!((bound.kind(), bound.agent_id()), (CallerKind::Agent, Some("agt_demo")));

    let chain = DelegationChain::new(&agent, "http://127.0.0.1/callback").unwrap();
    let url = chain.consent_url("s", ["read:documents"]).unwrap();
    let answered = emulator.handle_in_process(&lumoauth::embed::wire::Request::new(
        lumoauth::http::Method::GET,
        url.parse().unwrap(),
    ));
    let back = answered.response.headers()["location"].to_str().unwrap().to_owned();
    chain.handle_callback_url("s", &back).unwrap();
    let delegated = chain.exchange("s", ["read:documents"]).unwrap();
    let delegated = Caller::new(verifier(api).verify(delegated.token().secret()).unwrap());
    assert_eq!(
        (delegated.kind(), delegated.person(), delegated.agent_id()),
        (CallerKind::AgentFor, Some("user:alice"), Some("agt_demo"))
    );
    assert!(delegated.is_agent() && !delegated.is_person());
}

#[test]
fn a_person_is_one_by_a_positive_sign_only() {
    assert_eq!(caller(&json!({})).kind(), CallerKind::Unknown);
    assert_eq!(caller(&json!({"sub": "user:alice"})).kind(), CallerKind::Unknown, "a name proves nothing");
    let person = caller(&json!({"sub": "user:alice", "auth_time": START}));
    assert_eq!(
        (person.kind(), person.person(), person.agent_id()),
        (CallerKind::Person, Some("user:alice"), None)
    );
    assert_eq!(caller(&json!({"auth_time": START, "agent_id": "a"})).kind(), CallerKind::Unknown);
    assert_eq!(caller(&json!({"auth_time": "now"})).kind(), CallerKind::Unknown);
}

#[test]
fn the_agents_of_a_chain_each_have_an_id_or_none_counts() {
    let of = |changes: Value| {
        let caller = caller(&changes);
        assert_eq!(caller.kind(), CallerKind::AgentFor, "{changes}");
        caller.agent_ids().map(|ids| ids.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    let both = json!({"sub": "a", "agent_id": "1", "act": {"sub": "b", "agent_id": "2"}});
    assert_eq!(of(json!({"act": {"sub": "a"}})), None);
    assert_eq!(of(json!({"act": {"sub": "a"}, "agent_id": "1"})), Some(vec!["1".to_owned()]));
    assert_eq!(of(json!({"act": {"sub": "a", "agent_id": "1"}})), Some(vec!["1".to_owned()]));
    assert_eq!(of(json!({"act": {"sub": "a", "agent_id": "1"}, "agent_id": "2"})), None, "two of one");
    assert_eq!(of(json!({"act": both})), Some(vec!["1".to_owned(), "2".to_owned()]));
    assert_eq!(of(json!({"act": both, "agent_id": "2"})), Some(vec!["1".to_owned(), "2".to_owned()]));
    assert_eq!(of(json!({"act": both, "agent_id": "3"})), None);
    assert_eq!(of(json!({"act": {"sub": "a", "agent_id": "1", "act": {"sub": "b"}}, "agent_id": "1"})), None);
    assert_eq!(of(json!({"act": {"sub": "a", "agent_id": 7}})), None);
}
