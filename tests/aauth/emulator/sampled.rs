//! Whatever is signed, and whatever stands in the older header: an answer, and no panic.

use lumoauth::http::HeaderValue;
use proptest::prelude::*;
use serde_json::json;

use super::signatures::{SIGNED, changed, revoke};
use super::world::*;

const NAMES: [&str; 12] = [
    "resource_token",
    "auth_token",
    "code",
    "redirect_uri",
    "refresh_token",
    "scope",
    "agent",
    "agent_jkt",
    "token",
    "token_type",
    "delegate_public_key",
    "grant_type",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn nothing_signed_makes_it_panic(
        path in 0..SIGNED.len(),
        fields in prop::collection::vec((0..NAMES.len(), "[ -~]{0,20}"), 0..6),
        header in "sig1=[!-~]{0,80}",
    ) {
        let world = World::new();
        let mut body = json!({});
        for (name, value) in fields {
            body[NAMES[name]] = match value.parse::<u64>() {
                Ok(number) => json!(number),
                Err(_) => json!(value),
            };
        }
        for kind in ["", "auth", "code", "refresh", "exchange"] {
            if !kind.is_empty() {
                body["request_type"] = json!(kind);
            }
            prop_assert!(world.post(1, SIGNED[path], &body).status().as_u16() < 500);
        }
        let value = HeaderValue::from_str(&header).unwrap();
        let request = changed(&revoke(&world), |headers| drop(headers.insert("agent-auth", value)));
        prop_assert_eq!(world.send(&request).status().as_u16(), 401);
    }
}
