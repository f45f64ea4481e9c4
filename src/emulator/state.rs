//! What changes while the emulator runs, one store a file. No store knows who serves from it.

use std::collections::{HashMap, VecDeque};

use super::values::faults::Rule;
use super::values::seed::Tenant;

pub(crate) mod aauth;
pub(crate) mod approvals;
pub(crate) mod browsers;
pub(crate) mod clock;
pub(crate) mod grants;
pub(crate) mod ids;
pub(crate) mod jit;
pub(crate) mod kept;
pub(crate) mod keys;
pub(crate) mod log;
pub(crate) mod named;
pub(crate) mod quota;
pub(crate) mod tenants;
pub(crate) mod tokens;

use browsers::Browsers;
use clock::Clock;
use grants::Grants;
use ids::Ids;
use keys::Keys;
use log::{AuditEntry, Log, LogEntry};
use quota::Window;
use tenants::{Agent, LiveTenant};
use tokens::Tokens;

/// Is told of a request, and of the decision that it asked for.
pub(crate) type Follower = Box<dyn FnMut(&LogEntry, Option<&AuditEntry>) + Send>;

pub(crate) struct State {
    pub world: World,
    pub clock: Clock,
    pub ids: Ids,
    pub keys: Keys,
    /// Whoever is told of every request.
    pub followers: Vec<Follower>,
}

/// All that `reset` brings back to the seed.
pub(crate) struct World {
    pub tenants: Vec<LiveTenant>,
    pub tokens: Tokens,
    pub grants: Grants,
    pub browsers: Browsers,
    pub aauth: aauth::Store,
    pub approvals: approvals::Store,
    pub jit: jit::Store,
    pub log: Log,
    pub rules: Vec<Rule>,
    /// Codes that the vault refuses with next, by connection.
    pub vault_refusals: HashMap<String, VecDeque<String>>,
    pub windows: HashMap<(usize, bool), Window>,
}

impl World {
    pub(crate) fn new(tenants: &[Tenant]) -> Self {
        World {
            tenants: tenants.iter().map(LiveTenant::new).collect(),
            tokens: Tokens::default(),
            grants: Grants::default(),
            browsers: Browsers::default(),
            aauth: aauth::Store::default(),
            approvals: approvals::Store::default(),
            jit: jit::Store::default(),
            log: Log::default(),
            rules: Vec::new(),
            vault_refusals: HashMap::new(),
            windows: HashMap::new(),
        }
    }

    pub(crate) fn agent_mut(&mut self, client_id: &str) -> Option<&mut Agent> {
        self.tenants.iter_mut().find_map(|tenant| tenant.agent_mut(client_id))
    }
}
