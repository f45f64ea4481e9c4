//! The record of a shared token as bytes and back: the token, who is renewing it, and what came of that.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::json;
use crate::secret::Secret;
use crate::store::{Record, StoreKey};
use crate::time::{Now, Timestamp};
use crate::token::{AccessToken, TokenType};

use super::super::keep::{APART, Freshness, Life};

/// Two renewals forced by refusals are at least this far apart, whoever forces them.
const FORCED_PAUSE: Duration = Duration::from_secs(5);
/// A record is kept so much longer than its token.
const LONGER: Duration = Duration::from_secs(300);

/// What a record holds.
pub(super) struct Entry {
    pub(super) token: Option<AccessToken>,
    /// Counts the tokens of this record, from the time at which it was made: no number comes again in a store that was emptied.
    pub(super) generation: u64,
    pub(super) claim: Option<Claim>,
    /// When a token was dropped because it was refused.
    pub(super) forced: Option<Timestamp>,
    pub(super) rest: Option<Rest>,
}

/// Somebody gets a token for all.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) by: String,
    pub(super) at: Timestamp,
}

/// The longest that nobody is to ask, whatever a service or a record says.
pub(super) const LONGEST_REST: Duration = Duration::from_secs(60);

/// A request failed, and so long nobody is to send another.
#[derive(Clone, Copy)]
pub(super) struct Rest {
    pub(super) at: Timestamp,
    pub(super) length: Duration,
}

impl Claim {
    /// True if it was made so long ago, or so far in the future, that it counts for nothing. A younger one is watched.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        now.saturating_since(self.at).max(self.at.saturating_since(now)) >= APART
    }
}

impl Rest {
    /// How much of it is left; never more than its whole length, and nothing if it began so far in the future that a clock
    /// was wrong: nobody would end it.
    fn left(&self, now: Timestamp) -> Duration {
        if self.at.saturating_since(now) >= APART {
            return Duration::ZERO;
        }
        let length = self.length.min(LONGEST_REST);
        self.at.saturating_add(length).saturating_since(now).min(length)
    }
}

/// The life of a token that came out of a record.
pub(super) fn life(token: &AccessToken, now: &Now) -> Life {
    Life::rest(token.remaining(now.wall), Some(token.lifetime()), now)
}

impl Entry {
    /// The record, or a new one if there is none of this key.
    pub(super) fn of(record: Option<&Record>, key: &StoreKey, now: &Now) -> Self {
        Entry::read(record, key).unwrap_or_else(|| {
            let generation = now.wall.unix_millis();
            Entry { token: None, generation, claim: None, forced: None, rest: None }
        })
    }

    /// The record, if it is one, and of this key.
    pub(super) fn read(record: Option<&Record>, key: &StoreKey) -> Option<Self> {
        let Value::Object(map) = json::parse(record?.bytes()).ok()? else { return None };
        if map.get("version")?.as_u64()? != 1 || map.get("of")?.as_str()? != key.as_str() {
            return None;
        }
        let token = match map.get("token")? {
            Value::Null => None,
            token => Some(read_token(token.as_object()?)?),
        };
        let claim = match map.get("claim")? {
            Value::Null => None,
            claim => Some(Claim { by: claim.get("by")?.as_str()?.to_owned(), at: time(claim.get("at")?)? }),
        };
        let rest = match map.get("rest")? {
            Value::Null => None,
            rest => {
                let length = Duration::from_millis(rest.get("length")?.as_u64()?);
                Some(Rest { at: time(rest.get("at")?)?, length })
            }
        };
        let forced = match map.get("forced")? {
            Value::Null => None,
            forced => Some(time(forced)?),
        };
        Some(Entry { token, generation: map.get("generation")?.as_u64()?, claim, forced, rest })
    }

    pub(super) fn to_bytes(&self, key: &StoreKey) -> Vec<u8> {
        let Entry { token, generation, claim, forced, rest } = self;
        let token = token.as_ref().map(|token| {
            json!({
                "access": token.secret().expose(), "scope": token.scopes().to_string(), "resource": token.resource(),
                "expires_at": token.expires_at().unix_millis(), "lifetime": millis(token.lifetime()),
            })
        });
        let claim = claim.as_ref().map(|claim| json!({ "by": claim.by, "at": claim.at.unix_millis() }));
        let rest =
            rest.as_ref().map(|rest| json!({ "at": rest.at.unix_millis(), "length": millis(rest.length) }));
        json!({
            "version": 1, "of": key.as_str(), "generation": generation, "token": token, "claim": claim, "rest": rest,
            "forced": forced.map(Timestamp::unix_millis),
        })
        .to_string()
        .into_bytes()
    }

    /// How long it is worth keeping.
    pub(super) fn keep(&self, now: Timestamp) -> Duration {
        let left = self.token.as_ref().map(|token| token.remaining(now)).unwrap_or_default();
        left.saturating_add(LONGER)
    }

    pub(super) fn freshness(&self, now: &Now) -> Freshness {
        self.token.as_ref().map_or(Freshness::Expired, |token| life(token, now).freshness(now))
    }

    /// True if another one was dropped a moment ago because it was refused: this one stays.
    pub(super) fn was_forced(&self, now: Timestamp) -> bool {
        self.forced.is_some_and(|at| {
            now.saturating_since(at) < FORCED_PAUSE && at.saturating_since(now) < FORCED_PAUSE
        })
    }

    /// How long nobody is to ask.
    pub(super) fn rest(&self, now: Timestamp) -> Duration {
        self.rest.map_or(Duration::ZERO, |rest| rest.left(now))
    }

    pub(super) fn is_claimed_by(&self, by: &str) -> bool {
        self.claim.as_ref().is_some_and(|claim| claim.by == by)
    }

    pub(super) fn holds(&self, token: &AccessToken) -> bool {
        self.token.as_ref().is_some_and(|own| own.secret() == token.secret())
    }
}

fn read_token(map: &Map<String, Value>) -> Option<AccessToken> {
    let secret = Secret::new(map.get("access")?.as_str()?);
    let lifetime = Duration::from_millis(map.get("lifetime")?.as_u64()?);
    let (end, scopes) = (time(map.get("expires_at")?)?, map.get("scope")?.as_str()?.into());
    // Only what may be sent as Bearer is shared. It was issued when its end says so.
    let issued = Timestamp::from_unix_millis(end.unix_millis().saturating_sub(millis(lifetime)));
    let token = AccessToken::new(secret, TokenType::Bearer, scopes, issued, lifetime);
    Some(match map.get("resource")? {
        Value::Null => token,
        resource => token.for_resource(resource.as_str()?),
    })
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_u64().map(Timestamp::from_unix_millis)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
