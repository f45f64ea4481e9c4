//! Answers of checks, with as many parts as they can have: reading them, and what is made of them, grows as they do.

use lumoauth::embed::Operation;
use lumoauth::embed::operation::Answer;
use lumoauth::embed::operations::ListConnections;
use lumoauth::embed::operations::authz::{ExpandRelation, ListAttributeDefinitions, ListPermissions};
use lumoauth::embed::wire::Response;
use lumoauth::http::{HeaderMap, StatusCode};
use lumoauth::{CheckAny, CheckPermissions, CheckPolicies, CheckPolicy, Evaluate, EvaluateAll};
use serde_json::{Map, Value, json};

use super::Measure;
use super::answers::KIB;
use super::shapes::Shape;

/// So many things of about so many bytes each.
fn many(size: usize, each: usize, make: impl Fn(usize) -> Value) -> Value {
    (0..size / each).map(make).collect()
}

fn leaf(at: usize) -> Value {
    json!({"type": "leaf", "subjects": [format!("u:{at:06}")]})
}

/// Each part stands beside one more subject, as deep as JSON may be.
fn nested(size: usize) -> Value {
    let share = size / 12;
    (0..12).fold(json!({"type": "leaf"}), |inner, level| {
        let own = many(share, 14, |at| json!(format!("u:{level}{at:07}")));
        json!({"type": "union", "children": [inner], "subjects": own})
    })
}

fn response(body: &Value) -> Response {
    Response::new(StatusCode::OK, HeaderMap::new(), body.to_string())
}

fn read(operation: impl Operation, response: &Response) {
    drop(operation.response(response));
}

#[test]
fn f17_many_parts_in_answers_of_checks() {
    let Some(measure) = Measure::new("parts of the answers of checks", 1, 1) else { return };
    let whole = 1024 * KIB;
    let trees: [Shape<Value>; 5] = [
        ("a union of many", |size| json!({"type": "union", "children": many(size, 40, leaf)})),
        ("an intersection of many", |size| {
            let all = many(size / 2, 14, |at| json!(format!("u:{at:06}")));
            let parts = many(size / 2, 40, leaf);
            let first = json!({"type": "leaf", "subjects": all});
            let children: Vec<Value> =
                std::iter::once(first).chain(parts.as_array().unwrap().clone()).collect();
            json!({"type": "intersection", "children": children})
        }),
        (
            "many subjects",
            |size| json!({"type": "leaf", "subjects": many(size, 14, |at| json!(format!("u:{at:06}")))}),
        ),
        ("the same subject", |size| json!({"type": "union", "children": many(size, 40, |_| leaf(7))})),
        ("unions in unions", nested),
    ];
    for (what, tree) in trees {
        measure.feed(
            what,
            whole,
            |size| response(&json!({"tree": tree(size)})),
            |response| {
                let answer = ExpandRelation::new("document:1", "viewer").response(response).unwrap();
                let Answer::Done(tree) = answer else { panic!("a question that polls") };
                assert!(what.contains("intersection") || !tree.all_subjects().is_empty());
                drop(tree.all_subjects());
            },
        );
    }
    let results = |size: usize| {
        let results: Map<String, Value> =
            (0..size / 14).map(|at| (format!("{at:07}"), json!(true))).collect();
        response(&json!({"results": results}))
    };
    let names = || (0..100).map(|at| format!("{at:07}"));
    measure.feed("results by name", 64 * KIB, results, |response| {
        read(CheckPermissions::new(names()), response)
    });
    let named = |size: usize| {
        response(&json!({"allowed": true, "permissions": many(size, 10, |at| json!(format!("{at:07}")))}))
    };
    measure.feed("permissions of one answer", 64 * KIB, named, |response| {
        read(CheckAny::new(names()), response)
    });
    let listed = |size: usize| {
        response(&json!({"results": many(size, 30, |at| json!({"index": at, "allowed": true}))}))
    };
    measure.feed("results by index", whole, listed, |response| {
        read(CheckPolicies::new((0..100).map(|_| CheckPolicy::new("a", "b"))), response);
    });
    let decided =
        |size: usize| response(&json!({"evaluations": many(size, 17, |_| json!({"decision": true}))}));
    measure.feed("evaluations", whole, decided, |response| {
        read(EvaluateAll::new((0..100).map(|_| Evaluate::new(("u", "1"), "a", ("d", "1")))), response);
    });
    let page = |size: usize| {
        let item = |at: usize| json!({"slug": format!("{at:07}"), "connection_id": "c", "scopes": ["a"]});
        response(&json!({"data": many(size, 60, item), "pagination": {"page": 1}}))
    };
    measure.feed("a page of permissions", whole, page, |response| read(ListPermissions::new(), response));
    measure.feed("a page of attributes", whole, page, |response| {
        read(ListAttributeDefinitions::new(), response)
    });
    measure.feed("a page of connections", whole, page, |response| read(ListConnections::new(), response));
    measure.end();
}
