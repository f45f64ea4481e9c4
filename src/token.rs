//! Access tokens with everything that is known about them.

use std::fmt;
use std::time::Duration;

use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::time::{Now, Timestamp};

/// The longest lifetime that is believed, whatever the service says: one year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Clocks that drift apart by less, in milliseconds, are taken to agree: they are not read at the same instant.
#[allow(dead_code)]
const NOTICED: u64 = 1000;

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

/// A token as a token cache holds it: with the two instants at which it stops being fresh.
#[derive(Clone, Debug)]
#[allow(dead_code)]
pub(crate) struct Held {
    pub(crate) token: AccessToken,
    /// Counts up with every token of its key.
    pub(crate) generation: u64,
    monotonic: Duration,
    /// How far the wall clock is ahead of the monotonic one, in milliseconds.
    ahead: i64,
    /// What only the wall clock has counted: the machine was suspended, or the clock was set forward.
    asleep: Duration,
    soft: Duration,
    hard: Duration,
}

/// How a held token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)]
pub(crate) enum Freshness {
    /// Use it.
    Fresh,
    /// Use it, and somebody should get a new one.
    Soft,
    /// Do not use it.
    Expired,
}

#[allow(dead_code)]
impl Held {
    /// `asked` is when the token was asked for: its life cannot have begun earlier.
    pub(crate) fn new(token: AccessToken, generation: u64, asked: &Now) -> Self {
        let lifetime = token.lifetime();
        let fifth = lifetime.checked_div(5).unwrap_or_default();
        let tenth = lifetime.checked_div(10).unwrap_or_default();
        let early = lifetime.mul_f64(asked.fraction(3) * 0.1);
        let soft = lifetime.saturating_sub(fifth.min(Duration::from_secs(300))).saturating_sub(early);
        let hard = lifetime.saturating_sub(tenth.min(Duration::from_secs(30)));
        let (monotonic, ahead, asleep) = (asked.monotonic, ahead(asked), Duration::ZERO);
        Held { token, generation, monotonic, ahead, asleep, soft, hard }
    }

    /// Expired if either clock says so: the wall clock goes on through suspension, the monotonic one through resets.
    ///
    /// The clocks are compared at every look, so that a wall clock that was set back does not hide a suspension after.
    pub(crate) fn freshness(&mut self, now: &Now) -> Freshness {
        let ahead = ahead(now);
        let moved = ahead.saturating_sub(self.ahead);
        if moved.unsigned_abs() >= NOTICED {
            let forward = u64::try_from(moved).unwrap_or(0);
            self.asleep = self.asleep.saturating_add(Duration::from_millis(forward));
            self.ahead = ahead;
        }
        let age = now.monotonic.saturating_sub(self.monotonic).saturating_add(self.asleep);
        if age >= self.hard {
            Freshness::Expired
        } else if age >= self.soft {
            Freshness::Soft
        } else {
            Freshness::Fresh
        }
    }
}

#[allow(dead_code)]
fn ahead(now: &Now) -> i64 {
    let millis = |millis: u64| i64::try_from(millis).unwrap_or(i64::MAX);
    let (seconds, rest) = (now.monotonic.as_secs(), u64::from(now.monotonic.subsec_millis()));
    millis(now.wall.unix_millis()).saturating_sub(millis(seconds.saturating_mul(1000).saturating_add(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(wall: u64, monotonic: u64) -> Now {
        Now::new(Timestamp::from_unix(wall), Duration::from_secs(monotonic), [0; 32])
    }

    fn held(lifetime: u64) -> Held {
        let asked = now(1_000_000, 100);
        let token = AccessToken::new(
            Secret::new("canary"),
            TokenType::Bearer,
            Scopes::none(),
            asked.wall,
            Duration::from_secs(lifetime),
        );
        Held::new(token, 1, &asked)
    }

    fn after(lifetime: u64, wall: i64, monotonic: u64) -> Freshness {
        held(lifetime).freshness(&now(1_000_000_u64.checked_add_signed(wall).unwrap(), 100 + monotonic))
    }

    #[test]
    fn soft_and_hard_expiry() {
        assert_eq!(after(3600, 3299, 3299), Freshness::Fresh);
        assert_eq!(after(3600, 3300, 3300), Freshness::Soft);
        assert_eq!(after(3600, 3570, 3570), Freshness::Expired);
    }

    #[test]
    fn either_clock_may_end_it() {
        assert_eq!(after(3600, 8 * 3600, 0), Freshness::Expired, "suspended");
        assert_eq!(after(3600, -86_400, 7200), Freshness::Expired, "wall set back");
        assert_eq!(after(3600, -86_400, 10), Freshness::Fresh);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_hide_a_suspension() {
        let mut held = held(3600);
        assert_eq!(held.freshness(&now(1_000_000 - 86_400, 110)), Freshness::Fresh);
        assert_eq!(held.freshness(&now(1_000_000 - 86_400 + 8 * 3600, 110)), Freshness::Expired);
    }

    #[test]
    fn clocks_read_a_moment_apart_do_not_make_it_older() {
        let mut held = held(3600);
        let at = |wall: u64, monotonic: u64| {
            Now::new(Timestamp::from_unix_millis(wall), Duration::from_millis(monotonic), [0; 32])
        };
        for look in 0..100_000_u64 {
            let jitter = (look % 7) * 100;
            held.freshness(&at(1_000_000_000 + look + jitter, 100_000 + look));
        }
        assert_eq!(held.freshness(&at(1_000_000_000 + 3_299_000, 100_000 + 3_299_000)), Freshness::Fresh);
    }

    #[test]
    fn short_lives_have_short_margins() {
        assert_eq!(after(10, 7, 7), Freshness::Fresh);
        assert_eq!(after(10, 8, 8), Freshness::Soft);
        assert_eq!(after(10, 9, 9), Freshness::Expired);
    }

    #[test]
    fn it_prints_without_the_token() {
        assert!(!format!("{:?}", held(3600)).contains("canary"));
    }

    #[test]
    fn types_are_read_without_regard_to_case() {
        assert_eq!(TokenType::parse("bearer"), TokenType::Bearer);
        assert_eq!(TokenType::parse("DPOP"), TokenType::Dpop);
        assert_eq!(TokenType::parse("N_A"), TokenType::Other("N_A".into()));
    }
}
