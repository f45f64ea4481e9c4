//! The known signatures of the profile, through the whole check of a message.

use lumoauth::aauth::{IncomingMessage, MessagePolicy};
use lumoauth::crypto::VerifyingKey;
use lumoauth::http::{HeaderMap, HeaderName, Method, Uri};
use serde_json::{Value, json};

use super::support::*;

#[test]
fn h1_the_vectors_of_the_profile_verify() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/aauth.json")).unwrap();
    let key = json!({"kty": "OKP", "crv": "Ed25519", "x": vectors["key"]["public_x"]});
    let key = VerifyingKey::from_jwk(&key).unwrap();
    let rows = vectors["vectors"].as_array().unwrap();
    for row in rows {
        let text = |name: &str| row[name].as_str();
        let url: Uri = text("wire_url").unwrap().parse().unwrap();
        let method: Method = text("method").unwrap().to_uppercase().parse().unwrap();
        let mut headers = HeaderMap::new();
        let mut put = |name: &'static str, value: Option<&str>| {
            if let Some(value) = value {
                headers.insert(HeaderName::from_static(name), value.parse().unwrap());
            }
        };
        let expected = &row["expected"];
        put("content-digest", expected["content_digest"].as_str());
        put("content-type", text("content_type").or(Some("application/json")));
        put("signature-input", expected["signature_input"].as_str());
        put("signature", expected["signature"].as_str());
        put("signature-key", text("signature_key"));
        put("authorization", text("authorization"));
        let body = text("body").unwrap_or_default().as_bytes();
        let target = url.path_and_query().unwrap().as_str();
        let message = IncomingMessage { method: &method, path_and_query: target, headers: &headers, body };
        let policy = MessagePolicy::new(text("wire_url").unwrap()).unwrap();
        let received = policy.read(&message, &at(row["created"].as_u64().unwrap())).unwrap();
        received.prove(&key).unwrap();
        assert_eq!(received.nonce(), text("nonce").unwrap());
    }
    println!("h1: {0} of {0} vectors of the profile verify", rows.len());
}
