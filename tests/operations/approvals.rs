//! Approvals by people.

use lumoauth::approvals::{Approval, CreatedApproval, Impact, PendingApproval};
use lumoauth::embed::Operation;
use lumoauth::embed::operation::Answer;
use lumoauth::embed::operations::{GetApproval, RequestApproval, routes};
use lumoauth::embed::wire::Response;
use lumoauth::http::{HeaderMap, StatusCode};
use lumoauth::time::Timestamp;
use lumoauth::{Error, ToolCall};
use serde_json::{Value, json};

use super::harness::{Folder, Input, RECEIVED};

pub const FOLDERS: &[Folder] = &[
    Folder {
        name: routes::APPROVAL_CREATE.name(),
        replay: |vector| {
            vector.replay(
                |input| Ok(RequestApproval::new(approval(input)?)),
                |created| match created {
                    CreatedApproval::Pending(pending) => json!({"pending": {
                        "token": pending.token().expose(),
                        "task_id": pending.task_id(),
                        "impact": pending.impact().as_str(),
                        "ends": pending.ends().unix(),
                        "call_sha256": pending.call_sha256(),
                    }}),
                    CreatedApproval::NotDelivered(nobody) => json!({"not_delivered": {
                        "reason": format!("{:?}", nobody.reason()),
                        "message": nobody.message(),
                        "task_id": nobody.task_id(),
                    }}),
                },
            )
        },
    },
    Folder {
        name: routes::APPROVAL_STATUS.name(),
        replay: |vector| {
            vector.replay(
                |input| {
                    let token = input.text("token");
                    Ok(GetApproval::new(&pending(&token, approval(input)?)?))
                },
                |status| {
                    json!({
                        "state": format!("{:?}", status.state),
                        "approved": status.is_approved(),
                        "responded_at": status.responded_at.map(Timestamp::unix),
                        "user_id": status.approved_by.as_ref().map(|by| &by.user_id),
                        "email": status.approved_by.as_ref().map(|by| &by.email),
                    })
                },
            )
        },
    },
];

fn approval(input: &mut Input) -> Result<Approval, Error> {
    let mut approval = match input.optional("tool") {
        Some(tool) => match input.optional("json") {
            Some(text) => Approval::of(ToolCall::from_json(tool, text)?),
            None => Approval::for_call(tool, &input.value("arguments"))?,
        },
        None => Approval::new(input.text("task"), input.text("reason")),
    };
    approval = input.optional("task").into_iter().fold(approval, Approval::task);
    approval = input.optional("summary").into_iter().fold(approval, Approval::summary);
    approval = input.optional("because").into_iter().fold(approval, |own, why| own.because(&why));
    approval = input.optional("on_behalf_of").into_iter().fold(approval, Approval::on_behalf_of);
    if let Some(impact) = input.optional("impact") {
        approval = approval.impact(Impact::parse(&impact).unwrap());
    }
    if let Value::Object(meta) = input.value("meta") {
        approval = meta.into_iter().fold(approval, |own, (name, value)| own.meta(name, value));
    }
    Ok(approval)
}

/// As a service's answer makes it.
fn pending(token: &str, approval: Approval) -> Result<PendingApproval, Error> {
    let body = json!({"approval_token": token, "status": "pending"}).to_string();
    let response = Response::new(StatusCode::CREATED, HeaderMap::new(), body.as_bytes());
    match RequestApproval::new(approval).response(&response.received_at(Timestamp::from_unix(RECEIVED)))? {
        Answer::Done(CreatedApproval::Pending(pending)) => Ok(pending),
        other => panic!("{other:?}"),
    }
}
