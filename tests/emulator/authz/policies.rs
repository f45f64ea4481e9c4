//! Policies against a brute force that reads them anew: both documented forms, every operator, deny overrides.

use lumoauth::embed::operations::routes::permissions as routes;
use lumoauth::emulator::{AgentSeed, Emulator, Tenant};
use lumoauth::http::Method;
use serde_json::{Map, Value, json};

use super::super::rounds;
use super::super::support::{body, refusal, token};
use super::{Dice, with_token};

fn ask(emulator: &Emulator, token: &str, question: &Value) -> Value {
    let response = with_token(emulator, Method::POST, "abac/check", token, question);
    assert_eq!(response.status(), 200, "{}", response.text());
    body(&response)
}

/// The brute force: a policy is read anew for every question.
mod brute {
    use super::{Map, Value};

    fn find(facts: &Value, name: &str) -> Option<Value> {
        let name = name.replacen("subject.", "user.", 1);
        let (first, rest) = name.split_once('.').unwrap();
        facts[first].get(rest).filter(|value| !value.is_null()).cloned()
    }

    fn number(value: &Value) -> Option<f64> {
        value.as_f64()
    }

    fn equal(a: &Value, b: &Value) -> bool {
        match (number(a), number(b)) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        }
    }

    fn greater(a: &Value, b: &Value) -> Option<bool> {
        match (number(a), number(b)) {
            (Some(a), Some(b)) => Some(a > b),
            _ => Some(a.as_str()? > b.as_str()?),
        }
    }

    fn has(list: &Value, item: &Value) -> bool {
        list.as_array().is_some_and(|items| items.iter().any(|own| equal(own, item)))
    }

    fn leaf(condition: &Map<String, Value>, facts: &Value) -> bool {
        let name = condition.get("subject").or(condition.get("attribute")).unwrap().as_str().unwrap();
        let own = find(facts, name);
        let operator = condition["operator"].as_str().unwrap();
        if operator.ends_with("exists") {
            return own.is_some() == (operator == "exists");
        }
        let other = match condition["value"].as_str().and_then(|text| text.strip_prefix('$')) {
            Some(name) => find(facts, name),
            None => Some(condition["value"].clone()),
        };
        let (Some(own), Some(other)) = (own, other) else { return false };
        let within = has(&other, &own)
            || own.as_array().is_some_and(|several| several.iter().any(|one| has(&other, one)))
            || (!other.is_array() && equal(&own, &other));
        let contains = has(&own, &other)
            || own.as_str().zip(other.as_str()).is_some_and(|(own, part)| own.contains(part));
        match operator {
            "equals" => equal(&own, &other),
            "not_equals" => !equal(&own, &other),
            "in" => within,
            "not_in" => !within,
            "contains" => contains,
            "not_contains" => !contains,
            "gt" | "greater_than" => greater(&own, &other) == Some(true),
            "lt" | "less_than" => greater(&other, &own) == Some(true),
            "gte" => greater(&other, &own) == Some(false),
            "lte" => greater(&own, &other) == Some(false),
            "matches" => {
                let pattern = other.as_str().unwrap();
                let start = pattern.strip_prefix('^').unwrap();
                own.as_str().is_some_and(|own| own.starts_with(start))
            }
            other => panic!("{other}"),
        }
    }

    fn holds(condition: &Value, facts: &Value) -> bool {
        let map = condition.as_object().unwrap();
        let each = |value: &Value| -> Vec<bool> {
            value.as_array().unwrap().iter().map(|item| holds(item, facts)).collect()
        };
        if let Some(conditions) = map.get("conditions") {
            let each = each(conditions);
            return if map["operator"] == "AND" { !each.contains(&false) } else { each.contains(&true) };
        }
        if map.contains_key("operator") {
            return leaf(map, facts);
        }
        map.get("all").is_none_or(|all| !each(all).contains(&false))
            && map.get("any").is_none_or(|any| each(any).contains(&true))
            && map.get("none").is_none_or(|none| !each(none).contains(&true))
    }

    pub fn decide(policies: &[Value], resource: &str, action: &str, facts: &Value) -> bool {
        let named = |value: &Value, own: &str| match value {
            Value::Array(items) => items.iter().any(|item| item == own || item == "*"),
            Value::Null => true,
            text => text == own || text == "*",
        };
        let matching = policies.iter().filter(|policy| {
            let (resources, actions) = match policy.get("target") {
                Some(target) => (&target["resources"], &target["actions"]),
                None => (&policy["resourceType"], &policy["action"]),
            };
            policy.get("isActive") != Some(&Value::Bool(false))
                && named(resources, resource)
                && named(actions, action)
                && policy.get("conditions").is_none_or(|conditions| holds(conditions, facts))
        });
        let effects: Vec<&Value> = matching.map(|policy| &policy["effect"]).collect();
        !effects.is_empty() && effects.iter().all(|effect| **effect == "allow")
    }
}

const VALUES: [&str; 8] = ["a", "b", "ab", "c", "1", "2", "2.0", "[\"a\",\"c\"]"];
const NAMES: [&str; 6] =
    ["user.x", "user.y", "resource.x", "resource.owner", "environment.z", "user.missing"];

fn value(dice: &mut Dice) -> Value {
    let text = dice.of(&VALUES);
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

fn leaf(dice: &mut Dice, second: bool) -> Value {
    let all = [
        "equals",
        "not_equals",
        "in",
        "not_in",
        "contains",
        "not_contains",
        "gte",
        "lte",
        "exists",
        "not_exists",
        "matches",
    ];
    let operator = match dice.roll(13) {
        11 => {
            if second {
                "greater_than"
            } else {
                "gt"
            }
        }
        12 => {
            if second {
                "less_than"
            } else {
                "lt"
            }
        }
        other => all[other],
    };
    let mut value = value(dice);
    if operator == "matches" {
        value = json!(format!("^{}", dice.of(&["a", "b", "ab", ""])));
    } else if operator.ends_with("in") {
        value = json!([value, self::value(dice)]);
    } else if dice.roll(5) == 0 {
        value = json!(format!("${}", dice.of(&NAMES)));
    }
    let name = dice.of(&NAMES);
    if second {
        json!({"attribute": name.replace("user.", "subject."), "operator": operator, "value": value})
    } else {
        json!({"subject": name, "operator": operator, "value": value})
    }
}

fn condition(dice: &mut Dice, second: bool, depth: usize) -> Value {
    if depth > 2 || dice.roll(3) == 0 {
        return leaf(dice, second);
    }
    let each = |dice: &mut Dice| -> Vec<Value> {
        (0..dice.roll(4)).map(|_| condition(dice, second, depth + 1)).collect()
    };
    if !second {
        let operator = dice.of(&["AND", "OR"]);
        return json!({"operator": operator, "conditions": each(dice)});
    }
    let mut map = Map::new();
    for name in ["all", "any", "none"] {
        if dice.roll(2) == 0 {
            map.insert(name.to_owned(), json!(each(dice)));
        }
    }
    Value::Object(map)
}

fn policy(dice: &mut Dice, number: usize) -> Value {
    let effect = dice.of(&["allow", "allow", "allow", "deny"]);
    let second = dice.roll(2) == 0;
    let kinds = ["document", "folder", "*"];
    let actions = ["read", "write", "*"];
    let mut policy = json!({"name": format!("p{number}"), "effect": effect, "priority": dice.roll(1001)});
    if second {
        policy["target"] =
            json!({"resources": [dice.of(&kinds), dice.of(&kinds)], "actions": [dice.of(&actions)]});
    } else {
        policy["resourceType"] = json!(dice.of(&kinds));
        policy["action"] = json!(dice.of(&actions));
    }
    if dice.roll(8) != 0 {
        policy["conditions"] = condition(dice, second, 0);
    }
    if dice.roll(10) == 0 {
        policy["isActive"] = json!(false);
    }
    policy
}

#[test]
fn the_engine_agrees_with_a_brute_force_over_random_policies() {
    let (mut dice, mut checked, mut allowed, mut different) = (Dice(2), 0, 0, 0);
    for round in 0..rounds::of(5_000) {
        let policies: Vec<Value> = (0..1 + dice.roll(5)).map(|number| policy(&mut dice, number)).collect();
        let attributes = |dice: &mut Dice, names: &[&str]| -> Map<String, Value> {
            let some = names.iter().filter(|_| dice.roll(4) != 0).copied().collect::<Vec<_>>();
            some.into_iter().map(|name| (name.to_owned(), value(dice))).collect()
        };
        let user = attributes(&mut dice, &["x", "y"]);
        let thing = attributes(&mut dice, &["x", "owner"]);
        let agent = user.iter().fold(AgentSeed::new("agt_1").secret("s"), |agent, (name, value)| {
            agent.attribute(name, value.clone())
        });
        let mut tenant = Tenant::new("acme").agent(agent);
        for policy in &policies {
            tenant = tenant.policy(policy.clone());
        }
        for kind in ["document", "folder"] {
            tenant = tenant.thing(kind, "1", thing.clone());
        }
        let emulator = Emulator::builder().tenant(tenant).build().unwrap();
        let token = token(&emulator);
        for kind in ["document", "folder"] {
            for action in ["read", "write"] {
                let environment = attributes(&mut dice, &["z"]);
                let facts = json!({"user": user, "resource": thing, "environment": environment});
                let expected = brute::decide(&policies, kind, action, &facts);
                let question = json!({
                    "resourceType": kind, "action": action, "resourceId": "1", "environment": environment,
                });
                let says = ask(&emulator, &token, &question)["allowed"].as_bool().unwrap();
                checked += 1;
                allowed += u32::from(says);
                if says != expected {
                    different += 1;
                    println!("round {round}: {kind} {action}: {says}; {facts}; {}", json!(policies));
                }
            }
        }
    }
    println!("policies: {checked} checks, {allowed} allowed, {different} differ from the brute force");
    assert_eq!(different, 0);
    assert!(allowed > checked / 20 && allowed < checked, "{allowed} of {checked}");
}

#[test]
fn three_forms_of_one_question_and_the_clock() {
    let policy = json!({"name": "office", "resourceType": "*", "action": "read", "effect": "allow", "conditions":
    {"operator": "AND", "conditions": [
        {"subject": "environment.dayOfWeek", "operator": "lte", "value": 5},
        {"subject": "environment.hour", "operator": "gte", "value": 9},
        {"subject": "environment.isWeekend", "operator": "equals", "value": false},
    ]}});
    let tenant = Tenant::new("acme").agent(AgentSeed::new("agt_1").secret("s")).policy(policy);
    // A Thursday, 00:00.
    let emulator = Emulator::builder().tenant(tenant).build().unwrap();
    let plain = json!({"resourceType": "document", "action": "read", "resourceId": "1"});
    let parts =
        json!({"subject": {"id": "x"}, "action": "read", "resource": {"type": "document", "id": "1"}});
    for (hours, expected) in [(0, false), (9, true), (24 + 24 + 9, false), (4 * 24 + 10, true)] {
        let emulator = emulator.clone();
        emulator.reset();
        let start = emulator.now();
        emulator.advance(std::time::Duration::from_secs(hours * 3600));
        let token = token(&emulator);
        let answer = ask(&emulator, &token, &plain);
        assert_eq!(
            (answer["allowed"].clone(), answer["resourceId"].clone()),
            (json!(expected), json!("1")),
            "{hours}"
        );
        let word = if expected { "allow" } else { "deny" };
        assert_eq!(ask(&emulator, &token, &parts)["decision"], word, "{hours}");
        let batch =
            with_token(&emulator, Method::POST, "abac/check/batch", &token, &json!({"checks": [parts]}));
        assert_eq!(body(&batch)["results"][0]["decision"], word);
        let bulk = json!({"checks": [plain, {"resourceType": "x"}]});
        let bulk = with_token(&emulator, Method::POST, "abac/check-bulk", &token, &bulk);
        let results = body(&bulk)["results"].clone();
        assert_eq!(
            (results[0]["allowed"].clone(), results[1]["allowed"].clone()),
            (json!(expected), json!(false))
        );
        assert!(results[1]["error"].is_string());
        emulator.set_time(start);
    }
    // What the caller says of the request does not count.
    let token = token(&emulator);
    let claimed = json!({"resourceType": "document", "action": "read", "environment": {"hour": 12, "ip": "203.0.113.7"}});
    assert_eq!(ask(&emulator, &token, &claimed)["allowed"], false);
    let old = with_token(&emulator, Method::POST, "abac/check-bulk", &token, &json!({"requests": []}));
    assert_eq!(refusal(&old), (400, "MISSING_FIELDS".to_owned()));
    let _ = routes::POLICY_CHECK;
}
