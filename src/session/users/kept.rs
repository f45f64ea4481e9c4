//! Tokens of users that were obtained: saved, or revoked if they belong to nobody, or kept for the next call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::change::{Change, Edit};
use super::super::keep::{Loan, Policy};
use super::super::lock;
use super::super::part::{Failed, Part};
use super::super::{Arrived, Call, Step};
use super::{Users, confirmed, read, saved};
use crate::error::{Error, Unsaved};
use crate::operations::{Revoke, TokenHint, TokenSet, UserSession};
use crate::secret::Secret;
use crate::store::{Record, StoreKey};
use crate::time::{Deadline, Now};

/// The most that is kept, of each kind; beyond, what comes is not, and the caller has it from the error alone.
const MOST: usize = 1024;
/// The most claims on codes that are kept of one session.
const MOST_CODES: usize = 8;

/// A user's token, told from every other one without being it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct UserKey {
    pub(super) session: StoreKey,
    pub(super) fingerprint: [u8; 32],
}

/// A user's token is renewed no more often than that.
const PACE: Duration = Duration::from_secs(1);

/// What this process knows and no store does.
#[derive(Default)]
pub(super) struct Kept {
    /// Tokens that could not be saved, or not revoked: of each session all, for one user may consent twice meanwhile.
    obtained: Mutex<HashMap<StoreKey, Vec<Obtained>>>,
    /// Claims on renewals that stand in the store, and whose refresh token has not been handed to anybody.
    unsent: Mutex<HashMap<UserKey, String>>,
    /// Claims on codes that may stand in the store, and whose codes were not sent: of each session the newest few.
    codes: Mutex<HashMap<StoreKey, Vec<String>>>,
    /// When a session's refresh token was handed out the last time, by the monotonic clock.
    handed_out: Mutex<HashMap<StoreKey, Duration>>,
    /// When a session's token was replaced the last time because it was refused, by the monotonic clock.
    replaced: Mutex<HashMap<StoreKey, Duration>>,
}

impl Kept {
    /// The newest tokens that wait to be saved. Whoever takes them saves them, or puts them back.
    pub(super) fn take(&self, session: &StoreKey) -> Option<Obtained> {
        let mut all = lock(&self.obtained);
        let of_session = all.get_mut(session)?;
        let newest = of_session.pop();
        if of_session.is_empty() {
            all.remove(session);
        }
        newest
    }

    /// The sessions for which something waits to be saved.
    pub(super) fn sessions(&self) -> Vec<StoreKey> {
        lock(&self.obtained).keys().cloned().collect()
    }

    /// The refresh tokens among what waits to be saved. They stay until they are revoked.
    pub(super) fn refresh_tokens(&self, session: &StoreKey) -> Vec<Secret> {
        let all = lock(&self.obtained);
        let of_session = all.get(session).into_iter().flatten();
        of_session.filter_map(|obtained| obtained.tokens.refresh.clone()).collect()
    }

    /// This refresh token was revoked: what came with it need not be saved any more.
    pub(super) fn revoked(&self, session: &StoreKey, refresh: &Secret) {
        let mut all = lock(&self.obtained);
        let Some(of_session) = all.get_mut(session) else { return };
        of_session.retain(|obtained| obtained.tokens.refresh.as_ref() != Some(refresh));
        if of_session.is_empty() {
            all.remove(session);
        }
    }

    fn put(&self, session: StoreKey, obtained: Obtained) {
        let mut all = lock(&self.obtained);
        if all.values().map(Vec::len).sum::<usize>() < MOST {
            all.entry(session).or_default().push(obtained);
        }
    }

    /// The claim that whoever renews goes on with.
    pub(super) fn unsent(&self, key: &UserKey) -> Option<String> {
        lock(&self.unsent).get(key).cloned()
    }

    /// A claim is about to be saved, or was not used.
    pub(super) fn not_sent(&self, key: &UserKey, by: &str) {
        let mut all = lock(&self.unsent);
        if all.len() < MOST {
            all.insert(key.clone(), by.to_owned());
        }
    }

    /// Nobody goes on with that claim.
    pub(super) fn settled(&self, key: &UserKey) {
        lock(&self.unsent).remove(key);
    }

    /// The claims on codes that nobody uses any more. Whoever takes them gives their consents back, or puts them back.
    pub(super) fn take_codes(&self, session: &StoreKey) -> Vec<String> {
        lock(&self.codes).remove(session).unwrap_or_default()
    }

    pub(super) fn put_codes(&self, session: &StoreKey, claims: Vec<String>) {
        let mut all = lock(&self.codes);
        if claims.is_empty() || (all.len() >= MOST && !all.contains_key(session)) {
            return;
        }
        let of_session = all.entry(session.clone()).or_default();
        of_session.extend(claims);
        let over = of_session.len().saturating_sub(MOST_CODES);
        of_session.drain(..over);
    }

    /// The refresh token is handed out: nobody goes on with that claim, and for a moment no other is made.
    pub(super) fn sent(&self, key: &UserKey, now: &Now) {
        self.settled(key);
        let mut all = lock(&self.handed_out);
        all.retain(|_, at| now.monotonic.saturating_sub(*at) < PACE);
        if all.len() < MOST {
            all.insert(key.session.clone(), now.monotonic);
        }
    }

    /// The session's token was refused. True if there is, or may be, another one to try with. Each token has a slot of its own, so
    /// the pace is the session's: tokens that are refused one after the other are not replaced one after the other.
    pub(super) fn refused(&self, session: &StoreKey, user: Loan<Arc<UserSession>>, now: &Now) -> bool {
        let mut all = lock(&self.replaced);
        if !user.stands() {
            return true;
        }
        all.retain(|_, at| now.monotonic.saturating_sub(*at) < Policy::TOKENS.forced_pause);
        if all.contains_key(session) || !user.refused(&Policy::TOKENS, now) {
            return false;
        }
        if all.len() < MOST {
            all.insert(session.clone(), now.monotonic);
        }
        true
    }

    /// How long until the session's token may be renewed again, however short it lives.
    pub(super) fn pace(&self, session: &StoreKey, now: &Now) -> Duration {
        let last = lock(&self.handed_out).get(session).copied();
        last.map_or(Duration::ZERO, |at| PACE.saturating_sub(now.monotonic.saturating_sub(at)))
    }
}

/// Tokens, and the claim under which they were obtained.
pub(super) struct Obtained {
    pub(super) by: String,
    pub(super) tokens: TokenSet,
    pub(super) how: How,
}

/// How tokens were obtained.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Renewed,
    Consented,
}

impl Obtained {
    /// What becomes of the record.
    fn edit(&self, record: Option<&Record>, now: &Now) -> Result<Edit<Stored>, Error> {
        // Whether it is gone is known when a record can be made in its place.
        let Some(mut session) = read(record)? else {
            return Ok(Edit::Save(UserSession::new().to_bytes(), Stored::Gone));
        };
        // An answer of the store that was lost.
        if session.holds(&self.tokens) {
            return Ok(Edit::Leave(Stored::Saved(session)));
        }
        let (is_ours, taken) = match self.how {
            How::Renewed if session.is_claimed_by(&self.by) => {
                (true, session.store_renewed(self.tokens.clone()))
            }
            How::Consented if session.is_redeemed_by(&self.by) => {
                (true, session.store_consented(self.tokens.clone()))
            }
            _ => (false, Ok(())),
        };
        match (is_ours, taken) {
            (false, _) => Ok(confirmed(Some(&session), now, Stored::Nobodys)),
            (true, Ok(())) => Ok(saved(&session.clone(), now, Stored::Saved(session))),
            (true, Err(error)) => {
                session.give_up_code(&self.by);
                if self.how == How::Renewed {
                    session.spend_refresh_token();
                }
                Ok(saved(&session, now, Stored::Unusable(error)))
            }
        }
    }
}

#[allow(clippy::large_enum_variant)] // taken apart at once
enum Stored {
    Saved(UserSession),
    /// The session is another user's by now.
    Nobodys,
    /// The session was ended.
    Gone,
    Unusable(Error),
}

/// Saves what was obtained. Dropped or failed before that, it is kept for the session's next call.
pub(super) struct Save {
    users: Users,
    session: StoreKey,
    obtained: Option<Arc<Obtained>>,
    at: At,
}

enum At {
    Store(Box<Change<Stored>>),
    /// The record goes that stands for none.
    Clear(Box<Change<()>>),
    Revoke(Box<Call<Revoke>>, Option<Error>),
}

impl Save {
    pub(super) fn new(users: &Users, session: StoreKey, obtained: Obtained) -> Self {
        Save::over(users, session, obtained, None)
    }

    /// Over this record, as far as is known: then it need not be loaded first.
    pub(super) fn over(users: &Users, session: StoreKey, obtained: Obtained, record: Option<Record>) -> Self {
        let obtained = Arc::new(obtained);
        let edit = Arc::clone(&obtained);
        let change = Change::new(session.clone(), move |record, now| edit.edit(record, now)).that_carries();
        let change = match record {
            Some(record) => change.knowing(record),
            None => change,
        };
        Save { users: users.clone(), session, obtained: Some(obtained), at: At::Store(Box::new(change)) }
    }

    fn not_saved(&self, failed: Failed) -> Failed {
        match (failed.error, &self.obtained) {
            (Error::Store(source), Some(obtained)) => {
                let tokens = &obtained.tokens;
                let unsaved = Unsaved::new(tokens.access.secret().clone(), tokens.refresh.clone());
                Error::NotSaved { tokens: unsaved, source }.into()
            }
            (error, _) => Failed { error, ..failed },
        }
    }
}

impl Part for Save {
    /// The session as it is saved; none if the tokens belonged to nobody and were revoked.
    type Output = Option<Arc<UserSession>>;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Self::Output>, Failed> {
        loop {
            match &mut self.at {
                At::Store(change) => {
                    let stored = match change.step(now, arrived.take(), time) {
                        Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                        Ok(Step::Done(stored)) => stored,
                        Err(failed) => return Err(self.not_saved(failed)),
                    };
                    if matches!(stored, Stored::Gone) {
                        let clear = Change::new(self.session.clone(), |record, now| {
                            let session = read(record)?.filter(|session| session.is_abandoned(now.wall));
                            Ok(if session.is_some() { Edit::Remove(()) } else { Edit::Leave(()) })
                        });
                        self.at = At::Clear(Box::new(clear));
                        continue;
                    }
                    let (nobodys, error) = match stored {
                        Stored::Saved(session) => {
                            self.obtained = None;
                            return Ok(Step::Done(Some(Arc::new(session))));
                        }
                        Stored::Nobodys | Stored::Gone => (self.refresh(), None),
                        Stored::Unusable(error) => (self.refresh(), Some(error)),
                    };
                    match (nobodys, error) {
                        (Some(revoke), error) => {
                            let call = Call::new(self.users.session.clone(), revoke, None);
                            self.at = At::Revoke(Box::new(call), error);
                        }
                        (None, error) => {
                            self.obtained = None;
                            return error.map_or(Ok(Step::Done(None)), |error| Err(error.into()));
                        }
                    }
                }
                At::Clear(clear) => {
                    match clear.step(now, arrived.take(), time) {
                        Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                        Ok(Step::Done(())) => {}
                        Err(failed) => return Err(self.not_saved(failed)),
                    }
                    match self.refresh() {
                        Some(revoke) => {
                            let call = Call::new(self.users.session.clone(), revoke, None);
                            self.at = At::Revoke(Box::new(call), None);
                        }
                        None => {
                            self.obtained = None;
                            return Ok(Step::Done(None));
                        }
                    }
                }
                At::Revoke(call, error) => {
                    match Part::step(&mut **call, now, arrived.take(), time)? {
                        Step::Do(action) => return Ok(Step::Do(action)),
                        Step::Done(()) => self.obtained = None,
                    }
                    return error.take().map_or(Ok(Step::Done(None)), |error| Err(error.into()));
                }
            }
        }
    }
}

impl Save {
    fn refresh(&self) -> Option<Revoke> {
        let refresh = self.obtained.as_ref()?.tokens.refresh.clone()?;
        Some(Revoke::new(refresh).hint(TokenHint::RefreshToken))
    }
}

impl Drop for Save {
    fn drop(&mut self) {
        let Some(obtained) = self.obtained.take() else { return };
        let Obtained { by, tokens, how } = &*obtained;
        let kept = Obtained { by: by.clone(), tokens: tokens.clone(), how: *how };
        self.users.shared.kept.put(self.session.clone(), kept);
    }
}
