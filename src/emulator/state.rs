//! What changes while the emulator runs: agents, consents, windows of the rate limit, logs, rules.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::crypto::base64url;
use crate::emulator::aauth;
use crate::emulator::clock::Clock;
use crate::emulator::grants::Grants;
use crate::emulator::log::Log;
use crate::emulator::tokens::{Actor, Tokens};
use crate::emulator::values::faults::Rule;
use crate::emulator::values::seed::{AgentSeed, BudgetSeed, Consent, McpServerSeed, Tenant, UserSeed};
use crate::secret::Secret;
use crate::time::{Timestamp, hex};

const MINUTE: u64 = 60;

pub(super) struct State {
    pub world: World,
    pub clock: Clock,
    pub ids: Ids,
}

/// All that `reset` brings back to the seed.
pub(super) struct World {
    pub tenants: Vec<LiveTenant>,
    pub tokens: Tokens,
    pub grants: Grants,
    pub aauth: aauth::Store,
    pub log: Log,
    pub rules: Vec<Rule>,
    pub windows: HashMap<(usize, bool), Window>,
}

impl World {
    pub(super) fn new(tenants: &[Tenant]) -> Self {
        World {
            tenants: tenants.iter().map(LiveTenant::new).collect(),
            tokens: Tokens::default(),
            grants: Grants::default(),
            aauth: aauth::Store::default(),
            log: Log::default(),
            rules: Vec::new(),
            windows: HashMap::new(),
        }
    }

    pub(super) fn agent_mut(&mut self, client_id: &str) -> Option<&mut Agent> {
        self.tenants.iter_mut().find_map(|tenant| tenant.agent_mut(client_id))
    }
}

/// A tenant and its agents.
pub(super) struct LiveTenant {
    pub seed: Tenant,
    pub agents: Vec<Agent>,
    pub consents: Vec<Consent>,
}

impl LiveTenant {
    fn new(tenant: &Tenant) -> Self {
        let agents = tenant.agents.iter().cloned().map(Agent::new).collect();
        LiveTenant { seed: tenant.clone(), agents, consents: tenant.consents.clone() }
    }

    pub(super) fn agent(&self, client_id: &str) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.seed.client_id == client_id)
    }

    pub(super) fn agent_mut(&mut self, client_id: &str) -> Option<&mut Agent> {
        self.agents.iter_mut().find(|agent| agent.seed.client_id == client_id)
    }

    pub(super) fn user(&self, name: &str) -> Option<&UserSeed> {
        self.seed.users.iter().find(|user| user.name == name)
    }

    /// The MCP server that goes by this name.
    pub(super) fn mcp_server(&self, name: &str) -> Option<&McpServerSeed> {
        self.seed.mcp_servers.iter().find(|server| server.is_called(name))
    }

    /// The MCP server of this Resource URI.
    pub(super) fn mcp_resource(&self, uri: &str) -> Option<&McpServerSeed> {
        self.seed.mcp_servers.iter().find(|server| server.resource_uri.as_deref() == Some(uri))
    }

    /// What the user has agreed to for this client.
    pub(super) fn consented(&self, user: &str, client_id: &str) -> Option<&[String]> {
        let same = |consent: &&Consent| consent.user == user && consent.client_id == client_id;
        self.consents.iter().find(same).map(|consent| consent.scopes.as_slice())
    }

    /// Adds to what the user has agreed to.
    pub(super) fn consent(&mut self, user: &str, client_id: &str, scopes: &[String]) {
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
}

/// An agent with its counters.
pub(super) struct Agent {
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
    pub(super) fn new(seed: AgentSeed) -> Self {
        let spent = seed.budget.clone().unwrap_or_default();
        let usage =
            Usage { tokens: spent.tokens_used_today, calls: spent.api_calls_this_hour, ..Usage::default() };
        Agent { seed, usage }
    }

    /// `sub` of its tokens.
    pub(super) fn subject(&self) -> String {
        format!("agent:{}", self.seed.name)
    }

    /// The agent as one link of a chain.
    pub(super) fn actor(&self) -> Actor {
        Actor { client_id: self.seed.client_id.clone(), subject: self.subject() }
    }

    pub(super) fn has_capability(&self, capability: &str) -> bool {
        self.seed.capabilities.iter().any(|own| own == capability)
    }

    /// What it may ask for as scopes.
    pub(super) fn may_have(&self, scope: &str) -> bool {
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

    pub(super) fn count_call(&mut self, now: Timestamp) {
        self.roll(now);
        self.usage.calls = self.usage.calls.saturating_add(1);
    }

    pub(super) fn set_tokens_used(&mut self, tokens: u64) {
        (self.usage.tokens, self.usage.day) = (tokens, None);
    }

    /// The limit that is reached, in words.
    pub(super) fn exhausted(&mut self, now: Timestamp) -> Option<&'static str> {
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
    pub(super) fn budget_policy(&mut self, now: Timestamp) -> Option<Value> {
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

/// A minute of the rate limit, from the first request in it.
#[derive(Clone, Copy)]
pub(super) struct Window {
    from: u64,
    used: u32,
}

/// How a request stands with the rate limit.
pub(super) struct Quota {
    pub limit: u32,
    pub remaining: u32,
    /// When the window ends, in Unix seconds.
    pub reset: u64,
    /// Seconds until then, at least one.
    pub wait: u64,
    pub refused: bool,
}

impl Window {
    pub(super) fn new(now: Timestamp) -> Self {
        Window { from: now.unix(), used: 0 }
    }

    /// Counts a request. A refused one uses nothing.
    pub(super) fn take(&mut self, limit: u32, now: Timestamp) -> Quota {
        let now = now.unix();
        if now < self.from || now >= self.from.saturating_add(MINUTE) {
            (self.from, self.used) = (now, 0);
        }
        let refused = self.used >= limit;
        if !refused {
            self.used = self.used.saturating_add(1);
        }
        let reset = self.from.saturating_add(MINUTE);
        let wait = reset.saturating_sub(now).max(1);
        Quota { limit, remaining: limit.saturating_sub(self.used), reset, wait, refused }
    }
}

/// Makes identifiers that nobody can guess, from a seed made at the start and a counter.
pub(super) struct Ids {
    seed: [u8; 32],
    counter: u64,
}

impl Ids {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Ids { seed, counter: 0 }
    }

    /// `prefix` and 16 hexadecimal digits.
    pub(super) fn next(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", hex(self.bytes().get(..8).unwrap_or_default()))
    }

    /// `prefix` and 256 bits: codes and tokens.
    pub(super) fn secret(&mut self, prefix: &str) -> Secret {
        Secret::new(format!("{prefix}{}", base64url(&self.bytes())))
    }

    /// Bytes that nobody can guess and that do not repeat.
    pub(super) fn bytes(&mut self) -> [u8; 32] {
        self.counter = self.counter.saturating_add(1);
        Sha256::new().chain_update(self.seed).chain_update(self.counter.to_be_bytes()).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    #[test]
    fn the_window_refuses_what_is_too_much_and_opens_again() {
        let mut window = Window::new(at(1_000));
        let quota = window.take(2, at(1_000));
        assert!(!quota.refused && quota.remaining == 1 && quota.reset == 1_060);
        assert!(!window.take(2, at(1_010)).refused);
        let quota = window.take(2, at(1_050));
        assert!(quota.refused && quota.remaining == 0 && quota.wait == 10);
        assert!(!window.take(2, at(1_060)).refused);
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

    #[test]
    fn identifiers_do_not_repeat() {
        let mut ids = Ids::new([1; 32]);
        let (a, b) = (ids.next("aud_"), ids.next("aud_"));
        assert_ne!(a, b);
        assert_eq!(a.len(), 20);
        assert_ne!(a, Ids::new([2; 32]).next("aud_"));
    }
}
