//! The header: its type, and what it can never bring along.

use lumoauth::Secret;
use lumoauth::verify::{Verifier, VerifyError};
use serde_json::{Value, json};

use super::support::*;

fn with(member: &str, value: &Value) -> Secret {
    let mut header = header(p256());
    header[member] = value.clone();
    Secret::new(sign_raw(p256(), &header.to_string(), &payload().to_string()))
}

#[test]
fn v5_type_extensions_and_keys_in_the_token() {
    let verifier = verifier();
    let mut cases = 0;
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
        assert!(check(&verifier, &with("typ", &json!(typ)), &at(START)).is_ok(), "{typ}");
        cases += 1;
    }
    for typ in [
        "JWT",
        "jwt",
        "at+jwt ",
        "at",
        "text/at+jwt",
        "application/x/at+jwt",
        "notapplicat/at+jwt",
        "notapplicateat+jwt",
        "application/",
        "dpop+jwt",
        "auth+jwt",
    ] {
        let error = refusal(&verifier, &with("typ", &json!(typ)));
        assert!(matches!(error, VerifyError::Type), "{typ}: {error}");
        cases += 1;
    }
    for typ in [json!(null), json!(1), json!(["at+jwt"]), json!("")] {
        let error = refusal(&verifier, &with("typ", &typ));
        assert!(matches!(error, VerifyError::Malformed(_)), "{typ}: {error}");
        cases += 1;
    }
    let absent = sign_raw(
        p256(),
        &json!({"alg": "ES256", "kid": p256().key_id()}).to_string(),
        &payload().to_string(),
    );
    assert!(matches!(refusal(&verifier, &Secret::new(absent)), VerifyError::Type));

    // A key that a token brings along is never used, even if the token is signed with it, or with a key that is known.
    let own = lumoauth::crypto::KeyPair::generate_p256().unwrap();
    for (member, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("crit", json!([])),
        ("crit", json!(null)),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("jwk", own.public_jwk().to_json()),
        ("jku", json!("https://evil.test/keys")),
        ("x5u", json!("https://evil.test/cert")),
        ("x5c", json!(["AAAA"])),
        ("enc", json!("A256GCM")),
        ("zip", json!("DEF")),
    ] {
        let error = refusal(&verifier, &with(member, &value));
        assert!(matches!(error, VerifyError::ForbiddenHeader(name) if name == member), "{member}: {error}");
        let mut header = header(&own);
        header[member] = value;
        let foreign = Secret::new(sign_raw(&own, &header.to_string(), &payload().to_string()));
        assert!(check(&verifier, &foreign, &at(START)).is_err(), "{member}");
        cases += 2;
    }
    for kid in [json!(null), json!(1), json!(""), json!([p256().key_id()])] {
        assert!(matches!(refusal(&verifier, &with("kid", &kid)), VerifyError::Malformed(_)), "{kid}");
        cases += 1;
    }
    let twice = format!(r#"{{"alg":"ES256","kid":"{0}","kid":"{0}","typ":"at+jwt"}}"#, p256().key_id());
    let twice = Secret::new(sign_raw(p256(), &twice, &payload().to_string()));
    assert!(matches!(refusal(&verifier, &twice), VerifyError::Malformed(_)));

    // Encrypted: five parts.
    let jwe = format!("{}.a.b.c.d", encode(r#"{"alg":"dir","enc":"A256GCM"}"#));
    assert!(matches!(refusal(&verifier, &Secret::new(jwe)), VerifyError::Malformed(_)));
    // A signed text inside a signed text.
    let inner = token(p256(), &json!({}));
    let nested = Secret::new(sign_raw(p256(), &header(p256()).to_string(), inner.expose()));
    assert!(matches!(refusal(&verifier, &nested), VerifyError::Malformed(_)));
    println!("v5: {} headers, accepted only the four spellings of the type", cases + 4);
}

#[test]
fn another_type_by_settings() {
    let jwt = Verifier::new(config().token_type("JWT")).unwrap();
    assert!(check(&jwt, &with("typ", &json!("JWT")), &at(START)).is_ok());
    assert!(matches!(refusal(&jwt, &with("typ", &json!("at+jwt"))), VerifyError::Type));
}

#[test]
fn a_token_longer_than_allowed_is_not_looked_at() {
    let good = token(p256(), &json!({}));
    let length = good.expose().len();
    for (longest, read) in [(length, true), (length + 1, true), (length - 1, false), (0, false)] {
        let verifier = Verifier::new(config().longest_token(longest)).unwrap();
        let result = check(&verifier, &good, &at(START));
        assert!(if read { result.is_ok() } else { matches!(result, Err(VerifyError::TooLong)) }, "{longest}");
    }
    // 16 KiB if nothing is said.
    for (spare, read) in [(16 * 1024, true), (16 * 1024 + 1, false)] {
        let token = Secret::new("a".repeat(spare));
        assert_eq!(!matches!(refusal(&verifier(), &token), VerifyError::TooLong), read, "{spare}");
    }
}
