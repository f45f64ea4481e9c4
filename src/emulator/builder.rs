//! Makes an emulator: tenants, lifetimes, limits, the signing key. Everything that can be wrong is found here.

use std::collections::BTreeSet;
use std::time::Duration;

use super::clock::START;
use super::engine::Settings;
use super::seed::Tenant;
use super::token::is_scope;
use super::{Emulator, agents};
use crate::crypto::{CryptoError, KeyPair, base64url, random_bytes};
use crate::error::ConfigError;
use crate::secret::Secret;
use crate::site::{Layout, Site};
use crate::time::Timestamp;

/// Where an emulator in the same process seems to be: a name that no DNS knows (RFC 6761 section 6.2).
const BASE_URL: &str = "https://lumoauth.test";
/// The vendor's domains: an emulator must not speak in their name.
const PRODUCTION: [&str; 2] = ["lumoauth.dev", "lumoauth.com"];

/// Why an emulator cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is no tenant, or the first one has no agent.
    #[error("an emulator needs a tenant, and its first tenant needs an agent")]
    Empty,
    /// A text of the seed cannot go where it has to go.
    #[error("{what} {value:?} cannot be used: {problem}")]
    BadText {
        /// What it is.
        what: &'static str,
        /// The text.
        value: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Something that must be unique is there twice.
    #[error("{what} {value:?} is there twice")]
    Twice {
        /// What it is.
        what: &'static str,
        /// The text.
        value: String,
    },
    /// A fixed secret is empty.
    #[error("the secret of the agent {0:?} is empty")]
    EmptySecret(String),
    /// The base URL is one of the real service.
    #[error("the base URL is the real service's: an emulator must not sign tokens in its name")]
    ProductionIssuer,
    /// The base URL cannot be used.
    #[error(transparent)]
    BadBaseUrl(#[from] ConfigError),
    /// The lifetime of access tokens is less than a second.
    #[error("access tokens must live for one second at least")]
    BadLifetime,
    /// The signing key cannot be used or made.
    #[error(transparent)]
    Key(#[from] CryptoError),
}

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

    /// Makes the emulator, its signing key and the secrets that are not fixed.
    ///
    /// # Errors
    /// [`BuildError`] says what is wrong with the settings.
    pub fn build(mut self) -> Result<Emulator, BuildError> {
        check(&self.tenants)?;
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
        if lifetime == 0 {
            return Err(BuildError::BadLifetime);
        }
        for agent in self.tenants.iter_mut().flat_map(|tenant| tenant.agents.iter_mut()) {
            if agent.secret.is_none() {
                agent.secret = Some(Secret::new(format!("secret_{}", base64url(&random_bytes::<32>()?))));
            }
        }
        let key = match &self.pem {
            Some(pem) => KeyPair::from_pem(pem.expose().as_bytes())?,
            None => KeyPair::generate_p256()?,
        };
        let settings =
            Settings { lifetime, rate_limit: self.rate_limit, token_rate_limit: self.token_rate_limit };
        Emulator::new(self.tenants, site, key, settings, self.start, random_bytes()?)
    }
}

fn check(tenants: &[Tenant]) -> Result<(), BuildError> {
    let bad =
        |what, value: &str, problem| Err(BuildError::BadText { what, value: value.to_owned(), problem });
    let mut slugs = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for tenant in tenants {
        let slug = tenant.slug.as_str();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if slug.is_empty() || matches!(slug, "." | "..") || !slug.bytes().all(plain) {
            return bad("tenant", slug, "a slug has letters, digits and -_.~ only");
        }
        if !slugs.insert(slug) {
            return Err(BuildError::Twice { what: "tenant", value: slug.to_owned() });
        }
        let mut names = BTreeSet::new();
        for agent in &tenant.agents {
            let id = agent.client_id.as_str();
            if !agents::is_client_id(id) {
                return bad("client id", id, "it must be visible ASCII and no path");
            }
            if !ids.insert(id) {
                return Err(BuildError::Twice { what: "client id", value: id.to_owned() });
            }
            if agent.name.is_empty() || !names.insert(agent.name.as_str()) {
                return Err(BuildError::Twice { what: "agent name", value: agent.name.clone() });
            }
            if agent.secret.as_ref().is_some_and(Secret::is_empty) {
                return Err(BuildError::EmptySecret(id.to_owned()));
            }
            let mut words = agent.capabilities.iter().chain(&agent.scopes);
            if let Some(word) = words.find(|word| !is_scope(word)) {
                return bad("capability", word, "it must be one word of a scope (RFC 6749 section 3.3)");
            }
            for resource in &agent.resources {
                let absolute = resource.parse::<http::Uri>().is_ok_and(|uri| uri.scheme().is_some());
                if !absolute || resource.contains('#') {
                    return bad("resource", resource, "it must be an absolute URI without fragment");
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::seed::AgentSeed;
    use super::*;

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
