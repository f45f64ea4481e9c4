//! Renewing a user's token: when it is due, and whose it is to do, so that one refresh token is sent once.

use std::time::Duration;

use super::{Claim, UserSession, UserToken};
use crate::error::{Error, Sent};
use crate::time::Timestamp;
use crate::token::{AccessToken, TokenType};

/// A user's token is renewed this long before its end.
const MARGIN: Duration = Duration::from_secs(30);
/// After a renewal that failed, while the token still is good.
const PAUSE: Duration = Duration::from_secs(10);
/// What a token whose end is not known is taken to live.
const UNKNOWN: Duration = Duration::from_secs(300);
/// Whoever claimed a renewal and did not finish it is not waited for any longer than this.
const CLAIM: Duration = Duration::from_secs(60);

impl UserSession {
    /// How the user's token stands.
    pub fn user_token(&self, now: Timestamp) -> UserToken {
        let Some(user) = &self.user else { return UserToken::Missing };
        let left = user.expires_at.map(|end| end.saturating_since(now));
        let is_soon = left.is_some_and(|left| left <= MARGIN);
        let put_off = user.put_off.is_some_and(|until| now < until);
        // What is good is used while somebody renews it, and when nobody can.
        let is_used = !is_soon || put_off || self.claim.is_some() || user.refresh.is_none();
        if let Some(good) = self.good_token(now).filter(|_| is_used) {
            return UserToken::Ready(good);
        }
        // A claim that nobody came back from: the refresh token may have been sent, and must not be sent twice.
        let claimed = self.claim.as_ref().map(|claim| now.saturating_since(claim.at) < CLAIM);
        match &user.refresh {
            Some(_) if claimed == Some(true) => UserToken::Claimed,
            Some(_) if claimed == Some(false) => UserToken::Missing,
            Some(refresh) => UserToken::Renew(refresh.clone()),
            None => UserToken::Missing,
        }
    }

    /// The user's token, if it is not over. One whose end is not known is for the service to judge.
    pub fn good_token(&self, now: Timestamp) -> Option<AccessToken> {
        let user = self.user.as_ref()?;
        let left = user.expires_at.map_or(UNKNOWN, |end| end.saturating_since(now));
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
