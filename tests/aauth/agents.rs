//! Requests that agents sign with their own tokens: the directory says which agents there are, and where their keys are.

use lumoauth::Secret;
use lumoauth::aauth::{
    AgentKey, AgentVerifier, AgentVerifierConfig, IncomingMessage, MemoryReplayStore, Message, MessageFault,
    Nonce, RequestError, VerifiedAgentRequest,
};
use lumoauth::crypto::KeyPair;
use lumoauth::embed::session::{Action, Machine, Step};
use lumoauth::http::{Method, Request};
use lumoauth::time::Timestamp;
use lumoauth::verify::{IssuerKeys, TrustedIssuer, VerifyError};
use serde_json::{Value, json};

use super::support::*;

const BODY: &[u8] = br#"{"name":"report"}"#;

const AGENT: &str = "https://agent.test";
const OTHER: &str = "https://other-agent.test";

/// The agent's own server key, and the key of the delegate that signs messages.
fn keys() -> (AgentKey, AgentKey) {
    let own = AgentKey::from_seed(&[1; 32]).unwrap();
    (own, AgentKey::from_seed(&[2; 32]).unwrap().with_key_id("worker").unwrap())
}

fn published(keys: &[&AgentKey]) -> IssuerKeys {
    let keys: Vec<Value> = keys.iter().map(|key| key.public_jwk()).collect();
    IssuerKeys::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap()
}

fn verifier() -> AgentVerifier {
    let (own, delegate) = keys();
    let config = AgentVerifierConfig::new(ISSUER)
        .agent(TrustedIssuer::new(AGENT).keys(published(&[&own, &delegate])))
        .agent(TrustedIssuer::new(OTHER).keys(published(&[&other()])));
    AgentVerifier::new(config).unwrap()
}

fn other() -> AgentKey {
    AgentKey::from_seed(&[3; 32]).unwrap().with_key_id("other-1").unwrap()
}

fn claims(agent: &str, confirmation: Value) -> Value {
    json!({
        "iss": agent, "sub": "worker-1", "aud": [ISSUER], "iat": START, "exp": START + 600, "jti": "jti_a",
        "cnf": confirmation,
    })
}

/// A request with this token that this key has signed.
fn signed(key: &AgentKey, token: Option<&Secret>) -> Request<()> {
    let mut message = Message::new(Method::POST, "https://auth.acme.test/orgs/acme/api/v1/aauth/agent/token")
        .unwrap()
        .body(BODY);
    if let Some(token) = token {
        message = message.agent_token(token.clone()).unwrap();
    }
    let mut request = Request::new(());
    message
        .sign(key, Timestamp::from_unix(START), &Nonce::from_random(&[1; 16]))
        .unwrap()
        .apply(&mut request)
        .unwrap();
    request
}

fn outcome(
    checks: &AgentVerifier,
    key: &AgentKey,
    token: &Secret,
) -> Result<VerifiedAgentRequest, RequestError> {
    let request = signed(key, Some(token));
    let message = IncomingMessage::new(&request, BODY);
    match checks.check(message).step(&at(START), None).unwrap() {
        Step::Done(result) => result?.reserve(&MemoryReplayStore::new(), &at(START)),
        other => panic!("the keys are at hand: {other:?}"),
    }
}

#[test]
fn h6_an_agent_is_who_the_directory_says_both_ways() {
    let (own, delegate) = keys();
    let checks = verifier();
    for confirmation in [json!({"jwk": delegate.public_jwk()}), json!({"jkt": delegate.thumbprint()})] {
        let token = own.sign_token("agent+jwt", &claims(AGENT, confirmation)).unwrap();
        let verified = outcome(&checks, &delegate, &token).unwrap();
        assert_eq!((verified.agent(), verified.delegate()), (AGENT, "worker-1"));
        assert_eq!(verified.token().thumbprint(), delegate.thumbprint());
        assert_eq!(verified.token().public_key().to_jwk().thumbprint(), delegate.thumbprint());
        // The right token and another's signature: not even the agent's own server key.
        for key in [&own, &other()] {
            let error = outcome(&checks, key, &token).unwrap_err();
            assert!(matches!(error, RequestError::Message(MessageFault::Signature)), "{error}");
        }
    }
    // One agent speaks for another: with its own key, under the other's key id, and the other way round.
    let confirmation = || json!({"jwk": other().public_jwk()});
    let kinds = [
        (other().sign_token("agent+jwt", &claims(AGENT, confirmation())), "its own id"),
        (
            other().with_key_id("key-1").unwrap().sign_token("agent+jwt", &claims(AGENT, confirmation())),
            "the other's id",
        ),
        (own.sign_token("agent+jwt", &claims(OTHER, confirmation())), "the other way round"),
        (
            own.clone()
                .with_key_id("other-1")
                .unwrap()
                .sign_token("agent+jwt", &claims(OTHER, confirmation())),
            "under its id",
        ),
    ];
    for (token, how) in kinds {
        let error = outcome(&checks, &other(), &token.unwrap()).unwrap_err();
        let refused = matches!(error, RequestError::Token(VerifyError::UnknownKey | VerifyError::Signature));
        assert!(refused, "{how}: {error}");
    }
    // A thumbprint that only another agent has published.
    let token = own.sign_token("agent+jwt", &claims(AGENT, json!({"jkt": other().thumbprint()}))).unwrap();
    let error = outcome(&checks, &other(), &token).unwrap_err();
    assert!(matches!(error, RequestError::Token(VerifyError::Claim { claim: "cnf", .. })), "{error}");
}

#[test]
fn h6_a_key_documents_own_claim_is_never_enough() {
    let (own, delegate) = keys();
    let checks = AgentVerifier::new(AgentVerifierConfig::new(ISSUER).agent(OTHER)).unwrap();
    let good = own.sign_token("agent+jwt", &claims(AGENT, json!({"jwk": delegate.public_jwk()}))).unwrap();
    let begin = |checks: &AgentVerifier, token: &Secret| {
        let request = signed(&delegate, Some(token));
        checks.check(IncomingMessage::new(&request, BODY)).step(&at(START), None).unwrap()
    };
    // An agent that is not in the directory causes no request, whatever it says of itself.
    let step = begin(&checks, &good);
    assert!(matches!(step, Step::Done(Err(RequestError::Token(VerifyError::Issuer { .. })))), "{step:?}");
    // One that is in it is asked at its own place, and nowhere else.
    checks.register(AGENT).unwrap();
    assert!(checks.register(AGENT).is_err());
    let Step::Do(Action::Send(request)) = begin(&checks, &good) else { panic!("its keys are not at hand") };
    assert_eq!(request.url(), "https://agent.test/jwks.json");
    assert!(checks.forget(AGENT) && !checks.forget(AGENT));
    checks.register(TrustedIssuer::new(AGENT).jwks_url("https://auth.acme.test/agents/1/jwks.json")).unwrap();
    let mut check = {
        let Step::Do(Action::Send(request)) = begin(&checks, &good) else {
            panic!("its keys are not at hand")
        };
        assert_eq!(request.url(), "https://auth.acme.test/agents/1/jwks.json");
        drop(request);
        checks.check_token(&good)
    };
    // The key set of the other agent says that it is this agent's, and has the right id: its key did not sign.
    let liar = json!({"agent": AGENT, "issuer": AGENT, "keys": [other().with_key_id("key-1").unwrap().public_jwk()]});
    let mut now = at(START + 2);
    let step = loop {
        match check.step(&now, None).unwrap() {
            Step::Do(Action::Wait(pause)) => now.monotonic += pause,
            Step::Do(Action::Send(_)) => {
                let response = lumoauth::embed::wire::Response::new(
                    lumoauth::http::StatusCode::OK,
                    lumoauth::http::HeaderMap::new(),
                    liar.to_string(),
                );
                break check.step(&now, Some(lumoauth::embed::session::Arrived::Response(response))).unwrap();
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(step, Step::Done(Err(VerifyError::Signature))), "{step:?}");
}

#[test]
fn what_an_agent_token_must_be() {
    let (own, delegate) = keys();
    let checks = verifier();
    let with = |claim: &str, value: Value| {
        let mut claims = claims(AGENT, json!({"jwk": delegate.public_jwk()}));
        claims[claim] = value;
        own.sign_token("agent+jwt", &claims).unwrap()
    };
    outcome(&checks, &delegate, &with("aud", json!(ISSUER))).unwrap();
    outcome(&checks, &delegate, &with("aud", json!(["https://x.test", ISSUER]))).unwrap();
    for (claim, value) in [
        ("aud", json!(RESOURCE)),
        ("aud", json!([])),
        ("aud", json!(format!("{ISSUER}/"))),
        ("exp", json!(START)),
        ("exp", json!("1")),
        ("exp", json!(null)),
        ("nbf", json!(START + 61)),
        ("iat", json!(START + 61)),
        ("sub", json!(null)),
        ("sub", json!("")),
        ("sub", json!(1)),
        ("jti", json!(1)),
        ("iss", json!(format!("{AGENT}/"))),
        ("iss", json!([AGENT])),
        ("cnf", json!(null)),
        ("cnf", json!({})),
        ("cnf", json!({"jkt": 1})),
        ("cnf", json!({"kid": "worker"})),
    ] {
        let error = outcome(&checks, &delegate, &with(claim, value.clone())).unwrap_err();
        assert!(matches!(error, RequestError::Token(_)), "{claim} {value}: {error}");
    }
    let sound = claims(AGENT, json!({"jwk": delegate.public_jwk()}));
    for typ in ["JWT", "auth+jwt", "Agent+jwt", "application/agent+jwt", "at+jwt"] {
        let error = outcome(&checks, &delegate, &own.sign_token(typ, &sound).unwrap()).unwrap_err();
        assert!(matches!(error, RequestError::Token(VerifyError::Type)), "{typ}: {error}");
    }
    let request = signed(&delegate, None);
    let step = checks.check(IncomingMessage::new(&request, BODY)).step(&at(START), None).unwrap();
    let Step::Done(Err(RequestError::Token(VerifyError::MissingToken))) = step else { panic!("{step:?}") };
    // A P-256 key can publish and sign tokens, and cannot sign messages.
    let p256 = KeyPair::generate_p256().unwrap();
    let error =
        outcome(&checks, &delegate, &with("cnf", json!({"jwk": p256.public_jwk().to_json()}))).unwrap_err();
    assert!(matches!(error, RequestError::Token(VerifyError::Claim { claim: "cnf", .. })), "{error}");
}

#[test]
fn h4_an_agents_request_is_good_once_and_only_while_it_is_fresh() {
    use lumoauth::aauth::Reserved;
    let (own, delegate) = keys();
    let checks = verifier();
    let proven = |ends: u64| {
        let mut claims = claims(AGENT, json!({"jwk": delegate.public_jwk()}));
        claims["exp"] = json!(ends);
        let token = own.sign_token("agent+jwt", &claims).unwrap();
        let request = signed(&delegate, Some(&token));
        match checks.check(IncomingMessage::new(&request, BODY)).step(&at(START), None).unwrap() {
            Step::Done(proven) => proven.unwrap(),
            other => panic!("the keys are at hand: {other:?}"),
        }
    };
    let store = MemoryReplayStore::new();
    proven(START + 600).reserve(&store, &at(START)).unwrap();
    let again = proven(START + 600).reserve(&store, &at(START)).unwrap_err();
    assert!(matches!(again, RequestError::Replayed), "{again}");
    let full = proven(START + 600).reserved(Reserved::Full, &at(START)).unwrap_err();
    assert!(matches!(full, RequestError::Full), "{full}");
    // A store that answers late: signature and token are judged by the time of its answer.
    proven(START + 600).reserved(Reserved::First, &at(START + 60)).unwrap();
    let late = proven(START + 600).reserved(Reserved::First, &at(START + 61)).unwrap_err();
    assert!(matches!(late, RequestError::Message(MessageFault::NotFresh { .. })), "{late}");
    proven(START + 30).reserved(Reserved::First, &at(START + 29)).unwrap();
    let over = proven(START + 30).reserved(Reserved::First, &at(START + 30)).unwrap_err();
    assert!(matches!(over, RequestError::Token(VerifyError::Expired)), "{over}");
}

#[test]
fn the_end_of_an_agent_token_has_no_leeway() {
    let (own, delegate) = keys();
    let checks = verifier();
    let token = own.sign_token("agent+jwt", &claims(AGENT, json!({"jwk": delegate.public_jwk()}))).unwrap();
    for (second, taken) in [(599, true), (600, false), (601, false), (659, false), (700, false)] {
        let Step::Done(result) = checks.check_token(&token).step(&at(START + second), None).unwrap() else {
            panic!("the keys are at hand")
        };
        assert_eq!(result.is_ok(), taken, "{second}");
        assert!(taken || matches!(result, Err(VerifyError::Expired)), "{second}");
    }
}
