//! An agent's authorization for a resource (`auth+jwt`), checked.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::bound::{BoundKey, BoundKeys};
use crate::claims::Actor;
use crate::crypto::VerifyingKey;
use crate::operations::aauth::AuthTokenClaims;
use crate::origin::same_resource;
use crate::scopes::Scopes;
use crate::time::{Now, Timestamp};
use crate::verify::{Claims, Leeway, VerifyError};

/// An `auth+jwt` whose signature and claims were checked. It says who may do what; **whether its bearer is that agent is
/// not known** until a signed request proves it: that is a [`super::VerifiedRequest`], another type.
///
/// ```compile_fail
/// # use lumoauth::aauth::{VerifiedRequest, VerifiedToken};
/// fn act(request: &VerifiedRequest) {}
/// fn with(token: &VerifiedToken) {
///     act(token);
/// }
/// ```
#[derive(Clone)]
pub struct VerifiedToken {
    issuer: String,
    audience: String,
    subject: Option<String>,
    agent: Option<String>,
    agent_delegate: Option<String>,
    scopes: Scopes,
    expires_at: Timestamp,
    id: Option<String>,
    actors: Vec<Actor>,
    key: Arc<BoundKey>,
    claims: Map<String, Value>,
}

impl VerifiedToken {
    /// The claims of a token whose signature verified (`docs/wire.md`, aauth-auth-token).
    pub(super) fn check(
        mut claims: Claims,
        issuer: &str,
        resource: &str,
        max_actors: usize,
        keys: &BoundKeys,
        now: &Now,
    ) -> Result<Self, VerifyError> {
        claims.issuer(issuer)?;
        let audience = claims.required_text("aud")?;
        if !same_resource(&audience, resource) {
            return Err(VerifyError::audience(resource));
        }
        let times = claims.times()?;
        times.check(now, Leeway::default())?;
        let key = keys.read(&claims.confirmation()?.ok_or(VerifyError::missing("cnf"))?)?;
        let token = VerifiedToken {
            subject: claims.text("sub")?,
            id: claims.text("jti")?,
            scopes: claims.scopes()?,
            actors: claims.actors()?,
            agent: claims.other_text("agent")?,
            agent_delegate: claims.other_text("agent_delegate")?,
            issuer: issuer.to_owned(),
            audience,
            expires_at: times.expires_at,
            key,
            claims: claims.rest(),
        };
        token.check_expiry(now)?;
        if token.actors.len() > max_actors {
            return Err(VerifyError::ActorDepth);
        }
        Ok(token)
    }

    /// It is not over. The proof is made at this moment by a key: there is no reason for a leeway.
    pub(super) fn check_expiry(&self, now: &Now) -> Result<(), VerifyError> {
        if now.wall >= self.expires_at { Err(VerifyError::Expired) } else { Ok(()) }
    }

    /// True if what the service says of a token is about this one: whatever both name must agree, and it must still have every scope
    /// of the token. That it has none is said by an empty scope.
    pub(crate) fn agrees_with(&self, told: &AuthTokenClaims) -> bool {
        let told_text =
            |own: Option<&str>, told: Option<&str>| own.is_none() || told.is_none() || own == told;
        let mut rest = told.extra.iter().filter(|(_, value)| !value.is_null());
        told_text(Some(self.thumbprint()), told.thumbprint.as_deref())
            && told_text(self.agent(), told.agent.as_deref())
            && told_text(self.agent_delegate(), told.delegate.as_deref())
            && told_text(self.subject(), told.subject.as_deref())
            && told.resource.as_deref().is_none_or(|told| same_resource(told, self.audience()))
            && told.expires_at.is_none_or(|own| own.unix() == self.expires_at.unix())
            && told.scopes.as_ref().is_none_or(|own| {
                let own: HashSet<&str> = own.iter().collect();
                self.scopes.iter().all(|scope| own.contains(scope))
            })
            && (told.actors.is_empty() || self.actors.is_empty() || told.actors == self.actors)
            && rest.all(|(name, value)| match name.as_str() {
                "iss" => *value == self.issuer.as_str(),
                "aud" => match value {
                    Value::String(told) => same_resource(told, self.audience()),
                    Value::Array(told) => {
                        let is_ours = |told: &Value| {
                            told.as_str().is_some_and(|told| same_resource(told, self.audience()))
                        };
                        matches!(told.as_slice(), [one] if is_ours(one))
                    }
                    _ => false,
                },
                "jti" => self.id().is_none_or(|own| *value == own),
                "cnf" => self.is_bound_as(value),
                name => self.claims.get(name).is_none_or(|own| own == value),
            })
    }

    /// True if a `cnf` (RFC 7800) names the key of this token.
    fn is_bound_as(&self, told: &Value) -> bool {
        let Value::Object(told) = told else { return false };
        let jkt = told.get("jkt").map(|jkt| *jkt == self.thumbprint());
        let jwk = told
            .contains_key("jwk")
            .then(|| super::bound::read(told).is_ok_and(|told| told.thumbprint == self.thumbprint()));
        match (jkt, jwk) {
            (None, None) => false,
            (jkt, jwk) => jkt.unwrap_or(true) && jwk.unwrap_or(true),
        }
    }

    pub(super) fn key(&self) -> &VerifyingKey {
        &self.key.key
    }

    /// `iss`: the authorization server.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `aud`: the resource.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// `sub`: the user that the agent acts for, if there is one.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// `agent`: the agent's identifier.
    pub fn agent(&self) -> Option<&str> {
        self.agent.as_deref()
    }

    /// `agent_delegate`: which of the agent's delegates.
    pub fn agent_delegate(&self) -> Option<&str> {
        self.agent_delegate.as_deref()
    }

    /// `scope`.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// `exp`.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// `jti`: the token's own id, for logs and revocation.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Who acts for whom (`act`), outermost first; empty if nobody does.
    pub fn actors(&self) -> &[Actor] {
        &self.actors
    }

    /// The thumbprint of the key that the token is bound to (RFC 7638).
    pub fn thumbprint(&self) -> &str {
        &self.key.thumbprint
    }

    /// The claims that have no name of their own here. Their types are yours to check.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let VerifiedToken {
            issuer,
            audience,
            subject,
            agent,
            agent_delegate,
            scopes,
            expires_at,
            id: _,
            actors,
            key,
            claims,
        } = self;
        f.debug_struct("VerifiedToken")
            .field("issuer", issuer)
            .field("audience", audience)
            .field("subject", subject)
            .field("agent", agent)
            .field("agent_delegate", agent_delegate)
            .field("scopes", scopes)
            .field("expires_at", expires_at)
            .field("actors", &actors.len())
            .field("thumbprint", &key.thumbprint)
            .field("claims", &claims.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
