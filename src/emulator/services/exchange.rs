//! Token exchange (RFC 8693): who may act for whom, with which scopes, at which depth, for which target.

use http::StatusCode;
use serde_json::json;

use crate::emulator::call::Call;
use crate::emulator::services::issue::{self, ACCESS_TOKEN, Grant};
use crate::emulator::services::{client, jit, workload};
use crate::emulator::state::State;
use crate::emulator::state::tenants::{Agent, LiveTenant};
use crate::emulator::state::tokens::{Actor, Principal, Token, TokenKind};
use crate::emulator::values::answer::Answer;
use crate::emulator::values::incoming::Parameters;
use crate::emulator::values::scope::scope;

/// How many agents may stand in a chain (`docs/wire.md`, rows T).
const MAX_DEPTH: usize = 3;
/// Either lets an agent act for a user.
const MAY_DELEGATE: [&str; 2] = ["delegate:on_behalf", "delegate:user"];
/// What the names of token types start with (RFC 8693 section 3).
const TYPE: &str = "urn:ietf:params:oauth:token-type:";

/// A declared token type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Declared {
    Access,
    Jwt,
    Id,
    Refresh,
}

impl Declared {
    fn read(text: &str) -> Result<Self, Answer> {
        match text.strip_prefix(TYPE) {
            Some("access_token") => Ok(Declared::Access),
            Some("jwt") => Ok(Declared::Jwt),
            Some("id_token") => Ok(Declared::Id),
            Some("refresh_token") => Ok(Declared::Refresh),
            _ => Err(Answer::bad_oauth("unsupported_token_type", "The token type is not supported")),
        }
    }

    /// True if a token is what it is declared to be. Access tokens here are JWTs, so they are both.
    fn is(self, kind: TokenKind) -> bool {
        match self {
            Declared::Access | Declared::Jwt => kind == TokenKind::Access,
            Declared::Id => kind == TokenKind::Id,
            Declared::Refresh => kind == TokenKind::Refresh,
        }
    }
}

fn invalid_request(problem: &str) -> Answer {
    Answer::bad_oauth("invalid_request", problem)
}

fn invalid_grant(problem: &str) -> Answer {
    Answer::bad_oauth("invalid_grant", problem)
}

fn forbidden(code: &str, problem: &str) -> Answer {
    Answer::oauth(StatusCode::FORBIDDEN, code, problem)
}

/// The exchange grant, also of workload tokens, which are no tokens of ours.
pub(crate) fn exchange(
    state: &mut State,
    call: &mut Call<'_>,
    parameters: &Parameters,
) -> Result<Answer, Answer> {
    let client = client::optional(state, call, parameters)?;
    let missing = |name: &str| invalid_request(&format!("Missing parameter: {name}"));
    let text = parameters.get("subject_token").ok_or_else(|| missing("subject_token"))?;
    let declared = parameters.get("subject_token_type").ok_or_else(|| missing("subject_token_type"))?;
    let declared = Declared::read(declared)?;
    if parameters.get("requested_token_type").is_some_and(|wanted| wanted != ACCESS_TOKEN) {
        return Err(invalid_request("Only access tokens can be requested"));
    }
    let actor = match (parameters.get("actor_token"), parameters.get("actor_token_type")) {
        (None, None) => None,
        (Some(text), Some(declared)) => Some((text, Declared::read(declared)?)),
        _ => return Err(invalid_request("actor_token and actor_token_type come together")),
    };
    let ours = state.world.tokens.find(text, call.now).filter(|token| token.tenant == call.tenant);
    let foreign = ours.is_none() && declared == Declared::Jwt && actor.is_none();
    if parameters.get("subject_issuer").is_some() || (foreign && workload::names_an_issuer(text)) {
        if declared != Declared::Jwt || actor.is_some() {
            return Err(invalid_request("A workload token is a jwt and acts for itself"));
        }
        return workload::exchange(state, call, parameters, text);
    }
    let subject = checked(state, call, text, declared)?;
    let actor = actor.map(|(text, declared)| checked(state, call, text, declared)).transpose()?;
    if actor.is_some() && declared == Declared::Refresh {
        return Err(invalid_request("A refresh token cannot be exchanged by an agent"));
    }
    let acting = actor.as_ref().map_or(&subject.client_id, |actor| &actor.client_id);
    if client.as_ref().is_some_and(|client| client != acting && *client != subject.client_id) {
        return Err(invalid_grant("Neither of the tokens is the client's"));
    }
    // ID and refresh tokens are good for the client that they were issued to, and no other.
    let holder = client.as_ref().or(actor.as_ref().map(|actor| &actor.client_id));
    if matches!(declared, Declared::Id | Declared::Refresh) && holder != Some(&subject.client_id) {
        return Err(invalid_grant("The subject token was issued to another client"));
    }
    if let Some(task) = parameters.get("jit_task_id").filter(|_| call.settings.jit.scopes) {
        return jit::scopes::exchange(state, call, parameters, task, subject, actor.is_some());
    }
    let tenant = state.world.tenants.get(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    let agent = tenant.agent(acting).ok_or_else(|| invalid_grant("The agent is gone"))?;
    call.client_id = Some(acting.clone());
    let audience = targets(tenant, agent, parameters)?;
    let asked = scope(parameters)?;
    let (actors, consented) = match &actor {
        Some(actor) => delegated(tenant, agent, &subject, actor)?,
        None => {
            if subject.principal != Principal::Agent && client.as_ref() != Some(&subject.client_id) {
                return Err(invalid_request(
                    "A user's token needs an actor_token, or the client that it was issued to",
                ));
            }
            (subject.actors.clone(), None)
        }
    };
    let may = |scope: &str| {
        tenant.covers(&subject.scopes, scope)
            && consented.is_none_or(|consented| tenant.covers(consented, scope) && agent.may_have(scope))
    };
    let scopes = narrowed(call, asked, &subject.scopes, may)?;
    let grant = Grant {
        client_id: agent.seed.client_id.clone(),
        principal: subject.principal,
        subject: subject.subject,
        scopes,
        audience,
        actors,
        family: subject.family,
        auth_time: subject.auth_time,
        // What is derived from a token does not outlive it.
        until: Some(subject.expires_at),
        exchanged: true,
        refresh: None,
        id_token: None,
    };
    issue::tokens(state, call, grant)
}

/// A token of ours that is what it is said to be.
fn checked(state: &State, call: &Call<'_>, text: &str, declared: Declared) -> Result<Token, Answer> {
    let token = state
        .world
        .tokens
        .find(text, call.now)
        .filter(|token| token.tenant == call.tenant && declared.is(token.kind) && !token.rotated);
    let token = token
        .ok_or_else(|| invalid_grant("A token is unknown, expired, revoked or not of the declared type"))?;
    let tenant = state.world.tenants.get(call.tenant);
    let active = match &token.principal {
        Principal::Agent => tenant.and_then(|tenant| tenant.agent(&token.client_id)).is_some(),
        Principal::User(name) => tenant.and_then(|tenant| tenant.user(name)).is_some(),
        // It is good for what was permitted, and for no other token.
        Principal::Permission(_) => false,
    };
    if active { Ok(token.clone()) } else { Err(invalid_grant("The subject is gone")) }
}

/// The chain with the new agent in it, and what the user has agreed to.
fn delegated<'t>(
    tenant: &'t LiveTenant,
    agent: &Agent,
    subject: &Token,
    actor: &Token,
) -> Result<(Vec<Actor>, Option<&'t [String]>), Answer> {
    if actor.kind != TokenKind::Access || actor.principal != Principal::Agent {
        return Err(forbidden("delegation_not_allowed", "The actor token is not an agent's own"));
    }
    let Principal::User(user) = &subject.principal else {
        return Err(forbidden("delegation_not_allowed", "The subject token is not a user's"));
    };
    if !MAY_DELEGATE.iter().any(|capability| agent.has_capability(capability)) {
        return Err(forbidden("capability_denied", "The agent lacks the capability delegate:on_behalf"));
    }
    if subject.actors.len() >= MAX_DEPTH {
        let body = json!({
            "error": "delegation_depth_exceeded",
            "error_description": "The chain is as long as it may be",
            "max_depth": MAX_DEPTH,
        });
        return Err(Answer::json(StatusCode::FORBIDDEN, &body));
    }
    // The user knows the first agent; what that one hands on is within the same consent.
    let first = subject.actors.first().map_or(&agent.seed.client_id, |first| &first.client_id);
    let consented = tenant
        .consented(user, first)
        .ok_or_else(|| forbidden("delegation_not_allowed", "The user has not agreed to this agent"))?;
    let mut actors = subject.actors.clone();
    actors.push(agent.actor());
    Ok((actors, Some(consented)))
}

/// What was asked, if all of it may be given; of what the subject token has, if nothing was asked, what may be given.
fn narrowed(
    call: &Call<'_>,
    asked: Option<Vec<String>>,
    had: &[String],
    may: impl Fn(&str) -> bool,
) -> Result<Vec<String>, Answer> {
    let code = if call.settings.too_wide_is_invalid_scope { "invalid_scope" } else { "insufficient_scope" };
    let scopes = asked.unwrap_or_else(|| had.iter().filter(|scope| may(scope)).cloned().collect());
    if let Some(refused) = scopes.iter().find(|scope| !may(scope)) {
        let problem = format!("The scope {refused} is wider than what the user and the agent may give");
        return Err(Answer::bad_oauth(code, &problem));
    }
    if scopes.is_empty() && !had.is_empty() {
        return Err(Answer::bad_oauth(code, "No scope is left that the user and the agent may give"));
    }
    Ok(scopes)
}

/// `aud`: what `resource` (RFC 8707) and `audience` name, each once. Only what is known can be a target.
fn targets(tenant: &LiveTenant, agent: &Agent, parameters: &Parameters) -> Result<Vec<String>, Answer> {
    let unknown = || {
        let hint = "The target is unknown: no MCP server has this name or Resource URI; mcp_resource (--mcp-resource) adds one";
        Answer::bad_oauth("invalid_target", hint)
    };
    let own = |name: &str| agent.seed.resources.iter().find(|own| *own == name).cloned();
    let mut audience: Vec<String> = Vec::new();
    let mut add = |found: Option<String>| {
        let found = found.ok_or_else(unknown)?;
        if !audience.contains(&found) {
            audience.push(found);
        }
        Ok::<(), Answer>(())
    };
    for resource in parameters.all("resource") {
        let server = tenant.mcp_resource(resource).map(|server| server.audience().to_owned());
        add(server.or_else(|| own(resource)).filter(|_| !resource.contains('#')))?;
    }
    for name in parameters.all("audience") {
        let server = tenant.mcp_server(name).map(|server| server.audience().to_owned());
        let itself = (name == agent.seed.client_id).then(|| name.to_owned());
        add(server.or_else(|| own(name)).or(itself))?;
    }
    Ok(audience)
}
