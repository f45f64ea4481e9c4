//! Whether a signature is of a key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

use super::{Algorithm, Jwk};

/// True if the signature is of this key over the message. The algorithm is the key's, whatever a header says.
pub(crate) fn verifies(key: &Jwk, message: &[u8], signature: &[u8]) -> bool {
    let members = key.to_json();
    let part = |name: &str| {
        let text = members.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
        URL_SAFE_NO_PAD.decode(text).unwrap_or_default()
    };
    match key.algorithm() {
        Algorithm::Es256 => {
            let point = [vec![4], part("x"), part("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
        }
        Algorithm::EdDsa => UnparsedPublicKey::new(&ED25519, part("x")).verify(message, signature).is_ok(),
        Algorithm::Rs256 => RsaPublicKeyComponents { n: part("n"), e: part("e") }
            .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            .is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::KeyPair;

    #[test]
    fn only_the_key_and_the_message() {
        let pem = crate::crypto::tests::RSA_PEM.as_bytes();
        let keys = [
            KeyPair::generate_p256().unwrap(),
            KeyPair::generate_ed25519().unwrap(),
            KeyPair::from_pem(pem).unwrap(),
        ];
        for key in &keys {
            let mut signature = key.sign(b"message").unwrap();
            for other in &keys {
                let same = other.key_id() == key.key_id();
                assert_eq!(verifies(other.public_jwk(), b"message", &signature), same);
            }
            assert!(!verifies(key.public_jwk(), b"massage", &signature));
            signature[9] ^= 1;
            assert!(!verifies(key.public_jwk(), b"message", &signature));
        }
    }
}
