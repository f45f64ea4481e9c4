//! Ending the tokens that agents with the same credentials share: each is revoked at the service, and its record removed.

use std::time::Duration;

use super::super::change::{Change, Edit, Keys};
use super::super::keep::Freshness;
use super::super::part::{Failed, Part, Within, ready};
use super::super::{Arrived, Call, Machine, Session, Step};
use super::entry::Entry;
use super::place::whose;
use crate::error::Error;
use crate::operations::{Revoke, TokenHint};
use crate::store::{Prefix, Shelf, StoreKey};
use crate::time::{Deadline, Now};
use crate::token::AccessToken;

/// The whole time, if the session sets no other.
const TOTAL: Duration = Duration::from_secs(20);

impl Session {
    /// The machine that revokes at the service (RFC 7009), and removes from the store, every token that sessions with these
    /// credentials share ([`Settings::shared_tokens`](super::super::Settings::shared_tokens)); done with how many it revoked. What
    /// is held in this session's memory goes as well; other processes may use what they hold until the service refuses it.
    ///
    /// # Errors
    /// [`Error::Config`] without credentials.
    pub fn revoke_shared_tokens(&self) -> Result<impl Machine<Output = usize> + Send + use<>, Error> {
        let keys = whose(self, &self.identity()?).map(|whose| Keys::new(Prefix::new(Shelf::Tokens, whose)));
        let ended = Ended { session: self.clone(), keys, left: Vec::new(), at: At::Next, revoked: 0 };
        Ok(Within::new(ended, self.total().unwrap_or(TOTAL)))
    }
}

struct Ended {
    session: Session,
    keys: Option<Keys>,
    left: Vec<StoreKey>,
    at: At,
    revoked: usize,
}

enum At {
    Next,
    Load(StoreKey, Box<Change<Option<AccessToken>>>),
    Revoke(StoreKey, Option<AccessToken>, Box<Call<Revoke>>),
    Remove(Box<Change<()>>),
}

impl Ended {
    fn load(key: StoreKey) -> At {
        let own = key.clone();
        let load = Change::new(key.clone(), move |record, now| {
            let entry = Entry::read(record, &own).filter(|entry| entry.freshness(now) != Freshness::Expired);
            Ok(Edit::Leave(entry.and_then(|entry| entry.token)))
        });
        At::Load(key, Box::new(load))
    }

    /// The record goes, unless it has another token by now, or somebody is getting one.
    fn remove(key: StoreKey, token: Option<AccessToken>) -> At {
        let own = key.clone();
        let remove = Change::new(key, move |record, now| {
            let entry = Entry::of(record, &own, now);
            let is_it = match &token {
                Some(token) => entry.holds(token),
                None => entry.claim.is_none() && entry.freshness(now) == Freshness::Expired,
            };
            Ok(if is_it { Edit::Remove(()) } else { Edit::Leave(()) })
        });
        At::Remove(Box::new(remove))
    }
}

impl Part for Ended {
    type Output = usize;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<usize>, Failed> {
        if let Some(keys) = &mut self.keys {
            self.left = ready!(keys.step(now, arrived.take(), time)?);
            self.keys = None;
            self.session.shared.tokens.clear();
            self.session.shared.mcp.clear();
        }
        loop {
            self.at = match &mut self.at {
                At::Next => match self.left.pop() {
                    Some(key) => Ended::load(key),
                    None => return Ok(Step::Done(self.revoked)),
                },
                At::Load(key, load) => match ready!(load.step(now, arrived.take(), time)?) {
                    Some(token) => {
                        let revoke = Revoke::new(token.secret().clone()).hint(TokenHint::AccessToken);
                        let call = Call::new(self.session.clone(), revoke, None);
                        At::Revoke(key.clone(), Some(token), Box::new(call))
                    }
                    None => Ended::remove(key.clone(), None),
                },
                At::Revoke(key, token, call) => {
                    ready!(Part::step(&mut **call, now, arrived.take(), time)?);
                    self.revoked = self.revoked.saturating_add(1);
                    Ended::remove(key.clone(), token.take())
                }
                At::Remove(remove) => {
                    ready!(remove.step(now, arrived.take(), time)?);
                    At::Next
                }
            };
        }
    }
}
