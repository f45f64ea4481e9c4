//! A resource that the emulator serves itself: it gives resource tokens, and wants a token and a proof for its data.

use http::StatusCode;
use serde_json::json;

use crate::emulator::call::{Call, Service};
use crate::emulator::services::aauth::common::{self, Body, identifier, invalid_signature};
use crate::emulator::services::aauth::resource::{self, Contents};
use crate::emulator::services::aauth::signer::target;
use crate::emulator::services::aauth::{directory, signed, verify};
use crate::emulator::state::State;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::scope::read_scope;
use crate::emulator::values::seed::AAuthResourceSeed;
use crate::route::Route;

/// The resource whose id is in the path, if it is served here.
fn served<'s>(state: &'s State, call: &Call<'_>) -> Result<&'s AAuthResourceSeed, Answer> {
    let seed = directory::named(state, call)?;
    if seed.identifier.is_some() {
        return Err(Answer::oauth(StatusCode::NOT_FOUND, "not_found", "The resource is served elsewhere"));
    }
    Ok(seed)
}

/// What it says about itself.
fn document(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    served(state, call)?;
    directory::resource_document(state, call)
}

/// A resource token for whoever asks: it is good for the agent and key that it names, and for nobody else.
fn token(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let seed = served(state, call)?;
    let (name, key) = (identifier(call, seed), seed.keys.own.clone());
    let body = Body::read(call)?;
    let (agent, thumbprint, scopes) = resource::about(state, call, &body, &name)?;
    let contents = Contents { resource: &name, agent, thumbprint, scopes: &scopes, auth_request_url: None };
    resource::make(state, call, &contents, key.as_ref())
}

/// The data, for a token and a signature with its key. What is refused before the proof holds uses up no nonce.
fn data(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let seed = served(state, call)?;
    let (name, demands) = (identifier(call, seed), seed.demands().to_vec());
    let realm = format!("Bearer realm=\"{}\"", seed.id);
    // There is one code for it in a challenge (RFC 6750 section 3.1); the body says more exactly what it is.
    let challenged = |answer: Answer| answer.challenge(&format!("{realm}, error=\"invalid_token\""));
    let authorization = call.incoming.authorization().map_err(common::invalid_request)?;
    let Some((_, text)) = authorization.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
        let answer = common::authentication_required(call, "A token for this resource is missing");
        return Err(answer.challenge(&format!("{realm}, scope=\"{}\"", demands.join(" "))));
    };
    let target = target(call);
    let received = signed::read(call, &target).map_err(challenged)?;
    let untrusted = |problem: &str| {
        let problem = format!("The token is not accepted: {problem}");
        challenged(Answer::oauth(StatusCode::UNAUTHORIZED, "invalid_token", &problem))
    };
    let token = verify::read(state, call, text).map_err(untrusted)?;
    if token.resource != name {
        return Err(untrusted("it is for another resource"));
    }
    let wrong =
        |_| challenged(invalid_signature("The signature is not of the key that the token is bound to"));
    received.prove(&token.key).map_err(wrong)?;
    signed::use_up(&state.world.aauth.demo_nonces, call, &received, &token.thumbprint).map_err(challenged)?;
    let scopes = token.scope.as_deref().and_then(read_scope).unwrap_or_default();
    if let Some(missing) = demands.iter().find(|scope| !scopes.contains(scope)) {
        let challenge = format!("{realm}, error=\"insufficient_scope\", scope=\"{}\"", demands.join(" "));
        return Err(Answer::missing_scope(missing, &scopes).challenge(&challenge));
    }
    Ok(Answer::ok(&json!({
        "resource": name,
        "agent": token.agent,
        "agent_delegate": token.delegate,
        "sub": token.user.map(|user| format!("user:{user}")),
        "scope": scopes.join(" "),
        "act": token.act,
        "method": call.incoming.method.as_str(),
        "documents": [{"id": "doc_1", "title": "Quarterly report"}],
    })))
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[
    Service::document(
        Route::get("aauth.demo.metadata", "aauth-demo/{id}/.well-known/aauth-resource"),
        document,
    ),
    Service::of(Route::post("aauth.demo.token", "aauth-demo/{id}/token"), "POST", token),
    Service::of(Route::get("aauth.demo.data", "aauth-demo/{id}/data"), "GET, HEAD, POST, PUT, DELETE", data),
];
