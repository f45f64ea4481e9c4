//! Tokens that were verified. There is no other way to make them than to verify one.

use std::fmt;

use serde_json::{Map, Value};

use super::Verifier;
use super::config::Leeway;
use super::error::VerifyError;
use super::rules::{Claims, Times};
use crate::claims::Actor;
use crate::scopes::Scopes;
use crate::time::{Now, Timestamp};

/// An access token that was checked: its signature and claims (RFC 9068 section 4), or the service's word on it and its
/// claims (RFC 7662). Ask for this type where a decision is made:
/// what was only decoded is of another type.
///
/// ```compile_fail
/// # use lumoauth::{Secret, claims::UnverifiedClaims, verify::VerifiedToken};
/// fn decide(token: &VerifiedToken) {}
/// decide(&UnverifiedClaims::read(&Secret::new("a.b.c")).unwrap());
/// ```
///
/// Nor does what the service said pass without the rules having been applied to it:
///
/// ```compile_fail
/// # use lumoauth::{embed::operations::ActiveToken, verify::VerifiedToken};
/// fn decide(token: &VerifiedToken) {}
/// fn told(token: &ActiveToken) {
///     decide(token);
/// }
/// ```
#[derive(Clone)]
pub struct VerifiedToken {
    subject: String,
    issuer: String,
    audience: Vec<String>,
    client_id: String,
    scopes: Scopes,
    times: Times,
    id: Option<String>,
    actors: Vec<Actor>,
    confirmation: Option<Map<String, Value>>,
    claims: Map<String, Value>,
}

impl VerifiedToken {
    /// The claims of a token whose signature verified, against the settings.
    pub(super) fn check(mut claims: Claims, verifier: &Verifier, now: &Now) -> Result<Self, VerifyError> {
        let Verifier { core, config, .. } = verifier;
        let issuer = core.issuer.name.as_str();
        claims.issuer(issuer)?;
        let audience = claims.audience()?;
        if !verifier.is_for_us(&audience) {
            return Err(VerifyError::audience(verifier.names()));
        }
        let times = claims.times()?;
        times.check(now, config.leeway)?;
        let token = VerifiedToken {
            subject: claims.required_text("sub")?,
            client_id: claims.required_text("client_id")?,
            id: claims.text("jti")?,
            scopes: claims.scopes()?,
            actors: claims.actors()?,
            confirmation: claims.confirmation()?,
            issuer: issuer.to_owned(),
            audience,
            times,
            claims: claims.rest(),
        };
        if token.confirmation.is_some() && !config.bound {
            return Err(VerifyError::Bound);
        }
        if token.actors.len() > config.max_actors {
            return Err(VerifyError::ActorDepth);
        }
        if let Some(allowed) = &config.actors
            && !token.actors.iter().all(|actor| allowed.iter().any(|own| own == actor.subject()))
        {
            return Err(VerifyError::ActorNotAllowed);
        }
        token.require_scopes(&config.scopes)?;
        Ok(token)
    }

    pub(super) fn check_times(&self, leeway: Leeway, now: &Now) -> Result<(), VerifyError> {
        self.times.check(now, leeway)
    }

    /// `sub`: whose token it is.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `aud`: everybody it is for, you among them.
    pub fn audience(&self) -> &[String] {
        &self.audience
    }

    /// `client_id`: the client that it was issued to.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// `scope`.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// `exp`.
    pub fn expires_at(&self) -> Timestamp {
        self.times.expires_at
    }

    /// `nbf`.
    pub fn not_before(&self) -> Option<Timestamp> {
        self.times.not_before
    }

    /// `iat`.
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.times.issued_at
    }

    /// `jti`: the token's own id.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Who acts for the subject (`act`), outermost first; empty if nobody does.
    pub fn actors(&self) -> &[Actor] {
        &self.actors
    }

    /// The key that the token is bound to (`cnf`, RFC 7800).
    pub fn confirmation(&self) -> Option<&Map<String, Value>> {
        self.confirmation.as_ref()
    }

    /// The claims that have no name of their own here. Their types are yours to check.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Itself, if it has these scopes: for a route that needs more than the verifier asks of every token.
    ///
    /// # Errors
    /// [`VerifyError::InsufficientScope`].
    pub fn require_scopes(&self, scopes: impl Into<Scopes>) -> Result<&Self, VerifyError> {
        let required = scopes.into();
        if required.iter().all(|scope| self.scopes.contains(scope)) {
            return Ok(self);
        }
        Err(VerifyError::InsufficientScope { required })
    }
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let VerifiedToken {
            subject,
            issuer,
            audience,
            client_id,
            scopes,
            times,
            id: _,
            actors,
            confirmation,
            claims,
        } = self;
        f.debug_struct("VerifiedToken")
            .field("subject", subject)
            .field("issuer", issuer)
            .field("audience", audience)
            .field("client_id", client_id)
            .field("scopes", scopes)
            .field("times", times)
            .field("actors", &actors.len())
            .field("bound", &confirmation.is_some())
            .field("claims", &claims.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
