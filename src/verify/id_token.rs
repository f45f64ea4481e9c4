//! ID tokens of a sign-in (OpenID Connect Core 1.0 sections 2 and 3.1.3.7).

use std::fmt;

use serde_json::{Map, Value};

use super::config::IdVerifierConfig;
use super::error::VerifyError;
use super::rules::{Claims, Times};
use crate::secret::Secret;
use crate::time::{Now, Timestamp};

/// An ID token whose signature and claims were checked. It says who signed in; it is no access token.
#[derive(Clone)]
pub struct VerifiedIdToken {
    subject: String,
    issuer: String,
    audience: Vec<String>,
    times: Times,
    claims: Map<String, Value>,
}

impl VerifiedIdToken {
    pub(super) fn check(
        mut claims: Claims,
        issuer: &str,
        config: &IdVerifierConfig,
        nonce: Option<&Secret>,
        now: &Now,
    ) -> Result<Self, VerifyError> {
        claims.issuer(issuer)?;
        let audience = claims.audience()?;
        if !audience.contains(&config.client_id) {
            return Err(VerifyError::audience(config.client_id.as_str()));
        }
        // Rules 3 to 5: with others in `aud`, `azp` must be there; if it is there, it must be this client.
        match claims.text("azp")? {
            Some(party) if party != config.client_id => return Err(VerifyError::AuthorizedParty),
            None if audience.iter().any(|own| *own != config.client_id) => {
                return Err(VerifyError::AuthorizedParty);
            }
            _ => {}
        }
        let times = claims.times()?;
        if times.issued_at.is_none() {
            return Err(VerifyError::missing("iat"));
        }
        times.check(now, config.leeway)?;
        // A nonce that nobody asked for is of another sign-in as well.
        if claims.text("nonce")?.map(Secret::new).as_ref() != nonce {
            return Err(VerifyError::Nonce);
        }
        let subject = claims.required_text("sub")?;
        Ok(VerifiedIdToken { subject, issuer: issuer.to_owned(), audience, times, claims: claims.rest() })
    }

    /// `sub`: who signed in. Unique within the issuer only.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `aud`: the clients that it is for, yours among them.
    pub fn audience(&self) -> &[String] {
        &self.audience
    }

    /// `exp`.
    pub fn expires_at(&self) -> Timestamp {
        self.times.expires_at
    }

    /// `iat`.
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.times.issued_at
    }

    /// The claims that have no name of their own here (`email`, `acr`, `auth_time`). Their types are yours to check.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

impl fmt::Debug for VerifiedIdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let VerifiedIdToken { subject, issuer, audience, times, claims } = self;
        f.debug_struct("VerifiedIdToken")
            .field("subject", subject)
            .field("issuer", issuer)
            .field("audience", audience)
            .field("times", times)
            .field("claims", &claims.keys().collect::<Vec<_>>())
            .finish()
    }
}
