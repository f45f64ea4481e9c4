//! Keys from wherever they come, and both kinds of signature.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use lumoauth::aauth::AgentKey;
use lumoauth::crypto::{CryptoError, MessageAlgorithm, VerifyingKey};
use serde_json::json;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn seed(text: &str) -> [u8; 32] {
    hex(text).try_into().unwrap()
}

/// RFC 8032 section 7.1, tests 1 to 3 and "SHA(abc)": seed, public key, message, signature.
const RFC_8032: [[&str; 4]; 4] = [
    [
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    [
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
    [
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ],
];

#[test]
fn the_vectors_of_rfc_8032() {
    for [secret, public, message, signature] in RFC_8032 {
        let key = AgentKey::from_seed(&seed(secret)).unwrap();
        assert_eq!(key.public_jwk()["x"], URL_SAFE_NO_PAD.encode(hex(public)));
        assert_eq!(key.sign(&hex(message)).unwrap(), hex(signature));
        let verifying = VerifyingKey::from_jwk(&key.public_jwk()).unwrap();
        verifying.verify_message(&hex(message), &hex(signature)).unwrap();
        assert_eq!(verifying.verify_message(b"other", &hex(signature)), Err(CryptoError::Signature));
    }
}

#[test]
fn every_form_of_an_ed25519_key_is_the_same_key() {
    let [secret, public, ..] = RFC_8032[0];
    let key = AgentKey::from_seed(&seed(secret)).unwrap();
    let v1 = [hex("302e020100300506032b657004220420"), hex(secret)].concat();
    // RFC 8410 section 10.3 with the public half, which RFC 5958 section 2 puts behind as [1].
    let v2 = [hex("3051020101300506032b657004220420"), hex(secret), hex("812100"), hex(public)].concat();
    let jwk = json!({
        "kty": "OKP", "crv": "Ed25519", "d": URL_SAFE_NO_PAD.encode(hex(secret)), "x": key.public_jwk()["x"], "kid": "second",
    });
    for der in [&v1, &v2] {
        assert_eq!(AgentKey::from_der(der).unwrap().thumbprint(), key.thumbprint());
        let pem =
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
        let read = AgentKey::from_pem(pem.as_bytes()).unwrap();
        assert_eq!(read.thumbprint(), key.thumbprint());
        // Whatever it came from, version 1 is written.
        let written = read.to_pkcs8_pem().unwrap();
        assert_eq!(written.expose().lines().nth(1).unwrap(), STANDARD.encode(&v1));
        assert!(written.expose().lines().all(|line| line.len() <= 64));
    }
    let read = AgentKey::from_jwk(jwk.to_string().as_bytes()).unwrap();
    assert_eq!((read.thumbprint(), read.key_id()), (key.thumbprint(), "second"));
    // A public half of another key.
    let foreign =
        [hex("3051020101300506032b657004220420"), hex(secret), hex("812100"), hex(RFC_8032[1][1])].concat();
    assert_eq!(AgentKey::from_der(&foreign).unwrap_err(), CryptoError::UnsupportedKey);
}

#[test]
fn rsa_signs_messages_with_pss_and_sha_512() {
    let pem = include_bytes!("../vectors/test_rsa.pem");
    let key = AgentKey::from_pem(pem).unwrap();
    assert_eq!(key.algorithm(), MessageAlgorithm::RsaPssSha512);
    assert_eq!(key.to_pkcs8_pem().unwrap_err(), CryptoError::NotWritable);
    let public = VerifyingKey::from_jwk(&key.public_jwk()).unwrap();
    let signature = key.sign(b"base").unwrap();
    public.verify_message(b"base", &signature).unwrap();
    assert_ne!(signature, key.sign(b"base").unwrap(), "the salt is random");
    assert_eq!(public.verify_message(b"bass", &signature), Err(CryptoError::Signature));
    // A key that is for tokens only does not verify messages.
    let mut bound = key.public_jwk();
    bound["alg"] = json!("RS256");
    let bound = VerifyingKey::from_jwk(&bound).unwrap();
    assert_eq!(bound.message_algorithm(), None);
    assert_eq!(bound.verify_message(b"base", &signature), Err(CryptoError::Signature));
}

/// H7: the strict rules of Ed25519, and no algorithm but the key's.
#[test]
fn h7_weak_points_and_long_scalars_are_refused() {
    let key = AgentKey::from_seed(&[5; 32]).unwrap();
    let public = VerifyingKey::from_jwk(&key.public_jwk()).unwrap();
    let good = key.sign(b"base").unwrap();
    public.verify_message(b"base", &good).unwrap();
    // R of small order, and R in a second spelling.
    let mut refused = 0;
    for point in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        let mut bad = good.clone();
        bad[..32].copy_from_slice(&hex(point));
        assert_eq!(public.verify_message(b"base", &bad), Err(CryptoError::Signature));
        let weak = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(hex(point))});
        VerifyingKey::from_jwk(&weak).unwrap_err();
        refused += 2;
    }
    // S + L: the same signature to a lax verifier.
    let order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut long = good.clone();
    let mut carry = 0_u16;
    for (byte, add) in long[32..].iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = carry as u8;
        carry >>= 8;
    }
    assert_eq!(public.verify_message(b"base", &long), Err(CryptoError::Signature));
    for length in [0, 63, 65] {
        let mut bad = good.clone();
        bad.resize(length, 0);
        assert_eq!(public.verify_message(b"base", &bad), Err(CryptoError::Signature));
        refused += 1;
    }
    println!("h7: {} weak or malleable signatures and keys, 0 accepted", refused + 1);
}
