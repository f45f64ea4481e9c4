//! Acting for users: consent, exchange, requests in their name, handing on, revoking. The rules are in
//! `operations/delegation.rs` and the session; here they are put in order.

#[allow(clippy::duplicate_mod)]
#[path = "delegation/sessions.rs"]
mod sessions;
#[allow(clippy::duplicate_mod)] // mounted twice, as this file is
#[path = "delegation/tokens.rs"]
mod tokens;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Method;

use super::super::held::HeldTokens;
use super::agent::Agent;
use super::run::Driver;
use super::{MemoryStore, SessionStore, dual, example};
use crate::credentials::ClientAuth;
use crate::error::{ConfigError, ConsentError, Error, InputError};
use crate::operation::{AttemptId, Operation};
use crate::operations::{
    ApiRequest, Callback, Delegation, Exchange, GetMetadata, RedeemCode, Revoke, ServerMetadata, TokenHint,
    TokenSet, UserSession,
};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::time::{Deadline, Now};
use crate::wire::Response;

/// How long the tenant's metadata is believed.
const METADATA_AGE: Duration = Duration::from_secs(3600);
/// The pause between two looks at a session whose renewal another process has claimed.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// The whole time of a call here, if the agent sets no other.
const TOTAL: Duration = Duration::from_secs(20);

/// An agent that acts for users, with their consent, and hands authority on to other agents (RFC 8693).
///
/// A *session* is one user's delegation, under a name of your choice. Cheap to clone; clones share everything.
///
#[doc = example!("# use lumoauth::{embed::wire::Request, emulator::{Tenant, UserSeed}, http::Method};\n# let seed = lumoauth::emulator::AgentSeed::new(\"agt_1\").secret(\"s\").capabilities([\"read:documents\", \"delegate:on_behalf\"]);\n# let tenant = Tenant::new(\"acme\").agent(seed.redirect_uri(\"https://myapp.example/callback\"));\n# let tenant = tenant.user(UserSeed::new(\"alice\").scopes([\"read:documents\", \"offline_access\"]));\n# let emulator = Emulator::builder().tenant(tenant).auto_consent(\"alice\").build()?;\n# let agent = Agent::builder().base_url(emulator.site().base_url()).tenant(\"acme\").client_id(\"agt_1\").client_secret(\"s\");\n# let agent = agent.build_with(emulator.transport())?;\nlet chain = DelegationChain::new(&agent, \"https://myapp.example/callback\")?;\nlet url = chain.consent_url(\"session-1\", [\"read:documents\"])", "?;\n# let answer = emulator.handle_in_process(&Request::new(Method::GET, url.parse()?)).response;\n# let back = answer.header(lumoauth::http::header::LOCATION).ok_or(\"no redirect\")?;\n// The user's browser goes to `url`, the user consents, and the browser comes back to `back`.\nchain.handle_callback_url(\"session-1\", back)", "?;\nlet documents = chain.request(\"session-1\", Method::GET, \"/api/v1/documents\")", "?;\nassert_eq!(documents.status(), 200);")]
#[derive(Clone)]
pub struct DelegationChain {
    driver: Driver,
    redirect_uri: Option<String>,
    client_auth: Option<ClientAuth>,
    store: Arc<dyn SessionStore>,
    delegations: Arc<HeldTokens<DelegationKey>>,
    metadata: Arc<Mutex<Option<(ServerMetadata, Now)>>>,
}

/// Everything that makes a delegated token what it is.
#[derive(Clone, PartialEq, Eq, Hash)]
struct DelegationKey {
    /// The agent's credentials, counted: another agent is another actor.
    epoch: u64,
    /// The scopes of the agent's own token, the actor's.
    own_scopes: Vec<String>,
    session: String,
    /// Whose: a session of the same name may be another user's by now.
    user: [u8; 32],
    scopes: Vec<String>,
    resource: Option<String>,
}

/// What is forged changes nothing, and is not saved.
fn unless_forged<T>(finished: Result<T, ConsentError>) -> Option<Result<T, ConsentError>> {
    match finished {
        Err(ConsentError::WrongState) => None,
        finished => Some(finished),
    }
}

impl DelegationChain {
    /// For this agent; users come back to `redirect_uri`, exactly as it is registered. Sessions are kept in memory.
    ///
    /// # Errors
    /// [`Error::Input`] if the redirect URI is not absolute or has a fragment.
    pub fn new(agent: &Agent, redirect_uri: impl Into<String>) -> Result<Self, Error> {
        let redirect_uri = redirect_uri.into();
        crate::operations::check_redirect_uri(&redirect_uri)?;
        Ok(DelegationChain { redirect_uri: Some(redirect_uri), ..DelegationChain::without_consent(agent) })
    }

    /// For this agent, without a consent flow: user tokens come from elsewhere ([`DelegationChain::set_user_token`]).
    pub fn without_consent(agent: &Agent) -> Self {
        DelegationChain {
            driver: agent.driver().clone(),
            redirect_uri: None,
            client_auth: None,
            store: Arc::new(MemoryStore::new()),
            delegations: Arc::default(),
            metadata: Arc::default(),
        }
    }

    /// Keeps sessions in a store of yours.
    pub fn store(mut self, store: impl SessionStore + 'static) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// Authenticates the client on exchanges as well, which strict services demand. The vendor's SDKs do not.
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = Some(client_auth);
        self
    }

    fn client_id(&self) -> Option<String> {
        self.driver.session.client_id().filter(|client_id| !client_id.is_empty())
    }

    fn deadline(&self, now: &Now) -> Deadline {
        Deadline::start(now, self.driver.session.total().unwrap_or(TOTAL))
    }
}

#[dual(AFIT)]
impl DelegationChain {
    /// The URL to send the user to, with a fresh `state` and PKCE pair. Nothing in this library opens it.
    ///
    /// This asks for authority and is no sign-in: with the scope `openid` the service may send an ID token as well, which is
    /// dropped, and no `nonce` is sent. To sign users in, use [`AuthorizationRequest`](crate::operations::AuthorizationRequest)
    /// with a nonce and verify the ID token.
    ///
    /// # Errors
    /// [`Error::Input`] for scopes that cannot be sent or a chain without redirect URI, [`Error::Config`] for an agent
    /// without client id, [`Error::Store`].
    pub async fn consent_url(
        &self,
        session: &str,
        scopes: impl Into<Scopes> + Send,
    ) -> Result<String, Error> {
        let missing =
            || InputError::new("redirect_uri", "is missing: make the chain with DelegationChain::new");
        let redirect_uri = self.redirect_uri.as_deref().ok_or_else(missing)?;
        let scopes = scopes.into();
        let hint = "the consent flow is for registered clients, and this agent has no client id";
        let missing = ConfigError::Missing { setting: "client_id", hint };
        let client_id = self.client_id().ok_or(missing)?;
        let now = self.driver.transport.now()?;
        let change = |record: &mut UserSession| record.begin(&client_id, redirect_uri, scopes.clone(), &now);
        let request = self.change(session, change).await??;
        Ok(request.url(self.driver.session.site()))
    }

    /// Takes the URL that the user's browser came back with: state, issuer and refusals are checked, and the code is
    /// traded for the user's tokens. They replace the session's user, who may have been another one.
    ///
    /// The whole URL must be on the redirect URI. Given its path and query, as servers see them, the path must be the
    /// redirect URI's; given the query alone, see to it yourself where the answer came to.
    ///
    /// **Security:** take the session's name from what you know of the browser (its cookie), never from the URL.
    ///
    /// # Errors
    /// [`Error::Consent`] if the answer is a refusal or does not fit, and all that a call can end with.
    pub async fn handle_callback_url(&self, session: &str, url: &str) -> Result<(), Error> {
        let callback = Callback::read(url)?;
        let now = self.driver.transport.now()?;
        let deadline = self.deadline(&now);
        let metadata = self.metadata(&deadline).await?;
        let issuer = (Some(metadata.issuer()), metadata.answers_carry_issuer());
        let (own, client_id) = (AttemptId::of(&now).to_string(), self.client_id().unwrap_or_default());
        let change = |record: &mut UserSession| {
            unless_forged(record.finish(callback.clone(), &client_id, issuer, &own, now.wall))
        };
        let redeem = self.change_known(session, change).await?;
        self.redeem(session, redeem, &now, &deadline).await
    }

    /// Trades a code whose `state` and `iss` **you have checked yourself** for the user's tokens.
    /// [`DelegationChain::handle_callback_url`] checks them for you.
    ///
    /// # Errors
    /// [`Error::Consent`] if no consent is pending or another client asked for it, and all that a call can end with.
    pub async fn handle_consent_callback(
        &self,
        session: &str,
        code: impl Into<Secret> + Send,
    ) -> Result<(), Error> {
        let code = code.into();
        let now = self.driver.transport.now()?;
        let (own, client_id) = (AttemptId::of(&now).to_string(), self.client_id().unwrap_or_default());
        let change = |record: &mut UserSession| {
            unless_forged(record.finish_with_code(code.clone(), &client_id, &own, now.wall))
        };
        let redeem = self.change_known(session, change).await?;
        self.redeem(session, redeem, &now, &self.deadline(&now)).await
    }

    /// Trades the code, if the answer was taken. Tokens of a session that was ended meanwhile are revoked.
    async fn redeem(
        &self,
        session: &str,
        redeem: Option<Result<RedeemCode, ConsentError>>,
        now: &Now,
        deadline: &Deadline,
    ) -> Result<(), Error> {
        let own = AttemptId::of(now).to_string();
        let redeemed = match redeem.unwrap_or(Err(ConsentError::WrongState)) {
            Ok(redeem) => self.driver.run_within(redeem, deadline).await,
            Err(error) => Err(error.into()),
        };
        let tokens = match redeemed {
            Ok(tokens) => tokens,
            Err(error) => {
                self.change_known(session, |record: &mut UserSession| {
                    record.is_redeemed_by(&own).then(|| record.give_up_code(&own))
                })
                .await?;
                self.drop_if_abandoned(session).await?;
                return Err(error);
            }
        };
        let change = |record: &mut UserSession| {
            record.is_redeemed_by(&own).then(|| record.store_consented(tokens.clone()))
        };
        match self.change_known(session, change).await? {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => {
                self.take_back(&tokens).await?;
                Err(error)
            }
            None => {
                self.take_back(&tokens).await?;
                Err(ConsentError::WrongState.into())
            }
        }
    }

    /// Revokes what came too late: it belongs to nobody.
    async fn take_back(&self, tokens: &TokenSet) -> Result<(), Error> {
        let Some(refresh) = tokens.refresh.clone() else { return Ok(()) };
        self.driver.run(Revoke::new(refresh).hint(TokenHint::RefreshToken)).await
    }

    /// Takes a token of the user that came by another way. Its end is not known, so it is never renewed.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn set_user_token(&self, session: &str, token: impl Into<Secret> + Send) -> Result<(), Error> {
        let token = token.into();
        self.change(session, |record: &mut UserSession| record.store_user_token(token.clone())).await
    }

    /// A token with which the agent acts for the user. Held until it ends; the user's token is renewed when needed.
    ///
    /// # Errors
    /// [`Error::Consent`] if the user must consent (again), [`Error::Api`] if the service refuses.
    pub async fn exchange(
        &self,
        session: &str,
        scopes: impl Into<Scopes> + Send,
    ) -> Result<Delegation, Error> {
        let scopes = scopes.into();
        let deadline = self.deadline(&self.driver.transport.now()?);
        let (token, _) = self.delegated(session, &scopes, None, &deadline).await?;
        Ok(Delegation::new(token))
    }

    /// The same, bound to one resource: an absolute URI, exactly as registered (RFC 8707).
    ///
    /// # Errors
    /// As [`DelegationChain::exchange`].
    pub async fn exchange_for(
        &self,
        session: &str,
        scopes: impl Into<Scopes> + Send,
        resource: &str,
    ) -> Result<Delegation, Error> {
        let scopes = scopes.into();
        let deadline = self.deadline(&self.driver.transport.now()?);
        let (token, _) = self.delegated(session, &scopes, Some(resource), &deadline).await?;
        Ok(Delegation::new(token))
    }

    /// A request in the user's name: `/x` is joined to the base URL, `x` to the tenant's API base. The answer comes
    /// back unmapped.
    ///
    /// # Errors
    /// As [`DelegationChain::exchange`]; an error status is not an error here.
    pub async fn request(&self, session: &str, method: Method, path: &str) -> Result<Response, Error> {
        self.send(session, ApiRequest::new(method, path), Scopes::none()).await
    }

    /// A request in the user's name with query, headers and body, and with a token of these scopes.
    ///
    /// # Errors
    /// As [`DelegationChain::request`].
    pub async fn send(
        &self,
        session: &str,
        request: ApiRequest,
        scopes: impl Into<Scopes> + Send,
    ) -> Result<Response, Error> {
        let scopes = scopes.into();
        self.send_with(session, request, scopes, None).await
    }

    /// The same with a token that is bound to one resource (RFC 8707): the request may go to that resource's origin, by
    /// its absolute URL, or to the service, and nowhere else.
    ///
    /// # Errors
    /// As [`DelegationChain::request`], and [`Error::Input`] for another origin.
    pub async fn send_for(
        &self,
        session: &str,
        request: ApiRequest,
        scopes: impl Into<Scopes> + Send,
        resource: &str,
    ) -> Result<Response, Error> {
        let scopes = scopes.into();
        self.send_with(session, request, scopes, Some(resource)).await
    }

    async fn send_with(
        &self,
        session: &str,
        request: ApiRequest,
        scopes: Scopes,
        resource: Option<&str>,
    ) -> Result<Response, Error> {
        let deadline = self.driver.deadline(&request.terms())?;
        let (token, was_held) = self.delegated(session, &scopes, resource, &deadline).await?;
        let response = self.driver.run_within(request.clone().token(token), &deadline).await?;
        if response.status() != 401 || !was_held {
            return Ok(response);
        }
        // The token that was held is not good any more: one new one, one more try.
        self.forget(session);
        let (token, _) = self.delegated(session, &scopes, resource, &deadline).await?;
        self.driver.run_within(request.token(token), &deadline).await
    }

    /// Hands the delegation on: a token with which another agent acts for the agent that acts for the user. It is not
    /// held here; give it to that agent.
    ///
    /// # Errors
    /// [`Error::Input`] if the chain would be longer than three actors, as far as that can be seen, and as
    /// [`DelegationChain::exchange`].
    pub async fn delegate_to_sub_agent(
        &self,
        session: &str,
        sub_agent_token: impl Into<Secret> + Send,
        scopes: impl Into<Scopes> + Send,
    ) -> Result<Delegation, Error> {
        let (actor, scopes) = (sub_agent_token.into(), scopes.into());
        self.hand_on(session, actor, scopes, None).await
    }

    /// The same, bound to one resource: an absolute URI, exactly as registered (RFC 8707).
    ///
    /// # Errors
    /// As [`DelegationChain::delegate_to_sub_agent`].
    pub async fn delegate_to_sub_agent_for(
        &self,
        session: &str,
        sub_agent_token: impl Into<Secret> + Send,
        scopes: impl Into<Scopes> + Send,
        resource: &str,
    ) -> Result<Delegation, Error> {
        let (actor, scopes) = (sub_agent_token.into(), scopes.into());
        self.hand_on(session, actor, scopes, Some(resource)).await
    }

    async fn hand_on(
        &self,
        session: &str,
        actor: Secret,
        scopes: Scopes,
        resource: Option<&str>,
    ) -> Result<Delegation, Error> {
        let deadline = self.deadline(&self.driver.transport.now()?);
        let (own, _) = self.delegated(session, &Scopes::none(), None, &deadline).await?;
        Delegation::new(own.clone()).check_depth()?;
        let mut exchange = Exchange::new(own.secret().clone()).actor(actor);
        exchange = exchange.scopes(scopes).at_most(own.scopes());
        if let Some(resource) = resource {
            exchange = exchange.resource(resource);
        }
        let tokens = self.driver.run_within(self.authenticated(exchange), &deadline).await?;
        Ok(Delegation::new(tokens.access))
    }

    async fn metadata(&self, deadline: &Deadline) -> Result<ServerMetadata, Error> {
        let now = self.driver.transport.now()?;
        let known = self.known_metadata(&now);
        if let Some(metadata) = known {
            return Ok(metadata);
        }
        let metadata = self.driver.run_within(GetMetadata::new(), deadline).await?;
        *self.metadata.lock().unwrap_or_else(PoisonError::into_inner) = Some((metadata.clone(), now));
        Ok(metadata)
    }

    fn known_metadata(&self, now: &Now) -> Option<ServerMetadata> {
        let known = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
        let (metadata, at) = known.as_ref()?;
        (now.wall.saturating_since(at.wall) < METADATA_AGE).then(|| metadata.clone())
    }
}

impl fmt::Debug for DelegationChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelegationChain")
            .field("session", &self.driver.session)
            .field("redirect_uri", &self.redirect_uri)
            .field("client_auth", &self.client_auth)
            .finish_non_exhaustive()
    }
}
