//! Signed JSON in its compact form (RFC 7515 section 7.1).

use serde_json::{Value, json};

use super::{CryptoError, KeyPair, base64url};

/// Signs a payload: header (`alg`, `kid`, `typ`), payload and signature, with dots between. `typ` says what kind of
/// token it is (RFC 8725 section 3.11): `at+jwt` for access tokens (RFC 9068 section 2.1).
///
/// # Errors
/// [`CryptoError::Signing`]; not known to happen.
pub fn sign_compact(key: &KeyPair, typ: &str, payload: &Value) -> Result<String, CryptoError> {
    sign_compact_as(key, key.key_id(), typ, payload)
}

/// As [`sign_compact`], under a key id of your own: AAuth names keys `key-1` (`docs/wire.md`, aauth-keys).
///
/// # Errors
/// [`CryptoError::Signing`]; not known to happen.
pub fn sign_compact_as(
    key: &KeyPair,
    key_id: &str,
    typ: &str,
    payload: &Value,
) -> Result<String, CryptoError> {
    let header = json!({"alg": key.algorithm().name(), "kid": key_id, "typ": typ});
    compact(key, &header.to_string(), payload.to_string().as_bytes())
}

fn compact(key: &KeyPair, header: &str, payload: &[u8]) -> Result<String, CryptoError> {
    let mut jws = format!("{}.{}", base64url(header.as_bytes()), base64url(payload));
    let signature = key.sign(jws.as_bytes())?;
    jws.push('.');
    jws.push_str(&base64url(&signature));
    Ok(jws)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    #[test]
    fn the_signature_of_rfc_8037_appendix_a_4() {
        let seed: [u8; 32] = URL_SAFE_NO_PAD
            .decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
            .unwrap()
            .try_into()
            .unwrap();
        let key = KeyPair::from_ed25519_seed(&seed).unwrap();
        let jws = compact(&key, r#"{"alg":"EdDSA"}"#, b"Example of Ed25519 signing").unwrap();
        assert_eq!(
            jws,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn the_header_says_type_algorithm_and_key() {
        let key = KeyPair::generate_p256().unwrap();
        let jws = sign_compact(&key, "at+jwt", &json!({})).unwrap();
        let header = URL_SAFE_NO_PAD.decode(jws.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header, json!({"typ": "at+jwt", "alg": "ES256", "kid": key.key_id()}));
    }
}
