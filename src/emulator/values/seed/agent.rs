//! Agents to start with.

use serde_json::Value;

use super::budget::BudgetSeed;
use crate::path::segment;
use crate::secret::Secret;

/// An agent to start with.
#[derive(Clone, Debug)]
#[must_use = "an agent does nothing until it is handed to a tenant"]
pub struct AgentSeed {
    pub(crate) client_id: String,
    pub(crate) secret: Option<Secret>,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) post_logout_redirect_uris: Vec<String>,
    pub(crate) public: bool,
    pub(crate) agent_key: Option<Secret>,
    pub(crate) workload: Option<WorkloadSeed>,
    pub(crate) roles: Vec<String>,
    pub(crate) attributes: Vec<(String, Value)>,
    pub(crate) budget: Option<BudgetSeed>,
    pub(crate) claims: Vec<(String, Value)>,
}

impl AgentSeed {
    /// An agent with this client id, which is its agent id too.
    pub fn new(client_id: impl Into<String>) -> Self {
        let client_id = client_id.into();
        AgentSeed {
            name: client_id.clone(),
            client_id,
            secret: None,
            description: None,
            capabilities: Vec::new(),
            scopes: Vec::new(),
            resources: Vec::new(),
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            public: false,
            agent_key: None,
            workload: None,
            roles: Vec::new(),
            attributes: Vec::new(),
            budget: None,
            claims: Vec::new(),
        }
    }

    /// A fixed secret, for tests. Without one a new secret is made at each start.
    pub fn secret(mut self, secret: impl Into<Secret>) -> Self {
        self.secret = Some(secret.into());
        self
    }

    /// Its name; the client id if none is set. It becomes the `sub` of its tokens: `agent:<name>`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds a capability: the agent may ask for it as a scope, and may do the action of that name.
    pub fn capability(self, capability: impl Into<String>) -> Self {
        self.capabilities([capability])
    }

    /// Adds capabilities.
    pub fn capabilities<S: Into<String>>(mut self, capabilities: impl IntoIterator<Item = S>) -> Self {
        self.capabilities.extend(capabilities.into_iter().map(Into::into));
        self
    }

    /// Adds scopes that the agent may ask for beside its capabilities. They are no capabilities.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Adds a resource that the agent may have tokens for (RFC 8707). Any other is an `invalid_target`.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resources.push(resource.into());
        self
    }

    /// Adds a redirect URI for its consent flow, compared exactly. One of `http://127.0.0.1` or `http://[::1]` stands for
    /// every port (RFC 8252 section 7.3).
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// Registers where a browser may come back to after signing out (OpenID Connect RP-Initiated Logout 1.0 section 3), compared as
    /// redirect URIs are.
    pub fn post_logout_redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.post_logout_redirect_uris.push(uri.into());
        self
    }

    /// Makes it a public client (RFC 6749 section 2.1): it has no secret, and only the flows with PKCE or a device.
    pub fn public(mut self) -> Self {
        self.public = true;
        self
    }

    /// A key (`agk_...`) that it may send in place of a token of its own. It can do what its capabilities let it do.
    pub fn agent_key(mut self, key: impl Into<Secret>) -> Self {
        self.agent_key = Some(key.into());
        self
    }

    /// Lets it sign in with a platform's token (workload identity federation). `provider` is `kubernetes`, `aws`, `gcp`,
    /// `azure` or `oidc`; the token must be of this issuer, subject and audience. The emulator has a key for each issuer:
    /// [`Emulator::workload_token`](crate::emulator::Emulator::workload_token).
    pub fn workload(
        mut self,
        provider: impl Into<String>,
        issuer: impl Into<String>,
        subject: impl Into<String>,
        audience: impl Into<String>,
    ) -> Self {
        self.workload = Some(WorkloadSeed {
            provider: provider.into(),
            issuer: issuer.into(),
            subject: subject.into(),
            audience: audience.into(),
        });
        self
    }

    /// Adds a role, as `ROLE_RESEARCHER`.
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.roles.push(role.into());
        self
    }

    /// Sets an attribute that policies may go by.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// Adds a claim to every access token that is issued to it. What the service says itself, such as `sub`, is no claim of yours.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.push((name.into(), value.into()));
        self
    }

    /// Sets what it may spend. Without it there is no `budget_policy` and no limit.
    pub fn budget(mut self, budget: BudgetSeed) -> Self {
        self.budget = Some(budget);
        self
    }
}

/// The platform identity of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkloadSeed {
    pub provider: String,
    pub issuer: String,
    pub subject: String,
    pub audience: String,
}

/// A client id that can be sent everywhere: visible ASCII (RFC 6749 appendix A.1), and a path segment.
pub(crate) fn is_client_id(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic()) && segment("client_id", text).is_ok()
}
