//! Keys and signatures: the only room that names `ring`.

mod algorithm;
mod bytes;
mod error;
mod jwk;
mod jws;
mod key_pair;
#[cfg(any(all(feature = "sealed", any(feature = "blocking", feature = "async")), feature = "tower"))]
pub(crate) mod naming;
#[cfg(feature = "verify")]
mod private_jwk;
#[cfg(all(feature = "sealed", any(feature = "blocking", feature = "async")))]
pub(crate) mod sealing;
#[cfg(feature = "verify")]
mod verify;

pub use algorithm::{Algorithm, MessageAlgorithm};
pub(crate) use bytes::base64url;
#[cfg(feature = "verify")]
pub(crate) use bytes::from_base64url;
#[cfg(any(
    feature = "emulator",
    feature = "tower",
    all(feature = "sealed", any(feature = "blocking", feature = "async"))
))]
pub(crate) use bytes::random_bytes;
pub use error::CryptoError;
pub use jwk::{Jwk, JwkSet};
pub use jws::{sign_compact, sign_compact_as};
pub use key_pair::KeyPair;
#[cfg(feature = "verify")]
#[cfg_attr(docsrs, doc(cfg(feature = "verify")))]
pub use verify::{KeyFault, VerifyingKey};

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
        UnparsedPublicKey,
    };

    /// The first test key of the house: RSA, 2048 bits, made for these tests only.
    pub(crate) const RSA_PEM: &str = include_str!("../tests/vectors/test_rsa.pem");

    /// True if the compact JWS is signed by the key of the JWK.
    pub(crate) fn verifies(jws: &str, jwk: &serde_json::Value) -> bool {
        let (input, signature) = jws.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
        match jwk["kty"].as_str().unwrap() {
            "EC" => {
                let point = [vec![4], part("x"), part("y")].concat();
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
                signature.len() == 64 && key.verify(input.as_bytes(), &signature).is_ok()
            }
            "OKP" => UnparsedPublicKey::new(&ED25519, part("x")).verify(input.as_bytes(), &signature).is_ok(),
            _ => RsaPublicKeyComponents { n: part("n"), e: part("e") }
                .verify(&RSA_PKCS1_2048_8192_SHA256, input.as_bytes(), &signature)
                .is_ok(),
        }
    }

    #[test]
    fn each_kind_signs_what_its_public_half_verifies() {
        for (key, algorithm) in [
            (KeyPair::generate_p256().unwrap(), "ES256"),
            (KeyPair::generate_ed25519().unwrap(), "EdDSA"),
            (KeyPair::from_pem(RSA_PEM.as_bytes()).unwrap(), "RS256"),
        ] {
            assert_eq!(key.algorithm().to_string(), algorithm);
            let jws = sign_compact(&key, "at+jwt", &serde_json::json!({"a": 1})).unwrap();
            let jwk = key.public_jwk().to_json();
            assert!(verifies(&jws, &jwk), "{algorithm}");
            let other = jws.replacen('e', "f", 1);
            assert!(!verifies(&other, &jwk), "{algorithm}");
        }
    }

    #[test]
    fn keys_differ_and_do_not_print() {
        let (a, b) = (KeyPair::generate_p256().unwrap(), KeyPair::generate_p256().unwrap());
        assert_ne!(a.key_id(), b.key_id());
        let seed = KeyPair::from_ed25519_seed(&[7; 32]).unwrap();
        let shown = format!("{seed:?}");
        assert!(shown.contains("EdDSA") && shown.len() < 110, "{shown}");
    }

    #[test]
    fn what_is_no_key_says_so() {
        assert_eq!(KeyPair::from_pem(b"").unwrap_err(), CryptoError::NoKey);
        assert_eq!(
            KeyPair::from_pem(b"-----BEGIN CERTIFICATE-----\nAA==\n").unwrap_err(),
            CryptoError::NoKey
        );
        let broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(KeyPair::from_pem(broken.as_bytes()).unwrap_err(), CryptoError::UnsupportedKey);
    }

    #[test]
    fn an_rsa_key_is_the_same_in_pkcs1() {
        use base64::engine::general_purpose::STANDARD;
        let key = KeyPair::from_pem(RSA_PEM.as_bytes()).unwrap();
        let lines: String = RSA_PEM.lines().filter(|line| !line.starts_with("-----")).collect();
        let pkcs8 = STANDARD.decode(lines).unwrap();
        // What PKCS #8 puts around it: a sequence, the version, the algorithm, and a text of octets.
        let pkcs1 = pkcs8.get(26..).unwrap();
        assert_eq!((pkcs8.get(22), pkcs1.first()), (Some(&4), Some(&0x30)));
        let pem = format!(
            "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n",
            STANDARD.encode(pkcs1)
        );
        for same in [KeyPair::from_pem(pem.as_bytes()), KeyPair::from_der(pkcs1), KeyPair::from_der(&pkcs8)] {
            let same = same.unwrap();
            assert_eq!(same.key_id(), key.key_id());
            let jws = sign_compact(&same, "at+jwt", &serde_json::json!({"a": 1})).unwrap();
            assert!(verifies(&jws, &key.public_jwk().to_json()));
        }
        // Neither is taken for the other where the text says which it is.
        for (name, der) in [("RSA PRIVATE KEY", &pkcs8[..]), ("PRIVATE KEY", pkcs1)] {
            let pem = format!("-----BEGIN {name}-----\n{}\n-----END {name}-----\n", STANDARD.encode(der));
            assert_eq!(KeyPair::from_pem(pem.as_bytes()).unwrap_err(), CryptoError::UnsupportedKey);
        }
        assert_eq!(KeyPair::from_der(&pkcs1[..pkcs1.len() - 1]).unwrap_err(), CryptoError::UnsupportedKey);
    }

    #[test]
    fn pkcs8_without_the_public_half_is_read() {
        let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        der.extend([9; 32]);
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            base64::engine::general_purpose::STANDARD.encode(der)
        );
        let read = KeyPair::from_pem(pem.as_bytes()).unwrap();
        assert_eq!(read.key_id(), KeyPair::from_ed25519_seed(&[9; 32]).unwrap().key_id());
    }
}
