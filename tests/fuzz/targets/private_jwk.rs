//! Private keys in JSON and in DER: a key that is taken signs messages, and its public half verifies them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lumoauth::aauth::AgentKey;
use lumoauth::crypto::VerifyingKey;

fuzz_target!(|data: &[u8]| {
    for key in [AgentKey::from_jwk(data), AgentKey::from_der(data)].into_iter().flatten() {
        let signature = key.sign(b"base").expect("a key that was taken signs");
        let public = VerifyingKey::from_jwk(&key.public_jwk()).expect("its public half is a key");
        public.verify_message(b"base", &signature).expect("and verifies");
        if let Ok(pem) = key.to_pkcs8_pem() {
            let again = AgentKey::from_pem(pem.expose().as_bytes()).expect("what was written is read");
            assert_eq!(again.thumbprint(), key.thumbprint());
        }
    }
});
