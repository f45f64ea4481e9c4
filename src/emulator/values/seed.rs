//! What an emulator starts with: tenants, agents, capabilities, budgets.

use std::collections::BTreeMap;

use serde_json::Value;

mod aauth;
mod agent;
mod authz;
mod budget;
mod demo;
mod mcp;
mod people;
mod vault;

pub(crate) use aauth::PublicKey;
pub use aauth::{AAuthAgentSeed, AAuthResourceSeed, AuthLevel};
pub use agent::AgentSeed;
pub(crate) use agent::{WorkloadSeed, is_client_id};
pub use authz::ApiKeySeed;
pub use budget::BudgetSeed;
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
