//! One sign-in on its way: what its answer must fit. The browser keeps it, sealed, so that beginning one takes no room here.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::crypto::sealing::Sealing;
use crate::json;
use crate::pkce::{Pkce, derive};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::time::{Now, Timestamp};

/// A sign-in that nobody came back from is forgotten after this long.
pub(crate) const LIFE: Duration = Duration::from_secs(3600);
/// The longest that one is as a cookie's value: browsers take 4,096 bytes with its name and attributes.
const LONGEST: usize = 3800;

pub(crate) struct Attempt {
    pub(crate) state: Secret,
    pub(crate) nonce: Secret,
    pub(crate) verifier: Secret,
    /// What was asked for: more than that is a fault.
    pub(crate) scopes: Scopes,
    /// How long ago the person may have signed in.
    pub(crate) max_age: Option<Duration>,
    /// A path that was checked.
    pub(crate) return_to: String,
    since: Timestamp,
}

impl Attempt {
    pub(crate) fn new(scopes: Scopes, max_age: Option<Duration>, return_to: String, now: &Now) -> Self {
        Attempt {
            state: Secret::new(derive("sign-in state", now)),
            nonce: Secret::new(derive("sign-in nonce", now)),
            verifier: Pkce::new(now).verifier().clone(),
            scopes,
            max_age,
            return_to,
            since: now.wall,
        }
    }

    /// True while its answer is taken. Sealed by another machine, it may be a moment ahead.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        now.saturating_since(self.since).max(self.since.saturating_since(now)) < LIFE
    }

    pub(crate) fn since(&self) -> Timestamp {
        self.since
    }

    /// The value of its cookie; none if it is too long, or cannot be sealed. `about` is what it is bound to.
    pub(crate) fn seal(&self, key: &Sealing, about: &[u8]) -> Option<Secret> {
        let Attempt { state, nonce, verifier, scopes, max_age, return_to, since } = self;
        let plain = json!({
            "state": state.expose(), "nonce": nonce.expose(), "verifier": verifier.expose(),
            "scope": scopes.to_string(), "max_age": max_age.map(|age| age.as_secs()),
            "return_to": return_to, "since": since.unix_millis(),
        });
        let plain = Zeroizing::new(plain.to_string());
        let sealed = URL_SAFE_NO_PAD.encode(key.seal(about, plain.as_bytes()).ok()?);
        (sealed.len() <= LONGEST).then(|| Secret::new(sealed))
    }

    /// What this service has sealed, and nothing else.
    pub(crate) fn open(value: &str, key: &Sealing, about: &[u8]) -> Option<Self> {
        if value.len() > LONGEST {
            return None;
        }
        let plain = key.open(about, &URL_SAFE_NO_PAD.decode(value).ok()?)?;
        let Value::Object(map) = json::parse(&plain).ok()? else { return None };
        let text = |name| map.get(name)?.as_str();
        Some(Attempt {
            state: text("state")?.into(),
            nonce: text("nonce")?.into(),
            verifier: text("verifier")?.into(),
            scopes: text("scope")?.into(),
            max_age: seconds(&map, "max_age")?,
            return_to: text("return_to")?.to_owned(),
            since: Timestamp::from_unix_millis(map.get("since")?.as_u64()?),
        })
    }
}

/// None: it is neither a number of seconds nor null.
fn seconds(map: &Map<String, Value>, name: &str) -> Option<Option<Duration>> {
    match map.get(name)? {
        Value::Null => Some(None),
        seconds => seconds.as_u64().map(|seconds| Some(Duration::from_secs(seconds))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(return_to: &str) -> Attempt {
        let now = Now::new(Timestamp::from_unix(1_000), Duration::ZERO, [7; 32]);
        Attempt::new(Scopes::from("openid a"), Some(Duration::from_secs(5)), return_to.to_owned(), &now)
    }

    #[test]
    fn it_comes_back_as_it_left_and_only_where_it_belongs() {
        let (key, about) = (Sealing::new(&[1; 32]).unwrap(), b"app_1\0cookie");
        let sent = attempt("/a?b");
        let sealed = sent.seal(&key, about).unwrap();
        let back = Attempt::open(sealed.expose(), &key, about).unwrap();
        assert_eq!((back.state, back.nonce, back.verifier), (sent.state, sent.nonce, sent.verifier));
        assert_eq!((back.scopes, back.max_age), (sent.scopes, sent.max_age));
        assert_eq!((back.return_to, back.since), (sent.return_to, sent.since));
        let other = Sealing::new(&[2; 32]).unwrap();
        assert!(Attempt::open(sealed.expose(), &other, about).is_none());
        assert!(Attempt::open(sealed.expose(), &key, b"app_2\0cookie").is_none());
        for odd in ["", "AAAA", "!", &sealed.expose()[1..], &"A".repeat(LONGEST + 1)] {
            assert!(Attempt::open(odd, &key, about).is_none(), "{odd}");
        }
        let plain = key.seal(about, b"{\"state\":\"s\"}").unwrap();
        assert!(Attempt::open(&URL_SAFE_NO_PAD.encode(plain), &key, about).is_none());
    }

    #[test]
    fn its_secrets_are_apart_and_it_ends() {
        let attempt = attempt("/");
        let secrets = [&attempt.state, &attempt.nonce, &attempt.verifier];
        assert!(secrets.iter().all(|secret| secret.expose().len() == 43));
        assert!(secrets[0] != secrets[1] && secrets[1] != secrets[2] && secrets[0] != secrets[2]);
        for (at, fresh) in [(1_000, true), (4_599, true), (4_600, false), (0, true), (1_000_000, false)] {
            assert_eq!(attempt.is_fresh(Timestamp::from_unix(at)), fresh, "{at}");
        }
    }

    #[test]
    fn what_no_cookie_can_hold_is_not_sealed() {
        let key = Sealing::new(&[1; 32]).unwrap();
        assert!(attempt(&"a".repeat(1024)).seal(&key, b"").is_some());
        assert!(attempt(&"a".repeat(3000)).seal(&key, b"").is_none());
        // As long as it may be.
        let sealed = (1024..3000)
            .filter_map(|length| attempt(&"a".repeat(length)).seal(&key, b""))
            .next_back()
            .unwrap();
        assert_eq!(sealed.expose().len(), LONGEST);
        assert!(Attempt::open(sealed.expose(), &key, b"").is_some());
    }
}
