//! The next hop: a token that was addressed to an agent becomes one at another resource.

use lumoauth::aauth::{Grant, Resource};
use serde_json::{Value, json};

use super::world::*;

/// A token of an agent for another agent, which is a resource too.
fn addressed(
    world: &World,
    from: u8,
    to: u8,
    change: impl FnOnce(Value) -> (String, Value),
) -> lumoauth::embed::wire::Response {
    let name = |number: u8| [AGENT, SECOND, THIRD][usize::from(number) - 1];
    let grant = Grant::new(name(from), key(from).thumbprint(), world.issuer.clone()).unwrap().scopes("read");
    let token = Resource::new(name(to), key(to)).unwrap().mint(&grant, &world.now()).unwrap();
    let (kind, mut body) = change(json!({"resource_token": token.expose()}));
    body["request_type"] = json!(kind);
    world.post(from, "aauth/agent/token", &body)
}

fn first(world: &World, to: u8) -> String {
    text(&ok(&addressed(world, 1, to, |body| ("auth".into(), body))), "auth_token")
}

fn next(world: &World, by: u8, upstream: &str, to: u8, name: &str) -> lumoauth::embed::wire::Response {
    addressed(world, by, to, |mut body| {
        body[name] = json!(upstream);
        ("exchange".into(), body)
    })
}

#[test]
fn three_agents_act_one_after_another_and_no_fourth() {
    for (rfc, name) in [(false, "auth_token"), (true, "subject_token")] {
        let world = World::of(builder().rfc_actor_order(rfc));
        let one = first(&world, 2);
        assert_eq!(claims(&one)["act"], Value::Null);
        world.emulator.advance(std::time::Duration::from_secs(60));
        let answer = ok(&next(&world, 2, &one, 3, name));
        assert_eq!((&answer["request_type"], answer.get("refresh_token")), (&json!("exchange"), None));
        let two = text(&answer, "auth_token");
        let said = claims(&two);
        let (outer, inner) = if rfc { (SECOND, AGENT) } else { (AGENT, SECOND) };
        assert_eq!(said["act"], json!({"sub": outer, "act": {"sub": inner}}));
        assert_eq!((&said["agent"], &said["aud"]), (&json!(SECOND), &json!(THIRD)));
        assert_eq!(said["exp"], claims(&one)["exp"], "it does not live longer");
        let three = text(&ok(&next(&world, 3, &two, 2, name)), "auth_token");
        let depth = |act: &Value| std::iter::successors(Some(act), |act| act.get("act")).count();
        assert_eq!(depth(&claims(&three)["act"]), 3);
        let four = next(&world, 2, &three, 3, name);
        assert_eq!(refusal(&four), code(403, "delegation_depth_exceeded"));
        assert_eq!(body(&four)["max_depth"], 3);
    }
}

#[test]
fn only_what_was_addressed_to_this_agent() {
    let world = World::new();
    let for_third = first(&world, 3);
    assert_eq!(refusal(&next(&world, 2, &for_third, 3, "auth_token")), code(400, "invalid_grant"));
    let one = first(&world, 2);
    let (signed, _) = one.rsplit_once('.').unwrap();
    assert_eq!(
        refusal(&next(&world, 2, &format!("{signed}.AAAA"), 3, "auth_token")),
        code(400, "invalid_grant")
    );
    let id = claims(&one)["jti"].clone();
    assert_eq!(ok(&world.post(1, "aauth/token/revoke", &json!({"token": id})))["revoked"], true);
    assert_eq!(refusal(&next(&world, 2, &one, 3, "auth_token")), code(400, "invalid_grant"), "revoked");
    let late = first(&world, 2);
    world.emulator.advance(std::time::Duration::from_secs(3600));
    assert_eq!(refusal(&next(&world, 2, &late, 3, "auth_token")), code(400, "invalid_grant"), "expired");
}

#[test]
fn consent_down_the_chain_is_the_same_persons() {
    let world = World::new();
    let one = first(&world, 2);
    let token = world.resource_token("agreed", 2, "read");
    let body = json!({"request_type": "exchange", "auth_token": one, "resource_token": token});
    let consent = ok(&world.post(2, "aauth/agent/token", &body));
    assert_eq!(consent["request_type"], "exchange");
    let back = world.decide(&text(&consent, "authorization_uri"), Some("alice"));
    assert!(back.starts_with("https://second.example/cb?code="), "the only one that is registered: {back}");
    let redeem = json!({"request_type": "code", "code": parameter(&back, "code"), "redirect_uri": "https://second.example/cb"});
    let answer = ok(&world.post(2, "aauth/agent/token", &redeem));
    let said = claims(&text(&answer, "auth_token"));
    assert_eq!((&said["sub"], &said["agent"]), (&json!("user:alice"), &json!(SECOND)));
    assert_eq!(said["act"], json!({"sub": AGENT, "act": {"sub": SECOND}}));
    assert!(answer.get("refresh_token").is_none());
}
