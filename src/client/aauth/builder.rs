//! Builds a client that signs: settings, checked before anything is sent.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (`client.rs` has the list).

use std::fmt;
use std::sync::Arc;

use super::super::agent_token::AgentTokenSource;
use super::super::builder::{AgentBuilder, connection};
use super::super::givers::Givers;
use super::super::run::Driver;
use super::super::{Signer, Transport, twin};
use super::Client;
use crate::error::{ConfigError, Error};
use crate::profile::{self, AgentServer, Delegate};
use crate::secret::Secret;
use crate::session::{AgentTokens, KeyHolder, Session};
use crate::transport::TransportOptions;

/// Where an agent's token comes from.
#[allow(clippy::large_enum_variant)] // one for each client
enum Source {
    /// It was given, and is not renewed.
    Given(Secret),
    /// The agent's own server key signs it.
    Minted(AgentServer, Delegate),
    /// Somebody is asked for it.
    Asked(Arc<dyn AgentTokenSource>),
}

#[doc = twin!("Builds a [`Client`].", "aauth::ClientBuilder")]
///
/// The tenant, the key, and who signs are required: an agent with the source of its token, or a
/// resource.
#[must_use = "a builder does nothing until it is built"]
pub struct ClientBuilder {
    connection: AgentBuilder,
    key: Option<Arc<dyn Signer>>,
    agent: Option<String>,
    resource: Option<String>,
    source: Option<Source>,
    redirect_uri: Option<String>,
}

// The settings of the connection are an agent's.
connection!(ClientBuilder);

impl ClientBuilder {
    pub(super) fn new() -> Self {
        ClientBuilder {
            connection: AgentBuilder::new(),
            key: None,
            agent: None,
            resource: None,
            source: None,
            redirect_uri: None,
        }
    }

    /// Takes the base URL, the tenant and the proxy from the environment, as far as they are not set yet, and the
    /// certificates to trust besides (`SSL_CERT_FILE`, `SSL_CERT_DIR`).
    pub fn environment(mut self) -> Self {
        self.connection = self.connection.environment();
        self
    }

    /// Lets documents be read from one more origin. Tokens go to the service and to their resource only, whatever is here.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.connection = self.connection.allow_origin(origin);
        self
    }

    /// The key that everything is signed with: an [`AgentKey`](crate::aauth::AgentKey), or one that lives elsewhere.
    pub fn key(mut self, key: impl Signer + 'static) -> Self {
        self.key = Some(Arc::new(key));
        self
    }

    /// Signs as this agent, an https URL, exactly as it is registered.
    pub fn agent(mut self, agent: impl Into<String>) -> Self {
        self.agent = Some(agent.into());
        self
    }

    /// Signs as this resource, an https URL, exactly as it is registered, for [`Client::resource_token`] and the checks.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// The agent's token (`agent+jwt`) as it is; it is not renewed.
    pub fn agent_token(mut self, token: impl Into<Secret>) -> Self {
        self.source = Some(Source::Given(token.into()));
        self
    }

    /// The agent signs its token itself, with the key of its server, for the client's key and under this name; a new one
    /// before the last one ends. The agent is the server's.
    pub fn agent_server(mut self, server: AgentServer, delegate: Delegate) -> Self {
        self.agent = self.agent.or_else(|| Some(server.agent().to_owned()));
        self.source = Some(Source::Minted(server, delegate));
        self
    }

    /// The agent's token is asked for here, and again before it ends, by one call for all.
    pub fn agent_token_from(mut self, source: impl AgentTokenSource + 'static) -> Self {
        self.source = Some(Source::Asked(Arc::new(source)));
        self
    }

    /// Where people come back to after consent, exactly as it is registered.
    pub fn redirect_uri(mut self, redirect_uri: impl Into<String>) -> Self {
        self.redirect_uri = Some(redirect_uri.into());
        self
    }

    /// A client on a transport of your own. Root certificates and proxy are that transport's matter then.
    ///
    /// # Errors
    /// [`Error::Config`] if a setting is missing or cannot work.
    pub fn build_with(self, transport: impl Transport + 'static) -> Result<Client, Error> {
        let settings = self.connection.connection()?;
        let ClientBuilder { connection: _, key, agent, resource, source, redirect_uri } = self;
        let missing = |setting, hint| ConfigError::Missing { setting, hint };
        let key =
            key.ok_or_else(|| missing("key", "set the agent's or resource's AgentKey on the builder"))?;
        let names = profile::names(&key.public_jwk());
        let problem = "has a public half that is no Ed25519 or RSA key with a kid, for signing messages";
        let names = names.ok_or(ConfigError::BadText { setting: "key", problem })?;
        let (session, mut givers) = (Session::new(settings), Givers::default());
        let holder = match (agent, resource, source) {
            (Some(agent), None, Some(source)) => {
                let tokens = match source {
                    Source::Given(token) => AgentTokens::given(token),
                    Source::Minted(server, _) if server.agent() != agent => {
                        let problem = "is another one than the agent server's";
                        return Err(ConfigError::BadText { setting: "agent", problem }.into());
                    }
                    Source::Minted(server, delegate) => server.tokens_for(delegate),
                    Source::Asked(source) => {
                        givers.agent_token = Some(source);
                        AgentTokens::asked()
                    }
                };
                KeyHolder::agent(&session, agent, tokens)?
            }
            (None, Some(resource), None) => KeyHolder::resource(&session, resource, &names.0)?,
            (None, None, _) => {
                return Err(missing("agent", "set the identifier of the agent, or of the resource").into());
            }
            (Some(_), None, None) => {
                let hint = "set agent_token, agent_server or agent_token_from on the builder";
                return Err(missing("agent_token", hint).into());
            }
            (_, Some(_), _) => {
                let problem = "signs for itself: a client is of an agent or of a resource, not both";
                return Err(ConfigError::BadText { setting: "resource", problem }.into());
            }
        };
        let holder = match redirect_uri {
            Some(redirect_uri) => holder.redirect_uri(&redirect_uri)?,
            None => holder,
        };
        let holder = holder.thumbprint(&names.1);
        let transport = Arc::new(transport);
        let driver = Driver { session, transport, givers, signer: Some(key), store: None, tokens: None };
        Ok(Client::from_parts(driver, holder, names))
    }

    /// The transport's options, for the mounts that have a transport ready.
    #[allow(dead_code)] // only where a transport is ready
    pub(in super::super) fn transport_options(&self) -> &TransportOptions {
        self.connection.transport_options()
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ClientBuilder { connection, key, agent, resource, source: _, redirect_uri } = self;
        f.debug_struct("ClientBuilder")
            .field("connection", connection)
            .field("key", key)
            .field("agent", agent)
            .field("resource", resource)
            .field("redirect_uri", redirect_uri)
            .finish_non_exhaustive()
    }
}
