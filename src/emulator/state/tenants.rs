//! The tenants: their agents with counters, and what their users have agreed to.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::named::Named;
use super::tokens::{Actor, digest};
use crate::emulator::values::policy::Policy;
use crate::emulator::values::relations::Relations;
use crate::emulator::values::seed::{AgentSeed, BudgetSeed, Consent, McpServerSeed, Tenant, UserSeed};
use crate::time::Timestamp;

/// A tenant and its agents.
pub(crate) struct LiveTenant {
    pub seed: Tenant,
    pub agents: Named<Agent>,
    pub consents: Vec<Consent>,
    /// Users by name and address, as places in the seed.
    people: HashMap<String, usize>,
    /// MCP servers by all their names, as places in the seed.
    servers: HashMap<String, usize>,
    /// Agents by the digests of their keys.
    keys: HashMap<[u8; 32], String>,
    pub relations: Relations,
    pub policies: Vec<Policy>,
    /// The attributes that administrators defined.
    pub definitions: Vec<Map<String, Value>>,
    /// The last number that a policy or a definition was given.
    pub made: u64,
    /// Of users, agents and things, by type and id.
    pub attributes: HashMap<(String, String), Map<String, Value>>,
}

impl LiveTenant {
    pub(crate) fn new(tenant: &Tenant) -> Self {
        let mut agents = Named::default();
        let mut keys = HashMap::new();
        for agent in &tenant.agents {
            agents.push(agent.client_id.as_str(), Agent::new(agent.clone()));
            if let Some(key) = &agent.agent_key {
                keys.entry(digest(key.expose())).or_insert_with(|| agent.client_id.clone());
            }
        }
        let (mut people, mut servers) = (HashMap::new(), HashMap::new());
        for (place, user) in tenant.users.iter().enumerate() {
            for name in std::iter::once(&user.name).chain(&user.email) {
                people.entry(name.clone()).or_insert(place);
            }
        }
        for (place, server) in tenant.mcp_servers.iter().enumerate() {
            for name in server.names() {
                servers.entry(name).or_insert(place);
            }
        }
        let mut relations = Relations::default();
        for (object, relation, subject) in &tenant.tuples {
            relations.insert(object, relation, subject);
        }
        // What cannot be read was found when the emulator was built.
        let policies = (1..).zip(&tenant.policies).filter_map(|(id, policy)| Policy::read(id, policy).ok());
        let mut attributes: HashMap<(String, String), Map<String, Value>> = HashMap::new();
        let named = |kind: &str, id: &str| (kind.to_owned(), id.to_owned());
        for user in &tenant.users {
            attributes.entry(named("user", &user.name)).or_default().extend(user.attributes.iter().cloned());
        }
        for agent in &tenant.agents {
            let own = attributes.entry(named("agent", &agent.client_id)).or_default();
            own.extend(agent.attributes.iter().cloned());
        }
        for (kind, id, values) in &tenant.things {
            let own = attributes.entry(named(kind, id)).or_default();
            own.extend(values.as_object().cloned().unwrap_or_default());
        }
        LiveTenant {
            made: u64::try_from(tenant.policies.len()).unwrap_or(u64::MAX),
            definitions: Vec::new(),
            seed: tenant.clone(),
            agents,
            consents: tenant.consents.clone(),
            people,
            servers,
            keys,
            relations,
            policies: policies.collect(),
            attributes,
        }
    }

    /// The permissions that roles give, each with the role.
    pub(crate) fn permissions_of<'t>(
        &'t self,
        roles: &'t [String],
    ) -> impl Iterator<Item = (&'t str, &'t str)> {
        roles.iter().flat_map(|role| {
            let permissions = self.seed.permissions.get(role).map(Vec::as_slice).unwrap_or_default();
            permissions.iter().map(|permission| (permission.as_str(), role.as_str()))
        })
    }

    pub(crate) fn agent(&self, client_id: &str) -> Option<&Agent> {
        self.agents.named(client_id)
    }

    pub(crate) fn agent_mut(&mut self, client_id: &str) -> Option<&mut Agent> {
        self.agents.named_mut(client_id)
    }

    /// The agent whose own key has this digest.
    pub(crate) fn agent_by_key(&self, key: &[u8; 32]) -> Option<&Agent> {
        self.agent(self.keys.get(key)?)
    }

    pub(crate) fn user(&self, name: &str) -> Option<&UserSeed> {
        self.person(name).map(|(_, user)| user).filter(|user| user.name == name)
    }

    /// The user who goes by this name or address, with the place in the list.
    pub(crate) fn person(&self, called: &str) -> Option<(usize, &UserSeed)> {
        let place = *self.people.get(called)?;
        Some((place, self.seed.users.get(place)?))
    }

    /// The MCP server that goes by this name.
    pub(crate) fn mcp_server(&self, name: &str) -> Option<&McpServerSeed> {
        self.seed.mcp_servers.get(*self.servers.get(name)?)
    }

    /// The MCP server of this Resource URI.
    pub(crate) fn mcp_resource(&self, uri: &str) -> Option<&McpServerSeed> {
        self.mcp_server(uri).filter(|server| server.resource_uri.as_deref() == Some(uri))
    }

    /// The resources that an agent names (RFC 8707 section 2), each once: MCP servers of the tenant, or what the agent is
    /// registered for. None if one is neither, or has a fragment.
    pub(crate) fn resources<'r>(
        &self,
        agent: &Agent,
        named: impl Iterator<Item = &'r str>,
    ) -> Option<Vec<String>> {
        let mut resources: Vec<String> = Vec::new();
        for resource in named {
            let own = || agent.seed.resources.iter().any(|own| own == resource);
            if resource.contains('#') || !(self.mcp_resource(resource).is_some() || own()) {
                return None;
            }
            // What is known is few, so this is no long search.
            if !resources.iter().any(|own| own == resource) {
                resources.push(resource.to_owned());
            }
        }
        Some(resources)
    }

    /// True if one of these scopes is this one, or stands for it.
    pub(crate) fn covers(&self, scopes: &[String], wanted: &str) -> bool {
        let stands_for = |own: &String| self.seed.groups.get(own).map(Vec::as_slice).unwrap_or_default();
        scopes.iter().any(|own| own == wanted || stands_for(own).iter().any(|scope| scope == wanted))
    }

    /// What the user has agreed to for this client.
    pub(crate) fn consented(&self, user: &str, client_id: &str) -> Option<&[String]> {
        let same = |consent: &&Consent| consent.user == user && consent.client_id == client_id;
        self.consents.iter().find(same).map(|consent| consent.scopes.as_slice())
    }

    /// Adds to what the user has agreed to.
    pub(crate) fn consent(&mut self, user: &str, client_id: &str, scopes: &[String]) {
        let same = |consent: &&mut Consent| consent.user == user && consent.client_id == client_id;
        match self.consents.iter_mut().find(same) {
            Some(consent) => {
                let fresh: Vec<String> =
                    scopes.iter().filter(|scope| !consent.scopes.contains(scope)).cloned().collect();
                consent.scopes.extend(fresh);
            }
            None => self.consents.push(Consent {
                user: user.to_owned(),
                client_id: client_id.to_owned(),
                scopes: scopes.to_vec(),
            }),
        }
    }

    /// What the user can give of what is asked; the consent is kept. None if that is nothing, or there is no such user.
    pub(crate) fn granted(&mut self, client_id: &str, user: &str, asked: &[String]) -> Option<Vec<String>> {
        let seed = self.user(user)?;
        let scopes: Vec<String> = asked.iter().filter(|scope| seed.may_grant(scope)).cloned().collect();
        if scopes.is_empty() && !asked.is_empty() {
            return None;
        }
        self.consent(user, client_id, &scopes);
        Some(scopes)
    }
}

/// An agent with its counters.
pub(crate) struct Agent {
    pub seed: AgentSeed,
    usage: Usage,
}

/// Counters, with the day and hour (by the emulator's clock) that they belong to. None: the first that comes.
#[derive(Default)]
struct Usage {
    tokens: u64,
    day: Option<u64>,
    calls: u64,
    hour: Option<u64>,
}

impl Agent {
    pub(crate) fn new(seed: AgentSeed) -> Self {
        let spent = seed.budget.clone().unwrap_or_default();
        let usage =
            Usage { tokens: spent.tokens_used_today, calls: spent.api_calls_this_hour, ..Usage::default() };
        Agent { seed, usage }
    }

    /// `sub` of its tokens.
    pub(crate) fn subject(&self) -> String {
        format!("agent:{}", self.seed.name)
    }

    /// The agent as one link of a chain.
    pub(crate) fn actor(&self) -> Actor {
        Actor { client_id: self.seed.client_id.clone(), subject: self.subject() }
    }

    pub(crate) fn has_capability(&self, capability: &str) -> bool {
        self.seed.capabilities.iter().any(|own| own == capability)
    }

    /// What it may ask for as scopes.
    pub(crate) fn may_have(&self, scope: &str) -> bool {
        self.has_capability(scope) || self.seed.scopes.iter().any(|own| own == scope)
    }

    /// Starts the counters anew if their day or hour is over.
    fn roll(&mut self, now: Timestamp) {
        let (day, hour) = (now.unix() / 86_400, now.unix() / 3_600);
        if *self.usage.day.get_or_insert(day) != day {
            (self.usage.tokens, self.usage.day) = (0, Some(day));
        }
        if *self.usage.hour.get_or_insert(hour) != hour {
            (self.usage.calls, self.usage.hour) = (0, Some(hour));
        }
    }

    pub(crate) fn count_call(&mut self, now: Timestamp) {
        self.roll(now);
        self.usage.calls = self.usage.calls.saturating_add(1);
    }

    pub(crate) fn set_tokens_used(&mut self, tokens: u64) {
        (self.usage.tokens, self.usage.day) = (tokens, None);
    }

    /// The limit that is reached, in words.
    pub(crate) fn exhausted(&mut self, now: Timestamp) -> Option<&'static str> {
        self.roll(now);
        let budget = self.seed.budget.as_ref()?;
        if budget.max_tokens_per_day.is_some_and(|limit| self.usage.tokens >= limit) {
            Some("The agent's tokens for today are used up")
        } else if budget.max_api_calls_per_hour.is_some_and(|limit| self.usage.calls >= limit) {
            Some("The agent's calls for this hour are used up")
        } else {
            None
        }
    }

    /// `budget_policy`, if the agent has one.
    pub(crate) fn budget_policy(&mut self, now: Timestamp) -> Option<Value> {
        self.roll(now);
        let BudgetSeed {
            max_tokens_per_day,
            tokens_used_today: _,
            max_api_calls_per_hour,
            api_calls_this_hour: _,
            max_cost_per_month_usd,
            allowed_models,
            require_approval_above_usd,
        } = self.seed.budget.as_ref()?;
        let mut policy = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                policy.insert(name.to_owned(), value);
            }
        };
        put("max_tokens_per_day", max_tokens_per_day.map(Value::from));
        put("tokens_used_today", Some(self.usage.tokens.into()));
        put("max_api_calls_per_hour", max_api_calls_per_hour.map(Value::from));
        put("api_calls_this_hour", Some(self.usage.calls.into()));
        put("max_cost_per_month_usd", max_cost_per_month_usd.map(Value::from));
        put("allowed_models", (!allowed_models.is_empty()).then(|| json!(allowed_models)));
        put("require_approval_above_usd", require_approval_above_usd.map(Value::from));
        Some(Value::Object(policy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    #[test]
    fn counters_start_anew_with_the_day_and_the_hour() {
        let budget = BudgetSeed::new().max_tokens_per_day(10).tokens_used_today(9).max_api_calls_per_hour(1);
        let mut agent = Agent::new(AgentSeed::new("a").budget(budget));
        assert_eq!(agent.exhausted(at(0)), None);
        agent.count_call(at(10));
        assert!(agent.exhausted(at(3_599)).unwrap().contains("calls"));
        assert_eq!(agent.exhausted(at(3_600)), None);
        agent.set_tokens_used(10);
        assert!(agent.exhausted(at(7_200)).unwrap().contains("tokens"));
        assert_eq!(agent.exhausted(at(86_400)), None);
    }
}
