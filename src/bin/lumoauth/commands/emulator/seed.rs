//! Seed files: what an emulator starts with, in TOML or JSON. No `Debug`: secrets are among it.

mod authz;
mod permissions;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use lumoauth::emulator::{
    AAuthAgentSeed, AAuthResourceSeed, AgentSeed, AuthLevel, BudgetSeed, BuildError, Emulator,
    EmulatorBuilder, McpServerSeed, Tenant, UserSeed,
};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use self::authz::{ApiKeyEntry, ConnectionEntry, RelationEntry, ThingEntry};
use self::permissions::{ApprovalsEntry, JitEntry};
use crate::commands::text::{read_text, usage};
use crate::exit::Failure;

type Texts = Option<Vec<String>>;
type Claims = Option<Map<String, Value>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct World {
    auto_consent: Option<String>,
    access_token_lifetime: Option<u64>,
    code_lifetime: Option<u64>,
    refresh_token_lifetime: Option<u64>,
    rate_limit_per_minute: Option<u32>,
    token_rate_limit_per_minute: Option<u32>,
    issuers_in_resource_metadata: Option<bool>,
    cors_for_discovery: Option<bool>,
    jit: Option<JitEntry>,
    approvals: Option<ApprovalsEntry>,
    pkce_optional: Option<bool>,
    claims: Claims,
    tenant: Vec<TenantEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantEntry {
    slug: String,
    name: Option<String>,
    agent: Option<Vec<AgentEntry>>,
    user: Option<Vec<UserEntry>>,
    consent: Option<Vec<ConsentEntry>>,
    mcp_server: Option<Vec<ServerEntry>>,
    aauth_agent: Option<Vec<AAuthAgentEntry>>,
    aauth_resource: Option<Vec<AAuthResourceEntry>>,
    deny: Option<BTreeMap<String, String>>,
    scope_group: Option<BTreeMap<String, Vec<String>>>,
    role: Option<BTreeMap<String, Vec<String>>>,
    relation: Option<Vec<RelationEntry>>,
    policy: Option<Vec<Map<String, Value>>>,
    thing: Option<Vec<ThingEntry>>,
    api_key: Option<Vec<ApiKeyEntry>>,
    connection: Option<Vec<ConnectionEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentEntry {
    client_id: String,
    secret: Option<SecretText>,
    name: Option<String>,
    capabilities: Texts,
    scopes: Texts,
    resources: Texts,
    redirect_uris: Texts,
    roles: Texts,
    public: Option<bool>,
    claims: Claims,
    budget: Option<BudgetEntry>,
    workload: Option<WorkloadEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BudgetEntry {
    max_tokens_per_day: Option<u64>,
    tokens_used_today: Option<u64>,
    max_api_calls_per_hour: Option<u64>,
    api_calls_this_hour: Option<u64>,
    max_cost_per_month_usd: Option<f64>,
    allowed_models: Texts,
    require_approval_above_usd: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkloadEntry {
    provider: String,
    issuer: String,
    subject: String,
    audience: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserEntry {
    name: String,
    email: Option<String>,
    display_name: Option<String>,
    scopes: Texts,
    roles: Texts,
    claims: Claims,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsentEntry {
    user: String,
    client_id: String,
    scopes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerEntry {
    name: String,
    server_id: Option<String>,
    resource_uri: Option<String>,
    scopes: Texts,
    required_scopes: Texts,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AAuthAgentEntry {
    id: String,
    identifier: String,
    name: Option<String>,
    keys: Option<Vec<Value>>,
    redirect_uris: Texts,
    platform_scopes: Texts,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AAuthResourceEntry {
    id: String,
    identifier: Option<String>,
    keys: Option<Vec<Value>>,
    scopes: Texts,
    required_scopes: Texts,
    level: Option<Level>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    None,
    Authenticated,
    Authorized,
    User,
}

/// The emulator of a seed file, with what the command line adds.
pub fn read(
    file: &Path,
    adjust: impl FnOnce(EmulatorBuilder) -> EmulatorBuilder,
) -> Result<Emulator, Failure> {
    let text = read_text(file)?;
    let wrong = |line: Option<usize>, problem: &str| {
        let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
        usage(&format!("{}{line}: {problem}", file.display()))
    };
    let is_json = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let world: World = if is_json {
        serde_json::from_str(&text).map_err(|error| {
            let whole = error.to_string();
            let problem = whole.rsplit_once(" at line ").map_or(whole.as_str(), |(problem, _)| problem);
            wrong(Some(error.line()), problem)
        })?
    } else {
        // Only the message: what stands on the line may be a secret.
        toml::from_str(&text).map_err(|error| {
            let line = error
                .span()
                .and_then(|span| Some(text.get(..span.start)?.matches('\n').count().saturating_add(1)));
            wrong(line, error.message())
        })?
    };
    adjust(world.builder()).build().map_err(|error| wrong(line_of(&text, &error), &error.to_string()))
}

/// The line of the text that an emulator cannot be made with: the second one, if it is there twice.
fn line_of(text: &str, error: &BuildError) -> Option<usize> {
    let (value, nth) = match error {
        BuildError::BadLifetime => return line_of_no_lifetime(text),
        BuildError::BadText { value, .. } | BuildError::EmptySecret(value) => (value, 0),
        BuildError::Twice { value, .. } => (value, 1),
        _ => return None,
    };
    let written = |line: &&(usize, &str)| {
        line.1.contains(&format!("\"{value}\"")) || line.1.contains(&format!("'{value}'"))
    };
    let lines: Vec<(usize, &str)> = text.lines().enumerate().collect();
    let found: Vec<&(usize, &str)> = lines.iter().filter(written).collect();
    Some(found.get(nth).or(found.first())?.0.saturating_add(1))
}

/// The line that lets codes or tokens live no time at all.
fn line_of_no_lifetime(text: &str) -> Option<usize> {
    let is_none = |line: &str| {
        let (name, value) = line.split_once(['=', ':']).unwrap_or_default();
        let number = value.trim_start().split(|letter: char| !letter.is_ascii_digit()).next();
        name.contains("_lifetime") && number == Some("0")
    };
    text.lines().position(is_none)?.checked_add(1)
}

/// A secret. What stands in its place, and is no text, is as secret: the problem does not repeat it.
struct SecretText(String);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        match Value::deserialize(value)? {
            Value::String(text) => Ok(SecretText(text)),
            _ => Err(D::Error::custom("a secret is a text, in quotes")),
        }
    }
}

/// Adds every item of a list that may be absent.
fn each<S, T>(seed: S, items: Option<impl IntoIterator<Item = T>>, add: impl Fn(S, T) -> S) -> S {
    items.into_iter().flatten().fold(seed, add)
}

/// Sets what may be absent.
fn set<S, T>(seed: S, value: Option<T>, set: impl FnOnce(S, T) -> S) -> S {
    match value {
        Some(value) => set(seed, value),
        None => seed,
    }
}

impl World {
    fn builder(self) -> EmulatorBuilder {
        let builder = Emulator::builder();
        let builder = set(builder, self.auto_consent, EmulatorBuilder::auto_consent);
        let builder = set(
            builder,
            self.access_token_lifetime.map(Duration::from_secs),
            EmulatorBuilder::access_token_lifetime,
        );
        let builder =
            set(builder, self.code_lifetime.map(Duration::from_secs), EmulatorBuilder::code_lifetime);
        let builder = set(
            builder,
            self.refresh_token_lifetime.map(Duration::from_secs),
            EmulatorBuilder::refresh_token_lifetime,
        );
        let builder = set(builder, self.rate_limit_per_minute, EmulatorBuilder::rate_limit_per_minute);
        let builder =
            set(builder, self.token_rate_limit_per_minute, EmulatorBuilder::token_rate_limit_per_minute);
        let builder =
            set(builder, self.issuers_in_resource_metadata, EmulatorBuilder::issuers_in_resource_metadata);
        let builder = set(builder, self.cors_for_discovery, EmulatorBuilder::cors_for_discovery);
        let builder = set(builder, self.jit, |builder, jit| builder.jit(jit.forms()));
        let builder = set(builder, self.approvals, |builder, entry| builder.approvals(entry.forms()));
        let builder = set(builder, self.pkce_optional, EmulatorBuilder::pkce_optional);
        let builder = each(builder, self.claims, |builder, (name, value)| builder.claim(name, value));
        self.tenant.into_iter().fold(builder, |builder, entry| builder.tenant(entry.seed()))
    }
}

impl TenantEntry {
    fn seed(self) -> Tenant {
        let tenant = set(Tenant::new(self.slug), self.name, Tenant::name);
        let tenant = each(tenant, self.agent, |tenant, entry| tenant.agent(entry.seed()));
        let tenant = each(tenant, self.user, |tenant, entry| tenant.user(entry.seed()));
        let tenant = each(tenant, self.consent, |tenant, entry| {
            tenant.consent(entry.user, entry.client_id, entry.scopes)
        });
        let tenant = each(tenant, self.mcp_server, |tenant, entry| tenant.mcp_server(entry.seed()));
        let tenant = each(tenant, self.deny, |tenant, (action, reason)| tenant.denial(action, reason));
        let tenant =
            each(tenant, self.scope_group, |tenant, (scope, parts)| tenant.scope_group(scope, parts));
        let tenant = each(tenant, self.aauth_agent, |tenant, entry| tenant.aauth_agent(entry.seed()));
        let tenant = each(tenant, self.aauth_resource, |tenant, entry| tenant.aauth_resource(entry.seed()));
        authz::add(tenant, self.role, self.relation, self.policy, self.thing, self.api_key, self.connection)
    }
}

impl AgentEntry {
    fn seed(self) -> AgentSeed {
        let agent =
            set(AgentSeed::new(self.client_id), self.secret.map(|secret| secret.0), AgentSeed::secret);
        let agent = set(agent, self.name, AgentSeed::name);
        let agent = set(agent, self.capabilities, AgentSeed::capabilities);
        let agent = set(agent, self.scopes, AgentSeed::scopes);
        let agent = each(agent, self.resources, AgentSeed::resource);
        let agent = each(agent, self.redirect_uris, AgentSeed::redirect_uri);
        let agent = each(agent, self.roles, AgentSeed::role);
        let agent = each(agent, self.claims, |agent, (name, value)| agent.claim(name, value));
        let agent = set(agent, self.public.filter(|public| *public), |agent, _| agent.public());
        let agent = set(agent, self.workload, |agent, entry| {
            agent.workload(entry.provider, entry.issuer, entry.subject, entry.audience)
        });
        set(agent, self.budget, |agent, entry| agent.budget(entry.seed()))
    }
}

impl BudgetEntry {
    fn seed(self) -> BudgetSeed {
        let budget = set(BudgetSeed::new(), self.max_tokens_per_day, BudgetSeed::max_tokens_per_day);
        let budget = set(budget, self.tokens_used_today, BudgetSeed::tokens_used_today);
        let budget = set(budget, self.max_api_calls_per_hour, BudgetSeed::max_api_calls_per_hour);
        let budget = set(budget, self.api_calls_this_hour, BudgetSeed::api_calls_this_hour);
        let budget = set(budget, self.max_cost_per_month_usd, BudgetSeed::max_cost_per_month_usd);
        let budget = set(budget, self.allowed_models, BudgetSeed::allowed_models);
        set(budget, self.require_approval_above_usd, BudgetSeed::require_approval_above_usd)
    }
}

impl UserEntry {
    fn seed(self) -> UserSeed {
        let user = set(UserSeed::new(self.name), self.email, UserSeed::email);
        let user = set(user, self.display_name, UserSeed::display_name);
        let user = set(user, self.scopes, UserSeed::scopes);
        let user = each(user, self.roles, UserSeed::role);
        each(user, self.claims, |user, (name, value)| user.claim(name, value))
    }
}

impl ServerEntry {
    fn seed(self) -> McpServerSeed {
        let server = set(McpServerSeed::new(self.name), self.server_id, McpServerSeed::server_id);
        let server = set(server, self.resource_uri, McpServerSeed::resource_uri);
        let server = set(server, self.scopes, McpServerSeed::scopes);
        set(server, self.required_scopes, McpServerSeed::required_scopes)
    }
}

impl AAuthAgentEntry {
    fn seed(self) -> AAuthAgentSeed {
        let agent = set(AAuthAgentSeed::new(self.id, self.identifier), self.name, AAuthAgentSeed::name);
        let agent = each(agent, self.keys, AAuthAgentSeed::key);
        let agent = each(agent, self.redirect_uris, AAuthAgentSeed::redirect_uri);
        set(agent, self.platform_scopes, AAuthAgentSeed::platform_scopes)
    }
}

impl AAuthResourceEntry {
    fn seed(self) -> AAuthResourceSeed {
        let resource = match self.identifier {
            Some(identifier) => AAuthResourceSeed::new(self.id, identifier),
            None => AAuthResourceSeed::served(self.id),
        };
        let resource = each(resource, self.keys, AAuthResourceSeed::key);
        let resource = set(resource, self.scopes, AAuthResourceSeed::scopes);
        let resource = set(resource, self.required_scopes, AAuthResourceSeed::required_scopes);
        set(resource, self.level, |resource, level| {
            resource.level(match level {
                Level::None => AuthLevel::None,
                Level::Authenticated => AuthLevel::Authenticated,
                Level::Authorized => AuthLevel::Authorized,
                Level::User => AuthLevel::User,
            })
        })
    }
}
