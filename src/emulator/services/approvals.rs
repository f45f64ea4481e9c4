//! Approvals by people (`docs/wire.md`, rows Y).

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::emulator::call::{Call, Service};
use crate::emulator::services::bearer::own_token;
use crate::emulator::services::jit::as_text;
use crate::emulator::state::State;
use crate::emulator::state::approvals::Question;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::approvals::Delivery;
use crate::operations::routes;
use crate::time::Timestamp;

const LONGEST_TASK: usize = 128;
const LONGEST_REASON: usize = 480;
const IMPACTS: [&str; 4] = ["low", "medium", "high", "critical"];

/// `approvals.create`.
fn create(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let token = own_token(state, call)?;
    let body = call.incoming.kept_object().map_err(Answer::bad)?;
    let task_id = required(&body, "task_id", LONGEST_TASK)?;
    let reason = required(&body, "reason", LONGEST_REASON)?;
    let person = required(&body, "on_behalf_of", LONGEST_REASON)?;
    let impact = match body.get("impact") {
        None => "medium".to_owned(),
        Some(Value::String(impact)) if IMPACTS.contains(&impact.as_str()) => impact.clone(),
        Some(_) => {
            return Err(refused(StatusCode::BAD_REQUEST, "invalid_request", "impact is none that is known"));
        }
    };
    let meta = match body.get("meta") {
        None | Some(Value::Null) => Value::Null,
        Some(meta @ Value::Object(_)) => meta.clone(),
        Some(_) => return Err(refused(StatusCode::BAD_REQUEST, "invalid_request", "meta must be an object")),
    };
    let tenant = state.world.tenants.get(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    // Nobody is told whether there is such a person.
    let has_device = tenant.person(&person).is_some_and(|(_, user)| user.device);
    let delivery = state.world.approvals.delivery.unwrap_or(call.settings.approvals.delivery);
    let delivery = match (delivery, has_device) {
        (Delivery::Nobody, _) => Delivery::Nobody,
        (_, false) => Delivery::Mailed,
        (delivery, true) => delivery,
    };
    let decided = match delivery {
        Delivery::Mailed => {
            let message = "The person has no device to be asked on. A notice was sent by mail.";
            let body = json!({
                "status": "email_fallback_sent", "message": message, "task_id": task_id, "impact": impact,
            });
            return Ok(Answer::json(StatusCode::ACCEPTED, &body));
        }
        Delivery::Nobody => {
            let problem = "The person has no device to be asked on, and the mail failed.";
            return Err(refused(StatusCode::PRECONDITION_REQUIRED, "no_enrolled_device", problem));
        }
        Delivery::Approved => Some((true, call.now)),
        Delivery::Denied => Some((false, call.now)),
        Delivery::Asked => None,
    };
    let question = Question {
        token: state.ids.secret("apr_").expose().to_owned(),
        tenant: call.tenant,
        client_id: token.client_id,
        task_id,
        reason,
        person,
        impact,
        meta,
        expires_at: call.now.saturating_add(call.settings.approvals.patience),
        decided,
    };
    let body = json!({
        "approval_token": question.token,
        "status": "pending",
        "expires_at": moment(call, question.expires_at),
        "task_id": question.task_id,
        "impact": question.impact,
    });
    state.world.approvals.ask(question);
    Ok(Answer::json(if call.settings.approvals.older { StatusCode::OK } else { StatusCode::CREATED }, &body))
}

/// `approvals.status`.
fn status(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let token = own_token(state, call)?;
    let Some(question) = state.world.approvals.find(call.tenant, call.id) else {
        return Err(refused(StatusCode::NOT_FOUND, "not_found", "There is no such approval"));
    };
    if question.client_id != token.client_id {
        return Err(refused(StatusCode::FORBIDDEN, "forbidden", "The approval is another agent's"));
    }
    let approved_by = match question.decided {
        Some((true, _)) => approver(state, call, question),
        _ => Value::Null,
    };
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    put("approval_token", json!(question.token));
    put("status", json!(question.status(call.now)));
    put("task_id", json!(question.task_id));
    put("impact", json!(question.impact));
    put("responded_at", question.decided.map_or(Value::Null, |(_, at)| moment(call, at)));
    put("approved_by", approved_by);
    if call.settings.approvals.reason {
        put("reason", json!(question.reason));
    }
    Ok(Answer::ok(&Value::Object(body)))
}

/// Who approved: the number of the user, and in older answers the address.
fn approver(state: &State, call: &Call<'_>, question: &Question) -> Value {
    let person = state.world.tenants.get(call.tenant).and_then(|tenant| tenant.person(&question.person));
    let user_id = person.map_or(1, |(place, _)| place.saturating_add(1));
    match call.settings.approvals.older {
        true => json!({"user_id": user_id, "email": question.person}),
        false => json!({"user_id": user_id}),
    }
}

/// A text that must be there and fit.
fn required(body: &Map<String, Value>, field: &str, most: usize) -> Result<String, Answer> {
    let bad = |problem: String| refused(StatusCode::BAD_REQUEST, "invalid_request", &problem);
    match body.get(field) {
        Some(Value::String(text)) if text.chars().nth(most).is_some() => {
            Err(bad(format!("Field {field} is longer than {most} characters")))
        }
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.clone()),
        None | Some(Value::Null | Value::String(_)) => Err(bad(format!("Missing required field: {field}"))),
        Some(_) => Err(bad(format!("Field {field} must be a text"))),
    }
}

fn moment(call: &Call<'_>, at: Timestamp) -> Value {
    if call.settings.approvals.older { json!(at.unix()) } else { as_text(at) }
}

/// Envelope D: approvals.
fn refused(status: StatusCode, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"error": code, "message": message}))
}

pub(crate) const SERVICES: &[Service] = &[
    Service::of(routes::APPROVAL_CREATE, "POST", create),
    Service::of(routes::APPROVAL_STATUS, "GET, HEAD", status),
];
