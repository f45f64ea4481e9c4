//! Acting for users: consent, exchange, requests in their name, handing on, revoking.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (`client.rs` has the list).

use std::fmt;
use std::sync::Arc;

use http::Method;

use super::agent::Agent;
use super::run::Driver;
use super::{Store, dual, example, twin};
use crate::credentials::ClientAuth;
use crate::error::Error;
use crate::operations::{ApiRequest, Callback, Delegation, ExchangeTokenType, Revocation, SubAgent};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::session::Users;
use crate::store::MemoryStore;
use crate::wire::Response;

#[doc = twin!("An agent that acts for users, with their consent, and hands authority on to other agents (RFC 8693).", "DelegationChain")]
///
/// A *session* is one user's delegation, under a name of your choice. Cheap to clone; clones share everything.
///
#[doc = example!("# use lumoauth::{embed::wire::Request, emulator::{Tenant, UserSeed}, http::Method};\n# let seed = lumoauth::emulator::AgentSeed::new(\"agt_1\").secret(\"s\").capabilities([\"read:documents\", \"delegate:on_behalf\"]);\n# let tenant = Tenant::new(\"acme\").agent(seed.redirect_uri(\"https://myapp.example/callback\"));\n# let tenant = tenant.user(UserSeed::new(\"alice\").scopes([\"read:documents\", \"offline_access\"]));\n# let emulator = Emulator::builder().tenant(tenant).auto_consent(\"alice\").build()?;\n# let agent = Agent::builder().base_url(emulator.site().base_url()).tenant(\"acme\").client_id(\"agt_1\").client_secret(\"s\");\n# let agent = agent.build_with(emulator.transport())?;\nlet chain = DelegationChain::new(&agent, \"https://myapp.example/callback\")?;\nlet url = chain.consent_url(\"session-1\", [\"read:documents\"])", "?;\n# let answer = emulator.handle_in_process(&Request::new(Method::GET, url.parse()?)).response;\n# let back = answer.header(lumoauth::http::header::LOCATION).ok_or(\"no redirect\")?;\n// The user's browser goes to `url`, the user consents, and the browser comes back to `back`.\nchain.handle_callback_url(\"session-1\", back)", "?;\nlet documents = chain.request(\"session-1\", Method::GET, \"/api/v1/documents\")", "?;\nassert_eq!(documents.status(), 200);")]
#[derive(Clone)]
pub struct DelegationChain {
    driver: Driver,
    users: Users,
}

impl DelegationChain {
    /// For this agent; users come back to `redirect_uri`, exactly as it is registered. Sessions are kept in memory.
    ///
    /// # Errors
    /// [`Error::Input`] if the redirect URI is not absolute or has a fragment.
    pub fn new(agent: &Agent, redirect_uri: impl Into<String>) -> Result<Self, Error> {
        DelegationChain::of(agent, Some(&redirect_uri.into()))
    }

    /// For this agent, without a consent flow: user tokens come from elsewhere ([`DelegationChain::set_user_token`]).
    pub fn without_consent(agent: &Agent) -> Self {
        let driver = agent.driver().clone();
        let users = Users::without_consent(&driver.session);
        DelegationChain { driver: Driver { store: Some(Arc::new(MemoryStore::new())), ..driver }, users }
    }

    fn of(agent: &Agent, redirect_uri: Option<&str>) -> Result<Self, Error> {
        let users = Users::new(&agent.driver().session, redirect_uri)?;
        Ok(DelegationChain { users, ..DelegationChain::without_consent(agent) })
    }

    /// Keeps sessions in this store, which other chains and processes may share: [`crate::store`]. One store is for one agent
    /// at one service, or the names of sessions say whose they are.
    ///
    /// A consent that nobody came back from is a session too. It is removed when the chain sees it an hour later, as
    /// [`DelegationChain::active_sessions`] does with all. So **call that now and then**, and give consent URLs only to those
    /// you would keep a session for.
    pub fn store(mut self, store: impl Store + 'static) -> Self {
        self.driver.store = Some(Arc::new(store));
        self
    }

    /// Authenticates the client on exchanges as well, which strict services demand. The vendor's SDKs do not.
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.users = self.users.client_auth(client_auth);
        self
    }

    /// The agent's own token, which is the actor's in exchanges, is of another kind than an access token for the service
    /// (`actor_token_type`, RFC 8693 section 3).
    pub fn actor_token_type(mut self, kind: ExchangeTokenType) -> Self {
        self.users = self.users.actor_type(kind);
        self
    }

    /// Takes no delegated JWT that names nobody who acts (`act`, RFC 8693 section 4.1): with such a token the agent passes for the user.
    /// Opaque tokens say nothing either way, and are taken. [`Delegation::unverified_names_actor`] tells of a token that was taken.
    ///
    #[doc = example!("let chain = DelegationChain::without_consent(&agent).must_show_actor();
# let _ = chain.active_sessions()", "?;")]
    pub fn must_show_actor(mut self) -> Self {
        self.users = self.users.must_show_actor();
        self
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
    #[doc(alias = "get_consent_url")]
    pub async fn consent_url(
        &self,
        session: &str,
        scopes: impl Into<Scopes> + Send,
    ) -> Result<String, Error> {
        self.driver.turn(self.users.begin(session, scopes.into())?).await
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
        self.driver.turn(self.users.answer(session, Callback::read(url)?)?).await
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
        self.driver.turn(self.users.answer_with_code(session, code.into())?).await
    }

    /// Takes a token of the user that came by another way. Its end is not known, so it is never renewed.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn set_user_token(&self, session: &str, token: impl Into<Secret> + Send) -> Result<(), Error> {
        self.driver.turn(self.users.set_user_token(session, token.into())?).await
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
        self.driver.turn(self.users.exchange(session, scopes.into(), None)?).await
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
        self.driver.turn(self.users.exchange(session, scopes.into(), Some(resource))?).await
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
        self.driver.turn(self.users.request(session, request, scopes.into(), None)?).await
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
        self.driver.turn(self.users.request(session, request, scopes.into(), Some(resource))?).await
    }

    /// Hands the delegation on: a token with which another agent acts for the agent that acts for the user. It is not
    /// held here; give it to that agent. The agent is named by its own token, or by a [`SubAgent`] that says more.
    ///
    /// # Errors
    /// [`Error::Input`] if the chain would be longer than three actors, as far as that can be seen, and as
    /// [`DelegationChain::exchange`].
    pub async fn delegate_to_sub_agent(
        &self,
        session: &str,
        sub_agent: impl Into<SubAgent> + Send,
        scopes: impl Into<Scopes> + Send,
    ) -> Result<Delegation, Error> {
        let (actor, scopes) = (sub_agent.into(), scopes.into());
        self.driver.turn(self.users.hand_on(session, actor, scopes, None)?).await
    }

    /// The same, bound to one resource: an absolute URI, exactly as registered (RFC 8707).
    ///
    /// # Errors
    /// As [`DelegationChain::delegate_to_sub_agent`].
    pub async fn delegate_to_sub_agent_for(
        &self,
        session: &str,
        sub_agent: impl Into<SubAgent> + Send,
        scopes: impl Into<Scopes> + Send,
        resource: &str,
    ) -> Result<Delegation, Error> {
        let (actor, scopes) = (sub_agent.into(), scopes.into());
        self.driver.turn(self.users.hand_on(session, actor, scopes, Some(resource))?).await
    }

    /// Ends a delegation: the user's refresh token, and those that later consents displaced, are revoked at the service, then
    /// everything here is forgotten. A code that is traded or a token that is renewed meanwhile comes to nothing. If the
    /// service cannot be told, nothing is forgotten, so that it can be tried again. An unknown session is a success.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn revoke(&self, session: &str) -> Result<Revocation, Error> {
        self.driver.turn(self.users.revoke(session)?).await
    }

    /// Ends every delegation. All are tried, each within the whole time of a call; the first failure is reported.
    ///
    /// # Errors
    /// As [`DelegationChain::revoke`].
    pub async fn revoke_all(&self) -> Result<(), Error> {
        self.driver.turn(self.users.revoke_all()).await
    }

    /// The sessions that hold a token of their user, sorted.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn active_sessions(&self) -> Result<Vec<String>, Error> {
        self.driver.turn(self.users.active()).await
    }

    /// Says that somebody did not take a token which [`DelegationChain::exchange`] gave and which you showed there yourself: it was ended
    /// before its time. It is not given out again, and the next exchange gets another, at most every 5 s. True if it was held still.
    /// Requests that the chain sends need none of it.
    pub fn token_refused(&self, token: &Secret) -> bool {
        self.driver.transport.now().is_ok_and(|now| self.users.token_refused(token, &now))
    }

    /// True if the session holds a token of its user.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn has_delegation(&self, session: &str) -> Result<bool, Error> {
        self.driver.turn(self.users.has(session)?).await
    }
}

impl fmt::Debug for DelegationChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DelegationChain { driver: _, users } = self;
        f.debug_struct("DelegationChain").field("users", users).finish_non_exhaustive()
    }
}
