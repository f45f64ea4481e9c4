//! Agents with keys of their own (AAuth): every step at the authorization server, one file a family (`docs/wire.md`, aauth rows).
//!
//! All but the documents are signed with the agent's key and go to the service only.

mod authorize;
mod consent;
mod discovery;
mod grants;
mod issue;
mod resource;
mod revoke;
pub(super) mod routes;
mod token;
mod verify;

pub use authorize::{Authorization, Authorize};
pub use consent::Consent;
pub use discovery::{
    AgentEntry, GetAgents, GetIssuer, GetKeys, GetResources, IssuerMetadata, Keys, ResourceEntry,
};
pub use grants::{Exchange, RedeemCode, Refresh};
pub use issue::{AgentToken, GetPlatformToken, IssueDelegate, PlatformToken};
pub use resource::{GetResourceToken, GetResourceTokenByName, ResourceToken};
pub use revoke::Revoke;
pub use token::AuthToken;
pub use verify::{AuthTokenClaims, ResourceTokenClaims, VerifyAuthToken, VerifyResourceToken};

use http::header::{CACHE_CONTROL, HeaderValue};
use serde_json::{Map, Value};

use crate::error::{Error, InputError, ProtocolFault};
use crate::json::Fields;
use crate::operation::{Auth, Context, Effect, Terms};
use crate::route::Route;
use crate::secret::Secret;
use crate::wire::{self, Request, Response};

/// How a step at the authorization server is run. [`super::Signed`] around it signs it.
fn terms(route: Route, effect: Effect) -> Terms {
    Terms::new(route.name(), effect, Auth::None).total(super::token::TOTAL)
}

/// Who asks for a token about an agent names it by these two.
fn named(body: Body, agent: &str, jkt: &str) -> Result<Body, Error> {
    identifier("agent", agent)?;
    thumbprint("agent_jkt", jkt)?;
    Ok(body.text("agent", agent).text("agent_jkt", jkt))
}

/// A JSON body under construction, with the secrets in it.
#[derive(Default)]
struct Body {
    members: Map<String, Value>,
    secrets: Vec<Secret>,
}

impl Body {
    fn new() -> Self {
        Body::default()
    }

    fn text(mut self, name: &str, text: &str) -> Self {
        self.members.insert(name.to_owned(), text.into());
        self
    }

    fn optional(self, name: &str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    fn value(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }

    /// A token or code: it must be there.
    fn secret(mut self, name: &'static str, secret: &Secret) -> Result<Self, Error> {
        if secret.is_empty() {
            return Err(InputError::new(name, "is empty").into());
        }
        self.secrets.push(secret.clone());
        Ok(self.text(name, secret.expose()))
    }

    fn post(self, context: &Context<'_>, route: Route) -> Request {
        let Body { members, secrets } = self;
        let request = context.to(route).json(&Value::Object(members));
        let request = request.header(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        secrets.iter().fold(request, |request, secret| request.carries(secret))
    }
}

/// Reads an answer of 200; every other success is a fault.
fn read(route: Route, response: &Response) -> Result<Fields, Error> {
    let fields = wire::read(route.name(), response)?;
    if response.status() != 200 {
        return Err(fields.fault(ProtocolFault::UnexpectedStatus));
    }
    Ok(fields)
}

/// An identifier of an agent or resource: an HTTPS URL (http on this machine), compared byte for byte.
pub(crate) fn identifier(argument: &'static str, text: &str) -> Result<(), InputError> {
    crate::origin::Origin::parse(text.split('?').next().unwrap_or_default())
        .map(drop)
        .map_err(|_| InputError::new(argument, "is not an https URL (http on this machine only)"))
}

/// A thumbprint with SHA-256 (RFC 7638): 43 characters of base64url.
pub(crate) fn thumbprint(argument: &'static str, text: &str) -> Result<(), InputError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if text.len() == 43 && text.bytes().all(plain) {
        return Ok(());
    }
    Err(InputError::new(argument, "is no thumbprint: 43 characters of base64url"))
}

/// The public half of a key as a JWK.
pub(crate) fn public_key(argument: &'static str, jwk: &Value) -> Result<(), InputError> {
    /// Members that only private and symmetric keys have (RFC 7518 section 6).
    const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    let Some(key) = jwk.as_object().filter(|key| key.contains_key("kty")) else {
        return Err(InputError::new(argument, "is no JWK: an object with \"kty\""));
    };
    if PRIVATE.iter().any(|member| key.contains_key(*member)) {
        return Err(InputError::new(argument, "has a private half: give the public JWK"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{Answer, Operation};
    use crate::site::Site;
    use crate::time::Timestamp;
    use http::{HeaderMap, StatusCode};

    /// The path and the JSON body that an operation sends.
    pub(super) fn sent(operation: &impl Operation) -> Result<(String, Value), Error> {
        let site = Site::tenant("acme").unwrap();
        let request = operation.request(&Context::new(&site))?;
        let path = request.url().path().strip_prefix("/t/acme/api/v1/").unwrap().to_owned();
        Ok((path, serde_json::from_slice(request.body()).unwrap_or_default()))
    }

    /// What an operation reads in an answer that arrives at 1,000 s.
    pub(super) fn reads<O: Operation>(operation: &O, status: u16, body: &str) -> Result<O::Output, Error> {
        let response =
            Response::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body.as_bytes())
                .received_at(Timestamp::from_unix(1_000));
        match operation.response(&response)? {
            Answer::Done(output) => Ok(output),
            Answer::Again(_) => panic!("nothing here polls"),
        }
    }
}
