//! What resources do at the service: resource tokens, and both checks.

use serde_json::{Value, json};

use super::world::*;

impl World {
    /// A token for the resource with the key 9, consented to by alice.
    pub fn consented_at_api(&self) -> String {
        let body = json!({"request_type": "auth", "resource_token": self.api_token("read")});
        let consent = ok(&self.post(1, "aauth/agent/token", &body));
        let back = self.decide(&text(&consent, "authorization_uri"), Some("alice"));
        text(&ok(&self.redeem(&parameter(&back, "code").unwrap())), "auth_token")
    }
}

fn about() -> Value {
    json!({"agent": AGENT, "agent_jkt": key(1).thumbprint(), "scope": "read"})
}

#[test]
fn a_resource_has_its_tokens_issued() {
    let world = World::new();
    for name in [None, Some("https://api.example.com#key-1")] {
        let answer = ok(&world.by_resource(9, name, "aauth/resource/token", &about()));
        let token = text(&answer, "resource_token");
        assert_eq!(answer, json!({"resource_token": token, "token_type": "resource+jwt", "expires_in": 300}));
        let (said, now) = (claims(&token), world.emulator.now().unix());
        assert_eq!(
            said,
            json!({"iss": API, "aud": world.issuer, "agent": AGENT, "agent_jkt": key(1).thumbprint(), "scope": "read",
                "iat": now, "exp": now + 300, "jti": said["jti"]})
        );
        let auth = json!({"request_type": "auth", "resource_token": token});
        assert!(
            ok(&world.post(1, "aauth/agent/token", &auth))["request_token"].is_string(),
            "and it is taken"
        );
    }
    let sent = |body: &Value| refusal(&world.by_resource(9, None, "aauth/resource/token", body));
    let with = |name: &str, value: Value| {
        let mut body = about();
        body[name] = value;
        body
    };
    let url = with("auth_request_url", json!("https://api.example.com/ask"));
    let token = text(&ok(&world.by_resource(9, None, "aauth/resource/token", &url)), "resource_token");
    assert_eq!(claims(&token)["auth_request_url"], "https://api.example.com/ask");
    assert_eq!(sent(&with("auth_server", json!(world.issuer))).0, 200);
    for (body, expected) in [
        (json!({}), "invalid_request"),
        (with("agent", json!("https://nobody.example")), "invalid_request"),
        (with("agent_jkt", json!("short")), "invalid_request"),
        (with("auth_request_url", json!("/ask")), "invalid_request"),
        (with("auth_server", json!("https://other.test")), "invalid_request"),
        (with("scope", json!("read fly")), "invalid_scope"),
        (with("scope", json!("a  b")), "invalid_scope"),
    ] {
        assert_eq!(sent(&body), code(400, expected), "{body}");
    }
    // Nobody else's key, and no other name of it.
    assert_eq!(
        refusal(&world.by_resource(7, None, "aauth/resource/token", &about())),
        code(401, "authentication_required")
    );
    for name in [
        "https://api.example.com#key-2",
        "https://api.example.com/#key-1",
        "https://api.example.com",
        "#key-1",
    ] {
        let refused = world.by_resource(9, Some(name), "aauth/resource/token", &about());
        assert_eq!(refusal(&refused), code(401, "invalid_signature"), "{name}");
    }
    let borrowed =
        world.by_resource(7, Some("https://api.example.com#key-1"), "aauth/resource/token", &about());
    assert_eq!(refusal(&borrowed), code(401, "invalid_signature"));
    assert_eq!(
        refusal(&world.post(1, "aauth/resource/token", &about())),
        code(401, "authentication_required"),
        "an agent"
    );
}

#[test]
fn a_resource_token_is_checked_at_the_service() {
    let world = World::new();
    let token = world.api_token("read");
    let mut question = about();
    question["resource_token"] = json!(token);
    let verify = |question: &Value| world.by_resource(9, None, "aauth/resource/token/verify", question);
    assert_eq!(ok(&verify(&question)), json!({"active": true, "resource": API, "scope": "read"}));
    assert_eq!(
        ok(&world.post(1, "aauth/resource/token/verify", &question))["active"],
        true,
        "its agent may ask too"
    );
    let mut other = question.clone();
    other["agent_jkt"] = json!(key(2).thumbprint());
    assert_eq!(ok(&verify(&other))["active"], false);
    other["resource_token"] = json!("a.b.c");
    assert_eq!(ok(&verify(&other))["active"], false);
    let foreign = world.by_resource(3, None, "aauth/resource/token/verify", &question);
    assert_eq!(refusal(&foreign), code(403, "access_denied"), "another resource");
    assert_eq!(refusal(&world.post(2, "aauth/resource/token/verify", &question)), code(403, "access_denied"));
    assert_eq!(refusal(&verify(&about())), code(400, "invalid_request"));
    world.emulator.advance(std::time::Duration::from_secs(300));
    assert_eq!(ok(&verify(&question))["active"], false, "expired");
}

#[test]
fn a_token_is_checked_at_the_service_by_its_resource() {
    let world = World::new();
    let token = world.consented_at_api();
    let verify =
        |number: u8, question: &Value| world.by_resource(number, None, "aauth/auth/token/verify", question);
    let question = json!({"auth_token": token});
    assert_eq!(
        ok(&verify(9, &question)),
        json!({"active": true, "agent": AGENT, "agent_delegate": "main", "resource": API, "sub": "user:alice",
            "scope": "read", "cnf_jkt": key(1).thumbprint(), "pop_required": true})
    );
    let named = |resource: &str| json!({"auth_token": token, "resource": resource});
    assert_eq!(ok(&verify(9, &named(API)))["active"], true);
    assert_eq!(refusal(&verify(9, &named(THIRD))), code(403, "access_denied"));
    let elsewhere = ok(&verify(3, &question));
    assert_eq!(
        (&elsewhere["active"], elsewhere.as_object().unwrap().len()),
        (&json!(false), 2),
        "and nothing of it: {elsewhere}"
    );
    let (signed, _) = token.rsplit_once('.').unwrap();
    for bad in ["a.b.c", &format!("{signed}.AAAA"), &world.api_token("read")] {
        assert_eq!(ok(&verify(9, &json!({"auth_token": bad})))["active"], false, "{bad}");
    }
    assert_eq!(refusal(&verify(9, &json!({}))), code(400, "invalid_request"));
    world.emulator.advance(std::time::Duration::from_secs(3600));
    assert_eq!(ok(&verify(9, &question))["active"], false, "expired");
}
