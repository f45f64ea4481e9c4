//! The Ask API.

use lumoauth::embed::operation::{Context, Operation};
use lumoauth::embed::operations::routes;
use lumoauth::{
    Ask, CheckAll, CheckAny, CheckPermission, CheckPermissions, CheckPolicies, CheckPolicy, Evaluate,
    EvaluateAll, Site,
};
use serde_json::json;

use super::harness::Folder;

pub const FOLDERS: &[Folder] = &[Folder {
    name: routes::ASK.name(),
    replay: |vector| {
        vector.replay(
            |input| {
                let ask = match input.optional("question") {
                    Some(question) => Ask::question(question),
                    None => Ask::new(input.text("action")),
                };
                Ok(ask.context(input.value("context")))
            },
            |decision| json!(decision),
        )
    },
}];

/// What is no object has no names that a policy could look for: it is refused, and no question leaves.
#[test]
fn surroundings_that_are_no_object_are_refused() {
    let site = Site::tenant("acme").unwrap();
    fn request(operation: impl Operation, site: &Site) -> Result<(), String> {
        operation.request(&Context::new(site)).map(|_| ()).map_err(|error| error.to_string())
    }
    let policy = || CheckPolicy::new("document", "read");
    let evaluate = || Evaluate::new(("user", "alice"), "read", ("document", "42"));
    for (value, is_fine) in [
        (json!({"a": 1}), true),
        (json!(null), true),
        (json!("text"), false),
        (json!(7), false),
        (json!(false), false),
        (json!([{"a": 1}]), false),
    ] {
        let given = || value.clone();
        for (argument, outcome) in [
            ("context", request(Ask::new("read").context(given()), &site)),
            ("context", request(Ask::question("May I?").context(given()).context(json!({"b": 1})), &site)),
            ("context", request(CheckPermission::new("read").context(given()), &site)),
            ("context", request(CheckPermissions::new(["read"]).context(given()), &site)),
            ("context", request(CheckAny::new(["read"]).context(given()), &site)),
            ("context", request(CheckAll::new(["read"]).context(given()), &site)),
            ("context", request(evaluate().context(given()), &site)),
            ("context", request(EvaluateAll::new([evaluate(), evaluate().context(given())]), &site)),
            ("environment", request(policy().environment(given()), &site)),
            ("environment", request(CheckPolicies::new([policy()]).environment(given()), &site)),
        ] {
            let problem = r#"is no object: give each value a name, as json!({"document_id": "doc-123"})"#;
            let expected = if is_fine { Ok(()) } else { Err(format!("{argument} {problem}")) };
            assert_eq!(outcome, expected, "{value}");
        }
    }
}
