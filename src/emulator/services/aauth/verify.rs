//! What the service says of a token at this moment, revocation included, and revocation itself.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::crypto::VerifyingKey;
use crate::emulator::call::{Call, Service};
use crate::emulator::services::aauth::common::{Body, forbidden, invalid_request, is_thumbprint};
use crate::emulator::services::aauth::signer::{Signer, own_key};
use crate::emulator::services::aauth::{resource, signed};
use crate::emulator::state::State;
use crate::emulator::state::tokens::Actor;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::jwt::Jws;
use crate::operations::routes;
use crate::time::Timestamp;

/// A token for a resource that is good at this moment.
pub(crate) struct AuthToken {
    pub agent: String,
    pub delegate: Option<String>,
    pub resource: String,
    pub user: Option<String>,
    pub scope: Option<String>,
    pub actors: Vec<Actor>,
    /// `act`, as it stands in the token.
    pub act: Option<Value>,
    pub key: VerifyingKey,
    pub thumbprint: String,
    pub ends: Timestamp,
}

/// Reads a token of this service (`auth+jwt`) that has not ended and was not revoked.
pub(crate) fn read(state: &State, call: &Call<'_>, text: &str) -> Result<AuthToken, &'static str> {
    let jws = Jws::read(text).ok_or("it is not a signed JWT")?;
    if jws.issuer() != Some(&call.issuer()) {
        return Err("its issuer is not this authorization server");
    }
    let own = |kid: &str| (kid == call.aauth_key.key_id()).then(|| own_key(call)).flatten();
    let claims = jws.verified("auth+jwt", own)?;
    let ends = claims.ends(call.now, Duration::MAX)?;
    let id = claims.required("jti")?;
    let issued = state.world.aauth.token(id, call.now).filter(|issued| issued.tenant == call.tenant);
    let issued = issued.ok_or("it is revoked or unknown")?;
    let jwk = claims.value("cnf").and_then(|cnf| cnf.get("jwk")).ok_or("it is bound to no key")?;
    let key = VerifyingKey::from_jwk(jwk).map_err(|_| "its key is not sound")?;
    let act = claims.value("act").cloned();
    let actors = act.as_ref().map(|act| chain(act, call.settings.rfc_actor_order)).unwrap_or_default();
    Ok(AuthToken {
        agent: issued.agent.clone(),
        delegate: claims.text("agent_delegate")?.map(str::to_owned),
        resource: issued.resource.clone(),
        user: issued.user.clone(),
        scope: claims.text("scope")?.map(str::to_owned),
        actors,
        act,
        thumbprint: key.to_jwk().thumbprint().to_owned(),
        key,
        ends,
    })
}

/// The chain of actors, the first agent first. The token is the service's own, so its form is known.
fn chain(act: &Value, newest_outermost: bool) -> Vec<Actor> {
    let mut actors = Vec::new();
    let mut rest = Some(act);
    while let Some(act) = rest {
        let subject = act.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
        actors.push(Actor { client_id: subject.clone(), subject });
        rest = act.get("act");
    }
    if newest_outermost {
        actors.reverse();
    }
    actors
}

fn inactive(problem: &str) -> Answer {
    Answer::ok(&json!({"active": false, "error": problem}))
}

/// `aauth.auth.token.verify`: for the resource that the token is for.
fn auth_token(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let signer = signed::signer(state, call)?;
    let body = Body::read(call)?;
    let text = body.required("auth_token")?;
    if body.text("resource")?.is_some_and(|resource| resource != signer.identifier()) {
        return Err(forbidden("A resource asks about tokens for itself only"));
    }
    let token = match read(state, call, text) {
        Ok(token) => token,
        Err(problem) => return Ok(inactive(problem)),
    };
    if token.resource != signer.identifier() {
        return Ok(inactive("it is for another resource"));
    }
    let mut answer = json!({
        "active": true, "agent": token.agent, "agent_delegate": token.delegate, "resource": token.resource,
        "cnf_jkt": token.thumbprint, "pop_required": true,
    });
    if let Some(answer) = answer.as_object_mut() {
        answer.retain(|_, value| !value.is_null());
        if let Some(user) = token.user {
            answer.insert("sub".into(), json!(format!("user:{user}")));
        }
        if let Some(scope) = token.scope {
            answer.insert("scope".into(), json!(scope));
        }
        if let Some(act) = token.act {
            answer.insert("act".into(), act);
        }
    }
    Ok(Answer::ok(&answer))
}

/// `aauth.resource.token.verify`: for the resource that issued it, and the agent that it is for.
fn resource_token(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let signer = signed::signer(state, call)?;
    let body = Body::read(call)?;
    let text = body.required("resource_token")?;
    let (agent, thumbprint) = (body.required("agent")?, body.required("agent_jkt")?);
    if !is_thumbprint(thumbprint) {
        return Err(invalid_request("agent_jkt is no thumbprint: 43 characters of base64url"));
    }
    if matches!(&signer, Signer::Agent(own) if own.identifier != agent) {
        return Err(forbidden("An agent asks about tokens for itself only"));
    }
    let token = match resource::read(state, call, text) {
        Ok(token) => token,
        Err(problem) => return Ok(inactive(problem)),
    };
    if matches!(&signer, Signer::Resource(own) if *own != token.resource) {
        return Err(forbidden("A resource asks about tokens of its own only"));
    }
    if token.holder.is_none_or(|(name, jkt)| name != agent || jkt != thumbprint) {
        return Ok(inactive("it is for another agent or key"));
    }
    let mut answer = json!({"active": true, "resource": token.resource});
    if let Some(answer) = answer.as_object_mut() {
        if !token.scopes.is_empty() {
            answer.insert("scope".into(), json!(token.scopes.join(" ")));
        }
        if let Some(url) = token.auth_request_url {
            answer.insert("auth_request_url".into(), json!(url));
        }
    }
    Ok(Answer::ok(&answer))
}

/// `aauth.token.revoke`: whatever becomes of it, the answer is the same. Only a token's agent, and for a token its resource
/// too, get something done.
fn revoke(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let signer = signed::signer(state, call)?;
    let body = Body::read(call)?;
    let text = body.required("token")?;
    let (tenant, now) = (call.tenant, call.now);
    let store = &mut state.world.aauth;
    match body.text("token_type")? {
        None | Some("auth_token") => {
            let own = store.token(text, now).is_some_and(|issued| {
                let name = signer.identifier();
                issued.tenant == tenant && (issued.agent == name || issued.resource == name)
            });
            if own {
                store.revoke_token(text);
            }
        }
        Some("refresh_token") => {
            let family = store.refresh_mut(text, now).and_then(|own| {
                let its = own.asked.tenant == tenant && own.asked.agent == signer.identifier();
                its.then_some(own.family)
            });
            if let Some(family) = family {
                store.revoke_family(family);
            }
        }
        Some(_) => return Err(invalid_request("token_type must be auth_token or refresh_token")),
    }
    Ok(Answer::json(StatusCode::OK, &json!({"revoked": true})))
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::of(routes::aauth::VERIFY_RESOURCE_TOKEN, "POST", resource_token),
    Service::of(routes::aauth::VERIFY_AUTH_TOKEN, "POST", auth_token),
    Service::of(routes::aauth::REVOKE, "POST", revoke),
];
