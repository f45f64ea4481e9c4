//! Makes an emulator: tenants, lifetimes, limits, the signing key. Everything that can be wrong is found here.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::crypto::{KeyPair, base64url, random_bytes};
use crate::emulator::faces::emulator::Emulator;
use crate::emulator::state::clock::START;
use crate::emulator::state::keys::Keys;
use crate::emulator::values::approvals::ApprovalForms;
use crate::emulator::values::error::BuildError;
use crate::emulator::values::jit::JitForms;
use crate::emulator::values::seed::Tenant;
use crate::emulator::values::settings::{AAuthWire, AuthzWire, Mode, Settings};
use crate::emulator::values::workload::WorkloadIssuer;
use crate::secret::Secret;
use crate::site::{Layout, Site};
use crate::time::Timestamp;

mod check;
mod clients;
mod forms;
mod permissions;

use check::{check, check_claims};

/// Where an emulator in the same process seems to be: a name that no DNS knows (RFC 6761 section 6.2).
const BASE_URL: &str = "https://lumoauth.test";
/// The vendor's domains: an emulator must not speak in their name.
const PRODUCTION: [&str; 2] = ["lumoauth.dev", "lumoauth.com"];

/// Settings of an [`Emulator`]. Everything has a default but the tenants.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct EmulatorBuilder {
    tenants: Vec<Tenant>,
    lifetime: Duration,
    rate_limit: Option<u32>,
    token_rate_limit: Option<u32>,
    base_url: String,
    start: Timestamp,
    pem: Option<Secret>,
    code_lifetime: Duration,
    refresh_lifetime: Duration,
    consent: Mode,
    rfc_actor_order: bool,
    too_wide_is_invalid_scope: bool,
    pushed_is_ok: bool,
    issuers_in_resource_metadata: bool,
    aauth_pem: Option<Secret>,
    aauth_wire: AAuthWire,
    authz_wire: AuthzWire,
    patience: Duration,
    more_keys: Vec<Secret>,
    claims: Vec<(String, Value)>,
    cors: bool,
    jit: JitForms,
    approvals: ApprovalForms,
    pkce_is_optional: bool,
    redirect_uris: Vec<String>,
    resources: Vec<String>,
}

impl Emulator {
    /// Starts with nothing; add tenants.
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::new()
    }

    /// The demo: the tenant `acme-corp` with the agent `agt_demo`, whose secret is made at each start.
    ///
    /// # Errors
    /// [`BuildError::Key`] if the operating system has no randomness.
    pub fn demo() -> Result<Self, BuildError> {
        Emulator::builder().tenant(Tenant::demo()).build()
    }
}

impl EmulatorBuilder {
    pub(super) fn new() -> Self {
        EmulatorBuilder {
            tenants: Vec::new(),
            lifetime: Duration::from_secs(3600),
            rate_limit: None,
            token_rate_limit: None,
            base_url: BASE_URL.to_owned(),
            start: START,
            pem: None,
            code_lifetime: Duration::from_secs(600),
            refresh_lifetime: Duration::from_secs(30 * 86_400),
            consent: Mode::Page,
            rfc_actor_order: false,
            too_wide_is_invalid_scope: false,
            pushed_is_ok: false,
            issuers_in_resource_metadata: false,
            aauth_pem: None,
            aauth_wire: AAuthWire::default(),
            authz_wire: AuthzWire::default(),
            patience: Duration::from_secs(30),
            more_keys: Vec::new(),
            claims: Vec::new(),
            cors: false,
            jit: JitForms::default(),
            approvals: ApprovalForms::default(),
            pkce_is_optional: false,
            redirect_uris: Vec::new(),
            resources: Vec::new(),
        }
    }

    /// Adds a tenant. The first one also answers under `/api/v1` and at the root's `/.well-known`.
    pub fn tenant(mut self, tenant: Tenant) -> Self {
        self.tenants.push(tenant);
        self
    }

    /// How long access tokens live, in whole seconds; an hour by default.
    pub fn access_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// How many requests a minute each tenant takes, twice: once for the token endpoint, once for everything else. Off
    /// by default. With a limit every answer has `X-RateLimit-*`, and one too many is a 429 with `Retry-After`.
    pub fn rate_limit_per_minute(mut self, limit: impl Into<Option<u32>>) -> Self {
        self.rate_limit = limit.into();
        self.token_rate_limit = self.rate_limit;
        self
    }

    /// Another limit for the token endpoint. The service documents 30 a minute for it.
    pub fn token_rate_limit_per_minute(mut self, limit: impl Into<Option<u32>>) -> Self {
        self.token_rate_limit = limit.into();
        self
    }

    /// Signs with this key instead of a new ES256 key: PEM, PKCS#8 or PKCS#1. RSA makes it RS256.
    pub fn signing_key_pem(mut self, pem: impl Into<Secret>) -> Self {
        self.pem = Some(pem.into());
        self
    }

    /// Publishes another key in the JWKS document, PEM as there. It signs after [`Emulator::rotate_signing_key`].
    pub fn another_key_pem(mut self, pem: impl Into<Secret>) -> Self {
        self.more_keys.push(pem.into());
        self
    }

    /// Adds a claim to every access token. An agent's own claims ([`AgentSeed::claim`](crate::emulator::AgentSeed::claim)) stand before it.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.push((name.into(), value.into()));
        self
    }

    /// The base URL in process, `https://lumoauth.test` by default. A server uses its own address.
    pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = base_url.into();
        self
    }

    /// Where the clock stands at the start; 2026-01-01T00:00:00Z by default.
    pub fn start_time(mut self, start: Timestamp) -> Self {
        self.start = start;
        self
    }

    /// How long authorization codes live, in whole seconds; ten minutes by default.
    pub fn code_lifetime(mut self, lifetime: Duration) -> Self {
        self.code_lifetime = lifetime;
        self
    }

    /// How long refresh tokens live, in whole seconds; 30 days by default.
    pub fn refresh_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.refresh_lifetime = lifetime;
        self
    }

    /// Signs the first tenant's AAuth tokens with this key instead of a new ES256 key: PEM, PKCS#8 or PKCS#1. RSA makes it RS256, as the
    /// service has it; a key of that kind cannot be made at the start, since the cryptography in use makes none.
    pub fn aauth_signing_key_pem(mut self, pem: impl Into<Secret>) -> Self {
        self.aauth_pem = Some(pem.into());
        self
    }

    /// How long a client of the server may take to send the head of a request, to send its body, or to take more of an answer;
    /// 30 s by default, by the real time. Then its connection ends, and so does one that nothing comes over.
    pub fn client_patience(mut self, patience: Duration) -> Self {
        self.patience = patience.max(Duration::from_millis(1));
        self
    }

    /// Makes the emulator, its signing key and the secrets that are not fixed.
    ///
    /// # Errors
    /// [`BuildError`] says what is wrong with the settings.
    pub fn build(mut self) -> Result<Emulator, BuildError> {
        self.add_for_clients();
        check(&self.tenants)?;
        check_claims(&self.claims)?;
        let first = self.tenants.first().ok_or(BuildError::Empty)?;
        let site = Site::new(&self.base_url, Layout::Tenant(first.slug.clone()))?;
        let host = site.origin().host().trim_end_matches('.');
        if PRODUCTION
            .iter()
            .any(|name| host.strip_suffix(name).is_some_and(|front| front.is_empty() || front.ends_with('.')))
        {
            return Err(BuildError::ProductionIssuer);
        }
        let lifetime = self.lifetime.as_secs();
        let (code_lifetime, refresh_lifetime) =
            (self.code_lifetime.as_secs(), self.refresh_lifetime.as_secs());
        if [lifetime, code_lifetime, refresh_lifetime].contains(&0) {
            return Err(BuildError::BadLifetime);
        }
        for agent in self.tenants.iter_mut().flat_map(|tenant| tenant.agents.iter_mut()) {
            if agent.secret.is_none() && !agent.public {
                agent.secret = Some(Secret::new(format!("secret_{}", base64url(&random_bytes::<32>()?))));
            }
        }
        for key in self.tenants.iter_mut().flat_map(|tenant| tenant.api_keys.iter_mut()) {
            if key.key.is_none() {
                key.key = Some(Secret::new(format!("lmk_{}", base64url(&random_bytes::<32>()?))));
            }
        }
        for tenant in &mut self.tenants {
            for agent in &mut tenant.aauth_agents {
                agent.keys.prepare(&agent.identifier, false)?;
            }
            for resource in &mut tenant.aauth_resources {
                resource.keys.prepare(&resource.id, resource.identifier.is_none())?;
            }
        }
        let signing = |pem: &Option<Secret>| match pem {
            Some(pem) => KeyPair::from_pem(pem.expose().as_bytes()),
            None => KeyPair::generate_p256(),
        };
        let mut aauth_keys = vec![signing(&self.aauth_pem)?];
        for _ in self.tenants.iter().skip(1) {
            aauth_keys.push(KeyPair::generate_p256()?);
        }
        let more = self.more_keys.iter().map(|pem| KeyPair::from_pem(pem.expose().as_bytes()));
        let keys = Keys::new(signing(&self.pem)?, more.collect::<Result<_, _>>()?);
        let published = keys.public();
        let mut ids = BTreeSet::new();
        if let Some(twice) = published.keys().iter().find(|key| !ids.insert(key.key_id())) {
            return Err(BuildError::Twice { what: "the kid", value: twice.key_id().to_owned() });
        }
        let keys = (keys, aauth_keys);
        if let Mode::Consent(user) = &self.consent {
            let mut users = self.tenants.iter().flat_map(|tenant| &tenant.users);
            if !users.any(|own| own.name == *user) {
                let problem = "no tenant has such a user";
                return Err(BuildError::BadText { what: "auto_consent", value: user.clone(), problem });
            }
        }
        let mut issuers: Vec<WorkloadIssuer> = Vec::new();
        let workloads = self.tenants.iter().flat_map(|tenant| &tenant.agents);
        for workload in workloads.filter_map(|agent| agent.workload.as_ref()) {
            if !issuers.iter().any(|own| own.issuer() == workload.issuer) {
                issuers.push(WorkloadIssuer::new(workload.issuer.clone())?);
            }
        }
        let settings = Settings {
            lifetime,
            rate_limit: self.rate_limit,
            token_rate_limit: self.token_rate_limit,
            code_lifetime,
            refresh_lifetime,
            consent: self.consent,
            rfc_actor_order: self.rfc_actor_order,
            too_wide_is_invalid_scope: self.too_wide_is_invalid_scope,
            pkce_is_optional: self.pkce_is_optional,
            pushed_is_ok: self.pushed_is_ok,
            issuers_in_resource_metadata: self.issuers_in_resource_metadata,
            aauth_wire: self.aauth_wire,
            authz_wire: self.authz_wire,
            patience: self.patience,
            claims: self.claims,
            cors: self.cors,
            jit: self.jit,
            approvals: self.approvals,
            issuers,
        };
        Emulator::new(self.tenants, site, keys, settings, self.start, random_bytes()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulator::values::seed::{AgentSeed, McpServerSeed, UserSeed};

    fn build(tenant: Tenant) -> Result<Emulator, BuildError> {
        Emulator::builder().tenant(tenant).build()
    }

    #[test]
    fn it_needs_somebody_to_serve() {
        assert_eq!(Emulator::builder().build().unwrap_err(), BuildError::Empty);
        assert_eq!(build(Tenant::new("acme")).unwrap_err(), BuildError::Empty);
    }

    #[test]
    fn it_never_speaks_for_the_real_service() {
        for base in [
            "https://app.lumoauth.dev",
            "https://EU.app.lumoauth.dev/x",
            "https://app.lumoauth.dev:8443",
            "https://lumoauth.dev",
            "https://app.lumoauth.com",
        ] {
            let error = Emulator::builder().tenant(Tenant::demo()).base_url(base).build().unwrap_err();
            assert_eq!(error, BuildError::ProductionIssuer, "{base}");
        }
        assert!(
            Emulator::builder().tenant(Tenant::demo()).base_url("https://mylumoauth.dev").build().is_ok()
        );
    }

    #[test]
    fn bad_seeds_say_why() {
        let agent = || AgentSeed::new("agt_x");
        for (tenant, expected) in [
            (Tenant::new("a/b").agent(agent()), "tenant"),
            (Tenant::new("..").agent(agent()), "tenant"),
            (Tenant::new("a").agent(AgentSeed::new("a b")), "client id"),
            (Tenant::new("a").agent(agent()).agent(agent()), "twice"),
            (Tenant::new("a").agent(agent().name("n")).agent(AgentSeed::new("b").name("n")), "name"),
            (Tenant::new("a").agent(agent().secret("")), "empty"),
            (Tenant::new("a").agent(agent().capability("a b")), "capability"),
            (Tenant::new("a").agent(agent().resource("nothing")), "resource"),
            (Tenant::new("a").agent(agent().redirect_uri("https://a.test/#x")), "redirect URI"),
            (Tenant::new("a").agent(agent().workload("moon", "i", "s", "a")), "provider"),
            (Tenant::new("a").agent(agent().secret("x").public()), "public"),
            (Tenant::new("a").agent(agent()).user(UserSeed::new("a b")), "user"),
            (Tenant::new("a").agent(agent()).user(UserSeed::new("a")).user(UserSeed::new("a")), "twice"),
            (Tenant::new("a").agent(agent()).consent("a", "agt_x", ["x"]), "no such user"),
            (Tenant::new("a").agent(agent()).mcp_server(McpServerSeed::new("a/b")), "MCP server"),
            (
                Tenant::new("a").agent(agent()).mcp_server(McpServerSeed::new("a").resource_uri("x")),
                "Resource",
            ),
        ] {
            let error = build(tenant).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let builder = Emulator::builder().tenant(Tenant::demo());
        assert_eq!(
            builder.clone().access_token_lifetime(Duration::from_millis(999)).build().unwrap_err(),
            BuildError::BadLifetime
        );
        assert_eq!(
            builder.clone().tenant(Tenant::demo()).build().unwrap_err(),
            BuildError::Twice { what: "tenant", value: "acme-corp".into() }
        );
        assert!(matches!(builder.clone().signing_key_pem("x").build(), Err(BuildError::Key(_))));
        assert!(matches!(builder.base_url("http://example.com").build(), Err(BuildError::BadBaseUrl(_))));
    }

    #[test]
    fn secrets_are_made_at_each_start_and_do_not_print() {
        let (a, b) = (Emulator::demo().unwrap(), Emulator::demo().unwrap());
        assert_ne!(a.secret(), b.secret());
        let builder = Emulator::builder()
            .tenant(Tenant::new("a").agent(AgentSeed::new("b").secret("canary")))
            .signing_key_pem("canary");
        assert!(!format!("{builder:?}").contains("canary"));
        assert!(!format!("{a:?}").contains(a.secret().expose()));
    }
}
