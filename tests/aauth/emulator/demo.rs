//! A served resource: tokens, proofs, scopes, and no request twice.

use lumoauth::aauth::{IncomingMessage, MessageFault, RequestError, Verifier, VerifierConfig};
use lumoauth::http::header::WWW_AUTHENTICATE;
use lumoauth::http::{HeaderMap, Method};
use serde_json::json;

use super::world::*;

#[test]
fn a_token_and_a_proof_open_it_and_a_replay_does_not() {
    let world = World::new();
    let token = text(&world.granted("known", "read"), "auth_token");
    let request = world.data("known", &token, 1, "?limit=2");
    let answer = ok(&world.send(&request));
    assert_eq!(
        (&answer["agent"], &answer["scope"], &answer["method"]),
        (&json!(AGENT), &json!("read"), &json!("GET"))
    );
    let replay = world.send(&request);
    assert_eq!(refusal(&replay), code(401, "invalid_signature"));
    assert_eq!(replay.header(WWW_AUTHENTICATE), Some("Bearer realm=\"known\", error=\"invalid_token\""));
    assert_eq!(world.send(&world.data("known", &token, 1, "?limit=2")).status(), 200, "signed afresh");
}

#[test]
fn nothing_else_opens_it() {
    let world = World::new();
    let token = text(&world.granted("known", "read"), "auth_token");
    let bare = world.get(&world.url("aauth-demo/known/data"));
    assert_eq!(refusal(&bare), code(401, "authentication_required"));
    assert_eq!(bare.header(WWW_AUTHENTICATE), Some("Bearer realm=\"known\", scope=\"read\""));
    assert_eq!(body(&bare)["auth_server"], json!(world.issuer));

    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    let unsigned = with_headers(Method::GET, &world.url("aauth-demo/known/data"), b"", &headers);
    assert_eq!(refusal(&world.send(&unsigned)), code(401, "invalid_signature"), "a token alone");
    assert_eq!(
        refusal(&world.send(&world.data("known", &token, 2, ""))),
        code(401, "invalid_signature"),
        "another key"
    );
    assert_eq!(
        refusal(&world.send(&world.data("open", &token, 1, ""))),
        code(401, "invalid_token"),
        "another resource"
    );
    for bad in ["a.b.c", &world.agent_token(1), &world.api_token("read")] {
        let refused = world.send(&world.data("known", bad, 1, ""));
        assert_eq!(refusal(&refused), code(401, "invalid_token"), "{bad}");
        assert_eq!(refused.header(WWW_AUTHENTICATE), Some("Bearer realm=\"known\", error=\"invalid_token\""));
    }
    // The token is covered by the signature: another good one does not fit in its place.
    let other = text(&world.granted("known", "read"), "auth_token");
    let request = world.data("known", &token, 1, "");
    let mut headers = request.headers().clone();
    headers.insert("authorization", format!("Bearer {other}").parse().unwrap());
    let swapped = with_headers(Method::GET, &request.url().to_string(), b"", &headers);
    assert_eq!(refusal(&world.send(&swapped)), code(401, "invalid_signature"));
    // The query is, too.
    let request = world.data("known", &token, 1, "?a=1&b=2");
    for query in ["", "?b=2&a=1", "?a=1&b=2&c=3", "?a=%31&b=2"] {
        let url = world.url(&format!("aauth-demo/known/data{query}"));
        let other = with_headers(Method::GET, &url, b"", request.headers());
        assert_eq!(refusal(&world.send(&other)), code(401, "invalid_signature"), "{query}");
    }
    assert_eq!(world.send(&request).status(), 200);

    let narrow = text(&world.granted("open", "read"), "auth_token");
    let refused = world.send(&world.data("open", &narrow, 1, ""));
    assert_eq!(refusal(&refused), code(403, "forbidden"));
    let challenge = "Bearer realm=\"open\", error=\"insufficient_scope\", scope=\"read write\"";
    assert_eq!(refused.header(WWW_AUTHENTICATE), Some(challenge));
    world.emulator.advance(std::time::Duration::from_secs(3600));
    assert_eq!(
        refusal(&world.send(&world.data("known", &token, 1, ""))),
        code(401, "invalid_token"),
        "expired"
    );
}

#[test]
fn its_resource_tokens_are_for_registered_agents_and_known_scopes() {
    let world = World::new();
    let ask = |body: &serde_json::Value| {
        let url = world.url("aauth-demo/known/token").parse().unwrap();
        refusal(&world.send(&lumoauth::embed::wire::Request::new(Method::POST, url).json(body)))
    };
    let own = key(1);
    let jkt = own.thumbprint();
    assert_eq!(ask(&json!({"agent": AGENT, "agent_jkt": jkt})).0, 200);
    assert_eq!(ask(&json!({"agent": AGENT})), code(400, "invalid_request"));
    assert_eq!(
        ask(&json!({"agent": "https://agent.example", "agent_jkt": jkt})),
        code(400, "invalid_request")
    );
    assert_eq!(ask(&json!({"agent": AGENT, "agent_jkt": jkt, "scope": "fly"})), code(400, "invalid_scope"));
}

/// A resource of one's own, elsewhere, verifies with the library what the emulator has granted: keys by the emulator's JWKS.
#[test]
fn the_librarys_verifier_takes_what_is_granted_here_once() {
    let world = World::new();
    let token = world.consented_at_api();
    let config = VerifierConfig::new(API, world.issuer.as_str()).require_scopes("read");
    let verifier = Verifier::build_with(config, world.emulator.transport()).unwrap();
    let sent = |number: u8| {
        let url = format!("{API}/v1/data?limit=2");
        let request = world.signed(&key(number), Method::GET, &url, b"", |message| {
            message.authorization(format!("Bearer {token}")).unwrap()
        });
        request.headers().clone()
    };
    let verify = |headers: &HeaderMap| {
        verifier.verify_request(IncomingMessage {
            method: &Method::GET,
            path_and_query: "/v1/data?limit=2",
            headers,
            body: b"",
        })
    };
    let headers = sent(1);
    let verified = verify(&headers).unwrap();
    assert_eq!((verified.token().agent(), verified.token().subject()), (Some(AGENT), Some("user:alice")));
    assert!(matches!(verify(&headers), Err(RequestError::Replayed)));
    assert!(matches!(verify(&sent(2)), Err(RequestError::Message(MessageFault::Signature))));
    assert!(verify(&sent(1)).is_ok());
    assert_eq!(world.emulator.count("aauth.jwks").unwrap(), 1, "the keys are fetched once");
}
