//! The token that an agent holds at a resource (`auth+jwt`), with everything that is known about it.

use std::fmt;

use serde_json::Value;

use crate::claims::UnverifiedClaims;
use crate::error::{Error, InputError, ProtocolError, ProtocolFault};
use crate::json::Fields;
use crate::operations::token::{lifetime, scope, sendable};
use crate::origin::Origin;
use crate::route::Route;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::token::{AccessToken, TokenType};
use crate::wire::Response;

/// The one endpoint of all four kinds of request.
pub const TOKEN: Route = Route::post("aauth.agent.token", "aauth/agent/token");
pub(super) const ROUTES: &[Route] = &[TOKEN];

/// What the authorization server calls its tokens.
const KIND: &str = "auth+jwt";

/// A token for one resource, good only together with the agent's key (`docs/wire.md`, aauth-token).
#[derive(Clone)]
pub struct AuthToken {
    access: AccessToken,
    refresh: Option<Secret>,
    request_id: Option<String>,
    resource: Option<String>,
}

impl AuthToken {
    /// A token that was kept. The resource is the one it names as its audience.
    pub fn new(access: AccessToken) -> Self {
        let resource = audience(access.secret());
        AuthToken { access, refresh: None, request_id: None, resource }
    }

    /// With the refresh token that was kept beside it.
    pub fn refresh(mut self, refresh_token: impl Into<Secret>) -> Self {
        self.refresh = Some(refresh_token.into());
        self
    }

    /// Says which resource the token is for. Needed for tokens that do not say so themselves; a token that names another
    /// resource is refused.
    ///
    /// # Errors
    /// [`InputError`] if it is not an https URL (http on this machine only), or the token names another origin.
    pub fn bound_to(mut self, resource: impl Into<String>) -> Result<Self, InputError> {
        let resource = resource.into();
        super::identifier("resource", &resource)?;
        if !may_be_for(self.access.secret(), &resource) {
            return Err(InputError::new("resource", "is not the one that the token names as its audience"));
        }
        self.resource = Some(resource);
        Ok(self)
    }

    /// A renewed token is for the same resource as the one that it follows, if it does not say so itself.
    ///
    /// # Errors
    /// [`ProtocolFault::UnusableToken`] if it says that it is for another one.
    #[cfg_attr(not(any(feature = "blocking", feature = "async")), allow(dead_code))] // its users are the clients
    pub(crate) fn for_resource_of(mut self, earlier: &AuthToken) -> Result<Self, Error> {
        if earlier.resource().is_some_and(|resource| !may_be_for(self.access.secret(), resource)) {
            let problem = "it is for another resource than the token that it follows";
            let fault = ProtocolFault::UnusableToken { problem };
            return Err(ProtocolError::new(TOKEN.name(), 200, fault).into());
        }
        self.resource = self.resource.or_else(|| earlier.resource.clone());
        Ok(self)
    }

    /// The token itself.
    pub fn auth_token(&self) -> &Secret {
        self.access.secret()
    }

    /// The token itself, under the name that older answers give it.
    pub fn access_token(&self) -> &Secret {
        self.access.secret()
    }

    /// `auth+jwt`; `Bearer` in older answers. It is never good without the agent's signature, whatever its type says.
    pub fn token_type(&self) -> &TokenType {
        self.access.token_type()
    }

    /// When it ends.
    pub fn expires_at(&self) -> Timestamp {
        self.access.expires_at()
    }

    /// The scopes that were granted.
    pub fn scopes(&self) -> &Scopes {
        self.access.scopes()
    }

    /// The refresh token, if there is one. The service does not rotate it: it stays until a new one comes.
    pub fn refresh_token(&self) -> Option<&Secret> {
        self.refresh.as_ref()
    }

    /// The service's name for the request, if it gave one.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The resource that the token is for: its audience, or what [`AuthToken::bound_to`] said.
    pub fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// The only origin that the token may travel to.
    pub fn resource_origin(&self) -> Option<Origin> {
        self.resource.as_deref().and_then(|resource| Origin::of(&resource.parse().ok()?))
    }

    /// As an access token, for [`crate::ApiRequest::token`] and the like.
    pub fn as_access_token(&self) -> &AccessToken {
        &self.access
    }
}

/// Reads the token out of an answer, if there is one: `auth_token`, else `access_token`.
pub(super) fn token(
    fields: &mut Fields,
    response: &Response,
    asked: &Scopes,
) -> Result<Option<AuthToken>, Error> {
    let token = match fields.text("auth_token")? {
        Some(token) => token,
        None => match fields.text("access_token")? {
            Some(token) => token,
            None => return Ok(None),
        },
    };
    if token.is_empty() {
        return Err(fields.fault(ProtocolFault::UnusableToken { problem: "it is empty" }));
    }
    let token = Secret::new(token);
    sendable(&token, fields)?;
    let token_type = match fields.text("token_type")? {
        None => TokenType::Other(KIND.to_owned()),
        Some(text) if text.eq_ignore_ascii_case(KIND) => TokenType::Other(KIND.to_owned()),
        Some(text) if text.eq_ignore_ascii_case("bearer") => TokenType::Bearer,
        Some(_) => {
            let problem = "its type is neither auth+jwt nor Bearer";
            return Err(fields.fault(ProtocolFault::UnusableToken { problem }));
        }
    };
    let scopes = scope(fields)?.unwrap_or_else(|| asked.clone());
    if !asked.is_empty() && !scopes.are_within(asked) {
        return Err(fields.fault(ProtocolFault::WiderScope));
    }
    let lifetime = lifetime(fields)?;
    let refresh = fields.text("refresh_token")?.filter(|text| !text.is_empty()).map(Secret::new);
    let request_id = fields.text("request_id")?;
    let issued = response.received().unwrap_or_default();
    let access = AccessToken::new(token, token_type, scopes, issued, lifetime);
    Ok(Some(AuthToken { refresh, request_id, ..AuthToken::new(access) }))
}

/// The audience that a token names, if it is one URL. Not verified: it only narrows where the token may travel.
fn audience(token: &Secret) -> Option<String> {
    let claims = UnverifiedClaims::read(token).ok()?;
    let audience = claims.unverified_claims().get("aud")?.as_str()?;
    super::identifier("aud", audience).ok()?;
    Some(audience.to_owned())
}

/// False for a token that says that it is for somebody else than this resource: each URL among its audiences must be on the
/// resource's origin, and malformed is not absent. Other names, and tokens that name nobody, say nothing. Not verified.
fn may_be_for(token: &Secret, resource: &str) -> bool {
    let claims = match UnverifiedClaims::of_jwt(token) {
        Ok(None) => return true,
        Ok(Some(claims)) => claims,
        Err(_) => return false,
    };
    let origin = |url: &str| Origin::of(&url.parse().ok()?);
    let fits = |name: &Value| {
        name.as_str().is_some_and(|name| !name.contains("://") || origin(name) == origin(resource))
    };
    match claims.unverified_claims().get("aud") {
        None => true,
        Some(Value::Array(names)) => !names.is_empty() && names.iter().all(fits),
        Some(name) => fits(name),
    }
}

impl fmt::Debug for AuthToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AuthToken { access, refresh, request_id, resource } = self;
        f.debug_struct("AuthToken")
            .field("access", access)
            .field("refresh", refresh)
            .field("request_id", &request_id.as_deref().map(crate::error::inert))
            .field("resource", &resource.as_deref().map(crate::error::inert))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use std::time::Duration;

    fn kept(audience: &str) -> AuthToken {
        let payload = URL_SAFE_NO_PAD.encode(format!(r#"{{"aud":{audience}}}"#));
        let secret = Secret::new(format!("e30.{payload}.x"));
        let kind = TokenType::Other(KIND.into());
        AuthToken::new(AccessToken::new(
            secret,
            kind,
            Scopes::none(),
            Timestamp::default(),
            Duration::from_secs(1),
        ))
    }

    #[test]
    fn it_knows_where_it_may_travel() {
        let origin = |token: &AuthToken| token.resource_origin().map(|origin| origin.to_string());
        let token = kept("\"https://api.example.com/v1\"");
        assert_eq!(origin(&token).as_deref(), Some("https://api.example.com"));
        assert!(token.clone().bound_to("https://api.example.com/v2").is_ok());
        let error = token.bound_to("https://evil.test").unwrap_err();
        assert_eq!(error.argument(), "resource");
        for odd in ["5", "[\"https://api.example.com\"]", "\"urn:x\"", "\"http://api.example.com\"", "\"\""] {
            assert_eq!(origin(&kept(odd)), None, "{odd}");
        }
        let bound = kept("\"urn:x\"").bound_to("https://api.example.com").unwrap();
        assert_eq!(origin(&bound).as_deref(), Some("https://api.example.com"));
        assert!(kept("5").bound_to("http://api.example.com").is_err());
        // As a list, and in other forms.
        for fits in ["[\"https://API.example.com:443/x\"]", "[\"urn:x\",\"https://api.example.com\"]"] {
            assert!(kept(fits).bound_to("https://api.example.com").is_ok(), "{fits}");
        }
        for odd in [
            "[\"https://evil.test\"]",
            "[\"https://api.example.com\",\"https://evil.test\"]",
            "[\"https://api.example.com\",5]",
            "\"http://api.example.com\"",
            "\"https://\"",
            "[]",
            "null",
            "{}",
            "5",
        ] {
            assert!(kept(odd).bound_to("https://api.example.com").is_err(), "{odd}");
        }
    }

    #[test]
    fn a_renewed_token_is_for_the_resource_of_the_one_before() {
        let earlier = kept("\"https://api.example.com/v1\"");
        let renewed = |audience: &str| kept(audience).for_resource_of(&earlier).map(|token| token.resource);
        assert_eq!(renewed("\"urn:x\"").unwrap().as_deref(), Some("https://api.example.com/v1"));
        assert_eq!(
            renewed("\"https://api.example.com/v2\"").unwrap().as_deref(),
            Some("https://api.example.com/v2")
        );
        for other in ["\"https://evil.test\"", "[\"https://evil.test\"]", "7"] {
            let error = renewed(other).unwrap_err();
            assert!(error.to_string().contains("another resource"), "{other}: {error}");
        }
    }

    #[test]
    fn it_prints_without_its_secrets() {
        let token = kept("\"https://api.example.com\"").refresh("canary-refresh");
        let shown = format!("{token:?}");
        assert!(!shown.contains("canary") && !shown.contains(token.auth_token().expose()), "{shown}");
    }
}
