//! The token endpoint (RFC 6749 sections 3.2, 4.4, 5; `docs/wire.md`, rows T).

use crate::emulator::call::{Call, Service};
use crate::emulator::services::issue::{self, Grant, server_error};
use crate::emulator::services::{client, device, exchange, redeem};
use crate::emulator::state::State;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::incoming::Parameters;
use crate::emulator::values::scope::{refused, scope};
use crate::operations::routes;

/// The grants of this endpoint (RFC 8414 section 2, `grant_types_supported`).
pub(crate) const GRANT_TYPES: [&str; 5] = [
    "client_credentials",
    "authorization_code",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:ietf:params:oauth:grant-type:device_code",
];

/// Every answer of this endpoint, refusals too, stays out of caches (RFC 6749 section 5.1).
fn token(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    grant(state, call).map(Answer::no_cache).map_err(Answer::no_cache)
}

fn grant(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let parameters = client::parameters(call)?;
    let missing = || Answer::bad_oauth("invalid_request", "Missing parameter: grant_type");
    let [own, code, refresh, token_exchange, device_code] = GRANT_TYPES;
    let grant_type = parameters.get("grant_type").ok_or_else(missing)?;
    if grant_type == own {
        let client_id = client::authenticate(state, call, &parameters)?;
        client_credentials(state, call, &parameters, &client_id)
    } else if grant_type == code {
        redeem::code(state, call, &parameters)
    } else if grant_type == refresh {
        redeem::refresh(state, call, &parameters)
    } else if grant_type == token_exchange {
        exchange::exchange(state, call, &parameters)
    } else if grant_type == device_code {
        device::poll(state, call, &parameters)
    } else {
        client::known(state, call, &parameters)?;
        Err(Answer::bad_oauth("unsupported_grant_type", "The grant type is not supported"))
    }
}

fn client_credentials(
    state: &mut State,
    call: &Call<'_>,
    parameters: &Parameters,
    client_id: &str,
) -> Result<Answer, Answer> {
    let tenant = state.world.tenants.get(call.tenant).ok_or_else(Answer::invalid_tenant)?;
    let agent = tenant.agent(client_id).ok_or_else(|| server_error("The agent is gone"))?;
    let scopes = match scope(parameters)? {
        None => agent.seed.capabilities.clone(),
        Some(scopes) => {
            match refused(&scopes, |scope| agent.may_have(scope), "is not granted to the client") {
                Some(refusal) => return Err(refusal),
                None => scopes,
            }
        }
    };
    let audience = tenant.resources(agent, parameters.all("resource"));
    let audience = audience.ok_or_else(|| Answer::bad_oauth("invalid_target", "The resource is unknown"))?;
    let grant = Grant::own(agent, scopes, audience, call.now);
    issue::tokens(state, call, grant)
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] = &[Service::of(routes::TOKEN, "POST", token)];
