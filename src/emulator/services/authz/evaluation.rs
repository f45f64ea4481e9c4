//! Decisions in the form of AuthZEN: by the policies, and where none says anything by the permission `type.action`.

use serde_json::{Map, Value, json};

use super::policies::{attributes_of, facts};
use super::{Who, asked, bad, body, is_oracle, object, refused, text};
use crate::emulator::call::{Call, Service};
use crate::emulator::services::bearer::Caller;
use crate::emulator::state::State;
use crate::emulator::state::tenants::LiveTenant;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::policy::{Outcome, decide};
use crate::operations::routes::permissions as routes;

/// The most that one request asks about.
const MOST: usize = 100;

fn evaluate(
    tenant: &LiveTenant,
    caller: &Caller,
    call: &Call<'_>,
    mut asked: Map<String, Value>,
) -> Result<Value, Answer> {
    let (mut subject, mut resource) = (object(&mut asked, "subject")?, object(&mut asked, "resource")?);
    let (kind, id) = (text(&mut subject, "type")?, text(&mut subject, "id")?);
    let action = text(&mut object(&mut asked, "action")?, "name")?;
    let (thing, thing_id) = (text(&mut resource, "type")?, text(&mut resource, "id")?);
    let own = Who::asking(caller);
    let who = Who::named(tenant, &kind, &id);
    if who.as_ref() != Some(&own) && !is_oracle(tenant, caller) {
        return Err(refused());
    }
    let mut user = match &who {
        Some(who) => attributes_of(tenant, who),
        None => Map::from_iter([("id".to_owned(), json!(id))]),
    };
    user.extend(object(&mut subject, "properties")?);
    let environment = object(&mut asked, "context")?;
    let mut facts = facts(tenant, call, user, (&thing, Some(&thing_id)), environment);
    if let Some(Value::Object(own)) = facts.get_mut("resource") {
        own.extend(object(&mut resource, "properties")?);
    }
    let Outcome { allowed, reason, matched } = decide(&tenant.policies, &thing, &action, &facts);
    let permission = format!("{thing}.{action}");
    let allowed = allowed || (matched.is_empty() && who.is_some_and(|who| who.has(tenant, &permission)));
    if allowed || !own.has(tenant, "policies.view") {
        return Ok(json!({"decision": allowed}));
    }
    let id = matched.first().map_or(0, |policy| policy.id).to_string();
    Ok(json!({"decision": false, "context": {"id": id, "reason_admin": {"en": reason}}}))
}

fn evaluation(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let (tenant, caller) = asked(state, call)?;
    Ok(Answer::ok(&evaluate(tenant, &caller, call, body(call)?)?))
}

/// What every one has in common may be said once, beside them.
fn evaluations(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let (tenant, caller) = asked(state, call)?;
    let mut usual = body(call)?;
    let malformed = || bad("MISSING_FIELDS", "Field evaluations must be a list of 1 to 100 objects");
    let Some(Value::Array(items)) = usual.remove("evaluations") else { return Err(malformed()) };
    if items.is_empty() || items.len() > MOST {
        return Err(malformed());
    }
    let each = items.into_iter().map(|item| {
        let Value::Object(own) = item else { return Err(malformed()) };
        let mut whole = usual.clone();
        whole.extend(own);
        evaluate(tenant, &caller, call, whole)
    });
    let each = each.collect::<Result<Vec<_>, Answer>>()?;
    Ok(Answer::ok(&json!({"evaluations": each})))
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::of(routes::EVALUATION, "POST", evaluation),
    Service::of(routes::EVALUATIONS, "POST", evaluations),
];
