//! What agents and resources issue themselves: tokens for delegates, tokens for agents, and the documents about both. Pure:
//! time and randomness are arguments.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::key::AgentKey;
use crate::crypto::CryptoError;
use crate::error::{ConfigError, InputError};
use crate::operations::aauth::{AgentToken, identifier, public_key, thumbprint};
use crate::pkce::derive;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::session::AgentTokens;
use crate::time::Now;

/// The longest that an agent token lives.
const LONGEST_AGENT_TOKEN: Duration = Duration::from_secs(24 * 3600);
/// The longest that a resource token lives.
const LONGEST_RESOURCE_TOKEN: Duration = Duration::from_secs(3600);

/// The server of an agent: it says which keys act for the agent (`agent+jwt`; `docs/wire.md`, aauth-jwt).
///
/// ```
/// use std::time::Duration;
/// use lumoauth::aauth::{AgentKey, AgentServer, Delegate};
/// use lumoauth::time::{Now, Timestamp};
///
/// let server = AgentServer::new("https://agent.example", AgentKey::generate()?)?
///     .audience("https://app.lumoauth.dev/t/acme-corp/api/v1");
/// let worker = AgentKey::generate()?;
/// # let (clock, random) = (1_750_000_000, [7; 32]);
/// let now = Now::new(Timestamp::from_unix(clock), Duration::ZERO, random);
/// let token = server.mint(&Delegate::by_thumbprint("worker-1", worker.thumbprint())?, &now)?;
/// assert_eq!(token.lifetime(), Duration::from_secs(3600));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AgentServer {
    agent: String,
    key: AgentKey,
    audiences: Vec<String>,
    lifetime: Duration,
    redirect_uris: Vec<String>,
    name: Option<String>,
}

/// Who acts for the agent, and with which key.
#[derive(Clone, Debug)]
pub struct Delegate {
    name: String,
    confirmation: Value,
}

impl Delegate {
    /// A delegate whose key has this thumbprint (RFC 7638, SHA-256). Whoever reads the token has to know the key already: it
    /// is one that the agent has registered or publishes. Other keys go in whole, with [`Delegate::by_key`].
    ///
    /// # Errors
    /// [`InputError`] if the name is empty or it is no thumbprint.
    pub fn by_thumbprint(name: impl Into<String>, jkt: &str) -> Result<Self, InputError> {
        thumbprint("thumbprint", jkt)?;
        Delegate::new(name.into(), json!({"jkt": jkt}))
    }

    /// A delegate with this public key, which the token then carries whole.
    ///
    /// # Errors
    /// [`InputError`] if the name is empty, or it is no JWK or has a private half.
    pub fn by_key(name: impl Into<String>, jwk: Value) -> Result<Self, InputError> {
        public_key("key", &jwk)?;
        Delegate::new(name.into(), json!({"jwk": jwk}))
    }

    fn new(name: String, confirmation: Value) -> Result<Self, InputError> {
        if name.is_empty() {
            return Err(InputError::new("delegate", "is empty"));
        }
        Ok(Delegate { name, confirmation })
    }
}

impl AgentServer {
    /// For the agent of this identifier, an https URL (http on this machine only), with the key that it publishes.
    ///
    /// # Errors
    /// [`InputError`] if the identifier is none.
    pub fn new(agent: impl Into<String>, key: AgentKey) -> Result<Self, InputError> {
        let agent = agent.into();
        identifier("agent", &agent)?;
        let lifetime = Duration::from_secs(3600);
        Ok(AgentServer { agent, key, audiences: Vec::new(), lifetime, redirect_uris: Vec::new(), name: None })
    }

    /// Adds an issuer that the tokens are for, byte for byte as it names itself.
    pub fn audience(mut self, issuer: impl Into<String>) -> Self {
        self.audiences.push(issuer.into());
        self
    }

    /// How long tokens live: a minute to a day, an hour if not set.
    ///
    /// # Errors
    /// [`InputError`] beyond that.
    pub fn lifetime(mut self, lifetime: Duration) -> Result<Self, InputError> {
        if lifetime < Duration::from_secs(60) || lifetime > LONGEST_AGENT_TOKEN {
            return Err(InputError::new("lifetime", "is not between one minute and one day"));
        }
        self.lifetime = lifetime;
        Ok(self)
    }

    /// Adds a place that people may come back to after consent, for the agent's document.
    pub fn redirect_uri(mut self, redirect_uri: impl Into<String>) -> Self {
        self.redirect_uris.push(redirect_uri.into());
        self
    }

    /// The agent's name for people, for its document.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The agent's identifier.
    pub fn agent(&self) -> &str {
        &self.agent
    }

    /// A token for a delegate. Use a [`Now`] once: its randomness becomes the token's id.
    ///
    /// # Errors
    /// [`CryptoError::Signing`]; not known to happen.
    pub fn mint(&self, delegate: &Delegate, now: &Now) -> Result<AgentToken, CryptoError> {
        let (issued, expires) = (now.wall.unix(), now.wall.saturating_add(self.lifetime).unix());
        let claims = json!({
            "iss": self.agent, "sub": delegate.name, "aud": self.audiences, "iat": issued, "exp": expires,
            "jti": derive("aauth agent token", now), "cnf": delegate.confirmation,
        });
        let token = self.key.sign_token("agent+jwt", &claims)?;
        Ok(AgentToken::new(token, now.wall, self.lifetime))
    }

    /// Tokens for this delegate, made one after the other as they are needed: for a session's
    /// [`KeyHolder`](crate::embed::session::KeyHolder).
    pub fn tokens_for(self, delegate: Delegate) -> AgentTokens {
        AgentTokens::minted(move |now| {
            let minted = self.mint(&delegate, now);
            minted.map_err(|_| ConfigError::Unavailable("the agent token could not be signed").into())
        })
    }

    /// The key set to publish.
    pub fn jwks(&self) -> Value {
        self.key.jwks()
    }

    /// The agent's document (`.well-known/aauth-agent`), saying where its key set is.
    pub fn document(&self, jwks_uri: &str) -> Value {
        let mut document = Map::new();
        document.insert("agent".into(), self.agent.as_str().into());
        document.insert("jwks_uri".into(), jwks_uri.into());
        if !self.redirect_uris.is_empty() {
            document.insert("redirect_uris".into(), self.redirect_uris.as_slice().into());
        }
        if let Some(name) = &self.name {
            document.insert("name".into(), name.as_str().into());
        }
        Value::Object(document)
    }
}

impl fmt::Debug for AgentServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AgentServer { agent, key, audiences, lifetime, redirect_uris, name } = self;
        f.debug_struct("AgentServer")
            .field("agent", agent)
            .field("key", key)
            .field("audiences", audiences)
            .field("lifetime", lifetime)
            .field("redirect_uris", redirect_uris)
            .field("name", name)
            .finish()
    }
}

/// A resource that tells agents what they need (`resource+jwt`; `docs/wire.md`, aauth-jwt).
#[derive(Clone)]
pub struct Resource {
    resource: String,
    key: AgentKey,
    lifetime: Duration,
    scopes: Scopes,
}

/// What a resource asks for on behalf of one agent.
#[derive(Clone, Debug)]
pub struct Grant {
    agent: String,
    thumbprint: String,
    audience: String,
    scopes: Scopes,
    auth_request_url: Option<String>,
}

impl Grant {
    /// For this agent with the key of this thumbprint, to be shown at this issuer.
    ///
    /// # Errors
    /// [`InputError`] if the agent is no identifier, the thumbprint none, or the issuer empty.
    pub fn new(
        agent: impl Into<String>,
        jkt: impl Into<String>,
        issuer: impl Into<String>,
    ) -> Result<Self, InputError> {
        let (agent, jkt, audience) = (agent.into(), jkt.into(), issuer.into());
        identifier("agent", &agent)?;
        thumbprint("agent_jkt", &jkt)?;
        if audience.is_empty() {
            return Err(InputError::new("issuer", "is empty"));
        }
        Ok(Grant { agent, thumbprint: jkt, audience, scopes: Scopes::none(), auth_request_url: None })
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
}

impl Resource {
    /// The resource of this identifier, an https URL (http on this machine only), with the key that it publishes.
    ///
    /// # Errors
    /// [`InputError`] if the identifier is none.
    pub fn new(resource: impl Into<String>, key: AgentKey) -> Result<Self, InputError> {
        let resource = resource.into();
        identifier("resource", &resource)?;
        Ok(Resource { resource, key, lifetime: Duration::from_secs(300), scopes: Scopes::none() })
    }

    /// How long tokens live: 10 s to an hour, five minutes if not set.
    ///
    /// # Errors
    /// [`InputError`] beyond that.
    pub fn lifetime(mut self, lifetime: Duration) -> Result<Self, InputError> {
        if lifetime < Duration::from_secs(10) || lifetime > LONGEST_RESOURCE_TOKEN {
            return Err(InputError::new("lifetime", "is not between ten seconds and one hour"));
        }
        self.lifetime = lifetime;
        Ok(self)
    }

    /// The scopes that it knows, for its document.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// The resource's identifier.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// A resource token for an agent. Use a [`Now`] once: its randomness becomes the token's id.
    ///
    /// # Errors
    /// [`CryptoError::Signing`]; not known to happen.
    pub fn mint(&self, grant: &Grant, now: &Now) -> Result<Secret, CryptoError> {
        let (issued, expires) = (now.wall.unix(), now.wall.saturating_add(self.lifetime).unix());
        let mut claims = json!({
            "iss": self.resource, "aud": grant.audience, "agent": grant.agent, "agent_jkt": grant.thumbprint,
            "iat": issued, "exp": expires, "jti": derive("aauth resource token", now),
        });
        if let Some(members) = claims.as_object_mut() {
            if !grant.scopes.is_empty() {
                members.insert("scope".into(), grant.scopes.to_string().into());
            }
            if let Some(url) = &grant.auth_request_url {
                members.insert("auth_request_url".into(), url.as_str().into());
            }
        }
        self.key.sign_token("resource+jwt", &claims)
    }

    /// The key set to publish.
    pub fn jwks(&self) -> Value {
        self.key.jwks()
    }

    /// The resource's document (`.well-known/aauth-resource`), saying where its key set is.
    pub fn document(&self, jwks_uri: &str) -> Value {
        let mut document = json!({"resource": self.resource, "jwks_uri": jwks_uri});
        if let (Some(members), false) = (document.as_object_mut(), self.scopes.is_empty()) {
            members.insert("supported_scopes".into(), self.scopes.iter().collect::<Vec<_>>().into());
        }
        document
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Resource { resource, key, lifetime, scopes } = self;
        f.debug_struct("Resource")
            .field("resource", resource)
            .field("key", key)
            .field("lifetime", lifetime)
            .field("scopes", scopes)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::UnverifiedClaims;
    use crate::crypto::VerifyingKey;
    use crate::time::Timestamp;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn key() -> AgentKey {
        AgentKey::from_seed(&[5; 32]).unwrap()
    }

    fn now(random: u8) -> Now {
        Now::new(Timestamp::from_unix(1_750_000_000), Duration::ZERO, [random; 32])
    }

    fn opened(token: &Secret) -> (Value, Value) {
        let text = token.expose();
        let (input, signature) = text.rsplit_once('.').unwrap();
        let verifying = VerifyingKey::from_jwk(&key().public_jwk()).unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        verifying.verify(crate::crypto::Algorithm::EdDsa, input.as_bytes(), &signature).unwrap();
        let header = URL_SAFE_NO_PAD.decode(text.split('.').next().unwrap()).unwrap();
        let claims = UnverifiedClaims::read(token).unwrap().unverified_claims().clone();
        (serde_json::from_slice(&header).unwrap(), Value::Object(claims))
    }

    #[test]
    fn an_agent_token() {
        let server = AgentServer::new("https://agent.example", key()).unwrap().audience("https://as");
        let delegate = Delegate::by_thumbprint("worker-1", key().thumbprint()).unwrap();
        let (header, claims) = opened(server.mint(&delegate, &now(1)).unwrap().secret());
        assert_eq!(header, json!({"alg": "EdDSA", "kid": "key-1", "typ": "agent+jwt"}));
        assert_eq!(
            claims,
            json!({"iss": "https://agent.example", "sub": "worker-1", "aud": ["https://as"], "iat": 1_750_000_000,
                   "exp": 1_750_003_600, "jti": claims["jti"], "cnf": {"jkt": key().thumbprint()}})
        );
        let (_, other) = opened(server.mint(&delegate, &now(2)).unwrap().secret());
        assert_ne!(claims["jti"], other["jti"]);
        let whole = Delegate::by_key("w", key().public_jwk()).unwrap();
        let (_, claims) = opened(server.mint(&whole, &now(1)).unwrap().secret());
        assert_eq!(claims["cnf"]["jwk"], key().public_jwk());
        assert_eq!(
            server.redirect_uri("https://agent.example/cb").document("https://agent.example/jwks.json"),
            json!({"agent": "https://agent.example", "jwks_uri": "https://agent.example/jwks.json",
                   "redirect_uris": ["https://agent.example/cb"]})
        );
    }

    #[test]
    fn a_resource_token() {
        let resource = Resource::new("https://api.example.com", key()).unwrap().scopes(["read", "write"]);
        let grant =
            Grant::new("https://agent.example", key().thumbprint(), "https://as").unwrap().scopes("read");
        let (header, claims) = opened(&resource.mint(&grant, &now(1)).unwrap());
        assert_eq!(header["typ"], "resource+jwt");
        assert_eq!(
            claims,
            json!({"iss": "https://api.example.com", "aud": "https://as", "agent": "https://agent.example",
                   "agent_jkt": key().thumbprint(), "scope": "read", "iat": 1_750_000_000, "exp": 1_750_000_300,
                   "jti": claims["jti"]})
        );
        assert_eq!(
            resource.document("https://api.example.com/jwks.json"),
            json!({"resource": "https://api.example.com", "jwks_uri": "https://api.example.com/jwks.json",
                   "supported_scopes": ["read", "write"]})
        );
    }

    #[test]
    fn lives_and_names_are_bounded() {
        let server = || AgentServer::new("https://agent.example", key()).unwrap();
        for seconds in [0, 59, 86_401] {
            assert_eq!(server().lifetime(Duration::from_secs(seconds)).unwrap_err().argument(), "lifetime");
        }
        for seconds in [60, 86_400] {
            assert_eq!(server().lifetime(Duration::from_secs(seconds)).unwrap().lifetime.as_secs(), seconds);
        }
        let resource = Resource::new("https://api.example.com", key()).unwrap();
        for seconds in [10, 3600] {
            let lifetime = Duration::from_secs(seconds);
            assert_eq!(resource.clone().lifetime(lifetime).unwrap().lifetime, lifetime);
        }
        assert!(resource.clone().lifetime(Duration::from_secs(3601)).is_err());
        assert!(resource.lifetime(Duration::from_secs(9)).is_err());
        assert!(AgentServer::new("agent", key()).is_err());
        assert!(Resource::new("http://api.example.com", key()).is_err());
        assert!(Delegate::by_thumbprint("w", "short").is_err());
        assert!(Delegate::by_thumbprint("", key().thumbprint()).is_err());
        assert!(Delegate::by_key("w", json!({"kty": "OKP", "d": "x"})).is_err());
    }
}
