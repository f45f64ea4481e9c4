//! Who chooses the algorithm: the key and the settings, never the token.

use lumoauth::Secret;
use lumoauth::crypto::Algorithm;
use lumoauth::verify::{TrustedIssuer, Verifier, VerifierConfig};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair as RsaKeyPair;
use ring::signature::{self, EcdsaKeyPair, KeyPair as _};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};

use super::support::*;

const ALGORITHMS: [&str; 20] = [
    r#""RS256""#,
    r#""RS384""#,
    r#""RS512""#,
    r#""PS256""#,
    r#""PS384""#,
    r#""PS512""#,
    r#""ES256""#,
    r#""ES384""#,
    r#""ES512""#,
    r#""ES256K""#,
    r#""EdDSA""#,
    r#""HS256""#,
    r#""HS384""#,
    r#""HS512""#,
    r#""none""#,
    r#""None""#,
    r#""NONE""#,
    "",
    r#"["RS256"]"#,
    "256",
];

/// Signatures by the names of what made them.
type Signatures = Vec<(&'static str, Vec<u8>)>;

type Sign = Box<dyn Fn(&[u8]) -> Signatures>;

/// A kind of key: its public JWK, and everything that whoever holds it, or only its public half, may put as a signature.
struct KeyKind {
    name: &'static str,
    jwk: Value,
    sign: Sign,
    /// Another key of the same type.
    rival: Value,
    /// What must be accepted in an access token.
    pinned: &'static [&'static str],
    /// And in a token of AAuth.
    bound: &'static [&'static str],
}

fn hmacs(secret: &[u8], input: &[u8]) -> Signatures {
    [
        ("HS256", ring::hmac::HMAC_SHA256),
        ("HS384", ring::hmac::HMAC_SHA384),
        ("HS512", ring::hmac::HMAC_SHA512),
    ]
    .map(|(name, algorithm)| {
        (name, ring::hmac::sign(&ring::hmac::Key::new(algorithm, secret), input).as_ref().to_vec())
    })
    .to_vec()
}

pub fn rsa_sign(padding: &'static dyn signature::RsaEncoding, input: &[u8]) -> Vec<u8> {
    let PrivateKeyDer::Pkcs8(der) = PrivateKeyDer::from_pem_slice(RSA_PEM.as_bytes()).unwrap() else {
        panic!("PKCS#8")
    };
    let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
    let mut out = vec![0; key.public().modulus_len()];
    key.sign(padding, &SystemRandom::new(), input, &mut out).unwrap();
    out
}

fn rsa_signatures(input: &[u8]) -> Signatures {
    vec![
        ("RS256", rsa_sign(&signature::RSA_PKCS1_SHA256, input)),
        ("RS384", rsa_sign(&signature::RSA_PKCS1_SHA384, input)),
        ("RS512", rsa_sign(&signature::RSA_PKCS1_SHA512, input)),
        ("PS256", rsa_sign(&signature::RSA_PSS_SHA256, input)),
        ("PS384", rsa_sign(&signature::RSA_PSS_SHA384, input)),
        ("PS512", rsa_sign(&signature::RSA_PSS_SHA512, input)),
    ]
}

/// The JWK without the members that narrow it down.
fn bare(jwk: &Value, kid: &str) -> Value {
    let mut jwk = jwk.clone();
    let members = jwk.as_object_mut().unwrap();
    members.remove("alg");
    members.insert("kid".into(), json!(kid));
    jwk
}

fn kinds() -> Vec<KeyKind> {
    let random = SystemRandom::new();
    let p384 = EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
    let p384 = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, p384.as_ref(), &random)
        .unwrap();
    let point = p384.public_key().as_ref().to_vec();
    let p384_jwk = json!({"kty": "EC", "crv": "P-384", "kid": "k", "x": encode(&point[1..49]), "y": encode(&point[49..])});
    let second = lumoauth::crypto::KeyPair::generate_p256().unwrap();
    let p384_rival =
        EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
    let p384_rival =
        EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, p384_rival.as_ref(), &random)
            .unwrap();
    let point = p384_rival.public_key().as_ref();
    let p384_rival = json!({"kty": "EC", "crv": "P-384", "kid": "k", "x": encode(&point[1..49]), "y": encode(&point[49..])});
    let mut rsa_rival = bare(&rsa().public_jwk().to_json(), "k");
    let mut n = base64::Engine::decode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        rsa_rival["n"].as_str().unwrap(),
    )
    .unwrap();
    n[100] ^= 1;
    rsa_rival["n"] = json!(encode(n));
    let ed25519_rival = lumoauth::crypto::KeyPair::from_ed25519_seed(&[9; 32]).unwrap();
    let mut encryption = bare(&rsa().public_jwk().to_json(), "k");
    encryption["use"] = json!("enc");
    vec![
        KeyKind {
            name: "RSA",
            rival: rsa_rival.clone(),
            jwk: bare(&rsa().public_jwk().to_json(), "k"),
            sign: Box::new(rsa_signatures),
            pinned: &["RS256", "PS256"],
            bound: &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
        },
        KeyKind {
            name: "P-256",
            rival: bare(&second.public_jwk().to_json(), "k"),
            jwk: bare(&p256().public_jwk().to_json(), "k"),
            sign: Box::new(|input| vec![("ES256", p256().sign(input).unwrap())]),
            pinned: &["ES256"],
            bound: &["ES256"],
        },
        KeyKind {
            name: "P-384",
            rival: p384_rival,
            jwk: p384_jwk,
            sign: Box::new(move |input| {
                vec![("ES384", p384.sign(&SystemRandom::new(), input).unwrap().as_ref().to_vec())]
            }),
            pinned: &[],
            bound: &["ES384"],
        },
        KeyKind {
            name: "Ed25519",
            rival: bare(&ed25519_rival.public_jwk().to_json(), "k"),
            jwk: bare(&ed25519().public_jwk().to_json(), "k"),
            sign: Box::new(|input| vec![("EdDSA", ed25519().sign(input).unwrap())]),
            pinned: &["EdDSA"],
            bound: &["EdDSA"],
        },
        KeyKind {
            name: "oct",
            rival: json!({"kty": "oct", "kid": "k", "k": encode([8; 64])}),
            jwk: json!({"kty": "oct", "kid": "k", "k": encode([9; 64])}),
            sign: Box::new(|input| hmacs(&[9; 64], input)),
            pinned: &[],
            bound: &[],
        },
        KeyKind {
            name: "RSA with use=enc",
            rival: encryption.clone(),
            jwk: encryption,
            sign: Box::new(rsa_signatures),
            pinned: &[],
            bound: &[],
        },
    ]
}

/// The texts that an attacker may take for a secret: the public key in the forms in which people pass it around.
fn public_forms(jwk: &Value) -> Vec<Vec<u8>> {
    let mut forms = vec![jwk.to_string().into_bytes(), Vec::new()];
    for name in ["n", "x", "y", "k"] {
        if let Some(text) = jwk[name].as_str() {
            forms.push(text.as_bytes().to_vec());
            forms.push(
                base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text).unwrap(),
            );
        }
    }
    forms
}

#[test]
fn v1_the_algorithm_is_chosen_by_key_and_settings() {
    // A token without `kid` is taken if only one key fits; a key of another type under the same `kid` does not matter.
    matrix(&access_tokens(), &["right", "missing", "duplicate"], |kind| kind.pinned, 12);
}

#[cfg(feature = "aauth")]
#[test]
fn v1_the_algorithm_is_chosen_by_key_and_settings_for_auth_tokens() {
    matrix(&auth_tokens(), &["right", "duplicate"], |kind| kind.bound, 18);
}

fn matrix(tokens: &Kind, kids: &[&str], pinned: fn(&KeyKind) -> &'static [&'static str], expected: usize) {
    let other = lumoauth::crypto::KeyPair::from_ed25519_seed(&[8; 32]).unwrap();
    let p256_other = lumoauth::crypto::KeyPair::generate_p256().unwrap();
    let (mut cells, mut attempts, mut accepted) = (0, 0, Vec::new());
    for kind in kinds() {
        // A sound key beside it, so that the set can be used at all.
        let decoy = if kind.name == "Ed25519" { &p256_other } else { &other };
        let decoy = |kid: &str| bare(&decoy.public_jwk().to_json(), kid);
        for kid in ["right", "wrong", "missing", "duplicate", "rival"] {
            let rival = match kid {
                "duplicate" => vec![decoy("k")],
                "rival" => vec![kind.rival.clone()],
                _ => vec![],
            };
            let mut keys = vec![kind.jwk.clone(), decoy("decoy-kid")];
            keys.extend(rival);
            let set = json!({"keys": keys});
            let verifier = (tokens.verifier)(given(&set));
            for algorithm in ALGORITHMS {
                cells += 1;
                let alg = if algorithm.is_empty() { String::new() } else { format!(r#""alg":{algorithm},"#) };
                let id = match kid {
                    "right" | "duplicate" | "rival" => r#""kid":"k","#,
                    "wrong" => r#""kid":"elsewhere","#,
                    _ => "",
                };
                let header = format!(r#"{{{alg}{id}"typ":"{}"}}"#, tokens.typ);
                let input = format!("{}.{}", encode(header), encode(tokens.payload.to_string()));
                let mut signatures = (kind.sign)(input.as_bytes());
                signatures.push(("none", Vec::new()));
                for secret in public_forms(&kind.jwk) {
                    signatures.extend(hmacs(&secret, input.as_bytes()));
                }
                for (made, signature) in signatures {
                    attempts += 1;
                    let token = format!("{input}.{}", encode(&signature));
                    let ok = done(&verifier, &Secret::new(token), &at(START + 10)).is_ok();
                    let pinned = kids.contains(&kid)
                        && pinned(&kind).contains(&made)
                        && algorithm == format!("\"{made}\"");
                    assert_eq!(ok, pinned, "{algorithm} signed with {made}, {} key, {kid} kid", kind.name);
                    if ok {
                        accepted.push(format!("{made}/{}/{kid}", kind.name));
                    }
                }
            }
        }
    }
    assert_eq!(cells, 600);
    assert_eq!(accepted.len(), expected, "{accepted:?}");
    println!(
        "v1: {}: {cells} cells, {attempts} tokens, accepted only in the {expected} pinned cells",
        tokens.typ
    );
}

#[test]
fn v1_settings_and_the_keys_own_alg_narrow_it_down() {
    let pss = |alg: Option<&str>, algorithms: &[Algorithm]| {
        let mut jwk = bare(&rsa().public_jwk().to_json(), "k");
        if let Some(alg) = alg {
            jwk["alg"] = json!(alg);
        }
        let issuer: TrustedIssuer = given(&json!({"keys": [jwk]})).algorithms(algorithms.iter().copied());
        let verifier = Verifier::new(VerifierConfig::new(issuer, AUDIENCE)).unwrap();
        let input = format!(
            "{}.{}",
            encode(r#"{"alg":"PS256","kid":"k","typ":"at+jwt"}"#),
            encode(payload().to_string())
        );
        let signature = rsa_sign(&signature::RSA_PSS_SHA256, input.as_bytes());
        check(&verifier, &Secret::new(format!("{input}.{}", encode(signature))), &at(START)).is_ok()
    };
    assert!(pss(None, &[Algorithm::Ps256]));
    assert!(pss(Some("PS256"), &[Algorithm::Ps256, Algorithm::Rs256]));
    assert!(!pss(Some("RS256"), &[Algorithm::Ps256, Algorithm::Rs256]));
    assert!(!pss(None, &[Algorithm::Rs256]));
}
