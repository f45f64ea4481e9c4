//! Refresh tokens: with a fresh resource token each time, within what was granted; and revocation.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::*;

fn refresh(world: &World, token: &str, resource_token: &str) -> lumoauth::embed::wire::Response {
    refresh_with(world, 1, token, resource_token, json!({}))
}

fn refresh_with(
    world: &World,
    number: u8,
    token: &str,
    resource_token: &str,
    more: Value,
) -> lumoauth::embed::wire::Response {
    let mut body =
        json!({"request_type": "refresh", "refresh_token": token, "resource_token": resource_token});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.post(number, "aauth/agent/token", &body)
}

#[test]
fn a_refresh_token_stays_and_wants_a_fresh_resource_token() {
    let world = World::new();
    let granted = world.consented("agreed", "read write");
    let token = text(&granted, "refresh_token");
    let fresh = world.resource_token("agreed", 1, "read");
    let answer = ok(&refresh(&world, &token, &fresh));
    assert_eq!(answer["request_type"], "refresh");
    assert!(answer.get("refresh_token").is_none(), "not rotated");
    let said = claims(&text(&answer, "auth_token"));
    assert_eq!((&said["scope"], &said["sub"]), (&json!("read"), &json!("user:alice")));
    assert_ne!(said["jti"], claims(&text(&granted, "auth_token"))["jti"]);
    assert_eq!(refusal(&refresh(&world, &token, &fresh)), code(400, "invalid_grant"), "used before");
    let stale = world.resource_token("agreed", 1, "read");
    world.emulator.advance(Duration::from_secs(300));
    assert_eq!(refusal(&refresh(&world, &token, &stale)), code(400, "invalid_grant"), "expired");
    let whole = ok(&refresh(&world, &token, &world.resource_token("agreed", 1, "read write")));
    assert_eq!(
        claims(&text(&whole, "auth_token"))["scope"],
        "read write",
        "the first renewal took nothing away"
    );
}

#[test]
fn never_more_than_was_granted_and_to_nobody_else() {
    let world = World::new();
    let token = text(&world.consented("agreed", "read"), "refresh_token");
    let fresh = || world.resource_token("agreed", 1, "read");
    let wider = world.resource_token("agreed", 1, "read write");
    assert_eq!(refusal(&refresh(&world, &token, &wider)), code(400, "invalid_scope"));
    let asked = refresh_with(&world, 1, &token, &fresh(), json!({"scope": "write"}));
    assert_eq!(refusal(&asked), code(400, "invalid_scope"));
    let elsewhere = world.resource_token("known", 1, "read");
    assert_eq!(refusal(&refresh(&world, &token, &elsewhere)), code(400, "invalid_grant"), "another resource");
    let others = world.resource_token("agreed", 2, "read");
    assert_eq!(
        refusal(&refresh(&world, &token, &others)),
        code(400, "invalid_grant"),
        "another agent's resource token"
    );
    let by_other = refresh_with(&world, 2, &token, &others, json!({}));
    assert_eq!(refusal(&by_other), code(400, "invalid_grant"), "another agent");
    let access = text(&world.granted("known", "read"), "auth_token");
    assert_eq!(refusal(&refresh(&world, &access, &fresh())), code(400, "invalid_grant"), "no refresh token");
    assert_eq!(refresh_with(&world, 1, &token, &fresh(), json!({"scope": "read"})).status(), 200);
    world.emulator.advance(Duration::from_secs(30 * 86_400));
    assert_eq!(refusal(&refresh(&world, &token, &fresh())), code(400, "invalid_grant"), "expired");
}

#[test]
fn what_is_revoked_is_over_at_once() {
    let world = World::new();
    let granted = world.granted("known", "read");
    let (token, refresh_token) = (text(&granted, "auth_token"), text(&granted, "refresh_token"));
    let id = claims(&token)["jti"].as_str().unwrap().to_owned();
    let data = || world.send(&world.data("known", &token, 1, "")).status().as_u16();
    let revoke = |number: u8, body: &Value| ok(&world.post(number, "aauth/token/revoke", body));
    let done = json!({"revoked": true});
    assert_eq!(revoke(2, &json!({"token": id})), done, "another agent hears the same");
    assert_eq!(revoke(1, &json!({"token": "unknown"})), done);
    assert_eq!(revoke(1, &json!({"token": token})), done, "the id is meant, not the token");
    assert_eq!(data(), 200);
    assert_eq!(revoke(1, &json!({"token": id, "token_type": "auth_token"})), done);
    assert_eq!(data(), 401);
    let renewed = ok(&refresh(&world, &refresh_token, &world.resource_token("known", 1, "read")));
    let renewed = text(&renewed, "auth_token");
    let data = || world.send(&world.data("known", &renewed, 1, "")).status().as_u16();
    assert_eq!(revoke(2, &json!({"token": refresh_token, "token_type": "refresh_token"})), done);
    assert_eq!(data(), 200);
    assert_eq!(revoke(1, &json!({"token": refresh_token, "token_type": "refresh_token"})), done);
    assert_eq!(data(), 401, "what came of it goes with it");
    let after = refresh(&world, &refresh_token, &world.resource_token("known", 1, "read"));
    assert_eq!(refusal(&after), code(400, "invalid_grant"));
    for bad in [json!({}), json!({"token": ""}), json!({"token": "x", "token_type": "y"})] {
        assert_eq!(
            refusal(&world.post(1, "aauth/token/revoke", &bad)),
            code(400, "invalid_request"),
            "{bad}"
        );
    }
    // The resource of a token may end it too.
    let mine = world.consented_at_api();
    let id = claims(&mine)["jti"].clone();
    let verify = || {
        ok(&world.by_resource(9, None, "aauth/auth/token/verify", &json!({"auth_token": mine})))["active"]
            .clone()
    };
    assert_eq!(verify(), true);
    assert_eq!(ok(&world.by_resource(9, None, "aauth/token/revoke", &json!({"token": id}))), done);
    assert_eq!(verify(), false);
    world.emulator.reset();
    assert_eq!(
        world
            .send(&world.data("known", &text(&world.granted("known", "read"), "auth_token"), 1, ""))
            .status(),
        200
    );
}
