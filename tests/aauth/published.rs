//! H1: what others have published, as far as this profile has it: RFC 9421, RFC 7638, RFC 8037, structured fields.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use lumoauth::aauth::{
    AgentKey, SignatureInput, content_digest, parse_agent_auth, parse_content_digest, parse_signature,
};
use lumoauth::crypto::{CryptoError, VerifyingKey};
use serde_json::{Value, json};

/// RFC 9421 appendix B.1.4, `test-key-ed25519`.
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
";

/// RFC 9421 appendix B.2.6. The profile covers other components, so only the primitive can be held to it: the same base gives
/// the same signature, and the lines have the same form.
#[test]
fn h1_the_ed25519_example_of_rfc_9421() {
    let key = AgentKey::from_pem(KEY.as_bytes()).unwrap();
    assert_eq!(key.public_jwk()["x"], "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs");
    let components = [
        ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("@method", "POST"),
        ("@path", "/foo"),
        ("@authority", "example.com"),
        ("content-type", "application/json"),
        ("content-length", "18"),
    ];
    let names: Vec<String> = components.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let parameters = format!("({});created=1618884473;keyid=\"test-key-ed25519\"", names.join(" "));
    let mut base: String = components.iter().map(|(name, value)| format!("\"{name}\": {value}\n")).collect();
    base += &format!("\"@signature-params\": {parameters}");
    let signature = key.sign(base.as_bytes()).unwrap();
    let published =
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==";
    assert_eq!(STANDARD.encode(&signature), published);
    let public = VerifyingKey::from_jwk(&key.public_jwk()).unwrap();
    public
        .verify_message(base.as_bytes(), &parse_signature(&format!("sig1=:{published}:")).unwrap())
        .unwrap();
    let other = base.replace("POST", "PUT");
    assert_eq!(public.verify_message(other.as_bytes(), &signature), Err(CryptoError::Signature));
    // Another profile's message is not this one's.
    assert!(SignatureInput::parse(&format!("sig-b26={parameters}")).is_err());
    assert!(SignatureInput::parse(&format!("sig1={parameters}")).is_err());
    assert!(parse_signature(&format!("sig-b26=:{published}:")).is_err());
    // Appendix B.2: the digest of the test request's body is sha-512 there; the value of RFC 9530 appendix D for sha-256:
    let body = b"{\"hello\": \"world\"}";
    assert_eq!(content_digest(body), "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
}

/// RFC 7638 section 3.1 and RFC 8037 appendix A.
#[test]
fn h1_thumbprints_and_the_key_of_rfc_8037() {
    let rsa = json!({
        "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    });
    let rsa = VerifyingKey::from_jwk(&rsa).unwrap();
    assert_eq!(rsa.to_jwk().thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    let jwk = json!({
        "kty": "OKP", "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    let key = AgentKey::from_jwk(jwk.to_string().as_bytes()).unwrap();
    assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    // Appendix A.4: the signature of a JWS is a plain Ed25519 signature of its two first parts.
    let signature = key.sign(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc").unwrap();
    assert_eq!(
        URL_SAFE_NO_PAD.encode(signature),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
}

#[allow(clippy::disallowed_methods)] // where the vectors are is said in the environment
fn cases() -> Option<Vec<(String, Value)>> {
    let Ok(folder) = std::env::var("LUMOAUTH_VECTORS") else {
        println!("SKIPPED: LUMOAUTH_VECTORS is not set");
        return None;
    };
    let mut cases = Vec::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(PathBuf::from(folder).join("structured-fields"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let set: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        cases.extend(set.as_array().unwrap().iter().map(|case| (name.clone(), case.clone())));
    }
    Some(cases)
}

/// RFC 4648 section 6, as the cases write bytes.
fn base32(text: &str) -> Vec<u8> {
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for character in text.trim_end_matches('=').chars() {
        let value = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(character).unwrap();
        (bits, count) = ((bits << 5) | u32::try_from(value).unwrap(), count + 5);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    bytes
}

/// Every case of the suite is put into the place of this profile's headers where its kind stands: the readers are stricter
/// than RFC 9651, so whatever must fail there fails here, and what is taken has the published value.
#[test]
fn h1_structured_fields_in_scope() {
    let Some(cases) = cases() else { return };
    let (mut refused, mut taken, mut stricter) = (0, 0, 0);
    let mut departures = Vec::new();
    for (file, case) in &cases {
        let raw = case["raw"]
            .as_array()
            .map(|lines| lines.iter().map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join(", "));
        // Cases of the other direction: how a value is written.
        let Some(raw) = raw else { continue };
        let must_fail = case["must_fail"] == true;
        let value = case["expected"].as_array().and_then(|item| item.first());
        let name = format!("{file}: {}", case["name"]);
        // As a whole header, nothing of the suite is a message of this profile.
        assert!(SignatureInput::parse(&raw).is_err(), "{name}");
        assert!(parse_signature(&raw).is_err() && parse_content_digest(&raw).is_err(), "{name}");
        assert!(parse_agent_auth(&raw).is_err(), "{name}");
        let nonce = "nonce=\"AAECAwQFBgcICQoLDA0ODw\"";
        let read: Option<bool> = match file.as_str() {
            "binary" => parse_signature(&format!("sig1={raw}")).ok().map(|bytes| {
                value.and_then(|value| value["value"].as_str()).is_some_and(|text| base32(text) == bytes)
            }),
            "number" | "number-generated" => {
                let header = format!("sig1=(\"@method\");created={raw};{nonce}");
                let read = SignatureInput::parse(&header).ok().map(|input| input.created());
                read.map(|created| value.and_then(Value::as_u64) == Some(created))
            }
            "string" | "string-generated" => {
                let header = format!("sig1=(\"@method\");created=1;nonce={raw}");
                let read = SignatureInput::parse(&header).ok().map(|input| input.nonce().to_owned());
                read.map(|nonce| value.and_then(Value::as_str) == Some(nonce.as_str()))
            }
            "list" | "listlist" | "param-list" | "param-listlist" | "dictionary" | "param-dict" | "token"
            | "item" => {
                let header = format!("sig1={raw};created=1;{nonce}");
                SignatureInput::parse(&header).ok().map(|_| !must_fail)
            }
            _ => continue,
        };
        match (read, must_fail) {
            (Some(true), false) => taken += 1,
            (None, true) => refused += 1,
            (None, false) => stricter += 1,
            (Some(_), _) => departures.push(name.clone()),
        }
        // What the profile writes itself is taken in the suite's spelling: plain numbers and padded base64.
        let canonical = case["canonical"].is_null() && case["can_fail"] != true && !must_fail;
        if canonical
            && (file == "binary" && raw != "::"
                || file.starts_with("number") && value.is_some_and(Value::is_u64))
        {
            assert_eq!(read, Some(true), "{name}");
        }
    }
    // The profile's own departure (`docs/wire.md`, aauth-signature).
    assert_eq!(departures, ["binary: \"base64url binary\""]);
    println!(
        "h1: structured fields: {taken} taken with the published value, {refused} that must fail refused, {stricter} valid ones refused by the profile, 1 departure"
    );
    assert!(taken >= 20 && refused >= 100, "{taken} {refused}");
}
