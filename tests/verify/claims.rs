//! Claims: only the specified shape passes, and malformed is never absent.

use lumoauth::Secret;
use lumoauth::verify::{Verifier, VerifierConfig, VerifyError};
use serde_json::{Value, json};

use super::support::*;

/// A payload as text, with one claim written as given.
fn with_claim(claim: &str, value: Option<&str>) -> String {
    let mut members: Vec<String> = payload()
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| *name != claim)
        .map(|(name, value)| format!("{name:?}:{value}"))
        .collect();
    members.extend(value.map(|value| format!("{claim:?}:{value}")));
    format!("{{{}}}", members.join(","))
}

#[test]
fn v2_only_the_specified_shape_passes() {
    let verifier = Verifier::new(config().accept_bound_tokens()).unwrap();
    let (late, early) = (START + 600, START - 10);
    let number = |claim: &str| if claim == "exp" { late } else { early };
    let good = |claim: &str| match claim {
        "exp" | "nbf" | "iat" => number(claim).to_string(),
        "iss" => format!("{ISSUER:?}"),
        "aud" => format!("{AUDIENCE:?}"),
        "act" => r#"{"sub":"agent:a"}"#.to_owned(),
        "cnf" => r#"{"jkt":"thumbprint"}"#.to_owned(),
        _ => r#""x""#.to_owned(),
    };
    let (mut cases, mut passed) = (0, Vec::new());
    for claim in ["exp", "nbf", "iat", "iss", "sub", "aud", "client_id", "act", "cnf"] {
        let good = good(claim);
        let values: Vec<(&str, Option<String>)> = vec![
            ("good", Some(good.clone())),
            ("missing", None),
            ("null", Some("null".into())),
            ("string", Some(r#""x""#.into())),
            ("empty string", Some(r#""""#.into())),
            ("string of digits", Some(format!("\"{late}\""))),
            ("number", Some(number(claim).to_string())),
            ("float", Some(format!("{}.5", number(claim)))),
            ("negative", Some("-1".into())),
            ("negative float", Some("-1.5".into())),
            ("1e308", Some("1e308".into())),
            ("1e309", Some("1e309".into())),
            ("2^64", Some("18446744073709551616".into())),
            ("2^63", Some("9223372036854775808".into())),
            ("true", Some("true".into())),
            ("empty array", Some("[]".into())),
            ("array of good", Some(format!("[{good}]"))),
            ("array of good and number", Some(format!("[{good},1]"))),
            ("array of good and null", Some(format!("[{good},null]"))),
            ("nested array", Some(format!("[[{good}]]"))),
            ("empty object", Some("{}".into())),
            ("nested", Some(format!("{{{claim:?}:{good}}}"))),
            ("duplicate", Some(format!("{good},{claim:?}:{good}"))),
            ("duplicate inside", Some(r#"{"sub":"a","sub":"a"}"#.into())),
        ];
        for (shape, value) in values {
            cases += 1;
            let text = with_claim(claim, value.as_deref());
            let token = sign_raw(p256(), &header(p256()).to_string(), &text);
            let result = check(&verifier, &Secret::new(token), &at(START + 10));
            let expected = match (claim, shape) {
                (_, "good") => true,
                ("exp", "number" | "float") => true,
                ("nbf" | "iat", "missing" | "number" | "float") => true,
                ("sub" | "client_id", "string" | "string of digits") => true,
                ("aud", "array of good") => true,
                ("act" | "cnf", "missing") => true,
                // A confirmation of another kind than this one, but of the right shape.
                ("cnf", "nested") => true,
                _ => false,
            };
            assert_eq!(result.is_ok(), expected, "{claim}: {shape}: {result:?}");
            if expected {
                passed.push(format!("{claim}/{shape}"));
            } else {
                let error = result.unwrap_err();
                let wrong_value = matches!(error, VerifyError::Issuer { .. } | VerifyError::Audience { .. });
                let named = match &error {
                    VerifyError::Claim { claim: own, .. } => *own == claim,
                    // Twice the same key, and numbers that JSON cannot have, end in the parser.
                    VerifyError::Malformed(_) => shape.starts_with("duplicate") || shape == "1e309",
                    _ => wrong_value && matches!(shape, "string" | "string of digits"),
                };
                assert!(named, "{claim}: {shape}: {error}");
            }
        }
    }
    println!("v2: {cases} cases, {} of the specified shape passed, 0 others", passed.len());
}

#[test]
fn scopes_actors_and_bound_tokens() {
    let refused = |config, changes: Value| refusal(&Verifier::new(config).unwrap(), &token(p256(), &changes));
    let accepted = |config, changes: Value| {
        check(&Verifier::new(config).unwrap(), &token(p256(), &changes), &at(START)).unwrap()
    };
    let chain = |depth: usize| {
        (0..depth).rev().fold(Value::Null, |inner, at| {
            let mut act = json!({"sub": format!("agent:{at}")});
            if !inner.is_null() {
                act["act"] = inner;
            }
            act
        })
    };
    let seen = accepted(config(), json!({"act": chain(3)}));
    let subjects: Vec<_> = seen.actors().iter().map(lumoauth::claims::Actor::subject).collect();
    assert_eq!(subjects, ["agent:0", "agent:1", "agent:2"]);
    assert!(matches!(refused(config(), json!({"act": chain(4)})), VerifyError::ActorDepth));
    assert!(matches!(refused(config().max_actors(0), json!({"act": chain(1)})), VerifyError::ActorDepth));
    accepted(config().max_actors(0), json!({}));
    let allowed = || config().allow_actors(["agent:0", "agent:1"]);
    accepted(allowed(), json!({"act": chain(2)}));
    accepted(allowed(), json!({}));
    assert!(matches!(refused(allowed(), json!({"act": chain(3)})), VerifyError::ActorNotAllowed));

    assert!(matches!(refused(config(), json!({"cnf": {"jkt": "x"}})), VerifyError::Bound));
    let bound = accepted(config().accept_bound_tokens(), json!({"cnf": {"jkt": "x"}}));
    assert_eq!(bound.confirmation().unwrap()["jkt"], "x");

    accepted(config().require_scopes(["mcp:use"]), json!({}));
    for scope in ["", "mcp", "mcp:use2", "MCP:USE"] {
        let error = refused(config().require_scopes(["mcp:use"]), json!({"scope": scope}));
        assert!(matches!(error, VerifyError::InsufficientScope { .. }), "{scope}");
        assert_eq!(error.status(), 403);
    }
    for scope in [json!(["mcp:use"]), json!(1), json!("a\"b"), json!("a\nb"), json!({})] {
        let error = refused(config(), json!({"scope": scope}));
        assert!(matches!(error, VerifyError::Claim { claim: "scope", .. }), "{scope}");
    }
    let token = accepted(config(), json!({}));
    assert!(token.require_scopes(["read:documents", "mcp:use"]).is_ok());
    assert!(token.require_scopes("admin").is_err());
    assert_eq!((token.subject(), token.client_id(), token.id()), ("agent:bot", "agt_1", Some("jti_1")));
    assert_eq!(token.expires_at().unix(), START + 600);
}

#[test]
fn the_issuer_is_compared_byte_for_byte_and_the_audience_as_resources_are() {
    for issuer in
        [format!("{ISSUER}/"), ISSUER.to_uppercase(), format!(" {ISSUER}"), "https://issuer.test".into()]
    {
        let error = refusal(&verifier(), &token(p256(), &json!({"iss": issuer})));
        assert!(matches!(error, VerifyError::Issuer { .. }), "{issuer}: {error}");
    }
    for audience in [json!(format!("{AUDIENCE}/")), json!("https://api.test"), json!(["https://other.test"])]
    {
        let error = refusal(&verifier(), &token(p256(), &json!({"aud": audience})));
        assert!(matches!(error, VerifyError::Audience { .. }), "{audience}: {error}");
    }
    let host =
        |audience: &str| Verifier::new(VerifierConfig::new(given(&jwks(&[p256()])), audience)).unwrap();
    for (own, audience) in [
        (AUDIENCE, json!("HTTPS://API.test:443/mcp")),
        (AUDIENCE, json!(["https://other.test", "https://Api.Test/mcp"])),
        ("HTTPS://API.test:443/mcp", json!(AUDIENCE)),
        ("https://api.test", json!("https://api.test/")),
        ("https://api.test/", json!(["https://API.test"])),
    ] {
        let token = token(p256(), &json!({"aud": audience}));
        let taken = check(&host(own), &token, &at(START)).unwrap();
        assert_eq!(json!(taken.audience()), if audience.is_array() { audience } else { json!([audience]) });
    }
    for (own, audience) in [
        (AUDIENCE, "https://api.test/MCP"),
        (AUDIENCE, "https://api.test/mcp/"),
        (AUDIENCE, "https://api.test/%6dcp"),
        (AUDIENCE, "https://api.test/x/../mcp"),
        (AUDIENCE, "https://api.test:444/mcp"),
        (AUDIENCE, "http://api.test/mcp"),
        (AUDIENCE, "https://api.test./mcp"),
        (AUDIENCE, "https://api.test.evil.test/mcp"),
        (AUDIENCE, "https://u@api.test/mcp"),
        (AUDIENCE, "https://api.test/mcp?x"),
        ("https://api.test", "https://api.test//"),
        ("client", "Client"),
        ("urn:mcp:b", "URN:mcp:b"),
        ("urn:mcp:b", "urn:mcp:B"),
    ] {
        let error = refusal(&host(own), &token(p256(), &json!({"aud": audience})));
        assert!(matches!(error, VerifyError::Audience { .. }), "{own} {audience}: {error}");
    }
    let two = Verifier::new(config().also_audience("urn:mcp:b")).unwrap();
    assert!(check(&two, &token(p256(), &json!({"aud": "urn:mcp:b"})), &at(START)).is_ok());
}
