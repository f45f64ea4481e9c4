//! Renewing a user's token: when it is due, and whose it is to do, so that one refresh token is sent once.

use std::time::Duration;

use super::{Claim, UserSession};
use crate::error::{Error, Sent};
use crate::time::Timestamp;
use crate::token::{AccessToken, TokenType};

/// After a renewal that failed, while the token still is good.
const PAUSE: Duration = Duration::from_secs(10);
/// What a token whose end is not known is taken to live.
const UNKNOWN: Duration = Duration::from_secs(300);
/// Whoever claimed a renewal and did not finish it is not waited for any longer than this.
const CLAIM: Duration = Duration::from_secs(60);

/// How much is left of the user's token, and what can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserTimes {
    /// How long it still is valid; none if its end is not known.
    pub left: Option<Duration>,
    /// How long it was issued for, if that is known.
    pub lifetime: Option<Duration>,
    /// There is a refresh token.
    pub renews: bool,
    /// A renewal failed a moment ago: no other one is begun while the token is good.
    pub put_off: bool,
}

/// Whether somebody is renewing the user's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claimed {
    /// Nobody.
    No,
    /// Somebody, since a moment ago: look again soon.
    Now,
    /// Somebody who did not come back: the refresh token may have been sent, and must not be sent twice.
    Stale,
}

impl UserSession {
    /// How the user's token stands; none without a user.
    pub fn times(&self, now: Timestamp) -> Option<UserTimes> {
        let user = self.user.as_ref()?;
        // Never put off for longer than that, whatever clocks were set to.
        let put_off = user.put_off.is_some_and(|until| now < until && until.saturating_since(now) <= PAUSE);
        Some(UserTimes {
            left: user.expires_at.map(|end| end.saturating_since(now)),
            lifetime: user.lifetime,
            renews: user.refresh.is_some(),
            put_off,
        })
    }

    /// Whether somebody has claimed the renewal. A claim is bounded from both sides: one from further in the future than a
    /// clock may be ahead is as good as one that is too old.
    pub fn claimed(&self, now: Timestamp) -> Claimed {
        let far = |claim: &Claim| now.saturating_since(claim.at).max(claim.at.saturating_since(now)) >= CLAIM;
        match &self.claim {
            None => Claimed::No,
            Some(claim) if far(claim) => Claimed::Stale,
            Some(_) => Claimed::Now,
        }
    }

    /// The user's token, if it is not over. One whose end is not known is for the service to judge.
    pub fn good_token(&self, now: Timestamp) -> Option<AccessToken> {
        let user = self.user.as_ref()?;
        let left = user.expires_at.map_or(UNKNOWN, |end| end.saturating_since(now));
        // Never longer than it was issued for, whatever clocks were set to.
        let left = user.lifetime.map_or(left, |lifetime| left.min(lifetime));
        let token_type = TokenType::parse(&user.token_type);
        (!left.is_zero())
            .then(|| AccessToken::new(user.access.clone(), token_type, user.scopes.clone(), now, left))
    }

    /// Claims the renewal. It counts only if the session is saved before anybody else does.
    pub fn claim(&mut self, by: &str, now: Timestamp) {
        self.claim = Some(Claim { by: by.to_owned(), at: now });
    }

    /// True if this claim is the one that stands.
    pub fn is_claimed_by(&self, by: &str) -> bool {
        self.claim.as_ref().is_some_and(|claim| claim.by == by)
    }

    /// Gives the claim back: the renewal failed, and the refresh token was not used. While the token is good, nobody
    /// needs to try again at once.
    pub fn give_back(&mut self, now: Timestamp) {
        self.claim = None;
        if let Some(user) = &mut self.user {
            user.put_off = Some(now.saturating_add(PAUSE));
        }
    }

    /// True if a renewal that ended so has used the refresh token up, or may have.
    pub fn is_spent_by(error: &Error) -> bool {
        match error {
            Error::OutcomeUnknown { .. } | Error::Protocol(_) => true,
            // Late before anything was sent, or after an attempt that failed so.
            Error::DeadlineExceeded { last, .. } => last.as_deref().is_some_and(UserSession::is_spent_by),
            Error::Transport(error) => error.sent() == Sent::Unknown,
            Error::Api(error) => error.has_code("invalid_grant"),
            _ => false,
        }
    }

    /// The refresh token was used, or may have been, and nothing came of it: it must never be sent again.
    pub fn spend_refresh_token(&mut self) {
        self.claim = None;
        self.displace();
        self.generation = self.generation.saturating_add(1);
    }
}
