//! Relations against a brute force that knows nothing of the engine: every fact that follows, until none follows any more.

use std::collections::BTreeSet;

use lumoauth::embed::operations::routes::permissions as routes;
use lumoauth::emulator::{AgentSeed, ApiKeySeed, Emulator, Tenant, UserSeed};
use serde_json::{Value, json};

use super::super::rounds;
use super::super::support::{body, refusal};
use super::{Dice, keyed};

fn tenant() -> Tenant {
    let key = ApiKeySeed::new("root").key("lmk_1").scopes(["admin"]);
    let agent = AgentSeed::new("agt_1").secret("s").name("bot");
    Tenant::new("acme").agent(agent).user(UserSeed::new("root")).api_key(key)
}

fn built(tenant: Tenant) -> Emulator {
    Emulator::builder().tenant(tenant).build().unwrap()
}

fn check(emulator: &Emulator, object: &str, relation: &str, subject: &str) -> bool {
    let question = json!({"object": object, "relation": relation, "subject": subject});
    let response = keyed(emulator, routes::RELATION_CHECK, &question);
    assert_eq!(response.status(), 200, "{}", response.text());
    body(&response)["allowed"].as_bool().unwrap()
}

fn subjects(tree: &Value, found: &mut BTreeSet<String>) {
    let texts = |name: &str| tree[name].as_array().unwrap().clone();
    found.extend(texts("subjects").iter().map(|subject| subject.as_str().unwrap().to_owned()));
    texts("children").iter().for_each(|child| subjects(child, found));
}

type Fact = (String, String, String);

/// Everything that follows from the tuples.
fn closure(tuples: &BTreeSet<Fact>, objects: &[&str], relations: &[&str]) -> BTreeSet<Fact> {
    let mut facts = tuples.clone();
    for object in objects {
        for relation in relations {
            facts.insert((object.to_string(), relation.to_string(), format!("{object}#{relation}")));
        }
    }
    loop {
        let mut new = Vec::new();
        for (object, relation, subject) in &facts {
            if let Some((group, member)) = subject.split_once('#') {
                let of_group = facts.iter().filter(|(own, by, _)| own == group && by == member);
                new.extend(of_group.map(|(_, _, who)| (object.clone(), relation.clone(), who.clone())));
            }
            let weaker = match relation.as_str() {
                "owner" => Some("editor"),
                "editor" => Some("viewer"),
                _ => None,
            };
            new.extend(weaker.map(|weaker| (object.clone(), weaker.to_owned(), subject.clone())));
            let within = tuples.iter().filter(|(_, by, parent)| by == "parent" && parent == object);
            if relation != "parent" {
                new.extend(within.map(|(child, ..)| (child.clone(), relation.clone(), subject.clone())));
            }
        }
        let before = facts.len();
        facts.extend(new);
        if facts.len() == before {
            return facts;
        }
    }
}

#[test]
fn the_engine_agrees_with_a_brute_force_over_random_relations() {
    let objects = ["document:1", "document:2", "folder:1", "group:1", "group:2"];
    let relations = ["owner", "editor", "viewer", "member", "parent"];
    let mut known: Vec<String> = ["user:a", "user:b"].map(str::to_owned).to_vec();
    known.extend(objects.map(str::to_owned));
    for object in objects {
        known.extend(["member", "viewer"].map(|relation| format!("{object}#{relation}")));
    }
    let (mut dice, mut checked, mut allowed, mut different) = (Dice(1), 0, 0, 0);
    for round in 0..rounds::of(100) {
        let tuples: BTreeSet<Fact> = (0..6 + dice.roll(14))
            .map(|_| (dice.of(&objects).to_owned(), dice.of(&relations).to_owned(), dice.of(&known)))
            .collect();
        let seed = tuples
            .iter()
            .fold(tenant(), |tenant, (object, relation, subject)| tenant.relation(object, relation, subject));
        let emulator = built(seed);
        let facts = closure(&tuples, &objects, &relations);
        for object in objects {
            for relation in relations {
                let holds = |subject: &String| {
                    facts.contains(&(object.to_owned(), relation.to_owned(), subject.clone()))
                };
                for subject in &known {
                    let says = check(&emulator, object, relation, subject);
                    checked += 1;
                    allowed += u32::from(says);
                    if says != holds(subject) {
                        different += 1;
                        println!("round {round}: {object}#{relation}@{subject}: {says}; {tuples:?}");
                    }
                }
                let response = keyed(
                    &emulator,
                    routes::RELATION_EXPAND,
                    &json!({"object": object, "relation": relation}),
                );
                let mut listed = BTreeSet::new();
                subjects(&body(&response)["tree"], &mut listed);
                let expected: BTreeSet<String> =
                    known.iter().filter(|own| !own.contains('#') && holds(own)).cloned().collect();
                assert_eq!(listed, expected, "round {round}: {object}#{relation}: {tuples:?}");
            }
        }
    }
    println!("relations: {checked} checks, {allowed} allowed, {different} differ from the brute force");
    assert_eq!(different, 0);
    assert!(allowed > checked / 20, "hardly anything was allowed");
}

#[test]
fn circles_and_long_chains_end() {
    let mut seed = tenant();
    for number in 0..2_000 {
        seed = seed.relation(format!("folder:{number}"), "parent", format!("folder:{}", number + 1));
        seed = seed.relation(
            format!("group:{number}"),
            "member",
            format!("group:{}#member", (number + 1) % 2_000),
        );
    }
    let emulator = built(seed.relation("folder:2000", "owner", "user:root"));
    assert!(check(&emulator, "folder:0", "viewer", "user:root"));
    assert!(!check(&emulator, "group:0", "member", "user:root"));
    let tree =
        keyed(&emulator, routes::RELATION_EXPAND, &json!({"object": "folder:0", "relation": "viewer"}));
    let mut found = BTreeSet::new();
    subjects(&body(&tree)["tree"], &mut found);
    assert_eq!(found, BTreeSet::from(["user:root".to_owned()]));
}

#[test]
fn four_forms_of_one_question() {
    let seed =
        tenant().relation("document:1", "parent", "folder:1").relation("folder:1", "owner", "user:root");
    let emulator = built(seed);
    for (question, extra) in [
        (json!({"object": "document:1", "relation": "viewer", "subject": "user:root"}), "subject"),
        (json!({"object": "document:1", "relation": "viewer", "user": "user:root"}), "subject"),
        (
            json!({"object_type": "document", "object_id": "1", "relation": "viewer", "user_type": "user",
                   "user_id": "root"}),
            "resolution_metadata",
        ),
        (json!({"object": "document:1", "permission": "can_edit", "subject": "user:root"}), "allowed"),
    ] {
        let answer = body(&keyed(&emulator, routes::RELATION_CHECK, &question));
        assert_eq!(answer["allowed"], true, "{question}");
        assert!(!answer[extra].is_null(), "{question}: {answer}");
        if extra == "resolution_metadata" {
            assert_eq!(answer[extra]["resolved_via"], "inheritance");
            assert_eq!(
                answer[extra]["depth"].as_u64().unwrap() + 1,
                answer[extra]["path"].as_array().unwrap().len() as u64
            );
        }
    }
    for (question, code) in [
        (json!({"object": "document:1", "relation": "viewer"}), "MISSING_FIELDS"),
        (
            json!({"object": "document:1", "relation": "viewer", "subject": "user:a", "user": "user:b"}),
            "ZANZIBAR_CHECK_FAILED",
        ),
        (json!({"object": "document", "relation": "viewer", "subject": "user:a"}), "ZANZIBAR_CHECK_FAILED"),
    ] {
        assert_eq!(
            refusal(&keyed(&emulator, routes::RELATION_CHECK, &question)),
            (400, code.to_owned()),
            "{question}"
        );
    }
}
