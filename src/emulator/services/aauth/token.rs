//! `aauth.agent.token`: authorization, code, renewal and the next hop (`docs/wire.md`, aauth-request to aauth-older).

use http::StatusCode;
use serde_json::{Value, json};

use crate::emulator::call::{Call, Service};
use crate::emulator::services::aauth::common::{self, Body, invalid_grant, invalid_request, invalid_scope};
use crate::emulator::services::aauth::resource::{self, ResourceToken};
use crate::emulator::services::aauth::signer::Agent;
use crate::emulator::services::aauth::{consent, grant, signed, verify};
use crate::emulator::state::State;
use crate::emulator::state::aauth::Asked;
use crate::emulator::state::tokens::{Actor, digest};
use crate::emulator::values::answer::Answer;
use crate::emulator::values::redirect::fits;
use crate::emulator::values::seed::AuthLevel;
use crate::emulator::values::settings::AAuthWire;
use crate::operations::routes;
use crate::secret::Secret;

/// How many agents may act one after another.
pub(crate) const MAX_DEPTH: usize = 3;

fn token(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let agent = signed::by_agent(state, call)?;
    let body = Body::read(call)?;
    // Older requests have the agent token in the body. It is the one that counts, or none.
    if body.text("agent_token")?.is_some_and(|text| Secret::new(text) != agent.token) {
        return Err(invalid_request("agent_token is another than the one in Agent-Auth"));
    }
    match body.required("request_type")? {
        "auth" => authorize(state, call, &agent, &body),
        "code" => code(state, call, &agent, &body),
        "refresh" => refresh(state, call, &agent, &body),
        "exchange" => exchange(state, call, &agent, &body),
        _ => Err(invalid_request("request_type must be auth, code, exchange or refresh")),
    }
}

/// The resource token of a request: good, and for this agent and key.
fn resource_token(
    state: &State,
    call: &Call<'_>,
    agent: &Agent,
    body: &Body,
) -> Result<ResourceToken, Answer> {
    let text = body.required("resource_token")?;
    let bad = |problem: &str| invalid_grant(&format!("The resource token is not accepted: {problem}"));
    let token = resource::read(state, call, text).map_err(bad)?;
    match &token.holder {
        Some((name, thumbprint)) if *name == agent.identifier && *thumbprint == agent.thumbprint => {}
        Some(_) => return Err(bad("it is for another agent or key")),
        None if call.settings.aauth_wire == AAuthWire::Older => {}
        None => return Err(bad("it names no agent")),
    }
    Ok(token)
}

fn asked(state: &State, call: &Call<'_>, agent: &Agent, body: &Body) -> Result<Asked, Answer> {
    let token = resource_token(state, call, agent, body)?;
    let seed = common::resource(state, call, &token.resource);
    let seed = seed.ok_or_else(|| invalid_grant("The resource is not registered"))?;
    // In words of the agent's own the scope says nothing, unless the resource token names nobody (older form).
    let named = body.scope()?;
    let scopes = if token.holder.is_some() { token.scopes } else { named.unwrap_or_default() };
    if !scopes.iter().all(|scope| seed.scopes.contains(scope)) {
        return Err(invalid_scope("The resource does not know a scope of its token"));
    }
    Ok(Asked {
        tenant: call.tenant,
        issuer: call.issuer(),
        agent: agent.identifier.clone(),
        delegate: agent.delegate.clone(),
        jwk: agent.jwk.clone(),
        thumbprint: agent.thumbprint.clone(),
        resource: token.resource,
        level: seed.level,
        scopes,
        kind: "auth",
        redirect_uri: redirect_uri(state, call, agent, body)?,
        user: None,
        actors: Vec::new(),
        until: None,
    })
}

/// Where the person comes back to: a registered URI, or the only one that there is.
fn redirect_uri(
    state: &State,
    call: &Call<'_>,
    agent: &Agent,
    body: &Body,
) -> Result<Option<String>, Answer> {
    let seed = common::agent(state, call, &agent.identifier);
    let registered = seed.map(|seed| seed.redirect_uris.as_slice()).unwrap_or_default();
    match (body.text("redirect_uri")?, registered) {
        (Some(uri), _) if registered.iter().any(|own| fits(own, uri)) => Ok(Some(uri.to_owned())),
        (Some(_), _) => Err(invalid_request("redirect_uri is not registered for the agent")),
        (None, [only]) => Ok(Some(only.clone())),
        (None, _) => Ok(None),
    }
}

fn authorize(state: &mut State, call: &Call<'_>, agent: &Agent, body: &Body) -> Result<Answer, Answer> {
    let asked = asked(state, call, agent, body)?;
    decide(state, call, asked, body)
}

/// Granted at once, or after a person's consent: as the resource's level has it.
fn decide(state: &mut State, call: &Call<'_>, asked: Asked, body: &Body) -> Result<Answer, Answer> {
    let user = match asked.level {
        AuthLevel::None | AuthLevel::Authenticated => asked.user.clone(),
        AuthLevel::Authorized => match state.world.aauth.consented(&asked) {
            Some(user) => Some(user.to_owned()),
            None => return consent::ask(state, call, asked),
        },
        AuthLevel::User => return consent::ask(state, call, asked),
    };
    use_resource_token(state, call, body)?;
    let family = state.world.aauth.family();
    grant::grant(state, call, &asked, user.as_deref(), family)
}

fn use_resource_token(state: &mut State, call: &Call<'_>, body: &Body) -> Result<(), Answer> {
    let text = body.required("resource_token")?;
    let ends = resource::read(state, call, text).map(|token| token.ends);
    let ends = ends.map_err(|_| invalid_grant("The resource token is not accepted"))?;
    state.world.aauth.use_resource_token(digest(text), ends, call.now);
    Ok(())
}

/// The code of a consent. It is good once; a second use takes the tokens of the first along (RFC 6749 section 4.1.2).
fn code(state: &mut State, call: &Call<'_>, agent: &Agent, body: &Body) -> Result<Answer, Answer> {
    let text = body.required("code")?;
    let (uri, request) = (body.text("redirect_uri")?, body.text("request_token")?);
    if uri.is_none() && request.is_none() {
        return Err(invalid_request("Missing parameter: redirect_uri"));
    }
    let unknown = || invalid_grant("The code is unknown, expired or used");
    let code = state.world.aauth.code_mut(text).ok_or_else(unknown)?;
    if !code.asked.is_of(agent, call.tenant) {
        return Err(unknown());
    }
    if code.used {
        let family = code.family;
        state.world.aauth.revoke_family(family);
        return Err(unknown());
    }
    if call.now >= code.ends {
        return Err(unknown());
    }
    if uri.is_some_and(|uri| code.asked.redirect_uri.as_deref() != Some(uri)) {
        return Err(invalid_grant("redirect_uri is not the one of the request"));
    }
    if request.is_some_and(|request| digest(request) != code.request) {
        return Err(invalid_grant("request_token is not the one that was consented to"));
    }
    code.used = true;
    let (asked, user, family) =
        (Asked { kind: "code", ..code.asked.clone() }, code.user.clone(), code.family);
    grant::grant(state, call, &asked, Some(&user), family)
}

/// Renews a token: the refresh token, and a resource token that was not used before.
fn refresh(state: &mut State, call: &Call<'_>, agent: &Agent, body: &Body) -> Result<Answer, Answer> {
    let text = body.required("refresh_token")?;
    let older = call.settings.aauth_wire == AAuthWire::Older;
    let fresh = match body.text("resource_token")? {
        None if older => None,
        _ => Some(resource_token(state, call, agent, body)?),
    };
    let unknown = || invalid_grant("The refresh token is unknown, expired, used or revoked");
    let own = state.world.aauth.refresh_mut(text, call.now).ok_or_else(unknown)?;
    if !own.asked.is_of(agent, call.tenant) || own.asked.issuer != call.issuer() {
        return Err(unknown());
    }
    if own.replaced {
        let family = own.family;
        state.world.aauth.revoke_family(family);
        return Err(unknown());
    }
    let (granted, user, family) = (own.asked.clone(), own.user.clone(), own.family);
    if fresh.as_ref().is_some_and(|fresh| fresh.resource != granted.resource) {
        return Err(invalid_grant("The resource token is of another resource than what was granted"));
    }
    let named = fresh.as_ref().filter(|fresh| fresh.holder.is_some()).map(|fresh| fresh.scopes.as_slice());
    let scopes = grant::narrowed(body, &granted.scopes, named)?;
    if let Some(token) = body.text("resource_token")? {
        if state.world.aauth.was_used(&digest(token)) {
            return Err(invalid_grant("The resource token is not fresh: it was used before"));
        }
        use_resource_token(state, call, body)?;
    }
    let asked = Asked { kind: "refresh", scopes, ..granted.clone() };
    let mut answer = grant::token(state, call, &asked, user.as_deref(), family)?;
    if older {
        if let Some(own) = state.world.aauth.refresh_mut(text, call.now) {
            own.replaced = true;
        }
        let next = grant::refresh(state, call, &granted, user.as_deref(), family);
        answer.insert("refresh_token".into(), json!(next.expose()));
    }
    Ok(Answer::ok(&Value::Object(answer)).no_cache())
}

/// The next hop: a token that was addressed to this agent becomes one at another resource.
fn exchange(state: &mut State, call: &Call<'_>, agent: &Agent, body: &Body) -> Result<Answer, Answer> {
    let text = body.either("auth_token", "subject_token")?;
    let bad = |problem: &str| invalid_grant(&format!("The token to exchange is not accepted: {problem}"));
    let upstream = verify::read(state, call, text).map_err(bad)?;
    if upstream.resource != agent.identifier {
        return Err(bad("it is not addressed to this agent"));
    }
    let mut actors = upstream.actors;
    if actors.is_empty() {
        actors.push(Actor { client_id: upstream.agent.clone(), subject: upstream.agent });
    }
    actors.push(Actor { client_id: agent.identifier.clone(), subject: agent.identifier.clone() });
    if actors.len() > MAX_DEPTH {
        let body = json!({
            "error": "delegation_depth_exceeded",
            "error_description": "Too many agents act one after another",
            "error_uri": "https://docs.lumoauth.com/errors/delegation_depth_exceeded",
            "max_depth": MAX_DEPTH,
        });
        return Err(Answer::json(StatusCode::FORBIDDEN, &body));
    }
    let asked = asked(state, call, agent, body)?;
    let asked = Asked { kind: "exchange", user: upstream.user, actors, until: Some(upstream.ends), ..asked };
    decide(state, call, asked, body)
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[Service::of(routes::aauth::TOKEN, "POST", token)];
