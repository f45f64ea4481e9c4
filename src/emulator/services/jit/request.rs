//! Requests for permissions: judged by their risk, decided, and traded for tokens.

use http::StatusCode;
use serde_json::{Value, json};

use super::asked::{TTL, USUAL_TTL, asked, described};
use super::{agent, created, forbidden, not_found, own, seconds, text};
use crate::emulator::call::{Call, Service};
use crate::emulator::services::bearer::bearer;
use crate::emulator::services::issue;
use crate::emulator::state::State;
use crate::emulator::state::jit::{Asked, Outcome};
use crate::emulator::state::tokens::{Permitted, Principal, Token, TokenKind};
use crate::emulator::values::answer::Answer;
use crate::emulator::values::jit::risk;
use crate::emulator::values::lifetime::in_seconds;
use crate::operations::routes;
use crate::time::Timestamp;

/// `jit.request.create`.
fn create(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let token = agent(state, call)?;
    let body = call.incoming.kept_object().map_err(Answer::bad)?;
    let missing = |field: &str| Answer::bad(&format!("Missing required field: {field}"));
    let task = text(&body, "task_id")?.ok_or_else(|| missing("task_id"))?;
    if call.settings.jit.scopes && !body.contains_key("authorization_details") && body.contains_key("scope") {
        return super::scopes::ask(state, call, &token.client_id, &task, &body);
    }
    let details = match body.get("authorization_details") {
        Some(Value::Object(details)) => details.clone(),
        None => return Err(missing("authorization_details")),
        Some(_) => return Err(Answer::bad("Field authorization_details must be one object")),
    };
    if !matches!(details.get("type"), Some(Value::String(kind)) if !kind.is_empty()) {
        return Err(Answer::bad("Field authorization_details must have a type"));
    }
    let justification = text(&body, "justification")?;
    text(&body, "callback_url")?;
    let ttl = seconds(&body, "requested_ttl")?.unwrap_or(USUAL_TTL).clamp(*TTL.start(), *TTL.end());
    let task = own(state, call, &token.client_id, &task)?;
    if task.ended || call.now >= task.expires_at {
        return Err(forbidden("The task is over"));
    }
    let denials = state.world.jit.denials(call.tenant, &token.client_id);
    let risk = risk(&details, denials, &call.settings.jit.rows);
    let asked = asked(state, call, &task, details, justification, risk, ttl);
    let status = match risk.waits() && call.settings.jit.accepted {
        true => StatusCode::ACCEPTED,
        false => created(call),
    };
    let answer = Answer::json(status, &Value::Object(described(call, &asked)));
    state.world.jit.ask(asked);
    Ok(answer)
}

/// The request of this agent's, or of the task whose permission's token asks.
fn own_request<'s>(state: &'s mut State, call: &mut Call<'_>) -> Result<&'s mut Asked, Answer> {
    let token = bearer(state, call)?;
    let task = match &token.principal {
        Principal::Permission(permitted) => Some(permitted.task.clone()),
        _ => {
            agent(state, call)?;
            None
        }
    };
    let asked = state.world.jit.request_mut(call.tenant, call.id);
    let asked = asked.ok_or_else(|| not_found("There is no such request"))?;
    if asked.client_id != token.client_id || task.is_some_and(|task| task != asked.task) {
        return Err(forbidden("The request is another task's or agent's"));
    }
    Ok(asked)
}

/// `jit.request.status`.
fn status(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let interval = call.settings.jit.interval;
    let now = call.now;
    let asked = own_request(state, call)?;
    let before = asked.polled_at.replace(now);
    let early = before.zip(interval).is_some_and(|(before, interval)| before.saturating_add(interval) > now);
    if early && asked.status(now) == "pending" {
        return Err(Answer::bad_oauth("slow_down", "The status is asked for too often"));
    }
    let asked = asked.clone();
    Ok(Answer::ok(&Value::Object(described(call, &asked))))
}

/// `jit.request.token`: once for each request.
fn token(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    agent(state, call)?;
    let now = call.now;
    let asked = own_request(state, call)?.clone();
    let refused = |problem| Answer::oauth(StatusCode::FORBIDDEN, "access_denied", problem);
    let task = state.world.jit.task(call.tenant, &asked.task).ok_or_else(|| refused("The task is gone"))?;
    if task.ended || now >= task.expires_at {
        return Err(refused("The task is over"));
    }
    let task = task.clone();
    match asked.status(now) {
        "approved" if asked.taken => return Err(refused("The token was given out already")),
        "approved" => {}
        "pending" => return Err(refused("The request is not approved")),
        other => return Err(refused(&format!("The request is {other}"))),
    }
    let tenant = state.world.tenants.get_mut(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    let agent = tenant.agent_mut(&asked.client_id).ok_or_else(|| issue::server_error("The agent is gone"))?;
    if let Some(problem) = agent.exhausted(now) {
        return Err(Answer::plain(StatusCode::TOO_MANY_REQUESTS, "budget_exceeded", problem));
    }
    let subject = format!("{}:task:{}", agent.subject(), task.id);
    let details = asked.other.clone().unwrap_or_else(|| Value::Object(asked.details.clone()));
    let permitted = Permitted { task: task.id.clone(), parent: task.parent, details: details.clone() };
    let record = Token {
        kind: TokenKind::Access,
        tenant: call.tenant,
        client_id: asked.client_id.clone(),
        principal: Principal::Permission(Box::new(permitted)),
        subject,
        scopes: Vec::new(),
        audience: vec![asked.client_id.clone()],
        actors: Vec::new(),
        issuer: call.issuer(),
        id: state.ids.next("jti_"),
        issued_at: now,
        expires_at: in_seconds(now, asked.ttl).min(task.expires_at),
        auth_time: now,
        family: Some(task.family),
        rotated: false,
    };
    let lifetime = record.expires_at.unix().saturating_sub(now.unix());
    let text = issue::permission(state, call, record)?;
    if let Some(asked) = state.world.jit.request_mut(call.tenant, &asked.id) {
        asked.taken = true;
    }
    let mut body = json!({
        "access_token": text,
        "token_type": "Bearer",
        "expires_in": lifetime,
        "issued_token_type": issue::ACCESS_TOKEN,
        "task_id": asked.task,
        "jit_request_id": asked.id,
    });
    if let Some(body) = body.as_object_mut().filter(|_| call.settings.jit.details) {
        body.insert("authorization_details".into(), json!([details]));
    }
    Ok(Answer::ok(&body).no_cache())
}

/// Somebody approves, for as long as that. False if nothing waits under this name.
pub(crate) fn approve(asked: &mut Asked, ttl: Option<u64>, now: Timestamp) -> bool {
    if asked.status(now) != "pending" {
        return false;
    }
    asked.ttl = ttl.unwrap_or(asked.ttl).clamp(*TTL.start(), *TTL.end());
    asked.outcome = Outcome::Approved { until: in_seconds(now, asked.ttl) };
    asked.decided_at = Some(now);
    true
}

/// Somebody denies. False if nothing waits under this name.
pub(crate) fn deny(asked: &mut Asked, reason: Option<String>, now: Timestamp) -> bool {
    if asked.status(now) != "pending" {
        return false;
    }
    asked.outcome = Outcome::Denied { reason };
    asked.decided_at = Some(now);
    true
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::of(routes::REQUEST, "POST", create),
    Service::of(routes::REQUEST_STATUS, "GET, HEAD", status),
    Service::of(routes::REQUEST_TOKEN, "POST", token),
];
