//! Which ID tokens sign somebody in.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lumoauth::crypto::{KeyPair, sign_compact};
use lumoauth::emulator::Emulator;
use lumoauth::signin::{Answer, Login, SignInError};
use lumoauth::verify::VerifyError;
use serde_json::{Map, Value, json};

use super::support::*;

fn taken(emulator: &Emulator, transport: Changed, login: Login) -> (Answer, Browser) {
    let sign_in = settings(emulator).build_with(transport).unwrap();
    let mut browser = Browser::default();
    let at_service = browser.login(&sign_in, login);
    let answer = browser.callback(&sign_in, &visit(emulator, &at_service));
    (answer, browser)
}

fn with_claims(change: impl Fn(&mut Map<String, Value>) + Send + 'static) -> Result<(), SignInError> {
    let emulator = emulator();
    let (answer, browser) = taken(&emulator, Changed::claims(&emulator, change), Login::new());
    assert_eq!(browser.session().is_some(), answer.error().is_none());
    answer.error().cloned().map_or(Ok(()), Err)
}

#[test]
fn what_the_service_signs_is_taken_and_nothing_that_is_changed() {
    assert!(with_claims(|_| {}).is_ok(), "the change itself must not be what is refused");
    type Wrong = fn(&VerifyError) -> bool;
    let cases: [(&'static str, Value, Wrong); 14] = [
        ("nonce", json!("other"), |error| matches!(error, VerifyError::Nonce)),
        ("nonce", Value::Null, |error| matches!(error, VerifyError::Nonce | VerifyError::Claim { .. })),
        ("aud", json!("app_2"), |error| matches!(error, VerifyError::Audience { .. })),
        ("aud", json!(["app_1", "app_2"]), |error| matches!(error, VerifyError::AuthorizedParty)),
        ("aud", json!([]), |error| matches!(error, VerifyError::Claim { .. })),
        ("azp", json!("app_2"), |error| matches!(error, VerifyError::AuthorizedParty)),
        ("iss", json!("https://evil.example"), |error| matches!(error, VerifyError::Issuer { .. })),
        ("exp", json!(1), |error| matches!(error, VerifyError::Expired)),
        ("exp", json!("4102444800"), |error| matches!(error, VerifyError::Claim { .. })),
        ("iat", json!(4_102_444_800_u64), |error| matches!(error, VerifyError::IssuedInFuture)),
        ("iat", Value::Null, |error| matches!(error, VerifyError::Claim { .. })),
        ("sub", Value::Null, |error| matches!(error, VerifyError::Claim { .. })),
        ("sub", json!(""), |error| matches!(error, VerifyError::Claim { .. })),
        ("sub", json!(7), |error| matches!(error, VerifyError::Claim { .. })),
    ];
    for (claim, value, is_expected) in cases {
        let shown = format!("{claim} {value}");
        let refused = with_claims(move |claims| match &value {
            Value::Null => _ = claims.remove(claim),
            value => _ = claims.insert(claim.to_owned(), value.clone()),
        });
        match refused {
            Err(SignInError::IdToken(error)) => assert!(is_expected(&error), "{shown}: {error}"),
            other => panic!("{shown}: {other:?}"),
        }
    }
}

type Forge = fn(&Map<String, Value>) -> String;
type Forging = Box<dyn Fn(&Map<String, Value>) -> String + Send>;

#[test]
fn the_signature_is_the_services() {
    let unsigned = |claims: &Map<String, Value>, header: &str| {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.", encode(header), encode(&Value::Object(claims.clone()).to_string()))
    };
    let forge: [(&str, Forge); 3] = [
        ("another key", |claims| {
            let key = KeyPair::from_ed25519_seed(&[9; 32]).unwrap();
            sign_compact(&key, "JWT", &Value::Object(claims.clone())).unwrap()
        }),
        ("no claims of this token", |claims| {
            let token = sign_compact(&key(), "JWT", &Value::Object(claims.clone())).unwrap();
            let mut parts: Vec<&str> = token.split('.').collect();
            let mut other = claims.clone();
            other.insert("sub".into(), "user:bob".into());
            let payload = URL_SAFE_NO_PAD.encode(Value::Object(other).to_string());
            parts[1] = &payload;
            parts.join(".")
        }),
        ("an access token", |claims| sign_compact(&key(), "at+jwt", &Value::Object(claims.clone())).unwrap()),
    ];
    let mut forged: Vec<(String, Forging)> = Vec::new();
    for (name, forge) in forge {
        forged.push((name.to_owned(), Box::new(forge)));
    }
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None","typ":"JWT"}"#,
        r#"{"alg":"HS256","typ":"JWT"}"#,
        r#"{"typ":"JWT"}"#,
    ] {
        forged.push((header.to_owned(), Box::new(move |claims| unsigned(claims, header))));
    }
    for (name, forge) in forged {
        let emulator = emulator();
        let changed = Changed::new(&emulator, move |tokens| {
            let own = claims(tokens["id_token"].as_str().unwrap());
            tokens["id_token"] = forge(&own).into();
        });
        let (answer, browser) = taken(&emulator, changed, Login::new());
        assert!(matches!(answer.error(), Some(SignInError::IdToken(_))), "{name}: {:?}", answer.error());
        assert_eq!(browser.session(), None);
        let response = answer.into_response();
        assert_eq!(
            (response.status().as_u16(), response.body().as_str()),
            (502, r#"{"error":"token_exchange_failed"}"#)
        );
    }
}

#[test]
fn without_an_id_token_nobody_is_signed_in() {
    let emulator = emulator();
    let changed = Changed::new(&emulator, |tokens| _ = tokens.remove("id_token"));
    let (answer, browser) = taken(&emulator, changed, Login::new());
    assert!(matches!(answer.error(), Some(SignInError::NoIdToken)), "{:?}", answer.error());
    assert_eq!(browser.session(), None);
}

#[test]
fn how_long_ago_the_person_signed_in_is_checked() {
    let ago = |seconds: i64, age: u64| {
        let emulator = emulator();
        let changed = Changed::claims(&emulator, move |claims| {
            let now = claims["iat"].as_i64().unwrap();
            claims.insert("auth_time".into(), json!(now - seconds));
        });
        taken(&emulator, changed, Login::new().max_age(Duration::from_secs(age)))
            .0
            .error()
            .map(|error| error.code())
    };
    // A minute of leeway, as with every time of a token.
    for (seconds, age, expected) in [
        (0, 0, None),
        (59, 0, None),
        (61, 0, Some("login_required")),
        (300, 300, None),
        (359, 300, None),
        (361, 300, Some("login_required")),
        (-3_600, 300, Some("login_required")),
    ] {
        assert_eq!(ago(seconds, age), expected, "{seconds} {age}");
    }
    for odd in [Value::Null, json!("1"), json!(-5), json!([])] {
        let emulator = emulator();
        let value = odd.clone();
        let changed = Changed::claims(&emulator, move |claims| match &value {
            Value::Null => _ = claims.remove("auth_time"),
            value => _ = claims.insert("auth_time".into(), value.clone()),
        });
        let (answer, _) = taken(&emulator, changed.clone(), Login::new().max_age(Duration::from_secs(300)));
        assert!(matches!(answer.error(), Some(SignInError::NotRecent)), "{odd}: {:?}", answer.error());
        // Nobody asked: nobody looks.
        assert!(taken(&emulator, changed, Login::new()).0.error().is_none(), "{odd}");
    }
}

#[test]
fn a_rotated_key_is_found() {
    let emulator = emulator();
    let sign_in = sign_in(&emulator);
    let _ = Browser::default().signs_in(&emulator, &sign_in, Login::new());
    emulator.rotate_signing_key().unwrap();
    emulator.advance(Duration::from_secs(40));
    let _ = Browser::default().signs_in(&emulator, &sign_in, Login::new());
}
