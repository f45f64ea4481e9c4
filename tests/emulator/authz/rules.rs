//! Who may ask about whom, in which forms, and what a policy or a seed must be.

use lumoauth::embed::operations::routes::permissions as routes;
use lumoauth::embed::wire::Request;
use lumoauth::emulator::{AgentSeed, ApiKeySeed, AuthzWire, Emulator, EmulatorBuilder, Tenant, UserSeed};
use lumoauth::http::{HeaderValue, Method};
use serde_json::{Value, json};

use super::super::support::{body, refusal, token};
use super::{keyed, with_token};

fn builder() -> EmulatorBuilder {
    let agent = AgentSeed::new("agt_1").secret("s").name("bot").capability("tool.use").role("reader");
    let oracle = AgentSeed::new("agt_2").secret("s").name("oracle").capability("authz.check");
    let tenant = Tenant::new("acme")
        .agent(agent)
        .agent(oracle)
        .role("reader", ["document.read"])
        .role("checker", ["authz.check"])
        .user(UserSeed::new("alice").email("alice@acme.test").role("reader"))
        .user(UserSeed::new("carl").role("checker"))
        .api_key(ApiKeySeed::new("carl").key("lmk_carl"))
        .api_key(ApiKeySeed::new("alice").key("lmk_alice"));
    let other = Tenant::new("other").agent(AgentSeed::new("agt_3").secret("s")).user(UserSeed::new("dora"));
    let other = other.api_key(ApiKeySeed::new("dora").key("lmk_dora").scopes(["admin"]));
    Emulator::builder().tenant(tenant).tenant(other)
}

fn post(emulator: &Emulator, path: &str, header: (&str, &str), question: &Value) -> (u16, Value) {
    let request = Request::new(Method::POST, emulator.site().join(path).unwrap()).json(question);
    let request = request.header(header.0.parse().unwrap(), HeaderValue::from_str(header.1).unwrap());
    let response = emulator.handle_in_process(&request).response;
    (response.status().as_u16(), body(&response))
}

#[test]
fn whoever_asks_is_who_the_question_is_about() {
    let emulator = builder().build().unwrap();
    let question = json!({"permission": "document.read"});
    let own = token(&emulator);
    let answer = body(&with_token(&emulator, Method::POST, "authz/check", &own, &question));
    assert_eq!((&answer["allowed"], &answer["subject_id"]), (&json!(true), &json!("agt_1")), "{answer}");
    assert_eq!(answer["context"]["requestPath"], "/t/acme/api/v1/authz/check");
    for (header, allowed) in [
        (("x-api-key", "lmk_alice"), true),
        (("authorization", "ApiKey lmk_alice"), true),
        (("authorization", "Bearer lmk_alice"), true),
        (("x-api-key", "lmk_carl"), false),
    ] {
        let (status, answer) = post(&emulator, "authz/check", header, &question);
        assert_eq!((status, &answer["allowed"]), (200, &json!(allowed)), "{header:?}: {answer}");
    }
    // Without a tenant in the path the credential says whose it is.
    let (_, answer) = post(&emulator, "/api/v1/authz/check", ("x-api-key", "lmk_dora"), &question);
    assert_eq!(answer["subject_id"], "dora");
    assert_eq!(post(&emulator, "authz/check", ("x-api-key", "lmk_dora"), &question).0, 401);
    assert_eq!(post(&emulator, "authz/check", ("x-api-key", "lmk_unknown"), &question).0, 401);
}

#[test]
fn others_are_asked_about_with_the_right_to() {
    let emulator = builder().build().unwrap();
    let about = |subject: Value| json!({"permission": "document.read", "subject": subject});
    for (subject, expected) in [
        (json!({"type": "user", "id": "alice"}), 200),
        (json!({"type": "user", "id": "alice@acme.test"}), 200),
        (json!("agent:bot"), 200),
        (json!({"type": "agent", "id": "agt_1"}), 200),
        (json!({"type": "user", "id": "nobody"}), 404),
        (json!({"type": "group", "id": "alice"}), 400),
        (json!({"id": "alice"}), 400),
        (json!("alice"), 400),
        (json!(7), 400),
    ] {
        let (status, answer) =
            post(&emulator, "authz/check", ("x-api-key", "lmk_carl"), &about(subject.clone()));
        assert_eq!(status, expected, "{subject}: {answer}");
        if status == 200 {
            assert_eq!(answer["allowed"], true, "{subject}");
        }
    }
    let alice = about(json!({"type": "user", "id": "alice"}));
    let carl = about(json!({"type": "user", "id": "carl"}));
    // Oneself may always be asked about; others, known or not, only with the right.
    assert_eq!(post(&emulator, "authz/check", ("x-api-key", "lmk_alice"), &alice).0, 200);
    for other in [carl, about(json!({"type": "user", "id": "nobody"}))] {
        let (status, answer) = post(&emulator, "authz/check", ("x-api-key", "lmk_alice"), &other);
        assert_eq!((status, &answer["code"]), (403, &json!("INSUFFICIENT_PERMISSIONS")));
    }
    let old = json!({"permission": "document.read", "user_id": "alice"});
    assert_eq!(post(&emulator, "authz/check", ("x-api-key", "lmk_carl"), &old).0, 400, "never ignored");
}

#[test]
fn what_is_malformed_is_refused_with_its_code() {
    let emulator = builder().build().unwrap();
    for (route, question, code) in [
        (routes::CHECK, json!({}), "MISSING_PERMISSION"),
        (routes::CHECK, json!({"permission": ["a"]}), "MISSING_PERMISSION"),
        (routes::CHECK_ANY, json!({"permissions": []}), "INVALID_PERMISSIONS"),
        (routes::CHECK_ALL, json!({"permissions": [1]}), "INVALID_PERMISSIONS"),
        (routes::CHECK_BULK, json!({"permissions": vec!["a"; 101]}), "INVALID_PERMISSIONS"),
        (routes::EVALUATION, json!({"subject": {"type": "user"}}), "MISSING_FIELDS"),
        (routes::EVALUATIONS, json!({"evaluations": []}), "MISSING_FIELDS"),
    ] {
        assert_eq!(refusal(&keyed(&emulator, route, &question)), (400, code.to_owned()), "{question}");
    }
}

#[test]
fn the_older_form_of_answers() {
    let emulator = builder().authz_wire(AuthzWire::Older).build().unwrap();
    let answer = body(&keyed(&emulator, routes::CHECK, &json!({"permission": "authz.check"})));
    assert_eq!((&answer["user_id"], &answer["subject_id"]), (&json!(2), &Value::Null), "{answer}");
    let tuple = json!({"object": "document:1", "relation": "viewer", "subject": "user:carl"});
    let answer = body(&keyed(&emulator, routes::RELATION_CHECK, &tuple));
    assert_eq!((&answer["user"], &answer["subject"]), (&json!("user:carl"), &Value::Null), "{answer}");
    let own = token(&emulator);
    let question = json!({"resourceType": "document", "action": "read"});
    let answer = body(&with_token(&emulator, Method::POST, "abac/check", &own, &question));
    assert_eq!(answer["evaluationContext"]["user"]["id"], "agt_1", "{answer}");
}

#[test]
fn evaluations_go_by_policies_and_where_none_matches_by_permissions() {
    let emulator = builder().build().unwrap();
    let question = |id: &str, action: &str| {
        json!({"subject": {"type": "user", "id": id}, "action": {"name": action},
               "resource": {"type": "document", "id": "1"}})
    };
    let answer = |question: &Value| body(&keyed(&emulator, routes::EVALUATION, question))["decision"].clone();
    assert_eq!(
        (answer(&question("alice", "read")), answer(&question("alice", "write"))),
        (json!(true), json!(false))
    );
    let mut shared = question("alice", "read");
    shared["evaluations"] = json!([{}, {"action": {"name": "write"}}]);
    let answers = body(&keyed(&emulator, routes::EVALUATIONS, &shared));
    assert_eq!(answers["evaluations"], json!([{"decision": true}, {"decision": false}]));
}

#[test]
fn bad_rules_of_a_seed_say_why() {
    let seed = || Tenant::new("acme").agent(AgentSeed::new("agt_1").secret("s"));
    let policy = |change: Value| {
        let mut policy = json!({"name": "p", "effect": "allow", "resourceType": "*", "action": "*"});
        policy.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        seed().policy(policy)
    };
    let leaf = |operator: &str, value: Value| {
        policy(json!({"conditions": {"subject": "user.x", "operator": operator, "value": value}}))
    };
    for (tenant, expected) in [
        (seed().relation("document", "viewer", "user:a"), "type and an id"),
        (seed().relation("document:1", "viewer", "user:a#"), "type and an id"),
        (seed().relation("document:1", "", "user:a"), "a word"),
        (seed().policy(json!({"name": "p"})), "effect"),
        (seed().policy(json!([])), "object"),
        (policy(json!({"priority": 1001})), "priority"),
        (policy(json!({"conditions": {"operator": "XOR", "conditions": []}})), "AND or OR"),
        (policy(json!({"conditions": {"most": []}})), "not known"),
        (policy(json!({"isActive": "false"})), "isActive"),
        (policy(json!({"isActive": 0})), "isActive"),
        (policy(json!({"target": "document"})), "target"),
        (policy(json!({"target": {"actions": [1]}})), "target"),
        (policy(json!({"resourceType": {"any": true}})), "target"),
        (policy(json!({"effect": "ALLOW"})), "effect"),
        (leaf("like", json!("x")), "operator"),
        (leaf("", json!("x")), "operator"),
        (leaf("EQUALS", json!("x")), "operator"),
        (leaf("not_equals", Value::Null), "no value"),
        (policy(json!({"conditions": {"subject": "user.x", "operator": "not_in"}})), "no value"),
        (policy(json!({"conditions": {"subject": "user", "operator": "exists"}})), "attribute"),
        (leaf("matches", json!("(")), "pattern"),
        (leaf("matches", json!("x".repeat(2_000))), "pattern"),
        (seed().api_key(ApiKeySeed::new("nobody")), "no such user"),
        (seed().thing("a", "1", json!([])), "object"),
    ] {
        let error = Emulator::builder().tenant(tenant).build().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}: {expected}");
    }
}
