//! Tokens that an agent has the service issue: for a delegate of its own, and for the platform's API.

use serde_json::{Value, json};

use crate::crypto::sign_compact;
use crate::emulator::call::{Call, Service};
use crate::emulator::services::aauth::common::{
    self, Body, authentication_required, forbidden, invalid_grant, invalid_request, invalid_scope,
};
use crate::emulator::services::aauth::grant::sign;
use crate::emulator::services::aauth::signed;
use crate::emulator::services::issue::{ACCESS_TOKEN, server_error};
use crate::emulator::state::State;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::lifetime::in_seconds;
use crate::emulator::values::seed::PublicKey;
use crate::operations::routes;
use crate::secret::Secret;

/// How long agent tokens live, in seconds.
const AGENT_TOKEN: u64 = 3600;
/// How long tokens for the platform live, in seconds.
const PLATFORM_TOKEN: u64 = 300;
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const SUBJECT_TYPE: &str = "urn:lumoauth:params:oauth:token-type:aauth-token";

/// `aauth.agent.issue`: a delegate's agent token, signed by the service in the agent's name.
fn delegate(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let agent = signed::by_agent(state, call)?;
    let body = Body::read(call)?;
    if !agent.registered {
        return Err(authentication_required(
            call,
            "A delegate names no delegates: sign with a registered key",
        ));
    }
    let name = body.required("delegate_sub")?;
    let mut jwk = body.0.get("delegate_public_key").cloned();
    // A key for this one use needs no id.
    if let Some(Value::Object(jwk)) = &mut jwk {
        jwk.entry("kid").or_insert_with(|| json!("key-1"));
    }
    let jwk = jwk.ok_or_else(|| invalid_request("Missing parameter: delegate_public_key"))?;
    let key = PublicKey::read(jwk)
        .map_err(|problem| invalid_request(&format!("delegate_public_key: {problem}")))?;
    let audience = match body.0.get("audience") {
        None => json!([call.issuer()]),
        Some(Value::String(one)) if !one.is_empty() => json!([one]),
        Some(Value::Array(several)) if !several.is_empty() && several.iter().all(Value::is_string) => {
            json!(several)
        }
        Some(_) => return Err(invalid_request("audience is not a text or a list of texts")),
    };
    let claims = json!({
        "iss": agent.identifier, "sub": name, "aud": audience, "iat": call.now.unix(),
        "exp": in_seconds(call.now, AGENT_TOKEN).unix(), "jti": state.ids.next("jti_"),
        "cnf": {"jwk": key.jwk},
    });
    let token = sign(call, "agent+jwt", &claims)?;
    let body = json!({"agent_token": token.expose(), "token_type": "agent+jwt", "expires_in": AGENT_TOKEN});
    Ok(Answer::ok(&body).no_cache())
}

/// `aauth.agent.platform_token`: the agent token becomes an access token that is bound to the same key.
fn platform(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let agent = signed::by_agent(state, call)?;
    let body = Body::read(call)?;
    if body.required("grant_type")? != GRANT_TYPE {
        return Err(Answer::bad_oauth("unsupported_grant_type", "The grant type is not supported"));
    }
    if body.required("subject_token_type")? != SUBJECT_TYPE {
        return Err(invalid_request("subject_token_type is not that of an agent token"));
    }
    if Secret::new(body.required("subject_token")?) != agent.token {
        return Err(invalid_grant("subject_token is not the agent token of the one who signs"));
    }
    let seed = common::agent(state, call, &agent.identifier);
    let allowed = seed.map(|seed| seed.scopes.as_slice()).unwrap_or_default();
    if allowed.is_empty() {
        return Err(forbidden("The agent may do nothing at the platform"));
    }
    let scopes = match body.scope()? {
        None => allowed.to_vec(),
        Some(scopes) if scopes.iter().all(|scope| allowed.contains(scope)) => scopes,
        Some(_) => return Err(invalid_scope("A scope is not granted to the agent")),
    };
    let claims = json!({
        "iss": call.issuer(), "sub": format!("agent:{}", agent.identifier), "aud": call.issuer(),
        "client_id": agent.id, "iat": call.now.unix(), "exp": in_seconds(call.now, PLATFORM_TOKEN).unix(),
        "jti": state.ids.next("jti_"), "scope": scopes.join(" "), "cnf": {"jkt": agent.thumbprint},
    });
    // No route here takes DPoP proofs, so it is not among the bearer tokens: as one of those it is refused everywhere.
    let token = sign_compact(call.key, "at+jwt", &claims).map(Secret::new);
    let token = token.map_err(|_| server_error("The token cannot be signed"))?;
    let body = json!({
        "access_token": token.expose(), "issued_token_type": ACCESS_TOKEN, "token_type": "DPoP",
        "expires_in": PLATFORM_TOKEN, "scope": scopes.join(" "), "agent_id": agent.id,
        "cnf_jkt": agent.thumbprint,
    });
    Ok(Answer::ok(&body).no_cache())
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::of(routes::aauth::ISSUE, "POST", delegate),
    Service::of(routes::aauth::PLATFORM_TOKEN, "POST", platform),
];
