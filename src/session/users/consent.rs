//! Asking for a user's consent, and taking the answer: the consent is used up before its code is traded.

use std::sync::Arc;

use super::super::change::{Change, Edit};
use super::super::code::{is_unused, outcome};
use super::super::keep::Keep;
use super::super::kinds::Service;
use super::super::part::{Failed, Part, ready};
use super::super::{Action, Arrived, Call, Step};
use super::end::or_remove;
use super::kept::{How, Obtained, Save};
use super::{Users, read, saved};
use crate::error::{ConsentError, Error};
use crate::operation::AttemptId;
use crate::operations::{Callback, RedeemCode, ServerMetadata, UserSession};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::store::StoreKey;
use crate::time::{Deadline, Now};

/// Makes the URL for the person.
pub(super) struct Begin(Change<String>);

impl Begin {
    pub(super) fn new(
        users: &Users,
        session: StoreKey,
        client_id: String,
        redirect_uri: Arc<str>,
        scopes: Scopes,
    ) -> Self {
        let site = users.session.site().clone();
        Begin(Change::new(session, move |record, now| {
            let mut session = read(record)?.unwrap_or_default();
            let request = session.begin(&client_id, &redirect_uri, scopes.clone(), now)?;
            Ok(saved(&session, now, request.url(&site)))
        }))
    }
}

impl Part for Begin {
    type Output = String;

    fn step(&mut self, now: &Now, arrived: Option<Arrived>, time: &Deadline) -> Result<Step<String>, Failed> {
        self.0.step(now, arrived, time)
    }
}

/// What the person came back with.
#[derive(Clone)]
enum Came {
    Callback(Callback),
    Code(Secret),
}

/// Claims on codes of a session that may stand in the store, though nobody has sent the codes. Dropped with them, it leaves them to
/// the next who comes back: a store or a caller that fails in between loses no consent.
struct Unsent {
    users: Users,
    session: StoreKey,
    claims: Vec<String>,
}

impl Drop for Unsent {
    fn drop(&mut self) {
        self.users.shared.kept.put_codes(&self.session, std::mem::take(&mut self.claims));
    }
}

/// Takes the answer, and trades its code.
pub(super) struct Answered {
    users: Users,
    session: StoreKey,
    came: Came,
    by: String,
    unsent: Unsent,
    at: At,
}

enum At {
    Start,
    Service(Box<Keep<Service>>),
    Finish(Box<Change<Result<RedeemCode, ConsentError>>>),
    Redeem(Box<Call<RedeemCode>>),
    Save(Box<Save>),
    Release(Box<Change<bool>>, Option<Failed>),
}

impl Answered {
    pub(super) fn callback(users: &Users, session: StoreKey, callback: Callback) -> Self {
        Answered::new(users, session, Came::Callback(callback))
    }

    pub(super) fn code(users: &Users, session: StoreKey, code: Secret) -> Self {
        Answered::new(users, session, Came::Code(code))
    }

    fn new(users: &Users, session: StoreKey, came: Came) -> Self {
        let unsent = Unsent { users: users.clone(), session: session.clone(), claims: Vec::new() };
        Answered { users: users.clone(), session, came, by: String::new(), unsent, at: At::Start }
    }

    /// The consent is used up, unless the answer is forged. Consents whose codes were claimed and not sent are as they were.
    fn finish(&mut self, service: Option<Arc<ServerMetadata>>) -> At {
        let client_id = self.users.client_id().unwrap_or_default();
        let (came, by) = (self.came.clone(), self.by.clone());
        let earlier = self.users.shared.kept.take_codes(&self.session);
        self.unsent.claims.extend(earlier.iter().cloned().chain([by.clone()]));
        let mut taken: Option<Result<RedeemCode, ConsentError>> = None;
        let finish = Change::new(self.session.clone(), move |record, now| {
            let Some(mut session) = read(record)? else {
                return Ok(Edit::Leave(Err(ConsentError::WrongState)));
            };
            // An answer of the store that was lost.
            if let Some(taken) = taken.clone().filter(|_| session.is_redeemed_by(&by)) {
                return Ok(Edit::Leave(taken));
            }
            earlier.iter().for_each(|claim| session.restore_code(claim));
            let finished = match &came {
                Came::Callback(callback) => {
                    let issuer = service.as_ref().map(|service| service.issuer());
                    let required = service.as_ref().is_some_and(|service| service.answers_carry_issuer());
                    session.finish(callback.clone(), &client_id, (issuer, required), &by, now.wall)
                }
                Came::Code(code) => session.finish_with_code(code.clone(), &client_id, &by, now.wall),
            };
            match (finished, &taken) {
                // What is forged changes nothing, and is not saved.
                (Err(ConsentError::WrongState), None) => Ok(Edit::Leave(Err(ConsentError::WrongState))),
                (Err(ConsentError::WrongState), Some(taken)) => Ok(Edit::Leave(taken.clone())),
                (finished, _) => {
                    taken = Some(finished.clone());
                    Ok(match finished {
                        Err(_) if session.is_abandoned(now.wall) => Edit::Remove(finished),
                        _ => saved(&session, now, finished),
                    })
                }
            }
        });
        At::Finish(Box::new(finish))
    }

    /// Nothing came of the code. Where the service has not looked at it, the consent is as it was.
    fn release(&mut self, failed: Failed) -> At {
        let (by, restored) = (self.by.clone(), is_unused(&failed.error));
        if restored {
            self.unsent.claims = vec![by.clone()];
        }
        let release = Change::new(self.session.clone(), move |record, now| {
            let Some(mut session) = read(record)?.filter(|session: &UserSession| session.is_redeemed_by(&by))
            else {
                return Ok(Edit::Leave(false));
            };
            if restored {
                session.restore_code(&by);
            } else {
                session.give_up_code(&by);
            }
            Ok(or_remove(&session, now, true))
        });
        At::Release(Box::new(release), Some(Failed { error: outcome("oauth.token", failed.error), ..failed }))
    }
}

impl Part for Answered {
    type Output = ();

    fn step(&mut self, now: &Now, mut arrived: Option<Arrived>, time: &Deadline) -> Result<Step<()>, Failed> {
        loop {
            match &mut self.at {
                At::Start => {
                    self.by = AttemptId::of(now).to_string();
                    self.at = match self.came {
                        Came::Callback(_) => {
                            At::Service(Box::new(Keep::new(Service::new(&self.users.session))))
                        }
                        Came::Code(_) => self.finish(None),
                    };
                }
                At::Service(keep) => {
                    let service = ready!(keep.step(now, arrived.take(), time)?).value;
                    self.at = self.finish(Some(service));
                }
                At::Finish(finish) => match ready!(finish.step(now, arrived.take(), time)?) {
                    Ok(redeem) => {
                        self.unsent.claims = vec![self.by.clone()];
                        let call = Call::new(self.users.session.clone(), redeem, None);
                        self.at = At::Redeem(Box::new(call));
                    }
                    Err(error) => {
                        // What fits no consent was not saved, nor was what others left.
                        let left = |claim: &String| error == ConsentError::WrongState && *claim != self.by;
                        self.unsent.claims.retain(left);
                        return Err(Error::from(error).into());
                    }
                },
                At::Redeem(call) => match Part::step(&mut **call, now, arrived.take(), time) {
                    Ok(Step::Do(action)) => {
                        if matches!(action, Action::Send(_)) {
                            self.unsent.claims.clear();
                        }
                        return Ok(Step::Do(action));
                    }
                    Ok(Step::Done(tokens)) => {
                        let obtained = Obtained { by: self.by.clone(), tokens, how: How::Consented };
                        let save = Save::new(&self.users, self.session.clone(), obtained);
                        self.at = At::Save(Box::new(save));
                    }
                    Err(failed) => self.at = self.release(failed),
                },
                At::Save(save) => match ready!(save.step(now, arrived.take(), time)?) {
                    Some(_) => return Ok(Step::Done(())),
                    // The session was ended, or another consent was faster.
                    None => return Err(Error::from(ConsentError::WrongState).into()),
                },
                At::Release(release, failed) => match release.step(now, arrived.take(), time) {
                    Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                    released => {
                        // If the store cannot be told, or reads what was there before, this process knows it.
                        if matches!(released, Ok(Step::Done(true))) {
                            self.unsent.claims.clear();
                        }
                        return Err(failed.take().unwrap_or_else(|| super::super::ended().into()));
                    }
                },
            }
        }
    }
}
