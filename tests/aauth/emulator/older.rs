//! The older forms: one header that holds the whole signature, older keys of bodies, older answers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lumoauth::aauth::content_digest;
use lumoauth::embed::wire::{Request, Response};
use lumoauth::emulator::AAuthWire;
use lumoauth::http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::world::*;

/// Signs in the older form. Nothing in the library makes it; this is the only maker.
fn older(
    world: &World,
    number: u8,
    path: &str,
    mut fields: Value,
    change: impl FnOnce(String) -> String,
) -> Request {
    if fields.get("agent_token").is_none() {
        fields["agent_token"] = json!(world.agent_token(number));
    }
    let body = fields.to_string();
    let (url, digest) = (world.url(path), content_digest(body.as_bytes()));
    let base = format!(
        "\"@method\": POST\n\"@target-uri\": {url}\n\"content-type\": application/json\n\"content-digest\": {digest}"
    );
    let signature = STANDARD.encode(key(number).sign(base.as_bytes()).unwrap());
    let name = [AGENT, SECOND, THIRD][usize::from(number) - 1];
    let header = change(format!(
        "sig1=:{signature}:; label=\"sig1\"; alg=\"ed25519\"; keyid=\"{name}#key-1\"; created={}; \
         covered=\"@method @target-uri content-type content-digest\"",
        world.emulator.now().unix()
    ));
    let mut headers = HeaderMap::new();
    headers.insert("content-digest", digest.parse().unwrap());
    headers.insert("agent-auth", header.parse().unwrap());
    with_headers(Method::POST, &url, body.as_bytes(), &headers)
}

fn revoke(world: &World, change: impl FnOnce(String) -> String) -> Response {
    world.send(&older(world, 1, "aauth/token/revoke", json!({"token": "x"}), change))
}

#[test]
fn h9_the_one_header_form_is_read_under_the_tenant_prefix_only() {
    for (prefix, expected) in [("/t/acme/api/v1", 200), ("/orgs/acme/api/v1", 401), ("/api/v1", 401)] {
        let world = World::under(builder().build().unwrap(), prefix);
        assert_eq!(revoke(&world, |header| header).status(), expected, "{prefix}");
    }
    let world = World::new();
    let token = world.resource_token("known", 1, "read");
    let fields = json!({"request_type": "auth", "resource_token": token, "scope": "read"});
    let answer = ok(&world.send(&older(&world, 1, "aauth/agent/token", fields, |header| header)));
    assert_eq!(claims(&text(&answer, "auth_token"))["cnf"]["jwk"], key(1).public_jwk());
}

#[test]
fn it_is_held_to_its_form_too() {
    let world = World::new();
    let now = world.emulator.now().unix();
    for (old, new) in [
        ("alg=\"ed25519\"", "alg=\"none\""),
        ("#key-1", "#key-2"),
        ("https://agent.example/", SECOND),
        (" content-digest\"", "\""),
        ("@method ", ""),
        ("sig1=:", "sig1=:AAAA"),
        ("; label=\"sig1\"", ""),
    ] {
        let refused = revoke(&world, |header| {
            assert!(header.contains(old), "{old}");
            header.replacen(old, new, 1)
        });
        assert_eq!(refusal(&refused), code(401, "invalid_signature"), "{old} -> {new}");
    }
    for (offset, expected) in [(-61, 401), (-60, 200), (60, 200), (61, 401)] {
        let created = now.saturating_add_signed(offset);
        let response =
            revoke(&world, |header| header.replace(&format!("created={now}"), &format!("created={created}")));
        assert_eq!(response.status(), expected, "{offset}");
    }
    let fields = json!({"token": "x", "agent_token": world.agent_token(2)});
    let foreign = world.send(&older(&world, 1, "aauth/token/revoke", fields, |header| header));
    assert_eq!(refusal(&foreign), code(401, "invalid_signature"), "another agent's token");
    let fields = json!({"token": "x", "agent_token": "a.b.c"});
    let unreadable = world.send(&older(&world, 1, "aauth/token/revoke", fields, |header| header));
    assert_eq!(refusal(&unreadable), code(401, "authentication_required"));
    let request = older(&world, 1, "aauth/token/revoke", json!({"token": "x"}), |header| header);
    let other =
        with_headers(Method::POST, &request.url().to_string(), b"{\"token\":\"y\"}", request.headers());
    assert_eq!(refusal(&world.send(&other)), code(401, "invalid_signature"), "another body");
    let other =
        with_headers(Method::POST, &world.url("aauth/token/revoke?x"), request.body(), request.headers());
    assert_eq!(refusal(&world.send(&other)), code(401, "invalid_signature"), "another URL");
}

#[test]
fn older_answers() {
    let world = World::of(builder().aauth_wire(AAuthWire::Older));
    let refused = world.authorize("agreed", "read");
    assert_eq!(refusal(&refused), code(401, "authorization_required"));
    let consent = body(&refused);
    let (url, request) = (text(&consent, "auth_url"), text(&consent, "request_token"));
    let back = world.decide(&url, Some("alice"));
    // The code with the request's token, in place of the redirect URI.
    let redeem = json!({"request_type": "code", "code": parameter(&back, "code"), "request_token": request});
    let answer = ok(&world.post(1, "aauth/agent/token", &redeem));
    let (token, first) = (text(&answer, "access_token"), text(&answer, "refresh_token"));
    assert_eq!(
        answer,
        json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": "read", "refresh_token": first})
    );
    assert_eq!(world.send(&world.data("agreed", &token, 1, "")).status(), 200);

    let refresh = |token: &str| {
        world.post(1, "aauth/agent/token", &json!({"request_type": "refresh", "refresh_token": token}))
    };
    let second = text(&ok(&refresh(&first)), "refresh_token");
    assert_ne!(first, second, "each is replaced by the next");
    let third = ok(&refresh(&second));
    assert_eq!(refusal(&refresh(&first)), code(400, "invalid_grant"), "used");
    assert_eq!(
        refusal(&refresh(&text(&third, "refresh_token"))),
        code(400, "invalid_grant"),
        "and all that came of it is over"
    );
    assert_eq!(world.send(&world.data("agreed", &text(&third, "access_token"), 1, "")).status(), 401);
}

#[test]
fn older_resource_tokens_name_nobody() {
    let world = World::of(builder().aauth_wire(AAuthWire::Older));
    let ask = |world: &World, name: &str, fields: Value| {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {name}").parse().unwrap());
        world.send(&with_headers(
            Method::POST,
            &world.url("aauth/resource/token"),
            fields.to_string().as_bytes(),
            &headers,
        ))
    };
    let fields = json!({"resource_identifier": API, "audience": world.issuer, "lifetime": 120});
    let token = text(&ok(&ask(&world, API, fields.clone())), "resource_token");
    let said = claims(&token);
    assert_eq!((&said["iss"], &said["cnf"]), (&json!(API), &json!({"jkt": key(9).thumbprint()})));
    assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 120);
    let auth = json!({"request_type": "auth", "resource_token": token, "scope": "read"});
    assert_eq!(refusal(&world.post(1, "aauth/agent/token", &auth)), code(401, "authorization_required"));
    let current = World::new();
    let token = text(&ok(&ask(&current, API, fields.clone())), "resource_token");
    let auth = json!({"request_type": "auth", "resource_token": token, "scope": "read"});
    assert_eq!(
        refusal(&current.post(1, "aauth/agent/token", &auth)),
        code(400, "invalid_grant"),
        "names no agent"
    );

    assert_eq!(
        refusal(&ask(&world, "https://nobody.example", fields.clone())),
        code(401, "authentication_required")
    );
    for (name, value) in [
        ("resource_identifier", json!(THIRD)),
        ("audience", json!("")),
        ("lifetime", json!(3601)),
        ("lifetime", json!(0)),
        ("lifetime", json!("300")),
    ] {
        let mut bad = fields.clone();
        bad[name] = value;
        assert_eq!(refusal(&ask(&world, API, bad)), code(400, "invalid_request"), "{name}");
    }
}

#[test]
fn h9_no_public_interface_makes_the_older_form() {
    // Its header starts with the signature; nothing in the library but the emulator's reader has such a text.
    let mut found = Vec::new();
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read_to_string(&path).unwrap().contains("@target-uri") {
                found.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    assert_eq!(found, ["older.rs"]);
}
