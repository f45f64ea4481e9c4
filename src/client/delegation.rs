//! Acting for users: consent, exchange, requests in their name, handing on, revoking. The rules are in
//! `operations/delegation.rs` and the session; here they are put in order.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;

use super::agent::Agent;
use super::run::Driver;
use super::{MemoryStore, SessionStore, dual};
use crate::credentials::ClientAuth;
use crate::error::{ConsentError, Error, InputError, StoreError};
use crate::operation::Operation;
use crate::operations::{
    ApiRequest, Callback, Delegation, Exchange, GetMetadata, RedeemCode, Refresh, Revoke, ServerMetadata,
    TokenHint, UserSession, UserToken,
};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::session::Claim;
use crate::time::{Deadline, Now};
use crate::token::{AccessToken, Freshness, Held};
use crate::wire::Response;

/// How long the tenant's metadata is believed.
const METADATA_AGE: Duration = Duration::from_secs(3600);
/// The pause between two looks at a session whose renewal another process has claimed.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// The whole time of a call here, if the agent sets no other.
const TOTAL: Duration = Duration::from_secs(20);
/// How often a change of a session is tried when others change it at the same time.
const TRIES: usize = 16;

/// An agent that acts for users, with their consent, and hands authority on to other agents (RFC 8693).
///
/// A *session* is one user's delegation, under a name of your choice. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct DelegationChain {
    driver: Driver,
    redirect_uri: Option<String>,
    client_auth: Option<ClientAuth>,
    store: Arc<dyn SessionStore>,
    delegations: Arc<Mutex<HashMap<DelegationKey, Held>>>,
    metadata: Arc<Mutex<Option<(ServerMetadata, Now)>>>,
}

/// Everything that makes a delegated token what it is.
#[derive(Clone, PartialEq, Eq, Hash)]
struct DelegationKey {
    session: String,
    generation: u64,
    scopes: Vec<String>,
    resource: Option<String>,
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

    fn deadline(&self, now: &Now) -> Deadline {
        Deadline::start(now, self.driver.session.total().unwrap_or(TOTAL))
    }

    fn delegations(&self) -> MutexGuard<'_, HashMap<DelegationKey, Held>> {
        self.delegations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A delegated token that is held and fresh.
    fn held(&self, key: &DelegationKey, now: &Now) -> Option<AccessToken> {
        let mut delegations = self.delegations();
        let held = delegations.get_mut(key)?;
        (held.freshness(now) == Freshness::Fresh).then(|| held.token.clone())
    }

    fn hold(&self, key: DelegationKey, token: &AccessToken, asked: &Now, now: &Now) {
        let mut delegations = self.delegations();
        delegations.retain(|_, held| held.freshness(now) != Freshness::Expired);
        delegations.insert(key, Held::new(token.clone(), 0, asked));
    }

    fn forget(&self, session: &str) {
        self.delegations().retain(|key, _| key.session != session);
    }
}

#[dual(AFIT)]
impl DelegationChain {
    /// The URL to send the user to, with a fresh `state` and PKCE pair. Nothing in this library opens it.
    ///
    /// # Errors
    /// [`Error::Input`] for scopes that cannot be sent or a chain without redirect URI, [`Error::Store`].
    pub async fn consent_url(
        &self,
        session: &str,
        scopes: impl Into<Scopes> + Send,
    ) -> Result<String, Error> {
        let missing =
            || InputError::new("redirect_uri", "is missing: make the chain with DelegationChain::new");
        let redirect_uri = self.redirect_uri.as_deref().ok_or_else(missing)?;
        let scopes = scopes.into();
        let client_id = self.driver.session.client_id().unwrap_or_default();
        let now = self.driver.transport.now()?;
        let change = |record: &mut UserSession| record.begin(&client_id, redirect_uri, scopes.clone(), &now);
        let request = self.change(session, change).await??;
        Ok(request.url(self.driver.session.site()))
    }

    /// Takes the URL that the user's browser came back with: state, issuer and refusals are checked, and the code is
    /// traded for the user's tokens.
    ///
    /// # Errors
    /// [`Error::Consent`] if the answer is a refusal or does not fit, and all that a call can end with.
    pub async fn handle_callback_url(&self, session: &str, url: &str) -> Result<(), Error> {
        let callback = Callback::read(url)?;
        let now = self.driver.transport.now()?;
        let deadline = self.deadline(&now);
        let metadata = self.metadata(&deadline).await?;
        let (issuer, required) = (metadata.issuer(), metadata.answers_carry_issuer());
        let change =
            |record: &mut UserSession| record.finish(callback.clone(), Some(issuer), required, now.wall);
        let redeem = self.change(session, change).await??;
        self.redeem(session, redeem, &deadline).await
    }

    /// Trades a code whose `state` and `iss` **you have checked yourself** for the user's tokens.
    /// [`DelegationChain::handle_callback_url`] checks them for you.
    ///
    /// # Errors
    /// [`Error::Consent`] if no consent is pending, and all that a call can end with.
    pub async fn handle_consent_callback(
        &self,
        session: &str,
        code: impl Into<Secret> + Send,
    ) -> Result<(), Error> {
        let code = code.into();
        let now = self.driver.transport.now()?;
        let change = |record: &mut UserSession| record.finish_with_code(code.clone(), now.wall);
        let redeem = self.change(session, change).await??;
        self.redeem(session, redeem, &self.deadline(&now)).await
    }

    async fn redeem(&self, session: &str, redeem: RedeemCode, deadline: &Deadline) -> Result<(), Error> {
        let tokens = self.driver.run_within(redeem, deadline).await?;
        self.change(session, |record: &mut UserSession| record.store_tokens(tokens.clone())).await?
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
        let (token, _) = self.delegated(session, scopes, None, &deadline).await?;
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
        let (token, _) = self.delegated(session, scopes, Some(resource.to_owned()), &deadline).await?;
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
        let terms = request.terms();
        let total = self.driver.session.total().filter(|_| !terms.own_times).unwrap_or(terms.total);
        let deadline = Deadline::start(&self.driver.transport.now()?, total);
        let (token, was_held) = self.delegated(session, scopes.clone(), None, &deadline).await?;
        let response = self.driver.run_within(request.clone().token(token), &deadline).await?;
        if response.status() != 401 || !was_held {
            return Ok(response);
        }
        // The token that was held is not good any more: one new one, one more try.
        self.forget(session);
        let (token, _) = self.delegated(session, scopes, None, &deadline).await?;
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
        let (sub_agent_token, scopes) = (sub_agent_token.into(), scopes.into());
        let deadline = self.deadline(&self.driver.transport.now()?);
        let (own, _) = self.delegated(session, Scopes::none(), None, &deadline).await?;
        Delegation::new(own.clone()).check_depth()?;
        let exchange = Exchange::new(own.secret().clone()).actor(sub_agent_token).scopes(scopes);
        let tokens = self.driver.run_within(self.authenticated(exchange), &deadline).await?;
        Ok(Delegation::new(tokens.access))
    }

    /// Ends a delegation: the user's refresh token is revoked at the service, then everything here is forgotten. If the
    /// service cannot be told, nothing is forgotten, so that it can be tried again. An unknown session is a success.
    ///
    /// # Errors
    /// All that a call can end with.
    pub async fn revoke(&self, session: &str) -> Result<(), Error> {
        let Some((record, _)) = self.load(session).await? else { return Ok(()) };
        if let Some(refresh) = record.refresh_token() {
            let revoke = Revoke::new(refresh.clone()).hint(TokenHint::RefreshToken);
            self.driver.run(revoke).await?;
        }
        self.store.remove(session).await?;
        self.forget(session);
        Ok(())
    }

    /// Ends every delegation. All are tried; the first failure is reported.
    ///
    /// # Errors
    /// As [`DelegationChain::revoke`].
    pub async fn revoke_all(&self) -> Result<(), Error> {
        let mut first = Ok(());
        for session in self.store.keys().await? {
            let revoked = self.revoke(&session).await;
            if first.is_ok() {
                first = revoked;
            }
        }
        first
    }

    /// The sessions that hold a token of their user, sorted.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn active_sessions(&self) -> Result<Vec<String>, Error> {
        let mut active = Vec::new();
        for session in self.store.keys().await? {
            if self.has_delegation(&session).await? {
                active.push(session);
            }
        }
        active.sort_unstable();
        Ok(active)
    }

    /// True if the session holds a token of its user.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn has_delegation(&self, session: &str) -> Result<bool, Error> {
        Ok(self.load(session).await?.is_some_and(|(record, _)| record.has_user()))
    }

    /// A delegated token, and whether it was held already.
    async fn delegated(
        &self,
        session: &str,
        scopes: Scopes,
        resource: Option<String>,
        deadline: &Deadline,
    ) -> Result<(AccessToken, bool), Error> {
        let sorted = scopes.sorted();
        loop {
            let (user, generation) = self.user_token(session, deadline).await?;
            let session = session.to_owned();
            let key =
                DelegationKey { session, generation, scopes: sorted.clone(), resource: resource.clone() };
            if let Some(token) = self.held(&key, &self.driver.transport.now()?) {
                return Ok((token, true));
            }
            // One exchange at a time for each session: whoever waits finds the token held.
            let name = format!("exchange {}", key.session);
            let _lease = match self.driver.session.claim(&name, &self.driver.transport.now()?, deadline) {
                Claim::Yours(lease) => lease,
                Claim::Taken(ticket) => {
                    self.driver.transport.join(ticket).await;
                    self.not_late(deadline)?;
                    continue;
                }
            };
            // Never without its actor: if the agent's token cannot be had, nothing is exchanged.
            let actor = self.driver.turn(self.driver.session.token().within(*deadline)).await?;
            let mut exchange =
                Exchange::new(user.secret().clone()).actor(actor.secret().clone()).scopes(&scopes);
            if let Some(resource) = &resource {
                exchange = exchange.resource(resource.clone());
            }
            let asked = self.driver.transport.now()?;
            let tokens = self.driver.run_within(self.authenticated(exchange), deadline).await?;
            self.hold(key, &tokens.access, &asked, &self.driver.transport.now()?);
            return Ok((tokens.access, false));
        }
    }

    fn authenticated(&self, exchange: Exchange) -> Exchange {
        match self.client_auth {
            Some(client_auth) => exchange.client_auth(client_auth),
            None => exchange,
        }
    }

    fn not_late(&self, deadline: &Deadline) -> Result<(), Error> {
        if deadline.passed(&self.driver.transport.now()?) {
            let phase = "waiting for another call's tokens";
            let (operation, total) = ("oauth.token", deadline.total());
            return Err(Error::DeadlineExceeded { operation, total, phase, last: None });
        }
        Ok(())
    }

    /// The user's token, renewed if it is about to end: once, however many ask.
    async fn user_token(&self, session: &str, deadline: &Deadline) -> Result<(AccessToken, u64), Error> {
        loop {
            let now = self.driver.transport.now()?;
            let unknown =
                || InputError::new("session", "is not known: send the user to its consent URL first");
            let (record, _) = self.load(session).await?.ok_or_else(unknown)?;
            match record.user_token(now.wall) {
                UserToken::Ready(token) => return Ok((token, record.generation())),
                UserToken::Missing => return Err(ConsentError::Needed.into()),
                UserToken::Claimed => {
                    self.not_late(deadline)?;
                    self.driver.transport.sleep(LOOK_AGAIN).await;
                }
                UserToken::Renew(_) => {
                    match self.driver.session.claim(&format!("user {session}"), &now, deadline) {
                        Claim::Yours(_lease) => self.renew(session, &now, deadline).await?,
                        Claim::Taken(ticket) => {
                            self.driver.transport.join(ticket).await;
                            self.not_late(deadline)?;
                        }
                    }
                }
            }
        }
    }

    /// Renews the user's token, if it still has to be, and if no other process has claimed it.
    async fn renew(&self, session: &str, now: &Now, deadline: &Deadline) -> Result<(), Error> {
        let Some((mut record, version)) = self.load(session).await? else { return Ok(()) };
        let UserToken::Renew(refresh) = record.user_token(now.wall) else { return Ok(()) };
        let granted = record.scopes();
        record.claim(&now.identifier(), now.wall);
        if !self.store.save_if(session, Some(version), &record.to_bytes()).await? {
            return Ok(());
        }
        let outcome = self.driver.run_within(Refresh::new(refresh).granted(granted), deadline).await;
        match outcome {
            // Stored before anybody uses it.
            Ok(tokens) => {
                self.change(session, |record: &mut UserSession| record.store_tokens(tokens.clone())).await?
            }
            Err(error) => {
                let spent = UserSession::is_spent_by(&error);
                let change = |record: &mut UserSession| {
                    if spent { record.spend_refresh_token() } else { record.give_back() }
                };
                self.change(session, change).await?;
                Err(error)
            }
        }
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

    async fn load(&self, session: &str) -> Result<Option<(UserSession, u64)>, Error> {
        if session.is_empty() {
            return Err(InputError::new("session", "is empty").into());
        }
        match self.store.load(session).await? {
            Some((bytes, version)) => Ok(Some((UserSession::from_bytes(&bytes)?, version))),
            None => Ok(None),
        }
    }

    /// Changes a session, again and again until nobody else changed it meanwhile.
    async fn change<T, F>(&self, session: &str, mut change: F) -> Result<T, Error>
    where
        T: Send,
        F: FnMut(&mut UserSession) -> T + Send,
    {
        for _ in 0..TRIES {
            let loaded = self.load(session).await?;
            let version = loaded.as_ref().map(|(_, version)| *version);
            let mut record = loaded.map(|(record, _)| record).unwrap_or_default();
            let changed = change(&mut record);
            if self.store.save_if(session, version, &record.to_bytes()).await? {
                return Ok(changed);
            }
        }
        Err(StoreError::new("the session was changed by others again and again").into())
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
