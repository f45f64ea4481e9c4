//! Keys of an issuer: what is unsound is left out when it is read.

use lumoauth::crypto::{KeyFault, KeyPair, VerifyingKey};
use lumoauth::verify::IssuerKeys;
#[cfg(feature = "aauth")]
use lumoauth::verify::VerifyError;
use serde_json::{Value, json};

use super::support::*;

fn changed(key: &KeyPair, member: &str, value: Value) -> Value {
    let mut jwk = key.public_jwk().to_json();
    jwk[member] = value;
    jwk
}

fn modulus(bits: usize) -> String {
    let mut n = vec![0xff; bits.div_ceil(8)];
    n[0] = 0xff >> (n.len() * 8 - bits);
    encode(n)
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Keys that must never be used, with the reason.
fn unsound() -> Vec<(&'static str, Value, KeyFault)> {
    let e = |bytes: &[u8]| changed(rsa(), "e", json!(encode(bytes)));
    let point = |text: &str| changed(ed25519(), "x", json!(encode(hex(text))));
    let mut y = base64::Engine::decode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        p256().public_jwk().to_json()["y"].as_str().unwrap(),
    )
    .unwrap();
    y[31] ^= 1;
    let mut cases: Vec<(&str, Value, KeyFault)> = vec![
        ("1024 bits", changed(rsa(), "n", json!(modulus(1024))), KeyFault::WeakModulus),
        ("2047 bits", changed(rsa(), "n", json!(modulus(2047))), KeyFault::WeakModulus),
        ("8193 bits", changed(rsa(), "n", json!(modulus(8193))), KeyFault::WeakModulus),
        ("even modulus", changed(rsa(), "n", json!(encode([0xfe; 256]))), KeyFault::WeakModulus),
        (
            "leading zero",
            changed(rsa(), "n", json!(encode([vec![0], vec![0xff; 256]].concat()))),
            KeyFault::Encoding,
        ),
        ("empty modulus", changed(rsa(), "n", json!("")), KeyFault::Encoding),
        ("e = 1", e(&[1]), KeyFault::WeakExponent),
        ("e = 2", e(&[2]), KeyFault::WeakExponent),
        ("e = 65536", e(&[1, 0, 0]), KeyFault::WeakExponent),
        ("e of 64 bits", e(&[0xff; 8]), KeyFault::WeakExponent),
        ("e = 0", e(&[0]), KeyFault::Encoding),
        ("e with padding", changed(rsa(), "e", json!("AQAB====")), KeyFault::Encoding),
        ("e with bits left over", changed(rsa(), "e", json!("AR")), KeyFault::Encoding),
        ("off the curve", changed(p256(), "y", json!(encode(&y))), KeyFault::OffCurve),
        (
            "x = y = 0",
            json!({"kty": "EC", "crv": "P-256", "x": encode([0; 32]), "y": encode([0; 32])}),
            KeyFault::OffCurve,
        ),
        ("x beyond the field", changed(p256(), "x", json!(encode([0xff; 32]))), KeyFault::OffCurve),
        ("short x", changed(p256(), "x", json!(encode([1; 31]))), KeyFault::Encoding),
        ("long y", changed(p256(), "y", json!(encode([1; 33]))), KeyFault::Encoding),
        ("short point", changed(ed25519(), "x", json!(encode([9; 31]))), KeyFault::Encoding),
        ("symmetric", json!({"kty": "oct", "k": "AAAA"}), KeyFault::Symmetric),
        ("symmetric alg", changed(rsa(), "alg", json!("HS256")), KeyFault::Symmetric),
        ("RSA with k", changed(rsa(), "k", json!("AAAA")), KeyFault::Symmetric),
        ("private half", changed(ed25519(), "d", json!(encode([7; 32]))), KeyFault::Private),
        ("use = enc", changed(rsa(), "use", json!("enc")), KeyFault::OtherUse),
        ("key_ops = sign", changed(rsa(), "key_ops", json!(["sign"])), KeyFault::OtherUse),
        ("RSA-OAEP", changed(rsa(), "alg", json!("RSA-OAEP")), KeyFault::OtherUse),
        ("ES256 on RSA", changed(rsa(), "alg", json!("ES256")), KeyFault::Unsupported),
        ("P-521", changed(p256(), "crv", json!("P-521")), KeyFault::Unsupported),
        ("secp256k1", changed(p256(), "crv", json!("secp256k1")), KeyFault::Unsupported),
        ("X25519", changed(ed25519(), "crv", json!("X25519")), KeyFault::Unsupported),
        ("unknown type", json!({"kty": "AKP", "pub": "AAAA"}), KeyFault::Unsupported),
        ("no type", json!({"n": "AAAA"}), KeyFault::Malformed),
        ("no object", json!("RSA"), KeyFault::Malformed),
        ("use = null", changed(rsa(), "use", json!(null)), KeyFault::Malformed),
        ("use = 1", changed(rsa(), "use", json!(1)), KeyFault::Malformed),
        ("kid = 1", changed(rsa(), "kid", json!(1)), KeyFault::Malformed),
        ("n = 1", changed(rsa(), "n", json!(1)), KeyFault::Malformed),
        ("no y", json!({"kty": "EC", "crv": "P-256", "x": encode([1; 32])}), KeyFault::Malformed),
        ("crv = 1", changed(ed25519(), "crv", json!(1)), KeyFault::Malformed),
    ];
    // The points of small order, and the ways to write them or others beyond the field's prime.
    for weak in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ] {
        cases.push(("weak point", point(weak), KeyFault::WeakPoint));
    }
    cases
}

#[test]
fn v7_unsound_keys_are_refused_at_load() {
    let cases = unsound();
    for (name, jwk, fault) in &cases {
        assert_eq!(VerifyingKey::from_jwk(jwk).unwrap_err(), *fault, "{name}");
        // In a set, only that key is left out.
        let set = json!({"keys": [jwk, p256().public_jwk().to_json()]});
        let set = IssuerKeys::parse(set.to_string().as_bytes());
        if *name != "off the curve" && jwk["kid"] != p256().public_jwk().to_json()["kid"] {
            let set = set.unwrap();
            assert_eq!((set.keys().len(), set.refused().count()), (1, 1), "{name}");
        }
    }
    for key in [rsa(), p256(), ed25519()] {
        let read = VerifyingKey::from_jwk(&key.public_jwk().to_json()).unwrap();
        assert_eq!(read.to_jwk().thumbprint(), key.public_jwk().thumbprint());
        assert_eq!(read.algorithm(), Some(key.algorithm()));
    }
    println!("v7: {} unsound keys, each refused with its reason", cases.len());
}

#[cfg(feature = "aauth")]
#[test]
fn v7_unsound_keys_in_an_auth_token_are_refused() {
    let (tokens, cases) = (auth_tokens(), unsound());
    let verifier = (tokens.verifier)(given(&jwks(&[p256()])));
    let bound = |jwk: &Value| {
        let token = tokens.token(p256(), &json!({"cnf": {"jwk": jwk}}));
        done(&verifier, &token, &at(START))
    };
    for key in [ed25519(), rsa()] {
        let mut jwk = key.public_jwk().to_json();
        jwk.as_object_mut().unwrap().remove("alg");
        bound(&jwk).unwrap();
    }
    for (name, jwk, _) in &cases {
        let error = bound(jwk).unwrap_err();
        assert!(matches!(error, VerifyError::Claim { claim: "cnf", .. }), "{name}: {error}");
    }
    println!("v7: auth+jwt: {} unsound keys in cnf, each refused", cases.len());
}

#[test]
fn v7_two_keys_of_one_id_are_both_left_out() {
    let same = |key: &KeyPair| changed(key, "kid", json!("same"));
    let parse = |keys: Value| IssuerKeys::parse(json!({"keys": keys}).to_string().as_bytes());
    let sound = ed25519().public_jwk().to_json();
    let other = KeyPair::generate_p256().unwrap();
    for rival in [same(rsa()), same(&other), json!({"kty": "oct", "kid": "same", "k": "AAAA"})] {
        for keys in [json!([same(p256()), rival, sound]), json!([rival, sound, same(p256())])] {
            let set = parse(keys).unwrap();
            assert_eq!(set.keys().len(), 1);
            assert_eq!(set.keys()[0].key_id(), Some(ed25519().key_id()));
            assert!(set.refused().any(|(id, fault)| id == Some("same") && fault == KeyFault::SameId));
        }
    }
    // The same key twice is one key; a key for encryption is no rival.
    assert_eq!(parse(json!([same(p256()), same(p256())])).unwrap().keys().len(), 1);
    let mut encryption = same(rsa());
    encryption["use"] = json!("enc");
    assert_eq!(parse(json!([same(p256()), encryption])).unwrap().keys().len(), 1);
}

#[test]
fn v7_what_is_no_key_set() {
    for bad in [
        "",
        "[]",
        "{}",
        r#"{"keys":null}"#,
        r#"{"keys":{}}"#,
        r#"{"keys":[]}"#,
        r#"{"keys":[1]}"#,
        "<html>",
        r#"{"keys":[],"keys":[]}"#,
    ] {
        assert!(IssuerKeys::parse(bad.as_bytes()).is_err(), "{bad}");
    }
    let many = json!({"keys": vec![p256().public_jwk().to_json(); 129]});
    assert!(IssuerKeys::parse(many.to_string().as_bytes()).is_err());
}
