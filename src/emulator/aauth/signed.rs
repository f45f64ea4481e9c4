//! Who has signed a request: an agent, by its agent token and the key in it, or a resource, by a registered key.

use std::time::Duration;

use serde_json::Value;

use crate::aauth::{
    IncomingMessage, MemoryReplayStore, MessageFault, MessagePolicy, ReceivedMessage, Reservation, Reserved,
};
use crate::crypto::VerifyingKey;
use crate::emulator::aauth::{
    agent, authentication_required, identifier, invalid_request, invalid_signature, older, tenant,
};
use crate::emulator::engine::Call;
use crate::emulator::state::State;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::jwt::{Claims, Jws};
use crate::emulator::values::seed::{AAuthResourceSeed, PublicKey};
use crate::secret::Secret;
use crate::time::Now;
use crate::verify::Leeway;

/// The longest that an agent token lives.
const LONGEST_AGENT_TOKEN: Duration = Duration::from_secs(24 * 3600);

/// Who has signed.
pub(super) enum Signer {
    Agent(Agent),
    /// A resource, by its identifier.
    Resource(String),
}

/// An agent that has signed, by one of its delegates.
pub(super) struct Agent {
    pub identifier: String,
    pub id: String,
    pub delegate: String,
    /// The key that signed, as `cnf` has it.
    pub jwk: Value,
    pub key: VerifyingKey,
    pub thumbprint: String,
    /// True if the key is the agent's own, not a delegate's.
    pub registered: bool,
    /// The agent token.
    pub token: Secret,
}

impl Signer {
    pub(super) fn identifier(&self) -> &str {
        match self {
            Signer::Agent(agent) => &agent.identifier,
            Signer::Resource(resource) => resource,
        }
    }
}

/// The agent that signed the request.
pub(super) fn by_agent(state: &State, call: &mut Call<'_>) -> Result<Agent, Answer> {
    match signer(state, call)? {
        Signer::Agent(agent) => Ok(agent),
        Signer::Resource(_) => Err(authentication_required(
            call,
            "Agent-Auth is missing: this is for agents, with their agent token",
        )),
    }
}

/// The resource that signed the request.
pub(super) fn by_resource(state: &State, call: &mut Call<'_>) -> Result<String, Answer> {
    match signer(state, call)? {
        Signer::Resource(resource) => Ok(resource),
        Signer::Agent(_) => Err(authentication_required(call, "This is for resources, without Agent-Auth")),
    }
}

/// Whoever signed the request. The one place where signatures of the authorization server's routes are checked: message,
/// agent token, proof, and then the nonce, which only a right signature uses up.
pub(super) fn signer(state: &State, call: &mut Call<'_>) -> Result<Signer, Answer> {
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

/// The request target as it was received.
pub(super) fn target(call: &Call<'_>) -> String {
    match call.incoming.query {
        Some(query) => format!("{}?{query}", call.incoming.path),
        None => call.incoming.path.to_owned(),
    }
}

/// All that can be checked without a key. The authority is the emulator's own, never `Host`.
pub(super) fn read<'c>(call: &Call<'c>, target: &'c str) -> Result<ReceivedMessage<'c>, Answer> {
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

pub(super) fn refused(fault: &MessageFault) -> Answer {
    let text = fault.to_string();
    match fault {
        MessageFault::TooLong { .. } | MessageFault::Target => invalid_request(&text),
        _ => invalid_signature(&text),
    }
}

/// Uses the nonce up: once for each key, remembered for two minutes at least by the emulator's clock.
pub(super) fn use_up(
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

/// An agent token of a registered agent (`docs/wire.md`, aauth-jwt). It says whose key must have signed.
pub(super) fn agent_token(state: &State, call: &Call<'_>, text: &str) -> Result<Agent, Answer> {
    let bad =
        |problem: &str| authentication_required(call, &format!("The agent token is not accepted: {problem}"));
    let jws = Jws::read(text).ok_or_else(|| bad("it is not a signed JWT"))?;
    let seed = jws.issuer().and_then(|issuer| agent(state, call, issuer)).ok_or_else(|| {
        Answer::oauth(http::StatusCode::NOT_FOUND, "not_found", "The agent is not registered")
    })?;
    // The service signs for agents too, where they ask it to (`aauth.agent.issue`).
    let own = |kid: &str| (kid == call.aauth_key.key_id()).then(|| own_key(call)).flatten();
    let key_of = |kid: &str| seed.keys.find(kid).map(|key| key.key.clone()).or_else(|| own(kid));
    let claims = jws.verified("agent+jwt", key_of).map_err(bad)?;
    if !call.names().iter().any(|name| claims.is_for(name)) {
        return Err(bad("its aud does not name this authorization server"));
    }
    claims.ends(call.now, LONGEST_AGENT_TOKEN).map_err(bad)?;
    let delegate = claims.required("sub").map_err(bad)?.to_owned();
    let key = bound(&claims, seed.keys.all()).map_err(bad)?;
    let registered = seed.keys.all().iter().any(|own| own.thumbprint == key.thumbprint);
    Ok(Agent {
        identifier: seed.identifier.clone(),
        id: seed.id.clone(),
        delegate,
        jwk: key.jwk,
        key: key.key,
        thumbprint: key.thumbprint,
        registered,
        token: Secret::new(text),
    })
}

/// The key that AAuth's tokens are signed with here.
pub(super) fn own_key(call: &Call<'_>) -> Option<VerifyingKey> {
    VerifyingKey::from_jwk(&call.aauth_key.public_jwk().to_json()).ok()
}

/// The key in `cnf.jwk`, or the registered one of the thumbprint in `cnf.jkt`.
fn bound(claims: &Claims, registered: &[PublicKey]) -> Result<PublicKey, &'static str> {
    let Some(Value::Object(confirmation)) = claims.value("cnf") else {
        return Err("it is bound to no key");
    };
    let jkt = match confirmation.get("jkt") {
        None => None,
        Some(Value::String(jkt)) => Some(jkt),
        Some(_) => return Err("its thumbprint is not a text"),
    };
    let key = match (confirmation.get("jwk"), jkt) {
        (Some(jwk), _) => {
            let key = VerifyingKey::from_jwk(jwk).map_err(|_| "its key is not sound")?;
            if key.message_algorithm().is_none() {
                return Err("its key cannot sign messages");
            }
            let thumbprint = key.to_jwk().thumbprint().to_owned();
            PublicKey { id: String::new(), thumbprint, key, jwk: jwk.clone() }
        }
        (None, Some(jkt)) => {
            let key = registered.iter().find(|key| key.thumbprint == *jkt);
            key.ok_or("it names a key that the agent has not registered")?.clone()
        }
        (None, None) => return Err("it is bound to no key"),
    };
    match jkt {
        Some(jkt) if *jkt != key.thumbprint => Err("its key and its thumbprint differ"),
        _ => Ok(key),
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
