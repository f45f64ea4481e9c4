//! Policies and attributes as administrators make them, and whole maps of attributes.

use lumoauth::emulator::{AgentSeed, ApiKeySeed, Emulator, Tenant, UserSeed};
use lumoauth::{ApiRequest, CheckPolicy, Client, Response};
use serde_json::{Value, json};

fn emulator() -> Emulator {
    let agent = AgentSeed::new("agt_1").secret("s").capabilities(["abac.manage"]);
    let seeded = json!({"name": "seeded", "resourceType": "folder", "action": "*", "effect": "allow"});
    let tenant = Tenant::new("acme")
        .agent(agent)
        .user(UserSeed::new("alice"))
        .api_key(ApiKeySeed::new("alice").key("lmk_admin").scopes(["admin"]))
        .api_key(ApiKeySeed::new("alice").key("lmk_other").scopes(["abac:read"]))
        .policy(seeded);
    Emulator::builder().tenant(tenant).build().unwrap()
}

fn client(emulator: &Emulator, key: &str) -> Client {
    let builder = Client::builder().base_url(emulator.site().base_url()).tenant("acme").api_key(key);
    builder.build_with(emulator.transport()).unwrap()
}

fn said(response: Response) -> (u16, Value) {
    (response.status().as_u16(), response.json().unwrap())
}

#[test]
fn policies_are_made_changed_switched_and_removed_and_count_at_once() {
    let emulator = emulator();
    let admin = client(&emulator, "lmk_admin");
    let call = |request: ApiRequest| said(admin.run(request).unwrap());
    let allowed = || {
        let question = CheckPolicy::new("document", "read").resource_id("1");
        emulator.agent().unwrap().authz().policy(question).unwrap().allowed()
    };
    let policy = json!({"name": "readers", "resourceType": "document", "action": "read", "effect": "allow",
        "priority": 7, "conditions": {"subject": "resource.status", "operator": "exists"}});
    let (status, made) = call(ApiRequest::post("abac/policies").json(&policy).unwrap());
    assert_eq!((status, &made["data"]["priority"]), (201, &json!(7)), "{made}");
    let path = format!("abac/policies/{}", made["data"]["id"]);
    assert!(!allowed());
    let whole =
        ApiRequest::put("abac/resources/document/1/attributes").json(&json!({"status": "new"})).unwrap();
    let agent = emulator.agent().unwrap();
    assert_eq!(said(agent.run(whole).unwrap()).1["data"]["attributes"], json!({"status": "new"}));
    assert!(allowed());
    let (_, listed) = call(ApiRequest::get("abac/policies"));
    let names = listed["data"].as_array().unwrap().iter().map(|policy| policy["name"].clone());
    assert_eq!(names.collect::<Vec<_>>(), ["seeded", "readers"]);
    assert_eq!(listed["meta"]["total"], 2);

    assert_eq!(call(ApiRequest::post(format!("{path}/toggle"))).1["data"]["isActive"], false);
    assert!(!allowed());
    let on = ApiRequest::new(lumoauth::http::Method::PATCH, &path).json(&json!({"isActive": true})).unwrap();
    assert_eq!(call(on).1["data"]["conditions"], policy["conditions"]);
    assert!(allowed());
    let mut denies = policy.clone();
    denies["effect"] = json!("deny");
    assert_eq!(call(ApiRequest::put(&path).json(&denies).unwrap()).0, 200);
    assert!(!allowed());
    assert_eq!(call(ApiRequest::get(&path)).1["data"]["effect"], "deny");
    assert_eq!(call(ApiRequest::delete(&path)).0, 200);
    for (request, status, code) in [
        (ApiRequest::get(&path), 404, "not_found"),
        (ApiRequest::delete("abac/policies/x"), 404, "not_found"),
        (
            ApiRequest::post("abac/policies").json(&json!({"name": "seeded", "effect": "deny"})).unwrap(),
            409,
            "duplicate_resource",
        ),
        (ApiRequest::post("abac/policies").json(&json!({"name": "x"})).unwrap(), 400, "validation_error"),
    ] {
        let (came, answer) = call(request);
        assert_eq!((came, &answer["code"]), (status, &json!(code)), "{answer}");
    }
    // Only administrators do this.
    let other = client(&emulator, "lmk_other");
    assert_eq!(other.run(ApiRequest::get("abac/policies")).unwrap().status(), 403);
    assert_eq!(other.run(ApiRequest::post("abac/policies").json(&policy).unwrap()).unwrap().status(), 403);
}

#[test]
fn attributes_are_defined_and_then_hold_what_the_definition_allows() {
    let emulator = emulator();
    let admin = client(&emulator, "lmk_admin");
    let agent = emulator.agent().unwrap();
    let call = |request: ApiRequest| said(admin.run(request).unwrap());
    let level = json!({"name": "level", "attributeType": "user", "dataType": "number", "validationRules": {"enum": [1, 2]}});
    let (status, made) = call(ApiRequest::post("abac/attributes").json(&level).unwrap());
    assert_eq!(
        (status, &made["data"]["slug"], &made["data"]["isSystem"]),
        (201, &json!("level"), &json!(false))
    );
    let path = format!("abac/attributes/{}", made["data"]["id"].as_str().unwrap());
    let set = |value: Value| {
        let request =
            ApiRequest::put("abac/users/alice/attributes/level").json(&json!({"value": value})).unwrap();
        agent.run(request).unwrap().status().as_u16()
    };
    assert_eq!([json!(1), json!(3), json!("1")].map(set), [200, 400, 400]);
    let wider = ApiRequest::new(lumoauth::http::Method::PATCH, &path)
        .json(&json!({"validationRules": null}))
        .unwrap();
    assert_eq!(call(wider).0, 200);
    assert_eq!([json!(3), json!("1")].map(set), [200, 400]);
    let listed = agent.authz().attribute_definitions(Default::default()).unwrap();
    let own = listed.definitions.iter().find(|own| own.slug == "level").unwrap();
    assert_eq!((own.data_type.as_deref(), own.attribute_type.as_deref()), (Some("number"), Some("user")));
    let mut renamed = level.clone();
    renamed["description"] = json!("of clearance");
    assert_eq!(call(ApiRequest::put(&path).json(&renamed).unwrap()).1["data"]["description"], "of clearance");
    for (request, expected) in [
        (ApiRequest::post("abac/attributes").json(&level).unwrap(), 409),
        (
            ApiRequest::post("abac/attributes")
                .json(&json!({"name": "email", "attributeType": "user", "dataType": "string"}))
                .unwrap(),
            409,
        ),
        (
            ApiRequest::post("abac/attributes")
                .json(&json!({"name": "x", "attributeType": "user", "dataType": "date"}))
                .unwrap(),
            400,
        ),
        (ApiRequest::delete("abac/attributes/sys_user_email"), 403),
        (ApiRequest::delete("abac/attributes/x"), 404),
        (ApiRequest::get("abac/attributes/sys_user_email"), 200),
        (ApiRequest::delete(&path), 200),
        (ApiRequest::get(&path), 404),
    ] {
        assert_eq!(call(request).0, expected);
    }
    assert_eq!(set(json!("anything")), 200, "nothing defines it any more");
}
