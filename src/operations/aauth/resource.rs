//! What a resource asks of the service: tokens that tell agents what they need here.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Body, identifier, named, read, terms};
use crate::error::{Error, InputError, ProtocolFault};
use crate::operation::{Answer, Auth, Context, Effect, Operation, Terms};
use crate::operations::token::{lifetime, sendable};
use crate::route::Route;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::token::{AccessToken, TokenType};
use crate::wire::{Request, Response};

/// Resources get their tokens here.
pub const RESOURCE_TOKEN: Route = Route::post("aauth.resource.token", "aauth/resource/token");
pub(super) const ROUTES: &[Route] = &[RESOURCE_TOKEN];

/// The longest that a resource token may be asked to live.
const LONGEST: Duration = Duration::from_secs(3600);

/// Has the service issue a resource token for an agent. `POST aauth/resource/token`, signed with the **resource's** key.
///
/// | part | | on the wire |
/// |---|---|---|
/// | agent, and the thumbprint of its key | REQUIRED | `agent`, `agent_jkt` |
/// | scopes that the agent needs | OPTIONAL | `scope` |
/// | where the agent asks for authorization | OPTIONAL | `auth_request_url` |
/// | authorization server | OPTIONAL | `auth_server` |
#[derive(Clone, Debug)]
pub struct GetResourceToken {
    agent: String,
    thumbprint: String,
    scopes: Scopes,
    auth_request_url: Option<String>,
    auth_server: Option<String>,
}

impl GetResourceToken {
    /// For this agent with the key of this thumbprint (RFC 7638).
    pub fn new(agent: impl Into<String>, thumbprint: impl Into<String>) -> Self {
        GetResourceToken {
            agent: agent.into(),
            thumbprint: thumbprint.into(),
            scopes: Scopes::none(),
            auth_request_url: None,
            auth_server: None,
        }
    }

    /// The scopes that the agent needs.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// Where the agent asks for authorization.
    pub fn auth_request_url(mut self, url: impl Into<String>) -> Self {
        self.auth_request_url = Some(url.into());
        self
    }

    /// The authorization server that the token is for.
    pub fn auth_server(mut self, issuer: impl Into<String>) -> Self {
        self.auth_server = Some(issuer.into());
        self
    }
}

impl Operation for GetResourceToken {
    type Output = ResourceToken;

    fn terms(&self) -> Terms {
        terms(RESOURCE_TOKEN, Effect::Repeatable)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let scope = self.scopes.parameter()?;
        let body = named(Body::new(), &self.agent, &self.thumbprint)?
            .optional("scope", scope.as_deref())
            .optional("auth_request_url", self.auth_request_url.as_deref())
            .optional("auth_server", self.auth_server.as_deref());
        Ok(body.post(context, RESOURCE_TOKEN))
    }

    fn response(&self, response: &Response) -> Result<Answer<ResourceToken>, Error> {
        resource_token(response).map(Answer::Done)
    }
}

/// The same as older services have it (`docs/wire.md`, aauth-resource-older): the resource names itself, and signs nothing.
/// `POST aauth/resource/token`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | identifier of the resource | REQUIRED | `Authorization: Bearer`, and `resource_identifier` |
/// | audience: the authorization server | REQUIRED | `audience` |
/// | lifetime | OPTIONAL, 300 s | `lifetime`, in seconds |
///
/// **Security:** whoever knows the name of the resource can do this. Use [`GetResourceToken`] where the service has it.
#[derive(Clone, Debug)]
pub struct GetResourceTokenByName {
    resource: String,
    audience: String,
    lifetime: Duration,
}

impl GetResourceTokenByName {
    /// For this resource, to be shown at this authorization server.
    pub fn new(resource: impl Into<String>, audience: impl Into<String>) -> Self {
        let lifetime = Duration::from_secs(300);
        GetResourceTokenByName { resource: resource.into(), audience: audience.into(), lifetime }
    }

    /// How long it is to live: whole seconds, an hour at most.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }
}

impl Operation for GetResourceTokenByName {
    type Output = ResourceToken;

    fn terms(&self) -> Terms {
        let (name, scopes) = (Secret::new(&*self.resource), Scopes::none());
        let token = AccessToken::new(name, TokenType::Bearer, scopes, Timestamp::default(), Duration::ZERO);
        let terms = Terms::new(RESOURCE_TOKEN.name(), Effect::Repeatable, Auth::Token(token));
        terms.total(crate::operations::token::TOTAL)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        identifier("resource", &self.resource)?;
        if self.audience.is_empty() {
            return Err(InputError::new("audience", "is empty").into());
        }
        if self.lifetime.as_secs() == 0 || self.lifetime > LONGEST {
            return Err(InputError::new("lifetime", "is not between one second and one hour").into());
        }
        let body = json!({"resource_identifier": self.resource, "audience": self.audience,
                          "lifetime": self.lifetime.as_secs()});
        Ok(context.to(RESOURCE_TOKEN).json(&body))
    }

    fn response(&self, response: &Response) -> Result<Answer<ResourceToken>, Error> {
        resource_token(response).map(Answer::Done)
    }
}

fn resource_token(response: &Response) -> Result<ResourceToken, Error> {
    let mut fields = read(RESOURCE_TOKEN, response)?;
    let token = Secret::new(fields.required_text("resource_token")?);
    sendable(&token, &fields)?;
    match fields.text("token_type")? {
        Some(text) if !text.eq_ignore_ascii_case("resource+jwt") => {
            let problem = "its type is not resource+jwt";
            return Err(fields.fault(ProtocolFault::UnusableToken { problem }));
        }
        _ => {}
    }
    let lifetime = lifetime(&mut fields)?;
    let expires_at = response.received().unwrap_or_default().saturating_add(lifetime);
    Ok(ResourceToken { token, expires_at, extra: Value::Object(fields.rest()) })
}

/// What a resource hands to an agent that needs authorization (`resource+jwt`).
#[derive(Clone)]
pub struct ResourceToken {
    token: Secret,
    expires_at: Timestamp,
    extra: Value,
}

impl ResourceToken {
    /// The token itself.
    pub fn secret(&self) -> &Secret {
        &self.token
    }

    /// When it ends.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Everything else that the answer says, an object.
    pub fn extra(&self) -> &Value {
        &self.extra
    }
}

impl fmt::Debug for ResourceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ResourceToken { token, expires_at, extra: _ } = self;
        f.debug_struct("ResourceToken")
            .field("token", token)
            .field("expires_at", expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{reads, sent};
    use super::*;

    const JKT: &str = "1IG2tMH7J2wbJZnOf8LJzQitKf7LMvoAElsuDMVM54Y";

    #[test]
    fn the_signed_form() {
        let get =
            GetResourceToken::new("https://agent.example", JKT).scopes("read").auth_server("https://as");
        let (path, body) = sent(&get).unwrap();
        assert_eq!(path, "aauth/resource/token");
        assert_eq!(
            body,
            json!({"agent": "https://agent.example", "agent_jkt": JKT, "scope": "read", "auth_server": "https://as"})
        );
        for (agent, jkt) in
            [("", JKT), ("agent", JKT), ("http://agent.example", JKT), ("https://agent.example", "x")]
        {
            assert!(
                matches!(sent(&GetResourceToken::new(agent, jkt)), Err(Error::Input(_))),
                "{agent} {jkt}"
            );
        }
    }

    #[test]
    fn the_older_form() {
        let get = GetResourceTokenByName::new("https://api.example.com", "https://as");
        assert_eq!(
            sent(&get).unwrap().1,
            json!({"resource_identifier": "https://api.example.com", "audience": "https://as", "lifetime": 300})
        );
        let Auth::Token(token) = get.terms().auth else { panic!("it names itself as Bearer") };
        assert_eq!(token.secret().expose(), "https://api.example.com");
        assert!(sent(&get.clone().lifetime(Duration::from_secs(3601))).is_err());
        assert!(sent(&get.lifetime(Duration::from_millis(999))).is_err());
    }

    #[test]
    fn the_answer() {
        let get = GetResourceToken::new("https://agent.example", JKT);
        let good = r#"{"resource_token":"a.b.c","token_type":"resource+jwt","expires_in":300}"#;
        let token = reads(&get, 200, good).unwrap();
        assert_eq!((token.secret().expose(), token.expires_at().unix()), ("a.b.c", 1_300));
        assert!(!format!("{token:?}").contains("a.b.c"));
        for body in ["{}", r#"{"resource_token":""}"#, r#"{"resource_token":"t","token_type":"Bearer"}"#] {
            assert!(matches!(reads(&get, 200, body), Err(Error::Protocol(_))), "{body}");
        }
        assert!(reads(&get, 401, r#"{"error":"invalid_signature"}"#).unwrap_err().is_unauthorized());
    }
}
