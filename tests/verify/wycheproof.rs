//! The published vectors of Wycheproof, read from the folder that `LUMOAUTH_VECTORS` names.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lumoauth::Secret;
use lumoauth::crypto::{Algorithm, VerifyingKey};
use lumoauth::embed::session::{Machine, Step};
use lumoauth::verify::{IdVerifier, IdVerifierConfig, IssuerKeys, TrustedIssuer, VerifyError};
use serde_json::{Value, json};

use super::support::*;

#[allow(clippy::disallowed_methods)] // where the vectors are is said in the environment
fn folder() -> Option<PathBuf> {
    let folder =
        std::env::var("LUMOAUTH_VECTORS").ok().map(|folder| PathBuf::from(folder).join("wycheproof"));
    if folder.is_none() {
        println!("SKIPPED: LUMOAUTH_VECTORS is not set");
    }
    folder
}

fn read(folder: &std::path::Path, name: &str) -> Value {
    let text = std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_slice(&text).unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The group's key as a JWK; some groups have the point only.
fn jwk_of(group: &Value, member: &str) -> Value {
    match group["publicKey"]["uncompressed"].as_str() {
        Some(_) if group.get(member).is_none() => {
            let point = hex(&group["publicKey"]["uncompressed"]);
            json!({"kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..])})
        }
        _ => group[member].clone(),
    }
}

#[derive(Default)]
struct Tally {
    right: u32,
    wrong: Vec<String>,
    out_of_scope: BTreeMap<String, u32>,
}

impl Tally {
    fn show(&self, set: &str) {
        println!(
            "v3: {set}: {} right, {} wrong, out of scope {:?}",
            self.right,
            self.wrong.len(),
            self.out_of_scope
        );
        assert!(self.wrong.is_empty(), "{set}: {:#?}", self.wrong);
        assert!(self.right > 0, "{set}: nothing was read");
    }
}

#[test]
fn v3_wycheproof_signatures() {
    let Some(folder) = folder() else { return };
    for (name, jwk, algorithm) in [
        ("ed25519_test.json", "publicKeyJwk", Algorithm::EdDsa),
        ("ecdsa_secp256r1_sha256_p1363_test.json", "publicKeyJwk", Algorithm::Es256),
        ("rsa_signature_2048_sha256_test.json", "keyJwk", Algorithm::Rs256),
    ] {
        let set = read(&folder, name);
        let mut tally = Tally::default();
        for group in set["testGroups"].as_array().unwrap() {
            let tests = group["tests"].as_array().unwrap();
            let key = VerifyingKey::from_jwk(&jwk_of(group, jwk));
            for test in tests {
                let (expected, comment) = (test["result"].as_str().unwrap(), &test["comment"]);
                let accepted = key
                    .as_ref()
                    .is_ok_and(|key| key.verify(algorithm, &hex(&test["msg"]), &hex(&test["sig"])).is_ok());
                match expected {
                    "acceptable" => {
                        let reason = format!(
                            "acceptable by the vectors, {}",
                            if accepted { "accepted" } else { "refused" }
                        );
                        *tally.out_of_scope.entry(reason).or_default() += 1;
                    }
                    _ if accepted == (expected == "valid") => tally.right += 1,
                    _ => tally.wrong.push(format!(
                        "{}: {expected}, {comment}, key {:?}",
                        test["tcId"],
                        key.as_ref().err()
                    )),
                }
            }
        }
        tally.show(name);
    }
}

/// True if the signature was accepted: these payloads are no claims, and that is found after it only.
fn signature_accepted(keys: &Value, jws: &str) -> bool {
    let Ok(keys) = IssuerKeys::parse(keys.to_string().as_bytes()) else { return false };
    let issuer = TrustedIssuer::new(ISSUER).keys(keys);
    let verifier = IdVerifier::new(IdVerifierConfig::new(issuer, "client")).unwrap();
    let Step::Done(result) = verifier.check(&Secret::new(jws), None).step(&at(START), None).unwrap() else {
        panic!("the keys are at hand")
    };
    match result.unwrap_err() {
        VerifyError::Claim { .. } | VerifyError::Issuer { .. } => true,
        VerifyError::Malformed(problem) => problem.contains("payload is not one JSON object"),
        _ => false,
    }
}

/// Why a vector that is valid need not be accepted here.
fn out_of_scope(keys: &Value, jws: &str) -> Option<String> {
    use base64::Engine;
    if keys["keys"][0]["kty"] == "oct" {
        return Some("symmetric".to_owned());
    }
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(jws.split('.').next()?).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    let alg = header["alg"].as_str()?;
    match alg {
        "RS256" | "PS256" | "ES256" | "EdDSA" => None,
        _ => Some(format!("the algorithm {alg}")),
    }
}

#[test]
fn v3_wycheproof_tokens_and_keys() {
    let Some(folder) = folder() else { return };
    for name in ["json_web_signature_test.json", "json_web_key_test.json", "json_web_crypto_test.json"] {
        let set = read(&folder, name);
        let mut tally = Tally::default();
        for group in set["testGroups"].as_array().unwrap() {
            let key = group.get("public").unwrap_or(&group["private"]);
            let keys = if key.get("keys").is_some() { key.clone() } else { json!({"keys": [key]}) };
            for test in group["tests"].as_array().unwrap() {
                let Some(jws) = test["jws"].as_str() else {
                    *tally.out_of_scope.entry("encrypted, or not in compact form".into()).or_default() += 1;
                    continue;
                };
                let expected = test["result"].as_str().unwrap();
                let accepted = signature_accepted(&keys, jws);
                match (expected, accepted, out_of_scope(&keys, jws)) {
                    ("valid", false, Some(reason)) => *tally.out_of_scope.entry(reason).or_default() += 1,
                    ("valid", true, _) | ("invalid", false, _) => tally.right += 1,
                    ("acceptable", _, _) => {
                        *tally.out_of_scope.entry("acceptable by the vectors".into()).or_default() += 1;
                    }
                    _ => tally.wrong.push(format!(
                        "{} {}: {expected}, {}",
                        group["comment"], test["tcId"], test["comment"]
                    )),
                }
            }
        }
        tally.show(name);
    }
}
