//! The authorization server of AAuth, and resources to try it on (`docs/wire.md`, aauth rows). Whoever comes is told apart by
//! a signature; everything in a request that the profile refuses is refused here.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::emulator::engine::Call;
use crate::emulator::route::DemoPlace;
use crate::emulator::state::{LiveTenant, State};
use crate::emulator::values::answer::Answer;
use crate::emulator::values::scope::read_scope;
use crate::emulator::values::seed::{AAuthAgentSeed, AAuthResourceSeed};
use crate::operations::routes;
use crate::route::Route;

mod consent;
mod demo;
mod directory;
mod grant;
mod issuing;
mod older;
mod resource;
mod signed;
mod store;
mod token;
mod verify;

pub(super) use consent::{Asking, approve, deny, portal};
pub(super) use directory::{agent_document, agent_keys, resource_document, resource_keys};
pub(super) use store::Store;

/// Answers one of the routes of the library's table; none if it is not AAuth's.
pub(super) fn answer(state: &mut State, call: &mut Call<'_>, route: Route) -> Option<Answer> {
    let answer = match route {
        routes::aauth::TOKEN => token::token(state, call),
        routes::aauth::CONSENT => Ok(consent::begin(state, call)),
        routes::aauth::ISSUE => issuing::delegate(state, call),
        routes::aauth::PLATFORM_TOKEN => issuing::platform(state, call),
        routes::aauth::RESOURCE_TOKEN => resource::token(state, call),
        routes::aauth::VERIFY_RESOURCE_TOKEN => verify::resource_token(state, call),
        routes::aauth::VERIFY_AUTH_TOKEN => verify::auth_token(state, call),
        routes::aauth::REVOKE => verify::revoke(state, call),
        routes::aauth::KEYS => Ok(directory::keys(call)),
        routes::aauth::ISSUER => Ok(directory::issuer(state, call)),
        routes::aauth::AGENTS => directory::agents(state, call),
        routes::aauth::RESOURCES => directory::resources(state, call),
        _ => return None,
    };
    Some(answer.unwrap_or_else(|refusal| refusal))
}

/// Answers for a served resource.
pub(super) fn demo(state: &mut State, call: &mut Call<'_>, place: DemoPlace) -> Answer {
    demo::answer(state, call, place).unwrap_or_else(|refusal| refusal)
}

fn invalid_request(problem: &str) -> Answer {
    Answer::bad_oauth("invalid_request", problem)
}

fn invalid_grant(problem: &str) -> Answer {
    Answer::bad_oauth("invalid_grant", problem)
}

fn invalid_scope(problem: &str) -> Answer {
    Answer::bad_oauth("invalid_scope", problem)
}

fn invalid_signature(problem: &str) -> Answer {
    Answer::oauth(StatusCode::UNAUTHORIZED, "invalid_signature", problem)
}

/// 401 for whoever does not say who it is, or cannot be believed: with the name of this server.
fn authentication_required(call: &Call<'_>, problem: &str) -> Answer {
    let code = "authentication_required";
    let body = json!({
        "error": code,
        "error_description": problem,
        "error_uri": format!("https://docs.lumoauth.com/errors/{code}"),
        "auth_server": call.issuer(),
    });
    Answer::json(StatusCode::UNAUTHORIZED, &body)
}

fn forbidden(problem: &str) -> Answer {
    Answer::oauth(StatusCode::FORBIDDEN, "access_denied", problem)
}

fn tenant<'s>(state: &'s State, call: &Call<'_>) -> Result<&'s LiveTenant, Answer> {
    state.world.tenants.get(call.tenant).ok_or_else(Answer::invalid_tenant)
}

/// The agent of this identifier, compared byte for byte.
fn agent<'s>(state: &'s State, call: &Call<'_>, identifier: &str) -> Option<&'s AAuthAgentSeed> {
    let agents = &state.world.tenants.get(call.tenant)?.seed.aauth_agents;
    agents.iter().find(|agent| agent.identifier == identifier)
}

/// The resource of this identifier, compared byte for byte.
fn resource<'s>(state: &'s State, call: &Call<'_>, name: &str) -> Option<&'s AAuthResourceSeed> {
    let resources = &state.world.tenants.get(call.tenant)?.seed.aauth_resources;
    resources.iter().find(|resource| identifier(call, resource) == name)
}

/// What a resource is called: a served one by where it is.
fn identifier(call: &Call<'_>, resource: &AAuthResourceSeed) -> String {
    let served = || format!("{}/aauth-demo/{}", call.issuer(), resource.id);
    resource.identifier.clone().unwrap_or_else(served)
}

/// The JSON body of a request.
struct Body(Map<String, Value>);

impl Body {
    fn read(call: &Call<'_>) -> Result<Self, Answer> {
        call.incoming.json_object().map(Body).map_err(invalid_request)
    }

    /// A text that may be absent; an empty one is malformed.
    fn text(&self, name: &str) -> Result<Option<&str>, Answer> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(invalid_request(&format!("{name} is empty or not a text"))),
        }
    }

    fn required(&self, name: &str) -> Result<&str, Answer> {
        self.text(name)?.ok_or_else(|| invalid_request(&format!("Missing parameter: {name}")))
    }

    /// One of two names for the same: the newer, or the older.
    fn either(&self, newer: &str, older: &str) -> Result<&str, Answer> {
        match (self.text(newer)?, self.text(older)?) {
            (Some(_), Some(_)) => Err(invalid_request(&format!("{newer} and {older} are the same thing"))),
            (Some(text), None) | (None, Some(text)) => Ok(text),
            (None, None) => Err(invalid_request(&format!("Missing parameter: {newer}"))),
        }
    }

    fn scope(&self) -> Result<Option<Vec<String>>, Answer> {
        let malformed = || invalid_scope("The scope is malformed");
        self.text("scope")?.map(|text| read_scope(text).ok_or_else(malformed)).transpose()
    }
}

/// 32 bytes in base64url (RFC 7638 section 3.1, with SHA-256).
fn is_thumbprint(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
