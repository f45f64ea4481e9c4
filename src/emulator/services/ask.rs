//! The Ask API: may the agent do this? (`docs/wire.md`, rows K)

use http::StatusCode;
use http::header::USER_AGENT;
use serde_json::{Map, Value, json};

use crate::emulator::call::{Call, Service};
use crate::emulator::services::bearer::own_token;
use crate::emulator::state::State;
use crate::emulator::state::log::AuditEntry;
use crate::emulator::state::tokens::Token;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::seed::INSUFFICIENT_PERMISSIONS;
use crate::operations::routes;

/// The keys of the context that always describe the request the service received.
const OWN_KEYS: [&str; 4] = ["ip", "userAgent", "requestMethod", "requestPath"];

/// Decides by the agent's capabilities. The token's scopes do not matter here: the service judges agents so.
fn ask(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let token = own_token(state, call)?;
    let mut body = call.incoming.json_object().map_err(Answer::bad)?;
    let context = match body.remove("context") {
        None => Map::new(),
        Some(Value::Object(context)) => context,
        Some(_) => return Err(Answer::bad("Field context must be an object")),
    };
    let question = text(&mut body, "question")?;
    let action = text(&mut body, "action")?;
    // The other documented form asks in words; the action may be in the context.
    let in_words = action.is_none() && question.is_some();
    let action = action
        .or_else(|| {
            let question = question?;
            let named = context.get("action").and_then(Value::as_str).filter(|action| !action.is_empty());
            Some(named.map_or(question, str::to_owned))
        })
        .ok_or_else(|| Answer::bad("Missing required field: action"))?;

    let Some(tenant) = state.world.tenants.get_mut(call.tenant) else { return Err(Answer::invalid_tenant()) };
    let ordered = tenant.seed.denials.get(&action).cloned();
    let slug = tenant.seed.slug.clone();
    let Some(agent) = tenant.agent_mut(&token.client_id) else {
        return Err(Answer::plain(StatusCode::UNAUTHORIZED, "invalid_token", "The agent is gone"));
    };
    let exhausted = agent.exhausted(call.now);
    let (allowed, reason) = match (exhausted, ordered) {
        (Some(_), _) => (false, "budget_exceeded".to_owned()),
        (None, Some(reason)) => (false, reason),
        (None, None) if agent.has_capability(&action) => {
            (true, format!("The agent has the capability {action}"))
        }
        (None, None) => (false, INSUFFICIENT_PERMISSIONS.to_owned()),
    };
    if exhausted.is_none() {
        agent.count_call(call.now);
    }
    let id = record(state, call, slug, &token, &action, allowed, &reason);
    if let Some(problem) = exhausted {
        return Err(Answer::oauth(StatusCode::TOO_MANY_REQUESTS, "budget_exceeded", problem));
    }
    Ok(Answer::ok(&if in_words {
        let required = if allowed { Vec::new() } else { vec![&action] };
        json!({"allowed": allowed, "explanation": reason, "confidence": 1.0, "required_scopes": required})
    } else {
        json!({
            "allowed": allowed,
            "action": action,
            "reason": reason,
            "audit_id": id,
            "context": described(call, context),
        })
    }))
}

/// A field that is a text; absent and empty are the same, anything else is refused.
fn text(body: &mut Map<String, Value>, field: &str) -> Result<Option<String>, Answer> {
    match body.remove(field) {
        None => Ok(None),
        Some(Value::String(text)) => Ok((!text.trim().is_empty()).then_some(text)),
        Some(_) => Err(Answer::bad(&format!("Field {field} must be a text"))),
    }
}

fn record(
    state: &mut State,
    call: &mut Call<'_>,
    tenant: String,
    token: &Token,
    action: &str,
    allowed: bool,
    reason: &str,
) -> String {
    let id = state.ids.next("aud_");
    let entry = AuditEntry {
        id: id.clone(),
        tenant,
        client_id: token.client_id.clone(),
        action: action.to_owned(),
        allowed,
        reason: reason.to_owned(),
        time: call.now,
    };
    call.decision = Some(state.world.log.decision(entry));
    id
}

/// The context with the request described in it. What the caller wrote under those names moves to `pep`.
pub(crate) fn described(call: &Call<'_>, mut context: Map<String, Value>) -> Map<String, Value> {
    let claimed: Map<String, Value> = OWN_KEYS
        .iter()
        .filter_map(|key| context.remove(*key).map(|value| ((*key).to_owned(), value)))
        .collect();
    if !claimed.is_empty() {
        match context.get_mut("pep").and_then(Value::as_object_mut) {
            Some(pep) => pep.extend(claimed),
            None => drop(context.insert("pep".into(), Value::Object(claimed))),
        }
    }
    let agent = call.incoming.only(USER_AGENT).ok().flatten();
    let own =
        [json!("127.0.0.1"), json!(agent), json!(call.incoming.method.as_str()), json!(call.incoming.path)];
    context.extend(OWN_KEYS.iter().map(|key| (*key).to_owned()).zip(own));
    context
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[Service::of(routes::ASK, "POST", ask)];
