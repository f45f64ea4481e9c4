//! Renewing a user's token: when it is due, and whose it is to do, so that one refresh token is sent once.

use std::time::Duration;

use super::{Claim, UserSession, UserToken};
use crate::error::{Error, Sent};
use crate::time::Timestamp;
use crate::token::{AccessToken, TokenType};

/// A user's token is renewed this long before its end.
const MARGIN: Duration = Duration::from_secs(30);
/// Whoever claimed a renewal and did not finish it is not waited for any longer than this.
const CLAIM: Duration = Duration::from_secs(60);

impl UserSession {
    /// How the user's token stands.
    pub fn user_token(&self, now: Timestamp) -> UserToken {
        let Some(user) = &self.user else { return UserToken::Missing };
        let left = user.expires_at.map(|end| end.saturating_since(now));
        if left.is_none_or(|left| left > MARGIN) {
            let lifetime = left.unwrap_or(Duration::from_secs(300));
            let token_type = TokenType::parse(&user.token_type);
            return UserToken::Ready(AccessToken::new(
                user.access.clone(),
                token_type,
                user.scopes.clone(),
                now,
                lifetime,
            ));
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

    /// Claims the renewal. It counts only if the session is saved before anybody else does.
    pub fn claim(&mut self, by: &str, now: Timestamp) {
        self.claim = Some(Claim { by: by.to_owned(), at: now });
    }

    /// True if this claim is the one that stands.
    pub fn is_claimed_by(&self, by: &str) -> bool {
        self.claim.as_ref().is_some_and(|claim| claim.by == by)
    }

    /// Gives the claim back: the renewal failed, and the refresh token was not used.
    pub fn give_back(&mut self) {
        self.claim = None;
    }

    /// True if a renewal that ended so has used the refresh token up, or may have.
    pub fn is_spent_by(error: &Error) -> bool {
        match error {
            Error::OutcomeUnknown { .. } | Error::Protocol(_) | Error::DeadlineExceeded { .. } => true,
            Error::Transport(error) => error.sent() == Sent::Unknown,
            Error::Api(error) => error.has_code("invalid_grant"),
            _ => false,
        }
    }

    /// The refresh token was used, or may have been, and nothing came of it: it must never be sent again.
    pub fn spend_refresh_token(&mut self) {
        self.claim = None;
        if let Some(user) = &mut self.user {
            user.refresh = None;
        }
        self.generation = self.generation.saturating_add(1);
    }
}
