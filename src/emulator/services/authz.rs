//! Permissions, relations and policies (`docs/wire.md`, rows R): whom a question is about, and who may ask it.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::emulator::call::Call;
use crate::emulator::services::bearer::{Caller, caller, token_caller};
use crate::emulator::state::State;
use crate::emulator::state::tenants::LiveTenant;
use crate::emulator::state::tokens::Principal;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::settings::AuthzWire;

pub(crate) mod admin;
pub(crate) mod definitions;
pub(crate) mod evaluation;
pub(crate) mod permissions;
pub(crate) mod policies;
pub(crate) mod relations;

/// What lets a caller ask about others.
const ORACLE: [&str; 2] = ["authz:check", "authz.check"];

/// Envelope E with status 400.
fn bad(code: &str, problem: &str) -> Answer {
    Answer::authz(StatusCode::BAD_REQUEST, code, problem)
}

/// Whom a question is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    pub kind: &'static str,
    /// A user's name, or an agent's client id.
    pub id: String,
}

impl Who {
    /// Whoever sends the request.
    fn asking(caller: &Caller) -> Self {
        match &caller.principal {
            Principal::User(name) => Who { kind: "user", id: name.clone() },
            // Those with a permission just in time were turned away.
            Principal::Agent | Principal::Permission(_) => {
                Who { kind: "agent", id: caller.client_id.clone().unwrap_or_default() }
            }
        }
    }

    /// The user or agent of this type, by one of its names; what tokens say of it as `sub` is one of them.
    fn named(tenant: &LiveTenant, kind: &str, id: &str) -> Option<Self> {
        let id = id.strip_prefix(kind).and_then(|rest| rest.strip_prefix(':')).unwrap_or(id);
        match kind {
            "user" => {
                let (_, user) = tenant.person(id)?;
                Some(Who { kind: "user", id: user.name.clone() })
            }
            "agent" => {
                let mut agents = tenant.agents.iter();
                let agent = tenant.agent(id).or_else(|| agents.find(|agent| agent.seed.name == id))?;
                Some(Who { kind: "agent", id: agent.seed.client_id.clone() })
            }
            _ => None,
        }
    }

    /// Each permission, with what gives it.
    pub(crate) fn permissions(&self, tenant: &LiveTenant) -> Vec<(String, String)> {
        let by_roles = |roles: &[String]| -> Vec<(String, String)> {
            let all = tenant.permissions_of(roles);
            all.map(|(permission, role)| (permission.to_owned(), format!("role:{role}"))).collect()
        };
        if self.kind == "user" {
            return tenant.user(&self.id).map(|user| by_roles(&user.roles)).unwrap_or_default();
        }
        let Some(agent) = tenant.agent(&self.id) else { return Vec::new() };
        let own = agent.seed.capabilities.iter().map(|own| (own.clone(), "capability".to_owned()));
        own.chain(by_roles(&agent.seed.roles)).collect()
    }

    pub(crate) fn has(&self, tenant: &LiveTenant, permission: &str) -> bool {
        self.permissions(tenant).iter().any(|(own, _)| own == permission)
    }

    /// How it is named in relations: `user:alice`, `agent:agt_1`, `agent:research-bot`.
    fn names(&self, tenant: &LiveTenant) -> Vec<String> {
        let agent = tenant.agent(&self.id).filter(|_| self.kind == "agent");
        let own = std::iter::once(format!("{}:{}", self.kind, self.id));
        own.chain(agent.map(|agent| agent.subject())).collect()
    }

    /// What answers say of it.
    fn into_answer(self, call: &Call<'_>, tenant: &LiveTenant, body: &mut Map<String, Value>) {
        let place = tenant.person(&self.id).filter(|_| self.kind == "user").map(|(place, _)| place);
        if call.settings.authz_wire == AuthzWire::Older {
            body.insert("user_id".into(), json!(place.unwrap_or_default().saturating_add(1)));
            return;
        }
        if self.kind == "user" {
            body.insert("user_id".into(), json!(self.id));
        }
        body.insert("subject_type".into(), json!(self.kind));
        body.insert("subject_id".into(), json!(self.id));
    }
}

/// Who calls, and the tenant.
pub(crate) fn asked<'s>(state: &'s State, call: &mut Call<'_>) -> Result<(&'s LiveTenant, Caller), Answer> {
    let caller = caller(state, call)?;
    let tenant = state.world.tenants.get(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    Ok((tenant, caller))
}

/// Who asks, by a token: API keys are refused here. A user's token needs the scope.
pub(crate) fn by_token<'s>(
    state: &'s State,
    call: &mut Call<'_>,
    scope: &str,
) -> Result<(&'s LiveTenant, Caller), Answer> {
    let caller = token_caller(state, call)?;
    if Who::asking(&caller).kind == "user" && !caller.has_scope(scope) {
        return Err(Answer::missing_scope(scope, &caller.scopes));
    }
    let tenant = state.world.tenants.get(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    Ok((tenant, caller))
}

/// True if the caller may ask about others than itself.
pub(crate) fn is_oracle(tenant: &LiveTenant, caller: &Caller) -> bool {
    let own = Who::asking(caller);
    let by_scope = own.kind == "user" && caller.has_scope("authz:check");
    by_scope || ORACLE.iter().any(|permission| own.has(tenant, permission))
}

fn refused() -> Answer {
    let problem = "Only with the permission authz.check may others be asked about";
    Answer::authz(StatusCode::FORBIDDEN, "INSUFFICIENT_PERMISSIONS", problem)
}

/// Whom the body names: an object, or a text `agent:name`; whoever asks if nobody. Others only with the right to.
pub(crate) fn subject(
    tenant: &LiveTenant,
    caller: &Caller,
    body: &mut Map<String, Value>,
) -> Result<Who, Answer> {
    // The real service ignores it and answers for whoever asks, which is worse than a refusal.
    if body.contains_key("user_id") {
        return Err(bad("INVALID_SUBJECT", "Field user_id is not read: use subject with type and id"));
    }
    let own = Who::asking(caller);
    let malformed = || bad("INVALID_SUBJECT", "Field subject must have a type, user or agent, and an id");
    let (kind, id) = match body.remove("subject") {
        None => return Ok(own),
        Some(Value::String(text)) => {
            let (kind, id) = text.split_once(':').ok_or_else(malformed)?;
            (kind.to_owned(), id.to_owned())
        }
        Some(Value::Object(map)) => {
            let text = |name: &str| map.get(name).and_then(Value::as_str).map(str::to_owned);
            text("type").zip(text("id")).ok_or_else(malformed)?
        }
        Some(_) => return Err(malformed()),
    };
    if !["user", "agent"].contains(&kind.as_str()) || id.is_empty() {
        return Err(malformed());
    }
    let found = Who::named(tenant, &kind, &id);
    match found {
        Some(who) if who == own => Ok(who),
        _ if !is_oracle(tenant, caller) => Err(refused()),
        Some(who) => Ok(who),
        None => {
            Err(Answer::authz(StatusCode::NOT_FOUND, "SUBJECT_NOT_FOUND", "There is no such user or agent"))
        }
    }
}

/// A field that must be a text with something in it.
fn text(body: &mut Map<String, Value>, field: &str) -> Result<String, Answer> {
    match body.remove(field) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
        _ => Err(bad("MISSING_FIELDS", &format!("Missing required field: {field}"))),
    }
}

/// A field that is an object if it is there.
fn object(body: &mut Map<String, Value>, field: &str) -> Result<Map<String, Value>, Answer> {
    match body.remove(field) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(_) => Err(bad("INVALID_FIELDS", &format!("Field {field} must be an object"))),
    }
}

/// The body of a question.
fn body(call: &Call<'_>) -> Result<Map<String, Value>, Answer> {
    call.incoming.json_object().map_err(|problem| bad("INVALID_REQUEST", problem))
}
