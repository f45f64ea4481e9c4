//! Renewals of agents' tokens that ended a moment ago: who waited for one has its outcome, and sends nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::operations::aauth::AuthToken;
use crate::secret::Secret;
use crate::time::{Now, hex};

/// How many outcomes are remembered.
const CAPACITY: usize = 64;

/// The last outcomes, by the token that was renewed.
#[derive(Default)]
pub(super) struct Renewals(Mutex<Outcomes>);

#[derive(Default)]
struct Outcomes {
    last: VecDeque<Outcome>,
    /// How many there were ever.
    count: u64,
}

struct Outcome {
    number: u64,
    renewed: Secret,
    result: Result<AuthToken, Error>,
    at: Now,
}

impl Renewals {
    fn lock(&self) -> MutexGuard<'_, Outcomes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many outcomes there were up to now: what fails later fails for all who were there.
    pub(super) fn count(&self) -> u64 {
        self.lock().count
    }

    /// The outcome of renewing this very token, for who asked then, after so many outcomes. A failure is for those only who
    /// were there while it was under way, whatever the clock says: who asks again may do so with another resource token.
    pub(super) fn since(
        &self,
        token: &AuthToken,
        asked: &Now,
        count: u64,
    ) -> Option<Result<AuthToken, Error>> {
        let outcomes = self.lock();
        let fits = |outcome: &&Outcome| {
            let came_later = match outcome.result {
                Ok(_) => outcome.at.monotonic >= asked.monotonic,
                Err(_) => outcome.number >= count,
            };
            came_later && &outcome.renewed == token.auth_token()
        };
        outcomes.last.iter().rev().find(fits).map(|outcome| outcome.result.clone())
    }

    pub(super) fn remember(&self, token: &AuthToken, result: &Result<AuthToken, Error>, at: &Now) {
        let mut outcomes = self.lock();
        if outcomes.last.len() >= CAPACITY {
            outcomes.last.pop_front();
        }
        let (renewed, result, number) = (token.auth_token().clone(), result.clone(), outcomes.count);
        outcomes.last.push_back(Outcome { number, renewed, result, at: *at });
        outcomes.count = outcomes.count.saturating_add(1);
    }
}

/// The name of the work, which says nothing of the token.
pub(super) fn name(refresh_token: &Secret) -> String {
    format!("aauth refresh {}", hex(&Sha256::digest(refresh_token.expose().as_bytes())))
}
