//! Policies as administrators make them: listed, made, changed, switched and removed.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::permissions::page;
use super::{Who, asked};
use crate::emulator::call::{Call, Service};
use crate::emulator::state::State;
use crate::emulator::state::tenants::LiveTenant;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::policy::Policy;
use crate::route::Route;

/// Lets administrators pass: agents with the permission, users and API keys with scope and permission, and whoever has the scope
/// `admin`. To look is allowed with `policies.view` as well.
pub(crate) fn administrator<'s>(
    state: &'s mut State,
    call: &mut Call<'_>,
    changes: bool,
) -> Result<&'s mut LiveTenant, Answer> {
    let (tenant, caller) = asked(state, call)?;
    let own = Who::asking(&caller);
    let scope = if changes { "abac:write" } else { "abac:read" };
    if own.kind == "user" && !caller.has_scope(scope) {
        return Err(Answer::missing_scope(scope, &caller.scopes));
    }
    let is_admin = own.kind == "user" && caller.scopes.iter().any(|own| own == "admin");
    let may = own.has(tenant, "abac.manage") || (!changes && own.has(tenant, "policies.view"));
    if !is_admin && !may {
        let problem = "The permission abac.manage is missing";
        return Err(Answer::plain(StatusCode::FORBIDDEN, "permission_denied", problem));
    }
    state.world.tenants.get_mut(call.tenant).ok_or_else(Answer::invalid_tenant)
}

pub(crate) fn invalid(problem: &str) -> Answer {
    Answer::plain(StatusCode::BAD_REQUEST, "validation_error", problem)
}

pub(crate) fn unknown() -> Answer {
    Answer::plain(StatusCode::NOT_FOUND, "not_found", "There is none of this id")
}

pub(crate) fn taken() -> Answer {
    Answer::plain(StatusCode::CONFLICT, "duplicate_resource", "The name is taken")
}

/// The answer to a change.
pub(crate) fn done(status: StatusCode, message: &str, data: &Value) -> Answer {
    Answer::json(status, &json!({"data": data, "message": message}))
}

/// A page of records.
pub(crate) fn listed(call: &Call<'_>, rows: &[Value], kind: &str) -> Result<Answer, Answer> {
    let (rows, meta) = page(call, rows)?;
    Ok(Answer::ok(&json!({"data": rows, "meta": meta, "pagination": meta, "resourceType": kind})))
}

/// A policy with all its members.
fn shown(policy: &Policy) -> Value {
    let mut all = Map::from_iter([
        ("slug".to_owned(), json!(policy.name.to_lowercase().replace(' ', "-"))),
        ("description".to_owned(), Value::Null),
        ("conditions".to_owned(), json!({})),
    ]);
    all.extend(policy.source.clone());
    all.insert("id".into(), json!(policy.id));
    all.insert("priority".into(), json!(policy.priority));
    all.insert("isActive".into(), json!(policy.active));
    all.insert("isSystem".into(), json!(false));
    Value::Object(all)
}

/// Where the policy of the path's id stands.
fn place(tenant: &LiveTenant, call: &Call<'_>) -> Result<usize, Answer> {
    tenant.policies.iter().position(|policy| policy.id.to_string() == call.id).ok_or_else(unknown)
}

/// Keeps a policy in this place, or a new one.
fn keep(tenant: &mut LiveTenant, place: Option<usize>, source: Map<String, Value>) -> Result<Value, Answer> {
    let old = place.and_then(|place| tenant.policies.get(place)).map(|policy| policy.id);
    let id = old.unwrap_or_else(|| tenant.made.saturating_add(1));
    let policy = Policy::read(id, &Value::Object(source))
        .map_err(|problem| invalid(&format!("The policy cannot be read: {problem}")))?;
    if tenant.policies.iter().any(|other| other.name == policy.name && other.id != id) {
        return Err(taken());
    }
    let said = shown(&policy);
    match place.and_then(|place| tenant.policies.get_mut(place)) {
        Some(own) => *own = policy,
        None => {
            tenant.made = id;
            tenant.policies.push(policy);
        }
    }
    Ok(said)
}

fn list(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let tenant = administrator(state, call, false)?;
    let rows: Vec<Value> = tenant.policies.iter().map(shown).collect();
    listed(call, &rows, "policies")
}

fn get(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let tenant = administrator(state, call, false)?;
    let place = place(tenant, call)?;
    let policy = tenant.policies.get(place).ok_or_else(unknown)?;
    Ok(Answer::ok(&json!({"data": shown(policy)})))
}

fn create(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let tenant = administrator(state, call, true)?;
    let asked = call.incoming.json_object().map_err(Answer::bad)?;
    let said = keep(tenant, None, asked)?;
    Ok(done(StatusCode::CREATED, "The policy is made", &said))
}

/// Puts another policy in its place.
fn update(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let tenant = administrator(state, call, true)?;
    let place = place(tenant, call)?;
    let asked = call.incoming.json_object().map_err(Answer::bad)?;
    let said = keep(tenant, Some(place), asked)?;
    Ok(done(StatusCode::OK, "The policy is changed", &said))
}

/// Changes what the body names.
fn patch(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let tenant = administrator(state, call, true)?;
    let place = place(tenant, call)?;
    let mut source = tenant.policies.get(place).map(|policy| policy.source.clone()).unwrap_or_default();
    source.extend(call.incoming.json_object().map_err(Answer::bad)?);
    let said = keep(tenant, Some(place), source)?;
    Ok(done(StatusCode::OK, "The policy is changed", &said))
}

/// Switches it on or off.
fn toggle(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let tenant = administrator(state, call, true)?;
    let place = place(tenant, call)?;
    let policy = tenant.policies.get(place).ok_or_else(unknown)?;
    let mut source = policy.source.clone();
    source.insert("isActive".into(), json!(!policy.active));
    let said = keep(tenant, Some(place), source)?;
    Ok(done(StatusCode::OK, "The policy is switched", &said))
}

fn delete(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let tenant = administrator(state, call, true)?;
    let place = place(tenant, call)?;
    let gone = tenant.policies.remove(place);
    Ok(done(StatusCode::OK, "The policy is removed", &json!({"id": gone.id})))
}

const ALL: &str = "GET, HEAD, POST";
const ONE: &str = "GET, HEAD, PUT, PATCH, DELETE";

/// The services of this family. The library has no operations for them: [`ApiRequest`](crate::ApiRequest) reaches them.
pub(crate) const SERVICES: &[Service] = &[
    Service::of(Route::get("abac.policies.list", "abac/policies"), ALL, list),
    Service::of(Route::post("abac.policies.create", "abac/policies"), ALL, create),
    Service::of(Route::get("abac.policies.get", "abac/policies/{id}"), ONE, get),
    Service::of(Route::put("abac.policies.update", "abac/policies/{id}"), ONE, update),
    Service::of(Route::patch("abac.policies.patch", "abac/policies/{id}"), ONE, patch),
    Service::of(Route::delete("abac.policies.delete", "abac/policies/{id}"), ONE, delete),
    Service::of(Route::post("abac.policies.toggle", "abac/policies/{id}/toggle"), "POST", toggle),
];
