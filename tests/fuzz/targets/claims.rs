//! Claims read without trust, for display: no payload makes it panic, and the chain of actors is bounded.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use lumoauth::Secret;
use lumoauth::claims::UnverifiedClaims;

fuzz_target!(|data: &[u8]| {
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(data));
    if let Ok(claims) = UnverifiedClaims::read(&Secret::new(token)) {
        assert!(claims.unverified_actors().len() <= data.len());
        let _ = format!("{claims:?}");
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = UnverifiedClaims::read(&Secret::new(text));
    }
});
