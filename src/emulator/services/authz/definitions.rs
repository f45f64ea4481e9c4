//! What attributes there are: those that everybody has, those that administrators define, and those that were set.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::admin::{administrator, done, invalid, listed, taken, unknown};
use super::by_token;
use super::permissions::page;
use crate::emulator::call::{Call, Service};
use crate::emulator::state::State;
use crate::emulator::state::tenants::LiveTenant;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::incoming::Parameters;
use crate::emulator::values::settings::AuthzWire;
use crate::operations::routes::permissions as routes;
use crate::route::Route;

/// What everybody has.
const BUILT_IN: &[(&str, &str, &str)] = &[
    ("environment", "hour", "number"),
    ("environment", "dayOfWeek", "number"),
    ("environment", "isWeekend", "boolean"),
    ("environment", "ip", "string"),
    ("user", "id", "string"),
    ("user", "email", "string"),
    ("user", "roles", "array"),
    ("user", "groups", "array"),
    ("user", "permissions", "array"),
    ("user", "emailVerified", "boolean"),
    ("user", "mfaEnabled", "boolean"),
];

const KINDS: [&str; 3] = ["user", "resource", "environment"];
const TYPES: [&str; 5] = ["string", "number", "boolean", "array", "datetime"];

fn row(id: &str, of: &str, slug: &str, data_type: &str, is_system: bool) -> Value {
    json!({
        "id": id, "name": slug, "slug": slug, "description": null, "attributeType": of, "dataType": data_type,
        "validationRules": null, "defaultValue": null, "isRequired": false, "isSystem": is_system,
    })
}

/// What everybody has, and what was defined.
fn rows(tenant: &LiveTenant) -> Vec<Value> {
    let built_in = BUILT_IN
        .iter()
        .map(|(of, slug, data_type)| row(&format!("sys_{of}_{slug}"), of, slug, data_type, true));
    built_in.chain(tenant.definitions.iter().cloned().map(Value::Object)).collect()
}

fn text<'m>(map: &'m Map<String, Value>, name: &str) -> Option<&'m str> {
    map.get(name).and_then(Value::as_str)
}

fn is(row: &Value, of: &str, slug: &str) -> bool {
    row.get("attributeType") == Some(&json!(of)) && row.get("slug") == Some(&json!(slug))
}

/// A definition, whole, of what was asked for.
fn read(id: &str, asked: &Map<String, Value>) -> Result<Map<String, Value>, &'static str> {
    let name = text(asked, "name").filter(|name| !name.trim().is_empty()).ok_or("it has no name")?;
    let of = text(asked, "attributeType").filter(|of| KINDS.contains(of));
    let of = of.ok_or("its attributeType is neither user, resource nor environment")?;
    let data_type = text(asked, "dataType").filter(|own| TYPES.contains(own));
    let data_type = data_type.ok_or("its dataType is neither string, number, boolean, array nor datetime")?;
    let slug = text(asked, "slug").map_or_else(|| name.trim().replace(' ', "_"), str::to_owned);
    if slug.is_empty() || slug.contains('/') {
        return Err("its slug cannot stand in a path");
    }
    let rules = asked.get("validationRules").filter(|rules| !rules.is_null());
    let listed = rules.map(|rules| rules.get("enum").is_none_or(Value::is_array) && rules.is_object());
    if listed == Some(false) {
        return Err("its validationRules are no object with a list enum");
    }
    let mut all = match row(id, of, &slug, data_type, false) {
        Value::Object(all) => all,
        _ => Map::new(),
    };
    for member in ["name", "description", "validationRules", "defaultValue", "isRequired"] {
        if let Some(value) = asked.get(member) {
            all.insert(member.into(), value.clone());
        }
    }
    Ok(all)
}

/// Refuses a value that the definition of its attribute does not let be.
pub(crate) fn fits(tenant: &LiveTenant, of: &str, slug: &str, value: &Value) -> Result<(), Answer> {
    let of = match of {
        "user" | "agent" => "user",
        _ => "resource",
    };
    let mut all = tenant.definitions.iter();
    let own = all.find(|own| text(own, "attributeType") == Some(of) && text(own, "slug") == Some(slug));
    let Some(own) = own.filter(|_| !value.is_null()) else { return Ok(()) };
    let right = match text(own, "dataType") {
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        _ => value.is_string(),
    };
    let allowed = own.get("validationRules").and_then(|rules| rules.get("enum")).and_then(Value::as_array);
    if right && allowed.is_none_or(|allowed| allowed.contains(value)) {
        return Ok(());
    }
    Err(invalid("The value is not what the attribute's definition allows"))
}

/// What attributes there are, for agents and users: those that were set without a definition as well.
fn definitions(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let (tenant, _) = by_token(state, call, "abac:read")?;
    let query = Parameters::query(call.incoming).map_err(Answer::bad)?;
    let mut rows = rows(tenant);
    let mut set = BTreeSet::new();
    for ((kind, _), values) in &tenant.attributes {
        let of = if ["user", "agent"].contains(&kind.as_str()) { "user" } else { "resource" };
        set.extend(values.keys().map(|slug| (of, slug.as_str())));
    }
    for (of, slug) in set {
        if !rows.iter().any(|row| is(row, of, slug)) {
            rows.push(row(&format!("set_{of}_{slug}"), of, slug, "string", false));
        }
    }
    rows.retain(|row| query.get("type").is_none_or(|of| row.get("attributeType") == Some(&json!(of))));
    let (rows, meta) = page(call, &rows)?;
    Ok(Answer::ok(&match call.settings.authz_wire {
        AuthzWire::Older => Value::Array(rows),
        AuthzWire::Current => json!({"data": rows, "pagination": meta}),
    }))
}

fn list(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let rows = rows(administrator(state, call, false)?);
    listed(call, &rows, "attributes")
}

fn get(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let rows = rows(administrator(state, call, false)?);
    let own = rows.iter().find(|row| row.get("id") == Some(&json!(call.id))).ok_or_else(unknown)?;
    Ok(Answer::ok(&json!({"data": own})))
}

/// Where the definition of the path's id stands. What everybody has is nobody's to change.
fn place(tenant: &LiveTenant, call: &Call<'_>) -> Result<usize, Answer> {
    if call.id.starts_with("sys_") && rows(tenant).iter().any(|row| row.get("id") == Some(&json!(call.id))) {
        let problem = "The attribute is the service's own";
        return Err(Answer::plain(StatusCode::FORBIDDEN, "permission_denied", problem));
    }
    tenant.definitions.iter().position(|own| text(own, "id") == Some(call.id)).ok_or_else(unknown)
}

/// Keeps a definition in this place, or a new one.
fn keep(tenant: &mut LiveTenant, place: Option<usize>, source: &Map<String, Value>) -> Result<Value, Answer> {
    let old = place.and_then(|place| tenant.definitions.get(place)).and_then(|own| text(own, "id"));
    let next = tenant.made.saturating_add(1);
    let id = old.map_or_else(|| format!("attr_{next}"), str::to_owned);
    let own =
        read(&id, source).map_err(|problem| invalid(&format!("The attribute cannot be read: {problem}")))?;
    let (of, slug) = (text(&own, "attributeType"), text(&own, "slug"));
    let (of, slug) = (of.unwrap_or_default(), slug.unwrap_or_default());
    if rows(tenant).iter().any(|row| is(row, of, slug) && row.get("id") != Some(&json!(id))) {
        return Err(taken());
    }
    let said = Value::Object(own.clone());
    match place.and_then(|place| tenant.definitions.get_mut(place)) {
        Some(old) => *old = own,
        None => {
            tenant.made = next;
            tenant.definitions.push(own);
        }
    }
    Ok(said)
}

fn create(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let tenant = administrator(state, call, true)?;
    let said = keep(tenant, None, &call.incoming.json_object().map_err(Answer::bad)?)?;
    Ok(done(StatusCode::CREATED, "The attribute is defined", &said))
}

fn update(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let tenant = administrator(state, call, true)?;
    let place = place(tenant, call)?;
    let said = keep(tenant, Some(place), &call.incoming.json_object().map_err(Answer::bad)?)?;
    Ok(done(StatusCode::OK, "The attribute is changed", &said))
}

/// Changes what the body names.
fn patch(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let tenant = administrator(state, call, true)?;
    let place = place(tenant, call)?;
    let mut source = tenant.definitions.get(place).cloned().unwrap_or_default();
    source.extend(call.incoming.json_object().map_err(Answer::bad)?);
    let said = keep(tenant, Some(place), &source)?;
    Ok(done(StatusCode::OK, "The attribute is changed", &said))
}

fn delete(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let tenant = administrator(state, call, true)?;
    let place = place(tenant, call)?;
    let gone = tenant.definitions.remove(place);
    Ok(done(StatusCode::OK, "The attribute is removed", &json!({"id": gone.get("id")})))
}

const ALL: &str = "GET, HEAD, POST";
const ONE: &str = "GET, HEAD, PUT, PATCH, DELETE";

/// The services of this family. But for the first the library has no operations for them.
pub(crate) const SERVICES: &[Service] = &[
    Service::of(routes::ATTRIBUTE_DEFINITIONS, "GET, HEAD", definitions),
    Service::of(Route::get("abac.attributes.list", "abac/attributes"), ALL, list),
    Service::of(Route::post("abac.attributes.create", "abac/attributes"), ALL, create),
    Service::of(Route::get("abac.attributes.get", "abac/attributes/{id}"), ONE, get),
    Service::of(Route::put("abac.attributes.update", "abac/attributes/{id}"), ONE, update),
    Service::of(Route::patch("abac.attributes.patch", "abac/attributes/{id}"), ONE, patch),
    Service::of(Route::delete("abac.attributes.delete", "abac/attributes/{id}"), ONE, delete),
];
