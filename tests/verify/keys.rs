//! Keys of an issuer: what is unsound is left out when it is read.

use lumoauth::Secret;
use lumoauth::crypto::{KeyFault, KeyPair, VerifyingKey};
use lumoauth::verify::{IssuerKeys, VerifyError};
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

/// A modulus as the generator of CVE-2017-15361 made them: a power of 65537 modulo the product of the first primes.
const BROKEN: &str = concat!(
    "gAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "AADcdo_ad00GFUudd67E04ksxICTOqATu5vs4GFOCQ",
);

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
        ("the broken generator", changed(rsa(), "n", json!(BROKEN)), KeyFault::BrokenGenerator),
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
        ("alg = 1", changed(rsa(), "alg", json!(1)), KeyFault::Malformed),
        ("an unknown alg", changed(rsa(), "alg", json!("RS1")), KeyFault::Unsupported),
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
        // What says nothing of the key's use may be anything: serialisers write `null` for what is not there.
        for member in ["x5c", "x5t", "x5t#S256", "x5u", "exp", "nbf", "issuer", "ext"] {
            for odd in [json!(null), json!("text"), json!(1), json!([1]), json!({})] {
                VerifyingKey::from_jwk(&changed(key, member, odd.clone()))
                    .unwrap_or_else(|fault| panic!("{member} {odd}: {fault}"));
            }
        }
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

fn parse(keys: &Value) -> IssuerKeys {
    IssuerKeys::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap()
}

/// The public key under another id, for these algorithms alone if any is named.
fn named(key: &KeyPair, id: &str, algorithm: Option<&str>) -> Value {
    let mut jwk = changed(key, "kid", json!(id));
    jwk.as_object_mut().unwrap().remove("alg");
    if let Some(algorithm) = algorithm {
        jwk["alg"] = json!(algorithm);
    }
    jwk
}

/// A modulus that nobody has the private half of.
fn other_rsa(id: &str, algorithm: Option<&str>) -> Value {
    let mut jwk = named(rsa(), id, algorithm);
    let mut n =
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, jwk["n"].as_str().unwrap())
            .unwrap();
    n[100] ^= 1;
    jwk["n"] = json!(encode(n));
    jwk
}

#[test]
fn v7_two_keys_of_one_id_that_fit_the_same_are_both_left_out() {
    let same = |key: &KeyPair| changed(key, "kid", json!("same"));
    let sound = ed25519().public_jwk().to_json();
    let other = KeyPair::generate_p256().unwrap();
    for keys in [json!([same(p256()), same(&other), sound]), json!([same(&other), sound, same(p256())])] {
        let set = parse(&keys);
        assert_eq!(set.keys().len(), 1);
        assert_eq!(set.keys()[0].key_id(), Some(ed25519().key_id()));
        let refused: Vec<_> = set.refused().collect();
        assert_eq!(refused, [(Some("same"), KeyFault::SameId); 2]);
    }
    // The same key twice is one key, and whatever fits nothing is no rival.
    assert_eq!(parse(&json!([same(p256()), same(p256())])).keys().len(), 1);
    let mut encryption = same(rsa());
    encryption["use"] = json!("enc");
    for rival in
        [encryption, json!({"kty": "oct", "kid": "same", "k": "AAAA"}), json!({"kty": "AKP", "kid": "same"})]
    {
        assert_eq!(parse(&json!([same(p256()), rival])).keys().len(), 1);
    }
}

#[test]
fn v7_a_key_is_chosen_by_its_id_and_by_what_fits() {
    use super::algorithms::rsa_sign;
    use lumoauth::crypto::Algorithm;
    use lumoauth::verify::{Verifier, VerifierConfig};
    use ring::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding};

    let taken = |keys: &Value, id: Option<&str>, algorithm: &str, key: &dyn Fn(&[u8]) -> Vec<u8>| {
        let all = [Algorithm::Rs256, Algorithm::Rs512, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];
        let issuer = given(&json!({"keys": keys})).algorithms(all);
        let verifier = Verifier::new(VerifierConfig::new(issuer, AUDIENCE)).unwrap();
        let mut header = json!({"typ": "at+jwt", "alg": algorithm});
        if let Some(id) = id {
            header["kid"] = json!(id);
        }
        let input = format!("{}.{}", encode(header.to_string()), encode(payload().to_string()));
        let token = format!("{input}.{}", encode(key(input.as_bytes())));
        check(&verifier, &Secret::new(token), &at(START))
    };
    let by_rsa = |padding: &'static dyn RsaEncoding| move |input: &[u8]| rsa_sign(padding, input);
    let (rs256, rs512) = (by_rsa(&RSA_PKCS1_SHA256), by_rsa(&RSA_PKCS1_SHA512));
    let ps256 = by_rsa(&RSA_PSS_SHA256);
    let es256 = |input: &[u8]| p256().sign(input).unwrap();
    let k1 = Some("k1");

    // One key, once for each of two algorithms.
    let twice = json!([named(rsa(), "k1", Some("RS256")), named(rsa(), "k1", Some("RS512"))]);
    assert_eq!(parse(&twice).keys().len(), 2);
    taken(&twice, k1, "RS256", &rs256).unwrap();
    taken(&twice, k1, "RS512", &rs512).unwrap();
    assert!(matches!(taken(&twice, k1, "PS256", &ps256), Err(VerifyError::Algorithm)));
    taken(&twice, None, "RS512", &rs512).unwrap();

    // Keys of different types under one id.
    let types = json!([named(rsa(), "k1", None), named(p256(), "k1", None), named(ed25519(), "k1", None)]);
    taken(&types, k1, "RS256", &rs256).unwrap();
    taken(&types, k1, "ES256", &es256).unwrap();
    taken(&types, k1, "EdDSA", &|input| ed25519().sign(input).unwrap()).unwrap();

    // One key under two ids, and a token that names neither.
    let ids = json!([named(rsa(), "k1", None), named(rsa(), "k2", None)]);
    taken(&ids, None, "RS256", &rs256).unwrap();
    // Two keys that fit, and a token that names neither: whichever has signed it.
    for keys in [
        json!([named(rsa(), "k1", None), other_rsa("k2", None)]),
        json!([other_rsa("k2", None), named(rsa(), "k1", None)]),
    ] {
        assert!(matches!(taken(&keys, None, "RS256", &rs256), Err(VerifyError::UnknownKey)));
        taken(&keys, k1, "RS256", &rs256).unwrap();
    }

    // Two different keys that fit one algorithm in common: nobody's for that one, and good for the others.
    let overlap =
        json!([named(rsa(), "k1", None), other_rsa("k1", Some("RS512")), named(p256(), "k2", None)]);
    let set = parse(&overlap);
    assert_eq!((set.keys().len(), set.refused().collect::<Vec<_>>()), (2, vec![(k1, KeyFault::SameId)]));
    taken(&overlap, k1, "RS256", &rs256).unwrap();
    assert!(matches!(taken(&overlap, k1, "RS512", &rs512), Err(VerifyError::UnknownKey)));
    assert!(matches!(taken(&overlap, None, "RS512", &rs512), Err(VerifyError::UnknownKey)));
    let rivals = json!([named(rsa(), "k1", None), other_rsa("k1", None), named(p256(), "k2", None)]);
    for id in [k1, None] {
        assert!(matches!(taken(&rivals, id, "RS256", &rs256), Err(VerifyError::UnknownKey)));
    }
    taken(&rivals, Some("k2"), "ES256", &es256).unwrap();
}

#[test]
fn v7_of_many_keys_the_first_128_are_read() {
    let set = |place: usize| {
        let mut keys: Vec<Value> =
            (0..300).map(|at| named(ed25519(), &format!("other-{at}"), None)).collect();
        keys[place] = named(p256(), "k", None);
        parse(&json!(keys))
    };
    for (place, is_read) in [(0, true), (127, true), (128, false), (299, false)] {
        let set = set(place);
        assert_eq!(set.keys().len(), 128);
        assert_eq!(set.keys().iter().any(|key| key.key_id() == Some("k")), is_read, "{place}");
    }
}

#[test]
fn v1_ed25519_goes_by_both_of_its_names() {
    let payload = payload().to_string();
    let token = |name: &str| {
        let header = json!({"typ": "at+jwt", "alg": name, "kid": ed25519().key_id()});
        Secret::new(sign_raw(ed25519(), &header.to_string(), &payload))
    };
    for name in ["EdDSA", "Ed25519"] {
        let jwk = changed(ed25519(), "alg", json!(name));
        let key = VerifyingKey::from_jwk(&jwk).unwrap();
        assert_eq!(key.algorithm(), Some(ed25519().algorithm()));
        let config = lumoauth::verify::VerifierConfig::new(given(&json!({"keys": [jwk]})), AUDIENCE);
        let verifier = lumoauth::verify::Verifier::new(config).unwrap();
        for name in ["EdDSA", "Ed25519"] {
            check(&verifier, &token(name), &at(START)).unwrap();
        }
        for name in ["ed25519", "Ed448", "eddsa", "RS256"] {
            assert!(matches!(refusal(&verifier, &token(name)), VerifyError::Algorithm), "{name}");
        }
    }
    // On a key of another type it is as wrong as before.
    for key in [rsa(), p256()] {
        let fault = VerifyingKey::from_jwk(&changed(key, "alg", json!("Ed25519"))).unwrap_err();
        assert_eq!(fault, KeyFault::Unsupported);
    }
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
}
