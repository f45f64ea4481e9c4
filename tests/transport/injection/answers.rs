//! Asking fails closed: nothing but a clear allow is one.

use super::json::{Json, parse};
use crate::hostile::Rng;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use lumoauth::embed::operation::{Answer, Operation as _};
use lumoauth::embed::wire::Response;
use lumoauth::{Ask, Error};

const ALLOW: &str = r#"{"allowed":true,"action":"read","reason":"policy","audit_id":"aud_1","context":{"allowed":false,"ip":"10.0.0.1"},"required_scopes":["a"]}"#;
const DENY: &str = r#"{"allowed":false,"action":"read","reason":"no","audit_id":"aud_2","context":{"allowed":true},"x":[true]}"#;

const TOKENS: [&str; 26] = [
    "true",
    "false",
    "null",
    "1",
    "0",
    "\"true\"",
    "\"false\"",
    "[true]",
    "{}",
    "{\"allowed\":true}",
    "\"allowed\"",
    "\"Allowed\"",
    "\"ALLOWED\"",
    "\"allowed \"",
    "\"\\u0061llowed\"",
    "\"action\"",
    "\"read\"",
    "\"write\"",
    "\"READ\"",
    "\"\"",
    ":",
    ",",
    "{",
    "}",
    "TRUE",
    "\"allow\"",
];

/// What the answer is judged to be.
fn ask(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<bool, Error> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
    }
    let response = Response::new(StatusCode::from_u16(status).unwrap(), map, body);
    match Ask::new("read").response(&response)? {
        Answer::Done(decision) => Ok(decision.allowed()),
        Answer::Again(_) => panic!("a question that polls"),
    }
}

/// True if a key is there twice, at any depth.
pub(super) fn repeats(value: &Json) -> bool {
    match value {
        Json::Object(pairs) => {
            let twice = |(at, (key, _)): (usize, &(String, Json))| pairs[..at].iter().any(|(k, _)| k == key);
            pairs.iter().enumerate().any(twice) || pairs.iter().any(|(_, value)| repeats(value))
        }
        Json::List(items) => items.iter().any(repeats),
        _ => false,
    }
}

/// What it says by this test's own reading: `allowed`, if it is clear.
fn says(body: &[u8]) -> Option<bool> {
    let value = parse(std::str::from_utf8(body).ok()?)?;
    if repeats(&value) {
        return None;
    }
    let Json::Object(pairs) = value else { return None };
    let get = |key: &str| pairs.iter().find(|(own, _)| own == key).map(|(_, value)| value);
    match get("action") {
        None | Some(Json::Null) => {}
        Some(Json::Text(action)) if action == "read" => {}
        Some(_) => return None,
    }
    match get("allowed") {
        Some(Json::Bool(allowed)) => Some(*allowed),
        _ => None,
    }
}

pub(super) fn mutated(rng: &mut Rng, from: &str) -> Vec<u8> {
    let mut bytes = from.as_bytes().to_vec();
    for _ in 0..1 + rng.below(3) {
        let at = rng.below(bytes.len());
        match rng.below(8) {
            0 | 1 => bytes[at] ^= 1 << rng.below(8),
            2 => bytes.truncate(at.max(1)),
            3 => {
                bytes[at] = if bytes[at].is_ascii_lowercase() { bytes[at].to_ascii_uppercase() } else { b' ' }
            }
            4 => drop(bytes.splice(at..at, TOKENS[rng.below(TOKENS.len())].bytes())),
            5 => {
                // A token of the text in place of another.
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let pieces =
                    ["true", "false", "\"allowed\"", "\"action\"", "\"read\"", "\"reason\"", "\"policy\""];
                let old = pieces[rng.below(pieces.len())];
                bytes = text.replacen(old, TOKENS[rng.below(TOKENS.len())], 1 + rng.below(2)).into_bytes();
            }
            6 => {
                let pair = format!("{}:{},", TOKENS[9 + rng.below(8)], TOKENS[rng.below(TOKENS.len())]);
                let at = if rng.below(2) == 0 { 1 } else { at };
                drop(bytes.splice(at.min(bytes.len())..at.min(bytes.len()), pair.bytes()));
            }
            _ => {
                let end = (at + 1 + rng.below(12)).min(bytes.len());
                drop(bytes.drain(at..end));
            }
        }
        if bytes.is_empty() {
            bytes.push(b'{');
        }
    }
    bytes
}

#[test]
fn s11_a_mutated_answer_is_an_allow_only_if_it_still_says_so() {
    let (mut rng, mut allowed, mut denied, mut errors) = (Rng::new(11), 0, 0, 0);
    for round in 0..100_000 {
        let body = mutated(&mut rng, if round % 4 == 3 { DENY } else { ALLOW });
        match ask(200, &[], &body) {
            Ok(decision) => {
                let text = String::from_utf8_lossy(&body);
                assert_eq!(Some(decision), says(&body), "round {round}: {text}");
                *(if decision { &mut allowed } else { &mut denied }) += 1;
            }
            Err(Error::Protocol(_)) => errors += 1,
            Err(other) => panic!("round {round}: {other:?}"),
        }
    }
    println!(
        "s11: 100000 mutated answers: {allowed} allowed and all of them say so, {denied} denied, {errors} errors"
    );
    assert!(allowed > 1000 && denied > 1000 && errors > 50_000);
}

#[test]
fn s11_the_same_under_other_statuses_and_headers_is_never_an_allow() {
    assert!(ask(200, &[], ALLOW.as_bytes()).unwrap());
    for status in (200..600).filter(|status| *status != 200) {
        let error = ask(status, &[], ALLOW.as_bytes()).unwrap_err();
        assert!(matches!(error, Error::Protocol(_) | Error::Api(_)), "{status}: {error:?}");
    }
    for headers in [
        &[("age", "1")][..],
        &[("age", "3600")],
        &[("age", "x")],
        &[("age", "-1")],
        &[("age", "0"), ("age", "60")],
        &[("age", "60"), ("age", "0")],
        &[("age", "0, 60")],
        &[("age", "\u{e9}")],
    ] {
        let result = ask(200, headers, ALLOW.as_bytes());
        assert!(matches!(result, Err(Error::Protocol(_))), "{headers:?}: {result:?}");
    }
    assert!(ask(200, &[("age", "0")], ALLOW.as_bytes()).unwrap());
    for body in [
        "<html>{\"allowed\":true}</html>",
        "<!doctype html><script>{\"allowed\":true}</script>",
        r#"{"allowed":true,"action":"write"}"#,
        r#"{"allowed":true,"action":"Read"}"#,
        r#"{"allowed":true,"action":"read "}"#,
        r#"{"allowed":true,"action":["read"]}"#,
        r#"{"action":"read","agent_id":"agt_1","name":"bot","success":true}"#,
        r#"{"access_token":"t","token_type":"Bearer"}"#,
        r#"{"data":{"allowed":true}}"#,
        r#")]}',{"allowed":true}"#,
        r#"callback({"allowed":true})"#,
        "allowed=true",
        "true",
        "",
    ] {
        assert!(ask(200, &[], body.as_bytes()).is_err(), "{body}");
    }
}
