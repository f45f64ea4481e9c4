//! The agent about itself, and registration (`docs/wire.md`, rows A).

use std::collections::HashSet;

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::emulator::call::{Call, Service};
use crate::emulator::services::bearer::{access_token, own_token, refusal};
use crate::emulator::services::issue::profile;
use crate::emulator::state::State;
use crate::emulator::state::tenants::{Agent, LiveTenant};
use crate::emulator::state::tokens::{Principal, Token};
use crate::emulator::values::answer::Answer;
use crate::emulator::values::scope::is_scope;
use crate::emulator::values::seed::{AgentSeed, is_client_id};
use crate::operations::{PRIVATE_MEMBERS, routes};

/// The longest text of a registration.
const LONGEST: usize = 4096;
/// The most capabilities that a registration gives.
const MOST: usize = 1024;
/// The capability that lets an agent register others.
const MAY_REGISTER: &str = "agents:register";

fn live<'s>(state: &'s mut State, call: &mut Call<'_>) -> Result<(&'s mut LiveTenant, String), Answer> {
    let token = own_token(state, call)?;
    let tenant = state.world.tenants.get_mut(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    Ok((tenant, token.client_id))
}

fn gone() -> Answer {
    Answer::plain(StatusCode::UNAUTHORIZED, "invalid_token", "The agent is gone")
}

/// `oauth.userinfo`: the agent's record, or a user's claims. Looking at the budget costs nothing.
fn userinfo(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let now = call.now;
    let token = access_token(state, call).map_err(|refused| refusal(call, &refused, Answer::oauth))?;
    if token.principal != Principal::Agent {
        return user(state, &token);
    }
    let (tenant, client_id) = live(state, call)?;
    let slug = tenant.seed.slug.clone();
    let agent = tenant.agent_mut(&client_id).ok_or_else(gone)?;
    let budget = agent.budget_policy(now);
    let mut body = json!({
        "sub": agent.subject(),
        "id": client_id,
        "agent_id": client_id,
        "name": agent.seed.name,
        "identity_type": "agent",
        "capabilities": agent.seed.capabilities,
        "workload_identity": null,
        "tenant": slug,
    });
    if let (Some(budget), Some(body)) = (budget, body.as_object_mut()) {
        body.insert("budget_policy".into(), budget);
    }
    Ok(Answer::ok(&body))
}

/// The claims that the scopes let the client know (OpenID Connect Core 1.0 section 5.3).
fn user(state: &State, token: &Token) -> Result<Answer, Answer> {
    if !token.scopes.iter().any(|scope| scope == "openid") {
        let problem = "The token lacks the scope openid";
        return Err(Answer::oauth(StatusCode::FORBIDDEN, "insufficient_scope", problem)
            .challenge("Bearer error=\"insufficient_scope\", scope=\"openid\""));
    }
    let mut claims = profile(state, token);
    claims.insert("sub".into(), json!(token.subject));
    Ok(Answer::ok(&Value::Object(claims)))
}

/// `agents.me`: identity, roles and workspace.
fn me(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let (now, api_base) = (call.now, format!("{}/", call.api_base()));
    let (tenant, client_id) = live(state, call)?;
    let slug = tenant.seed.slug.clone();
    let agent = tenant.agent_mut(&client_id).ok_or_else(gone)?;
    agent.count_call(now);
    Ok(Answer::ok(&json!({
        "identity": {
            "id": client_id,
            "type": "agent",
            "tenant": slug,
            "agent_id": client_id,
            "name": agent.seed.name,
            "status": "active",
        },
        "capabilities": agent.seed.roles,
        "workspace": {"slug": slug, "api_base": api_base},
    })))
}

/// `agents.register`: makes an agent or changes one. An agent may register itself, without gaining capabilities by it;
/// others it may register with the capability `agents:register`.
fn register(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let now = call.now;
    let new_id = state.ids.next("agt_");
    let token = own_token(state, call)?;
    let body = call.incoming.json_object().map_err(Answer::bad)?;
    let asked = Registration::read(&body)?;
    // Client ids are unique over all tenants: one of another tenant is nobody's to register here.
    let elsewhere = state.world.tenants.iter().enumerate().any(|(index, tenant)| {
        index != call.tenant && asked.client_id.as_deref().is_some_and(|id| tenant.agent(id).is_some())
    });
    let tenant = state.world.tenants.get_mut(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    let own = tenant.agent_mut(&token.client_id).ok_or_else(gone)?;
    own.count_call(now);
    let (may_register, own_name) = (own.has_capability(MAY_REGISTER), own.seed.name.clone());
    let own_capabilities = own.seed.capabilities.clone();
    let target = asked.client_id.clone().unwrap_or_else(|| {
        let named = tenant.agents.iter().find(|agent| agent.seed.name == asked.name);
        named.map_or(new_id, |agent| agent.seed.client_id.clone())
    });
    if target != token.client_id && !may_register {
        return Err(Answer::missing_scope(MAY_REGISTER, &token.scopes));
    }
    let own: HashSet<&String> = own_capabilities.iter().collect();
    let gained = asked.capabilities.iter().flatten().any(|wanted| !own.contains(wanted));
    if gained && !may_register {
        return Err(Answer::plain(
            StatusCode::FORBIDDEN,
            "capability_denied",
            "An agent cannot give itself capabilities",
        ));
    }
    let taken =
        tenant.agents.iter().any(|agent| agent.seed.name == asked.name && agent.seed.client_id != target)
            && !(target == token.client_id && asked.name == own_name);
    if taken || elsewhere {
        let problem = if taken { "The name is another agent's" } else { "The client id is taken" };
        return Err(Answer::plain(StatusCode::CONFLICT, "duplicate_resource", problem));
    }
    if tenant.agent(&target).is_none() {
        tenant.agents.push(target.as_str(), Agent::new(AgentSeed::new(target.clone())));
    }
    let agent = tenant.agent_mut(&target).ok_or_else(gone)?;
    agent.seed.name = asked.name;
    if asked.description.is_some() {
        agent.seed.description = asked.description;
    }
    if let Some(capabilities) = asked.capabilities {
        agent.seed.capabilities = capabilities;
    }
    Ok(Answer::ok(&json!({
        "success": true,
        "agent_id": target,
        "client_id": target,
        "name": agent.seed.name,
        "status": "active",
        "workload_identity": null,
    })))
}

/// What a registration asks for.
struct Registration {
    client_id: Option<String>,
    name: String,
    description: Option<String>,
    capabilities: Option<Vec<String>>,
}

impl Registration {
    fn read(body: &Map<String, Value>) -> Result<Self, Answer> {
        let text = |field: &str| match body.get(field) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() > LONGEST => {
                Err(Answer::bad(&format!("Field {field} is too long")))
            }
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(Answer::bad(&format!("Field {field} must be a text with something in it"))),
        };
        let name = text("name")?.ok_or_else(|| Answer::bad("Missing required field: name"))?;
        let client_id = text("client_id")?;
        if client_id.as_deref().is_some_and(|id| !is_client_id(id)) {
            return Err(Answer::bad("Field client_id has a character that ids cannot have"));
        }
        let by_url = text("jwks_uri")?.is_some();
        if let Some(set) = body.get("jwks") {
            let keys = set.get("keys").and_then(Value::as_array).filter(|keys| !keys.is_empty());
            let public = |key: &Value| {
                key.get("kty").is_some_and(Value::is_string)
                    && !PRIVATE_MEMBERS.iter().any(|member| key.get(member).is_some())
            };
            if by_url || !keys.is_some_and(|keys| keys.len() <= MOST && keys.iter().all(public)) {
                return Err(Answer::bad(
                    "Field jwks must be a set of public keys, without jwks_uri beside it",
                ));
            }
        }
        let capabilities = match body.get("capabilities") {
            None => None,
            Some(Value::Array(items)) if items.len() > MOST => {
                return Err(Answer::bad("Field capabilities has too many of them"));
            }
            Some(Value::Array(items)) => {
                let words = items
                    .iter()
                    .map(|item| item.as_str().filter(|word| word.len() <= LONGEST && is_scope(word)));
                let words: Option<Vec<_>> = words.map(|word| word.map(str::to_owned)).collect();
                Some(words.ok_or_else(|| Answer::bad("Field capabilities must hold capability slugs"))?)
            }
            Some(_) => return Err(Answer::bad("Field capabilities must be a list")),
        };
        Ok(Registration { client_id, name, description: text("description")?, capabilities })
    }
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::of(routes::USERINFO, "GET, HEAD, POST", userinfo),
    Service::of(routes::ME, "GET, HEAD", me),
    Service::of(routes::REGISTER, "POST", register),
];
