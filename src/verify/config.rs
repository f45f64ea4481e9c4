//! What is to be trusted, and how far: settings, checked before anything is verified.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use super::fetch::Source;
use super::keys::IssuerKeys;
use crate::crypto::Algorithm;
use crate::error::ConfigError;
use crate::origin::{Origin, absolute};
use crate::scopes::Scopes;

/// How far two clocks may differ: 60 s by default, never more than 300 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leeway(u16);

impl Leeway {
    /// Clocks that agree exactly.
    pub const NONE: Leeway = Leeway(0);
    /// 300 s.
    pub const LONGEST: Leeway = Leeway(300);

    /// This many seconds; `None` above 300.
    pub const fn seconds(seconds: u16) -> Option<Self> {
        if seconds <= 300 { Some(Leeway(seconds)) } else { None }
    }

    /// As a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

impl Default for Leeway {
    /// 60 s.
    fn default() -> Self {
        Leeway(60)
    }
}

/// What is accepted if nothing else is said.
const DEFAULT_ALGORITHMS: [Algorithm; 4] =
    [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];

/// An issuer that is trusted, its keys, and the algorithms that it may sign with.
///
/// Made from its name alone (`"https://...".into()`), it asks the issuer's metadata for the place of the keys. The name is
/// never derived: it is the text in `iss`, compared byte for byte (RFC 8414 section 3.3).
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until a verifier is made of them"]
pub struct TrustedIssuer {
    name: String,
    jwks_url: Option<String>,
    metadata_url: Option<String>,
    given: Option<Arc<IssuerKeys>>,
    key_origins: Vec<String>,
    algorithms: Option<Vec<Algorithm>>,
    keys_max_age: Duration,
    timeout: Duration,
}

impl TrustedIssuer {
    /// The issuer of this name.
    pub fn new(name: impl Into<String>) -> Self {
        TrustedIssuer {
            name: name.into(),
            jwks_url: None,
            metadata_url: None,
            given: None,
            key_origins: Vec::new(),
            algorithms: None,
            keys_max_age: Duration::from_secs(600),
            timeout: Duration::from_secs(8),
        }
    }

    /// Where its keys are, such as `Site::url(routes::JWKS)`. No metadata is asked then.
    pub fn jwks_url(mut self, url: impl ToString) -> Self {
        self.jwks_url = Some(url.to_string());
        self
    }

    /// Where its metadata is, if not where OpenID Connect Discovery section 4 or RFC 8414 section 3 put it.
    pub fn metadata_url(mut self, url: impl ToString) -> Self {
        self.metadata_url = Some(url.to_string());
        self
    }

    /// Its keys themselves. Nothing is ever fetched then, and a rotation is yours to notice.
    pub fn keys(mut self, keys: IssuerKeys) -> Self {
        self.given = Some(Arc::new(keys));
        self
    }

    /// Lets the metadata place the keys on one more origin than the issuer's own.
    pub fn allow_keys_from(mut self, origin: impl Into<String>) -> Self {
        self.key_origins.push(origin.into());
        self
    }

    /// The algorithms that are accepted, in place of RS256, PS256, ES256 and EdDSA. A key decides as well: by its type,
    /// and by its `alg`.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// How long fetched keys are used before they are fetched again, 10 minutes if not set, a day at most. A key that the
    /// issuer has withdrawn is trusted this long.
    pub fn keys_max_age(mut self, age: Duration) -> Self {
        self.keys_max_age = age;
        self
    }

    /// The whole time of one check, 8 s if not set. Only a check that has to fetch keys, or wait for them, needs any.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    #[cfg(feature = "aauth")]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Other algorithms, unless they were set.
    #[cfg(feature = "aauth")]
    pub(crate) fn or_algorithms(mut self, algorithms: &[Algorithm]) -> Self {
        self.algorithms.get_or_insert_with(|| algorithms.to_vec());
        self
    }

    /// Where the keys are, unless something was said about it.
    #[cfg(feature = "aauth")]
    pub(crate) fn or_jwks_url(mut self, url: String) -> Self {
        if self.metadata_url.is_none() {
            self.jwks_url.get_or_insert(url);
        }
        self
    }

    pub(crate) fn settle(self) -> Result<Issuer, ConfigError> {
        let origin = Origin::parse(&self.name).map_err(|error| renamed(error, "issuer"))?;
        let algorithms = self.algorithms.unwrap_or_else(|| DEFAULT_ALGORITHMS.to_vec());
        if algorithms.is_empty() {
            return Err(ConfigError::Missing { setting: "algorithms", hint: "name at least one" });
        }
        let mut origins = vec![origin];
        for origin in &self.key_origins {
            origins.push(Origin::parse(origin).map_err(|error| renamed(error, "allow_keys_from"))?);
        }
        let source = match (self.given, &self.jwks_url) {
            (Some(keys), _) => Source::Given(keys),
            (None, Some(url)) => Source::Url(url_of("jwks_url", url)?),
            (None, None) => {
                let documents = match &self.metadata_url {
                    Some(url) => vec![url_of("metadata_url", url)?],
                    None => documents(&self.name)?,
                };
                Source::Metadata { issuer: self.name.clone(), documents, origins }
            }
        };
        Ok(Issuer {
            name: self.name,
            source,
            algorithms,
            keys_max_age: self.keys_max_age,
            timeout: self.timeout,
        })
    }
}

impl From<&str> for TrustedIssuer {
    fn from(name: &str) -> Self {
        TrustedIssuer::new(name)
    }
}

impl From<String> for TrustedIssuer {
    fn from(name: String) -> Self {
        TrustedIssuer::new(name)
    }
}

/// A [`TrustedIssuer`] whose settings were checked.
pub(crate) struct Issuer {
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) keys_max_age: Duration,
    pub(super) timeout: Duration,
}

fn renamed(error: ConfigError, setting: &'static str) -> ConfigError {
    match error {
        ConfigError::BadUrl { problem, .. } => ConfigError::BadUrl { setting, problem },
        ConfigError::NotHttps { .. } => ConfigError::NotHttps { setting },
        other => other,
    }
}

fn url_of(setting: &'static str, url: &str) -> Result<Uri, ConfigError> {
    let checked = absolute(setting, url);
    checked.map(|(_, url)| url).map_err(|error| ConfigError::BadUrl { setting, problem: error.problem() })
}

/// The metadata of an issuer: behind its name, where LumoAuth and OpenID Connect Discovery section 4 have it, else with the
/// well-known part before the path (RFC 8414 section 3.1).
fn documents(issuer: &str) -> Result<Vec<Uri>, ConfigError> {
    let bare = issuer.strip_suffix('/').unwrap_or(issuer);
    let behind = format!("{bare}/.well-known/openid-configuration");
    let before = well_known(bare, "oauth-authorization-server");
    Ok(vec![url_of("issuer", &behind)?, url_of("issuer", &before)?])
}

/// A well-known document of a URL with the well-known part between host and path (RFC 8414 section 3.1, RFC 9728
/// section 3.1).
pub(super) fn well_known(url: &str, name: &str) -> String {
    let host = url.find("://").map_or(0, |at| at.saturating_add(3));
    let path = url.get(host..).and_then(|rest| rest.find(['/', '?'])).map(|at| host.saturating_add(at));
    let (base, path) = url.split_at(path.unwrap_or(url.len()));
    let path = if path == "/" { "" } else { path };
    format!("{base}/.well-known/{name}{path}")
}

/// Settings of a [`super::Verifier`]: who issues the tokens, and whom they must be for. Both are required.
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until a verifier is made of them"]
pub struct VerifierConfig {
    pub(super) issuer: TrustedIssuer,
    pub(super) audience: Vec<String>,
    pub(super) types: Vec<String>,
    pub(super) leeway: Leeway,
    pub(super) scopes: Scopes,
    pub(super) scopes_supported: Scopes,
    pub(super) max_actors: usize,
    pub(super) actors: Option<Vec<String>>,
    pub(super) bound: bool,
    pub(super) longest: usize,
    pub(super) realm: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) remember: Duration,
    pub(super) described_at: Option<Uri>,
}

impl VerifierConfig {
    /// Tokens of this issuer for this audience: your own resource identifier, as tokens have it in `aud`. For an MCP server that is
    /// its Resource URI (RFC 8707 section 2). Of a URL the case of scheme and host, the scheme's own port and a path of `/` do not
    /// count; everything else does, and a name is compared byte for byte.
    pub fn new(issuer: impl Into<TrustedIssuer>, audience: impl Into<String>) -> Self {
        VerifierConfig {
            issuer: issuer.into(),
            audience: vec![audience.into()],
            types: vec!["at+jwt".to_owned()],
            leeway: Leeway::default(),
            scopes: Scopes::none(),
            scopes_supported: Scopes::none(),
            max_actors: 3,
            actors: None,
            bound: false,
            longest: 16 * 1024,
            realm: None,
            resource: None,
            remember: Duration::ZERO,
            described_at: None,
        }
    }

    /// Tokens of this issuer for the resource that this RFC 9728 document of the service describes. It is read once, before the first
    /// token is judged, and without any credential; until it is had, everything is refused as [`super::VerifyError::Unavailable`].
    pub fn described_at(issuer: impl Into<TrustedIssuer>, url: Uri) -> Self {
        let config = VerifierConfig::new(issuer, "");
        VerifierConfig { audience: Vec::new(), described_at: Some(url), ..config }
    }

    /// One more name that you go by: a token for any of them is for you.
    pub fn also_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience.push(audience.into());
        self
    }

    /// The type of token (`typ`), in place of `at+jwt` (RFC 9068 section 2.1). Read with or without `application/`.
    pub fn token_type(mut self, typ: impl Into<String>) -> Self {
        self.types = vec![typ.into()];
        self
    }

    /// How far clocks may differ, 60 s if not set.
    pub fn leeway(mut self, leeway: Leeway) -> Self {
        self.leeway = leeway;
        self
    }

    /// Scopes that every token must have; for one route more, ask [`super::VerifiedToken::require_scopes`].
    pub fn require_scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// The scopes that the protected-resource document lists, in place of the required ones (RFC 9728 section 2).
    pub fn scopes_supported(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes_supported = scopes.into();
        self
    }

    /// The longest chain of actors, 3 if not set; 0 refuses every delegated token (`act`, RFC 8693 section 4.1).
    pub fn max_actors(mut self, depth: usize) -> Self {
        self.max_actors = depth;
        self
    }

    /// The only actors that may act for others. Every actor of a chain must be among them, so it does not matter which end
    /// of the chain is the current one (`docs/wire.md`, V-actors). Tokens that nobody else uses are not affected.
    pub fn allow_actors<S: Into<String>>(mut self, subjects: impl IntoIterator<Item = S>) -> Self {
        self.actors = Some(subjects.into_iter().map(Into::into).collect());
        self
    }

    /// Accepts tokens that are bound to a key (`cnf`: RFC 7800, RFC 9449 section 6). **Only** if you check yourself that the
    /// sender has the key: a bound token taken as a mere bearer token is one that a thief may use.
    pub fn accept_bound_tokens(mut self) -> Self {
        self.bound = true;
        self
    }

    /// The longest token that is looked at, 16 KiB if not set.
    pub fn longest_token(mut self, bytes: usize) -> Self {
        self.longest = bytes;
        self
    }

    /// Believes for this long what [`super::Verifier::check_at_service`] was told of a valid token, 60 s at most; not at all
    /// if not set. So long a revoked token may still pass. At most 1,024 tokens are remembered.
    pub fn remember_answers(mut self, age: Duration) -> Self {
        self.remember = age;
        self
    }

    /// The `realm` of challenges (RFC 9110 section 11.5).
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// The URL by which the resource is known in its RFC 9728 document, if the audience is not that URL.
    pub fn resource(mut self, url: impl Into<String>) -> Self {
        self.resource = Some(url.into());
        self
    }
}

/// Settings of an [`super::IdVerifier`]: who signs people in, and for which client.
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until a verifier is made of them"]
pub struct IdVerifierConfig {
    pub(super) issuer: TrustedIssuer,
    pub(super) client_id: String,
    pub(super) leeway: Leeway,
}

impl IdVerifierConfig {
    /// ID tokens of this issuer for this client.
    pub fn new(issuer: impl Into<TrustedIssuer>, client_id: impl Into<String>) -> Self {
        IdVerifierConfig { issuer: issuer.into(), client_id: client_id.into(), leeway: Leeway::default() }
    }

    /// How far clocks may differ, 60 s if not set.
    pub fn leeway(mut self, leeway: Leeway) -> Self {
        self.leeway = leeway;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_part_stands_before_the_path() {
        let server = "oauth-authorization-server";
        assert_eq!(well_known("https://a.b", server), "https://a.b/.well-known/oauth-authorization-server");
        assert_eq!(well_known("https://a.b/", "x"), "https://a.b/.well-known/x");
        assert_eq!(well_known("https://a.b:1/t/c?d", "x"), "https://a.b:1/.well-known/x/t/c?d");
    }

    #[test]
    fn what_cannot_be_trusted() {
        for bad in ["", "acme", "http://example.com", "https://a?b", "https://u@a", "https://a#b"] {
            assert!(TrustedIssuer::new(bad).settle().is_err(), "{bad}");
        }
        assert!(TrustedIssuer::new("https://a").jwks_url("http://a/keys").settle().is_err());
        assert!(TrustedIssuer::new("https://a").algorithms([]).settle().is_err());
        assert!(TrustedIssuer::new("http://127.0.0.1:9/t/a").settle().is_ok());
        assert_eq!(Leeway::seconds(301), None);
        assert_eq!(Leeway::seconds(300), Some(Leeway::LONGEST));
    }
}
