//! Who can sign, and what an agent token says of its agent.

use std::time::Duration;

use serde_json::Value;

use crate::crypto::VerifyingKey;
use crate::emulator::call::Call;
use crate::emulator::services::aauth::common::{agent, authentication_required};
use crate::emulator::state::State;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::jwt::{Claims, Jws};
use crate::emulator::values::seed::PublicKey;
use crate::secret::Secret;

/// The longest that an agent token lives.
const LONGEST_AGENT_TOKEN: Duration = Duration::from_secs(24 * 3600);

/// Who has signed.
pub(crate) enum Signer {
    Agent(Agent),
    /// A resource, by its identifier.
    Resource(String),
}

/// An agent that has signed, by one of its delegates.
pub(crate) struct Agent {
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
    pub(crate) fn identifier(&self) -> &str {
        match self {
            Signer::Agent(agent) => &agent.identifier,
            Signer::Resource(resource) => resource,
        }
    }
}

/// The request target as it was received.
pub(crate) fn target(call: &Call<'_>) -> String {
    match call.incoming.query {
        Some(query) => format!("{}?{query}", call.incoming.path),
        None => call.incoming.path.to_owned(),
    }
}

/// An agent token of a registered agent (`docs/wire.md`, aauth-jwt). It says whose key must have signed.
pub(crate) fn agent_token(state: &State, call: &Call<'_>, text: &str) -> Result<Agent, Answer> {
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
pub(crate) fn own_key(call: &Call<'_>) -> Option<VerifyingKey> {
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
