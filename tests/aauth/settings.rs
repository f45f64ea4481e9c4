//! What is set is what counts, what is read is what was written, and bounds are where they are said to be.

use std::time::Duration;

use lumoauth::aauth::{
    AgentServer, AgentVerifier, AgentVerifierConfig, Delegate, Grant, IncomingMessage, MemoryReplayStore,
    Message, MessageFault, MessagePolicy, Nonce, RequestError, Reservation, Reserved, Resource,
    SignatureInput, parse_agent_auth, parse_signature,
};
use lumoauth::crypto::{KeyPair, sign_compact};
use lumoauth::embed::session::{Machine, Step};
use lumoauth::http::{HeaderValue, Method, Request};
use lumoauth::time::{Now, Timestamp};
use lumoauth::verify::{IssuerKeys, Leeway, TrustedIssuer, VerifyError};
use serde_json::{Value, json};

use super::support::*;

const AGENT: &str = "https://agent.test";

fn given(issuer: &str, key: &Value) -> TrustedIssuer {
    let set = json!({"keys": [key]}).to_string();
    TrustedIssuer::new(issuer).keys(IssuerKeys::parse(set.as_bytes()).unwrap())
}

#[test]
fn what_a_verifier_of_agents_is_set_to_counts() {
    let key = lumoauth::aauth::AgentKey::from_seed(&[1; 32]).unwrap();
    let config = || AgentVerifierConfig::new(ISSUER).agent(given(AGENT, &key.public_jwk()));
    let claims = json!({
        "iss": AGENT, "sub": "worker-1", "aud": [ISSUER], "iat": START, "exp": START + 600, "jti": "jti_a",
        "cnf": {"jwk": key.public_jwk()},
    });
    let token = key.sign_token("agent+jwt", &claims).unwrap();
    let ask = |config: AgentVerifierConfig, url: &str, body: &[u8], later: u64| {
        let message = Message::new(Method::POST, url).unwrap().body(body);
        let message = message.agent_token(token.clone()).unwrap();
        let mut request = Request::new(());
        let nonce = Nonce::from_random(&[1; 16]);
        message.sign(&key, Timestamp::from_unix(START), &nonce).unwrap().apply(&mut request).unwrap();
        let verifier = AgentVerifier::new(config).unwrap();
        match verifier.check(IncomingMessage::new(&request, body)).step(&at(START + later), None).unwrap() {
            Step::Done(result) => result?.reserve(&MemoryReplayStore::new(), &at(START + later)),
            other => panic!("the keys are at hand: {other:?}"),
        }
    };
    let url = "https://auth.acme.test/orgs/acme/api/v1/aauth/agent/token";
    let taken = ask(config(), url, b"{}", 60).unwrap();
    assert_eq!(taken.token().id(), Some("jti_a"));
    let fault = |error: RequestError| match error {
        RequestError::Message(fault) => fault,
        other => panic!("{other}"),
    };
    let error = fault(ask(config(), url, b"{}", 61).unwrap_err());
    assert!(matches!(error, MessageFault::NotFresh { .. }));
    let narrow = || config().window(Leeway::seconds(10).unwrap());
    ask(narrow(), url, b"{}", 10).unwrap();
    assert!(matches!(fault(ask(narrow(), url, b"{}", 11).unwrap_err()), MessageFault::NotFresh { .. }));
    ask(config().longest_body(2), url, b"{}", 0).unwrap();
    let error = fault(ask(config().longest_body(2), url, b"{ }", 0).unwrap_err());
    assert_eq!(error, MessageFault::TooLong { what: "its body is" });
    // Called at another host than the one that tokens name.
    let elsewhere = || config().url("https://edge.test:8443/any");
    ask(elsewhere(), "https://edge.test:8443/any", b"{}", 0).unwrap();
    assert_eq!(fault(ask(elsewhere(), url, b"{}", 0).unwrap_err()), MessageFault::Signature);
    assert_eq!(
        fault(ask(config(), "https://edge.test:8443/any", b"{}", 0).unwrap_err()),
        MessageFault::Signature
    );
}

#[test]
fn what_a_verifier_of_requests_is_set_to_counts() {
    const SECOND: &str = "https://second.test";
    let other = KeyPair::generate_ed25519().unwrap();
    let with = |issuer: &str, world: &World, key: &KeyPair| {
        let mut claims = world.claims();
        claims["iss"] = json!(issuer);
        let token = sign_compact(key, "auth+jwt", &claims).unwrap();
        let message = Message::new(Method::GET, RESOURCE).unwrap();
        world.request(&message.authorization(format!("Bearer {token}")).unwrap(), b"", START)
    };
    let world = World::with(|config| config.also_issuer(given(SECOND, &other.public_jwk().to_json())));
    assert_eq!(world.verify(&with(SECOND, &world, &other)).unwrap().token().issuer(), SECOND);
    assert_eq!(world.verify(&with(ISSUER, &world, &world.issuer)).unwrap().token().issuer(), ISSUER);
    // Each issuer has its own keys alone.
    for (issuer, key) in [(ISSUER, &other), (SECOND, &world.issuer), ("https://third.test", &other)] {
        let error = world.verify(&with(issuer, &world, key)).unwrap_err();
        assert!(matches!(error, RequestError::Token(_)), "{issuer}: {error}");
    }
    // A token of exactly the longest length is taken, and of one byte less room it is not.
    let length = |world: &World| world.token(&world.claims()).len();
    let exact = length(&World::new());
    for (longest, is_taken) in [(exact, true), (exact - 1, false)] {
        let world = World::with(|config| config.longest_token(longest));
        assert_eq!(length(&world), exact);
        let result = world.verify(&world.request(&world.message(Method::GET, "/", b""), b"", START));
        match result {
            Ok(_) => assert!(is_taken),
            Err(error) => {
                assert!(!is_taken && matches!(error, RequestError::Token(VerifyError::TooLong)), "{error}");
            }
        }
    }
}

#[test]
fn what_documents_and_tokens_of_resources_and_agents_say() {
    let key = || lumoauth::aauth::AgentKey::from_seed(&[5; 32]).unwrap();
    let server = AgentServer::new(AGENT, key()).unwrap();
    assert_eq!(server.document("https://agent.test/jwks.json").get("name"), None);
    let server = server.name("Reports");
    assert_eq!(server.document("https://agent.test/jwks.json")["name"], "Reports");
    let resource = Resource::new("https://api.test", key()).unwrap();
    assert_eq!(resource.resource(), "https://api.test");
    let thumbprint = key().thumbprint().to_owned();
    let claims = |grant: &Grant| {
        let token = resource.mint(grant, &at(START)).unwrap();
        let payload = token.expose().split('.').nth(1).unwrap().to_owned();
        let payload =
            base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, payload).unwrap();
        serde_json::from_slice::<Value>(&payload).unwrap()
    };
    let grant = Grant::new(AGENT, &*thumbprint, ISSUER).unwrap();
    assert_eq!(claims(&grant).get("auth_request_url"), None);
    let grant = grant.auth_request_url("https://api.test/authorize");
    assert_eq!(claims(&grant)["auth_request_url"], "https://api.test/authorize");
    for (agent, jkt, issuer, argument) in [
        ("agent", &*thumbprint, ISSUER, "agent"),
        ("http://agent.test", &thumbprint, ISSUER, "agent"),
        (AGENT, "short", ISSUER, "agent_jkt"),
        (AGENT, "", ISSUER, "agent_jkt"),
        (AGENT, &thumbprint, "", "issuer"),
    ] {
        let error = Grant::new(agent, jkt, issuer).unwrap_err();
        assert!(error.to_string().contains(argument), "{agent} {jkt} {issuer}: {error}");
    }
    assert!(Delegate::by_thumbprint("worker", "short").is_err());
}

#[test]
fn bounds_of_headers_are_where_they_are_said_to_be() {
    // One byte below the bound it is read, and refused for what it is.
    let input = |length: usize| SignatureInput::parse(&"x".repeat(length)).unwrap_err().to_string();
    assert!(!input(1024).contains("1 KiB") && input(1025).contains("1 KiB"));
    let signature = |length: usize| parse_signature(&"x".repeat(length)).unwrap_err().to_string();
    assert!(!signature(1024).contains("1 KiB") && signature(1025).contains("1 KiB"));
    let token = |length: usize| {
        let value = format!("agent_token={}", "x".repeat(length));
        parse_agent_auth(&value).map(str::len).ok()
    };
    assert_eq!((token(16 * 1024), token(16 * 1024 + 1)), (Some(16 * 1024), None));
    let created = |digits: usize| {
        let names = "\"@method\" \"@authority\" \"@path\"";
        let value = format!("sig1=({names});created={};nonce=\"{}\"", "9".repeat(digits), "n".repeat(22));
        SignatureInput::parse(&value).map(|input| input.created())
    };
    assert_eq!(created(15).unwrap(), 999_999_999_999_999);
    created(16).unwrap_err();
}

#[test]
fn what_stands_around_a_value_is_never_guessed_away() {
    let world = World::new();
    let good = || world.request(&world.message(Method::POST, "/x", b"{}"), b"{}", START);
    let policy = MessagePolicy::new(RESOURCE).unwrap();
    assert_eq!(policy.authority(), "api.example.com");
    let read = |request: &Request<Vec<u8>>| {
        let message = IncomingMessage::new(request, request.body());
        policy.read(&message, &at(START)).map(|message| message.authorization().map(str::to_owned))
    };
    let bearer = good().headers()["authorization"].to_str().unwrap().to_owned();
    assert_eq!(read(&good()).unwrap(), Some(bearer));
    let names =
        ["signature-input", "signature", "signature-key", "content-digest", "content-type", "authorization"];
    let mut refused = 0;
    for name in names.into_iter().filter(|name| good().headers().contains_key(*name)) {
        let own = good().headers()[name].as_bytes().to_vec();
        let with = |before: &[u8], behind: &[u8]| [before, &own, behind].concat();
        for value in [
            Vec::new(),
            b" ".to_vec(),
            with(b" ", b""),
            with(b"", b" "),
            with(b"", b"\xe4"),
            with(b"\t", b""),
        ] {
            let mut request = good();
            request.headers_mut().insert(name, HeaderValue::from_bytes(&value).unwrap());
            let told = read(&request).unwrap_err().to_string();
            let expected = "is empty, has blanks at an end, or characters that are not visible ASCII";
            assert!(told.contains(expected), "{name} {value:?}: {told}");
            refused += 1;
        }
    }
    assert!(refused >= 30, "{refused}");
}

#[test]
fn refusals_name_what_must_be_covered() {
    let world = World::new();
    for (path, query) in [("/x", false), ("/x?a=1", true)] {
        let mut request = world.request(&world.message(Method::GET, path, b""), b"", START);
        let input = request.headers()["signature-input"].to_str().unwrap().replace("\"@method\" ", "");
        request.headers_mut().insert("signature-input", HeaderValue::try_from(input).unwrap());
        let error = world.verify(&request).unwrap_err();
        let RequestError::Message(fault) = &error else { panic!("{error}") };
        let told = fault.to_string();
        assert!(told.contains("exactly @method @authority @path"), "{told}");
        assert_eq!((told.contains("@query"), told.contains("content-digest")), (query, true), "{told}");
        assert!(error.advice().contains("Sign the request as it is sent"), "{}", error.advice());
    }
    for error in [RequestError::Replayed, RequestError::Full, RequestError::Revoked] {
        assert!(error.advice().ends_with('.'), "{error}");
    }
}

/// A store of nonces forgets in time, and neither sooner nor never.
#[test]
fn a_full_store_has_room_again_when_something_is_over() {
    let window = Duration::from_secs(10);
    let keep = 21;
    let of = |number: u64, created: u64| {
        let reservation =
            Reservation::of("thumb", &number.to_string(), Timestamp::from_unix(START + created), window);
        assert_eq!((reservation.thumbprint(), reservation.nonce()), ("thumb", &*number.to_string()));
        reservation
    };
    let now = |second: u64| -> Now { at(START + second) };
    let store = MemoryReplayStore::with_capacity(4);
    assert!(store.is_empty());
    let reserve = |number, second| store.reserve(&of(number, second), &now(second));
    assert_eq!(reserve(1, 0), Reserved::First);
    assert!(!store.is_empty());
    assert_eq!(reserve(2, 12), Reserved::First);
    // The first part is the older one from now on, and stays for as long again.
    let second_part = keep + 3;
    assert_eq!(reserve(3, second_part), Reserved::First);
    assert_eq!(reserve(4, second_part + 10), Reserved::First);
    assert_eq!(store.len(), 4);
    let last = second_part + keep - 1;
    assert_eq!(reserve(5, last), Reserved::Full);
    for (number, second) in [(1, 0), (2, 12), (3, second_part), (4, second_part + 10)] {
        assert_eq!(store.reserve(&of(number, second), &now(last)), Reserved::Again, "{number}");
    }
    assert_eq!(reserve(5, last + 1), Reserved::First);
    assert_eq!(store.len(), 3);
    // Those that were forgotten are refused by when they were made, for a wall clock may be set back; the others are known.
    for (number, second) in [(1, 0), (2, 12), (3, second_part), (4, second_part + 10), (6, 5)] {
        assert_eq!(store.reserve(&of(number, second), &now(last + 1)), Reserved::Again, "{number}");
    }
    // After a pause everything is forgotten at once.
    assert_eq!(reserve(7, 9 * keep), Reserved::First);
    assert_eq!(store.len(), 1);
    assert_eq!(store.reserve(&of(5, last + 1), &now(9 * keep)), Reserved::Again);
}
