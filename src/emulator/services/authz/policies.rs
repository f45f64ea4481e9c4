//! Policies over attributes, in the documented forms of asking, and the attributes themselves.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::definitions::fits;
use super::{Who, bad, body, by_token, object, text};
use crate::emulator::call::{Call, Service};
use crate::emulator::services::ask::described;
use crate::emulator::state::State;
use crate::emulator::state::tenants::LiveTenant;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::policy::{Outcome, Policy, decide};
use crate::emulator::values::settings::AuthzWire;
use crate::operations::routes::permissions as routes;
use crate::route::Route;
use crate::time::Timestamp;

/// The most that one request asks about.
const MOST: usize = 100;

/// Attributes of a user or an agent: what every one has, and its own.
pub(crate) fn attributes_of(tenant: &LiveTenant, who: &Who) -> Map<String, Value> {
    let permissions: Vec<String> = who.permissions(tenant).into_iter().map(|(own, _)| own).collect();
    let mut all = Map::new();
    let user = tenant.user(&who.id).filter(|_| who.kind == "user");
    let agent = tenant.agent(&who.id).filter(|_| who.kind == "agent");
    all.insert("id".into(), json!(who.id));
    all.insert("type".into(), json!(who.kind));
    all.insert("permissions".into(), json!(permissions));
    all.insert("groups".into(), json!([]));
    if let Some(user) = user {
        all.insert("email".into(), json!(user.email));
        all.insert("roles".into(), json!(user.roles));
        all.insert("emailVerified".into(), json!(user.email.is_some()));
        all.insert("mfaEnabled".into(), json!(false));
        all.insert("orgId".into(), json!(tenant.seed.slug));
    }
    if let Some(agent) = agent {
        all.insert("name".into(), json!(agent.seed.name));
        all.insert("roles".into(), json!(agent.seed.roles));
    }
    all.extend(own_attributes(tenant, who.kind, &who.id));
    all
}

fn own_attributes(tenant: &LiveTenant, kind: &str, id: &str) -> Map<String, Value> {
    tenant.attributes.get(&(kind.to_owned(), id.to_owned())).cloned().unwrap_or_default()
}

/// What surrounds a question: the time by the emulator's clock, the request, and what the caller says besides.
fn surroundings(call: &Call<'_>, given: Map<String, Value>) -> Map<String, Value> {
    let mut all = described(call, given);
    let (hour, day) = clock(call.now);
    all.insert("hour".into(), json!(hour));
    all.insert("dayOfWeek".into(), json!(day));
    all.insert("isWeekend".into(), json!(day > 5));
    all
}

/// The hour (UTC), and the day of the week from 1, a Monday.
fn clock(now: Timestamp) -> (u64, u64) {
    let seconds = now.unix();
    // The first of January 1970 was a Thursday.
    let day = (seconds / 86_400).wrapping_add(3) % 7;
    ((seconds / 3600) % 24, day.saturating_add(1))
}

/// Everything that a policy goes by.
pub(crate) fn facts(
    tenant: &LiveTenant,
    call: &Call<'_>,
    user: Map<String, Value>,
    (kind, id): (&str, Option<&str>),
    environment: Map<String, Value>,
) -> Map<String, Value> {
    let mut resource = id.map(|id| own_attributes(tenant, kind, id)).unwrap_or_default();
    resource.insert("type".into(), json!(kind));
    if let Some(id) = id {
        resource.insert("id".into(), json!(id));
    }
    let mut facts = Map::new();
    facts.insert("user".into(), Value::Object(user));
    facts.insert("resource".into(), Value::Object(resource));
    facts.insert("environment".into(), Value::Object(surroundings(call, environment)));
    facts
}

/// One question in the form of today, or in the older one with `context`.
struct Question {
    resource: String,
    action: String,
    id: Option<String>,
}

impl Question {
    fn read(body: &mut Map<String, Value>) -> Result<Self, Answer> {
        let (resource, action) = (text(body, "resourceType")?, text(body, "action")?);
        let id = match body.remove("resourceId") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) if !id.is_empty() => Some(id),
            Some(_) => return Err(bad("INVALID_FIELDS", "Field resourceId must be a text")),
        };
        Ok(Question { resource, action, id })
    }

    fn answer(
        &self,
        tenant: &LiveTenant,
        call: &Call<'_>,
        who: &Who,
        environment: &Map<String, Value>,
    ) -> Map<String, Value> {
        let user = attributes_of(tenant, who);
        let facts = facts(tenant, call, user, (&self.resource, self.id.as_deref()), environment.clone());
        let Outcome { allowed, reason, matched } =
            decide(&tenant.policies, &self.resource, &self.action, &facts);
        let matched: Vec<Value> = matched.into_iter().map(shown).collect();
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| drop(body.insert(name.into(), value));
        put("allowed", json!(allowed));
        put("reason", json!(reason));
        put("matchedPolicies", json!(matched));
        put("resourceType", json!(self.resource));
        put("action", json!(self.action));
        put("resourceId", json!(self.id));
        if call.settings.authz_wire == AuthzWire::Older {
            put("evaluationContext", Value::Object(facts));
        }
        body
    }
}

fn shown(policy: &Policy) -> Value {
    let effect = if policy.denies { "deny" } else { "allow" };
    json!({"id": policy.id, "name": policy.name, "effect": effect, "priority": policy.priority})
}

fn check(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let (tenant, caller) = by_token(state, call, "abac:read")?;
    let mut asked = body(call)?;
    if asked.get("resource").is_some_and(Value::is_object) {
        return with_parts(tenant, call, &mut asked);
    }
    let question = Question::read(&mut asked)?;
    let (who, environment) = (Who::asking(&caller), object(&mut asked, "environment")?);
    let mut answer = question.answer(tenant, call, &who, &environment);
    who.into_answer(call, tenant, &mut answer);
    ["subject_type", "subject_id"].iter().for_each(|name| drop(answer.remove(*name)));
    Ok(Answer::ok(&Value::Object(answer)))
}

/// The form that names subject and resource with attributes.
fn with_parts(tenant: &LiveTenant, call: &Call<'_>, body: &mut Map<String, Value>) -> Result<Answer, Answer> {
    let (decision, matched, reason) = parts(tenant, call, body)?;
    let word = if decision { "allow" } else { "deny" };
    Ok(Answer::ok(&json!({
        "decision": word, "reason": reason, "policies": matched, "evaluationTime": 1,
    })))
}

fn parts(
    tenant: &LiveTenant,
    call: &Call<'_>,
    body: &mut Map<String, Value>,
) -> Result<(bool, Vec<Value>, String), Answer> {
    let (mut subject, mut resource) = (object(body, "subject")?, object(body, "resource")?);
    let action = text(body, "action")?;
    let (id, kind) = (text(&mut subject, "id")?, text(&mut resource, "type")?);
    let of = subject.get("type").and_then(Value::as_str).unwrap_or("user").to_owned();
    let mut user = match Who::named(tenant, &of, &id) {
        Some(who) => attributes_of(tenant, &who),
        None => Map::from_iter([("id".to_owned(), json!(id))]),
    };
    user.extend(object(&mut subject, "attributes")?);
    let resource_id = resource.get("id").and_then(Value::as_str).map(str::to_owned);
    let given = object(&mut resource, "attributes")?;
    let mut environment = object(body, "environment")?;
    environment.extend(object(body, "context")?);
    let mut facts = facts(tenant, call, user, (&kind, resource_id.as_deref()), environment);
    if let Some(Value::Object(own)) = facts.get_mut("resource") {
        own.extend(given);
    }
    let Outcome { allowed, reason, matched } = decide(&tenant.policies, &kind, &action, &facts);
    Ok((allowed, matched.into_iter().map(shown).collect(), reason))
}

/// Each of the questions, as objects.
fn each(body: &mut Map<String, Value>) -> Result<Vec<Map<String, Value>>, Answer> {
    let malformed = || bad("MISSING_FIELDS", "Field checks must be a list of 1 to 100 objects");
    let Some(Value::Array(items)) = body.remove("checks") else { return Err(malformed()) };
    if items.is_empty() || items.len() > MOST {
        return Err(malformed());
    }
    let objects = items.into_iter().map(|item| match item {
        Value::Object(map) => Ok(map),
        _ => Err(malformed()),
    });
    objects.collect()
}

fn check_bulk(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let (tenant, caller) = by_token(state, call, "abac:read")?;
    let mut asked = body(call)?;
    let checks = each(&mut asked)?;
    let (who, environment) = (Who::asking(&caller), object(&mut asked, "environment")?);
    let results = checks.into_iter().enumerate().map(|(index, mut check)| match Question::read(&mut check) {
        Ok(question) => {
            let mut answer = question.answer(tenant, call, &who, &environment);
            answer.insert("index".into(), json!(index));
            Value::Object(answer)
        }
        Err(_) => json!({
            "index": index, "allowed": false, "reason": "The check cannot be read",
            "error": "Missing required fields: resourceType, action",
        }),
    });
    let mut answer = Map::from_iter([("results".to_owned(), results.collect())]);
    who.into_answer(call, tenant, &mut answer);
    ["subject_type", "subject_id"].iter().for_each(|name| drop(answer.remove(*name)));
    Ok(Answer::ok(&Value::Object(answer)))
}

/// The same in the other documented form.
fn check_batch(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let (tenant, _) = by_token(state, call, "abac:read")?;
    let checks = each(&mut body(call)?)?;
    let results = checks.into_iter().map(|mut check| {
        let (allowed, ..) = parts(tenant, call, &mut check)?;
        Ok(json!({"decision": if allowed { "allow" } else { "deny" }}))
    });
    let results = results.collect::<Result<Vec<_>, Answer>>()?;
    Ok(Answer::ok(&json!({"results": results})))
}

fn my_attributes(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let (tenant, caller) = by_token(state, call, "abac:read")?;
    let who = Who::asking(&caller);
    let attributes = attributes_of(tenant, &who);
    Ok(Answer::ok(&match call.settings.authz_wire {
        AuthzWire::Older => Value::Object(attributes),
        _ => json!({"user_id": who.id, "attributes": attributes}),
    }))
}

fn resource_attributes(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let ids = call.segments_behind("/abac/resources/");
    let (tenant, _) = by_token(state, call, "abac:read")?;
    let [kind, id, ..] = ids.as_deref().unwrap_or_default() else { return Err(unreadable()) };
    let mut attributes = own_attributes(tenant, kind, id);
    attributes.insert("id".into(), json!(id));
    attributes.insert("type".into(), json!(kind));
    Ok(Answer::ok(&json!({"resourceType": kind, "resourceId": id, "attributes": attributes})))
}

fn unreadable() -> Answer {
    Answer::bad("The path cannot be read")
}

/// Who may set attributes: an agent with the capability, a user with the scope and the permission.
fn manager(state: &State, call: &mut Call<'_>) -> Result<(), Answer> {
    let (tenant, caller) = by_token(state, call, "abac:write")?;
    if Who::asking(&caller).has(tenant, "abac.manage") || caller.scopes.iter().any(|own| own == "admin") {
        return Ok(());
    }
    Err(Answer::plain(StatusCode::FORBIDDEN, "permission_denied", "The permission abac.manage is missing"))
}

/// Sets one attribute of what is named by type and id.
fn set(state: &mut State, call: &mut Call<'_>, key: (String, String), slug: &str) -> Result<Value, Answer> {
    let mut asked = call.incoming.json_object().map_err(Answer::bad)?;
    let value = asked.remove("value").ok_or_else(|| Answer::bad("Missing required field: value"))?;
    let tenant = state.world.tenants.get_mut(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    fits(tenant, &key.0, slug, &value)?;
    tenant.attributes.entry(key).or_default().insert(slug.to_owned(), value.clone());
    Ok(value)
}

fn set_user_attribute(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    manager(state, call)?;
    let ids = call.segments_behind("/abac/users/").unwrap_or_default();
    let [user, _, slug] = ids.as_slice() else { return Err(unreadable()) };
    let tenant = state.world.tenants.get(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    let who = Who::named(tenant, "user", user)
        .ok_or_else(|| Answer::plain(StatusCode::NOT_FOUND, "resource_not_found", "There is no such user"))?;
    let value = set(state, call, ("user".to_owned(), who.id.clone()), slug)?;
    let data = json!({"userId": who.id, "attributeSlug": slug, "value": value});
    Ok(Answer::ok(&json!({"message": "The attribute is set", "data": data})))
}

fn set_resource_attribute(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    manager(state, call)?;
    let ids = call.segments_behind("/abac/resources/").unwrap_or_default();
    let [kind, id, _, slug] = ids.as_slice() else { return Err(unreadable()) };
    let value = set(state, call, (kind.clone(), id.clone()), slug)?;
    let data = json!({"resourceType": kind, "resourceId": id, "attributeSlug": slug, "value": value});
    Ok(Answer::ok(&json!({"message": "The attribute is set", "data": data})))
}

/// The whole map at once, in place of what was there.
fn set_resource_attributes(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    manager(state, call)?;
    let ids = call.segments_behind("/abac/resources/").unwrap_or_default();
    let [kind, id, _] = ids.as_slice() else { return Err(unreadable()) };
    let values = call.incoming.json_object().map_err(Answer::bad)?;
    let tenant = state.world.tenants.get_mut(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    values.iter().try_for_each(|(slug, value)| fits(tenant, kind, slug, value))?;
    let data = json!({"resourceType": kind, "resourceId": id, "attributes": values});
    tenant.attributes.insert((kind.clone(), id.clone()), values);
    Ok(Answer::ok(&json!({"message": "The attributes are set", "data": data})))
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::of(routes::POLICY_CHECK, "POST", check),
    Service::of(routes::POLICY_CHECK_BULK, "POST", check_bulk),
    Service::of(Route::post("abac.check_batch", "abac/check/batch"), "POST", check_batch),
    Service::of(routes::MY_ATTRIBUTES, "GET, HEAD", my_attributes),
    Service::of(routes::RESOURCE_ATTRIBUTES, "GET, HEAD, PUT", resource_attributes),
    Service::of(
        Route::put("abac.resource_attributes.set", "abac/resources/{resource_type}/{resource_id}/attributes"),
        "GET, HEAD, PUT",
        set_resource_attributes,
    ),
    Service::of(routes::USER_ATTRIBUTE_SET, "PUT", set_user_attribute),
    Service::of(routes::RESOURCE_ATTRIBUTE_SET, "PUT", set_resource_attribute),
];
