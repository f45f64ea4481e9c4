//! The headers of signed messages: what is read is spelled in its one right form, so it is written back the same.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use libfuzzer_sys::fuzz_target;
use lumoauth::aauth::{SignatureInput, parse_agent_auth, parse_content_digest, parse_signature};

fuzz_target!(|text: &str| {
    if let Ok(input) = SignatureInput::parse(text) {
        let names: Vec<String> = input.components().iter().map(|name| format!("\"{name}\"")).collect();
        let again =
            format!("sig1=({});created={};nonce=\"{}\"", names.join(" "), input.created(), input.nonce());
        assert_eq!(again, text);
    }
    if let Ok(signature) = parse_signature(text) {
        let url = format!("sig1=:{}:", URL_SAFE_NO_PAD.encode(&signature));
        let padded = format!("sig1=:{}:", STANDARD.encode(&signature));
        assert!(url == text || padded == text);
    }
    if let Ok(digest) = parse_content_digest(text) {
        assert_eq!(format!("sha-256=:{}:", STANDARD.encode(digest)), text);
    }
    if let Ok(token) = parse_agent_auth(text) {
        assert_eq!(format!("agent_token={token}"), text);
    }
});
