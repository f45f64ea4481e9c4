//! What reviewers do, with a user's own token and no agent in it.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::request::{approve, deny};
use super::task::body;
use super::{moment, not_found, seconds, text};
use crate::emulator::call::{Call, Service};
use crate::emulator::services::bearer::bearer;
use crate::emulator::state::State;
use crate::emulator::state::jit::Asked;
use crate::emulator::state::tokens::Principal;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::incoming::Parameters;
use crate::emulator::values::seed::MAY_REVIEW;
use crate::operations::routes;

/// A person who may review. An agent that acts for one may not.
fn reviewer(state: &State, call: &mut Call<'_>) -> Result<String, Answer> {
    let token = bearer(state, call)?;
    match token.principal {
        Principal::User(name)
            if token.actors.is_empty() && token.scopes.iter().any(|scope| scope == MAY_REVIEW) =>
        {
            Ok(name)
        }
        _ => Err(Answer::missing_scope(MAY_REVIEW, &token.scopes)),
    }
}

/// `jit.pending`.
fn pending(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    reviewer(state, call)?;
    let parameters = Parameters::query(call.incoming).map_err(Answer::bad)?;
    let number = |name: &str, usual: usize| match parameters.get(name) {
        None => Ok(usual),
        Some(text) => {
            let number = text.parse().ok().filter(|number| (1..=100_000).contains(number));
            number.ok_or_else(|| Answer::bad(&format!("Parameter {name} must be a number")))
        }
    };
    let (page, limit) = (number("page", 1)?, number("limit", 25)?.min(100));
    let all: Vec<&Asked> = state.world.jit.waiting(call.tenant, call.now).collect();
    let pages = all.len().div_ceil(limit);
    let skipped = page.saturating_sub(1).saturating_mul(limit);
    let items: Vec<Value> =
        all.iter().skip(skipped).take(limit).map(|asked| described(call, asked)).collect();
    if call.settings.jit.bare_list {
        return Ok(Answer::ok(&Value::Array(items)));
    }
    if call.settings.jit.older {
        return Ok(Answer::ok(&json!({"requests": items})));
    }
    let pagination = json!({
        "total": all.len(),
        "page": page,
        "limit": limit,
        "totalPages": pages,
        "hasNextPage": page < pages,
        "hasPreviousPage": page > 1,
    });
    let count = items.len();
    Ok(Answer::ok(
        &json!({"data": items, "pending_requests": items, "count": count, "pagination": pagination}),
    ))
}

fn described(call: &Call<'_>, asked: &Asked) -> Value {
    json!({
        "request_id": asked.id,
        "task_id": asked.task,
        "agent_id": asked.client_id,
        "authorization_details": asked.details,
        "justification": asked.justification,
        "risk_level": asked.risk.word(),
        "requested_ttl": asked.ttl,
        "status": asked.status(call.now),
        "expires_at": moment(call, asked.expires_at),
    })
}

fn decide(
    state: &mut State,
    call: &mut Call<'_>,
    decide: impl FnOnce(&mut Asked, &Map<String, Value>) -> Result<bool, Answer>,
) -> Result<Answer, Answer> {
    let reviewer = reviewer(state, call)?;
    let body = body(call)?;
    let message = text(&body, "agent_message")?;
    let asked = state.world.jit.request_mut(call.tenant, call.id);
    let asked = asked.ok_or_else(|| not_found("There is no such request"))?;
    if !decide(asked, &body)? {
        let problem = "The request is decided or over";
        return Err(Answer::plain(StatusCode::CONFLICT, "conflict", problem));
    }
    asked.decided_by = Some(reviewer);
    if message.is_some() {
        asked.message = message;
    }
    let mut answer = json!({"request_id": asked.id, "status": asked.status(call.now)});
    if let Some(answer) = answer.as_object_mut().filter(|_| asked.status(call.now) == "approved") {
        answer.insert("granted_ttl".into(), json!(asked.ttl));
    }
    Ok(Answer::ok(&answer))
}

/// `jit.approve`.
fn approved(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let now = call.now;
    decide(state, call, |asked, body| {
        let ttl = seconds(body, "ttl")?;
        asked.notes = text(body, "notes")?.is_some();
        Ok(approve(asked, ttl, now))
    })
}

/// `jit.deny`.
fn denied(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let now = call.now;
    decide(state, call, |asked, body| {
        let reason = text(body, "reason")?;
        Ok(deny(asked, reason, now))
    })
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::of(routes::PENDING, "GET, HEAD", pending),
    Service::of(routes::APPROVE, "POST", approved),
    Service::of(routes::DENY, "POST", denied),
];
