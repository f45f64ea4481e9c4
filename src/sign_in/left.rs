//! What is left to be done when a store, the service or a browser fails in the middle of a sign-in or a logout: whoever comes next does it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::operations::UserSession;
use crate::secret::Secret;
use crate::session::change::{Change, Edit};
use crate::session::part::{Failed, Part, ready};
use crate::session::{Arrived, Step};
use crate::store::{Shelf, StoreKey};
use crate::time::{Deadline, Now};

/// The most of each kind; the oldest goes.
const MOST: usize = 1024;
/// So long a record lasts that stands for none.
const STANDS: Duration = Duration::from_secs(1);

/// What is still to be done.
#[derive(Default)]
pub(crate) struct Left {
    /// Refresh tokens that nothing uses any more and the service was not told of yet.
    tokens: Mutex<Vec<Secret>>,
    /// Sessions of which it is not known whether the store still has them.
    sessions: Mutex<Vec<Doubtful>>,
}

/// A session that was to be taken out of the store, which did not say whether it is.
struct Doubtful {
    id: Secret,
    /// Its refresh tokens, as far as it was seen.
    tokens: Vec<Secret>,
    /// Somebody signed out of it: it is over, wherever it still stands.
    ends: bool,
}

impl Left {
    pub(crate) fn put(&self, tokens: impl IntoIterator<Item = Secret>) {
        put(&self.tokens, tokens);
    }

    /// The one that waits for longest.
    pub(crate) fn take(&self) -> Option<Secret> {
        take(&self.tokens)
    }

    /// True if somebody signed out of this session.
    pub(crate) fn is_over(&self, id: &Secret) -> bool {
        lock(&self.sessions).iter().any(|session| session.ends && session.id == *id)
    }

    /// Looks after the session that waits for longest, if one does.
    pub(crate) fn look(left: &Arc<Left>) -> Option<Look> {
        let session = take(&left.sessions)?;
        let (ends, seen) = (session.ends, session.tokens.clone());
        let change = Change::new(session_key(&session.id), move |record, _| {
            let found = record.map(|record| UserSession::from_bytes(record.bytes())).transpose()?;
            let tokens = || found.iter().flat_map(UserSession::refresh_tokens).chain(seen.iter().cloned());
            Ok(match &found {
                Some(_) if !ends => Edit::Leave(Vec::new()),
                Some(_) => Edit::Remove(tokens().collect()),
                None => Edit::Leave(tokens().collect()),
            })
        });
        Some(Look { left: Arc::clone(left), session: Some(session), change: change.brief(1) })
    }
}

fn put<T>(all: &Mutex<Vec<T>>, more: impl IntoIterator<Item = T>) {
    let mut all = lock(all);
    all.extend(more);
    let over = all.len().saturating_sub(MOST);
    all.drain(..over);
}

fn take<T>(all: &Mutex<Vec<T>>) -> Option<T> {
    let mut all = lock(all);
    (!all.is_empty()).then(|| all.remove(0))
}

/// A look at a session that may still be in the store: it is ended if somebody signed out of it, and its refresh tokens are left to
/// be revoked if it is gone. Whatever fails, it waits on.
pub(crate) struct Look {
    left: Arc<Left>,
    session: Option<Doubtful>,
    change: Change<Vec<Secret>>,
}

impl Part for Look {
    type Output = ();

    fn step(&mut self, now: &Now, arrived: Option<Arrived>, time: &Deadline) -> Result<Step<()>, Failed> {
        let tokens = ready!(self.change.step(now, arrived, time)?);
        self.session = None;
        self.left.put(tokens);
        Ok(Step::Done(()))
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        put(&self.left.sessions, self.session.take());
    }
}

/// The record of a session.
pub(crate) fn session_key(id: &Secret) -> StoreKey {
    StoreKey::new(Shelf::Sessions, [id.expose()])
}

/// Takes a session out of the store. Where the store does not say whether it is, whoever comes next looks after it.
pub(crate) struct TakeOut {
    left: Arc<Left>,
    session: Option<Doubtful>,
    seen: Arc<Mutex<Vec<Secret>>>,
    change: Change<Option<UserSession>>,
}

impl TakeOut {
    /// For another that takes its place, if there will be one.
    pub(crate) fn replaced(left: &Arc<Left>, id: &Secret) -> Self {
        TakeOut::new(left, id, false)
    }

    /// For good.
    pub(crate) fn ended(left: &Arc<Left>, id: &Secret) -> Self {
        TakeOut::new(left, id, true)
    }

    fn new(left: &Arc<Left>, id: &Secret, ends: bool) -> Self {
        let seen: Arc<Mutex<Vec<Secret>>> = Arc::default();
        let (shown, mut taken) = (Arc::clone(&seen), None);
        let change = Change::new(session_key(id), move |record, _| {
            let session = record.map(|record| UserSession::from_bytes(record.bytes())).transpose()?;
            // An answer of the store that was lost.
            if let Some(session) = session {
                *lock(&shown) = session.refresh_tokens();
                taken = Some(session);
            }
            Ok(match record {
                // That there is none is known when one can be made in its place: what was read may be old.
                None if ends && taken.is_none() => Edit::Keep(UserSession::new().to_bytes(), STANDS, None),
                _ => Edit::Remove(taken.clone()),
            })
        });
        let session = Some(Doubtful { id: id.clone(), tokens: Vec::new(), ends });
        TakeOut { left: Arc::clone(left), session, seen, change }
    }
}

impl Part for TakeOut {
    type Output = Option<UserSession>;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Self::Output>, Failed> {
        let taken = ready!(self.change.step(now, arrived, time)?);
        self.session = None;
        Ok(Step::Done(taken))
    }
}

impl Drop for TakeOut {
    fn drop(&mut self) {
        let Some(mut session) = self.session.take() else { return };
        session.tokens = std::mem::take(&mut *lock(&self.seen));
        if session.ends || !session.tokens.is_empty() {
            put(&self.left.sessions, [session]);
        }
    }
}

/// Claims on answers that may stand in the store, though nobody has sent the codes of the answers: by the answers' names.
#[derive(Default)]
pub(crate) struct Unsent(Mutex<HashMap<String, String>>);

impl Unsent {
    /// The claim that whoever brings the answer again goes on with.
    pub(crate) fn take(&self, answer: &str) -> Option<String> {
        lock(&self.0).remove(answer)
    }
}

/// A claim on an answer whose code was not sent. Dropped with it, it leaves it to the next who brings the same answer.
pub(crate) struct Claim {
    unsent: Arc<Unsent>,
    answer: String,
    by: Option<String>,
}

impl Claim {
    pub(crate) fn new(unsent: &Arc<Unsent>, answer: String, by: Option<String>) -> Self {
        Claim { unsent: Arc::clone(unsent), answer, by }
    }

    /// It stands, and the code is not sent.
    pub(crate) fn stands(&mut self, by: &str) {
        self.by = Some(by.to_owned());
    }

    /// The code is on its way, or the claim is somebody else's, or gone.
    pub(crate) fn is_over(&mut self) {
        self.by = None;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(by) = self.by.take() else { return };
        let mut all = lock(&self.unsent.0);
        if all.len() < MOST {
            all.insert(std::mem::take(&mut self.answer), by);
        }
    }
}

/// Refresh tokens of which only this knows. Dropped with them, it leaves them to be revoked.
pub(crate) struct Held {
    left: Arc<Left>,
    pub(crate) tokens: Vec<Secret>,
}

impl Held {
    pub(crate) fn new(left: &Arc<Left>) -> Self {
        Held { left: Arc::clone(left), tokens: Vec::new() }
    }

    /// Somebody else knows them now.
    pub(crate) fn let_go(&mut self) {
        self.tokens.clear();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.left.put(self.tokens.drain(..));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_tokens_wait_and_the_oldest_goes() {
        let left = Left::default();
        left.put((0..MOST + 2).map(|number| Secret::new(number.to_string())));
        assert_eq!(lock(&left.tokens).len(), MOST);
        assert_eq!(left.take(), Some(Secret::new("2")));
    }
}
