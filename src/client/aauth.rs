//! The client of an agent, or of a resource, with a key of its own (AAuth). What is sent and read is in
//! `operations/aauth/`; here it is put in order.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (`client.rs` has the list).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::run::Driver;
use super::{dual, example, twin};
use crate::error::Error;
use crate::operation::Operation;
use crate::operations::aauth::{
    AgentEntry, AgentToken, AuthToken, AuthTokenClaims, Authorization, Authorize, Consent, Exchange,
    GetAgents, GetKeys, GetResourceToken, GetResourceTokenByName, GetResources, IssueDelegate,
    IssuerMetadata, Keys, PlatformToken, RedeemCode, ResourceEntry, ResourceToken, ResourceTokenClaims,
    Revoke, VerifyAuthToken, VerifyResourceToken,
};
use crate::operations::{ApiRequest, Callback};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::session::{KeyHolder, Session};
use crate::wire::Response;

#[allow(clippy::duplicate_mod)] // mounted with this file
#[path = "aauth/builder.rs"]
mod builder;

pub use builder::ClientBuilder;

#[doc = twin!("A client that signs with a key of its own.", "aauth::Client")]
///
/// As an agent it asks for authorization at resources and calls them; as a resource it asks the service about tokens. Cheap
/// to clone; clones share everything. `Send` and `Sync`: one serves all threads and tasks.
///
#[doc = example!("# use lumoauth::emulator::{AAuthAgentSeed, AgentSeed, Tenant};\nuse lumoauth::aauth::{AgentKey, AgentServer, Delegate};\n\nlet key = AgentKey::generate()?; // signs requests\nlet server_key = AgentKey::generate()?.with_key_id(\"server-1\")?; // vouches for the keys of the agent\n# let agent = AAuthAgentSeed::new(\"aag_1\", \"https://agent.example\").key(server_key.public_jwk());\n# let tenant = Tenant::new(\"acme\").agent(AgentSeed::new(\"agt_1\").secret(\"s\")).aauth_agent(agent);\n# let emulator = Emulator::builder().tenant(tenant).build()?;\nlet issuer = emulator.site().api_base();\nlet server = AgentServer::new(\"https://agent.example\", server_key)?.audience(issuer.as_str());\nlet client = aauth::Client::builder()\n    .base_url(emulator.site().base_url())\n    .tenant(\"acme\")\n    .agent_server(server, Delegate::by_key(\"worker-1\", key.public_jwk())?)\n    .key(key)\n    .build_with(emulator.transport())?;\n\n// Its own token, made anew before it ends. `request_authorization` asks for one at a resource.\nlet token = client.agent_token()", "?;\nassert_eq!(token.expose().split('.').count(), 3);\nassert_eq!(client.metadata()", "?.issuer, issuer);")]
#[derive(Clone)]
pub struct Client {
    driver: Driver,
    holder: KeyHolder,
    key: Arc<Key>,
}

/// What the key that it signs with is known by.
struct Key {
    id: String,
    thumbprint: String,
}

impl Client {
    /// Starts building a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    fn from_parts(driver: Driver, holder: KeyHolder, (id, thumbprint): (String, String)) -> Self {
        Client { driver, holder, key: Arc::new(Key { id, thumbprint }) }
    }

    /// The same client with this whole time for each call, in place of every operation's own.
    pub fn with_timeout(&self, total: Duration) -> Self {
        let (session, holder) = (self.driver.session.with_total(total), self.holder.with_total(total));
        Client { driver: Driver { session, ..self.driver.clone() }, holder, ..self.clone() }
    }

    /// The identifier of the agent, or of the resource.
    pub fn identifier(&self) -> &str {
        self.holder.identifier()
    }

    /// The id of the key that it signs with.
    pub fn key_id(&self) -> &str {
        &self.key.id
    }

    /// The thumbprint of the key that it signs with (RFC 7638): what tokens for it are bound to.
    pub fn thumbprint(&self) -> &str {
        &self.key.thumbprint
    }

    /// The session behind it, for drivers of your own.
    pub fn session(&self) -> &Session {
        self.holder.session()
    }

    /// The machines behind it, for drivers of your own.
    pub fn holder(&self) -> &KeyHolder {
        &self.holder
    }

    /// The URL to send the person to. Nothing in this library opens it.
    ///
    /// # Errors
    /// [`Error::Protocol`] if the service named a URL that is not on its own origin.
    pub fn consent_url(&self, consent: &Consent) -> Result<String, Error> {
        self.holder.consent_url(consent)
    }
}

#[dual(AFIT)]
impl Client {
    /// Asks for a token for the resource that issued the resource token. It is granted, or a person has to consent first;
    /// both are values. The state of the consent is made here.
    ///
    /// # Errors
    /// All that a call can end with; every 401 that does not ask for consent is [`Error::Api`].
    pub async fn request_authorization(
        &self,
        request: impl Into<Authorize> + Send,
    ) -> Result<Authorization, Error> {
        self.driver.turn(self.holder.authorize(request.into())).await
    }

    /// Takes the URL that the person's browser came back with: state, issuer and refusals are checked, and the code is
    /// traded for a token, once.
    ///
    /// # Errors
    /// [`Error::Consent`] if the answer is a refusal or does not fit, and all that a call can end with.
    pub async fn handle_callback_url(&self, consent: &Consent, url: &str) -> Result<AuthToken, Error> {
        self.driver.turn(self.holder.answer(consent, Callback::read(url)?)).await
    }

    /// Trades a code whose `state` and `iss` **you have checked yourself** for a token, once.
    /// [`Client::handle_callback_url`] checks them for you.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn handle_code(
        &self,
        consent: &Consent,
        code: impl Into<Secret> + Send,
    ) -> Result<AuthToken, Error> {
        let code = code.into();
        self.redeem(consent.redeem(code)?).await
    }

    /// Trades a code whose consent was asked for elsewhere for a token, once.
    ///
    /// # Errors
    /// All that a call can end with; [`Error::OutcomeUnknown`] means that the person has to consent again.
    pub async fn redeem(&self, code: RedeemCode) -> Result<AuthToken, Error> {
        self.run(code).await
    }

    /// Renews a token with a fresh resource token. The refresh token is sent once, however many threads ask: they share the
    /// new token. It stays the refresh token unless a new one comes.
    ///
    /// # Errors
    /// [`Error::Input`] if the token has no refresh token, and all that a call can end with.
    pub async fn refresh(
        &self,
        token: &AuthToken,
        resource_token: impl Into<Secret> + Send,
    ) -> Result<AuthToken, Error> {
        self.driver.turn(self.holder.renew(token, resource_token.into())?).await
    }

    /// Trades a token that was addressed to this agent for one at the next resource.
    ///
    /// # Errors
    /// As [`Client::request_authorization`].
    pub async fn exchange(&self, exchange: Exchange) -> Result<Authorization, Error> {
        self.driver.turn(self.holder.exchange(exchange)).await
    }

    /// Makes a token invalid. Unknown ones are a success too.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn revoke(&self, revoke: Revoke) -> Result<(), Error> {
        self.run(revoke).await
    }

    /// Has the service issue an agent token for a delegate.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn issue_delegate(&self, issue: IssueDelegate) -> Result<AgentToken, Error> {
        self.run(issue).await
    }

    /// A token for the platform's own API, bound to this client's key. A value: nothing here sends it.
    ///
    /// # Errors
    /// [`Error::Input`] for a client of a resource, and all that a call can end with.
    pub async fn platform_token(&self, scopes: impl Into<Scopes> + Send) -> Result<PlatformToken, Error> {
        self.driver.turn(self.holder.platform_token(scopes.into())?).await
    }

    /// Has the service issue a resource token; for clients of a resource.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn resource_token(&self, get: GetResourceToken) -> Result<ResourceToken, Error> {
        self.run(get).await
    }

    /// The same as older services have it: not signed, the resource names itself.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn resource_token_by_name(&self, get: GetResourceTokenByName) -> Result<ResourceToken, Error> {
        self.driver.run(get).await
    }

    /// What the service says of a resource token; `None` if it is not good.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn verify_resource_token(
        &self,
        verify: VerifyResourceToken,
    ) -> Result<Option<ResourceTokenClaims>, Error> {
        self.run(verify).await
    }

    /// What the service says of an agent's token, revocation included; `None` if it is not good.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn verify_auth_token(&self, verify: VerifyAuthToken) -> Result<Option<AuthTokenClaims>, Error> {
        self.run(verify).await
    }

    /// What the issuer says of itself: the tenant's document, or the one at the root if that is not good. Read again after
    /// an hour, and used for a day while that fails.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn metadata(&self) -> Result<IssuerMetadata, Error> {
        self.driver.turn(self.driver.session.issuer_metadata()).await.map(Arc::unwrap_or_clone)
    }

    /// The keys that the issuer's AAuth tokens are signed with.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn keys(&self) -> Result<Keys, Error> {
        self.driver.run(GetKeys::new()).await
    }

    /// The tenant's agents.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn agents(&self) -> Result<Vec<AgentEntry>, Error> {
        self.driver.run(GetAgents::new()).await
    }

    /// The tenant's resources, or what one resource says of itself (its origin must be allowed when building).
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn resources(&self, get: GetResources) -> Result<Vec<ResourceEntry>, Error> {
        self.driver.run(get).await
    }

    /// The agent token in use: the current one, or a new one if it is about to end.
    ///
    /// # Errors
    /// What its source ends with; [`Error::Input`] for a client of a resource.
    pub async fn agent_token(&self) -> Result<Secret, Error> {
        self.driver.turn(self.holder.agent_token()?).await
    }

    /// Calls a resource with the token for it: signed, and only on that resource's origin. The answer comes back unmapped,
    /// whatever its status, after the retries that its method allows, each signed afresh.
    ///
    /// # Errors
    /// [`Error::Input`] for a URL on another origin than the token's resource, and all that a call can end with.
    pub async fn signed_request(
        &self,
        token: &AuthToken,
        method: Method,
        url: &str,
    ) -> Result<Response, Error> {
        self.send(token, ApiRequest::new(method, url)).await
    }

    /// The same with query, headers and body.
    ///
    /// # Errors
    /// As [`Client::signed_request`].
    pub async fn send(&self, token: &AuthToken, request: ApiRequest) -> Result<Response, Error> {
        self.driver.turn(self.holder.request(token, request)?).await
    }

    /// Runs any operation at the service, signed; its own credential is not attached.
    ///
    /// # Errors
    /// All that the operation can end with.
    pub async fn run<O>(&self, operation: O) -> Result<O::Output, Error>
    where
        O: Operation + Send,
        O::Output: Send,
    {
        self.driver.turn(self.holder.call(operation)).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Client { driver: _, holder, key } = self;
        f.debug_struct("Client").field("holder", holder).field("key_id", &key.id).finish_non_exhaustive()
    }
}
