//! Documents: the issuer and its keys, the registered agents and resources and theirs.

use http::StatusCode;
use serde_json::{Value, json};

use crate::emulator::call::{Call, Service};
use crate::emulator::services::aauth::common::{identifier, tenant};
use crate::emulator::state::State;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::seed::{AAuthAgentSeed, AAuthResourceSeed, PublicKey};
use crate::operations::routes;
use crate::route::Route;

/// `wellknown.aauth_issuer`, behind the API base and at the root.
fn issuer(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let issuer = call.issuer();
    let url = |route: Route| format!("{issuer}/{}", route.path());
    let resources = tenant(state, call).map(|tenant| tenant.seed.aauth_resources.as_slice());
    let mut scopes: Vec<&String> =
        resources.unwrap_or_default().iter().flat_map(|seed| &seed.scopes).collect();
    scopes.sort();
    scopes.dedup();
    Ok(Answer::cacheable(&json!({
        "aauth_version": "1.0",
        "issuer": issuer,
        "jwks_uri": url(routes::aauth::KEYS),
        "agent_token_endpoint": url(routes::aauth::TOKEN),
        "agent_auth_endpoint": url(routes::aauth::CONSENT),
        "agent_signing_algs_supported": ["ed25519", "rsa-pss-sha512"],
        "token_signing_algs_supported": [call.aauth_key.algorithm().name()],
        "request_types_supported": ["auth", "code", "exchange", "refresh"],
        "scopes_supported": scopes,
        "authorization_response_iss_parameter_supported": true,
    })))
}

/// `aauth.jwks`: the key of AAuth's tokens, which is not that of OAuth's.
fn keys(_: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    Ok(Answer::cacheable(&json!({"keys": [call.aauth_key.public_jwk().to_json()]})))
}

fn agent_entry(call: &Call<'_>, seed: &AAuthAgentSeed) -> Value {
    let mut entry = json!({
        "agent": seed.identifier,
        "jwks_uri": format!("{}/aauth/agents/{}/jwks.json", call.issuer(), seed.id),
        "redirect_uris": seed.redirect_uris,
    });
    if let (Some(name), Some(entry)) = (&seed.name, entry.as_object_mut()) {
        entry.insert("name".into(), json!(name));
    }
    entry
}

fn resource_entry(call: &Call<'_>, seed: &AAuthResourceSeed) -> Value {
    let mut entry = json!({
        "resource": identifier(call, seed),
        "jwks_uri": format!("{}/aauth/resources/{}/jwks.json", call.issuer(), seed.id),
        "supported_scopes": seed.scopes,
    });
    if let (None, Some(entry)) = (&seed.identifier, entry.as_object_mut()) {
        entry.insert("resource_token_endpoint".into(), json!(format!("{}/token", identifier(call, seed))));
    }
    entry
}

fn agents(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let seeds = &tenant(state, call)?.seed.aauth_agents;
    Ok(Answer::cacheable(&seeds.iter().map(|seed| agent_entry(call, seed)).collect()))
}

fn resources(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let seeds = &tenant(state, call)?.seed.aauth_resources;
    Ok(Answer::cacheable(&seeds.iter().map(|seed| resource_entry(call, seed)).collect()))
}

fn unknown() -> Answer {
    Answer::oauth(StatusCode::NOT_FOUND, "not_found", "It is not registered")
}

/// The agent whose id is in the path.
fn agent<'s>(state: &'s State, call: &Call<'_>) -> Result<&'s AAuthAgentSeed, Answer> {
    let agents = &tenant(state, call)?.seed.aauth_agents;
    agents.iter().find(|seed| seed.id == call.id).ok_or_else(unknown)
}

/// The resource whose id is in the path.
pub(crate) fn named<'s>(state: &'s State, call: &Call<'_>) -> Result<&'s AAuthResourceSeed, Answer> {
    let resources = &tenant(state, call)?.seed.aauth_resources;
    resources.iter().find(|seed| seed.id == call.id).ok_or_else(unknown)
}

fn set(keys: &[PublicKey]) -> Vec<&Value> {
    keys.iter().map(|key| &key.jwk).collect()
}

/// The keys that may sign in the agent's name: its own, and the service's, which signs for it on request.
fn agent_keys(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let service = call.aauth_key.public_jwk().to_json();
    let mut keys = set(agent(state, call)?.keys.all());
    keys.push(&service);
    Ok(Answer::cacheable(&json!({"keys": keys})))
}

fn agent_document(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    Ok(Answer::cacheable(&agent_entry(call, agent(state, call)?)))
}

/// The resource's own keys.
fn resource_keys(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    Ok(Answer::cacheable(&json!({"keys": set(named(state, call)?.keys.all())})))
}

pub(crate) fn resource_document(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    Ok(Answer::cacheable(&resource_entry(call, named(state, call)?)))
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::document(routes::aauth::KEYS, keys),
    Service::document(routes::aauth::ISSUER, issuer),
    Service::document(routes::aauth::AGENTS, agents),
    Service::document(routes::aauth::RESOURCES, resources),
    Service::document(Route::get("aauth.agents.jwks", "aauth/agents/{id}/jwks.json"), agent_keys),
    Service::document(Route::get("aauth.agents.metadata", "aauth/agents/{id}/metadata"), agent_document),
    Service::document(Route::get("aauth.resources.jwks", "aauth/resources/{id}/jwks.json"), resource_keys),
    Service::document(
        Route::get("aauth.resources.metadata", "aauth/resources/{id}/metadata"),
        resource_document,
    ),
];
