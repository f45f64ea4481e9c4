//! Permissions, relations and policies with the vendor's Python SDK: it walks on the emulator, and what it asks means what ours does.

use lumoauth::embed::operations::authz::{
    ExpandRelation, GetResourceAttributes, ListAttributeDefinitions, ListPermissions, SetResourceAttribute,
    SetUserAttribute,
};
use lumoauth::emulator::{AgentSeed, ApiKeySeed, Emulator, Tenant, UserSeed};
use lumoauth::{
    CheckAll, CheckAny, CheckPermission, CheckPermissions, CheckPolicies, CheckPolicy, Client, Register,
    Subject, Tuple,
};
use serde_json::{Value, json};

use super::child::Python;
use super::hostile::{Recorded, Reply, Server};

fn tenant() -> Tenant {
    let published = json!({
        "name": "published", "resourceType": "document", "action": "read", "effect": "allow",
        "conditions": {"subject": "resource.status", "operator": "equals", "value": "published"}
    });
    Tenant::new("acme")
        .agent(AgentSeed::new("agt_1").secret("s").name("bot").capabilities(["tool.use", "abac.manage"]))
        .role("editor", ["document.read", "document.write"])
        .user(UserSeed::new("alice").role("editor"))
        .user(UserSeed::new("bob"))
        .api_key(ApiKeySeed::new("alice").key("lmk_1").scopes(["admin"]))
        .relation("document:1", "parent", "folder:1")
        .relation("folder:1", "editor", "user:alice")
        .relation("group:eng", "member", "user:alice")
        .thing("document", "1", json!({"status": "published"}))
        .policy(published)
}

#[test]
fn its_checks_walk_on_the_emulator() {
    let Some(mut python) = Python::start("checks on the emulator and Python") else { return };
    let emulator = Emulator::builder().tenant(tenant()).build().unwrap();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    let agent = emulator.agent().unwrap().access_token().unwrap().secret().expose().to_owned();
    let user = emulator.user_token("agt_1", "alice", ["abac:read", "authz:read"]).unwrap();
    let user = user.expose().to_owned();
    let mut walked = 0;
    let mut walk = |credential: (&str, &str), calls: Value, expected: Value| {
        let answer = python.ask(&json!({
            "do": "authz", "base_url": served.url(), "org_id": emulator.tenant(), credential.0: credential.1,
            "calls": calls,
        }));
        walked += expected.as_array().unwrap().len();
        assert_eq!(answer["answers"], expected, "{credential:?}: {answer}");
    };
    // As a service, about users and agents.
    walk(
        ("api_key", "lmk_1"),
        json!([
            ["permissions", "check", ["document.read"], {}],
            ["permissions", "check", ["document.read"], {"user_id": "bob"}],
            ["permissions", "check", ["tool.use", {"a": 1}], {"agent_id": "agt_1"}],
            ["permissions", "check_any", [["document.read", "x"]], {}],
            ["permissions", "check_all", [["document.read", "x"]], {}],
            ["permissions", "check_bulk", [["document.read", "x"]], {}, "results"],
            ["permissions", "check", ["x"], {"user_id": "nobody"}],
            ["permissions", "list", [], {}],
            ["zanzibar", "check", ["document:1", "viewer", "user:alice"], {}],
            ["zanzibar", "check", ["document:1", "owner", "user:alice"], {}],
            ["zanzibar", "is_editor", ["folder:1", "user:alice"], {}],
            ["zanzibar", "is_member", ["group:eng", "user:bob"], {}],
            ["zanzibar", "expand", ["folder:1", "editor"], {}, "subjects"],
            ["abac", "check", ["document", "read", "1"], {}],
        ]),
        json!([
            true, false, true, true, false, {"document.read": true, "x": false},
            {"error": "LumoAuthNotFoundError"}, {"error": "LumoAuthPermissionDeniedError"},
            true, false, true, false, ["user:alice"], {"error": "LumoAuthAuthenticationError"},
        ]),
    );
    // As an agent, and as a user.
    let policies = json!([
        ["abac", "is_allowed", ["document", "read", "1"], {}],
        ["abac", "is_allowed", ["document", "delete", "1", {"hour": 3}], {}],
        ["abac", "check", ["document", "read", "1"], {}, "reason"],
        ["abac", "get_resource_attributes", ["document", "1"], {}, "attributes", "status"],
    ]);
    let said = json!([true, false, "Allowed by policy: published", "published"]);
    walk(("token", &agent), policies.clone(), said.clone());
    walk(("token", &user), policies, said);
    walk(
        ("token", &agent),
        json!([
            ["abac", "set_resource_attribute", ["document", "1", "status", "draft"], {}, "data", "value"],
            ["abac", "set_user_attribute", ["bob", "department", "sales"], {}, "data", "value"],
            ["abac", "is_allowed", ["document", "read", "1"], {}],
            ["permissions", "check", ["tool.use"], {}],
            ["permissions", "check", ["document.read"], {"user_id": "alice"}],
        ]),
        json!(["draft", "sales", false, true, {"error": "LumoAuthPermissionDeniedError"}]),
    );
    walk(
        ("token", &user),
        json!([
            ["permissions", "list_slugs", [], {}],
            ["abac", "get_my_attributes", [], {}, "attributes", "id"],
            ["abac", "set_user_attribute", ["bob", "department", "x"], {}],
        ]),
        json!([["document.read", "document.write"], "alice", {"error": "LumoAuthPermissionDeniedError"}]),
    );
    println!(
        "Python 1.1.0: {walked} checks, lists and changes walk on the emulator, with a key, as agent and as user"
    );
}

/// The least that each route is answered.
fn answer(request: &Recorded) -> Reply {
    let path = request.path();
    let body = match path.split_once("/api/v1/").map(|(_, route)| route).unwrap_or_default() {
        "authz/check-bulk" => json!({"results": {"a": true, "b": false}}),
        "abac/check-bulk" => json!({"results": [{"allowed": true}, {"allowed": false}]}),
        "authz/zanzibar/expand" => json!({"tree": {"type": "leaf", "subjects": []}}),
        "agents/register" => json!({"success": true, "agent_id": "agt_2", "name": "bot"}),
        route if route.ends_with("/attributes") && request.method == "GET" => json!({"attributes": {}}),
        "abac/my-attributes" => json!({"user_id": "u", "attributes": {}}),
        "abac/attribute-definitions" | "authz/permissions" => json!({"data": [], "permissions": []}),
        _ => json!({"allowed": true}),
    };
    Reply::json(200, body.to_string())
}

/// What a service was asked: with which credential, where, and what.
fn asked(server: &Server) -> Vec<Value> {
    let each = server.requests().into_iter().map(|request| {
        let body: Value = serde_json::from_str(&request.text()).unwrap_or_default();
        let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
        json!({
            "call": format!("{} {}", request.method, request.target), "body": body,
            "bearer": header("authorization"), "key": header("x-api-key"),
        })
    });
    each.collect()
}

#[test]
fn its_checks_and_ours_mean_the_same() {
    let Some(mut python) = Python::start("requests of checks and Python") else { return };
    let mut routes = std::collections::BTreeSet::new();
    let mut compare = |key: bool, calls: Value, ours: &dyn Fn(&Client)| {
        let (service, own) = (Server::start(answer), Server::start(answer));
        let said = python.ask(&json!({
            "do": "authz", "base_url": service.url(), "org_id": "acme", if key { "api_key" } else { "token" }: "c-1",
            "calls": calls,
        }));
        assert!(said.get("answers").is_some(), "{said}");
        let client = Client::builder().base_url(own.url()).organization("acme");
        ours(&if key { client.api_key("c-1") } else { client.user_token("c-1") }.build().unwrap());
        let (theirs, ours) = (asked(&service), asked(&own));
        assert_eq!(theirs, ours, "{said}");
        routes.extend(ours.iter().map(|request| request["call"].to_string()));
    };
    let everybody = json!([
        ["permissions", "check", ["a"], {}],
        ["permissions", "check", ["a", {"k": [1]}], {"user_id": "alice"}],
        ["permissions", "check", ["a"], {"agent_id": "agt_1"}],
        ["permissions", "check_any", [["a", "b"], {"k": "v"}], {"user_id": "alice"}],
        ["permissions", "check_all", [["a", "b"]], {"agent_id": "agt_1"}],
        ["permissions", "check_bulk", [["a", "b"]], {"user_id": "alice"}],
        ["zanzibar", "check", ["document:1", "editor", "group:eng#member"], {}],
        ["zanzibar", "is_owner", ["document:1", "user:alice"], {}],
        ["zanzibar", "is_editor", ["document:1", "user:alice"], {}],
        ["zanzibar", "is_viewer", ["document:1", "user:alice"], {}],
        ["zanzibar", "is_member", ["group:eng", "user:alice"], {}],
        ["zanzibar", "is_admin", ["group:eng", "user:alice"], {}],
        ["zanzibar", "expand", ["document:1", "viewer"], {}],
    ]);
    for key in [true, false] {
        compare(key, everybody.clone(), &|client| {
            let authz = client.authz();
            let (alice, bot) = (|| Subject::user("alice"), || Subject::agent("agt_1"));
            authz.permission("a").unwrap().require().unwrap();
            let question = CheckPermission::new("a").context(json!({"k": [1]})).subject(alice());
            authz.permission(question).unwrap().require().unwrap();
            authz.permission(CheckPermission::new("a").subject(bot())).unwrap().require().unwrap();
            let any = CheckAny::new(["a", "b"]).context(json!({"k": "v"})).subject(alice());
            authz.any_permission(any).unwrap().require().unwrap();
            authz.all_permissions(CheckAll::new(["a", "b"]).subject(bot())).unwrap().require().unwrap();
            let bulk = CheckPermissions::new(["a", "b"]).subject(alice());
            assert!(authz.permissions(bulk).unwrap().is_allowed(0));
            for tuple in [
                Tuple::new("document:1", "editor", "group:eng#member"),
                Tuple::owner("document:1", "user:alice"),
                Tuple::editor("document:1", "user:alice"),
                Tuple::viewer("document:1", "user:alice"),
                Tuple::member("group:eng", "user:alice"),
                Tuple::admin("group:eng", "user:alice"),
            ] {
                authz.relation(tuple).unwrap().require().unwrap();
            }
            authz.expand(ExpandRelation::new("document:1", "viewer")).unwrap();
        });
    }
    let principals = json!([
        ["permissions", "list", [], {}],
        ["abac", "check", ["document", "read"], {}],
        ["abac", "check", ["document", "read", "1", {"hour": 3}], {}],
        ["abac", "check", ["document", "read", null, {"ip": "203.0.113.7", "pep": {"ip": "192.0.2.1"}}], {}],
        ["abac", "check_bulk", [[{"resource_type": "document", "action": "read", "resource_id": "1"},
            {"resource_type": "folder", "action": "list"}], {"hour": 3}], {}],
        ["abac", "get_my_attributes", [], {}],
        ["abac", "get_resource_attributes", ["document", "a b/1"], {}],
        ["abac", "set_resource_attribute", ["document", "1", "status", "draft"], {}],
        ["abac", "set_user_attribute", ["alice", "level", 3], {}],
        ["abac", "get_attribute_definitions", [], {}],
        ["abac", "get_attribute_definitions", ["user"], {}],
        ["agents", "register", ["bot"], {"client_id": "agt_2", "description": "d", "capabilities": ["a"],
            "jwks_uri": "https://agent.test/jwks.json"}],
    ]);
    compare(false, principals, &|client| {
        let authz = client.authz();
        authz.list_permissions(ListPermissions::new()).unwrap();
        authz.policy(CheckPolicy::new("document", "read")).unwrap().require().unwrap();
        let there = CheckPolicy::new("document", "read").resource_id("1");
        authz.policy(there.clone().environment(json!({"hour": 3}))).unwrap().require().unwrap();
        let near = json!({"ip": "203.0.113.7", "pep": {"ip": "192.0.2.1"}});
        let near = CheckPolicy::new("document", "read").environment(near);
        authz.policy(near).unwrap().require().unwrap();
        let bulk = CheckPolicies::new([there, CheckPolicy::new("folder", "list")]);
        assert!(authz.policies(bulk.environment(json!({"hour": 3}))).unwrap().is_allowed(0));
        authz.my_attributes().unwrap();
        authz.resource_attributes(GetResourceAttributes::new("document", "a b/1")).unwrap();
        authz.set_resource_attribute(SetResourceAttribute::new("document", "1", "status", "draft")).unwrap();
        authz.set_user_attribute(SetUserAttribute::new("alice", "level", 3)).unwrap();
        authz.attribute_definitions(ListAttributeDefinitions::new()).unwrap();
        authz.attribute_definitions(ListAttributeDefinitions::new().of("user")).unwrap();
        let register = Register::new("bot").client_id("agt_2").description("d").capabilities(["a"]);
        client.run(register.jwks_uri("https://agent.test/jwks.json")).unwrap();
    });
    // In the tenant's layout ours says the subject of a relation twice, `subject` and `user` (R-relation); the SDK has the other layout alone.
    println!(
        "Python 1.1.0: checks, lists and changes are asked alike at {} places; no difference",
        routes.len()
    );
}
