//! Permissions that roles give, and capabilities of agents.

use serde_json::{Map, Value, json};

use super::{asked, bad, body, object, subject};
use crate::emulator::call::{Call, Service};
use crate::emulator::services::ask::described;
use crate::emulator::services::authz::Who;
use crate::emulator::state::State;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::incoming::Parameters;
use crate::operations::routes::permissions as routes;

/// The most that one request asks about.
const MOST: usize = 100;

/// What every question has, and whom it is about.
struct Question {
    who: Who,
    permissions: Vec<String>,
    body: Map<String, Value>,
}

/// Reads a question; the permissions by `read`. Then whether each is there.
fn question(
    state: &State,
    call: &mut Call<'_>,
    read: impl Fn(&mut Map<String, Value>) -> Result<Vec<String>, Answer>,
) -> Result<(Question, Vec<bool>), Answer> {
    let (tenant, caller) = asked(state, call)?;
    let mut asked = body(call)?;
    let permissions = read(&mut asked)?;
    let who = subject(tenant, &caller, &mut asked)?;
    let context = object(&mut asked, "context")?;
    let own: std::collections::HashSet<String> =
        who.permissions(tenant).into_iter().map(|(permission, _)| permission).collect();
    let has = permissions.iter().map(|permission| own.contains(permission)).collect();
    let mut answer = Map::new();
    who.clone().into_answer(call, tenant, &mut answer);
    answer.insert("context".into(), Value::Object(described(call, context)));
    Ok((Question { who, permissions, body: answer }, has))
}

fn one(body: &mut Map<String, Value>) -> Result<Vec<String>, Answer> {
    match body.remove("permission") {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(vec![text]),
        _ => Err(bad("MISSING_PERMISSION", "Missing required field: permission")),
    }
}

fn several(body: &mut Map<String, Value>) -> Result<Vec<String>, Answer> {
    let malformed = || bad("INVALID_PERMISSIONS", "Field permissions must be a list of 1 to 100 texts");
    let Some(Value::Array(items)) = body.remove("permissions") else { return Err(malformed()) };
    if items.is_empty() || items.len() > MOST {
        return Err(malformed());
    }
    let texts = items.into_iter().map(|item| match item {
        Value::String(text) if !text.trim().is_empty() => Ok(text),
        _ => Err(malformed()),
    });
    texts.collect()
}

fn answered(question: Question, name: &str, said: Value, allowed: Option<bool>) -> Answer {
    let mut body = question.body;
    if let Some(allowed) = allowed {
        body.insert("allowed".into(), json!(allowed));
    }
    body.insert(name.into(), said);
    let _ = question.who;
    Answer::ok(&Value::Object(body))
}

fn check(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let (question, has) = question(state, call, one)?;
    let said = json!(question.permissions.first());
    Ok(answered(question, "permission", said, Some(has.first() == Some(&true))))
}

fn any(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let (question, has) = question(state, call, several)?;
    let said = json!(question.permissions);
    Ok(answered(question, "permissions", said, Some(has.contains(&true))))
}

fn all(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let (question, has) = question(state, call, several)?;
    let said = json!(question.permissions);
    Ok(answered(question, "permissions", said, Some(!has.contains(&false))))
}

fn bulk(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let (question, has) = question(state, call, several)?;
    let results: Map<String, Value> =
        question.permissions.iter().cloned().zip(has.into_iter().map(Value::Bool)).collect();
    Ok(answered(question, "results", Value::Object(results), None))
}

/// `authz.permissions`: of whoever asks. A user's token needs the scope `authz:read`, which no API key has.
fn list(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let (tenant, caller) = asked(state, call)?;
    let who = Who::asking(&caller);
    let by_key = caller.client_id.is_none();
    if by_key || (who.kind == "user" && !caller.has_scope("authz:read")) {
        return Err(Answer::missing_scope("authz:read", &caller.scopes));
    }
    let rows = who
        .permissions(tenant)
        .into_iter()
        .map(|(slug, source)| json!({"slug": slug, "description": null, "source": source}));
    let rows: Vec<Value> = rows.collect();
    let (rows, meta) = page(call, &rows)?;
    let mut body = json!({
        "user_id": who.id, "permissions": rows, "count": rows.len(), "data": rows, "pagination": meta,
    });
    if let (Some(body), "agent") = (body.as_object_mut(), who.kind) {
        body.remove("user_id");
    }
    Ok(Answer::ok(&body))
}

/// One page of rows, and where it stands.
pub(crate) fn page(call: &Call<'_>, rows: &[Value]) -> Result<(Vec<Value>, Value), Answer> {
    let query = Parameters::query(call.incoming).map_err(Answer::bad)?;
    let number = |name: &str, usual: usize, most: usize| match query.get(name).map(str::parse::<usize>) {
        None => Ok(usual),
        Some(Ok(number)) if (1..=most).contains(&number) => Ok(number),
        Some(_) => Err(Answer::bad("Parameters page and limit must be numbers from 1, limit up to 100")),
    };
    let (page, limit) = (number("page", 1, usize::MAX)?, number("limit", 25, 100)?);
    let from = page.saturating_sub(1).saturating_mul(limit);
    let pages = rows.len().div_ceil(limit).max(1);
    let meta = json!({
        "total": rows.len(), "page": page, "limit": limit, "totalPages": pages,
        "hasNextPage": page < pages, "hasPreviousPage": page > 1,
    });
    Ok((rows.iter().skip(from).take(limit).cloned().collect(), meta))
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::of(routes::CHECK, "POST", check),
    Service::of(routes::CHECK_BULK, "POST", bulk),
    Service::of(routes::CHECK_ANY, "POST", any),
    Service::of(routes::CHECK_ALL, "POST", all),
    Service::of(routes::PERMISSIONS, "GET, HEAD", list),
];
