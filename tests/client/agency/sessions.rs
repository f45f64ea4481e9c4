//! Sessions of one name, of many processes, and of users that come one after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lumoauth::error::ConsentError;
use lumoauth::http::Method;
use lumoauth::store::{MemoryStore, Prefix, Shelf, Store};
use lumoauth::{DelegationChain, Error};

use super::support::*;
use crate::stores::{Answered, Asked, stub};

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

#[test]
fn a_renewal_does_not_bring_back_what_was_ended_meanwhile() {
    let (emulator, store) = (emulator(), Arc::new(MemoryStore::new()));
    let agent = emulator.agent().unwrap();
    let here = DelegationChain::new(&agent, REDIRECT).unwrap().store(store.clone());
    consent(&emulator, &here, "s1");
    emulator.advance(Duration::from_secs(3600));
    // Somebody ends the session as soon as the claim is saved: the refresh is on its way then.
    let (inner, saves) = (store.clone(), AtomicUsize::new(0));
    let ended = stub(move |asked| {
        let answer = asked.on(&inner)?;
        if let (Asked::Save { key, within, .. }, Answered::Saved(saved)) = (asked, &answer)
            && saves.fetch_add(1, Ordering::SeqCst) == 0
        {
            assert!(inner.remove_if(key, saved.unwrap(), within)?);
        }
        Ok(answer)
    });
    let chain = DelegationChain::new(&agent, REDIRECT).unwrap().store(ended);
    let error = chain.exchange("s1", []).unwrap_err();
    assert!(matches!(error, Error::Input(_) | Error::Consent(ConsentError::Needed)), "{error:?}");
    assert!(!here.has_delegation("s1").unwrap());
    let left = store.keys(&Prefix::all(Shelf::Sessions), None, Duration::MAX).unwrap();
    assert_eq!((left.keys(), left.next()), (&[][..], None));
    assert_eq!(emulator.active_refresh_tokens(), 0, "what was renewed too late is revoked");
}
