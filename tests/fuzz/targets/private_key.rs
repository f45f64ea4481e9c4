//! Private keys from files: a key that is taken signs, and its public half verifies the signature.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lumoauth::crypto::{KeyPair, VerifyingKey};

fuzz_target!(|data: &[u8]| {
    if let Ok(key) = KeyPair::from_pem(data) {
        let signature = key.sign(b"message").expect("a key that was taken signs");
        let public = VerifyingKey::from_jwk(&key.public_jwk().to_json()).expect("its public half is a key");
        public.verify(key.algorithm(), b"message", &signature).expect("and verifies");
    }
});
