//! A token with which an agent acts for a user, and to whom it is handed on.

use crate::claims::UnverifiedClaims;
use crate::credentials::{ClientAuth, Credentials};
use crate::error::InputError;
use crate::operations::exchange::{Exchange, ExchangeTokenType, MAX_DEPTH, depth, names_actor};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::token::AccessToken;

/// A token with which an agent acts for a user.
#[derive(Clone, Debug)]
pub struct Delegation {
    token: AccessToken,
}

impl Delegation {
    /// Of a token that an exchange gave.
    pub fn new(token: AccessToken) -> Self {
        Delegation { token }
    }

    /// The token. Send it only to whom it is for.
    pub fn token(&self) -> &AccessToken {
        &self.token
    }

    /// The scopes that were granted.
    pub fn scopes(&self) -> &Scopes {
        self.token.scopes()
    }

    /// When it ends, by this machine's clock.
    pub fn expires_at(&self) -> Timestamp {
        self.token.expires_at()
    }

    /// Who acts for whom, as the token says. **Not verified**: for display only. None for opaque tokens.
    pub fn unverified_claims(&self) -> Option<UnverifiedClaims> {
        UnverifiedClaims::read(self.token.secret()).ok()
    }

    /// Whether the token names somebody who acts for the user (`act`, RFC 8693 section 4.1). **Not verified.** `Some(false)`: whoever
    /// receives it cannot tell the agent from the user. `None`: it is opaque, and only the service knows.
    pub fn unverified_names_actor(&self) -> Option<bool> {
        names_actor(self.token.secret())
    }

    /// Refuses to hand on what has three actors already, as far as the token can be read; the service refuses it too.
    ///
    /// # Errors
    /// [`InputError`].
    pub fn check_depth(&self) -> Result<(), InputError> {
        if depth(self.token.secret()) < MAX_DEPTH {
            return Ok(());
        }
        Err(InputError::new(
            "session",
            "has three actors in its chain already, which is the most there may be",
        ))
    }
}

/// An agent to which a delegation is handed on: its own access token, and how it proves who it is, if it is run here and the
/// service wants that.
///
/// ```
/// use lumoauth::embed::operations::{ExchangeTokenType, SubAgent};
/// use lumoauth::{ClientAuth, Credentials};
///
/// let own = Credentials::new("agt_2", "its-own-secret")?;
/// let sub_agent = SubAgent::new("its-own-token").token_type(ExchangeTokenType::Jwt).client(own, ClientAuth::Post);
/// # assert!(!format!("{sub_agent:?}").contains("its-own"));
/// # Ok::<(), lumoauth::error::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SubAgent {
    token: Secret,
    kind: ExchangeTokenType,
    client: Option<(Credentials, ClientAuth)>,
}

impl SubAgent {
    /// The agent that has this access token.
    pub fn new(token: impl Into<Secret>) -> Self {
        SubAgent { token: token.into(), kind: ExchangeTokenType::AccessToken, client: None }
    }

    /// Its token is of another kind.
    pub fn token_type(mut self, kind: ExchangeTokenType) -> Self {
        self.kind = kind;
        self
    }

    /// The exchange is made with this agent's own client authentication, in place of the agent's that hands on.
    pub fn client(mut self, client: Credentials, client_auth: ClientAuth) -> Self {
        self.client = Some((client, client_auth));
        self
    }

    /// The exchange in which it becomes the actor.
    pub(crate) fn acts_in(&self, exchange: Exchange) -> Exchange {
        let exchange = exchange.actor(self.token.clone()).actor_type(self.kind);
        match &self.client {
            Some((client, client_auth)) => exchange.client(client.clone(), *client_auth),
            None => exchange,
        }
    }
}

impl<T: Into<Secret>> From<T> for SubAgent {
    fn from(token: T) -> Self {
        SubAgent::new(token)
    }
}

/// What ending a delegation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    tokens: usize,
}

impl Revocation {
    /// So many tokens were revoked at the service.
    pub fn new(tokens: usize) -> Self {
        Revocation { tokens }
    }

    /// How many refresh tokens were revoked at the service.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// False if the service was told nothing, because the session had no refresh token: what was issued stays valid until it
    /// ends.
    pub fn told_service(&self) -> bool {
        self.tokens > 0
    }
}
