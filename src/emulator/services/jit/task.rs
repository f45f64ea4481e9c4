//! Tasks: begun, evaluated, completed.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{agent, created, moment, own, text};
use crate::emulator::call::{Call, Service};
use crate::emulator::state::State;
use crate::emulator::state::jit::Task;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::incoming::Media;
use crate::operations::routes;

/// How long a task lasts if nobody ends it.
const LIFETIME: Duration = Duration::from_secs(3600);

/// The body, if there is one.
pub(super) fn body(call: &Call<'_>) -> Result<Map<String, Value>, Answer> {
    if call.incoming.body.unwrap_or_default().is_empty() && call.incoming.media() != Media::Json {
        return Ok(Map::new());
    }
    call.incoming.json_object().map_err(Answer::bad)
}

/// `jit.task.create`.
fn begin(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let token = agent(state, call)?;
    let body = body(call)?;
    let by_scopes = ["task_description", "required_scopes"].iter().any(|name| body.contains_key(*name));
    if call.settings.jit.scopes && by_scopes {
        return super::scopes::begin(state, call, token.client_id, &body);
    }
    text(&body, "name")?;
    text(&body, "type")?;
    let parent = text(&body, "parent_task_id")?;
    let tenant = state.world.tenants.get(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    let user = text(&body, "on_behalf_of")?;
    if let Some(user) = &user {
        let known = tenant.person(user).map(|(_, known)| known);
        if known.is_none_or(|known| tenant.consented(&known.name, &token.client_id).is_none()) {
            return Err(Answer::bad("Unknown delegation user"));
        }
    }
    if let Some(parent) = &parent {
        own(state, call, &token.client_id, parent)?;
    }
    let task = Task {
        id: state.ids.next("task_"),
        parent,
        tenant: call.tenant,
        client_id: token.client_id.clone(),
        family: state.world.grants.family(),
        expires_at: call.now.saturating_add(LIFETIME),
        ended: false,
    };
    let mut answer = json!({
        "task_id": task.id,
        "caep_session_id": state.ids.next("caep_"),
        "expires_at": moment(call, task.expires_at),
        "agent_id": token.client_id,
    });
    if let (Some(answer), Some(user)) = (answer.as_object_mut(), user) {
        answer.insert("on_behalf_of".into(), json!(user));
    }
    state.world.jit.begin(task);
    Ok(Answer::json(created(call), &answer))
}

/// `jit.task.complete`: its tokens end with it. Twice is as good as once.
fn complete(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let token = agent(state, call)?;
    let task = own(state, call, &token.client_id, call.id)?;
    if let Some(task) = state.world.jit.task_mut(call.tenant, call.id) {
        task.ended = true;
    }
    state.world.tokens.revoke_family(task.family);
    if call.settings.jit.older {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    }
    let body = json!({"task_id": task.id, "status": "completed", "completed_at": moment(call, call.now)});
    Ok(Answer::ok(&body))
}

/// `jit.task.evaluate`: takes note, and ends nothing.
fn evaluate(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let token = agent(state, call)?;
    let task = own(state, call, &token.client_id, call.id)?;
    let body = body(call)?;
    text(&body, "notes")?;
    let result = text(&body, "result")?;
    let active = match result.as_deref() {
        None | Some("completed") => !task.ended,
        Some("failed" | "cancelled") => false,
        Some(_) => return Err(Answer::bad("Field result must be completed, failed or cancelled")),
    };
    Ok(Answer::ok(&json!({"task_id": task.id, "active": active, "events": []})))
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::of(routes::TASK, "POST", begin),
    Service::of(routes::TASK_COMPLETE, "POST", complete),
    Service::of(routes::TASK_EVALUATE, "POST", evaluate),
];
