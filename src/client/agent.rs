//! The agent: it authenticates, asks, and knows itself.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (`client.rs` has the list).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::authz::Authz;
use super::mcp::McpServer;
use super::run::Driver;
use super::{dual, example, twin};
use crate::credentials::Credentials;
use crate::error::Error;
use crate::operation::Operation;
use crate::operations::{
    AgentInfo, Allowed, AllowedDynamic, ApiRequest, Ask, AuthorizeTool, Budget, ConnectionPage, Decision,
    GetIdentity, GetVaultToken, Granted, GuardedAction, Identity, ListConnections, McpToken, Register,
    Registration, VaultToken,
};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::session::Session;
use crate::token::AccessToken;
use crate::wire::Response;

#[doc = twin!("An agent with its own identity.", "Agent")]
///
/// Cheap to clone; clones share token, scopes, connections and retry quota. `Send` and `Sync`: one agent serves all
/// threads and tasks. The token is fetched when it is first needed and renewed before it ends.
#[doc(alias = "LumoAuthAgent")]
#[derive(Clone)]
pub struct Agent {
    driver: Driver,
}

impl Agent {
    pub(super) fn driver(&self) -> &Driver {
        &self.driver
    }

    /// An MCP server to speak to, by its Resource URI: an absolute `https` URL (or `http` to this machine). Name scopes
    /// with [`McpToken::scopes`]; without, the server's challenge says which.
    ///
    /// # Errors
    /// [`Error::Input`] for any other text.
    pub fn mcp(&self, server: impl Into<McpToken>) -> Result<McpServer, Error> {
        McpServer::new(&self.driver, &server.into())
    }

    /// An API that takes tokens of the agent's tenant, by its own URL as tokens have it in `aud`: requests travel with a token that is
    /// bound to it, and its challenges are answered. The same as [`Agent::mcp`], for services that are no MCP servers; whoever serves it
    /// verifies with [`TokenVerifier::of`](super::TokenVerifier::of) (`docs/web.md` has both halves).
    ///
    /// # Errors
    /// [`Error::Input`] for any other text.
    pub fn resource(&self, url: impl Into<McpToken>) -> Result<McpServer, Error> {
        self.mcp(url)
    }

    pub(super) fn from_driver(driver: Driver) -> Self {
        Agent { driver }
    }

    /// The scopes of the current token: what was granted, or none without a token.
    pub fn token_scopes(&self) -> Scopes {
        self.driver
            .transport
            .now()
            .ok()
            .and_then(|now| self.driver.session.current_token(&now))
            .map(|token| token.scopes().clone())
            .unwrap_or_default()
    }

    /// The same agent with scopes of its own: they are asked for when the next token is fetched, and neither this
    /// agent nor its clones are affected.
    pub fn with_scopes(&self, scopes: impl Into<Scopes>) -> Self {
        let session = self.driver.session.with_scopes(scopes);
        Agent { driver: Driver { session, ..self.driver.clone() } }
    }

    /// The same agent with this whole time for each call, in place of every operation's own.
    pub fn with_timeout(&self, total: Duration) -> Self {
        let session = self.driver.session.with_total(total);
        Agent { driver: Driver { session, ..self.driver.clone() } }
    }

    /// Replaces the credentials, for this agent and its clones. Tokens and remembered failures of the old ones are
    /// dropped.
    pub fn set_credentials(&self, credentials: Credentials) {
        self.driver.session.set_credentials(credentials);
    }

    /// What users and agents may do: permissions, relations, policies.
    pub fn authz(&self) -> Authz {
        Authz::new(&self.driver)
    }

    /// The session behind it, for drivers of your own.
    pub fn session(&self) -> &Session {
        &self.driver.session
    }
}

#[dual(AFIT)]
impl Agent {
    /// Gets a new token with these scopes (`[]`: what the agent is registered for), and keeps them as the agent's
    /// scopes if they are granted. Callers at the same time share one request.
    ///
    #[doc = example!("agent.authenticate([\"read:documents\"])", "?;\nassert!(agent.token_scopes().contains(\"read:documents\"));")]
    ///
    /// # Errors
    /// [`Error::Api`] if the credentials or scopes are refused (`is_unauthorized()`), and all that a call can end with.
    pub async fn authenticate(&self, scopes: impl Into<Scopes> + Send) -> Result<AccessToken, Error> {
        // Kept only once they are granted: scopes that are refused must not spoil the calls that follow.
        let session = self.driver.session.with_scopes(scopes);
        let token = self.driver.turn(session.new_token()).await?;
        self.driver.session.set_scopes(session.scopes());
        Ok(token)
    }

    /// The agent's token: the current one, or a new one if it is not fresh any more.
    ///
    #[doc = example!("let token = agent.access_token()", "?;\nassert!(!format!(\"{token:?}\").contains(token.secret().expose()));")]
    ///
    /// # Errors
    /// As [`Agent::authenticate`].
    pub async fn access_token(&self) -> Result<AccessToken, Error> {
        self.driver.turn(self.driver.session.token()).await
    }

    /// Makes sure that there is a token for the next calls. Every method does this by itself; call it to find out
    /// early.
    ///
    #[doc = example!("agent.ensure_authenticated()", "?;")]
    ///
    /// # Errors
    /// As [`Agent::authenticate`].
    pub async fn ensure_authenticated(&self) -> Result<(), Error> {
        if self.driver.session.standing_key().is_some() {
            return Ok(()); // there is nothing to fetch
        }
        self.access_token().await.map(drop)
    }

    /// Asks before acting. A denial is a value; [`Decision::require`] turns it into an error.
    ///
    #[doc = example!("let decision = agent.ask(\"read_document\")", "?;\nassert!(decision.allowed());\nprintln!(\"{decision}\");")]
    ///
    /// With a context: `agent.ask(Ask::new("delete_user").context(json!({"user_id": "u-456"})))`.
    ///
    /// # Errors
    /// Anything but a clear answer is an error, never an allow.
    pub async fn ask(&self, question: impl Into<Ask> + Send) -> Result<Decision, Error> {
        let question = question.into();
        self.driver.run(question).await
    }

    /// Asks, and goes on only if it is allowed: `agent.require("delete_user")?;`. What it returns has the audit record, and may be dropped.
    ///
    #[doc = example!("agent.require(\"read_document\")", "?;\nlet refused = agent.require(\"delete_user\")", ".unwrap_err();\nassert!(refused.is_forbidden());")]
    ///
    /// # Errors
    /// [`Error::Denied`] for a denial, and as [`Agent::ask`].
    pub async fn require(&self, question: impl Into<Ask> + Send) -> Result<Granted, Error> {
        Granted::of(self.ask(question).await?)
    }

    /// Asks for an action that is a type ([`guarded_actions!`](crate::guarded_actions)), and gives the proof that the function which
    /// does it takes: so neither forgetting to ask nor asking for something else compiles ([`Allowed`]).
    ///
    #[doc = example!("guarded_actions! { ReadDocument = \"document.read\"; }\n\nfn read(_: Allowed<ReadDocument>) {}\n\nread(agent.guard::<ReadDocument>()", "?);")]
    ///
    /// # Errors
    /// As [`Agent::require`].
    pub async fn guard<A: GuardedAction>(&self) -> Result<Allowed<A>, Error> {
        Allowed::of(self.driver.run(Ask::new(A::NAME)).await?)
    }

    /// The same with a context that the decision may depend on.
    ///
    /// # Errors
    /// As [`Agent::require`].
    pub async fn guard_in<A: GuardedAction>(
        &self,
        context: impl Into<serde_json::Value> + Send,
    ) -> Result<Allowed<A>, Error> {
        let question = Ask::new(A::NAME).context(context);
        Allowed::of(self.driver.run(question).await?)
    }

    /// Asks for an action whose name is known only when the program runs; the proof is compared when it is used
    /// ([`AllowedDynamic::use_for`]).
    ///
    /// # Errors
    /// As [`Agent::require`].
    pub async fn guard_dynamic(&self, action: &str) -> Result<AllowedDynamic, Error> {
        AllowedDynamic::of(self.driver.run(Ask::new(action)).await?, action)
    }

    /// Goes on only if the agent has the capability, by its record of the last 60 s.
    ///
    #[doc = example!("agent.require_capability(\"read:documents\")", "?;\nassert!(agent.require_capability(\"fly\")", ".unwrap_err().is_forbidden());")]
    ///
    /// # Errors
    /// [`Error::Denied`] without it, and all that a call can end with.
    pub async fn require_capability(&self, capability: &str) -> Result<(), Error> {
        if self.has_capability(capability).await? {
            return Ok(());
        }
        Decision::denied(capability, "the agent does not have this capability").require()
    }

    /// Asks, and returns only whether it is allowed.
    ///
    #[doc = example!("assert!(!agent.is_allowed(\"delete_user\")", "?);")]
    ///
    /// # Errors
    /// As [`Agent::ask`]: "not known" is an error, never `true` or `false`.
    #[must_use = "an answer that nobody looks at allows nothing"]
    pub async fn is_allowed(&self, question: impl Into<Ask> + Send) -> Result<bool, Error> {
        let question = question.into();
        let decision = self.driver.run(question).await?;
        Ok(decision.allowed())
    }

    /// The agent's own record, asked for anew.
    ///
    #[doc = example!("let info = agent.info()", "?;\nprintln!(\"{} can {:?}\", info.id, info.capabilities);")]
    ///
    /// # Errors
    /// All that a call can end with.
    #[doc(alias = "get_agent_info")]
    pub async fn info(&self) -> Result<AgentInfo, Error> {
        let info = self.driver.turn(self.driver.session.new_info()).await?;
        Ok(Arc::unwrap_or_clone(info))
    }

    /// The agent's identity, roles and workspace.
    ///
    #[doc = example!("let identity = agent.identity()", "?;\nassert_eq!(identity.kind.as_deref(), Some(\"agent\"));")]
    ///
    /// # Errors
    /// All that a call can end with.
    #[doc(alias = "get_identity")]
    pub async fn identity(&self) -> Result<Identity, Error> {
        self.driver.run(GetIdentity).await
    }

    /// True if the agent has the capability, by its record of the last 60 s. Exact equality.
    ///
    #[doc = example!("assert!(agent.has_capability(\"read:documents\")", "?);")]
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn has_capability(&self, capability: &str) -> Result<bool, Error> {
        Ok(self.recent_info().await?.has_capability(capability))
    }

    /// What the agent may spend and has spent, by its record of the last 60 s. None if no budget is set.
    ///
    #[doc = example!("let budget = agent.budget()", "?.expect(\"the demo agent has one\");\nassert_eq!(budget.exhausted(), None);")]
    ///
    /// # Errors
    /// All that a call can end with.
    #[doc(alias = "get_budget_status")]
    pub async fn budget(&self) -> Result<Option<Budget>, Error> {
        Ok(self.recent_info().await?.budget.clone())
    }

    /// True if a limit of the budget is reached, by the agent's record of the last 60 s.
    ///
    #[doc = example!("assert!(!agent.is_budget_exhausted()", "?);")]
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn is_budget_exhausted(&self) -> Result<bool, Error> {
        Ok(self.budget().await?.is_some_and(|budget| budget.exhausted().is_some()))
    }

    /// Registers an agent, by default this one under the given name. Registering again updates it.
    ///
    #[doc = example!("let registration = agent.register(\"research-bot\")", "?;\nassert!(!registration.agent_id.is_empty());")]
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn register(&self, registration: impl Into<Register> + Send) -> Result<Registration, Error> {
        let mut registration = registration.into();
        if let Some(client_id) = self.driver.session.client_id() {
            registration = registration.or_client_id(&client_id);
        }
        self.driver.run(registration).await
    }

    /// A request of your own with the agent's token: `/x` is joined to the base URL, `x` to the tenant's API base. The
    /// answer comes back unmapped, whatever its status, after the retries that its method allows. For query, headers
    /// and body, run an [`ApiRequest`].
    ///
    #[doc = example!("let response = agent.request(http::Method::GET, \"agents/me\")", "?;\nlet me: serde_json::Value = response.json()?;\nassert_eq!(me[\"identity\"][\"type\"], \"agent\");")]
    ///
    /// # Errors
    /// [`Error::Input`] for a path that would leave the service, and all that a call can end with. An error status is
    /// not an error here, but for a POST or PATCH that a gateway answers with 502 or 504: its outcome is unknown.
    #[doc(alias = "api_request")]
    pub async fn request(&self, method: Method, path: &str) -> Result<Response, Error> {
        self.driver.run(ApiRequest::new(method, path)).await
    }

    /// A token that is bound to one MCP server (RFC 8693, RFC 8707): by its id, name, URN or Resource URI. Held for this
    /// server and these scopes until it ends; callers at the same time share one exchange.
    ///
    #[doc = example!("let token = agent.mcp_token(\"my-mcp-server\")", "?;\nassert!(!format!(\"{token:?}\").contains(token.secret().expose()));")]
    ///
    /// The token goes to that server and nowhere else; [`Agent::mcp`] sees to it for you.
    ///
    /// # Errors
    /// [`Error::Api`] if the service does not know the server (`invalid_target`) or refuses; [`Error::Protocol`] for a
    /// token that says it is bound to something else; all that a call can end with.
    #[doc(alias = "get_mcp_token")]
    pub async fn mcp_token(&self, server: impl Into<McpToken> + Send) -> Result<AccessToken, Error> {
        self.driver.turn(self.driver.session.mcp_token(server.into())).await
    }

    /// A token that is bound to one API (RFC 8707): by its URL, as it has it in `aud`. The same as [`Agent::mcp_token`], for services that are
    /// no MCP servers; [`Agent::resource`] sends it for you.
    ///
    #[doc = example!("let token = agent.token_for(\"https://mcp.acme.test/my-mcp-server\")", "?;\nassert_eq!(token.resource(), Some(\"https://mcp.acme.test/my-mcp-server\"));")]
    ///
    /// # Errors
    /// As [`Agent::mcp_token`].
    pub async fn token_for(&self, resource: impl Into<McpToken> + Send) -> Result<AccessToken, Error> {
        self.mcp_token(resource).await
    }

    /// Revokes at the service (RFC 7009), and removes from the store, every token that agents with these credentials share
    /// ([`AgentBuilder::shared_tokens`](super::AgentBuilder::shared_tokens)), and forgets those in this agent's memory. Gives back
    /// how many there were. Other processes use what they hold until the service refuses it.
    ///
    #[doc = example!("# let agent = Agent::builder().base_url(emulator.site().base_url()).layout(emulator.site().layout().clone());\n# let agent = agent.client_id(emulator.client_id()).client_secret(emulator.secret().clone());\n# let agent = agent.shared_tokens(MemoryStore::new()).build_with(emulator.transport())?;\n# agent.ensure_authenticated()", "?;\nassert_eq!(agent.revoke_shared_tokens()", "?, 1);")]
    ///
    /// # Errors
    /// [`Error::Store`] if they cannot be listed, and all that a call can end with: those that are left can be revoked by
    /// another call.
    pub async fn revoke_shared_tokens(&self) -> Result<usize, Error> {
        self.driver.turn(self.driver.session.revoke_shared_tokens()?).await
    }

    /// May the agent use this tool of this MCP server, by its own token? A denial is a value.
    ///
    #[doc = example!("assert!(agent.authorize_tool(\"my-mcp-server\", \"search_web\")", "?.allowed());\nassert!(!agent.authorize_tool(\"my-mcp-server\", \"drop_tables\")", "?.allowed());")]
    ///
    /// # Errors
    /// As [`Agent::ask`].
    pub async fn authorize_tool(&self, server: &str, tool: &str) -> Result<Decision, Error> {
        self.driver.run(AuthorizeTool::new(server, tool)).await
    }

    /// The agent's connections to the services of others, for which the vault has tokens; the first page.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn connections(&self) -> Result<ConnectionPage, Error> {
        self.driver.run(ListConnections::new()).await
    }

    /// A token out of the vault for a connection, held until it ends (a minute if that is not said). It is good at somebody else's
    /// service: the library attaches it to no request, and sends it to nobody.
    ///
    #[doc = example!("let token = agent.vault_token(GetVaultToken::new(\"conn_github\").user(\"alice\"))", "?;\nassert!(token.scopes().contains(\"repo\"));\nassert!(!format!(\"{token:?}\").contains(token.secret().expose()));")]
    ///
    /// # Errors
    /// [`Error::Api`] with the vault's code, such as `grant_not_found`, and all that a call can end with.
    pub async fn vault_token(&self, wanted: impl Into<GetVaultToken> + Send) -> Result<VaultToken, Error> {
        self.driver.turn(self.driver.session.vault_token(wanted.into())).await
    }

    /// Says that somebody did not take a token which this agent gave out ([`Agent::mcp_token`], [`Agent::token_for`],
    /// [`Agent::vault_token`], [`Agent::access_token`]) and which you showed there yourself: it was ended before its time. It is not given
    /// out again, and the next call gets another, at most every 5 s. True if it was held still. Requests that the library sends need none of it.
    ///
    #[doc = example!("let token = agent.vault_token(GetVaultToken::new(\"conn_github\").user(\"alice\"))", "?;\n// GitHub answered 401.\nassert!(agent.token_refused(token.secret()));\nlet other = agent.vault_token(GetVaultToken::new(\"conn_github\").user(\"alice\"))", "?;\nassert_ne!(other.secret(), token.secret());")]
    pub fn token_refused(&self, token: &Secret) -> bool {
        self.driver.transport.now().is_ok_and(|now| self.driver.session.token_refused(token, &now))
    }

    /// Runs any operation: one of [`crate::embed::operations`], or one of yours.
    ///
    #[doc = example!("let response = agent.run(lumoauth::ApiRequest::get(\"agents/me\").header(\"X-Trace\", \"1\"))", "?;\nassert_eq!(response.status(), 200);")]
    ///
    /// # Errors
    /// All that the operation can end with.
    pub async fn run<O>(&self, operation: O) -> Result<O::Output, Error>
    where
        O: Operation + Send,
        O::Output: Send,
    {
        self.driver.run(operation).await
    }

    async fn recent_info(&self) -> Result<Arc<AgentInfo>, Error> {
        self.driver.turn(self.driver.session.info()).await
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Agent { driver } = self;
        f.debug_struct("Agent").field("session", &driver.session).finish_non_exhaustive()
    }
}
