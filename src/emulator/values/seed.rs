//! What an emulator starts with: tenants, agents, capabilities, budgets.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::path::segment;
use crate::secret::Secret;

mod aauth;
mod authz;
mod demo;
mod mcp;
mod people;
mod vault;

pub(crate) use aauth::PublicKey;
pub use aauth::{AAuthAgentSeed, AAuthResourceSeed, AuthLevel};
pub use authz::ApiKeySeed;
pub use mcp::McpServerSeed;
pub use people::UserSeed;
pub(crate) use people::{Consent, MAY_REVIEW, STANDARD_SCOPES, is_standard};
pub use vault::ConnectionSeed;

/// The reason of a denial for want of a capability.
pub(crate) const INSUFFICIENT_PERMISSIONS: &str = "insufficient_permissions";

/// A tenant to start with.
#[derive(Clone, Debug)]
#[must_use = "a tenant does nothing until it is handed to the builder"]
pub struct Tenant {
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) agents: Vec<AgentSeed>,
    pub(crate) users: Vec<UserSeed>,
    pub(crate) consents: Vec<Consent>,
    pub(crate) mcp_servers: Vec<McpServerSeed>,
    pub(crate) aauth_agents: Vec<AAuthAgentSeed>,
    pub(crate) aauth_resources: Vec<AAuthResourceSeed>,
    pub(crate) api_keys: Vec<ApiKeySeed>,
    pub(crate) connections: Vec<ConnectionSeed>,
    /// Role to permissions.
    pub(crate) permissions: BTreeMap<String, Vec<String>>,
    /// Object, relation, subject.
    pub(crate) tuples: Vec<(String, String, String)>,
    pub(crate) policies: Vec<Value>,
    /// Type, id, attributes.
    pub(crate) things: Vec<(String, String, Value)>,
    /// Action to reason.
    pub(crate) denials: BTreeMap<String, String>,
    /// Scope to the scopes that it stands for.
    pub(crate) groups: BTreeMap<String, Vec<String>>,
}

impl Tenant {
    /// A tenant with this slug: letters, digits, `-`, `_`, `.` and `~`.
    pub fn new(slug: impl Into<String>) -> Self {
        let slug = slug.into();
        Tenant {
            name: slug.clone(),
            slug,
            agents: Vec::new(),
            users: Vec::new(),
            consents: Vec::new(),
            mcp_servers: Vec::new(),
            aauth_agents: Vec::new(),
            aauth_resources: Vec::new(),
            api_keys: Vec::new(),
            connections: Vec::new(),
            permissions: BTreeMap::new(),
            tuples: Vec::new(),
            policies: Vec::new(),
            things: Vec::new(),
            denials: BTreeMap::new(),
            groups: BTreeMap::new(),
        }
    }

    /// Its name for people; the slug if none is set.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds an agent. Client ids are unique over all tenants, names within one.
    pub fn agent(mut self, agent: AgentSeed) -> Self {
        self.agents.push(agent);
        self
    }

    /// Denies an action with this reason, whatever the agent's capabilities.
    pub fn denial(mut self, action: impl Into<String>, reason: impl Into<String>) -> Self {
        self.denials.insert(action.into(), reason.into());
        self
    }

    /// Lets one scope stand for others, as `documents` for `read:documents` and `write:documents`: whoever has it may exchange a
    /// token for one with any of them. What a user agrees to and a code gives stays as it was asked for.
    pub fn scope_group<S: Into<String>>(
        mut self,
        scope: impl Into<String>,
        stands_for: impl IntoIterator<Item = S>,
    ) -> Self {
        self.groups.insert(scope.into(), stands_for.into_iter().map(Into::into).collect());
        self
    }

    /// Adds a user. Names are unique within a tenant.
    pub fn user(mut self, user: UserSeed) -> Self {
        self.users.push(user);
        self
    }

    /// Says that a user has agreed to these scopes for a client already, as if by its consent page.
    pub fn consent<S: Into<String>>(
        mut self,
        user: impl Into<String>,
        client_id: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        let scopes = scopes.into_iter().map(Into::into).collect();
        self.consents.push(Consent { user: user.into(), client_id: client_id.into(), scopes });
        self
    }

    /// Adds an MCP server. Ids and names are unique within a tenant.
    pub fn mcp_server(mut self, server: McpServerSeed) -> Self {
        self.mcp_servers.push(server);
        self
    }

    /// Adds an API key. The user who made it must be one of the tenant's.
    pub fn api_key(mut self, key: ApiKeySeed) -> Self {
        self.api_keys.push(key);
        self
    }

    /// Adds a connection to somebody else's service. Ids are unique within a tenant.
    pub fn connection(mut self, connection: ConnectionSeed) -> Self {
        self.connections.push(connection);
        self
    }

    /// Gives permissions to a role: whoever has the role has them.
    pub fn role<S: Into<String>>(
        mut self,
        role: impl Into<String>,
        permissions: impl IntoIterator<Item = S>,
    ) -> Self {
        self.permissions.entry(role.into()).or_default().extend(permissions.into_iter().map(Into::into));
        self
    }

    /// Adds a relation: `relation("document:1", "viewer", "user:alice")`. A subject may be everybody with a relation, as
    /// `group:eng#member`. Owners are editors and editors viewers, and relations to a `parent` are relations to what is in it.
    pub fn relation(
        mut self,
        object: impl Into<String>,
        relation: impl Into<String>,
        subject: impl Into<String>,
    ) -> Self {
        self.tuples.push((object.into(), relation.into(), subject.into()));
        self
    }

    /// Adds a policy over attributes, in either of the documented forms. A policy that denies counts more than all that allow, and
    /// what no policy allows is denied.
    ///
    /// ```
    /// use lumoauth::emulator::Tenant;
    /// use serde_json::json;
    ///
    /// let tenant = Tenant::new("acme").policy(json!({
    ///     "name": "own department", "resourceType": "document", "action": "read", "effect": "allow",
    ///     "conditions": {"operator": "AND", "conditions": [
    ///         {"subject": "user.department", "operator": "equals", "value": "engineering"},
    ///     ]},
    /// }));
    /// let tenant = tenant.policy(json!({
    ///     "name": "owners", "effect": "allow", "target": {"resources": ["document"], "actions": ["*"]},
    ///     "conditions": {"all": [{"attribute": "subject.id", "operator": "equals", "value": "$resource.owner_id"}]},
    /// }));
    /// ```
    pub fn policy(mut self, policy: impl Into<Value>) -> Self {
        self.policies.push(policy.into());
        self
    }

    /// Gives attributes to a thing, as an object of JSON: `thing("document", "1", json!({"owner_id": "alice"}))`.
    pub fn thing(
        mut self,
        kind: impl Into<String>,
        id: impl Into<String>,
        attributes: impl Into<Value>,
    ) -> Self {
        self.things.push((kind.into(), id.into(), attributes.into()));
        self
    }

    /// Adds an agent of AAuth. Ids and identifiers are unique within a tenant.
    pub fn aauth_agent(mut self, agent: AAuthAgentSeed) -> Self {
        self.aauth_agents.push(agent);
        self
    }

    /// Adds a resource of AAuth. Ids and identifiers are unique within a tenant; an agent may have the same ones, which makes
    /// it a resource too.
    pub fn aauth_resource(mut self, resource: AAuthResourceSeed) -> Self {
        self.aauth_resources.push(resource);
        self
    }
}

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

/// What an agent may spend and has spent (`budget_policy`). What is not set is no limit.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "a budget does nothing until it is handed to an agent"]
pub struct BudgetSeed {
    pub(crate) max_tokens_per_day: Option<u64>,
    pub(crate) tokens_used_today: u64,
    pub(crate) max_api_calls_per_hour: Option<u64>,
    pub(crate) api_calls_this_hour: u64,
    pub(crate) max_cost_per_month_usd: Option<f64>,
    pub(crate) allowed_models: Vec<String>,
    pub(crate) require_approval_above_usd: Option<f64>,
}

impl BudgetSeed {
    /// No limit, nothing spent.
    pub fn new() -> Self {
        BudgetSeed::default()
    }

    /// Tokens a day.
    pub fn max_tokens_per_day(mut self, tokens: u64) -> Self {
        self.max_tokens_per_day = Some(tokens);
        self
    }

    /// Tokens spent on the first day. On the next day by the emulator's clock it is none.
    pub fn tokens_used_today(mut self, tokens: u64) -> Self {
        self.tokens_used_today = tokens;
        self
    }

    /// Calls an hour.
    pub fn max_api_calls_per_hour(mut self, calls: u64) -> Self {
        self.max_api_calls_per_hour = Some(calls);
        self
    }

    /// Calls made in the first hour already. The emulator adds every call to `agents.*`.
    pub fn api_calls_this_hour(mut self, calls: u64) -> Self {
        self.api_calls_this_hour = calls;
        self
    }

    /// US dollars a month. Shown, not counted.
    pub fn max_cost_per_month_usd(mut self, dollars: f64) -> Self {
        self.max_cost_per_month_usd = Some(dollars);
        self
    }

    /// The models that the agent may use. Shown, not checked.
    pub fn allowed_models<S: Into<String>>(mut self, models: impl IntoIterator<Item = S>) -> Self {
        self.allowed_models.extend(models.into_iter().map(Into::into));
        self
    }

    /// Above this many US dollars a human must approve. Shown, not checked.
    pub fn require_approval_above_usd(mut self, dollars: f64) -> Self {
        self.require_approval_above_usd = Some(dollars);
        self
    }
}

/// A client id that can be sent everywhere: visible ASCII (RFC 6749 appendix A.1), and a path segment.
pub(crate) fn is_client_id(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic()) && segment("client_id", text).is_ok()
}
