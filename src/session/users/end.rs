//! The sessions that there are, and how they end.

use super::super::change::{Change, Edit, Keys};
use super::super::part::{Failed, Part, Within, ready};
use super::super::{Arrived, Call, Machine, Step};
use super::{Users, read, saved};
use crate::error::Error;
use crate::operations::{Revocation, Revoke, TokenHint, UserSession};
use crate::secret::Secret;
use crate::store::{Prefix, Shelf, StoreKey};
use crate::time::{Deadline, Now};

/// Ends a delegation: every refresh token is revoked at the service, then the record goes, unless it has others by then. If the
/// service cannot be told, nothing is forgotten, so that it can be tried again.
pub(super) struct Revoked {
    users: Users,
    session: StoreKey,
    name: String,
    told: Vec<Secret>,
    at: At,
}

enum At {
    Look(Box<Change<Option<Vec<Secret>>>>),
    Revoke(Box<Call<Revoke>>, Secret, Vec<Secret>),
}

impl Revoked {
    pub(super) fn new(users: &Users, session: StoreKey, name: &str) -> Self {
        // What could not be saved is revoked as well, and waits on if that fails.
        let kept = users.shared.kept.refresh_tokens(&session);
        let at = At::Look(Box::new(look(&session, Vec::new(), kept)));
        Revoked { users: users.clone(), session, name: name.to_owned(), told: Vec::new(), at }
    }
}

/// The refresh tokens that are still to be revoked; if there are none, the record is removed. None: there was no record as it seemed, and
/// one was made in its place, which shows whether that was so; it is to be looked at again.
fn look(session: &StoreKey, told: Vec<Secret>, kept: Vec<Secret>) -> Change<Option<Vec<Secret>>> {
    let mut removes = false;
    Change::new(session.clone(), move |record, _| {
        let mut left = read(record)?.map(|session| session.refresh_tokens()).unwrap_or_default();
        left.extend(kept.iter().cloned());
        left.retain(|token| !told.contains(token));
        left.dedup();
        Ok(match record {
            _ if !left.is_empty() => Edit::Leave(Some(left)),
            None if told.is_empty() && !removes => Edit::Save(UserSession::new().to_bytes(), None),
            _ => {
                // An answer of the store that was lost: then there is none.
                removes = true;
                Edit::Remove(Some(left))
            }
        })
    })
}

impl Part for Revoked {
    type Output = Revocation;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Revocation>, Failed> {
        loop {
            let mut left = match &mut self.at {
                At::Look(seen) => {
                    let left = ready!(seen.step(now, arrived.take(), time)?);
                    let Some(left) = left else {
                        self.at = At::Look(Box::new(look(&self.session, self.told.clone(), Vec::new())));
                        continue;
                    };
                    if left.is_empty() {
                        self.users.forget(&self.name);
                        return Ok(Step::Done(Revocation::new(self.told.len())));
                    }
                    left
                }
                At::Revoke(call, token, left) => {
                    ready!(Part::step(&mut **call, now, arrived.take(), time)?);
                    self.users.shared.kept.revoked(&self.session, token);
                    self.told.push(token.clone());
                    std::mem::take(left)
                }
            };
            self.at = match left.pop() {
                Some(token) => {
                    let revoke = Revoke::new(token.clone()).hint(TokenHint::RefreshToken);
                    let call = Call::new(self.users.session.clone(), revoke, None);
                    At::Revoke(Box::new(call), token, left)
                }
                None => At::Look(Box::new(look(&self.session, self.told.clone(), Vec::new()))),
            };
        }
    }
}

/// Ends every delegation, one after the other.
pub(super) struct RevokedAll {
    users: Users,
    all: Option<Within<All>>,
    left: Vec<String>,
    revoking: Option<Within<Revoked>>,
    first: Option<Error>,
}

impl RevokedAll {
    pub(super) fn new(users: &Users) -> Self {
        let all = Some(Within::new(All::new(), users.total()));
        RevokedAll { users: users.clone(), all, left: Vec::new(), revoking: None, first: None }
    }

    fn failed(&mut self, error: Error) {
        self.first.get_or_insert(error);
    }

    fn begin(&self, name: &str) -> Result<Within<Revoked>, Error> {
        Ok(Within::new(Revoked::new(&self.users, super::key(name)?, name), self.users.total()))
    }
}

impl Machine for RevokedAll {
    type Output = ();

    fn step(&mut self, now: &Now, mut arrived: Option<Arrived>) -> Result<Step<()>, Error> {
        if let Some(all) = &mut self.all {
            self.left = ready!(all.step(now, arrived.take())?);
            // Also where the record is gone and tokens still wait to be saved.
            self.left.extend(self.users.shared.kept.sessions().iter().map(name));
            self.left.sort_unstable();
            self.left.dedup();
            self.left.reverse();
            self.all = None;
        }
        loop {
            if let Some(revoking) = &mut self.revoking {
                match revoking.step(now, arrived.take()) {
                    Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                    Ok(Step::Done(_)) => {}
                    Err(error) => self.failed(error),
                }
                self.revoking = None;
            }
            let Some(name) = self.left.pop() else {
                return self.first.take().map_or(Ok(Step::Done(())), Err);
            };
            match self.begin(&name) {
                Ok(revoking) => self.revoking = Some(revoking),
                Err(error) => self.failed(error),
            }
        }
    }
}

/// Whether a session holds a token of its user. What a consent left that nobody came back from goes.
pub(super) struct Has(Change<bool>);

impl Has {
    pub(super) fn new(session: StoreKey) -> Self {
        Has(Change::new(session, |record, now| {
            Ok(match read(record)? {
                Some(session) if session.has_user() => Edit::Leave(true),
                Some(session) if session.is_abandoned(now.wall) => Edit::Remove(false),
                _ => Edit::Leave(false),
            })
        }))
    }
}

impl Part for Has {
    type Output = bool;

    fn step(&mut self, now: &Now, arrived: Option<Arrived>, time: &Deadline) -> Result<Step<bool>, Failed> {
        self.0.step(now, arrived, time)
    }
}

fn all() -> Keys {
    Keys::new(Prefix::all(Shelf::Sessions))
}

fn name(key: &StoreKey) -> String {
    key.segments().into_iter().next().unwrap_or_default()
}

/// The names of all sessions.
pub(super) struct All(Keys);

impl All {
    pub(super) fn new() -> Self {
        All(all())
    }
}

impl Part for All {
    type Output = Vec<String>;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Vec<String>>, Failed> {
        let mut names: Vec<String> = ready!(self.0.step(now, arrived, time)?).iter().map(name).collect();
        names.sort_unstable();
        Ok(Step::Done(names))
    }
}

/// The names of those that hold a token of their user.
pub(super) struct Active {
    keys: Option<Keys>,
    left: Vec<StoreKey>,
    looking: Option<(StoreKey, Has)>,
    active: Vec<String>,
}

impl Active {
    pub(super) fn new() -> Self {
        Active { keys: Some(all()), left: Vec::new(), looking: None, active: Vec::new() }
    }
}

impl Part for Active {
    type Output = Vec<String>;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Vec<String>>, Failed> {
        if let Some(keys) = &mut self.keys {
            self.left = ready!(keys.step(now, arrived.take(), time)?);
            self.keys = None;
        }
        loop {
            if let Some((key, has)) = &mut self.looking {
                if ready!(has.step(now, arrived.take(), time)?) {
                    self.active.push(name(key));
                }
                self.looking = None;
            }
            match self.left.pop() {
                Some(key) => self.looking = Some((key.clone(), Has::new(key))),
                None => {
                    self.active.sort_unstable();
                    return Ok(Step::Done(std::mem::take(&mut self.active)));
                }
            }
        }
    }
}

/// Nothing of an abandoned session stays.
pub(super) fn or_remove<T>(session: &UserSession, now: &Now, outcome: T) -> Edit<T> {
    if session.is_abandoned(now.wall) { Edit::Remove(outcome) } else { saved(session, now, outcome) }
}
