//! The service's own description (RFC 8414): who it says it is.

use serde_json::{Map, Value};

use crate::error::{Error, ProtocolFault};
use crate::operation::{Answer, Auth, Context, Effect, Operation, Terms};
use crate::route::Route;
use crate::wire::{self, Request, Response};

/// What the service says of itself (OpenID Connect Discovery).
pub const OPENID_CONFIGURATION: Route =
    Route::get("wellknown.openid_configuration", ".well-known/openid-configuration");
/// What the service says of itself (RFC 8414).
pub const AUTHORIZATION_SERVER: Route =
    Route::get("wellknown.oauth_authorization_server", ".well-known/oauth-authorization-server");
/// The keys of the tenant's tokens.
pub const JWKS: Route = Route::get("wellknown.jwks", ".well-known/jwks.json");
pub(super) const ROUTES: &[Route] = &[OPENID_CONFIGURATION, AUTHORIZATION_SERVER, JWKS];

/// No consent is asked for where the code could be used by whoever steals it.
pub(crate) const NO_S256: ProtocolFault = ProtocolFault::Other("the service does not support PKCE with S256");

/// Reads the tenant's metadata. `GET .well-known/oauth-authorization-server` or `.well-known/openid-configuration` behind the
/// tenant's API base, no parts. Ask for the first, and for the second upon anything but a good document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GetMetadata {
    openid: bool,
}

impl GetMetadata {
    /// Of the tenant (RFC 8414).
    pub const fn new() -> Self {
        GetMetadata { openid: false }
    }

    /// The same under its other name (OpenID Connect Discovery).
    pub const fn openid() -> Self {
        GetMetadata { openid: true }
    }

    const fn route(self) -> Route {
        if self.openid { OPENID_CONFIGURATION } else { AUTHORIZATION_SERVER }
    }
}

impl Operation for GetMetadata {
    type Output = ServerMetadata;

    fn terms(&self) -> Terms {
        Terms::new(self.route().name(), Effect::Read, Auth::None).body_limit(1024 * 1024)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        Ok(context.to(self.route()))
    }

    fn response(&self, response: &Response) -> Result<Answer<ServerMetadata>, Error> {
        let mut fields = wire::read(self.route().name(), response)?;
        let issuer = fields.required_text("issuer")?;
        let carries = fields.value("authorization_response_iss_parameter_supported");
        let answers_carry_issuer = match carries {
            None => false,
            Some(Value::Bool(carries)) => carries,
            Some(other) => {
                let field = "authorization_response_iss_parameter_supported";
                return Err(fields.mistyped(field, "true or false", &other));
            }
        };
        let methods = fields.texts("code_challenge_methods_supported")?;
        if !methods.is_empty() && !methods.iter().any(|method| method == "S256") {
            return Err(fields.fault(NO_S256));
        }
        let supports_s256 = !methods.is_empty();
        Ok(Answer::Done(ServerMetadata { issuer, answers_carry_issuer, supports_s256, extra: fields.rest() }))
    }
}

/// What the service says of itself. Endpoints are not taken from here: those are always the site's.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerMetadata {
    issuer: String,
    answers_carry_issuer: bool,
    supports_s256: bool,
    extra: Map<String, Value>,
}

impl ServerMetadata {
    /// The issuer, to be compared byte for byte.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// True if answers of the consent flow name the issuer (RFC 9207 section 3).
    pub fn answers_carry_issuer(&self) -> bool {
        self.answers_carry_issuer
    }

    /// True if the service says that it supports PKCE with S256 (RFC 8414 section 2). One that says so of other methods
    /// only is an error already.
    pub fn supports_s256(&self) -> bool {
        self.supports_s256
    }

    /// Everything else.
    pub fn extra(&self) -> &Map<String, Value> {
        &self.extra
    }
}
