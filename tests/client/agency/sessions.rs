//! Sessions of one name, of many processes, and of users that come one after the other.

use std::sync::Arc;
use std::time::Duration;

use lumoauth::error::{ConsentError, StoreError};
use lumoauth::http::Method;
use lumoauth::store::{MemoryStore, Page, Prefix, Record, Shelf, Store, StoreKey, Version};
use lumoauth::{DelegationChain, Error};

use super::support::*;

#[test]
fn a_session_that_begins_anew_never_gets_the_token_of_the_user_before() {
    let (emulator, store) = (emulator(), Arc::new(MemoryStore::new()));
    let chain = || DelegationChain::new(&emulator.agent().unwrap(), REDIRECT).unwrap().store(store.clone());
    let (here, elsewhere) = (chain(), chain());
    consent(&emulator, &here, "s1");
    let first = elsewhere.exchange("s1", []).unwrap();
    let held = elsewhere.exchange("s1", []).unwrap();
    assert_eq!(first.token().secret(), held.token().secret(), "held");
    // This process ends it and another consent follows; the other process knows nothing of it.
    here.revoke("s1").unwrap();
    consent(&emulator, &here, "s1");
    let second = elsewhere.exchange("s1", []).unwrap();
    assert_ne!(first.token().secret(), second.token().secret(), "that one was got with another consent");
    assert_eq!(elsewhere.request("s1", Method::GET, "/api/v1/documents").unwrap().status(), 200);
}

/// A store in which somebody ends the session just before a renewal is saved.
struct EndedMeanwhile {
    store: Arc<MemoryStore>,
    saves_left: std::sync::atomic::AtomicUsize,
}

impl Store for EndedMeanwhile {
    fn load(&self, key: &StoreKey, within: Duration) -> Result<Option<Record>, StoreError> {
        self.store.load(key, within)
    }
    fn save_if(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Result<Option<Version>, StoreError> {
        use std::sync::atomic::Ordering;
        let saved = self.store.save_if(key, version, bytes, keep, within)?;
        // The claim was saved: the refresh is on its way now.
        if self.saves_left.fetch_sub(1, Ordering::SeqCst) == 1 {
            assert!(self.store.remove_if(key, saved.unwrap(), within)?);
        }
        Ok(saved)
    }
    fn remove_if(&self, key: &StoreKey, version: Version, within: Duration) -> Result<bool, StoreError> {
        self.store.remove_if(key, version, within)
    }
    fn keys(&self, prefix: &Prefix, after: Option<&str>, within: Duration) -> Result<Page, StoreError> {
        self.store.keys(prefix, after, within)
    }
}

#[test]
fn a_renewal_does_not_bring_back_what_was_ended_meanwhile() {
    let (emulator, store) = (emulator(), Arc::new(MemoryStore::new()));
    let agent = emulator.agent().unwrap();
    let here = DelegationChain::new(&agent, REDIRECT).unwrap().store(store.clone());
    consent(&emulator, &here, "s1");
    emulator.advance(Duration::from_secs(3600));
    let ended = EndedMeanwhile { store: store.clone(), saves_left: 1.into() };
    let chain = DelegationChain::new(&agent, REDIRECT).unwrap().store(ended);
    let error = chain.exchange("s1", []).unwrap_err();
    assert!(matches!(error, Error::Input(_) | Error::Consent(ConsentError::Needed)), "{error:?}");
    assert!(!here.has_delegation("s1").unwrap());
    let left = store.keys(&Prefix::all(Shelf::Sessions), None, Duration::MAX).unwrap();
    assert_eq!((left.keys(), left.next()), (&[][..], None));
    assert_eq!(emulator.active_refresh_tokens(), 0, "what was renewed too late is revoked");
}
