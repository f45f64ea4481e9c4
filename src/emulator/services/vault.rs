//! The token vault: connections, and tokens for them (`docs/wire.md`, rows W).

use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use serde_json::{Value, json};

use crate::emulator::call::{Call, Service};
use crate::emulator::services::authz::permissions::page;
use crate::emulator::services::bearer::own_token;
use crate::emulator::services::jit::moment;
use crate::emulator::state::State;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::seed::ConnectionSeed;
use crate::operations::routes;
use crate::time::Timestamp;

/// Envelope D, with the status that the code has.
fn refused(code: &str) -> Answer {
    let status = match code {
        "invalid_user_id" => StatusCode::BAD_REQUEST,
        "tenant_not_found" | "connection_not_found" | "grant_not_found" => StatusCode::NOT_FOUND,
        "grant_revoked" | "grant_expired" | "refresh_failed" => StatusCode::CONFLICT,
        "rate_limited" => StatusCode::TOO_MANY_REQUESTS,
        "refresh_in_progress" | "provider_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::FORBIDDEN,
    };
    let answer = Answer::json(status, &json!({"error": code, "message": "The vault gives no token"}));
    if code == "refresh_in_progress" {
        answer.with(RETRY_AFTER, HeaderValue::from_static("2"))
    } else {
        answer
    }
}

fn is_for(connection: &ConnectionSeed, client_id: &str) -> bool {
    connection.agents.is_empty() || connection.agents.iter().any(|own| own == client_id)
}

fn list(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let token = own_token(state, call)?;
    let tenant = state.world.tenants.get(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    let agent = tenant.agent(&token.client_id).ok_or_else(|| refused("agent_token_required"))?;
    let own = tenant.seed.connections.iter().filter(|own| is_for(own, &token.client_id));
    let rows = own.map(|own| {
        let by_users = !own.users.is_empty();
        json!({
            "connection_id": own.id, "name": own.name, "provider": own.provider, "provider_label": own.provider,
            "grant_mode": if by_users { "user" } else { "machine" }, "scopes": own.scopes,
            "user_delegated": by_users,
            "machine_grant_status": if by_users { Value::Null } else { json!("active") },
            "linked_users": if by_users { json!(own.users.len()) } else { Value::Null },
        })
    });
    let rows: Vec<Value> = rows.collect();
    let about = json!({"agent_id": token.client_id, "name": agent.seed.name, "status": "active"});
    let (rows, meta) = page(call, &rows)?;
    Ok(Answer::ok(&json!({"agent": about, "connections": rows, "data": rows, "pagination": meta})))
}

/// A token for a connection. What a test ordered to fail fails first.
fn token(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let token = own_token(state, call)?;
    if let Some(code) = state.world.vault_refusals.get_mut(call.id).and_then(|codes| codes.pop_front()) {
        return Err(refused(&code));
    }
    let body = call.incoming.json_object().map_err(Answer::bad)?;
    let tenant = state.world.tenants.get(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    let mut all = tenant.seed.connections.iter();
    let own = all.find(|own| own.id == call.id).ok_or_else(|| refused("connection_not_found"))?;
    if !own.enabled {
        return Err(refused("connection_disabled"));
    }
    if !is_for(own, &token.client_id) {
        return Err(refused("agent_not_allowed"));
    }
    match (body.get("user_id"), own.users.is_empty()) {
        (None | Some(Value::Null), true) => {}
        (None | Some(Value::Null), false) => return Err(refused("grant_not_found")),
        (Some(Value::String(_)), true) => return Err(refused("delegation_not_allowed")),
        (Some(Value::String(user)), false) => {
            let mut users = tenant.seed.users.iter();
            let known = users.find(|known| known.name == *user || known.email.as_ref() == Some(user));
            let linked = known.is_some_and(|known| own.users.contains(&known.name));
            if !linked {
                return Err(refused("grant_not_found"));
            }
        }
        (Some(_), _) => return Err(refused("invalid_user_id")),
    }
    let ends = own.lifetime.map(|seconds| Timestamp::from_unix(call.now.unix().saturating_add(seconds)));
    let scopes = own.scopes.clone();
    let secret = state.ids.secret("vault_");
    Ok(Answer::ok(&json!({
        "access_token": secret.expose(), "token_type": "Bearer",
        "expires_at": ends.map(|end| moment(call, end)), "scopes": scopes,
    })))
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::of(routes::CONNECTIONS, "GET, HEAD", list),
    Service::of(routes::CONNECTION_TOKEN, "POST", token),
];
