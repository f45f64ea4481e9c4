//! Relations between things, in the four documented forms of asking.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Who, asked, bad, body, is_oracle, refused, text};
use crate::emulator::call::{Call, Service};
use crate::emulator::services::bearer::Caller;
use crate::emulator::state::State;
use crate::emulator::state::tenants::LiveTenant;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::relations::{Tree, is_thing};
use crate::emulator::values::settings::AuthzWire;
use crate::operations::routes::permissions as routes;

/// What lets a caller change relations.
const MAY_CHANGE: &str = "authz.manage";

/// In which of the forms somebody asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `object`, `relation`, `subject` or `user`.
    Things,
    /// `object_type`, `object_id`, `relation`, `user_type`, `user_id`.
    Parts,
    /// `object`, `permission`, `subject`.
    Permission,
}

struct Tuple {
    form: Form,
    object: String,
    relation: String,
    subject: String,
}

impl Tuple {
    fn read(body: &mut Map<String, Value>) -> Result<Self, Answer> {
        let failed = |problem| bad("ZANZIBAR_CHECK_FAILED", problem);
        let (form, object, relation, subject) = if body.contains_key("object_type") {
            let mut part = |field: &str| text(body, field);
            let (kind, id) = (part("object_type")?, part("object_id")?);
            let (relation, user_kind, user) = (part("relation")?, part("user_type")?, part("user_id")?);
            (Form::Parts, format!("{kind}:{id}"), relation, format!("{user_kind}:{user}"))
        } else {
            let object = text(body, "object")?;
            let (form, relation) = match body.contains_key("permission") {
                true => (Form::Permission, relation_of(&text(body, "permission")?).to_owned()),
                false => (Form::Things, text(body, "relation")?),
            };
            let (subject, user) = (body.remove("subject"), body.remove("user"));
            let subject = match (subject, user) {
                (Some(subject), Some(user)) if subject != user => {
                    return Err(failed("Fields subject and user differ"));
                }
                (Some(Value::String(subject)), _) | (None, Some(Value::String(subject))) => subject,
                _ => return Err(bad("MISSING_FIELDS", "Missing required field: subject")),
            };
            (form, object, relation, subject)
        };
        if !is_thing(&object, false) || !is_thing(&subject, true) || relation.contains(['#', ':']) {
            return Err(failed("Fields object and subject are type:id, a subject perhaps with #relation"));
        }
        Ok(Tuple { form, object, relation, subject })
    }
}

/// The relation that a permission stands for.
fn relation_of(permission: &str) -> &str {
    match permission {
        "can_view" | "can_read" => "viewer",
        "can_edit" | "can_write" => "editor",
        "can_own" | "can_delete" => "owner",
        "can_admin" => "admin",
        other => other,
    }
}

/// True if the subject is whoever asks, by one of its names; the name that relations know it by.
fn own_name(tenant: &LiveTenant, caller: &Caller, subject: &str) -> bool {
    Who::asking(caller).names(tenant).iter().any(|own| own == subject)
}

fn check(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let (tenant, caller) = asked(state, call)?;
    let mut asked = body(call)?;
    let Tuple { form, object, relation, subject } = Tuple::read(&mut asked)?;
    if !own_name(tenant, &caller, &subject) && !is_oracle(tenant, &caller) {
        return Err(refused());
    }
    let found = tenant.relations.check(&object, &relation, &subject);
    let allowed = found.is_some();
    Ok(Answer::ok(&match form {
        Form::Permission => json!({"allowed": allowed}),
        Form::Parts => {
            let resolution = found.map(|found| {
                let via = if found.depth == 0 { "direct" } else { "inheritance" };
                json!({"resolved_via": via, "depth": found.depth, "path": found.path})
            });
            json!({"allowed": allowed, "resolution_metadata": resolution})
        }
        Form::Things if call.settings.authz_wire == AuthzWire::Older => {
            json!({"allowed": allowed, "object": object, "relation": relation, "user": subject})
        }
        Form::Things => {
            json!({"allowed": allowed, "object": object, "relation": relation, "subject": subject})
        }
    }))
}

fn expand(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let (tenant, caller) = asked(state, call)?;
    let mut asked = body(call)?;
    let (object, relation) = (text(&mut asked, "object")?, text(&mut asked, "relation")?);
    if !is_thing(&object, false) {
        return Err(bad("ZANZIBAR_CHECK_FAILED", "Field object is type:id"));
    }
    if !is_oracle(tenant, &caller) {
        return Err(refused());
    }
    Ok(Answer::ok(&json!({"tree": shown(tenant.relations.expand(&object, &relation))})))
}

fn shown(tree: Tree) -> Value {
    let kind = if tree.children.is_empty() { "leaf" } else { "union" };
    let children: Vec<Value> = tree.children.into_iter().map(shown).collect();
    json!({
        "type": kind, "object": tree.object, "relation": tree.relation, "children": children,
        "subjects": tree.subjects,
    })
}

/// A change, for administrators.
fn changed(
    state: &mut State,
    call: &mut Call<'_>,
    change: impl FnOnce(&mut LiveTenant, &Tuple),
) -> Result<Tuple, Answer> {
    let (tenant, caller) = asked(state, call)?;
    let own = Who::asking(&caller);
    let may = (own.kind == "user" && caller.has_scope("admin")) || own.has(tenant, MAY_CHANGE);
    if !may {
        return Err(refused());
    }
    let tuple = Tuple::read(&mut body(call)?)?;
    let tenant = state.world.tenants.get_mut(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    change(tenant, &tuple);
    Ok(tuple)
}

/// What is answered is documented nowhere.
fn write(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let tuple = changed(state, call, |tenant, tuple| {
        tenant.relations.insert(&tuple.object, &tuple.relation, &tuple.subject);
    })?;
    let Tuple { object, relation, subject, .. } = tuple;
    let body = json!({"object": object, "relation": relation, "subject": subject});
    Ok(Answer::json(StatusCode::CREATED, &body))
}

fn delete(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    changed(state, call, |tenant, tuple| {
        tenant.relations.remove(&tuple.object, &tuple.relation, &tuple.subject);
    })?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::of(routes::RELATION_CHECK, "POST", check),
    Service::of(routes::RELATION_EXPAND, "POST", expand),
    Service::of(routes::TUPLE_WRITE, "POST, DELETE", write),
    Service::of(routes::TUPLE_DELETE, "POST, DELETE", delete),
];
