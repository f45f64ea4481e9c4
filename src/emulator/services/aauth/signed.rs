//! Who has signed a request: an agent, by its agent token and the key in it, or a resource, by a registered key.

use std::time::Duration;

use crate::emulator::call::Call;
use crate::emulator::services::aauth::common::{
    authentication_required, identifier, invalid_request, invalid_signature, tenant,
};
use crate::emulator::services::aauth::older;
use crate::emulator::services::aauth::signer::{Agent, Signer, agent_token, target};
use crate::emulator::state::State;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::seed::{AAuthResourceSeed, PublicKey};
use crate::profile::{
    IncomingMessage, MemoryReplayStore, MessageFault, MessagePolicy, ReceivedMessage, Reservation, Reserved,
};
use crate::time::Now;
use crate::verify::Leeway;

/// The agent that signed the request.
pub(crate) fn by_agent(state: &State, call: &mut Call<'_>) -> Result<Agent, Answer> {
    match signer(state, call)? {
        Signer::Agent(agent) => Ok(agent),
        Signer::Resource(_) => Err(authentication_required(
            call,
            "Agent-Auth is missing: this is for agents, with their agent token",
        )),
    }
}

/// The resource that signed the request.
pub(crate) fn by_resource(state: &State, call: &mut Call<'_>) -> Result<String, Answer> {
    match signer(state, call)? {
        Signer::Resource(resource) => Ok(resource),
        Signer::Agent(_) => Err(authentication_required(call, "This is for resources, without Agent-Auth")),
    }
}

/// Whoever signed the request. The one place where signatures of the authorization server's routes are checked: message,
/// agent token, proof, and then the nonce, which only a right signature uses up.
pub(crate) fn signer(state: &State, call: &mut Call<'_>) -> Result<Signer, Answer> {
    if older::is_used(call) {
        let agent = older::agent(state, call)?;
        call.client_id = Some(agent.id.clone());
        return Ok(Signer::Agent(agent));
    }
    let target = target(call);
    let received = read(call, &target)?;
    let (signer, thumbprint) = match received.agent_token() {
        Some(token) => {
            let agent = agent_token(state, call, token)?;
            received.prove(&agent.key).map_err(|fault| refused(&fault))?;
            let thumbprint = agent.thumbprint.clone();
            (Signer::Agent(agent), thumbprint)
        }
        None => {
            let (resource, thumbprint) = resource(state, call, &received)?;
            (Signer::Resource(resource), thumbprint)
        }
    };
    use_up(&state.world.aauth.nonces, call, &received, &thumbprint)?;
    if let Signer::Agent(agent) = &signer {
        call.client_id = Some(agent.id.clone());
    }
    Ok(signer)
}

/// All that can be checked without a key. The authority is the emulator's own, never `Host`.
pub(crate) fn read<'c>(call: &Call<'c>, target: &'c str) -> Result<ReceivedMessage<'c>, Answer> {
    let incoming = call.incoming;
    let policy =
        MessagePolicy::new(incoming.base).map_err(|_| invalid_request("The base URL cannot be used"))?;
    let message = IncomingMessage {
        method: incoming.method,
        path_and_query: target,
        headers: incoming.headers,
        body: incoming.body.unwrap_or_default(),
    };
    let now = Now::new(call.now, Duration::ZERO, [0; 32]);
    policy.read(&message, &now).map_err(|fault| refused(&fault))
}

pub(crate) fn refused(fault: &MessageFault) -> Answer {
    let text = fault.to_string();
    match fault {
        MessageFault::TooLong { .. } | MessageFault::Target => invalid_request(&text),
        _ => invalid_signature(&text),
    }
}

/// Uses the nonce up: once for each key, remembered for two minutes at least by the emulator's clock.
pub(crate) fn use_up(
    nonces: &MemoryReplayStore,
    call: &Call<'_>,
    received: &ReceivedMessage<'_>,
    thumbprint: &str,
) -> Result<(), Answer> {
    let reservation =
        Reservation::of(thumbprint, received.nonce(), received.created(), Leeway::default().duration());
    let now = Now::new(call.now, Duration::from_millis(call.now.unix_millis()), [0; 32]);
    match nonces.reserve(&reservation, &now) {
        Reserved::First => Ok(()),
        Reserved::Again => Err(invalid_signature("The nonce was used before: sign each attempt afresh")),
        Reserved::Full => Err(Answer::oauth(
            http::StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "It cannot be said whether the nonce was used before",
        )),
    }
}

/// The registered resource whose key signed: named in `Signature-Key` as `<identifier>#<kid>`, or whichever it is.
fn resource(
    state: &State,
    call: &Call<'_>,
    received: &ReceivedMessage<'_>,
) -> Result<(String, String), Answer> {
    let resources = &tenant(state, call)?.seed.aauth_resources;
    let keys = resources.iter().flat_map(|seed| seed.keys.all().iter().map(move |key| (seed, key)));
    let found = match received.signature_key() {
        Some(name) => {
            let named = |(seed, key): &(&AAuthResourceSeed, &PublicKey)| {
                format!("{}#{}", identifier(call, seed), key.id) == name
            };
            let unknown = || invalid_signature("Signature-Key names no registered key: <identifier>#<kid>");
            let (seed, key) = keys.into_iter().find(named).ok_or_else(unknown)?;
            received.prove(&key.key).map_err(|fault| refused(&fault))?;
            Some((seed, key))
        }
        None => keys.into_iter().find(|(_, key)| received.prove(&key.key).is_ok()),
    };
    let nobody =
        || authentication_required(call, "Agent-Auth is missing, and no registered resource has signed");
    let (seed, key) = found.ok_or_else(nobody)?;
    Ok((identifier(call, seed), key.thumbprint.clone()))
}
