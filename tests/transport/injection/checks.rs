//! Checks of permissions, relations, policies and tools fail closed: an allow only if the answer still says so, whatever became of it.

use super::answers::{mutated, repeats};
use super::json::{Json, parse};
use crate::hostile::Rng;
use http::{HeaderMap, StatusCode};
use lumoauth::embed::operation::{Answer, Operation};
use lumoauth::embed::operations::AuthorizeTool;
use lumoauth::embed::operations::authz::CheckRelation;
use lumoauth::embed::wire::Response;
use lumoauth::{
    Answers, Ask, CheckAll, CheckAny, CheckPermission, CheckPermissions, CheckPolicies, CheckPolicy,
    Decision, Error, Evaluate, EvaluateAll, Subject, Tuple,
};

/// A check: an answer that allows, what the library makes of an answer, and what this test reads in it.
struct Check {
    name: &'static str,
    answer: &'static str,
    judged: fn(&Response) -> Result<Vec<bool>, Error>,
    says: fn(&Json) -> Vec<bool>,
}

pub(super) fn one(
    operation: impl Operation<Output = Decision>,
    response: &Response,
) -> Result<Vec<bool>, Error> {
    match operation.response(response)? {
        Answer::Done(decision) => Ok(vec![decision.allowed()]),
        Answer::Again(_) => panic!("a question that polls"),
    }
}

pub(super) fn many(
    operation: impl Operation<Output = Answers>,
    response: &Response,
) -> Result<Vec<bool>, Error> {
    match operation.response(response)? {
        Answer::Done(answers) => Ok((0..answers.len()).map(|index| answers.is_allowed(index)).collect()),
        Answer::Again(_) => panic!("a question that polls"),
    }
}

fn get<'j>(value: &'j Json, name: &str) -> Option<&'j Json> {
    let Json::Object(pairs) = value else { return None };
    pairs
        .iter()
        .find(|(own, _)| own == name)
        .map(|(_, value)| value)
        .filter(|value| !matches!(value, Json::Null))
}

/// An identifier that is a whole number means the same without its quotes: it names nothing else.
fn is(value: Option<&Json>, own: &str) -> bool {
    matches!(value, Some(Json::Text(text) | Json::Number(text)) if text == own)
}

/// Each of these is absent or ours, and nothing says that it failed or that it denies.
fn fits(value: &Json, echoed: &[(&str, &str)]) -> bool {
    let ours = |(name, own): &(&str, &str)| get(value, name).is_none() || is(get(value, name), own);
    let success = get(value, "success");
    let no = |name: &str| matches!(get(value, name), Some(Json::Bool(false))) || is(get(value, name), "deny");
    matches!(value, Json::Object(_))
        && echoed.iter().all(ours)
        && get(value, "error").is_none()
        && (success.is_none() || matches!(success, Some(Json::Bool(true))))
        && !no("allowed")
        && !no("decision")
}

fn yes(value: Option<&Json>) -> bool {
    matches!(value, Some(Json::Bool(true)))
}

/// Of a policy: the boolean, or the word, and both alike if both are there.
fn policy(value: &Json, echoed: &[(&str, &str)]) -> bool {
    let (allowed, decision) = (get(value, "allowed"), get(value, "decision"));
    let word = decision.is_none() || is(decision, "allow");
    fits(value, echoed) && word && (yes(allowed) || (allowed.is_none() && decision.is_some()))
}

fn list<'j>(value: &'j Json, name: &str) -> &'j [Json] {
    match get(value, name) {
        Some(Json::List(items)) => items,
        _ => &[],
    }
}

const CHECKS: &[Check] = &[
    Check {
        name: "agents.ask",
        answer: r#"{"allowed":true,"explanation":"e","confidence":0.9,"required_scopes":["a"],"error":null}"#,
        judged: |response| one(Ask::question("May I share it?"), response),
        says: |value| vec![fits(value, &[]) && yes(get(value, "allowed"))],
    },
    Check {
        name: "agents.mcp_authorize",
        answer: r#"{"allowed":true,"agent_id":"a","resource":{"server_id":"files","tool":"read","allowed":false}}"#,
        judged: |response| one(AuthorizeTool::new("files", "read"), response),
        says: |value| {
            let ours = |resource: &Json| {
                [("server_id", "files"), ("tool", "read")]
                    .iter()
                    .all(|(name, own)| get(resource, name).is_none() || is(get(resource, name), own))
            };
            let about = get(value, "resource").is_none_or(ours);
            vec![fits(value, &[]) && about && yes(get(value, "allowed"))]
        },
    },
    Check {
        name: "authz.check",
        answer: r#"{"allowed":true,"permission":"read","subject_type":"user","subject_id":"alice","context":{"allowed":false},"x":[true]}"#,
        judged: |response| one(CheckPermission::new("read").subject(Subject::user("alice")), response),
        says: |value| {
            let echoed = [("permission", "read"), ("subject_type", "user"), ("subject_id", "alice")];
            vec![fits(value, &echoed) && yes(get(value, "allowed"))]
        },
    },
    Check {
        name: "authz.check_any",
        answer: r#"{"allowed":true,"permissions":["read","write"],"subject_type":"agent","subject_id":"agt_1"}"#,
        judged: |response| one(CheckAny::new(["read", "write"]), response),
        says: |value| {
            let named = list(value, "permissions");
            let ours = |own: &Json| is(Some(own), "read") || is(Some(own), "write");
            let same = named.is_empty()
                || (named.iter().all(ours)
                    && ["read", "write"].iter().all(|own| named.iter().any(|n| is(Some(n), own))));
            vec![fits(value, &[]) && same && yes(get(value, "allowed"))]
        },
    },
    Check {
        name: "authz.check_all",
        answer: r#"{"permissions":["read"],"allowed":true,"error":null,"success":true}"#,
        judged: |response| one(CheckAll::new(["read"]), response),
        says: |value| {
            let same = list(value, "permissions").iter().all(|own| is(Some(own), "read"));
            vec![fits(value, &[]) && same && yes(get(value, "allowed"))]
        },
    },
    Check {
        name: "authz.check_bulk",
        answer: r#"{"results":{"read":true,"write":true,"other":true},"subject_type":"agent","subject_id":"7"}"#,
        judged: |response| {
            many(CheckPermissions::new(["read", "write"]).subject(Subject::agent("7")), response)
        },
        says: |value| {
            let fits = fits(value, &[("subject_type", "agent"), ("subject_id", "7")]);
            let result = |own| fits && yes(get(value, "results").and_then(|results| get(results, own)));
            vec![result("read"), result("write")]
        },
    },
    Check {
        name: "zanzibar.check",
        answer: r#"{"allowed":true,"object":"document:1","relation":"viewer","subject":"user:a","user":"user:a"}"#,
        judged: |response| one(CheckRelation::new(Tuple::viewer("document:1", "user:a")), response),
        says: |value| {
            let echoed =
                [("object", "document:1"), ("relation", "viewer"), ("subject", "user:a"), ("user", "user:a")];
            vec![fits(value, &echoed) && yes(get(value, "allowed"))]
        },
    },
    Check {
        name: "abac.check",
        answer: r#"{"allowed":true,"decision":"allow","reason":"p","resourceType":"document","action":"read","resourceId":"1"}"#,
        judged: |response| one(CheckPolicy::new("document", "read").resource_id("1"), response),
        says: |value| {
            vec![policy(value, &[("resourceType", "document"), ("action", "read"), ("resourceId", "1")])]
        },
    },
    Check {
        name: "abac.check_bulk",
        answer: r#"{"results":[{"index":1,"allowed":true,"action":"b"},{"index":0,"decision":"allow","action":"a"}]}"#,
        judged: |response| {
            many(CheckPolicies::new([CheckPolicy::new("x", "a"), CheckPolicy::new("x", "b")]), response)
        },
        says: |value| {
            let result = |index: usize, own: &str| {
                let mut found = list(value, "results").iter().enumerate().filter(|(place, item)| {
                    match get(item, "index") {
                        None => *place == index,
                        Some(Json::Number(text)) => *text == index.to_string(),
                        Some(_) => false,
                    }
                });
                let allowed = |item: &Json| {
                    get(item, "error").is_none()
                        && get(item, "resourceId").is_none()
                        && policy(item, &[("action", own), ("resourceType", "x")])
                };
                fits(value, &[]) && found.next().is_some_and(|(_, item)| allowed(item))
            };
            vec![result(0, "a"), result(1, "b")]
        },
    },
    Check {
        name: "authz.evaluation",
        answer: r#"{"decision":true,"context":{"id":"1","decision":false}}"#,
        judged: |response| one(Evaluate::new(("user", "a"), "read", ("document", "1")), response),
        says: |value| {
            let quiet = get(value, "context").is_none_or(|context| get(context, "error").is_none());
            vec![fits(value, &[]) && quiet && yes(get(value, "decision"))]
        },
    },
    Check {
        name: "authz.evaluations",
        answer: r#"{"evaluations":[{"decision":true},{"decision":true,"context":{}}]}"#,
        judged: |response| {
            let question = |action| Evaluate::new(("user", "a"), action, ("document", "1"));
            many(EvaluateAll::new([question("read"), question("write")]), response)
        },
        says: |value| {
            let items = list(value, "evaluations");
            let result = |index: usize| {
                let item = items.get(index).filter(|_| items.len() == 2);
                item.is_some_and(|item| fits(item, &[]) && yes(get(item, "decision"))) && fits(value, &[])
            };
            vec![result(0), result(1)]
        },
    },
];

#[test]
fn s11_every_check_allows_only_if_a_mutated_answer_still_says_so() {
    let rounds = crate::rounds::of(100_000);
    for check in CHECKS {
        let (mut rng, mut allowed, mut others, mut errors) = (Rng::new(11), 0, 0, 0);
        for round in 0..rounds {
            let body = mutated(&mut rng, check.answer);
            let response = Response::new(StatusCode::OK, HeaderMap::new(), body.clone());
            let judged = match (check.judged)(&response) {
                Ok(judged) => judged,
                Err(Error::Protocol(_) | Error::Api(_)) => {
                    errors += 1;
                    continue;
                }
                Err(other) => panic!("{}, round {round}: {other:?}", check.name),
            };
            if !judged.contains(&true) {
                others += 1;
                continue;
            }
            let text = String::from_utf8_lossy(&body);
            let read = std::str::from_utf8(&body).ok().and_then(parse).filter(|value| !repeats(value));
            let said = read.map(|value| (check.says)(&value)).unwrap_or_default();
            for (index, allowed) in judged.iter().enumerate() {
                assert!(!allowed || said.get(index) == Some(&true), "{}, round {round}: {text}", check.name);
            }
            allowed += 1;
        }
        println!(
            "s11 {}: {rounds} mutated answers: {allowed} allow and all of them say so, {others} do not, {errors} errors",
            check.name
        );
        assert!(allowed > rounds / 100 && errors > rounds / 10, "{}: {allowed} {errors}", check.name);
    }
}

#[test]
fn s11_no_other_status_and_no_cache_allows() {
    for check in CHECKS {
        let answer = |status: u16, age: Option<&str>| {
            let mut headers = HeaderMap::new();
            age.map(|age| headers.insert("age", age.parse().unwrap()));
            (check.judged)(&Response::new(StatusCode::from_u16(status).unwrap(), headers, check.answer))
        };
        assert!(answer(200, Some("0")).unwrap().iter().all(|allowed| *allowed), "{}", check.name);
        for status in (200..600).filter(|status| *status != 200) {
            assert!(answer(status, None).is_err(), "{}: {status}", check.name);
        }
        for age in ["1", "x", "-1", "0, 60"] {
            assert!(answer(200, Some(age)).is_err(), "{}: {age}", check.name);
        }
    }
}
