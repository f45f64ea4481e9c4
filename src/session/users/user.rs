//! A user's token: from the record of the session, renewed once for all.

use std::sync::Arc;
use std::time::Duration;

use super::super::change::{Change, Edit};
use super::super::keep::{Keep, Keeper, Kind, Lead, Life, Loan, Policy};
use super::super::part::{Failed, Part, ready};
use super::super::{Arrived, Step};
use super::kept::{Save, UserKey};
use super::renew::Renew;
use super::{Users, read};
use crate::error::{ConsentError, Error};
use crate::operations::UserSession;
use crate::store::StoreKey;
use crate::time::{Deadline, Now};

/// The token of this session's user: the one of this key, or what it is renewed to.
pub(super) struct User {
    users: Users,
    key: UserKey,
}

impl Kind for User {
    type Key = UserKey;
    /// The whole session, with its token and what was consented to.
    type Value = Arc<UserSession>;
    type Fetch = Renew;
    const NAME: &'static str = "oauth.token";
    const PHASE: &'static str = "waiting for another call's tokens";
    const POLICY: Policy = Policy::TOKENS;
    const OVER: &'static str = "the user's token is over already when it arrives";

    fn keeper(&self) -> &Keeper<UserKey, Arc<UserSession>> {
        &self.users.shared.users
    }

    fn key(&self) -> Result<UserKey, Error> {
        Ok(self.key.clone())
    }

    fn fetch(&self, lead: Lead) -> Result<Renew, Error> {
        Ok(Renew::new(&self.users, self.key.clone(), lead))
    }

    fn life(&self, session: &Arc<UserSession>, asked: &Now) -> Life {
        life(session, asked)
    }
}

/// How long the user's token is used: by what its record says, and never beyond what this process has seen pass.
fn life(session: &UserSession, now: &Now) -> Life {
    let Some(times) = session.times(now.wall) else {
        return Life::between(Duration::ZERO, Duration::ZERO, now);
    };
    match times.left {
        // Its end is not known: the service decides.
        None => Life::between(Duration::MAX, Duration::MAX, now),
        // It cannot be renewed, so it is used to its end; if a clock was set back, for no longer than it lives.
        Some(left) if !times.renews => {
            let left = times.lifetime.map_or(left, |lifetime| left.min(lifetime));
            Life::between(left, left, now)
        }
        Some(left) => Life::rest(left, times.lifetime, now),
    }
}

/// Loads a session, and has its user's token renewed if that is due.
pub(crate) struct UserToken {
    users: Users,
    session: StoreKey,
    began: u64,
    at: At,
}

enum At {
    /// Tokens that could not be saved the last time.
    Save(Box<Save>),
    Load(Box<Change<Option<UserSession>>>),
    Keep(Box<Keep<User>>),
}

impl UserToken {
    pub(super) fn new(users: &Users, session: StoreKey) -> Self {
        let began = users.shared.users.newest();
        let at = save_or_load(users, &session);
        UserToken { users: users.clone(), session, began, at }
    }
}

/// What waits to be saved comes first, all of it.
fn save_or_load(users: &Users, session: &StoreKey) -> At {
    match users.shared.kept.take(session) {
        Some(obtained) => At::Save(Box::new(Save::new(users, session.clone(), obtained))),
        None => At::Load(Box::new(Change::new(session.clone(), |record, _| Ok(Edit::Leave(read(record)?))))),
    }
}

impl Part for UserToken {
    type Output = Loan<Arc<UserSession>>;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Self::Output>, Failed> {
        loop {
            match &mut self.at {
                At::Save(save) => {
                    ready!(save.step(now, arrived.take(), time)?);
                    self.at = save_or_load(&self.users, &self.session);
                }
                At::Load(load) => {
                    let session = match load.step(now, arrived.take(), time)? {
                        Step::Done(session) => {
                            session.filter(|session| session.has_user() && !session.is_over(now.wall))
                        }
                        Step::Do(action) => return Ok(Step::Do(action)),
                    };
                    let session = session.ok_or(ConsentError::Needed)?;
                    let renews = session.times(now.wall).is_some_and(|times| times.renews);
                    if !renews && session.good_token(now.wall).is_none() {
                        return Err(ConsentError::Needed.into());
                    }
                    let (life, fingerprint) = (life(&session, now), session.fingerprint());
                    let key = UserKey { session: self.session.clone(), fingerprint };
                    let user = User { users: self.users.clone(), key };
                    self.at = At::Keep(Box::new(Keep::offered(user, Arc::new(session), life, self.began)));
                }
                At::Keep(keep) => return keep.step(now, arrived.take(), time),
            }
        }
    }
}
