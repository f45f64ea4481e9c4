//! The users that an agent acts for: their tokens, those that exchanges give, and the machines that begin, use and end it all.
//!
//! A *session* is one user's delegation, under a name of the caller's choice, and a record in a store
//! ([`Shelf::Sessions`]). It is loaded at every call.

mod consent;
mod delegated;
mod end;
mod kept;
mod renew;
mod request;
mod user;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use self::consent::{Answered, Begin};
use self::delegated::{Delegated, HandOn};
use self::end::{Active, Has, Revoked, RevokedAll};
use self::kept::Kept;
use self::request::InName;
use super::change::{Change, Edit};
use super::keep::{Keeper, Policy};
use super::part::Within;
use super::{Machine, Session};
use crate::credentials::ClientAuth;
use crate::error::{ConfigError, Error, InputError};
use crate::operation::Operation;
use crate::operations::{
    ApiRequest, Callback, Delegation, ExchangeTokenType, Revocation, SubAgent, UserSession,
    check_redirect_uri,
};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::store::{Record, Shelf, StoreKey};
use crate::time::Now;
use crate::token::AccessToken;
use crate::wire::Response;
#[cfg(feature = "signin")]
pub(crate) use user::UserToken;

/// The whole time of a call here, if the session sets no other.
const TOTAL: Duration = Duration::from_secs(20);

/// The users that an agent acts for, as a session speaks for them. Cheap to clone; clones share everything.
///
/// Its machines ask for a store ([`Action::Store`](super::Action::Store)): the driver's, and the same one always.
#[derive(Clone)]
pub struct Users {
    session: Session,
    redirect_uri: Option<Arc<str>>,
    exchanges: Exchanges,
    shared: Arc<Shared>,
}

/// How tokens are exchanged, if not in the usual way.
#[derive(Clone, Copy, Debug, Default)]
struct Exchanges {
    client_auth: Option<ClientAuth>,
    /// Of the agent's own token, as the actor's.
    actor_type: Option<ExchangeTokenType>,
    shows_actor: bool,
}

struct Shared {
    users: Keeper<kept::UserKey, Arc<UserSession>>,
    delegated: Keeper<delegated::DelegationKey, AccessToken>,
    kept: Kept,
}

impl Shared {
    fn of(session: &Session) -> Arc<Self> {
        let most = session.settings().most_kept;
        let (users, delegated) = (Keeper::bounded(most), Keeper::bounded(most));
        Arc::new(Shared { users, delegated, kept: Kept::default() })
    }
}

impl Users {
    /// Of this agent. Users come back to `redirect_uri`, exactly as it is registered; without one there is no consent flow.
    ///
    /// # Errors
    /// [`InputError`] if the redirect URI is not absolute or has a fragment.
    pub fn new(session: &Session, redirect_uri: Option<&str>) -> Result<Self, InputError> {
        if let Some(redirect_uri) = redirect_uri {
            check_redirect_uri(redirect_uri)?;
        }
        let (redirect_uri, shared) = (redirect_uri.map(Arc::from), Shared::of(session));
        Ok(Users { session: session.clone(), redirect_uri, exchanges: Exchanges::default(), shared })
    }

    /// Of this agent, without a consent flow.
    pub fn without_consent(session: &Session) -> Self {
        let (session, shared) = (session.clone(), Shared::of(session));
        Users { session, redirect_uri: None, exchanges: Exchanges::default(), shared }
    }

    /// Authenticates the client on exchanges as well, which strict services demand.
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.exchanges.client_auth = Some(client_auth);
        self
    }

    /// The agent's own token is of another kind than an access token, where it is the actor's.
    pub fn actor_type(mut self, kind: ExchangeTokenType) -> Self {
        self.exchanges.actor_type = Some(kind);
        self
    }

    /// Takes no JWT that names nobody who acts: [`Exchange::must_show_actor`](crate::operations::Exchange::must_show_actor).
    pub fn must_show_actor(mut self) -> Self {
        self.exchanges.shows_actor = true;
        self
    }

    /// The redirect URI, if there is one.
    pub fn redirect_uri(&self) -> Option<&str> {
        self.redirect_uri.as_deref()
    }

    /// How exchanges are authenticated, if that was set.
    pub fn exchange_auth(&self) -> Option<ClientAuth> {
        self.exchanges.client_auth
    }

    /// The machine that begins to ask for a consent; done with the URL to send the user to.
    ///
    /// # Errors
    /// [`Error::Input`] without a redirect URI or for an empty name, [`Error::Config`] for an agent without client id.
    pub fn begin(
        &self,
        session: &str,
        scopes: Scopes,
    ) -> Result<impl Machine<Output = String> + Send + use<>, Error> {
        let missing =
            || InputError::new("redirect_uri", "is missing: make the chain with DelegationChain::new");
        let redirect_uri = self.redirect_uri.clone().ok_or_else(missing)?;
        let hint = "the consent flow is for registered clients, and this agent has no client id";
        let missing = ConfigError::Missing { setting: "client_id", hint };
        let client_id = self.client_id().ok_or(missing)?;
        let begin = Begin::new(self, key(session)?, client_id, redirect_uri, scopes);
        Ok(Within::new(begin, self.total()))
    }

    /// The machine that takes the answer that a user's browser came back with, and trades its code.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty name.
    pub fn answer(
        &self,
        session: &str,
        callback: Callback,
    ) -> Result<impl Machine<Output = ()> + Send + use<>, Error> {
        Ok(Within::new(Answered::callback(self, key(session)?, callback), self.total()))
    }

    /// The machine that trades a code whose `state` and `iss` **the caller has checked**.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty name.
    pub fn answer_with_code(
        &self,
        session: &str,
        code: Secret,
    ) -> Result<impl Machine<Output = ()> + Send + use<>, Error> {
        Ok(Within::new(Answered::code(self, key(session)?, code), self.total()))
    }

    /// The machine that takes a token of the user that came by another way.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty name.
    pub fn set_user_token(
        &self,
        session: &str,
        token: Secret,
    ) -> Result<impl Machine<Output = ()> + Send + use<>, Error> {
        let change = Change::new(key(session)?, move |record, now| {
            let mut session = read(record)?.unwrap_or_default();
            session.store_user_token(token.clone());
            Ok(saved(&session, now, ()))
        });
        Ok(Within::new(change.that_carries(), self.total()))
    }

    /// The machine that gets a token with which the agent acts for the user, for one resource if one is named.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty name.
    pub fn exchange(
        &self,
        session: &str,
        scopes: Scopes,
        resource: Option<&str>,
    ) -> Result<impl Machine<Output = Delegation> + Send + use<>, Error> {
        let delegated = Delegated::new(self, key(session)?, session, scopes, resource);
        Ok(Within::new(delegated::Handed(delegated), self.total()))
    }

    /// The machine that sends a request in the user's name: again with a new token after a 401, once.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty name.
    pub fn request(
        &self,
        session: &str,
        request: ApiRequest,
        scopes: Scopes,
        resource: Option<&str>,
    ) -> Result<impl Machine<Output = Response> + Send + use<>, Error> {
        let total = self.session.total_of(&request.terms());
        let delegated = Delegated::new(self, key(session)?, session, scopes, resource);
        Ok(Within::new(InName::new(self, delegated, request), total))
    }

    /// A token that an exchange gave was refused by somebody it was shown to: it is given to nobody any more, and who asks next gets another.
    /// True if it was held; a token is replaced so once in five seconds.
    pub fn token_refused(&self, token: &Secret, now: &Now) -> bool {
        self.shared.delegated.refused(|held| held.secret() == token, &Policy::TOKENS, now)
    }

    /// The machine that hands the delegation on to another agent.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty name.
    pub fn hand_on(
        &self,
        session: &str,
        actor: SubAgent,
        scopes: Scopes,
        resource: Option<&str>,
    ) -> Result<impl Machine<Output = Delegation> + Send + use<>, Error> {
        let delegated = Delegated::new(self, key(session)?, session, Scopes::none(), None);
        let hand_on = HandOn::new(self, delegated, actor, scopes, resource);
        Ok(Within::new(hand_on, self.total()))
    }

    /// The machine that ends a delegation, here and at the service.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty name.
    pub fn revoke(&self, session: &str) -> Result<impl Machine<Output = Revocation> + Send + use<>, Error> {
        Ok(Within::new(Revoked::new(self, key(session)?, session), self.total()))
    }

    /// The machine that ends every delegation. All are tried, each within the whole time of a call; the first failure is
    /// reported.
    pub fn revoke_all(&self) -> impl Machine<Output = ()> + Send + use<> {
        RevokedAll::new(self)
    }

    /// The machine that finds the sessions that hold a token of their user, sorted. What nobody came back from goes.
    pub fn active(&self) -> impl Machine<Output = Vec<String>> + Send + use<> {
        Within::new(Active::new(), self.total())
    }

    /// The machine that lists every session there is, sorted.
    pub fn all(&self) -> impl Machine<Output = Vec<String>> + Send + use<> {
        Within::new(end::All::new(), self.total())
    }

    /// The machine that tells whether the session holds a token of its user.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty name.
    pub fn has(&self, session: &str) -> Result<impl Machine<Output = bool> + Send + use<>, Error> {
        Ok(Within::new(Has::new(key(session)?), self.total()))
    }

    /// The session of this name with a token of its user that stands, renewed if that is due.
    #[cfg(feature = "signin")]
    #[cfg_attr(not(any(feature = "blocking", feature = "async")), allow(dead_code))]
    pub(crate) fn user_token(&self, session: &str) -> Result<UserToken, InputError> {
        Ok(UserToken::new(self, key(session)?))
    }

    fn client_id(&self) -> Option<String> {
        self.session.client_id().filter(|client_id| !client_id.is_empty())
    }

    fn total(&self) -> Duration {
        self.session.total().unwrap_or(TOTAL)
    }

    /// Forgets every delegated token of a session.
    fn forget(&self, session: &str) {
        self.shared.delegated.retain(|key| key.is_not_of(session));
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users")
            .field("session", &self.session)
            .field("redirect_uri", &self.redirect_uri)
            .field("exchanges", &self.exchanges)
            .finish_non_exhaustive()
    }
}

/// The record of a session.
fn key(session: &str) -> Result<StoreKey, InputError> {
    if session.is_empty() {
        return Err(InputError::new("session", "is empty"));
    }
    Ok(StoreKey::new(Shelf::Sessions, [session]))
}

/// The session is saved, for as long as it may last.
fn saved<T>(session: &UserSession, now: &Now, outcome: T) -> Edit<T> {
    match session.keep(now.wall) {
        Some(keep) => Edit::Keep(session.to_bytes(), keep, outcome),
        None => Edit::Save(session.to_bytes(), outcome),
    }
}

/// The session stays as it is, and it matters that it does.
fn confirmed<T>(session: Option<&UserSession>, now: &Now, outcome: T) -> Edit<T> {
    match session.filter(|session| session.keep(now.wall).is_some()) {
        Some(session) => saved(session, now, outcome),
        None => Edit::Confirm(outcome),
    }
}

/// The session that a record holds.
fn read(record: Option<&Record>) -> Result<Option<UserSession>, Error> {
    Ok(record.map(|record| UserSession::from_bytes(record.bytes())).transpose()?)
}
