//! The token vault: connections of the agent to others, and tokens for them (`docs/wire.md`, rows W).

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::error::{Error, InputError, ProtocolFault};
use crate::operation::{Answer, Auth, Context, Effect, Operation, Terms};
use crate::route::Route;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::wire::{self, Page, Request, Response, page, read_page};

/// The agent's connections are listed here.
pub const CONNECTIONS: Route = Route::get("connections.list", "agents/me/connections");
/// A token for one is had here.
pub const CONNECTION_TOKEN: Route =
    Route::post("connections.token", "agents/me/connections/{connection_id}/token");
pub(super) const ROUTES: &[Route] = &[CONNECTIONS, CONNECTION_TOKEN];

/// How long a token is kept whose end is not said.
const WITHOUT_END: Duration = Duration::from_secs(60);
/// The longest lifetime that is believed.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Lists the agent's connections, a page at a time. `GET agents/me/connections`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | page, from 1 | OPTIONAL | `page` |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListConnections {
    page: Option<u32>,
}

impl ListConnections {
    /// The first page.
    pub fn new() -> Self {
        ListConnections::default()
    }

    /// Another page, from 1.
    pub fn page(mut self, page: u32) -> Self {
        self.page = Some(page);
        self
    }
}

/// One page of connections.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ConnectionPage {
    /// The connections of this page.
    pub connections: Vec<Connection>,
    /// Where this page stands among the others, if the service says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<Page>,
}

/// A connection to somebody else's service, for which the vault has tokens.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Connection {
    /// Its id.
    pub id: String,
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whose service it is, such as `github`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// What its tokens may do there.
    pub scopes: Vec<String>,
    /// True if its tokens are users': one has to be named.
    pub user_delegated: bool,
    /// What else the service says of it.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Operation for ListConnections {
    type Output = ConnectionPage;

    fn terms(&self) -> Terms {
        Terms::new(CONNECTIONS.name(), Effect::Read, Auth::Bearer).body_limit(1024 * 1024)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        page(context.to(CONNECTIONS), self.page, None, &[])
    }

    fn response(&self, response: &Response) -> Result<Answer<ConnectionPage>, Error> {
        let listed = read_page(CONNECTIONS.name(), response, &["data", "connections"])?;
        let connections = listed.items.into_iter().map(|mut item| {
            let user_delegated = match item.value("user_delegated") {
                None => false,
                Some(Value::Bool(is)) => is,
                Some(other) => return Err(item.mistyped("user_delegated", "true or false", &other)),
            };
            let id = item.identifier("connection_id")?.filter(|id| !id.is_empty());
            Ok(Connection {
                id: id.ok_or_else(|| item.missing("connection_id"))?,
                name: item.text("name")?,
                provider: item.text("provider")?,
                scopes: item.texts("scopes")?,
                user_delegated,
                extra: item.rest(),
            })
        });
        Ok(Answer::Done(ConnectionPage {
            connections: connections.collect::<Result<_, Error>>()?,
            page: listed.page,
        }))
    }
}

/// Gets a token for a connection out of the vault. `POST agents/me/connections/{connection_id}/token`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | connection | REQUIRED | in the path |
/// | user, by id or address | for connections of users | `user_id` |
///
/// While the vault renews the token (503 `refresh_in_progress`), the call waits as long as it is told to. `Agent::vault_token` runs this
/// and holds the token until it ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GetVaultToken {
    connection: String,
    user: Option<String>,
}

impl GetVaultToken {
    /// For this connection.
    pub fn new(connection: impl Into<String>) -> Self {
        GetVaultToken { connection: connection.into(), user: None }
    }

    /// This user's, by id or address.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }
}

impl From<&str> for GetVaultToken {
    fn from(connection: &str) -> Self {
        GetVaultToken::new(connection)
    }
}

/// A token for somebody else's service. The library attaches it to no request and sends it to nobody, LumoAuth included: hand it to
/// the client of that service.
#[derive(Clone)]
pub struct VaultToken {
    secret: Secret,
    token_type: String,
    scopes: Scopes,
    expires_at: Option<Timestamp>,
    lifetime: Duration,
}

impl VaultToken {
    /// The token itself.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// How it is presented there, `Bearer` mostly.
    pub fn token_type(&self) -> &str {
        &self.token_type
    }

    /// What it may do there.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// When it ends, if the vault says so.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// How long it is held: until it ends, or for a minute.
    pub(crate) fn lifetime(&self) -> Duration {
        self.lifetime
    }
}

impl fmt::Debug for VaultToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let VaultToken { secret, token_type, scopes, expires_at, lifetime } = self;
        f.debug_struct("VaultToken")
            .field("secret", secret)
            .field("token_type", token_type)
            .field("scopes", scopes)
            .field("expires_at", expires_at)
            .field("lifetime", lifetime)
            .finish()
    }
}

impl Operation for GetVaultToken {
    type Output = VaultToken;

    fn terms(&self) -> Terms {
        Terms::new(CONNECTION_TOKEN.name(), Effect::Repeatable, Auth::Bearer)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let request = context.to_with(CONNECTION_TOKEN, &[&self.connection])?;
        Ok(match self.user.as_deref() {
            Some(user) if user.trim().is_empty() => return Err(InputError::new("user", "is empty").into()),
            Some(user) => request.json(&json!({"user_id": user})),
            None => request.json(&json!({})),
        })
    }

    fn response(&self, response: &Response) -> Result<Answer<VaultToken>, Error> {
        let mut fields = wire::read(CONNECTION_TOKEN.name(), response)?;
        if response.status() != 200 {
            return Err(fields.fault(ProtocolFault::UnexpectedStatus));
        }
        let secret = Secret::new(fields.required_text("access_token")?);
        let expires_at = fields.moment("expires_at")?;
        let left = expires_at.zip(response.received()).map(|(end, now)| end.saturating_since(now));
        Ok(Answer::Done(VaultToken {
            secret,
            token_type: fields.text("token_type")?.unwrap_or_else(|| "Bearer".to_owned()),
            scopes: Scopes::from(fields.texts("scopes")?),
            expires_at,
            lifetime: left.unwrap_or(WITHOUT_END).min(LONGEST),
        }))
    }
}
