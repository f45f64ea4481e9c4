//! Public keys as JSON (RFC 7517, RFC 8037) and their thumbprints (RFC 7638).

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Algorithm, base64url};

/// A public key. There is no private half in it, and no way to put one in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    material: Material,
    key_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    P256 { x: String, y: String },
    P384 { x: String, y: String },
    Ed25519 { x: String },
    Rsa { n: String, e: String },
}

impl Jwk {
    pub(super) fn p256(x: &[u8], y: &[u8]) -> Self {
        Jwk::new(Material::P256 { x: base64url(x), y: base64url(y) })
    }

    #[cfg(feature = "verify")]
    pub(super) fn p384(x: &[u8], y: &[u8]) -> Self {
        Jwk::new(Material::P384 { x: base64url(x), y: base64url(y) })
    }

    pub(super) fn ed25519(x: &[u8]) -> Self {
        Jwk::new(Material::Ed25519 { x: base64url(x) })
    }

    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Self {
        Jwk::new(Material::Rsa { n: base64url(n), e: base64url(e) })
    }

    fn new(material: Material) -> Self {
        let key_id = base64url(&Sha256::digest(required_members(&material)));
        Jwk { material, key_id }
    }

    /// The thumbprint with SHA-256 (RFC 7638), which is the key id here.
    pub fn thumbprint(&self) -> &str {
        &self.key_id
    }

    /// `kid`.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// `alg`: what the key is for.
    pub fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::P256 { .. } => Algorithm::Es256,
            Material::P384 { .. } => Algorithm::Es384,
            Material::Ed25519 { .. } => Algorithm::EdDsa,
            Material::Rsa { .. } => Algorithm::Rs256,
        }
    }

    /// The key as JSON: its members, `kid`, `alg` and `use`.
    pub fn to_json(&self) -> Value {
        let (kid, alg) = (&self.key_id, self.algorithm().name());
        match &self.material {
            Material::P256 { x, y } => {
                json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "alg": alg, "use": "sig"})
            }
            Material::P384 { x, y } => {
                json!({"kty": "EC", "crv": "P-384", "x": x, "y": y, "kid": kid, "alg": alg, "use": "sig"})
            }
            Material::Ed25519 { x } => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "alg": alg, "use": "sig"})
            }
            Material::Rsa { n, e } => {
                json!({"kty": "RSA", "n": n, "e": e, "kid": kid, "alg": alg, "use": "sig"})
            }
        }
    }
}

impl Serialize for Jwk {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// The required members in the order of their names, without blanks (RFC 7638 section 3.2, RFC 8037 section 2).
/// Every value is base64url, so nothing needs escaping.
fn required_members(material: &Material) -> String {
    match material {
        Material::P256 { x, y } => format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#),
        Material::P384 { x, y } => format!(r#"{{"crv":"P-384","kty":"EC","x":"{x}","y":"{y}"}}"#),
        Material::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#),
        Material::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
    }
}

/// A JWK set (RFC 7517 section 5): the keys that a service signs with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

impl JwkSet {
    /// A set of these keys.
    pub fn new(keys: impl IntoIterator<Item = Jwk>) -> Self {
        JwkSet { keys: keys.into_iter().collect() }
    }

    /// The keys, in order.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The key of this id.
    pub fn find(&self, key_id: &str) -> Option<&Jwk> {
        self.keys.iter().find(|key| key.key_id == key_id)
    }

    /// `{"keys": [...]}`.
    pub fn to_json(&self) -> Value {
        json!({"keys": self.keys.iter().map(Jwk::to_json).collect::<Vec<_>>()})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::KeyPair;

    #[test]
    fn the_thumbprint_of_rfc_7638_section_3_1() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let jwk = Jwk::new(Material::Rsa { n: n.into(), e: "AQAB".into() });
        assert_eq!(jwk.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn the_thumbprint_of_rfc_8037_appendix_a_3() {
        let jwk = Jwk::new(Material::Ed25519 { x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into() });
        assert_eq!(jwk.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_set_finds_its_keys() {
        let key = KeyPair::generate_p256().unwrap();
        let set = JwkSet::new([key.public_jwk().clone()]);
        assert_eq!(set.find(key.key_id()), Some(key.public_jwk()));
        assert_eq!(set.find("other"), None);
        let json = set.to_json();
        assert_eq!(json, serde_json::to_value(&set).unwrap());
        assert_eq!(json["keys"][0]["x"].as_str().unwrap().len(), 43);
        assert!(json["keys"][0].get("d").is_none());
    }
}
