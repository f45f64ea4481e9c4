//! Requests for permissions: judged by their risk, decided, and traded for tokens.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::task::own;
use super::{agent, created, forbidden, moment, not_found, seconds, text};
use crate::emulator::call::{Call, Service};
use crate::emulator::services::bearer::bearer;
use crate::emulator::services::issue;
use crate::emulator::state::State;
use crate::emulator::state::jit::{Asked, Outcome, Task};
use crate::emulator::state::tokens::{Permitted, Principal, Token, TokenKind};
use crate::emulator::values::answer::Answer;
use crate::emulator::values::jit::{Risk, risk};
use crate::emulator::values::lifetime::in_seconds;
use crate::operations::routes;
use crate::time::Timestamp;

/// How long a permission is given for, in seconds.
const TTL: std::ops::RangeInclusive<u64> = 300..=900;
pub(super) const USUAL_TTL: u64 = 600;

/// `jit.request.create`.
fn create(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let token = agent(state, call)?;
    let body = call.incoming.json_object().map_err(Answer::bad)?;
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

/// A request in this task: what is risky waits for a person, anything else is approved.
pub(super) fn asked(
    state: &mut State,
    call: &Call<'_>,
    task: &Task,
    details: Map<String, Value>,
    justification: Option<String>,
    risk: Risk,
    ttl: u64,
) -> Asked {
    let (outcome, decided_at) = match risk.waits() {
        true => (Outcome::Open, None),
        false => (Outcome::Approved { until: in_seconds(call.now, ttl) }, Some(call.now)),
    };
    Asked {
        id: state.ids.next("jit_"),
        task: task.id.clone(),
        tenant: call.tenant,
        client_id: task.client_id.clone(),
        details,
        justification,
        risk,
        ttl,
        expires_at: call.now.saturating_add(call.settings.jit.patience),
        outcome,
        decided_at,
        decided_by: None,
        message: None,
        notes: false,
        taken: false,
        polled_at: None,
        other: None,
    }
}

/// What is said about a request. The URLs are the server's own, in the layout that it prefers.
pub(super) fn described(call: &Call<'_>, asked: &Asked) -> Map<String, Value> {
    let status = asked.status(call.now);
    let url = |what: &str| json!(format!("/orgs/{}/api/v1/jit/request/{}/{what}", call.slug, asked.id));
    let mut all = Map::new();
    let mut put = |name: &str, value: Value| drop(all.insert(name.to_owned(), value));
    put("request_id", json!(asked.id));
    put("status", json!(status));
    put("risk_level", json!(asked.risk.word()));
    put("task_id", json!(asked.task));
    match status {
        "approved" => {
            put("token_url", url("token"));
            put("granted_ttl", json!(asked.ttl));
        }
        "pending" => {
            put("status_url", url("status"));
            put("expires_at", moment(call, asked.expires_at));
            put("message", json!("A reviewer has to decide"));
            if let Some(interval) = call.settings.jit.interval {
                put("interval", json!(interval.as_secs()));
            }
            if call.settings.jit.consent {
                put("delegation_consent_required", json!(true));
            }
        }
        _ => {}
    }
    if let Outcome::Denied { reason: Some(reason) } = &asked.outcome {
        put("deny_reason", json!(reason));
    }
    if matches!(status, "approved" | "denied") {
        put("has_notes", json!(asked.notes));
        let name = if call.settings.jit.older { "review_notes" } else { "agent_message" };
        if let Some(message) = &asked.message {
            put(name, json!(message));
        }
    }
    all
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
