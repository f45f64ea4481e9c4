//! What a session is set to.

use std::time::Duration;

use http::header::HeaderValue;

use super::identity::Identity;
use super::keep::MOST_KEPT;
use super::kinds::LONGEST_DECISION;
use crate::credentials::{ClientAuth, Credentials, Key, Workload};
use crate::error::ConfigError;
use crate::origin::Origin;
use crate::scopes::Scopes;
use crate::site::Site;

/// The settings of a [`Session`](super::Session). Every one has a default but the site.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) site: Site,
    pub(super) identity: Option<Identity>,
    pub(super) client_auth: ClientAuth,
    pub(super) allowed_origins: Vec<Origin>,
    pub(super) scopes: Scopes,
    pub(super) total: Option<Duration>,
    pub(super) attempt: Option<Duration>,
    pub(super) connect: Duration,
    pub(super) user_agent: HeaderValue,
    pub(super) most_kept: usize,
    pub(super) shared_tokens: bool,
    pub(super) decisions: Duration,
}

impl Settings {
    /// For this site, with the defaults.
    pub fn new(site: Site) -> Self {
        Settings {
            site,
            identity: None,
            client_auth: ClientAuth::default(),
            allowed_origins: Vec::new(),
            scopes: Scopes::none(),
            total: None,
            attempt: None,
            connect: Duration::from_millis(3100),
            user_agent: HeaderValue::from_static(concat!("lumoauth-rust/", env!("CARGO_PKG_VERSION"))),
            most_kept: MOST_KEPT,
            shared_tokens: false,
            decisions: Duration::ZERO,
        }
    }

    /// The agent's credentials.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.identity = Some(Identity::client(credentials));
        self
    }

    /// The agent has no secret: its platform vouches for it. In place of credentials.
    pub fn workload(mut self, workload: Workload) -> Self {
        self.identity = Some(Identity::workload(workload));
        self
    }

    /// Every call travels with this key, or this user's token. In place of credentials.
    pub fn key(mut self, key: Key) -> Self {
        self.identity = Some(Identity::key(key));
        self
    }

    /// How the client authenticates itself at the token endpoint.
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// Lets the agent's token travel to one more origin.
    pub fn allow_origin(mut self, origin: Origin) -> Self {
        self.allowed_origins.push(origin);
        self
    }

    /// The scopes that tokens are asked for.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// The whole time of every call, in place of each operation's own.
    pub fn total(mut self, total: Duration) -> Self {
        self.total = Some(total);
        self
    }

    /// The longest time of one attempt, in place of each operation's own.
    pub fn attempt(mut self, attempt: Duration) -> Self {
        self.attempt = Some(attempt);
        self
    }

    /// The longest time until a connection stands, 3.1 s if not set.
    pub fn connect(mut self, connect: Duration) -> Self {
        self.connect = connect;
        self
    }

    /// The most values of each kind that are held at once, 1,024 if not set, one at least: the agent's own tokens, tokens for
    /// MCP servers, descriptions of resources, and so on. A new one pushes out what is over, and then what was not used
    /// for longest.
    pub fn most_kept(mut self, most: usize) -> Self {
        self.most_kept = most;
        self
    }

    /// Shares the agent's own tokens and those for MCP servers with every session that has the same credentials and the same
    /// store: before one is fetched, the driver is asked for the record on [`Shelf::Tokens`] ([`Action::Store`]), and one session
    /// fetches it for all. Nothing depends on that store: an error of it is answered by fetching the token.
    ///
    /// The records hold tokens. A record's key has the service, the client id and what the token is for, and a hash of the client
    /// secret, so that nobody finds a token by another secret. A client that a workload's token vouches for shares its tokens if
    /// its client id is set.
    ///
    /// [`Shelf::Tokens`]: crate::store::Shelf::Tokens
    /// [`Action::Store`]: super::Action::Store
    pub fn shared_tokens(mut self) -> Self {
        self.shared_tokens = true;
        self
    }

    /// Uses a decision again for so long, 30 s at most; not at all if not set. Checks of permissions, relations and policies are meant:
    /// what is allowed may go on for so long after it was taken back, and what is denied after it was granted. Questions to
    /// the Ask API are always asked anew.
    pub fn remember_decisions(mut self, age: Duration) -> Self {
        self.decisions = age.min(LONGEST_DECISION);
        self
    }

    /// Puts a product of yours in front of `User-Agent`.
    ///
    /// # Errors
    /// [`ConfigError::BadText`] if a header cannot carry it.
    pub fn user_agent(mut self, product: &str) -> Result<Self, ConfigError> {
        let own = concat!("lumoauth-rust/", env!("CARGO_PKG_VERSION"));
        self.user_agent =
            HeaderValue::from_str(&format!("{product} {own}")).map_err(|_| ConfigError::BadText {
                setting: "user_agent",
                problem: "has a character that no header can carry",
            })?;
        Ok(self)
    }
}
