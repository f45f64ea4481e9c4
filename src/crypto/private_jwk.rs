//! Private keys as JSON, read: Ed25519 (RFC 8037 section 2) and RSA (RFC 7518 section 6.3.2).

use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::RsaKeyPair;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::bytes::from_base64url;
use super::error::CryptoError;
use super::key_pair::{KeyPair, Private};

impl KeyPair {
    /// A private JWK: Ed25519 (RFC 8037 section 2) or RSA with all its numbers (RFC 7518 section 6.3.2). `kid` and `alg` are
    /// not looked at; one that is for something else than signing by its `use` or `key_ops` is refused.
    ///
    /// # Errors
    /// [`CryptoError::Jwk`] if it is not one, or its halves do not belong together; [`CryptoError::UnsupportedKey`] for other
    /// types and sizes.
    #[cfg_attr(docsrs, doc(cfg(feature = "verify")))]
    pub fn from_jwk(jwk: &Value) -> Result<Self, CryptoError> {
        read(jwk)
    }
}

/// One of the two kinds, all its members given and fitting each other.
fn read(jwk: &Value) -> Result<KeyPair, CryptoError> {
    let members = jwk.as_object().ok_or(CryptoError::Jwk)?;
    // For something else by its own words (RFC 7517 sections 4.2 and 4.3).
    let other_use = members.get("use").is_some_and(|own| own != "sig");
    let other_operations = members.get("key_ops").is_some_and(|own| {
        !own.as_array().is_some_and(|own| own.iter().any(|operation| operation == "sign"))
    });
    if other_use || other_operations {
        return Err(CryptoError::Jwk);
    }
    match (text(members, "kty")?, members.get("crv").map(Value::as_str)) {
        ("OKP", Some(Some("Ed25519"))) => ed25519(members),
        ("RSA", None) => rsa(members),
        ("OKP" | "EC", Some(Some(_))) => Err(CryptoError::UnsupportedKey),
        _ => Err(CryptoError::Jwk),
    }
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a str, CryptoError> {
    members.get(name).and_then(Value::as_str).ok_or(CryptoError::Jwk)
}

fn bytes(members: &Map<String, Value>, name: &str) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    from_base64url(text(members, name)?).map(Zeroizing::new).ok_or(CryptoError::Jwk)
}

fn ed25519(members: &Map<String, Value>) -> Result<KeyPair, CryptoError> {
    let seed = bytes(members, "d")?;
    let seed = seed.as_slice().try_into().map_err(|_| CryptoError::Jwk)?;
    let key = KeyPair::from_ed25519_seed(seed)?;
    let own = key.public_jwk().to_json();
    if own.get("x").and_then(Value::as_str) == Some(text(members, "x")?) {
        Ok(key)
    } else {
        Err(CryptoError::Jwk)
    }
}

fn rsa(members: &Map<String, Value>) -> Result<KeyPair, CryptoError> {
    // More than two primes: nobody makes such keys, and ring refuses them.
    if members.contains_key("oth") {
        return Err(CryptoError::UnsupportedKey);
    }
    let part = |name| bytes(members, name);
    let (n, e, d) = (part("n")?, part("e")?, part("d")?);
    let (p, q, dp, dq, qi) = (part("p")?, part("q")?, part("dp")?, part("dq")?, part("qi")?);
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n: n.as_slice(), e: e.as_slice() },
        d: d.as_slice(),
        p: p.as_slice(),
        q: q.as_slice(),
        dP: dp.as_slice(),
        dQ: dq.as_slice(),
        qInv: qi.as_slice(),
    };
    let key = RsaKeyPair::from_components(&components).map_err(|_| CryptoError::UnsupportedKey)?;
    KeyPair::new(Private::Rsa(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// RFC 8037 appendix A.1.
    fn example() -> Value {
        json!({
            "kty": "OKP", "crv": "Ed25519",
            "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        })
    }

    #[test]
    fn the_key_of_rfc_8037_appendix_a_1() {
        let key = KeyPair::from_jwk(&example()).unwrap();
        assert_eq!(key.key_id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn halves_that_do_not_belong_together_are_refused() {
        let with = |name: &str, value: Value| {
            let mut jwk = example();
            jwk[name] = value;
            KeyPair::from_jwk(&jwk).unwrap_err()
        };
        assert_eq!(with("x", json!("A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg")), CryptoError::Jwk);
        assert_eq!(with("d", json!("AA")), CryptoError::Jwk);
        assert_eq!(with("d", json!(null)), CryptoError::Jwk);
        assert_eq!(with("crv", json!("X25519")), CryptoError::UnsupportedKey);
        assert_eq!(with("crv", json!(1)), CryptoError::Jwk);
        assert_eq!(with("kty", json!("oct")), CryptoError::Jwk);
        assert_eq!(with("use", json!("enc")), CryptoError::Jwk);
        assert_eq!(with("key_ops", json!(["deriveKey"])), CryptoError::Jwk);
        assert_eq!(KeyPair::from_jwk(&json!([])).unwrap_err(), CryptoError::Jwk);
    }
}
