//! What the service says of a token at this moment, revocation included.

use serde_json::{Map, Value};

use super::{Body, named, read, terms};
use crate::claims::Actor;
use crate::error::{Error, ProtocolFault};
use crate::json::Fields;
use crate::operation::{Answer, Context, Effect, Operation, Terms};
use crate::origin::same_resource;
use crate::route::Route;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::wire::{Request, Response};

/// Resource tokens are checked here.
pub const VERIFY_RESOURCE_TOKEN: Route =
    Route::post("aauth.resource.token.verify", "aauth/resource/token/verify");
/// Tokens for resources are checked here.
pub const VERIFY_AUTH_TOKEN: Route = Route::post("aauth.auth.token.verify", "aauth/auth/token/verify");
pub(super) const ROUTES: &[Route] = &[VERIFY_RESOURCE_TOKEN, VERIFY_AUTH_TOKEN];

/// Asks whether a resource token is good for an agent. `POST aauth/resource/token/verify`, signed.
///
/// | part | | on the wire |
/// |---|---|---|
/// | resource token | REQUIRED | `resource_token` |
/// | agent, and the thumbprint of its key | REQUIRED | `agent`, `agent_jkt` |
#[derive(Clone, Debug)]
pub struct VerifyResourceToken {
    token: Secret,
    agent: String,
    thumbprint: String,
}

impl VerifyResourceToken {
    /// This token, shown by this agent with the key of this thumbprint.
    pub fn new(token: impl Into<Secret>, agent: impl Into<String>, thumbprint: impl Into<String>) -> Self {
        VerifyResourceToken { token: token.into(), agent: agent.into(), thumbprint: thumbprint.into() }
    }
}

impl Operation for VerifyResourceToken {
    type Output = Option<ResourceTokenClaims>;

    fn terms(&self) -> Terms {
        terms(VERIFY_RESOURCE_TOKEN, Effect::Read)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let body = Body::new().secret("resource_token", &self.token)?;
        Ok(named(body, &self.agent, &self.thumbprint)?.post(context, VERIFY_RESOURCE_TOKEN))
    }

    fn response(&self, response: &Response) -> Result<Answer<Self::Output>, Error> {
        let mut fields = read(VERIFY_RESOURCE_TOKEN, response)?;
        if !active(&mut fields)? {
            return Ok(Answer::Done(None));
        }
        for (field, own) in [("agent", &self.agent), ("agent_jkt", &self.thumbprint)] {
            if fields.text(field)?.is_some_and(|told| told != *own) {
                let problem = "the answer is about another agent or key than the one asked about";
                return Err(fields.fault(ProtocolFault::Other(problem)));
            }
        }
        Ok(Answer::Done(Some(ResourceTokenClaims {
            resource: fields.text("resource")?,
            scopes: fields.text("scope")?.map(Scopes::from).unwrap_or_default(),
            auth_request_url: fields.text("auth_request_url")?,
            extra: fields.rest(),
        })))
    }
}

/// A resource token that is good.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ResourceTokenClaims {
    /// The resource that issued it.
    pub resource: Option<String>,
    /// The scopes that it asks for.
    pub scopes: Scopes,
    /// Where the agent asks for authorization. Not followed here.
    pub auth_request_url: Option<String>,
    /// Everything else.
    pub extra: Map<String, Value>,
}

/// Asks whether an agent's token is good. `POST aauth/auth/token/verify`, signed. The only check that sees revocation.
///
/// | part | | on the wire |
/// |---|---|---|
/// | token | REQUIRED | `auth_token` |
/// | resource | OPTIONAL, the caller | `resource` |
#[derive(Clone, Debug)]
pub struct VerifyAuthToken {
    token: Secret,
    resource: Option<String>,
}

impl VerifyAuthToken {
    /// This token.
    pub fn new(token: impl Into<Secret>) -> Self {
        VerifyAuthToken { token: token.into(), resource: None }
    }

    /// Shown at this resource.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }
}

impl Operation for VerifyAuthToken {
    type Output = Option<AuthTokenClaims>;

    fn terms(&self) -> Terms {
        terms(VERIFY_AUTH_TOKEN, Effect::Read)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let body = Body::new().secret("auth_token", &self.token)?;
        let body = body.optional("resource", self.resource.as_deref());
        Ok(body.post(context, VERIFY_AUTH_TOKEN))
    }

    fn response(&self, response: &Response) -> Result<Answer<Self::Output>, Error> {
        let mut fields = read(VERIFY_AUTH_TOKEN, response)?;
        if !active(&mut fields)? {
            return Ok(Answer::Done(None));
        }
        // Said or not: a token of this kind is good only with a proof.
        if fields.value("pop_required").is_some_and(|value| value != Value::Bool(true)) {
            let problem = "the service says that the token needs no proof of possession";
            return Err(fields.fault(ProtocolFault::Other(problem)));
        }
        let actors = match fields.value("act") {
            None => Vec::new(),
            Some(act) => Actor::chain(act.clone())
                .ok_or_else(|| fields.mistyped("act", "a chain of actors with \"sub\"", &act))?,
        };
        let resource = fields.text("resource")?;
        let other = |own: &str| resource.as_deref().is_some_and(|told| !same_resource(told, own));
        if self.resource.as_deref().is_some_and(other) {
            let problem = "the answer is about another resource than the one asked about";
            return Err(fields.fault(ProtocolFault::Other(problem)));
        }
        Ok(Answer::Done(Some(AuthTokenClaims {
            agent: fields.text("agent")?,
            delegate: fields.text("agent_delegate")?,
            resource,
            subject: fields.text("sub")?,
            scopes: fields.text("scope")?.map(Scopes::from),
            expires_at: fields.timestamp("exp")?,
            thumbprint: fields.text("cnf_jkt")?,
            actors,
            extra: fields.rest(),
        })))
    }
}

/// A token that is good now, **if** the request that brought it is signed with the key of this thumbprint.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AuthTokenClaims {
    /// The agent.
    pub agent: Option<String>,
    /// The delegate that acts for the agent.
    pub delegate: Option<String>,
    /// The resource that it is for.
    pub resource: Option<String>,
    /// The person who consented.
    pub subject: Option<String>,
    /// The scopes that it has now. An empty set is none; `None` says nothing about them.
    pub scopes: Option<Scopes>,
    /// When it is over.
    pub expires_at: Option<Timestamp>,
    /// The thumbprint of the key that requests must be signed with.
    pub thumbprint: Option<String>,
    /// The chain of actors, outermost first.
    pub actors: Vec<Actor>,
    /// Everything else.
    pub extra: Map<String, Value>,
}

fn active(fields: &mut Fields) -> Result<bool, Error> {
    fields.required_boolean("active")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{reads, sent};
    use super::*;
    use serde_json::json;

    const JKT: &str = "1IG2tMH7J2wbJZnOf8LJzQitKf7LMvoAElsuDMVM54Y";

    #[test]
    fn resource_tokens() {
        let verify = VerifyResourceToken::new("rt", "https://agent.example", JKT);
        let (path, body) = sent(&verify).unwrap();
        assert_eq!(path, "aauth/resource/token/verify");
        assert_eq!(body, json!({"resource_token": "rt", "agent": "https://agent.example", "agent_jkt": JKT}));
        let good = r#"{"active":true,"resource":"https://api.example.com","scope":"read"}"#;
        let claims = reads(&verify, 200, good).unwrap().unwrap();
        assert_eq!(
            (claims.resource.as_deref(), claims.scopes),
            (Some("https://api.example.com"), "read".into())
        );
        assert_eq!(reads(&verify, 200, r#"{"active":false,"error":"expired"}"#).unwrap(), None);
        for body in [
            r#"{"active":"true"}"#,
            r#"{"active":1}"#,
            "{}",
            r#"{"active":true,"resource":1}"#,
            r#"{"active":true,"agent":"https://other.example"}"#,
            r#"{"active":true,"agent_jkt":"other"}"#,
        ] {
            assert!(matches!(reads(&verify, 200, body), Err(Error::Protocol(_))), "{body}");
        }
        let echoed = json!({"active": true, "agent": "https://agent.example", "agent_jkt": JKT}).to_string();
        assert!(reads(&verify, 200, &echoed).unwrap().is_some());
        assert!(reads(&verify, 403, r#"{"error":"access_denied"}"#).unwrap_err().is_forbidden());
    }

    #[test]
    fn agents_tokens() {
        let verify = VerifyAuthToken::new("t");
        let (path, body) = sent(&verify).unwrap();
        assert_eq!((path.as_str(), body), ("aauth/auth/token/verify", json!({"auth_token": "t"})));
        let verify = verify.resource("https://api.example.com");
        assert_eq!(sent(&verify).unwrap().1["resource"], "https://api.example.com");
        let good = r#"{"active":true,"agent":"https://agent.example","agent_delegate":"w","resource":"https://api.example.com",
            "sub":"user:alice","scope":"read","cnf_jkt":"j","act":{"sub":"a"},"pop_required":true,"x":1}"#;
        let claims = reads(&verify, 200, good).unwrap().unwrap();
        assert_eq!(
            (claims.subject.as_deref(), claims.thumbprint.as_deref()),
            (Some("user:alice"), Some("j"))
        );
        assert_eq!((claims.actors.len(), &claims.extra["x"]), (1, &json!(1)));
        assert_eq!((claims.scopes, claims.expires_at), (Some("read".into()), None));
        let scopes = |body: &str| reads(&verify, 200, body).unwrap().unwrap().scopes;
        assert_eq!(scopes(r#"{"active":true,"scope":""}"#), Some(Scopes::none()));
        assert_eq!(scopes(r#"{"active":true}"#), None);
        let ends = reads(&verify, 200, r#"{"active":true,"exp":1750000000}"#).unwrap().unwrap().expires_at;
        assert_eq!(ends, Some(Timestamp::from_unix(1_750_000_000)));
        assert!(reads(&verify, 200, r#"{"active":false}"#).unwrap().is_none());
        for (from, to) in [
            ("\"pop_required\":true", "\"pop_required\":false"),
            ("\"pop_required\":true", "\"pop_required\":\"true\""),
            ("https://api.example.com", "https://other.example"),
            ("{\"sub\":\"a\"}", "\"a\""),
            ("\"read\"", "[\"read\"]"),
            ("\"active\":true", "\"active\":null"),
            ("\"x\":1", "\"exp\":\"soon\""),
        ] {
            let body = good.replace(from, to);
            assert!(matches!(reads(&verify, 200, &body), Err(Error::Protocol(_))), "{body}");
        }
    }
}
