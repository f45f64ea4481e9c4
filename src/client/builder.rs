//! Builds an agent: settings, checked before anything is sent.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (`client.rs` has the list).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::givers::Givers;
use super::run::Driver;
use super::workload::WorkloadSource;
use super::{Agent, Signer, Store, Transport, example, twin};
use crate::credentials::{ClientAuth, Credentials, Key, Variables, Workload};
use crate::error::{ConfigError, Error};
use crate::origin::Origin;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::session::{Session, Settings};
use crate::site::{DEFAULT_BASE_URL, Layout, Site};
use crate::transport::{TransportOptions, environment};

#[doc = twin!("Builds an [`Agent`].", "AgentBuilder")]
///
/// Only the tenant and the credentials (or a workload's token) are required.
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct AgentBuilder {
    base_url: Option<String>,
    layout: Option<Layout>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    public: bool,
    agent_key: Option<Secret>,
    workload: Option<(String, WorkloadSource)>,
    client_auth: ClientAuth,
    scopes: Scopes,
    timeout: Option<Duration>,
    attempt_timeout: Option<Duration>,
    most_kept: Option<usize>,
    decisions: Duration,
    connect_timeout: Option<Duration>,
    allowed_origins: Vec<String>,
    user_agent: Option<String>,
    signer: Option<Arc<dyn Signer>>,
    tokens: Option<Tokens>,
    transport: TransportOptions,
}

/// A store for tokens. It does not print.
#[derive(Clone)]
struct Tokens(Arc<dyn Store>);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(..)")
    }
}

impl Agent {
    /// Starts building an agent.
    pub fn builder() -> AgentBuilder {
        AgentBuilder::new()
    }
}

/// Settings of the connection, which other builders hand on to an [`AgentBuilder`] within them.
macro_rules! connection {
    ($builder:ident) => {
        connection! { $builder:
            /// Where the service is, [`crate::DEFAULT_BASE_URL`] if not set.
            base_url(url: impl Into<String>);
            /// The tenant's slug: paths are `/t/{tenant}/api/v1`.
            tenant(tenant: impl Into<String>);
            /// The organization's id: paths are `/orgs/{organization}/api/v1`.
            organization(organization: impl Into<String>);
            /// The layout of the paths, in place of `tenant`, `organization` or `custom_domain`.
            layout(layout: $crate::site::Layout);
            /// The base URL is a domain of the tenant's own: paths are `/api/v1`.
            custom_domain();
            /// The whole time of every call, in place of each operation's own.
            timeout(total: ::std::time::Duration);
            /// The longest time of one attempt, 5 s if not set.
            attempt_timeout(attempt: ::std::time::Duration);
            /// The longest time until a connection stands (TCP and TLS), 3.1 s if not set.
            connect_timeout(connect: ::std::time::Duration);
            /// A product of yours for the `User-Agent` header, such as `my-agent/1.2`.
            user_agent(product: impl Into<String>);
            /// Trusts the certificates in this PEM text in addition to the built-in roots.
            root_certificates(pem: impl Into<Vec<u8>>);
            /// Goes through this proxy. Never used for hosts that are this machine.
            proxy(url: impl Into<$crate::secret::Secret>);
        }
    };
    ($builder:ident: $($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*);)*) => {
        impl $builder {
            $($(#[$doc])*
            pub fn $name(mut self, $($argument: $type),*) -> Self {
                self.connection = self.connection.$name($($argument),*);
                self
            })*
        }
    };
}
pub(super) use connection;

impl AgentBuilder {
    pub(super) fn new() -> Self {
        AgentBuilder::default()
    }

    /// Takes every setting that is in the environment and not set yet: `LUMOAUTH_URL`, `LUMOAUTH_TENANT` (else
    /// `LUMOAUTH_ORG_ID`), `AGENT_CLIENT_ID`, `AGENT_CLIENT_SECRET`, the proxy that the usual variables
    /// name, and the certificates to trust besides (`SSL_CERT_FILE`, `SSL_CERT_DIR`). See [`TransportOptions`] for both.
    pub fn environment(mut self) -> Self {
        let Variables { base_url, layout, client_id, client_secret, api_key: _ } =
            Variables::read(environment::variable);
        self.base_url = self.base_url.or(base_url);
        self.layout = self.layout.or(layout);
        self.client_id = self.client_id.or(client_id);
        self.client_secret = self.client_secret.or(client_secret);
        self.transport = self.transport.proxy_from_environment().root_certificates_from_environment();
        self
    }

    /// Where the service is, [`DEFAULT_BASE_URL`] if not set.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// The tenant's slug: paths are `/t/{tenant}/api/v1`.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.layout = Some(Layout::Tenant(tenant.into()));
        self
    }

    /// The organization's id: paths are `/orgs/{organization}/api/v1`.
    pub fn organization(mut self, organization: impl Into<String>) -> Self {
        self.layout = Some(Layout::Organization(organization.into()));
        self
    }

    /// The layout of the paths, in place of `tenant`, `organization` or `custom_domain`.
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = Some(layout);
        self
    }

    /// The base URL is a domain of the tenant's own: paths are `/api/v1`.
    pub fn custom_domain(mut self) -> Self {
        self.layout = Some(Layout::CustomDomain);
        self
    }

    /// The agent's client id.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// The agent's client secret.
    pub fn client_secret(mut self, client_secret: impl Into<Secret>) -> Self {
        self.client_secret = Some(client_secret.into());
        self
    }

    /// The client has no secret and none that vouches for it (RFC 6749 section 2.1): a program on people's own devices. People sign in
    /// to it by the code grant ([`crate::DelegationChain`], [`crate::embed::operations::RedeemCode`]), to which PKCE belongs; whatever
    /// needs the client's own token is an error before anything is sent.
    pub fn public_client(mut self) -> Self {
        self.public = true;
        self
    }

    /// The agent's key (`agk_...`), in place of client credentials. It is sent as it is, to the service alone; what needs a token of
    /// the agent's own (tokens for MCP servers, acting for users) is an error before anything is sent.
    pub fn agent_key(mut self, key: impl Into<Secret>) -> Self {
        self.agent_key = Some(key.into());
        self
    }

    /// The agent has no secret: the platform's token in this file (`kubernetes`:
    /// `/var/run/secrets/kubernetes.io/serviceaccount/token`) is exchanged for the agent's own. The file is read anew for each
    /// exchange, up to 16 KiB, and what is around the token is trimmed. Platforms: `kubernetes`, `aws`, `gcp`, `azure`, `oidc`.
    pub fn workload_token_file(self, provider: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.workload_source(provider.into(), WorkloadSource::file(path.into()))
    }

    pub(super) fn workload_source(mut self, provider: String, source: WorkloadSource) -> Self {
        self.workload = Some((provider, source));
        self
    }

    /// The key that signs what is to be signed ([`crate::operations::Signed`]): an `aauth::AgentKey`, or a key that
    /// lives elsewhere.
    pub fn signer(mut self, signer: impl Signer + 'static) -> Self {
        self.signer = Some(Arc::new(signer));
        self
    }

    /// Shares the agent's own tokens, and those for MCP servers, with every agent that has the same credentials and this store,
    /// in whatever process: one of them renews a token, and the others wait for it, and find it there. If the store fails, each
    /// fetches its own; no call fails for it. The store is asked when there is no fresh token in the agent's own memory.
    ///
    /// **The records hold tokens**: take a `SealedStore` around a store that others can read. A token is found by the same
    /// client secret only; a hash of it is a part of the record's key, so the secret must be one that nobody can guess. An agent
    /// with a workload's token shares its tokens if its client id is set too. See `docs/stores.md`.
    ///
    #[doc = example!("let store = std::sync::Arc::new(MemoryStore::new());\n# let builder = || Agent::builder().base_url(emulator.site().base_url()).layout(emulator.site().layout().clone());\n# let builder = || builder().client_id(emulator.client_id()).client_secret(emulator.secret().clone());\nlet first = builder().shared_tokens(store.clone()).build_with(emulator.transport())?;\nlet second = builder().shared_tokens(store).build_with(emulator.transport())?;\nlet token = first.access_token()", "?;\nassert_eq!(second.access_token()", "?.secret(), token.secret());")]
    pub fn shared_tokens(mut self, store: impl Store + 'static) -> Self {
        self.tokens = Some(Tokens(Arc::new(store)));
        self
    }

    /// How the client authenticates itself at the token endpoint, in the body if not set.
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// The scopes that tokens are asked for; none means what the agent is registered for.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// The whole time of every call, in place of each operation's own (8 s for ask, 20 s for tokens, 30 s
    /// for requests of your own, 15 s else).
    pub fn timeout(mut self, total: Duration) -> Self {
        self.timeout = Some(total);
        self
    }

    /// The longest time of one attempt, 5 s if not set.
    pub fn attempt_timeout(mut self, attempt: Duration) -> Self {
        self.attempt_timeout = Some(attempt);
        self
    }

    /// The most values of each kind that are held at once, 1,024 if not set, one at least: the agent's own tokens, tokens for
    /// MCP servers, descriptions of resources, and so on. A new one pushes out what is over, and then what was not used
    /// for longest.
    pub fn most_kept(mut self, most: usize) -> Self {
        self.most_kept = Some(most);
        self
    }

    /// Uses a decision again for so long, 30 s at most; not at all if not set. Checks of permissions, relations and policies are meant:
    /// what is allowed may go on for so long after it was taken back, and what is denied after it was granted. Questions to
    /// the Ask API ([`Agent::ask`]) are always asked anew.
    pub fn remember_decisions(mut self, age: Duration) -> Self {
        self.decisions = age;
        self
    }

    /// The longest time until a connection stands (TCP and TLS), 3.1 s if not set; looking up the name has as long again.
    pub fn connect_timeout(mut self, connect: Duration) -> Self {
        self.connect_timeout = Some(connect);
        self
    }

    /// Lets requests with the agent's token go to one more origin, such as `https://api.example.com`.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.allowed_origins.push(origin.into());
        self
    }

    /// A product of yours for the `User-Agent` header, such as `my-agent/1.2`.
    pub fn user_agent(mut self, product: impl Into<String>) -> Self {
        self.user_agent = Some(product.into());
        self
    }

    /// Trusts the certificates in this PEM text in addition to the built-in roots (a company's proxy, a test's CA).
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.transport = self.transport.root_certificates(pem);
        self
    }

    /// Goes through this proxy, such as `http://proxy.example.com:3128`. Never used for hosts that are this machine.
    pub fn proxy(mut self, url: impl Into<Secret>) -> Self {
        self.transport = self.transport.proxy(url);
        self
    }

    /// An agent on a transport of your own. Root certificates and proxy are that transport's matter then.
    ///
    /// `build()` and `Agent::from_env()`, which bring a transport, need the feature `ureq` for blocking clients and `reqwest` for async ones.
    ///
    /// # Errors
    /// [`Error::Config`] if a setting is missing or cannot work.
    pub fn build_with(self, transport: impl Transport + 'static) -> Result<Agent, Error> {
        let session = Session::new(self.settings()?);
        let (workload, signer) = (self.workload.map(|(_, source)| source), self.signer);
        let tokens = self.tokens.map(|Tokens(store)| store);
        Ok(Agent::from_driver(Driver {
            session,
            transport: Arc::new(transport),
            givers: Givers {
                workload,
                #[cfg(feature = "aauth")]
                agent_token: None,
            },
            signer,
            store: None,
            tokens,
        }))
    }

    /// The settings, checked.
    fn settings(&self) -> Result<Settings, ConfigError> {
        self.all_there()?;
        let settings = self.connection()?;
        Ok(self.identified(settings)?.client_auth(self.client_auth).scopes(&self.scopes))
    }

    /// Says all that is missing at once, where it is more than one thing.
    fn all_there(&self) -> Result<(), ConfigError> {
        let unset = |text: Option<&str>| text.is_none_or(str::is_empty);
        let is_known = self.public || self.workload.is_some() || self.agent_key.is_some();
        let secret = self.client_secret.as_ref().map(Secret::expose);
        let settings: Vec<_> = [
            (self.layout.is_none(), "tenant (LUMOAUTH_TENANT)"),
            (!is_known && unset(self.client_id.as_deref()), "client_id (AGENT_CLIENT_ID)"),
            (!is_known && unset(secret), "client_secret (AGENT_CLIENT_SECRET)"),
        ]
        .into_iter()
        .filter_map(|(is_missing, setting)| is_missing.then_some(setting))
        .collect();
        if settings.len() > 1 { Err(ConfigError::SeveralMissing { settings }) } else { Ok(()) }
    }

    /// Where the service is and how it is reached, checked; who the client is left out.
    pub(super) fn connection(&self) -> Result<Settings, ConfigError> {
        let layout = self.layout.clone().unwrap_or(Layout::Tenant(String::new()));
        let site = Site::new(self.base_url.as_deref().unwrap_or(DEFAULT_BASE_URL), layout)?;
        let mut settings = Settings::new(site).remember_decisions(self.decisions);
        for origin in &self.allowed_origins {
            settings = settings.allow_origin(Origin::parse(origin)?);
        }
        if let Some(total) = self.timeout {
            settings = settings.total(total);
        }
        if let Some(attempt) = self.attempt_timeout {
            settings = settings.attempt(attempt);
        }
        if let Some(most) = self.most_kept {
            settings = settings.most_kept(most);
        }
        if self.tokens.is_some() {
            settings = settings.shared_tokens();
        }
        if let Some(connect) = self.connect_timeout {
            settings = settings.connect(connect);
        }
        if let Some(product) = &self.user_agent {
            settings = settings.user_agent(product)?;
        }
        Ok(settings)
    }

    /// Who the agent is: by its secret, or by its platform's word. Never both, so that it is clear which one counts.
    fn identified(&self, settings: Settings) -> Result<Settings, ConfigError> {
        let client_id = self.client_id.clone();
        if let Some(key) = &self.agent_key {
            if self.public || self.workload.is_some() || self.client_secret.is_some() {
                let problem =
                    "is set beside a secret, a workload's token or a public client: an agent has one of them";
                return Err(ConfigError::BadText { setting: "agent_key", problem });
            }
            return Ok(settings.key(Key::agent(key.clone())?));
        }
        match (&self.workload, &self.client_secret) {
            (workload, secret) if self.public => {
                if workload.is_some() || secret.is_some() {
                    let problem = "is set beside a secret or a workload's token: a public client has neither";
                    return Err(ConfigError::BadText { setting: "public_client", problem });
                }
                Ok(settings.credentials(Credentials::public(client_id.unwrap_or_default())?))
            }
            (Some(_), Some(_)) => {
                let problem = "is set beside a client secret: an agent has one of them";
                Err(ConfigError::BadText { setting: "workload_token", problem })
            }
            (Some((provider, _)), None) => {
                let workload = Workload::new(provider)?;
                let workload = match client_id {
                    Some(client_id) => workload.with_client_id(client_id)?,
                    None => workload,
                };
                Ok(settings.workload(workload))
            }
            (None, secret) => {
                let secret = secret.clone().unwrap_or_else(|| Secret::new(""));
                let credentials = Credentials::new(client_id.unwrap_or_default(), secret)?;
                Ok(settings.credentials(credentials))
            }
        }
    }

    /// True if something says where the tenant is.
    #[allow(dead_code)] // of sign-ins
    pub(super) fn has_layout(&self) -> bool {
        self.layout.is_some()
    }

    /// The transport's options, for the mounts that have a transport ready.
    #[allow(dead_code)] // only where a transport is ready
    pub(super) fn transport_options(&self) -> &TransportOptions {
        &self.transport
    }
}
