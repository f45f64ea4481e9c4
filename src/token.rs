//! Access tokens with everything that is known about them.

use std::fmt;
use std::time::Duration;

use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::time::Timestamp;

/// The longest lifetime that is believed, whatever the service says: one year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// How a token is presented (`token_type`, RFC 6749 section 7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenType {
    /// `Authorization: Bearer` (RFC 6750). Compared without regard to case.
    Bearer,
    /// Bound to a key, needs a proof (RFC 9449). Never sent as Bearer.
    Dpop,
    /// Anything else, as the service wrote it. Never sent as Bearer.
    Other(String),
}

impl TokenType {
    /// Reads the value of `token_type`.
    pub fn parse(text: &str) -> Self {
        if text.eq_ignore_ascii_case("bearer") {
            TokenType::Bearer
        } else if text.eq_ignore_ascii_case("dpop") {
            TokenType::Dpop
        } else {
            TokenType::Other(text.to_owned())
        }
    }
}

impl fmt::Display for TokenType {
    /// As on the wire: `Bearer`, `DPoP`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TokenType::Bearer => "Bearer",
            TokenType::Dpop => "DPoP",
            TokenType::Other(text) => text,
        })
    }
}

/// An access token: the secret, its type, what it is good for, and when it ends.
///
/// Prints without the token. The token itself leaves through [`AccessToken::secret`].
#[derive(Clone)]
pub struct AccessToken {
    secret: Secret,
    token_type: TokenType,
    scopes: Scopes,
    expires_at: Timestamp,
    lifetime: Duration,
    resource: Option<Box<str>>,
}

impl AccessToken {
    /// A token that was issued at `issued` and lives for `lifetime` (cut to one year).
    pub fn new(
        secret: Secret,
        token_type: TokenType,
        scopes: Scopes,
        issued: Timestamp,
        lifetime: Duration,
    ) -> Self {
        let lifetime = lifetime.min(LONGEST);
        let expires_at = issued.saturating_add(lifetime);
        AccessToken { secret, token_type, scopes, expires_at, lifetime, resource: None }
    }

    /// The same token, bound to one resource (an absolute URI, RFC 8707): it is sent to that resource's origin and to the
    /// service, and to nobody else.
    pub fn for_resource(mut self, resource: &str) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// The resource that it is bound to, if it is bound to one.
    pub fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// The token itself.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// How it is presented.
    pub fn token_type(&self) -> &TokenType {
        &self.token_type
    }

    /// What it is good for: what the service granted, or what was asked for if it did not say.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// When it ends, by this machine's clock.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// How long it was issued for.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// How long it still is valid by the wall clock.
    pub fn remaining(&self, now: Timestamp) -> Duration {
        self.expires_at.saturating_since(now)
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AccessToken { secret, token_type, scopes, expires_at, lifetime, resource } = self;
        f.debug_struct("AccessToken")
            .field("secret", secret)
            .field("token_type", token_type)
            .field("scopes", scopes)
            .field("expires_at", expires_at)
            .field("lifetime", lifetime)
            .field("resource", resource)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_prints_without_the_token() {
        let (issued, lifetime) = (Timestamp::from_unix(1_000_000), Duration::from_secs(3600));
        let token =
            AccessToken::new(Secret::new("canary"), TokenType::Bearer, Scopes::none(), issued, lifetime);
        assert!(!format!("{token:?}").contains("canary"));
    }

    #[test]
    fn types_are_read_without_regard_to_case() {
        assert_eq!(TokenType::parse("bearer"), TokenType::Bearer);
        assert_eq!(TokenType::parse("DPOP"), TokenType::Dpop);
        assert_eq!(TokenType::parse("N_A"), TokenType::Other("N_A".into()));
    }
}
