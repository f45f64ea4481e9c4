//! The client of a service that decides about others: with a user's token, or with an organization's API key.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (`client.rs` has the list).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::authz::Authz;
use super::builder::{AgentBuilder, connection};
use super::givers::Givers;
use super::run::Driver;
use super::{Transport, dual, example, twin};
use crate::credentials::{Bearer, Key, Variables};
use crate::error::{ConfigError, Error};
use crate::operation::Operation;
use crate::operations::{ApiRequest, GetIdentity, Identity};
use crate::secret::Secret;
use crate::session::Session;
use crate::transport::{TransportOptions, environment};
use crate::wire::Response;

#[doc = twin!("A client with a user's access token or an API key, beside [`Agent`](super::Agent).", "Client")]
///
/// For a service that asks what users and agents may do, and for the routes that need an administrator. The credential is sent as it is, to the service's own origin alone; nothing renews it. What the service does not let it do
/// (an API key and an agent's routes, say) is an error before anything is sent. Cheap to clone; clones share everything.
///
#[doc = example!("# let key = emulator.api_key().expect(\"the demo tenant has one\");\nlet client = Client::builder()\n    .base_url(emulator.site().base_url())\n    .tenant(\"acme-corp\")\n    .api_key(key.clone())\n    .build_with(emulator.transport())?;\n\nlet decision = client.authz().permission(CheckPermission::new(\"document.read\").subject(Subject::user(\"alice\")))", "?;\nassert!(decision.allowed());\n\n// Any route, with the key.\nlet response = client.request(http::Method::GET, \"mcp/servers\")", "?;\nassert_eq!(response.status(), 200);")]
#[derive(Clone)]
pub struct Client {
    driver: Driver,
}

impl Client {
    /// Starts building a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder { connection: AgentBuilder::new(), user_token: None, api_key: None }
    }

    /// What users and agents may do: permissions, relations, policies.
    pub fn authz(&self) -> Authz {
        Authz::new(&self.driver)
    }

    /// The same client with this whole time for each call, in place of every operation's own.
    pub fn with_timeout(&self, total: Duration) -> Self {
        let session = self.driver.session.with_total(total);
        Client { driver: Driver { session, ..self.driver.clone() } }
    }

    /// Replaces the user's token, for this client and its clones: nothing renews it but you.
    ///
    /// # Errors
    /// [`Error::Config`] if it cannot be sent, or the client is one with an API key.
    pub fn set_user_token(&self, token: impl Into<Secret>) -> Result<(), Error> {
        self.replace(Bearer::User, "user_token", Key::user_token(token)?)
    }

    /// Replaces the API key, for this client and its clones.
    ///
    /// # Errors
    /// [`Error::Config`] if it cannot be sent, or the client is one with a user's token.
    pub fn set_api_key(&self, key: impl Into<Secret>) -> Result<(), Error> {
        self.replace(Bearer::ApiKey, "api_key", Key::api_key(key)?)
    }

    fn replace(&self, bearer: Bearer, setting: &'static str, key: Key) -> Result<(), Error> {
        let session = &self.driver.session;
        if session.standing_key().is_none_or(|own| own.bearer() != bearer) {
            let problem = "is of another kind than the client's credential: build a client for it";
            return Err(ConfigError::BadText { setting, problem }.into());
        }
        session.set_key(key);
        Ok(())
    }

    /// The session behind it, for drivers of your own.
    pub fn session(&self) -> &Session {
        &self.driver.session
    }
}

#[dual(AFIT)]
impl Client {
    /// A request of your own with the client's credential, to the service's own origin: `/x` is joined to the base URL, `x` to the
    /// tenant's API base. The answer comes back unmapped, whatever its status. For query, headers and body, run an
    /// [`ApiRequest`].
    ///
    /// # Errors
    /// [`Error::Input`] for a path that would leave the service, and all that a call can end with. An error status is
    /// not an error here, but for a POST or PATCH that a gateway answers with 502 or 504: its outcome is unknown.
    pub async fn request(&self, method: Method, path: &str) -> Result<Response, Error> {
        self.driver.run(ApiRequest::new(method, path)).await
    }

    /// The user's identity, roles and workspace.
    ///
    /// # Errors
    /// [`Error::Input`] with an API key, and all that a call can end with.
    pub async fn identity(&self) -> Result<Identity, Error> {
        self.driver.run(GetIdentity).await
    }

    /// Runs any operation: one of [`crate::embed::operations`], or one of yours.
    ///
    /// # Errors
    /// All that the operation can end with; [`Error::Input`] if it cannot be run with the client's kind of credential.
    pub async fn run<O>(&self, operation: O) -> Result<O::Output, Error>
    where
        O: Operation + Send,
        O::Output: Send,
    {
        self.driver.run(operation).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Client { driver } = self;
        f.debug_struct("Client").field("session", &driver.session).finish_non_exhaustive()
    }
}

#[doc = twin!("Builds a [`Client`].", "ClientBuilder")]
///
/// The tenant is required, and one of a user's token and an API key.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct ClientBuilder {
    connection: AgentBuilder,
    user_token: Option<Secret>,
    api_key: Option<Secret>,
}

connection!(ClientBuilder);

impl ClientBuilder {
    /// Takes every setting that is in the environment and not set yet: `LUMOAUTH_URL`, `LUMOAUTH_TENANT` (else
    /// `LUMOAUTH_ORG_ID`), `LUMOAUTH_API_KEY` (unless there is a user's token), the proxy that the usual variables name, and the
    /// certificates to trust besides (`SSL_CERT_FILE`, `SSL_CERT_DIR`).
    pub fn environment(mut self) -> Self {
        self.connection = self.connection.environment();
        if self.user_token.is_none() {
            self.api_key = self.api_key.or(Variables::read(environment::variable).api_key);
        }
        self
    }

    /// The access token of a user who is signed in: calls are made in the user's name.
    pub fn user_token(mut self, token: impl Into<Secret>) -> Self {
        self.user_token = Some(token.into());
        self
    }

    /// An organization's API key (`lmk_...`), for services: sent as `X-API-Key`.
    pub fn api_key(mut self, key: impl Into<Secret>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Uses a decision again for so long, 30 s at most; not at all if not set. What is allowed may go on for so long after it was taken
    /// back, and what is denied after it was granted.
    pub fn remember_decisions(mut self, age: Duration) -> Self {
        self.connection = self.connection.remember_decisions(age);
        self
    }

    /// A client on a transport of your own. Root certificates and proxy are that transport's matter then.
    ///
    /// # Errors
    /// [`Error::Config`] if a setting is missing or cannot work, or if there are a token and a key at once.
    pub fn build_with(self, transport: impl Transport + 'static) -> Result<Client, Error> {
        let settings = self.connection.connection()?;
        let key = match (self.user_token, self.api_key) {
            (Some(token), None) => Key::user_token(token)?,
            (None, Some(key)) => Key::api_key(key)?,
            (None, None) => Key::api_key("")?,
            (Some(_), Some(_)) => {
                let problem = "is set beside a user's token: a client has one of them, and they are never sent together";
                return Err(ConfigError::BadText { setting: "api_key", problem }.into());
            }
        };
        let (session, transport) = (Session::new(settings.key(key)), Arc::new(transport));
        let givers = Givers::default();
        let driver = Driver { session, transport, givers, signer: None, store: None, tokens: None };
        Ok(Client { driver })
    }

    /// The transport's options, for the mounts that have a transport ready.
    #[allow(dead_code)] // only where a transport is ready
    pub(super) fn transport_options(&self) -> &TransportOptions {
        self.connection.transport_options()
    }
}
