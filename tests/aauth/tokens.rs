//! Authorization tokens (`auth+jwt`): claims, types, keys, and where keys come from.

use lumoauth::aauth::{RequestVerifier, VerifiedToken, VerifierConfig};
use lumoauth::crypto::sign_compact;
use lumoauth::embed::session::{Action, Machine, Step};
use lumoauth::verify::VerifyError;
use serde_json::{Value, json};

use super::support::{ISSUER, RESOURCE, START, World, at};

fn check_at(world: &World, token: &str, now: u64) -> Result<VerifiedToken, VerifyError> {
    match world.verifier.check_token(&token.into()).step(&at(now), None).unwrap() {
        Step::Done(outcome) => outcome,
        other => panic!("the keys are at hand: {other:?}"),
    }
}

fn check(world: &World, claims: &Value) -> Result<VerifiedToken, VerifyError> {
    check_at(world, &world.token(claims), START)
}

/// V2 over these tokens: only the specified shape passes, and malformed is never absent.
#[test]
fn v2_claims_of_authorization_tokens() {
    let world = World::new();
    check(&world, &world.claims()).unwrap();
    let odd = [
        json!(null),
        json!(true),
        json!(7),
        json!(-1),
        json!(1.5),
        json!(1e308),
        json!([]),
        json!([1]),
        json!({}),
        json!({"a": {}}),
        json!(""),
        json!([""]),
        json!([null]),
    ];
    let (mut refused, mut passed) = (0, 0);
    for claim in
        ["iss", "aud", "exp", "nbf", "iat", "jti", "sub", "agent", "agent_delegate", "scope", "act", "cnf"]
    {
        let mut claims = world.claims();
        claims.as_object_mut().unwrap().remove(claim);
        let required = ["iss", "aud", "exp", "cnf"].contains(&claim);
        assert_eq!(check(&world, &claims).is_err(), required, "{claim} missing");
        for value in &odd {
            let mut claims = world.claims();
            claims[claim] = value.clone();
            let date = ["exp", "nbf", "iat"].contains(&claim);
            // Numbers are dates; whether they are good ones is another question. No scope is an empty one.
            let fits = (date && (value == &json!(7) || value == &json!(1.5)) && claim != "exp")
                || (claim == "scope" && value == &json!(""));
            assert_eq!(check(&world, &claims).is_ok(), fits, "{claim}: {value}");
            if fits { passed += 1 } else { refused += 1 }
        }
    }
    // The same resource, as resources are compared everywhere.
    for audience in ["https://api.example.com/", "HTTPS://API.example.com:443"] {
        let mut claims = world.claims();
        claims["aud"] = json!(audience);
        assert_eq!(check(&world, &claims).unwrap().audience(), audience);
        passed += 1;
    }
    let others =
        ["https://api.example.com//", "https://api.example.com./", "https://api.example.com.evil.test"];
    let others = others.into_iter().chain(["http://api.example.com", "https://api.example.com:444", "api"]);
    for audience in
        [json!([RESOURCE]), json!([RESOURCE, "x"])].into_iter().chain(others.map(|own| json!(own)))
    {
        let mut claims = world.claims();
        claims["aud"] = audience.clone();
        assert!(check(&world, &claims).is_err(), "{audience}");
        refused += 1;
    }
    let jwk = world.agent.public_jwk();
    let mut private = jwk.clone();
    private["d"] = json!("AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM");
    let p256 = lumoauth::crypto::KeyPair::generate_p256().unwrap().public_jwk().to_json();
    for cnf in [
        json!({"jkt": world.agent.thumbprint()}),
        json!({"jwk": private}),
        json!({"jwk": p256}),
        json!({"jwk": "x"}),
        json!({"jwk": jwk, "jkt": "other"}),
        json!({"jwk": jwk, "jkt": 7}),
        json!({"jwk": {"kty": "oct", "k": "AA"}}),
    ] {
        let mut claims = world.claims();
        claims["cnf"] = cnf.clone();
        let error = check(&world, &claims).unwrap_err();
        assert!(matches!(error, VerifyError::Claim { claim: "cnf", .. }), "{cnf}: {error}");
        refused += 1;
    }
    let mut both = world.claims();
    both["cnf"] = json!({"jwk": jwk, "jkt": world.agent.thumbprint()});
    check(&world, &both).unwrap();
    println!("v2 (auth+jwt): {refused} malformed claims refused, {passed} odd but good ones passed");
}

/// V8 is not for these tokens: their end has no leeway.
#[test]
fn the_end_has_no_leeway() {
    let world = World::new();
    let token = world.token(&world.claims());
    check_at(&world, &token, START + 3599).unwrap();
    assert!(matches!(check_at(&world, &token, START + 3600), Err(VerifyError::Expired)));
    let mut claims = world.claims();
    claims["nbf"] = json!(START + 60);
    check(&world, &claims).unwrap();
    claims["nbf"] = json!(START + 61);
    assert!(matches!(check(&world, &claims), Err(VerifyError::NotYetValid)));
}

/// V5 over these tokens.
#[test]
fn v5_types_of_authorization_tokens() {
    let world = World::new();
    let mut refused = 0;
    for typ in
        ["at+jwt", "JWT", "AUTH+JWT", "application/auth+jwt", "auth+jwt ", "agent+jwt", "resource+jwt", ""]
    {
        let token = sign_compact(&world.issuer, typ, &world.claims()).unwrap();
        let error = check_at(&world, &token, START).unwrap_err();
        assert!(matches!(error, VerifyError::Type | VerifyError::Malformed(_)), "{typ}: {error}");
        refused += 1;
    }
    // An access token's verifier does not take an authorization token either.
    println!("v5 (auth+jwt): {refused} other types, 0 accepted");
}

#[test]
fn chains_longer_than_allowed_are_refused() {
    let world = World::with(|config| config.max_actors(1));
    let mut claims = world.claims();
    claims["act"] = json!({"sub": "https://a.example/"});
    assert_eq!(check(&world, &claims).unwrap().actors().len(), 1);
    claims["act"] = json!({"sub": "https://a.example/", "act": {"sub": "https://b.example/"}});
    assert!(matches!(check(&world, &claims), Err(VerifyError::ActorDepth)));
}

/// H6: a key that is known from an earlier token is judged by what this token says of it.
#[test]
fn a_key_that_was_seen_before_is_judged_anew() {
    let world = World::new();
    let thumbprint = check(&world, &world.claims()).unwrap().thumbprint().to_owned();
    let with = |name: &str, place: &str, value: serde_json::Value| {
        let mut claims = world.claims();
        match place {
            "jwk" => claims["cnf"]["jwk"][name] = value,
            _ => claims["cnf"][name] = value,
        }
        check(&world, &claims)
    };
    assert_eq!(with("jkt", "cnf", json!(thumbprint)).unwrap().thumbprint(), thumbprint);
    for value in [json!("other"), json!(1), json!(null)] {
        assert!(matches!(with("jkt", "cnf", value), Err(VerifyError::Claim { claim: "cnf", .. })));
    }
    for (name, value) in [("use", "enc"), ("alg", "ES256"), ("d", "AAAA"), ("kty", "oct")] {
        let error = with(name, "jwk", json!(value)).unwrap_err();
        assert!(matches!(error, VerifyError::Claim { claim: "cnf", .. }), "{name}: {error}");
    }
    check(&world, &world.claims()).unwrap();
}

/// H6: an issuer that is not on the list is not asked for anything.
#[test]
fn only_the_keys_of_trusted_issuers_are_fetched() {
    let world = World::new();
    let verifier = RequestVerifier::new(VerifierConfig::new(RESOURCE, ISSUER)).unwrap();
    let step = |token: &str| verifier.check_token(&token.into()).step(&at(START), None).unwrap();
    match step(&world.token(&world.claims())) {
        Step::Do(Action::Send(request)) => {
            assert_eq!(request.url().to_string(), format!("{ISSUER}/aauth/jwks.json"))
        }
        other => panic!("{other:?}"),
    }
    for issuer in ["https://evil.test", "https://auth.acme.test/orgs/acme/api/v1/", ""] {
        let mut claims = world.claims();
        claims["iss"] = json!(issuer);
        match step(&world.token(&claims)) {
            Step::Done(Err(VerifyError::Issuer { .. })) => {}
            other => panic!("{issuer}: {other:?}"),
        }
    }
    for bad in ["https://api.example.com:0", "", "api"] {
        RequestVerifier::new(VerifierConfig::new(bad, ISSUER)).unwrap_err();
    }
    RequestVerifier::new(VerifierConfig::new(RESOURCE, "http://auth.acme.test")).unwrap_err();
}
