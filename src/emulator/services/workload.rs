//! Workload identity federation: a platform's token becomes an agent's, without any secret of the agent's.

use http::StatusCode;
use serde_json::{Map, Value};

use crate::crypto::VerifyingKey;
use crate::emulator::call::Call;
use crate::emulator::services::issue::{self, Grant};
use crate::emulator::state::State;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::incoming::Parameters;
use crate::emulator::values::jwt::Jws;
use crate::emulator::values::scope::scope;
use crate::emulator::values::seed::WorkloadSeed;
use crate::emulator::values::workload::PROVIDERS;

fn failed(problem: &str) -> Answer {
    Answer::oauth(StatusCode::UNAUTHORIZED, "workload_identity_failed", problem)
}

/// True for a JWT with an issuer: then it can be a platform's.
pub(crate) fn names_an_issuer(token: &str) -> bool {
    Jws::read(token).is_some_and(|parts| parts.claims.contains_key("iss"))
}

/// The exchange of a platform's token. The agent is the one that names its issuer, subject and audience.
pub(crate) fn exchange(
    state: &mut State,
    call: &mut Call<'_>,
    parameters: &Parameters,
    text: &str,
) -> Result<Answer, Answer> {
    let provider = parameters.get("subject_issuer");
    if provider.is_some_and(|provider| !PROVIDERS.contains(&provider)) {
        return Err(Answer::bad_oauth("invalid_request", "subject_issuer is not a platform that is known"));
    }
    let claims = verified(call, text)?;
    let agents = state.world.tenants.get(call.tenant).map(|tenant| &*tenant.agents);
    let agent = agents.unwrap_or_default().iter().find(|agent| {
        let seed = agent.seed.workload.as_ref();
        seed.is_some_and(|seed| {
            provider.is_none_or(|provider| provider == seed.provider) && is_for(&claims, seed)
        })
    });
    let agent = agent.ok_or_else(|| failed("No agent is of this issuer, subject and audience"))?;
    call.client_id = Some(agent.seed.client_id.clone());
    if parameters.all("resource").chain(parameters.all("audience")).next().is_some() {
        return Err(Answer::bad_oauth("invalid_target", "A workload's token is for the agent itself"));
    }
    let scopes = match scope(parameters)? {
        None => agent.seed.capabilities.clone(),
        Some(scopes) if scopes.iter().all(|scope| agent.may_have(scope)) => scopes,
        Some(_) => return Err(Answer::bad_oauth("invalid_scope", "A scope is not granted to the agent")),
    };
    let grant = Grant { exchanged: true, ..Grant::own(agent, scopes, Vec::new(), call.now) };
    issue::tokens(state, call, grant)
}

/// The claims of a token that one of the issuers has signed and that is valid now (RFC 7519 section 7.2).
pub(crate) fn verified(call: &Call<'_>, text: &str) -> Result<Map<String, Value>, Answer> {
    let parts = Jws::read(text).ok_or_else(|| failed("The token is not a signed JWT"))?;
    let named = parts.claims.get("iss").and_then(Value::as_str);
    let issuer = call.settings.issuers.iter().find(|own| Some(own.issuer()) == named);
    let issuer = issuer.ok_or_else(|| failed("The issuer is unknown"))?;
    let key = issuer.key.public_jwk();
    let says = |name: &str| parts.header.get(name).and_then(Value::as_str);
    let right_key = says("kid").is_none_or(|kid| kid == key.key_id());
    if says("alg") != Some(key.algorithm().name()) || !right_key || parts.header.contains_key("crit") {
        return Err(failed("The token is signed in a way, or with a key, that the issuer does not use"));
    }
    let verifies = VerifyingKey::from_jwk(&key.to_json())
        .is_ok_and(|own| own.verify(key.algorithm(), parts.signed.as_bytes(), &parts.signature).is_ok());
    if !verifies {
        return Err(failed("The signature is wrong"));
    }
    let time = |name: &str| parts.claims.get(name).map(Value::as_u64);
    let now = call.now.unix();
    let expires = time("exp").flatten().ok_or_else(|| failed("The token has no end"))?;
    let started = |name: &str| time(name).is_none_or(|at| at.is_some_and(|at| at <= now));
    if now >= expires || !started("nbf") || !started("iat") {
        return Err(failed("The token is expired or not valid yet"));
    }
    Ok(parts.claims)
}

pub(crate) fn is_for(claims: &Map<String, Value>, seed: &WorkloadSeed) -> bool {
    let is = |name: &str, value: &str| claims.get(name).and_then(Value::as_str) == Some(value);
    let audience = match claims.get("aud") {
        Some(Value::String(one)) => *one == seed.audience,
        Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(&seed.audience)),
        _ => false,
    };
    audience && is("iss", &seed.issuer) && is("sub", &seed.subject)
}
