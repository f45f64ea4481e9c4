//! The keys of an issuer as they are kept: one check fetches them for all, never more often than every 30 s; the last good ones
//! serve through an outage of a day, and then nothing does.
//!
//! There is no list of unknown key ids: until 30 s after the last fetch, whatever is not in the set is unknown. That
//! bounds the requests that invented ids can cause, and the memory they take is none.

use std::sync::Arc;
use std::time::Duration;

use super::fetch::{Fetch, Place, Source};
use super::keys::{IssuerKeys, Wanted};
use crate::crypto::{Algorithm, VerifyingKey};
use crate::error::Error;
use crate::session::keep::{Failures, Keeper, Kind, Lead, Life, Misfit, Policy, asked};
use crate::time::Now;

/// Two fetches are at least this far apart while there are keys.
const PACE: Duration = Duration::from_secs(30);
/// Keys are used at most this long after they were fetched.
const LAST_RESORT: Duration = Duration::from_secs(24 * 60 * 60);
/// Without keys, the pause after the first failure; it doubles up to [`PACE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The keys of one issuer, and where they come from.
pub(super) struct Kept {
    place: Arc<Place>,
    max_age: Duration,
    keeper: Keeper<(), Arc<IssuerKeys>>,
}

impl Kept {
    pub(super) fn new(source: Source, max_age: Duration) -> Self {
        let keeper = Keeper::bounded(1);
        Kept { place: Arc::new(Place::new(source)), max_age: max_age.min(LAST_RESORT), keeper }
    }

    /// They were given: nothing is ever fetched.
    pub(super) fn given(&self) -> Option<&Arc<IssuerKeys>> {
        match &self.place.source {
            Source::Given(keys) => Some(keys),
            _ => None,
        }
    }

    /// Keys that need no fetch.
    pub(super) fn at_hand(&self, now: &Now, wanted: &Wanted<'_>) -> Option<Arc<IssuerKeys>> {
        if let Some(keys) = self.given() {
            return Some(Arc::clone(keys));
        }
        let held = self.keeper.slot(&(), now).fresh(now)?;
        held.value.have(wanted).then_some(held.value)
    }
}

/// The keys of an issuer, for a token that needs this one.
pub(super) struct Keys {
    kept: Arc<Kept>,
    key_id: Option<String>,
    algorithm: Algorithm,
    but: Option<VerifyingKey>,
    /// There is no token yet: any set will do.
    any: bool,
}

impl Keys {
    pub(super) fn new(kept: &Arc<Kept>, wanted: &Wanted<'_>) -> Self {
        let Wanted { key_id, algorithm, but } = *wanted;
        let key_id = key_id.map(str::to_owned);
        Keys { kept: Arc::clone(kept), key_id, algorithm, but: but.cloned(), any: false }
    }

    /// Whatever keys there are.
    #[cfg(feature = "signin")]
    pub(super) fn any(kept: &Arc<Kept>) -> Self {
        let (key_id, algorithm, but) = (None, Algorithm::Rs256, None);
        Keys { kept: Arc::clone(kept), key_id, algorithm, but, any: true }
    }
}

impl Kind for Keys {
    type Key = ();
    type Value = Arc<IssuerKeys>;
    type Fetch = Fetch;
    const NAME: &'static str = "verify";
    const PHASE: &'static str = "waiting for the issuer's keys";
    /// A check that is given up keeps its turn, so that abandoned checks cannot cause more requests than finished ones.
    const POLICY: Policy = Policy {
        soft_pause: PACE,
        forced_pause: PACE,
        pace: PACE,
        turn: Some((PACE, FIRST_PAUSE)),
        misfit: Misfit::Use,
        memory,
    };

    fn keeper(&self) -> &Keeper<(), Arc<IssuerKeys>> {
        &self.kept.keeper
    }

    fn key(&self) -> Result<(), Error> {
        Ok(())
    }

    fn fetch(&self, lead: Lead) -> Result<Fetch, Error> {
        Ok(Fetch::new(&self.kept.place, lead.early))
    }

    fn life(&self, _: &Arc<IssuerKeys>, asked: &Now) -> Life {
        Life::between(self.kept.max_age, LAST_RESORT, asked)
    }

    fn fits(&self, keys: &Arc<IssuerKeys>) -> bool {
        let key_id = self.key_id.as_deref();
        self.any || keys.have(&Wanted { key_id, algorithm: self.algorithm, but: self.but.as_ref() })
    }
}

/// Whatever was wrong: the keys at hand are good enough for a while, and without keys it is tried again soon; never earlier
/// than the issuer asks.
fn memory(error: &Error, failures: Failures) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(failures.before.min(5)).unwrap_or(32));
    let own = if failures.at_hand { PACE } else { doubled.min(PACE) };
    asked(error).unwrap_or_default().max(own)
}
