//! Asking for authorization at a resource: granted at once, or after a person's consent.

use super::consent::Consent;
use super::token::{AuthToken, TOKEN, token};
use super::{Body, terms};
use crate::error::{Error, InputError, ProtocolFault};
use crate::json::{self, Fields};
use crate::operation::{Answer, Context, Effect, Operation, Terms};
use crate::operations::consent::check_redirect_uri;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::wire::{self, Request, Response};

/// Asks for a token for the resource that issued the resource token. `POST aauth/agent/token`, `request_type` `auth`,
/// signed.
///
/// | part | | on the wire |
/// |---|---|---|
/// | resource token | REQUIRED | `resource_token`; the scopes are bound by it |
/// | redirect URI, as registered | REQUIRED for consent | `redirect_uri` |
/// | scopes | OPTIONAL, for information | `scope`; the answer may not have more |
/// | state | OPTIONAL, REQUIRED to read the answer's URL | not sent; goes along with the consent URL |
///
/// It may make the service ask a person, so it is never repeated once anything was sent.
#[derive(Clone, Debug)]
pub struct Authorize {
    resource_token: Secret,
    redirect_uri: Option<String>,
    scopes: Scopes,
    state: Option<Secret>,
}

impl Authorize {
    /// With this resource token.
    pub fn new(resource_token: impl Into<Secret>) -> Self {
        Authorize {
            resource_token: resource_token.into(),
            redirect_uri: None,
            scopes: Scopes::none(),
            state: None,
        }
    }

    /// Where the person comes back to, exactly as it is registered.
    pub fn redirect_uri(mut self, redirect_uri: impl Into<String>) -> Self {
        self.redirect_uri = Some(redirect_uri.into());
        self
    }

    /// The scopes that are wanted.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// The value that the person's answer must carry back: unguessable, new for every request.
    pub fn state(mut self, state: impl Into<Secret>) -> Self {
        self.state = Some(state.into());
        self
    }

    #[cfg_attr(not(any(feature = "blocking", feature = "async")), allow(dead_code))] // its users are the clients
    pub(crate) fn or(mut self, redirect_uri: Option<&str>, state: Secret) -> Self {
        self.redirect_uri = self.redirect_uri.or_else(|| redirect_uri.map(str::to_owned));
        self.state.get_or_insert(state);
        self
    }
}

impl From<&str> for Authorize {
    fn from(resource_token: &str) -> Self {
        Authorize::new(resource_token)
    }
}

impl From<String> for Authorize {
    fn from(resource_token: String) -> Self {
        Authorize::new(resource_token)
    }
}

impl From<Secret> for Authorize {
    fn from(resource_token: Secret) -> Self {
        Authorize::new(resource_token)
    }
}

impl Operation for Authorize {
    type Output = Authorization;

    fn terms(&self) -> Terms {
        terms(TOKEN, Effect::Once)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        if let Some(redirect_uri) = &self.redirect_uri {
            check_redirect_uri(redirect_uri)?;
        }
        if self.state.as_ref().is_some_and(Secret::is_empty) {
            return Err(InputError::new("state", "is empty").into());
        }
        let scope = self.scopes.parameter()?;
        let body = Body::new()
            .text("request_type", "auth")
            .secret("resource_token", &self.resource_token)?
            .optional("scope", scope.as_deref())
            .optional("redirect_uri", self.redirect_uri.as_deref());
        Ok(body.post(context, TOKEN))
    }

    fn response(&self, response: &Response) -> Result<Answer<Authorization>, Error> {
        let (redirect_uri, state) = (self.redirect_uri.as_deref(), self.state.as_ref());
        authorization(response, redirect_uri, state, &self.scopes).map(Answer::Done)
    }
}

/// What came of a request for authorization. The second kind is an answer too, not a failure.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // taken apart at once, never stored in numbers
pub enum Authorization {
    /// A token.
    Granted(AuthToken),
    /// A person has to consent first.
    Consent(Consent),
}

impl Authorization {
    /// The token, if it was granted at once.
    pub fn granted(self) -> Option<AuthToken> {
        match self {
            Authorization::Granted(token) => Some(token),
            Authorization::Consent(_) => None,
        }
    }

    /// What a person has to consent to, if it was not.
    pub fn consent(self) -> Option<Consent> {
        match self {
            Authorization::Granted(_) => None,
            Authorization::Consent(consent) => Some(consent),
        }
    }
}

/// Reads either kind of answer (`docs/wire.md`, aauth-consent): a token at 200; consent at 200 or 401, if there is no token and
/// the answer says where or for what. Every other 401 is the refusal it is.
pub(super) fn authorization(
    response: &Response,
    redirect_uri: Option<&str>,
    state: Option<&Secret>,
    scopes: &Scopes,
) -> Result<Authorization, Error> {
    if response.status() == 401 {
        if let Ok(serde_json::Value::Object(map)) = json::parse(response.body()) {
            let mut fields = Fields::new(TOKEN.name(), 401, map);
            let has_token = fields.value("auth_token").is_some() || fields.value("access_token").is_some();
            if !has_token {
                let consent = Consent::read(&mut fields, response, redirect_uri, state, scopes)?;
                if let Some(consent) = consent {
                    return Ok(Authorization::Consent(consent));
                }
            }
        }
        wire::succeeded(TOKEN.name(), response)?;
    }
    let mut fields = super::read(TOKEN, response)?;
    if let Some(token) = token(&mut fields, response, scopes)? {
        return Ok(Authorization::Granted(token));
    }
    match Consent::read(&mut fields, response, redirect_uri, state, scopes)? {
        Some(consent) => Ok(Authorization::Consent(consent)),
        None => Err(fields.missing("auth_token")),
    }
}

/// Reads an answer that has to be a token.
pub(super) fn granted(response: &Response, scopes: &Scopes) -> Result<AuthToken, Error> {
    let mut fields = super::read(TOKEN, response)?;
    token(&mut fields, response, scopes)?
        .ok_or_else(|| fields.fault(ProtocolFault::Missing { field: "auth_token" }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{reads, sent};
    use super::*;
    use crate::time::Timestamp;
    use crate::token::TokenType;
    use serde_json::json;

    fn ask() -> Authorize {
        Authorize::new("rt").redirect_uri("https://agent.example/cb").scopes(["read", "write"]).state("s")
    }

    #[test]
    fn the_request() {
        let (path, body) = sent(&ask()).unwrap();
        assert_eq!(path, "aauth/agent/token");
        assert_eq!(
            body,
            json!({"request_type": "auth", "resource_token": "rt", "scope": "read write",
                   "redirect_uri": "https://agent.example/cb"})
        );
        assert_eq!(
            sent(&Authorize::new("rt")).unwrap().1,
            json!({"request_type": "auth", "resource_token": "rt"})
        );
        assert_eq!(ask().terms().effect, Effect::Once);
        for bad in [
            Authorize::new(""),
            ask().redirect_uri("/cb"),
            ask().redirect_uri("https://a/#f"),
            ask().scopes("a\"b"),
            ask().state(""),
        ] {
            assert!(matches!(sent(&bad), Err(Error::Input(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_token_by_either_name() {
        let new = r#"{"request_type":"auth","auth_token":"a.b.c","expires_in":300,"token_type":"auth+jwt","refresh_token":"r"}"#;
        let token = reads(&ask(), 200, new).unwrap().granted().unwrap();
        assert_eq!((token.auth_token().expose(), token.access_token().expose()), ("a.b.c", "a.b.c"));
        assert_eq!(token.token_type(), &TokenType::Other("auth+jwt".into()));
        assert_eq!(token.expires_at(), Timestamp::from_unix(1_300));
        assert_eq!(token.scopes(), &Scopes::from("read write"), "as asked for");
        assert_eq!(token.refresh_token().unwrap().expose(), "r");
        let old = r#"{"access_token":"t","token_type":"Bearer","expires_in":3600,"scope":"read","refresh_token":"aauth_refresh_1"}"#;
        let token = reads(&ask(), 200, old).unwrap().granted().unwrap();
        assert_eq!((token.auth_token().expose(), token.token_type()), ("t", &TokenType::Bearer));
        assert_eq!(token.scopes(), &Scopes::from("read"));
        let both = r#"{"auth_token":"new","access_token":"old"}"#;
        assert_eq!(reads(&ask(), 200, both).unwrap().granted().unwrap().auth_token().expose(), "new");
        let with_url = r#"{"auth_token":"new","authorization_uri":"https://app.lumoauth.dev/x"}"#;
        assert!(reads(&ask(), 200, with_url).unwrap().granted().is_some(), "a token is never consent");
    }

    #[test]
    fn consent_in_both_shapes() {
        for (status, body) in [
            (
                200,
                r#"{"request_type":"auth","request_token":"q","authorization_uri":"https://app.lumoauth.dev/x","expires_in":600}"#,
            ),
            (
                401,
                r#"{"error":"authorization_required","auth_url":"https://app.lumoauth.dev/x","request_token":"q"}"#,
            ),
            (200, r#"{"request_token":"q"}"#),
            (401, r#"{"auth_url":"https://app.lumoauth.dev/x"}"#),
        ] {
            assert!(reads(&ask(), status, body).unwrap().consent().is_some(), "{status} {body}");
        }
    }

    #[test]
    fn every_other_401_is_a_refusal() {
        for body in [
            r#"{"error":"invalid_signature"}"#,
            r#"{"error":"authentication_required","auth_server":"https://app.lumoauth.dev"}"#,
            r#"{"error":"authorization_required"}"#,
            r#"{"error":"authorization_required","auth_url":"","request_token":""}"#,
            r#"{"error":"x","auth_url":"https://app.lumoauth.dev/x","auth_token":"t"}"#,
            r#"{"auth_url":null}"#,
            "<html>",
            "",
        ] {
            let error = reads(&ask(), 401, body).unwrap_err();
            assert!(error.is_unauthorized() && error.status() == Some(401), "{body}: {error}");
        }
        let odd = reads(&ask(), 401, r#"{"auth_url":5}"#).unwrap_err();
        assert!(matches!(odd, Error::Protocol(_)), "malformed is not absent: {odd}");
    }

    #[test]
    fn nothing_else_is_a_token() {
        for (status, body) in [
            (200, "{}"),
            (200, r#"{"auth_token":""}"#),
            (200, r#"{"auth_token":5,"access_token":"t"}"#),
            (200, r#"{"auth_token":"a b"}"#),
            (200, r#"{"auth_token":"t","token_type":"DPoP"}"#),
            (200, r#"{"auth_token":"t","expires_in":-1}"#),
            (200, r#"{"auth_token":"t","scope":"read admin"}"#),
            (200, r#"{"auth_token":"t","refresh_token":5}"#),
            (200, r#"{"request_token":5}"#),
            (200, r#"{"request_token":"q","expires_in":"soon"}"#),
            (201, r#"{"auth_token":"t"}"#),
            (302, r#"{"auth_token":"t"}"#),
            (200, r#"["auth_token"]"#),
        ] {
            assert!(matches!(reads(&ask(), status, body), Err(Error::Protocol(_))), "{status} {body}");
        }
        let body = r#"{"request_token":"q","auth_url":"https://app.lumoauth.dev/x"}"#;
        assert!(matches!(reads(&ask(), 400, body), Err(Error::Api(_))), "consent is at 200 or 401 only");
    }
}
