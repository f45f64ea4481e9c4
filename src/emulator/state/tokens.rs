//! The tokens that were given out, by their digests: kinds, families, rotation, revocation.

use std::collections::VecDeque;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::kept::Kept;
use crate::time::Timestamp;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// An access token (RFC 6749 section 1.4).
    Access,
    /// A refresh token (RFC 6749 section 1.5).
    Refresh,
    /// An ID token (OpenID Connect Core 1.0 section 2).
    Id,
}

/// Whom a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    /// The agent itself.
    Agent,
    /// The user of this name.
    User(String),
    /// An agent with a permission that it has just in time, and with nothing else.
    Permission(Box<Permitted>),
}

/// What a permission's token is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Permitted {
    pub task: String,
    pub parent: Option<String>,
    pub details: Value,
}

/// An agent that acts for somebody (RFC 8693 section 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Actor {
    pub client_id: String,
    pub subject: String,
}

/// What is known of a token that was given out. The token itself is not kept, only its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub kind: TokenKind,
    pub tenant: usize,
    pub client_id: String,
    pub principal: Principal,
    /// `sub`.
    pub subject: String,
    pub scopes: Vec<String>,
    /// `aud` of an access token; what a refresh token may be used for.
    pub audience: Vec<String>,
    /// Who acts, the first agent first.
    pub actors: Vec<Actor>,
    pub issuer: String,
    /// `jti`.
    pub id: String,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    /// When the user signed in.
    pub auth_time: Timestamp,
    /// The authorization grant that it comes from: what is revoked together.
    pub family: Option<u64>,
    /// A refresh token that another one has replaced.
    pub rotated: bool,
}

/// The tokens that are valid, until they expire or are revoked.
#[derive(Default)]
pub(crate) struct Tokens {
    records: Kept<[u8; 32], Token>,
    /// Which came last, newest first.
    newest: VecDeque<[u8; 32]>,
}

/// How many of the newest tokens are known in their order.
const NEWEST: usize = 64;

/// What a secret text is kept as: a look-up by it says nothing about the text in its time.
pub(crate) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

impl Tokens {
    pub(crate) fn insert(&mut self, text: &str, token: Token, now: Timestamp) {
        let digest = digest(text);
        self.records.insert(digest, token, |own| own.expires_at > now);
        self.newest.push_front(digest);
        self.newest.truncate(NEWEST);
    }

    /// The newest tokens that are good now, each with the digest that stands for it.
    pub(crate) fn newest(&self, now: Timestamp) -> impl Iterator<Item = (&[u8; 32], &Token)> {
        let records = self.newest.iter().filter_map(|digest| Some((digest, self.records.get(digest)?)));
        records.filter(move |(_, token)| now < token.expires_at && !token.rotated)
    }

    /// The token of any kind, if it was given out by this emulator, was not revoked, and has not expired. A refresh
    /// token that was replaced is found too.
    pub(crate) fn find(&self, text: &str, now: Timestamp) -> Option<&Token> {
        self.records.get(&digest(text)).filter(|token| now < token.expires_at)
    }

    /// An access token.
    pub(crate) fn access(&self, text: &str, now: Timestamp) -> Option<&Token> {
        self.find(text, now).filter(|token| token.kind == TokenKind::Access)
    }

    /// Marks a refresh token as replaced.
    pub(crate) fn rotate(&mut self, text: &str) {
        if let Some(token) = self.records.get_mut(&digest(text)) {
            token.rotated = true;
        }
    }

    /// Forgets one token; a refresh token takes all of its family along (RFC 7009 section 2.1).
    pub(crate) fn revoke(&mut self, text: &str) {
        let Some(token) = self.records.remove(&digest(text)) else { return };
        if let (TokenKind::Refresh, Some(family)) = (token.kind, token.family) {
            self.revoke_family(family);
        }
    }

    pub(crate) fn revoke_family(&mut self, family: u64) {
        self.records.retain(|token| token.family != Some(family));
    }

    pub(crate) fn revoke_client(&mut self, client_id: &str) {
        self.records.retain(|token| token.client_id != client_id);
    }

    /// Forgets what a client, or agents in whose chain it is, may do for a user.
    pub(crate) fn revoke_delegation(&mut self, tenant: usize, user: &str, client_id: &str) {
        self.records.retain(|token| {
            let theirs =
                token.client_id == client_id || token.actors.iter().any(|actor| actor.client_id == client_id);
            !(token.tenant == tenant && theirs && token.principal == Principal::User(user.to_owned()))
        });
    }

    /// How many tokens of a kind are valid.
    pub(crate) fn count(&self, kind: TokenKind, now: Timestamp) -> usize {
        let valid = |token: &&Token| token.kind == kind && !token.rotated && now < token.expires_at;
        self.records.values().filter(valid).count()
    }
}

#[cfg(test)]
mod tests {
    use super::super::kept::SWEEP_FROM;
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    fn token(kind: TokenKind, family: Option<u64>, until: u64) -> Token {
        Token {
            kind,
            tenant: 0,
            client_id: "a".into(),
            principal: Principal::Agent,
            subject: "agent:a".into(),
            scopes: Vec::new(),
            audience: Vec::new(),
            actors: Vec::new(),
            issuer: String::new(),
            id: String::new(),
            issued_at: at(0),
            expires_at: at(until),
            auth_time: at(0),
            family,
            rotated: false,
        }
    }

    #[test]
    fn tokens_end_on_the_second_and_when_revoked() {
        let mut tokens = Tokens::default();
        tokens.insert("secret", token(TokenKind::Access, None, 100), at(1));
        assert!(tokens.access("secret", at(99)).is_some());
        assert!(tokens.find("secret", at(100)).is_none());
        assert!(tokens.find("Secret", at(1)).is_none());
        tokens.revoke_client("b");
        assert!(tokens.find("secret", at(1)).is_some());
        tokens.revoke_client("a");
        assert!(tokens.find("secret", at(1)).is_none());
    }

    #[test]
    fn a_refresh_token_takes_its_family_along() {
        let mut tokens = Tokens::default();
        tokens.insert("refresh", token(TokenKind::Refresh, Some(1), 100), at(1));
        tokens.insert("access", token(TokenKind::Access, Some(1), 100), at(1));
        tokens.insert("other", token(TokenKind::Access, Some(2), 100), at(1));
        assert!(tokens.access("refresh", at(1)).is_none(), "no access token");
        tokens.revoke("access");
        assert_eq!((tokens.count(TokenKind::Access, at(1)), tokens.count(TokenKind::Refresh, at(1))), (1, 1));
        tokens.insert("access", token(TokenKind::Access, Some(1), 100), at(1));
        tokens.rotate("refresh");
        assert_eq!(tokens.count(TokenKind::Refresh, at(1)), 0);
        tokens.revoke("refresh");
        assert!(tokens.find("access", at(1)).is_none() && tokens.find("other", at(1)).is_some());
    }

    #[test]
    fn what_has_expired_is_swept_out() {
        let mut tokens = Tokens::default();
        for number in 0..10_000_u64 {
            tokens.insert(&number.to_string(), token(TokenKind::Access, None, number + 10), at(number));
        }
        let kept = tokens.records.values().count();
        assert!(kept <= SWEEP_FROM, "{kept}");
    }
}
