//! Which client a request comes from, and whether it has shown that it is (RFC 6749 sections 2.3 and 3.2.1).

use http::StatusCode;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::emulator::call::Call;
use crate::emulator::state::State;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::incoming::{Parameters, basic};

/// The parameters of a back-channel request: in the body only (RFC 6749 section 2.3.1).
pub(crate) fn parameters(call: &Call<'_>) -> Result<Parameters, Answer> {
    let invalid_request = |problem: &str| Answer::bad_oauth("invalid_request", problem);
    if call.incoming.query.is_some_and(|query| !query.is_empty()) {
        return Err(invalid_request("Parameters belong in the body, not in the URL"));
    }
    Parameters::read(call.incoming).map_err(invalid_request)
}

/// The client that must name itself in the body (`docs/wire.md`, rows T), and authenticates if it has a secret.
pub(crate) fn identify(
    state: &State,
    call: &mut Call<'_>,
    parameters: &Parameters,
) -> Result<String, Answer> {
    if parameters.get("client_id").is_none() {
        return Err(Answer::bad_oauth("invalid_request", "Missing parameter: client_id"));
    }
    known(state, call, parameters)
}

/// The client, if the request names or authenticates one: then it must be right.
pub(crate) fn optional(
    state: &State,
    call: &mut Call<'_>,
    parameters: &Parameters,
) -> Result<Option<String>, Answer> {
    let named = ["client_id", "client_secret", "client_assertion"];
    let silent = named.iter().all(|name| parameters.get(name).is_none());
    match call.incoming.authorization() {
        Ok(None) if silent => Ok(None),
        _ => known(state, call, parameters).map(Some),
    }
}

/// A public client by its id, any other by its secret.
pub(crate) fn known(state: &State, call: &mut Call<'_>, parameters: &Parameters) -> Result<String, Answer> {
    let alone = matches!(call.incoming.authorization(), Ok(None))
        && parameters.get("client_secret").is_none()
        && parameters.get("client_assertion").is_none();
    let tenant = state.world.tenants.get(call.tenant);
    let agent = parameters.get("client_id").and_then(|id| tenant?.agent(id));
    if let Some(agent) = agent.filter(|agent| alone && agent.seed.public) {
        call.client_id = Some(agent.seed.client_id.clone());
        return Ok(agent.seed.client_id.clone());
    }
    authenticate(state, call, parameters)
}

/// The client that the request authenticates: in the body or as Basic, never both (RFC 6749 section 2.3).
pub(crate) fn authenticate(
    state: &State,
    call: &mut Call<'_>,
    parameters: &Parameters,
) -> Result<String, Answer> {
    let invalid_request = |problem: &str| Answer::bad_oauth("invalid_request", problem);
    let refused = |description: &str, with_header: bool| {
        let answer = Answer::oauth(StatusCode::UNAUTHORIZED, "invalid_client", description);
        if with_header {
            answer.challenge(&format!("Basic realm=\"{}\", charset=\"UTF-8\"", call.slug))
        } else {
            answer
        }
    };
    let body_id = parameters.get("client_id");
    let body_secret = parameters.get("client_secret");
    if parameters.get("client_assertion").is_some() {
        return Err(refused("Client assertions are not supported", false));
    }
    let authorization = call.incoming.authorization().map_err(invalid_request)?;
    let with_header = authorization.is_some();
    let (id, secret) = match authorization {
        Some((scheme, credentials)) if scheme.eq_ignore_ascii_case("basic") => {
            if body_secret.is_some() {
                return Err(invalid_request("The client authenticates in two ways at once"));
            }
            let (id, secret) =
                basic(credentials).ok_or_else(|| refused("The Basic credentials cannot be read", true))?;
            if body_id.is_some_and(|body| body != id.as_str()) {
                return Err(invalid_request("client_id differs from the one in the header"));
            }
            (id, secret)
        }
        Some(_) => return Err(refused("The authentication scheme is not supported here", true)),
        None => {
            let id = body_id.ok_or_else(|| refused("Client authentication is missing", false))?;
            let secret = body_secret.ok_or_else(|| refused("The client secret is missing", false))?;
            (Zeroizing::new(id.to_owned()), Zeroizing::new(secret.to_owned()))
        }
    };
    let agent = state.world.tenants.get(call.tenant).and_then(|tenant| tenant.agent(&id));
    call.client_id = agent.map(|agent| agent.seed.client_id.clone());
    // An unknown client and a wrong secret look and take the same: a digest is compared in either case.
    let expected = agent.and_then(|agent| agent.seed.secret.as_ref()).map_or("", |secret| secret.expose());
    let digest = |text: &str| -> [u8; 32] { Sha256::digest(text).into() };
    let equal: bool = digest(expected).ct_eq(&digest(&secret)).into();
    match agent {
        Some(agent) if equal && !expected.is_empty() => Ok(agent.seed.client_id.clone()),
        _ => Err(refused("The client is unknown or its secret is wrong", with_header)),
    }
}
