//! Renewals of agents' tokens that ended a moment ago: who waited for one has its outcome, and sends nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::operations::aauth::AuthToken;
use crate::secret::Secret;
use crate::time::{Now, hex};

/// How many outcomes are remembered.
const CAPACITY: usize = 64;

/// The last outcomes, by the token that was renewed.
#[derive(Default)]
pub(super) struct Renewals(Mutex<VecDeque<Outcome>>);

struct Outcome {
    renewed: Secret,
    result: Result<AuthToken, Error>,
    at: Now,
}

impl Renewals {
    /// The outcome of renewing this very token, if it came after `asked`: the caller was there while it was under way.
    pub(super) fn since(&self, token: &AuthToken, asked: &Now) -> Option<Result<AuthToken, Error>> {
        let outcomes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |outcome: &&Outcome| {
            outcome.at.monotonic >= asked.monotonic && &outcome.renewed == token.auth_token()
        };
        outcomes.iter().rev().find(fits).map(|outcome| outcome.result.clone())
    }

    pub(super) fn remember(&self, token: &AuthToken, result: &Result<AuthToken, Error>, at: &Now) {
        let mut outcomes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if outcomes.len() >= CAPACITY {
            outcomes.pop_front();
        }
        let (renewed, result) = (token.auth_token().clone(), result.clone());
        outcomes.push_back(Outcome { renewed, result, at: *at });
    }
}

/// The name of the work, which says nothing of the token.
pub(super) fn name(refresh_token: &Secret) -> String {
    format!("aauth refresh {}", hex(&Sha256::digest(refresh_token.expose().as_bytes())))
}
