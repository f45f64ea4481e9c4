//! Tokens that the service issues by the agent's own token: for a delegate of it, and for the platform's API.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::{Body, public_key, read, terms};
use crate::error::{Error, InputError, ProtocolFault};
use crate::operation::{Answer, Context, Effect, Operation, Terms};
use crate::operations::token::{access_token, lifetime, sendable};
use crate::route::Route;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::token::{AccessToken, TokenType};
use crate::wire::{Request, Response};

/// Agents issue tokens to delegates here.
pub const ISSUE: Route = Route::post("aauth.agent.issue", "aauth/agent/issue");
/// Agents get tokens for the platform's API here.
pub const PLATFORM_TOKEN: Route = Route::post("aauth.agent.platform_token", "aauth/agent/platform-token");
pub(super) const ROUTES: &[Route] = &[ISSUE, PLATFORM_TOKEN];

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const SUBJECT: &str = "urn:lumoauth:params:oauth:token-type:aauth-token";

/// What an agent shows at the authorization server (`agent+jwt`): who it is, and which key is its own. Good only with that key.
#[derive(Clone)]
pub struct AgentToken {
    token: Secret,
    expires_at: Timestamp,
    lifetime: Duration,
}

impl AgentToken {
    /// A token that came from elsewhere, with the time at which it was issued and how long it lives.
    pub fn new(token: impl Into<Secret>, issued: Timestamp, lifetime: Duration) -> Self {
        AgentToken { token: token.into(), expires_at: issued.saturating_add(lifetime), lifetime }
    }

    /// The token itself.
    pub fn secret(&self) -> &Secret {
        &self.token
    }

    /// When it ends.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// How long it lives in all.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }
}

impl fmt::Debug for AgentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AgentToken { token, expires_at, lifetime } = self;
        f.debug_struct("AgentToken")
            .field("token", token)
            .field("expires_at", expires_at)
            .field("lifetime", lifetime)
            .finish()
    }
}

/// Has the service issue an agent token for a delegate of this agent. `POST aauth/agent/issue`, signed.
///
/// | part | | on the wire |
/// |---|---|---|
/// | name of the delegate | REQUIRED | `delegate_sub` |
/// | public key of the delegate, as a JWK | REQUIRED | `delegate_public_key` |
/// | audiences | OPTIONAL | `audience`: a text, or a list of them |
#[derive(Clone, Debug)]
pub struct IssueDelegate {
    delegate: String,
    public_key: Value,
    audiences: Vec<String>,
}

impl IssueDelegate {
    /// For the delegate of this name, with the public half of its key.
    pub fn new(delegate: impl Into<String>, public_key: Value) -> Self {
        IssueDelegate { delegate: delegate.into(), public_key, audiences: Vec::new() }
    }

    /// Adds an audience.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }
}

impl Operation for IssueDelegate {
    type Output = AgentToken;

    fn terms(&self) -> Terms {
        terms(ISSUE, Effect::Repeatable)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        if self.delegate.is_empty() {
            return Err(InputError::new("delegate", "is empty").into());
        }
        public_key("public_key", &self.public_key)?;
        let body = Body::new()
            .text("delegate_sub", &self.delegate)
            .value("delegate_public_key", self.public_key.clone());
        let body = match self.audiences.as_slice() {
            [] => body,
            [one] => body.text("audience", one),
            several => body.value("audience", several.into()),
        };
        Ok(body.post(context, ISSUE))
    }

    fn response(&self, response: &Response) -> Result<Answer<AgentToken>, Error> {
        let mut fields = read(ISSUE, response)?;
        let token = match fields.text("agent_token")? {
            Some(token) => token,
            None => fields.text("access_token")?.ok_or_else(|| fields.missing("agent_token"))?,
        };
        if token.is_empty() {
            return Err(fields.fault(ProtocolFault::UnusableToken { problem: "it is empty" }));
        }
        let token = Secret::new(token);
        sendable(&token, &fields)?;
        // Older answers of an agent's own server call it Bearer (`docs/wire.md`, aauth-issue).
        match fields.text("token_type")? {
            Some(text) if !["agent+jwt", "bearer"].contains(&&*text.to_ascii_lowercase()) => {
                let problem = "its type is not agent+jwt";
                return Err(fields.fault(ProtocolFault::UnusableToken { problem }));
            }
            _ => {}
        }
        let lifetime = lifetime(&mut fields)?;
        Ok(Answer::Done(AgentToken::new(token, response.received().unwrap_or_default(), lifetime)))
    }
}

/// Trades the agent token for a token for the platform's own API. `POST aauth/agent/platform-token`, signed.
///
/// | part | | on the wire |
/// |---|---|---|
/// | agent token | REQUIRED | `subject_token`, with `grant_type` and `subject_token_type` |
/// | scopes, to have fewer | OPTIONAL | `scope` |
#[derive(Clone, Debug)]
pub struct GetPlatformToken {
    agent_token: Secret,
    scopes: Scopes,
    thumbprint: Option<String>,
}

impl GetPlatformToken {
    /// For the agent that this token speaks of.
    pub fn new(agent_token: impl Into<Secret>) -> Self {
        GetPlatformToken { agent_token: agent_token.into(), scopes: Scopes::none(), thumbprint: None }
    }

    /// The same with another agent token.
    pub(crate) fn of(self, agent_token: &Secret) -> Self {
        GetPlatformToken { agent_token: agent_token.clone(), ..self }
    }

    /// Only these scopes.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// The thumbprint of the agent's key (RFC 7638): a token bound to another key is a fault. Not sent.
    pub fn bound_to(mut self, thumbprint: impl Into<String>) -> Self {
        self.thumbprint = Some(thumbprint.into());
        self
    }
}

impl Operation for GetPlatformToken {
    type Output = PlatformToken;

    fn terms(&self) -> Terms {
        terms(PLATFORM_TOKEN, Effect::Repeatable)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let scope = self.scopes.parameter()?;
        let body = Body::new()
            .text("grant_type", GRANT)
            .secret("subject_token", &self.agent_token)?
            .text("subject_token_type", SUBJECT)
            .optional("scope", scope.as_deref());
        Ok(body.post(context, PLATFORM_TOKEN))
    }

    fn response(&self, response: &Response) -> Result<Answer<PlatformToken>, Error> {
        let mut fields = read(PLATFORM_TOKEN, response)?;
        let agent_id = fields.text("agent_id")?;
        let thumbprint = fields.text("cnf_jkt")?;
        let unusable = |problem| ProtocolFault::UnusableToken { problem };
        let access = access_token(&mut fields, response, &self.scopes)?;
        if access.token_type() != &TokenType::Dpop {
            return Err(fields.fault(unusable("its type is not DPoP")));
        }
        if !self.scopes.is_empty() && !access.scopes().are_within(&self.scopes) {
            return Err(fields.fault(ProtocolFault::WiderScope));
        }
        match (&thumbprint, &self.thumbprint) {
            (Some(its), Some(own)) if its != own => {
                return Err(fields.fault(unusable("it is bound to another key than the agent's")));
            }
            _ => {}
        }
        Ok(Answer::Done(PlatformToken { access, agent_id, thumbprint }))
    }
}

/// A token for the platform's API, bound to the agent's key (`DPoP`). A value only: nothing here sends it as Bearer.
#[derive(Clone, Debug)]
pub struct PlatformToken {
    access: AccessToken,
    agent_id: Option<String>,
    thumbprint: Option<String>,
}

impl PlatformToken {
    /// The token, of the type DPoP (RFC 9449).
    pub fn access(&self) -> &AccessToken {
        &self.access
    }

    /// The agent's id at the platform.
    pub fn agent_id(&self) -> Option<&str> {
        self.agent_id.as_deref()
    }

    /// The thumbprint of the key that it is bound to.
    pub fn thumbprint(&self) -> Option<&str> {
        self.thumbprint.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{reads, sent};
    use super::*;
    use serde_json::json;

    fn jwk() -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"})
    }

    #[test]
    fn a_delegates_token() {
        let issue = IssueDelegate::new("worker-1", jwk());
        let (path, body) = sent(&issue).unwrap();
        assert_eq!(path, "aauth/agent/issue");
        assert_eq!(body, json!({"delegate_sub": "worker-1", "delegate_public_key": jwk()}));
        let issue = issue.audience("https://a");
        assert_eq!(sent(&issue).unwrap().1["audience"], "https://a");
        assert_eq!(
            sent(&issue.clone().audience("https://b")).unwrap().1["audience"],
            json!(["https://a", "https://b"])
        );
        let mut private = jwk();
        private["d"] = "x".into();
        for bad in [
            IssueDelegate::new("", jwk()),
            IssueDelegate::new("w", private),
            IssueDelegate::new("w", json!([])),
        ] {
            assert!(matches!(sent(&bad), Err(Error::Input(_))));
        }
        let token =
            reads(&issue, 200, r#"{"agent_token":"a.b.c","token_type":"agent+jwt","expires_in":3600}"#);
        let token = token.unwrap();
        assert_eq!((token.secret().expose(), token.expires_at().unix()), ("a.b.c", 4_600));
        assert!(reads(&issue, 200, r#"{"access_token":"t","token_type":"Bearer"}"#).is_ok());
        for body in ["{}", r#"{"agent_token":""}"#, r#"{"agent_token":"t","token_type":"auth+jwt"}"#] {
            assert!(matches!(reads(&issue, 200, body), Err(Error::Protocol(_))), "{body}");
        }
    }

    #[test]
    fn the_platforms_token_is_bound_and_no_bearer_token() {
        let get = GetPlatformToken::new("a.b.c").scopes("read").bound_to("jkt-1");
        let (path, body) = sent(&get).unwrap();
        assert_eq!(path, "aauth/agent/platform-token");
        assert_eq!(
            body,
            json!({"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": "a.b.c",
                   "subject_token_type": "urn:lumoauth:params:oauth:token-type:aauth-token", "scope": "read"})
        );
        let good = r#"{"access_token":"p","token_type":"DPoP","expires_in":300,"scope":"read","agent_id":"agt_1","cnf_jkt":"jkt-1"}"#;
        let token = reads(&get, 200, good).unwrap();
        assert_eq!(token.access().token_type(), &TokenType::Dpop);
        assert_eq!((token.agent_id(), token.thumbprint()), (Some("agt_1"), Some("jkt-1")));
        for body in [
            good.replace("DPoP", "Bearer"),
            good.replace("jkt-1", "jkt-2"),
            good.replace("\"read\"", "\"read write\""),
            good.replace("\"agt_1\"", "1"),
        ] {
            assert!(matches!(reads(&get, 200, &body), Err(Error::Protocol(_))), "{body}");
        }
    }
}
