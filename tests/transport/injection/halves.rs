//! Answers that allow by halves: next to a denial, about somebody or something else, of another type, too few or too many. None allows.

use super::checks::{many, one};
use http::{HeaderMap, StatusCode};
use lumoauth::embed::operations::AuthorizeTool;
use lumoauth::embed::operations::authz::CheckRelation;
use lumoauth::embed::wire::Response;
use lumoauth::{
    Ask, CheckAll, CheckAny, CheckPermission, CheckPermissions, CheckPolicies, CheckPolicy, Error, Evaluate,
    EvaluateAll, Subject, Tuple,
};

type Judged = fn(&Response) -> Result<Vec<bool>, Error>;

/// Every question that has one answer, with the member that decides and what the answer may repeat.
const SINGLE: &[(&str, &str, &str, Judged)] = &[
    ("ask", "allowed", r#""action":"read""#, |response| one(Ask::new("read"), response)),
    ("tool", "allowed", r#""agent_id":"a""#, |response| one(AuthorizeTool::new("files", "read"), response)),
    (
        "permission",
        "allowed",
        r#""permission":"read","subject_type":"user","subject_id":"alice""#,
        |response| one(CheckPermission::new("read").subject(Subject::user("alice")), response),
    ),
    ("any", "allowed", r#""permissions":["write","read"]"#, |response| {
        one(CheckAny::new(["read", "write"]), response)
    }),
    ("all", "allowed", r#""permissions":["read","write"]"#, |response| {
        one(CheckAll::new(["read", "write"]), response)
    }),
    ("relation", "allowed", r#""object":"document:1","relation":"viewer","subject":"user:a""#, |response| {
        one(CheckRelation::new(Tuple::viewer("document:1", "user:a")), response)
    }),
    ("policy", "allowed", r#""resourceType":"document","action":"read","resourceId":"1""#, |response| {
        one(CheckPolicy::new("document", "read").resource_id("1"), response)
    }),
    ("evaluation", "decision", r#""context":{"id":"1"}"#, |response| {
        one(Evaluate::new(("user", "a"), "read", ("document", "1")), response)
    }),
];

fn judged(judge: Judged, body: impl Into<Vec<u8>>) -> Result<Vec<bool>, Error> {
    judge(&Response::new(StatusCode::OK, HeaderMap::new(), body.into()))
}

#[track_caller]
fn allows_nothing(name: &str, judge: Judged, body: &str) {
    match judged(judge, body) {
        Ok(said) => assert!(!said.contains(&true), "{name}: {body}"),
        Err(Error::Protocol(_) | Error::Api(_)) => {}
        Err(other) => panic!("{name}: {body}: {other:?}"),
    }
}

#[test]
fn s11_an_answer_that_allows_by_halves_allows_nothing() {
    for (name, yes, rest, judge) in SINGLE {
        assert_eq!(judged(*judge, format!(r#"{{"{yes}":true,{rest}}}"#)).unwrap(), [true], "{name}");
        for value in [
            r#""true""#,
            r#""allow""#,
            "1",
            "null",
            "[true]",
            "[]",
            "{}",
            r#"{"allowed":true}"#,
            r#"{"decision":true}"#,
            "1.0",
        ] {
            // A policy may be answered by a word.
            let body = format!(r#"{{"{yes}":{value},{rest}}}"#);
            allows_nothing(name, *judge, &body);
            allows_nothing(name, *judge, &format!(r#"{{"data":{{"{yes}":true}},"{yes}":{value},{rest}}}"#));
        }
        for body in [
            format!(r#"[{{"{yes}":true}}]"#),
            format!(r#"{{"data":{{"{yes}":true,{rest}}}}}"#),
            format!(r#"{{"{yes}":true,{rest}}}{{"{yes}":true}}"#),
            format!(r#"{{"{yes}":true,"{yes}":false,{rest}}}"#),
            format!(r#"{{"{yes}":false,"{yes}":true,{rest}}}"#),
            format!(r#"{{"{yes}":true,"{yes}":true,{rest}}}"#),
            format!(r#"{{"{yes}":true,{rest},{rest}}}"#),
            format!(r#"{{"{yes}":true,{rest},"x":{{"y":[{{"z":1,"z":1}}]}}}}"#),
            format!("{{\"\\u{:04x}{}\":true,\"{yes}\":false}}", yes.as_bytes()[0], &yes[1..]),
            format!(r#"{{"{yes}":true,{rest},"error":"CHECK_FAILED"}}"#),
            format!(r#"{{"{yes}":true,{rest},"error":true,"message":"no"}}"#),
            format!(r#"{{"{yes}":true,{rest},"success":false}}"#),
            format!(r#"{{"{yes}":true,{rest},"denied":true}}"#),
            // Deep, and long.
            format!(r#"{{"{yes}":true,{rest},"x":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000)),
            format!(r#"{{"{yes}":true,{rest},"x":{}"#, r#"{"x":"#.repeat(100_000)),
        ] {
            allows_nothing(name, *judge, &body);
        }
        let beside: &[&str] = match *yes {
            "allowed" => &[
                r#""decision":"deny""#,
                r#""decision":"DENY""#,
                r#""decision":"Denied""#,
                r#""decision":false"#,
            ],
            _ => &[r#""allowed":false"#],
        };
        for denial in beside {
            allows_nothing(name, *judge, &format!(r#"{{"{yes}":true,{rest},{denial}}}"#));
            allows_nothing(name, *judge, &format!(r#"{{{denial},"{yes}":true,{rest}}}"#));
        }
    }
}

/// Of each question, answers about another one.
#[test]
fn s11_an_answer_about_something_else_allows_nothing() {
    for (name, members) in [
        ("ask", &[r#""action":"write""#, r#""action":"READ""#, r#""action":["read"]"#][..]),
        (
            "tool",
            &[
                r#""resource":{"server_id":"other","tool":"read"}"#,
                r#""resource":{"server_id":"files","tool":"write"}"#,
                r#""resource":{"tool":1}"#,
                r#""resource":"files""#,
            ],
        ),
        (
            "permission",
            &[
                r#""permission":"write""#,
                r#""permission":"read ""#,
                r#""permission":["read"]"#,
                r#""permission":{"slug":"read"}"#,
                r#""subject_type":"agent""#,
                r#""subject_type":"User""#,
                r#""subject_id":"bob""#,
                r#""subject_id":1"#,
                r#""subject_id":["alice"]"#,
                r#""user_id":"bob""#,
                r#""user_id":7"#,
                r#""user_id":["alice"]"#,
                r#""subject_type":"user","user_id":"bob""#,
                r#""subject_type":"agent","user_id":"alice""#,
            ],
        ),
        (
            "any",
            &[
                r#""permissions":["read"]"#,
                r#""permissions":["read","write","x"]"#,
                r#""permissions":["read","x"]"#,
                r#""permissions":"read write""#,
                r#""permissions":[["read","write"]]"#,
                r#""permissions":{"read":true}"#,
            ],
        ),
        (
            "all",
            &[
                r#""permissions":["read"]"#,
                r#""permissions":["read","write","x"]"#,
                r#""permissions":["READ","write"]"#,
            ],
        ),
        (
            "relation",
            &[
                r#""object":"document:2""#,
                r#""object":"document:1 ""#,
                r#""relation":"editor""#,
                r#""subject":"user:b""#,
                r#""user":"user:b""#,
                r#""subject":"user:a","user":"user:b""#,
                r#""subject":{"id":"a"}"#,
            ],
        ),
        (
            "policy",
            &[
                r#""resourceType":"folder""#,
                r#""action":"write""#,
                r#""resourceId":"2""#,
                r#""resourceId":1.0"#,
                r#""resourceId":["1"]"#,
                r#""decision":"allow","resourceId":2"#,
            ],
        ),
    ] {
        let (_, yes, _, judge) = SINGLE.iter().find(|own| own.0 == name).unwrap();
        for member in members {
            allows_nothing(name, *judge, &format!(r#"{{"{yes}":true,{member}}}"#));
            allows_nothing(name, *judge, &format!(r#"{{{member},"{yes}":true}}"#));
        }
    }
    // An agent is nobody's user, whatever its number.
    let agent: Judged = |response| one(CheckPermission::new("read").subject(Subject::agent("7")), response);
    for member in [
        r#""user_id":7"#,
        r#""user_id":"7""#,
        r#""subject_type":"agent","user_id":7"#,
        r#""subject_type":"user""#,
    ] {
        allows_nothing("agent", agent, &format!(r#"{{"allowed":true,{member}}}"#));
    }
    // What was asked of a kind is no answer about one of them.
    let kind: Judged = |response| one(CheckPolicy::new("document", "read"), response);
    allows_nothing("kind", kind, r#"{"allowed":true,"resourceId":"1"}"#);
    // A whole number means the same without its quotes.
    let numbered: Judged = |response| one(CheckPolicy::new("document", "read").resource_id("1"), response);
    assert_eq!(judged(numbered, r#"{"allowed":true,"resourceId":1}"#).unwrap(), [true]);
}

#[test]
fn s11_answers_to_many_questions_stay_each_at_its_place() {
    let permissions: Judged = |response| many(CheckPermissions::new(["read", "write"]), response);
    for (results, expected) in [
        (r#"{"write":false,"read":true}"#, Some([true, false])),
        (r#"{"write":true,"read":false,"x":true}"#, Some([false, true])),
        (r#"{"read":true}"#, Some([true, false])),
        (r#"{"Read":true,"write ":true}"#, Some([false, false])),
        (r#"{"read":"true","write":1}"#, Some([false, false])),
        (r#"{"read":{"allowed":true},"write":[true]}"#, Some([false, false])),
        (r#"{"read":false,"read":true}"#, None),
        (r#"[true,true]"#, None),
        ("null", None),
    ] {
        let said = judged(permissions, format!(r#"{{"results":{results}}}"#)).ok();
        assert_eq!(said.as_deref(), expected.as_ref().map(|own| &own[..]), "{results}");
    }
    let policies: Judged = |response| {
        many(CheckPolicies::new([CheckPolicy::new("x", "a"), CheckPolicy::new("x", "b")]), response)
    };
    let (yes, no) = (r#""allowed":true"#, r#""allowed":false"#);
    for (results, expected) in [
        (format!(r#"[{{"index":1,{yes}}},{{"index":0,{no}}}]"#), Some([false, true])),
        (format!(r#"[{{{yes}}},{{{no}}}]"#), Some([true, false])),
        // The other order than was asked, as its members say.
        (format!(r#"[{{{yes},"action":"b"}},{{{yes},"action":"a"}}]"#), Some([false, false])),
        (format!(r#"[{{{yes},"error":"x"}},{{{yes},"resourceId":"1"}}]"#), Some([false, false])),
        (format!(r#"[{{{yes}}}]"#), None),
        (format!(r#"[{{{yes}}},{{{yes}}},{{{yes}}}]"#), None),
        (format!(r#"[{{"index":0,{yes}}},{{"index":0,{yes}}}]"#), None),
        (format!(r#"[{{"index":0,{no}}},{{"index":0,{yes}}},{{"index":1,{yes}}}]"#), None),
        (format!(r#"[{{"index":1,{yes}}},{{{yes}}}]"#), None),
        (format!(r#"[{{"index":0,{yes}}},{{"index":2,{yes}}}]"#), None),
        (format!(r#"[{{"index":"0",{yes}}},{{"index":1,{yes}}}]"#), None),
        (format!(r#"[{{"index":-1,{yes}}},{{"index":1,{yes}}}]"#), None),
        (format!(r#"[{{"index":0.0,{yes}}},{{"index":1,{yes}}}]"#), None),
        (format!(r#"[{{"index":18446744073709551616,{yes}}},{{"index":1,{yes}}}]"#), None),
        (format!("[{}]", vec![format!("{{{yes}}}"); 10_000].join(",")), None),
        (format!(r#"{{"0":{{{yes}}},"1":{{{yes}}}}}"#), None),
        ("[true,true]".to_owned(), None),
    ] {
        let said = judged(policies, format!(r#"{{"results":{results}}}"#)).ok();
        assert_eq!(said.as_deref(), expected.as_ref().map(|own| &own[..]), "{results:.200}");
    }
    let evaluations: Judged = |response| {
        let question = |action| Evaluate::new(("user", "a"), action, ("document", "1"));
        many(EvaluateAll::new([question("read"), question("write")]), response)
    };
    for (results, expected) in [
        (r#"[{"decision":true},{"decision":false}]"#, Some([true, false])),
        (
            r#"[{"decision":true,"context":{"error":{"status":404}}},{"decision":"true"}]"#,
            Some([false, false]),
        ),
        (r#"[{"decision":true}]"#, None),
        (r#"[{"decision":true},{"decision":true},{"decision":true}]"#, None),
        (r#"[true,true]"#, None),
        (r#"{"decision":true}"#, None),
    ] {
        let said = judged(evaluations, format!(r#"{{"evaluations":{results}}}"#)).ok();
        assert_eq!(said.as_deref(), expected.as_ref().map(|own| &own[..]), "{results}");
    }
    // Allowed each for itself, and refused as a whole.
    for failure in
        [r#""error":"CHECK_FAILED""#, r#""success":false"#, r#""decision":"deny""#, r#""allowed":false"#]
    {
        for (judge, results) in [
            (permissions, r#""results":{"read":true,"write":true}"#),
            (policies, r#""results":[{"allowed":true},{"allowed":true}]"#),
            (evaluations, r#""evaluations":[{"decision":true},{"decision":true}]"#),
        ] {
            assert_eq!(judged(judge, format!("{{{results}}}")).unwrap(), [true, true], "{results}");
            allows_nothing(failure, judge, &format!("{{{results},{failure}}}"));
        }
    }
}
