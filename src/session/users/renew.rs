//! Renewing a user's token: claimed in its record, so that one refresh token is sent once by all processes together.

use std::sync::Arc;
use std::time::Duration;

use super::super::change::{Change, Edit};
use super::super::keep::Lead;
use super::super::part::{Failed, Open, Part, late};
use super::super::{Action, Arrived, Call, Step};
use super::kept::{How, Obtained, Save, UserKey};
use super::{Users, confirmed, read, saved};
use crate::error::{ConsentError, Error};
use crate::operation::AttemptId;
use crate::operations::{Claimed, Refresh, UserSession};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::store::Record;
use crate::time::{Deadline, Now};

/// The pause between two looks at a session whose renewal another process has claimed.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Renews the token of this key, unless somebody has done so.
pub(super) struct Renew {
    users: Users,
    key: UserKey,
    lead: Lead,
    by: String,
    at: At,
}

enum At {
    Start,
    Look(Box<Change<Seen>>),
    Pausing {
        until: Duration,
    },
    /// With the record as it was saved with the claim, if that is known.
    Refresh(Box<Call<Refresh>>, Option<Record>),
    Save(Box<Save>),
    /// The renewal failed; who claimed it says so.
    Release(Box<Change<()>>, Option<Failed>, bool),
}

/// How the session is found.
#[allow(clippy::large_enum_variant)] // taken apart at once
enum Seen {
    /// The renewal is this call's: with this refresh token, for no more than these scopes. The record with the claim, if it is saved
    /// for that.
    Mine(Secret, Scopes, Vec<u8>),
    /// It has another token already, or this one is good and need not be renewed yet.
    Good(UserSession),
    /// Another process renews it.
    Claimed,
    /// The user must consent (again).
    Gone,
}

impl Renew {
    pub(super) fn new(users: &Users, key: UserKey, lead: Lead) -> Self {
        Renew { users: users.clone(), key, lead, by: String::new(), at: At::Start }
    }

    fn look(&mut self, now: &Now) -> At {
        if self.by.is_empty() {
            let unsent = self.users.shared.kept.unsent(&self.key);
            self.by = unsent.unwrap_or_else(|| AttemptId::of(now).to_string());
        }
        // From here on the claim may stand; until the refresh token is handed out, whoever leads next goes on with it.
        self.users.shared.kept.not_sent(&self.key, &self.by);
        let (by, fingerprint, early) = (self.by.clone(), self.key.fingerprint, self.lead.early);
        let look = Change::new(self.key.session.clone(), move |record, now| {
            let Some(mut session) = read(record)?.filter(UserSession::has_user) else {
                return Ok(Edit::Leave(Seen::Gone));
            };
            let is_over = session.good_token(now.wall).is_none();
            let times = session.times(now.wall);
            let put_off = times.is_some_and(|times| times.put_off);
            if (session.fingerprint() != fingerprint && !is_over) || (early && put_off && !is_over) {
                return Ok(Edit::Leave(Seen::Good(session)));
            }
            let refresh = session.refresh_token().cloned();
            let Some(refresh) = refresh else { return Ok(Edit::Leave(Seen::Gone)) };
            let scopes = session.consented();
            match session.claimed(now.wall) {
                Claimed::Now if session.is_claimed_by(&by) => {
                    Ok(Edit::Leave(Seen::Mine(refresh, scopes, Vec::new())))
                }
                Claimed::Now => Ok(Edit::Leave(Seen::Claimed)),
                // It may have been sent, and must not be sent twice.
                Claimed::Stale if !session.is_claimed_by(&by) => Ok(Edit::Leave(Seen::Gone)),
                Claimed::Stale | Claimed::No => {
                    session.claim(&by, now.wall);
                    Ok(saved(&session, now, Seen::Mine(refresh, scopes, session.to_bytes())))
                }
            }
        });
        At::Look(Box::new(look))
    }

    /// What is told to the others when nothing came of the claim.
    fn release(&self, spent: bool) -> Change<()> {
        let by = self.by.clone();
        Change::new(self.key.session.clone(), move |record, now| {
            let session = read(record)?;
            let Some(mut session) = session.clone().filter(|session| session.is_claimed_by(&by)) else {
                return Ok(confirmed(session.as_ref(), now, ()));
            };
            if spent {
                session.spend_refresh_token();
            } else {
                session.give_back(now.wall);
            }
            Ok(saved(&session, now, ()))
        })
    }

    /// The renewal failed: what that means for the refresh token is saved, and the failure is the outcome.
    fn failed(&mut self, failed: Failed) -> At {
        let spent = UserSession::is_spent_by(&failed.error);
        if !spent {
            self.users.shared.kept.not_sent(&self.key, &self.by);
        }
        At::Release(Box::new(self.release(spent)), Some(failed), spent)
    }
}

impl Part for Renew {
    type Output = Arc<UserSession>;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Arc<UserSession>>, Failed> {
        loop {
            match &mut self.at {
                At::Start => {
                    let pace = self.users.shared.kept.pace(&self.key.session, now);
                    if pace.is_zero() {
                        self.at = self.look(now);
                    } else if pace >= time.remaining(now) {
                        let phase = "waiting before the next renewal";
                        return Err(Failed::open(late("oauth.token", phase, time), Open::default()));
                    } else {
                        self.at = At::Pausing { until: now.monotonic.saturating_add(pace) };
                    }
                }
                At::Pausing { until } if now.monotonic < *until => {
                    return Ok(Step::Do(Action::Wait(until.saturating_sub(now.monotonic))));
                }
                At::Pausing { .. } => self.at = self.look(now),
                At::Look(look) => {
                    let seen = match look.step(now, arrived.take(), time)? {
                        Step::Done(seen) => seen,
                        Step::Do(action) => return Ok(Step::Do(action)),
                    };
                    let version = look.saved();
                    match seen {
                        Seen::Good(session) => {
                            self.users.shared.kept.settled(&self.key);
                            return Ok(Step::Done(Arc::new(session)));
                        }
                        Seen::Gone => {
                            self.users.shared.kept.settled(&self.key);
                            return Err(Error::from(ConsentError::Needed).into());
                        }
                        Seen::Claimed => {
                            let pause = LOOK_AGAIN.mul_f64(1.0 + 0.5 * now.fraction(1));
                            if self.lead.early || pause >= time.remaining(now) {
                                let phase = "waiting for another process' renewal";
                                return Err(Failed::open(late("oauth.token", phase, time), Open::default()));
                            }
                            self.at = At::Pausing { until: now.monotonic.saturating_add(pause) };
                            return Ok(Step::Do(Action::Wait(pause)));
                        }
                        Seen::Mine(..) if time.passed(now) => {
                            let phase = "saving that the token is renewed";
                            return Err(Failed::open(late("oauth.token", phase, time), Open::default()));
                        }
                        Seen::Mine(refresh, granted, bytes) => {
                            // Never in haste: whoever gives up on a refresh token has lost it.
                            let lead = Lead { early: false, ..self.lead };
                            let refresh = Refresh::new(refresh).granted(granted);
                            let call = Call::leading(&self.users.session, refresh, lead);
                            let record = version.map(|version| Record::new(bytes, version));
                            self.at = At::Refresh(Box::new(call), record);
                        }
                    }
                }
                At::Refresh(call, record) => match Part::step(&mut **call, now, arrived.take(), time) {
                    Ok(Step::Do(action)) => {
                        if matches!(action, Action::Send(_)) {
                            self.users.shared.kept.sent(&self.key, now);
                        }
                        return Ok(Step::Do(action));
                    }
                    Ok(Step::Done(tokens)) => {
                        let obtained = Obtained { by: self.by.clone(), tokens, how: How::Renewed };
                        let (session, record) = (self.key.session.clone(), record.take());
                        self.at = At::Save(Box::new(Save::over(&self.users, session, obtained, record)));
                    }
                    Err(failed) => self.at = self.failed(failed),
                },
                At::Save(save) => match save.step(now, arrived.take(), time)? {
                    Step::Do(action) => return Ok(Step::Do(action)),
                    Step::Done(Some(session)) => return Ok(Step::Done(session)),
                    // Ended meanwhile, or begun anew: whatever is there now.
                    Step::Done(None) => {
                        self.by.clear();
                        self.at = self.look(now);
                    }
                },
                At::Release(release, failed, spent) => match release.step(now, arrived.take(), time) {
                    Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                    // If the store cannot be told that the refresh token is unused, this process knows it.
                    ended => {
                        if ended.is_ok() || *spent {
                            self.users.shared.kept.settled(&self.key);
                        }
                        return Err(failed.take().unwrap_or_else(|| super::super::ended().into()));
                    }
                },
            }
        }
    }
}
