//! Permissions, relations, policies, attributes and AuthZEN.

use lumoauth::embed::operations::authz::{
    Answers, CheckAll, CheckAny, CheckPermission, CheckPermissions, CheckPolicies, CheckPolicy,
    CheckRelation, DeleteTuple, Evaluate, EvaluateAll, ExpandRelation, GetMyAttributes,
    GetResourceAttributes, ListAttributeDefinitions, ListPermissions, SetResourceAttribute, SetUserAttribute,
    Subject, Tuple, WriteTuple,
};
use lumoauth::embed::operations::routes::permissions as routes;
use serde_json::{Value, json};

use super::harness::{Folder, Input};

fn subject(input: &mut Input) -> Option<Subject> {
    match (input.optional("user"), input.optional("agent")) {
        (Some(user), None) => Some(Subject::user(user)),
        (None, agent) => agent.map(Subject::agent),
        both => panic!("{both:?}"),
    }
}

fn texts(input: &mut Input, name: &str) -> Vec<String> {
    serde_json::from_value(input.value(name)).unwrap()
}

/// A question with a subject and a context, if the vector names them.
macro_rules! about {
    ($question:expr, $input:expr) => {{
        let question = $question.context($input.value("context"));
        match subject($input) {
            Some(subject) => question.subject(subject),
            None => question,
        }
    }};
}

fn tuple(input: &mut Input) -> Tuple {
    Tuple::new(input.text("object"), input.text("relation"), input.text("subject"))
}

fn policy(value: &Value) -> CheckPolicy {
    let text = |name: &str| value[name].as_str().unwrap();
    let check = CheckPolicy::new(text("type"), text("action")).environment(value["environment"].clone());
    match value["id"].as_str() {
        Some(id) => check.resource_id(id),
        None => check,
    }
}

fn evaluation(value: &Value) -> Evaluate {
    let thing = |name: &str| {
        let (kind, id) = value[name].as_str().unwrap().split_once(':').unwrap();
        (kind.to_owned(), id.to_owned())
    };
    let action = value["action"].as_str().unwrap();
    Evaluate::new(thing("subject"), action, thing("resource")).context(value["context"].clone())
}

fn answers(answers: &Answers) -> Value {
    let each = answers.iter().map(|outcome| match outcome {
        Ok(decision) => json!(decision),
        Err(error) => json!({"error": error.to_string()}),
    });
    each.collect()
}

fn number(input: &mut Input, name: &str) -> Option<u32> {
    input.number(name).map(|number| number.try_into().unwrap())
}

pub const FOLDERS: &[Folder] = &[
    Folder {
        name: routes::CHECK.name(),
        replay: |vector| {
            vector.replay(
                |input| Ok(about!(CheckPermission::new(input.text("permission")), input)),
                |decision| json!(decision),
            )
        },
    },
    Folder {
        name: routes::CHECK_ANY.name(),
        replay: |vector| {
            vector.replay(
                |input| Ok(about!(CheckAny::new(texts(input, "permissions")), input)),
                |decision| json!(decision),
            )
        },
    },
    Folder {
        name: routes::CHECK_ALL.name(),
        replay: |vector| {
            vector.replay(
                |input| Ok(about!(CheckAll::new(texts(input, "permissions")), input)),
                |decision| json!(decision),
            )
        },
    },
    Folder {
        name: routes::CHECK_BULK.name(),
        replay: |vector| {
            let build = |input: &mut Input| {
                let permissions = match input.number("count") {
                    Some(count) => (0..count).map(|number| format!("p{number}")).collect(),
                    None => texts(input, "permissions"),
                };
                Ok(about!(CheckPermissions::new(permissions), input))
            };
            vector.replay(build, answers)
        },
    },
    Folder {
        name: routes::PERMISSIONS.name(),
        replay: |vector| {
            let build = |input: &mut Input| {
                let list = ListPermissions::new();
                let list = number(input, "page").map_or(list, |page| list.page(page));
                Ok(number(input, "limit").map_or(list, |limit| list.limit(limit)))
            };
            vector.replay(build, |page| json!(page))
        },
    },
    Folder {
        name: routes::EVALUATION.name(),
        replay: |vector| {
            vector.replay(|input| Ok(evaluation(&input.value("evaluation"))), |decision| json!(decision))
        },
    },
    Folder {
        name: routes::EVALUATIONS.name(),
        replay: |vector| {
            let build = |input: &mut Input| {
                let all = input.value("evaluations");
                Ok(EvaluateAll::new(all.as_array().unwrap().iter().map(evaluation)))
            };
            vector.replay(build, answers)
        },
    },
    Folder {
        name: routes::RELATION_CHECK.name(),
        replay: |vector| {
            vector.replay(|input| Ok(CheckRelation::new(tuple(input))), |decision| json!(decision))
        },
    },
    Folder {
        name: routes::RELATION_EXPAND.name(),
        replay: |vector| {
            vector.replay(
                |input| Ok(ExpandRelation::new(input.text("object"), input.text("relation"))),
                |tree| json!({"tree": tree, "all": tree.all_subjects()}),
            )
        },
    },
    Folder {
        name: routes::TUPLE_WRITE.name(),
        replay: |vector| vector.replay(|input| Ok(WriteTuple::from(tuple(input))), |()| json!("done")),
    },
    Folder {
        name: routes::TUPLE_DELETE.name(),
        replay: |vector| vector.replay(|input| Ok(DeleteTuple::from(tuple(input))), |()| json!("done")),
    },
    Folder {
        name: routes::POLICY_CHECK.name(),
        replay: |vector| vector.replay(|input| Ok(policy(&input.value("check"))), |decision| json!(decision)),
    },
    Folder {
        name: routes::POLICY_CHECK_BULK.name(),
        replay: |vector| {
            let build = |input: &mut Input| {
                let checks = input.value("checks");
                let checks = CheckPolicies::new(checks.as_array().unwrap().iter().map(policy));
                Ok(checks.environment(input.value("environment")))
            };
            vector.replay(build, answers)
        },
    },
    Folder {
        name: routes::MY_ATTRIBUTES.name(),
        replay: |vector| vector.replay(|_| Ok(GetMyAttributes), |attributes| json!(attributes)),
    },
    Folder {
        name: routes::RESOURCE_ATTRIBUTES.name(),
        replay: |vector| {
            vector.replay(
                |input| Ok(GetResourceAttributes::new(input.text("type"), input.text("id"))),
                |attributes| json!(attributes),
            )
        },
    },
    Folder {
        name: routes::USER_ATTRIBUTE_SET.name(),
        replay: |vector| {
            let build = |input: &mut Input| {
                let (user, attribute) = (input.text("user"), input.text("attribute"));
                Ok(SetUserAttribute::new(user, attribute, input.value("value")))
            };
            vector.replay(build, |()| json!("done"))
        },
    },
    Folder {
        name: routes::RESOURCE_ATTRIBUTE_SET.name(),
        replay: |vector| {
            let build = |input: &mut Input| {
                let (kind, id, attribute) = (input.text("type"), input.text("id"), input.text("attribute"));
                Ok(SetResourceAttribute::new(kind, id, attribute, input.value("value")))
            };
            vector.replay(build, |()| json!("done"))
        },
    },
    Folder {
        name: routes::ATTRIBUTE_DEFINITIONS.name(),
        replay: |vector| {
            let build = |input: &mut Input| {
                let list = ListAttributeDefinitions::new();
                let list = input.optional("of").map_or(list.clone(), |of| list.of(of));
                Ok(number(input, "page").map_or(list.clone(), |page| list.page(page)))
            };
            vector.replay(build, |page| json!(page))
        },
    },
];
