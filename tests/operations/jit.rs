//! Permissions just in time.

use std::time::Duration;

use lumoauth::embed::operations::{
    ApprovePermission, BeginTask, CompleteTask, DenyPermission, EvaluateTask, GetPendingPermissions,
    GetPermission, RequestPermission, TakePermissionToken, routes,
};
use lumoauth::embed::wire::Response;
use lumoauth::embed::{Operation, operation::Answer};
use lumoauth::http::{HeaderMap, StatusCode};
use lumoauth::jit::{Approved, AuthorizationDetails, Permission, Review, TaskResult};
use lumoauth::time::Timestamp;
use lumoauth::{AccessToken, Error, Scopes, Secret, TokenType};
use serde_json::{Value, json};

use super::harness::{Folder, Input, RECEIVED};

pub const FOLDERS: &[Folder] = &[
    Folder {
        name: routes::TASK.name(),
        replay: |vector| {
            vector.replay(
                |input| {
                    let mut task = BeginTask::default();
                    if let Some(name) = input.optional("name") {
                        task = BeginTask::new(name);
                    }
                    task = input.optional("kind").into_iter().fold(task, BeginTask::kind);
                    task = input.optional("on_behalf_of").into_iter().fold(task, BeginTask::on_behalf_of);
                    task = input.optional("parent").into_iter().fold(task, BeginTask::parent);
                    Ok(token(input).into_iter().fold(task, BeginTask::token))
                },
                |task| {
                    json!({
                        "id": task.id,
                        "caep_session_id": task.caep_session_id,
                        "expires_at": task.expires_at.map(Timestamp::unix),
                        "agent_id": task.agent_id,
                        "on_behalf_of": task.on_behalf_of,
                    })
                },
            )
        },
    },
    Folder {
        name: routes::TASK_COMPLETE.name(),
        replay: |vector| {
            vector.replay(
                |input| Ok(CompleteTask::new(input.text("task"))),
                |end| {
                    let completed_at = end.completed_at.map(Timestamp::unix);
                    json!({"task_id": end.task_id, "completed_at": completed_at, "was_over": end.was_over})
                },
            )
        },
    },
    Folder {
        name: routes::TASK_EVALUATE.name(),
        replay: |vector| {
            vector.replay(
                |input| {
                    let result = match input.text("result").as_str() {
                        "completed" => TaskResult::Completed,
                        "failed" => TaskResult::Failed,
                        "cancelled" => TaskResult::Cancelled,
                        other => panic!("{other}"),
                    };
                    let evaluate = EvaluateTask::new(input.text("task"), result);
                    Ok(input.optional("notes").into_iter().fold(evaluate, EvaluateTask::notes))
                },
                |evaluation| json!({"active": evaluation.active, "action": evaluation.action}),
            )
        },
    },
    Folder {
        name: routes::REQUEST.name(),
        replay: |vector| {
            vector.replay(
                |input| {
                    let details = AuthorizationDetails::raw(input.value("details"))?;
                    let mut request = RequestPermission::new(input.text("task"), details);
                    request = input
                        .optional("justification")
                        .into_iter()
                        .fold(request, RequestPermission::justification);
                    request = seconds(input).into_iter().fold(request, RequestPermission::ttl);
                    Ok(input.optional("callback").into_iter().fold(request, RequestPermission::callback))
                },
                permission,
            )
        },
    },
    Folder {
        name: routes::REQUEST_STATUS.name(),
        replay: |vector| {
            vector.replay(
                |input| {
                    let status = GetPermission::new(input.text("request"));
                    Ok(match input.value("details") {
                        Value::Null => status,
                        details => status.details(AuthorizationDetails::raw(details)?),
                    })
                },
                permission,
            )
        },
    },
    Folder {
        name: routes::REQUEST_TOKEN.name(),
        replay: |vector| {
            vector.replay(
                |input| {
                    let (request, task) = (input.text("request"), input.text("task"));
                    let details = AuthorizationDetails::raw(input.value("details"))?;
                    Ok(TakePermissionToken::new(&approved(&request, &task, details)?))
                },
                |token| json!({"token": token.secret().expose(), "lifetime_s": token.lifetime().as_secs()}),
            )
        },
    },
    Folder {
        name: routes::PENDING.name(),
        replay: |vector| {
            vector.replay(
                |input| {
                    let mut list = GetPendingPermissions::new(token(input).unwrap());
                    let small = |number: u64| u32::try_from(number).unwrap();
                    list =
                        input.number("page").map(small).into_iter().fold(list, GetPendingPermissions::page);
                    Ok(input.number("limit").map(small).into_iter().fold(list, GetPendingPermissions::limit))
                },
                |items| {
                    let shown = items.iter().map(|item| {
                        json!({
                            "request_id": item.request_id,
                            "task_id": item.task_id,
                            "agent_id": item.agent_id,
                            "details": item.details,
                            "justification": item.justification,
                            "risk": item.risk,
                            "ttl_s": item.ttl.map(|ttl| ttl.as_secs()),
                            "expires_at": item.expires_at.map(Timestamp::unix),
                        })
                    });
                    Value::Array(shown.collect())
                },
            )
        },
    },
    Folder {
        name: routes::APPROVE.name(),
        replay: |vector| {
            vector.replay(
                |input| {
                    let mut approve = ApprovePermission::new(token(input).unwrap(), input.text("request"));
                    approve = seconds(input).into_iter().fold(approve, ApprovePermission::ttl);
                    approve = input.optional("notes").into_iter().fold(approve, ApprovePermission::notes);
                    Ok(input.optional("message").into_iter().fold(approve, ApprovePermission::message))
                },
                review,
            )
        },
    },
    Folder {
        name: routes::DENY.name(),
        replay: |vector| {
            vector.replay(
                |input| {
                    let mut deny = DenyPermission::new(token(input).unwrap(), input.text("request"));
                    deny = input.optional("reason").into_iter().fold(deny, DenyPermission::reason);
                    Ok(input.optional("message").into_iter().fold(deny, DenyPermission::message))
                },
                review,
            )
        },
    },
];

fn token(input: &mut Input) -> Option<AccessToken> {
    let (issued, lifetime) = (Timestamp::from_unix(RECEIVED), Duration::from_secs(3600));
    let secret = Secret::new(input.optional("token")?);
    Some(AccessToken::new(secret, TokenType::Bearer, Scopes::none(), issued, lifetime))
}

fn seconds(input: &mut Input) -> Option<Duration> {
    input.number("ttl").map(Duration::from_secs)
}

/// An approved request, which only an answer of the service makes.
fn approved(request: &str, task: &str, details: AuthorizationDetails) -> Result<Approved, Error> {
    let body = json!({"request_id": request, "task_id": task, "status": "approved"}).to_string();
    let answer = Response::new(StatusCode::OK, HeaderMap::new(), body);
    match GetPermission::new(request).details(details).response(&answer)? {
        Answer::Done(permission) => permission.require(),
        Answer::Again(_) => panic!("one question has one answer"),
    }
}

fn permission(permission: &Permission) -> Value {
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs());
    let text = |text: Option<&str>| text.map(str::to_owned);
    match permission {
        Permission::Approved(it) => json!({"approved": {
            "request_id": it.request_id(),
            "task_id": text(it.task_id()),
            "risk": it.risk().map(ToString::to_string),
            "granted_s": seconds(it.granted()),
            "message": text(it.message()),
            "details": it.details(),
        }}),
        Permission::Denied(it) => json!({"denied": {
            "request_id": it.request_id(),
            "risk": it.risk().map(ToString::to_string),
            "reason": text(it.reason()),
        }}),
        Permission::Expired(it) => json!({"expired": {"request_id": it.request_id()}}),
        Permission::Pending(it) => json!({"pending": {
            "request_id": it.request_id(),
            "task_id": text(it.task_id()),
            "risk": it.risk().map(ToString::to_string),
            "expires_at": it.expires_at().map(Timestamp::unix),
            "interval_s": seconds(it.interval()),
            "message": text(it.message()),
            "needs_consent": it.needs_consent().then_some(true),
            "details": it.details(),
        }}),
    }
}

fn review(review: &Review) -> Value {
    json!({"request_id": review.request_id, "granted_s": review.granted.map(|time| time.as_secs())})
}
