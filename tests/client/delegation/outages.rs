//! Tokens that still are good while the service is not, renewals that come too late, and one exchange for all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use lumoauth::emulator::FaultRule;
use lumoauth::error::ConsentError;
use lumoauth::{DelegationChain, Error};

use super::support::*;

#[test]
fn a_delegated_token_that_is_good_outlives_an_outage() {
    let emulator = emulator();
    let chain = chain(&emulator);
    consent(&emulator, &chain, "s1");
    let token = || chain.exchange("s1", []).map(|delegation| delegation.token().secret().clone());
    let held = token().unwrap();
    // A minute before the end: time to renew it, if only one could.
    emulator.advance(Duration::from_secs(3540));
    emulator.fault(FaultRule::on("oauth.token").always().status(503)).unwrap();
    let before = emulator.count("oauth.token").unwrap();
    assert_eq!(token().unwrap(), held);
    let tried = emulator.count("oauth.token").unwrap();
    assert!(tried > before, "it was tried");
    assert_eq!(token().unwrap(), held);
    assert_eq!(emulator.count("oauth.token").unwrap(), tried, "put off");
    println!("outage: {} requests for 2 calls", tried - before);
    emulator.advance(Duration::from_secs(40));
    let over = token().unwrap_err();
    assert_eq!(over.status(), Some(503), "{over}");
    emulator.clear_faults();
    emulator.advance(Duration::from_secs(60));
    assert_ne!(token().unwrap(), held);
}

#[test]
fn a_users_token_that_is_good_is_used_though_its_renewal_fails() {
    let emulator = emulator();
    let chain = chain(&emulator);
    consent(&emulator, &chain, "s1");
    consent(&emulator, &chain, "s2");
    // In its last minutes it is due; the renewal fails for the moment, or nobody knows how.
    emulator.advance(Duration::from_secs(3550));
    emulator.fault(FaultRule::on("oauth.token").nth(1).status(503)).unwrap();
    chain.exchange("s1", []).unwrap();
    emulator.fault(FaultRule::on("oauth.token").nth(1).reset()).unwrap();
    chain.exchange("s2", []).unwrap();
    // Ten seconds later the one is renewed; the refresh token of the other may have been used.
    emulator.advance(Duration::from_secs(20));
    chain.exchange("s1", []).unwrap();
    let error = chain.exchange("s2", []).unwrap_err();
    assert!(matches!(error, Error::Consent(ConsentError::Needed)), "{error:?}");
    // It goes with the session all the same.
    chain.revoke_all().unwrap();
    assert_eq!(emulator.active_refresh_tokens(), 0);
}

#[test]
fn a_renewal_that_came_too_late_to_be_sent_is_made_by_the_next_call() {
    let emulator = emulator();
    let is_slow = Arc::new(AtomicBool::new(false));
    let (slow, clock) = (Arc::clone(&is_slow), emulator.clone());
    let store = Watched::new(move || {
        if slow.load(Ordering::SeqCst) {
            clock.advance(Duration::from_secs(25));
        }
    });
    let chain = chain(&emulator).store(store);
    consent(&emulator, &chain, "s1");
    emulator.advance(Duration::from_secs(3600));
    let before = emulator.count("oauth.token").unwrap();
    is_slow.store(true, Ordering::SeqCst);
    let error = chain.exchange("s1", []).unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error:?}");
    assert_eq!(emulator.count("oauth.token").unwrap(), before, "nothing was sent");
    is_slow.store(false, Ordering::SeqCst);
    chain.exchange("s1", []).unwrap();
}

#[test]
fn threads_that_come_together_make_one_exchange_in_every_round() {
    const THREADS: usize = 32;
    const ROUNDS: usize = 300;
    let emulator = emulator();
    let (agent, store) = (emulator.agent().unwrap(), Watched::new(|| ()));
    // Each chain begins with nothing held.
    let chain = || DelegationChain::new(&agent, REDIRECT).unwrap().store(store.clone());
    consent(&emulator, &chain(), "s1");
    agent.access_token().unwrap();
    let mut more = 0;
    for _ in 0..ROUNDS {
        let chain = chain();
        let before = emulator.count("oauth.token").unwrap();
        let barrier = Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    barrier.wait();
                    chain.exchange("s1", []).unwrap();
                });
            }
        });
        more += usize::from(emulator.count("oauth.token").unwrap() - before > 1);
    }
    println!("{THREADS} threads: {more} of {ROUNDS} rounds made more than one exchange");
    assert_eq!(more, 0);
}
