//! Tokens with which an agent acts for a user: exchanges of the user's token, with the agent's own as the actor's.

use std::sync::Arc;

use super::super::call::Own;
use super::super::keep::{Keep, Keeper, Kind, Lead, Life, Loan, Policy};
use super::super::kinds::EXCHANGED;
use super::super::part::{Failed, Part, ready};
use super::super::{Arrived, Call, Step};
use super::Users;
use super::user::UserToken;
use crate::error::{ApiError, Error};
use crate::operations::{Delegation, Exchange, SubAgent, UserSession, bearer};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::store::StoreKey;
use crate::time::{Deadline, Now};
use crate::token::AccessToken;

/// Everything that makes a delegated token what it is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct DelegationKey {
    /// The agent's credentials, counted: another agent is another actor.
    epoch: u64,
    /// The scopes of the agent's own token, the actor's.
    own_scopes: Vec<String>,
    session: String,
    /// Whose: a session of the same name may be another user's by now.
    user: [u8; 32],
    scopes: Vec<String>,
    resource: Option<String>,
    /// A token that names nobody who acts is not taken.
    shows_actor: bool,
}

impl DelegationKey {
    pub(super) fn is_not_of(&self, session: &str) -> bool {
        self.session != session
    }
}

/// What is wanted of the user's authority.
#[derive(Clone)]
struct Wanted {
    session: String,
    scopes: Scopes,
    resource: Option<String>,
}

/// An exchange of this user's token.
struct Exchanged {
    users: Users,
    user: Arc<UserSession>,
    wanted: Wanted,
}

impl Kind for Exchanged {
    type Key = DelegationKey;
    type Value = AccessToken;
    type Fetch = Trade;
    const NAME: &'static str = "oauth.token";
    const PHASE: &'static str = "waiting for another call's tokens";
    const POLICY: Policy = EXCHANGED;

    fn keeper(&self) -> &Keeper<DelegationKey, AccessToken> {
        &self.users.shared.delegated
    }

    fn key(&self) -> Result<DelegationKey, Error> {
        let session = &self.users.session;
        Ok(DelegationKey {
            epoch: session.epoch(),
            own_scopes: session.scopes().sorted(),
            session: self.wanted.session.clone(),
            user: self.user.fingerprint(),
            scopes: self.wanted.scopes.sorted(),
            resource: self.wanted.resource.clone(),
            shows_actor: self.users.exchanges.shows_actor,
        })
    }

    fn fetch(&self, lead: Lead) -> Result<Trade, Error> {
        let (users, user, wanted) = (self.users.clone(), Arc::clone(&self.user), self.wanted.clone());
        let own = Keep::new(Own::new(&users.session));
        Ok(Trade { users, user, wanted, lead, again: false, at: Trading::Own(Box::new(own)) })
    }

    fn life(&self, token: &AccessToken, asked: &Now) -> Life {
        Life::of(token.lifetime(), asked)
    }
}

/// Gets the agent's own token, and trades. Never without its actor: if the agent's token cannot be had, nothing is exchanged.
struct Trade {
    users: Users,
    user: Arc<UserSession>,
    wanted: Wanted,
    lead: Lead,
    /// The actor's token was refused once, and replaced.
    again: bool,
    at: Trading,
}

enum Trading {
    Own(Box<Keep<Own>>),
    Exchange(Box<Call<Exchange>>, Option<Loan<AccessToken>>),
}

impl Part for Trade {
    type Output = AccessToken;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<AccessToken>, Failed> {
        loop {
            match &mut self.at {
                Trading::Own(keep) => {
                    let actor = ready!(keep.step(now, arrived.take(), time)?);
                    let subject = self.user.good_token(now.wall);
                    let subject = subject.map_or_else(|| Secret::new(""), |token| token.secret().clone());
                    let exchange = Exchange::new(subject).actor(actor.value.secret().clone());
                    let exchange = exchange.scopes(&self.wanted.scopes).at_most(self.user.scopes());
                    let exchange = match self.users.exchanges.actor_type {
                        Some(kind) => exchange.actor_type(kind),
                        None => exchange,
                    };
                    let exchange = as_set(&self.users, exchange, self.wanted.resource.as_deref());
                    let call = Call::leading(&self.users.session, exchange, self.lead);
                    self.at = Trading::Exchange(Box::new(call), Some(actor));
                }
                Trading::Exchange(call, actor) => match Part::step(&mut **call, now, arrived.take(), time) {
                    Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                    Ok(Step::Done(tokens)) => return Ok(Step::Done(bearer(tokens.access)?)),
                    // It does not say whose token it is that is refused: first the actor's is replaced, once.
                    Err(failed) if is_refused(&failed.error) && !self.again => {
                        self.again = true;
                        let replaced = actor.take().is_some_and(|actor| actor.refused(&Own::POLICY, now));
                        if !replaced || time.passed(now) {
                            return Err(failed);
                        }
                        self.at = Trading::Own(Box::new(Keep::new(Own::new(&self.users.session))));
                    }
                    Err(failed) => return Err(failed),
                },
            }
        }
    }
}

/// For the resource, if there is one, and as the chain is set.
fn as_set(users: &Users, mut exchange: Exchange, resource: Option<&str>) -> Exchange {
    if let Some(resource) = resource {
        exchange = exchange.resource(resource);
    }
    if let Some(client_auth) = users.exchanges.client_auth {
        exchange = exchange.client_auth(client_auth);
    }
    if users.exchanges.shows_actor { exchange.must_show_actor() } else { exchange }
}

/// A token that was traded is refused.
fn is_refused(error: &Error) -> bool {
    error.as_api().is_some_and(ApiError::refuses_traded_token)
}

/// It is not said that a token is refused, and there is no other one of the user's: it is left at that.
fn is_left(error: &Error, user: &UserSession) -> bool {
    let unsaid = error.as_api().is_some_and(|api| api.has_code("invalid_request"));
    unsaid && user.refresh_token().is_none()
}

/// Gets the user's token, and what it is exchanged for.
pub(super) struct Delegated {
    users: Users,
    session: StoreKey,
    wanted: Wanted,
    /// The user's token was refused once, and replaced.
    again: bool,
    at: At,
}

enum At {
    User(Box<UserToken>),
    Exchange(Box<Keep<Exchanged>>, Option<Loan<Arc<UserSession>>>),
}

impl Delegated {
    pub(super) fn new(
        users: &Users,
        key: StoreKey,
        session: &str,
        scopes: Scopes,
        resource: Option<&str>,
    ) -> Self {
        let wanted = Wanted { session: session.to_owned(), scopes, resource: resource.map(str::to_owned) };
        let at = At::User(Box::new(UserToken::new(users, key.clone())));
        Delegated { users: users.clone(), session: key, wanted, again: false, at }
    }

    /// From the beginning: what is held now counts.
    pub(super) fn anew(&mut self) {
        self.at = At::User(Box::new(UserToken::new(&self.users, self.session.clone())));
    }
}

impl Part for Delegated {
    type Output = Loan<AccessToken>;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Loan<AccessToken>>, Failed> {
        loop {
            match &mut self.at {
                At::User(user) => {
                    let user = ready!(user.step(now, arrived.take(), time)?);
                    let (users, wanted) = (self.users.clone(), self.wanted.clone());
                    let exchanged = Exchanged { users, user: Arc::clone(&user.value), wanted };
                    self.at = At::Exchange(Box::new(Keep::new(exchanged)), Some(user));
                }
                At::Exchange(keep, user) => match keep.step(now, arrived.take(), time) {
                    Err(failed) if is_refused(&failed.error) && !self.again => {
                        self.again = true;
                        let kept = &self.users.shared.kept;
                        let user = user.take().filter(|user| !is_left(&failed.error, &user.value));
                        let replaced = user.is_some_and(|user| kept.refused(&self.session, user, now));
                        if !replaced || time.passed(now) {
                            return Err(failed);
                        }
                        self.anew();
                    }
                    step => return step,
                },
            }
        }
    }
}

/// What the caller is given.
pub(super) struct Handed(pub(super) Delegated);

impl Part for Handed {
    type Output = Delegation;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Delegation>, Failed> {
        Ok(Step::Done(Delegation::new(ready!(self.0.step(now, arrived, time)?).value)))
    }
}

/// Hands a delegation on to another agent: its token is the actor's.
pub(super) struct HandOn {
    users: Users,
    delegated: Delegated,
    actor: SubAgent,
    scopes: Scopes,
    resource: Option<String>,
    /// The delegated token was refused once, and replaced.
    again: bool,
    sent: Option<(Box<Call<Exchange>>, Loan<AccessToken>)>,
}

impl HandOn {
    pub(super) fn new(
        users: &Users,
        delegated: Delegated,
        actor: SubAgent,
        scopes: Scopes,
        resource: Option<&str>,
    ) -> Self {
        let (users, resource) = (users.clone(), resource.map(str::to_owned));
        HandOn { users, delegated, actor, scopes, resource, again: false, sent: None }
    }

    fn exchange(&self, own: &AccessToken) -> Result<Box<Call<Exchange>>, Error> {
        Delegation::new(own.clone()).check_depth()?;
        let exchange = Exchange::new(own.secret().clone()).scopes(&self.scopes).at_most(own.scopes());
        let exchange = as_set(&self.users, exchange, self.resource.as_deref());
        // Last: it may bring a client of its own.
        let exchange = self.actor.acts_in(exchange);
        Ok(Box::new(Call::new(self.users.session.clone(), exchange, None)))
    }
}

impl Part for HandOn {
    type Output = Delegation;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Delegation>, Failed> {
        loop {
            let Some((mut call, loan)) = self.sent.take() else {
                let loan = ready!(self.delegated.step(now, arrived.take(), time)?);
                self.sent = Some((self.exchange(&loan.value)?, loan));
                continue;
            };
            match Part::step(&mut *call, now, arrived.take(), time) {
                Ok(Step::Do(action)) => {
                    self.sent = Some((call, loan));
                    return Ok(Step::Do(action));
                }
                Ok(Step::Done(tokens)) => return Ok(Step::Done(Delegation::new(bearer(tokens.access)?))),
                // It does not say whose token it is that is refused: the one that is held here is replaced, once.
                Err(failed) if is_refused(&failed.error) && !self.again => {
                    self.again = true;
                    if !loan.refused(&Policy::TOKENS, now) || time.passed(now) {
                        return Err(failed);
                    }
                    self.delegated.anew();
                }
                Err(failed) => return Err(failed),
            }
        }
    }
}
