//! Tokens that arrive at an API or MCP server of yours: verified here, before anything is done for their bearer.
//!
//! A [`Verifier`] is made of an issuer and an audience. Everything else has a strict default: asymmetric algorithms only,
//! chosen by the key and by settings; `typ` `at+jwt`; claims of exact types; 60 s of leeway. It is pure: [`Verifier::check`]
//! gives a machine that says when the issuer's keys must be fetched. [`crate::TokenVerifier`] turns it.
//!
//! ```
//! # #[cfg(all(feature = "emulator", feature = "blocking"))] {
//! use lumoauth::verify::VerifierConfig;
//! use lumoauth::{TokenVerifier, emulator::Emulator};
//!
//! let emulator = Emulator::demo()?;
//! let config = VerifierConfig::new(emulator.site().api_base(), emulator.client_id());
//! let verifier = TokenVerifier::build_with(config, emulator.transport())?;
//!
//! let token = emulator.agent()?.authenticate(["read:documents"])?;
//! let verified = verifier.verify(token.secret())?;
//! assert!(verified.scopes().contains("read:documents"));
//!
//! let refused = verifier.verify(&"not.a.token".into()).unwrap_err();
//! assert_eq!(refused.status(), 401);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A JWT is valid until it ends, whatever has been revoked meanwhile. Keep lifetimes short, or ask the service
//! ([`Verifier::check_at_service`]: token introspection, RFC 7662) where revocation must be seen at once, and for opaque
//! tokens.

mod bearer;
mod check;
mod compact;
mod config;
mod error;
mod fetch;
mod id_token;
mod introspect;
mod kept;
mod keys;
mod named;
mod remembered;
mod rules;
mod token;

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

pub use bearer::bearer;
pub use check::{Check, IdCheck};
pub use config::{IdVerifierConfig, Leeway, TrustedIssuer, VerifierConfig};
pub use error::VerifyError;
pub use id_token::VerifiedIdToken;
pub use introspect::ServiceCheck;
pub use keys::IssuerKeys;
pub use named::Ready;
pub use token::VerifiedToken;

use crate::challenge::Challenge;
use crate::error::ConfigError;
use crate::origin::{absolute, same_resource};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::session::Session;
pub(crate) use check::Core;
#[cfg(feature = "signin")]
pub(crate) use check::KeysAhead;
#[cfg(feature = "aauth")]
pub(crate) use check::{Flow, end};
pub(crate) use compact::Types;
use named::Named;
use remembered::Remembered;
#[cfg(feature = "aauth")]
pub(crate) use rules::Claims;

/// Verifies access tokens. Cheap to clone; clones share the issuer's keys.
#[derive(Clone)]
pub struct Verifier {
    core: Arc<Core>,
    config: Arc<VerifierConfig>,
    remembered: Arc<Remembered>,
    metadata_url: Option<Arc<str>>,
    /// Where the audience is told, if it was not set.
    named: Option<Arc<Named>>,
}

impl Verifier {
    /// A verifier with these settings and no keys yet.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting cannot work: an issuer that is not an https URL (or http to this machine), an empty
    /// audience, type or list of algorithms.
    pub fn new(config: VerifierConfig) -> Result<Self, ConfigError> {
        let empty = |texts: &[String]| texts.iter().any(String::is_empty);
        if config.described_at.is_none() && empty(&config.audience) {
            let hint = "it is your own resource identifier, as tokens have it in \"aud\"";
            return Err(ConfigError::Missing { setting: "audience", hint });
        }
        if empty(&config.types) {
            return Err(ConfigError::Missing { setting: "token_type", hint: "such as \"at+jwt\"" });
        }
        let issuer = config.issuer.clone().settle()?;
        let core = Arc::new(Core::new(issuer, Types::OneOf(config.types.clone()), config.longest));
        let metadata_url = match &config.resource {
            Some(url) => {
                let checked = absolute("resource", url);
                checked
                    .map_err(|error| ConfigError::BadUrl { setting: "resource", problem: error.problem() })?;
                Some(url)
            }
            None => config.audience.first().filter(|own| absolute("audience", own).is_ok()),
        };
        let metadata_url = metadata_url.map(|url| config::well_known(url, "oauth-protected-resource").into());
        let remembered = Arc::new(Remembered::new(config.remember));
        let named = config.described_at.as_ref().map(|url| Arc::new(Named::new(url.clone())));
        Ok(Verifier { core, config: Arc::new(config), remembered, metadata_url, named })
    }

    /// The machine that finds out the audience, where that is read from the service ([`VerifierConfig::described_at`]). Checks do it by
    /// themselves; do it first to find out early, or before [`Verifier::resource_metadata`] is served.
    pub fn ready(&self) -> Ready {
        Ready::new(self)
    }

    /// True if one of these names is ours. While ours is not known, none is.
    fn is_for_us(&self, audience: &[String]) -> bool {
        let told = self.named.as_ref().and_then(|named| named.told()).map(|told| &told.resource);
        let own = || self.config.audience.iter().chain(told);
        audience.iter().any(|name| own().any(|own| same_resource(name, own)))
    }

    /// Our names, for people.
    fn names(&self) -> String {
        let told = self.named.as_ref().and_then(|named| named.told()).map(|told| &told.resource);
        self.config.audience.iter().chain(told).cloned().collect::<Vec<_>>().join(" or ")
    }

    /// The machine that checks one token.
    pub fn check(&self, token: &Secret) -> Check {
        Check::new(self, token)
    }

    /// The machine that checks one token at the service, opaque or JWT: it sees what was revoked. The answer is held to all
    /// the settings that claims are (`iss`, `aud`, `exp`, scopes, actors), and a claim that must be in a token must be in
    /// the answer; algorithms, keys and `typ` do not matter. Whatever is not a clear yes is an error.
    ///
    /// `session` is the client that asks: at the service whose tokens these are, with a client id and secret.
    pub fn check_at_service(&self, session: &Session, token: &Secret) -> ServiceCheck {
        ServiceCheck::new(self, session, token)
    }

    /// The `WWW-Authenticate` challenge for an error (RFC 6750 section 3), with `realm`, `scope` and `resource_metadata` (RFC
    /// 9728 section 5.1) from the settings. None if nothing can be found out about the token: answer 503
    /// without one.
    pub fn challenge(&self, error: &VerifyError) -> Option<Challenge> {
        let mut challenge = error.challenge()?;
        if let Some(realm) = &self.config.realm {
            challenge = challenge.parameter("realm", realm);
        }
        if let (VerifyError::MissingToken, false) = (error, self.config.scopes.is_empty()) {
            challenge = challenge.parameter("scope", self.config.scopes.to_string());
        }
        match self.resource_metadata_url() {
            Some(url) => Some(challenge.parameter("resource_metadata", url)),
            None => Some(challenge),
        }
    }

    /// The protected-resource document (RFC 9728 section 2), to be served at [`Verifier::resource_metadata_url`]. None if
    /// neither the audience nor `resource` is a URL.
    pub fn resource_metadata(&self) -> Option<Value> {
        self.resource_metadata_url()?;
        let resource = self.resource()?;
        let mut document = json!({
            "resource": resource,
            "authorization_servers": [self.core.issuer.name],
            "bearer_methods_supported": ["header"],
        });
        let listed = if self.config.scopes_supported.is_empty() {
            &self.config.scopes
        } else {
            &self.config.scopes_supported
        };
        if let (false, Some(fields)) = (listed.is_empty(), document.as_object_mut()) {
            fields.insert("scopes_supported".to_owned(), listed.iter().collect());
        }
        Some(document)
    }

    /// The name of this server in its RFC 9728 document: `resource` of the settings, else the audience. None while that is not known.
    pub fn resource(&self) -> Option<&str> {
        let told = self.named.as_ref().and_then(|named| named.told()).map(|told| &told.resource);
        self.config.resource.as_ref().or(self.config.audience.first()).or(told).map(String::as_str)
    }

    /// The scopes that every token must have.
    pub fn required_scopes(&self) -> &Scopes {
        &self.config.scopes
    }

    /// Where clients look for the protected-resource document: the well-known part between host and path (RFC 9728 section
    /// 3.1). None as for [`Verifier::resource_metadata`].
    pub fn resource_metadata_url(&self) -> Option<&str> {
        let told = self.named.as_ref().and_then(|named| named.told()).map(|told| &*told.metadata_url);
        self.metadata_url.as_deref().or(told)
    }

    /// The path of [`Verifier::resource_metadata_url`], for the route that serves the document.
    pub fn resource_metadata_path(&self) -> Option<&str> {
        let url = self.resource_metadata_url()?;
        let host = url.find("://").map_or(0, |at| at.saturating_add(3));
        let path = url.get(host..).and_then(|rest| rest.find('/')).map(|at| host.saturating_add(at))?;
        url.get(path..).map(|path| path.split('?').next().unwrap_or(path))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verifier { core: _, config, remembered: _, metadata_url: _, named: _ } = self;
        f.debug_struct("Verifier").field("config", config).finish_non_exhaustive()
    }
}

/// Verifies the ID tokens of sign-ins (OpenID Connect Core 3.1.3.7). Cheap to clone; clones share the issuer's keys.
#[derive(Clone)]
pub struct IdVerifier {
    core: Arc<Core>,
    config: Arc<IdVerifierConfig>,
}

impl IdVerifier {
    /// A verifier with these settings and no keys yet.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting cannot work.
    pub fn new(config: IdVerifierConfig) -> Result<Self, ConfigError> {
        if config.client_id.is_empty() {
            let hint = "it is the client that people sign in to";
            return Err(ConfigError::Missing { setting: "client_id", hint });
        }
        let issuer = config.issuer.clone().settle()?;
        let core = Arc::new(Core::new(issuer, Types::JwtOrNone, 16 * 1024));
        Ok(IdVerifier { core, config: Arc::new(config) })
    }

    /// The machine that checks one ID token. `nonce` is what the sign-in sent, compared in constant time; give `None` only if
    /// it sent none, and then a token that has one is refused.
    pub fn check(&self, token: &Secret, nonce: Option<&Secret>) -> IdCheck {
        IdCheck::new(self, token, nonce)
    }

    /// The part that has the issuer's keys at hand, before there is a token.
    #[cfg(feature = "signin")]
    #[cfg_attr(not(any(feature = "blocking", feature = "async")), allow(dead_code))]
    pub(crate) fn keys_ahead(&self) -> KeysAhead {
        KeysAhead::new(self)
    }
}

impl fmt::Debug for IdVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IdVerifier { core: _, config } = self;
        f.debug_struct("IdVerifier").field("config", config).finish_non_exhaustive()
    }
}
