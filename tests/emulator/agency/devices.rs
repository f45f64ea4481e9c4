//! The device flow, with the clock in the test's hands.

use std::time::Duration;

use lumoauth::embed::operations::routes;
use lumoauth::embed::wire::Response;
use lumoauth::emulator::{DecisionError, Emulator};
use serde_json::Value;

use super::support::*;

fn begin(emulator: &Emulator, scope: &str) -> Value {
    ok(&signed(emulator, routes::DEVICE_AUTHORIZATION, &[("scope", scope)]))
}

fn poll(emulator: &Emulator, device: &Value) -> Response {
    let code = text(device, "device_code");
    let pairs =
        [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", code.as_str())];
    signed(emulator, routes::TOKEN, &pairs)
}

fn pass(emulator: &Emulator, seconds: u64) {
    emulator.advance(Duration::from_secs(seconds));
}

#[test]
fn a_device_polls_until_somebody_decides() {
    let emulator = Emulator::demo().unwrap();
    let device = begin(&emulator, "openid read:documents offline_access");
    assert_eq!((device["interval"].as_u64(), device["expires_in"].as_u64()), (Some(5), Some(600)));
    let user_code = text(&device, "user_code");
    assert_eq!(user_code.len(), 9);
    let complete = text(&device, "verification_uri_complete");
    assert_eq!(complete, format!("{}?user_code={user_code}", text(&device, "verification_uri")));
    assert_eq!(refusal(&poll(&emulator, &device)), refused(400, "authorization_pending"));
    pass(&emulator, 4);
    assert_eq!(refusal(&poll(&emulator, &device)), refused(400, "slow_down"));
    pass(&emulator, 9);
    assert_eq!(refusal(&poll(&emulator, &device)), refused(400, "slow_down"), "ten seconds now");
    pass(&emulator, 15);
    assert_eq!(refusal(&poll(&emulator, &device)), refused(400, "authorization_pending"));
    assert_eq!(emulator.pending_devices().concat(), user_code);
    let unknown = emulator.approve_device(&user_code, "nobody").unwrap_err();
    assert_eq!(unknown, DecisionError::UnknownUser("nobody".into()));
    emulator.approve_device(&user_code.to_lowercase().replace('-', ""), "bob").unwrap();
    assert!(emulator.approve_device(&user_code, "bob").is_err(), "decided already");
    pass(&emulator, 15);
    let tokens = ok(&poll(&emulator, &device));
    assert_eq!(jwt(&text(&tokens, "access_token"), 1)["sub"], "user:bob");
    assert_eq!(jwt(&text(&tokens, "id_token"), 1)["aud"], "agt_demo");
    ok(&refresh(&emulator, &text(&tokens, "refresh_token"), &[]));
    pass(&emulator, 15);
    assert_eq!(refusal(&poll(&emulator, &device)), refused(400, "invalid_grant"), "good for one time");
}

#[test]
fn a_device_is_refused_or_too_late() {
    let emulator = Emulator::demo().unwrap();
    let device = begin(&emulator, "read:documents");
    emulator.deny_device(&text(&device, "user_code")).unwrap();
    assert_eq!(refusal(&poll(&emulator, &device)), refused(400, "access_denied"));
    let device = begin(&emulator, "read:documents");
    pass(&emulator, 600);
    assert_eq!(refusal(&poll(&emulator, &device)), refused(400, "expired_token"));
    assert!(emulator.approve_device(&text(&device, "user_code"), "bob").is_err());
    let wide = signed(&emulator, routes::DEVICE_AUTHORIZATION, &[("scope", "fly")]);
    assert_eq!(refusal(&wide), refused(400, "invalid_scope"));
    let unsigned = post(&emulator, routes::DEVICE_AUTHORIZATION, &[("client_id", "agt_demo")]);
    assert_eq!(refusal(&unsigned), refused(401, "invalid_client"));
    let device = begin(&emulator, "read:documents");
    let pairs = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", &text(&device, "device_code")),
        ("client_id", "agt_search"),
        ("client_secret", emulator.secret_of("agt_search").unwrap().expose()),
    ];
    assert_eq!(refusal(&post(&emulator, routes::TOKEN, &pairs)), refused(400, "invalid_grant"));
}
