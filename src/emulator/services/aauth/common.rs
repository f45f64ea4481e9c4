//! What the services of AAuth share: bodies, refusals, who is registered.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::emulator::call::Call;
use crate::emulator::state::State;
use crate::emulator::state::tenants::LiveTenant;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::scope::read_scope;
use crate::emulator::values::seed::{AAuthAgentSeed, AAuthResourceSeed};

pub(crate) fn invalid_request(problem: &str) -> Answer {
    Answer::bad_oauth("invalid_request", problem)
}

pub(crate) fn invalid_grant(problem: &str) -> Answer {
    Answer::bad_oauth("invalid_grant", problem)
}

pub(crate) fn invalid_scope(problem: &str) -> Answer {
    Answer::bad_oauth("invalid_scope", problem)
}

pub(crate) fn invalid_signature(problem: &str) -> Answer {
    Answer::oauth(StatusCode::UNAUTHORIZED, "invalid_signature", problem)
}

/// 401 for whoever does not say who it is, or cannot be believed: with the name of this server.
pub(crate) fn authentication_required(call: &Call<'_>, problem: &str) -> Answer {
    let code = "authentication_required";
    let body = json!({
        "error": code,
        "error_description": problem,
        "error_uri": format!("https://docs.lumoauth.com/errors/{code}"),
        "auth_server": call.issuer(),
    });
    Answer::json(StatusCode::UNAUTHORIZED, &body)
}

pub(crate) fn forbidden(problem: &str) -> Answer {
    Answer::oauth(StatusCode::FORBIDDEN, "access_denied", problem)
}

pub(crate) fn tenant<'s>(state: &'s State, call: &Call<'_>) -> Result<&'s LiveTenant, Answer> {
    state.world.tenants.get(call.tenant).ok_or_else(Answer::invalid_tenant)
}

/// The agent of this identifier, compared byte for byte.
pub(crate) fn agent<'s>(state: &'s State, call: &Call<'_>, identifier: &str) -> Option<&'s AAuthAgentSeed> {
    let agents = &state.world.tenants.get(call.tenant)?.seed.aauth_agents;
    agents.iter().find(|agent| agent.identifier == identifier)
}

/// The resource of this identifier, compared byte for byte.
pub(crate) fn resource<'s>(state: &'s State, call: &Call<'_>, name: &str) -> Option<&'s AAuthResourceSeed> {
    let resources = &state.world.tenants.get(call.tenant)?.seed.aauth_resources;
    resources.iter().find(|resource| identifier(call, resource) == name)
}

/// What a resource is called: a served one by where it is.
pub(crate) fn identifier(call: &Call<'_>, resource: &AAuthResourceSeed) -> String {
    let served = || format!("{}/aauth-demo/{}", call.issuer(), resource.id);
    resource.identifier.clone().unwrap_or_else(served)
}

/// The JSON body of a request.
pub(crate) struct Body(pub Map<String, Value>);

impl Body {
    pub(crate) fn read(call: &Call<'_>) -> Result<Self, Answer> {
        call.incoming.json_object().map(Body).map_err(invalid_request)
    }

    /// A text that may be absent; an empty one is malformed.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Answer> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(invalid_request(&format!("{name} is empty or not a text"))),
        }
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, Answer> {
        self.text(name)?.ok_or_else(|| invalid_request(&format!("Missing parameter: {name}")))
    }

    /// One of two names for the same: the newer, or the older.
    pub(crate) fn either(&self, newer: &str, older: &str) -> Result<&str, Answer> {
        match (self.text(newer)?, self.text(older)?) {
            (Some(_), Some(_)) => Err(invalid_request(&format!("{newer} and {older} are the same thing"))),
            (Some(text), None) | (None, Some(text)) => Ok(text),
            (None, None) => Err(invalid_request(&format!("Missing parameter: {newer}"))),
        }
    }

    pub(crate) fn scope(&self) -> Result<Option<Vec<String>>, Answer> {
        let malformed = || invalid_scope("The scope is malformed");
        self.text("scope")?.map(|text| read_scope(text).ok_or_else(malformed)).transpose()
    }
}

/// 32 bytes in base64url (RFC 7638 section 3.1, with SHA-256).
pub(crate) fn is_thumbprint(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
