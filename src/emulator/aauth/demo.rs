//! A resource that the emulator serves itself: it gives resource tokens, and wants a token and a proof for its data.

use http::StatusCode;
use serde_json::json;

use crate::emulator::aauth::resource::{self, Contents};
use crate::emulator::aauth::{Body, directory, identifier, invalid_signature, signed, verify};
use crate::emulator::engine::Call;
use crate::emulator::route::DemoPlace;
use crate::emulator::state::State;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::scope::read_scope;

pub(super) fn answer(state: &mut State, call: &mut Call<'_>, place: DemoPlace) -> Result<Answer, Answer> {
    let seed = directory::named(state, call)?;
    if seed.identifier.is_some() {
        return Err(Answer::oauth(StatusCode::NOT_FOUND, "not_found", "The resource is served elsewhere"));
    }
    match place {
        DemoPlace::Document => directory::resource_document(state, call),
        DemoPlace::Token => token(state, call),
        DemoPlace::Data => data(state, call),
    }
}

/// A resource token for whoever asks: it is good for the agent and key that it names, and for nobody else.
fn token(state: &mut State, call: &Call<'_>) -> Result<Answer, Answer> {
    let seed = directory::named(state, call)?;
    let (name, key) = (identifier(call, seed), seed.keys.own.clone());
    let body = Body::read(call)?;
    let (agent, thumbprint, scopes) = resource::about(state, call, &body, &name)?;
    let contents = Contents { resource: &name, agent, thumbprint, scopes: &scopes, auth_request_url: None };
    resource::make(state, call, &contents, key.as_ref())
}

/// The data, for a token and a signature with its key. What is refused before the proof holds uses up no nonce.
fn data(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let seed = directory::named(state, call)?;
    let (name, demands) = (identifier(call, seed), seed.demands().to_vec());
    let realm = format!("Bearer realm=\"{}\"", seed.id);
    // There is one code for it in a challenge (RFC 6750 section 3.1); the body says more exactly what it is.
    let challenged = |answer: Answer| answer.challenge(&format!("{realm}, error=\"invalid_token\""));
    let authorization = call.incoming.authorization().map_err(super::invalid_request)?;
    let Some((_, text)) = authorization.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
        let answer = super::authentication_required(call, "A token for this resource is missing");
        return Err(answer.challenge(&format!("{realm}, scope=\"{}\"", demands.join(" "))));
    };
    let target = signed::target(call);
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
