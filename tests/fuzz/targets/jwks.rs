//! Key sets and single keys: a key that is taken has a thumbprint, and its public form is taken again as the same key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lumoauth::crypto::VerifyingKey;
use lumoauth::verify::IssuerKeys;

fuzz_target!(|data: &[u8]| {
    if let Ok(keys) = IssuerKeys::parse(data) {
        for key in keys.keys() {
            let jwk = key.to_jwk();
            let again = VerifyingKey::from_jwk(&jwk.to_json()).expect("its own public form is a key");
            assert_eq!(again.to_jwk().thumbprint(), jwk.thumbprint());
        }
    }
});
