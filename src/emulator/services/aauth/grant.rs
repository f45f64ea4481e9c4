//! Grants tokens for resources (`auth+jwt`), and answers in either of the two forms.

use serde_json::{Map, Value, json};

use crate::crypto::sign_compact;
use crate::emulator::call::Call;
use crate::emulator::services::aauth::common::{self, Body};
use crate::emulator::services::aauth::signer::Agent;
use crate::emulator::services::issue::{act, server_error};
use crate::emulator::state::State;
use crate::emulator::state::aauth::{Asked, Issued, Refresh};
use crate::emulator::values::answer::Answer;
use crate::emulator::values::lifetime::in_seconds;
use crate::emulator::values::seed::AuthLevel;
use crate::emulator::values::settings::AAuthWire;
use crate::secret::Secret;

impl Asked {
    /// True if the token in the answer to it is bound to this agent, delegate and key.
    pub(crate) fn is_of(&self, agent: &Agent, tenant: usize) -> bool {
        (self.tenant, &self.agent, &self.delegate, &self.thumbprint)
            == (tenant, &agent.identifier, &agent.delegate, &agent.thumbprint)
    }

    /// A refresh token may come along: not where a person has to be there each time, and not down a chain.
    fn lasts(&self) -> bool {
        self.level != AuthLevel::User && self.actors.is_empty()
    }
}

/// Grants the token.
pub(crate) fn grant(
    state: &mut State,
    call: &Call<'_>,
    asked: &Asked,
    user: Option<&str>,
    family: u64,
) -> Result<Answer, Answer> {
    let mut body = token(state, call, asked, user, family)?;
    if asked.lasts() {
        let refresh = refresh(state, call, asked, user, family);
        body.insert("refresh_token".into(), json!(refresh.expose()));
    }
    Ok(Answer::ok(&Value::Object(body)).no_cache())
}

/// A new refresh token.
pub(crate) fn refresh(
    state: &mut State,
    call: &Call<'_>,
    asked: &Asked,
    user: Option<&str>,
    family: u64,
) -> Secret {
    let text = state.ids.secret("aauth_refresh_");
    let ends = in_seconds(call.now, call.settings.refresh_lifetime);
    let refresh =
        Refresh { asked: asked.clone(), user: user.map(str::to_owned), family, ends, replaced: false };
    state.world.aauth.insert_refresh(&text, refresh, call.now);
    text
}

/// The answer with a token, without a refresh token.
pub(crate) fn token(
    state: &mut State,
    call: &Call<'_>,
    asked: &Asked,
    user: Option<&str>,
    family: u64,
) -> Result<Map<String, Value>, Answer> {
    let mut ends = in_seconds(call.now, call.settings.lifetime);
    if let Some(until) = asked.until {
        ends = ends.min(until);
    }
    let id = state.ids.next("jti_");
    let mut claims = json!({
        "iss": asked.issuer, "aud": asked.resource, "agent": asked.agent, "agent_delegate": asked.delegate,
        "iat": call.now.unix(), "exp": ends.unix(), "jti": id, "cnf": {"jwk": asked.jwk},
    });
    if let Some(claims) = claims.as_object_mut() {
        if let Some(user) = user {
            claims.insert("sub".into(), json!(format!("user:{user}")));
        }
        if !asked.scopes.is_empty() {
            claims.insert("scope".into(), json!(asked.scopes.join(" ")));
        }
        if let Some(act) = act(&asked.actors, call.settings.rfc_actor_order) {
            claims.insert("act".into(), act);
        }
    }
    let token = sign(call, "auth+jwt", &claims)?;
    let issued = Issued {
        tenant: asked.tenant,
        agent: asked.agent.clone(),
        resource: asked.resource.clone(),
        user: user.map(str::to_owned),
        family,
        ends,
    };
    state.world.aauth.insert_token(id, issued, call.now);
    let lifetime = ends.unix().saturating_sub(call.now.unix());
    let body = match call.settings.aauth_wire {
        AAuthWire::Current => json!({
            "request_type": asked.kind, "auth_token": token.expose(), "expires_in": lifetime,
            "token_type": "auth+jwt",
        }),
        AAuthWire::Older => json!({
            "access_token": token.expose(), "token_type": "Bearer", "expires_in": lifetime,
            "scope": asked.scopes.join(" "),
        }),
    };
    match body {
        Value::Object(body) => Ok(body),
        _ => Err(server_error("The answer cannot be made")),
    }
}

/// Signs with the key of AAuth's tokens.
pub(crate) fn sign(call: &Call<'_>, typ: &str, claims: &Value) -> Result<Secret, Answer> {
    let signed = sign_compact(call.aauth_key, typ, claims);
    signed.map(Secret::new).map_err(|_| server_error("The token cannot be signed"))
}

/// Signs with an own key of a served resource.
pub(crate) fn sign_by(key: &crate::profile::AgentKey, typ: &str, claims: &Value) -> Result<Secret, Answer> {
    key.sign_token(typ, claims).map_err(|_| server_error("The token cannot be signed"))
}

/// The scopes that a renewal is for: of the fresh resource token, or of the request, within what was granted.
pub(crate) fn narrowed(
    body: &Body,
    granted: &[String],
    named: Option<&[String]>,
) -> Result<Vec<String>, Answer> {
    let wider = || common::invalid_scope("The scope is wider than what was granted");
    let mut scopes = named.filter(|named| !named.is_empty()).unwrap_or(granted).to_vec();
    if !scopes.iter().all(|scope| granted.contains(scope)) {
        return Err(wider());
    }
    if let Some(asked) = body.scope()? {
        if !asked.iter().all(|scope| scopes.contains(scope)) {
            return Err(wider());
        }
        scopes = asked;
    }
    Ok(scopes)
}
