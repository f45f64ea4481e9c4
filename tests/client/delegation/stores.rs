//! A store that fails at any of its calls: nothing of a user is lost by it, nothing lives on that nobody knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lumoauth::emulator::{Emulator, FaultRule};
use lumoauth::error::ConsentError;
use lumoauth::store::{MemoryStore, Page, Prefix, Shelf, Store};
use lumoauth::{DelegationChain, Error};

use super::support::*;
use crate::stores::{Answered, Asked, FAULTS, Fault, Faulty, stub};

/// What a chain does, in either mount.
trait Chain {
    fn consent_url(&self) -> Result<String, Error>;
    fn come_back(&self, url: &str) -> Result<(), Error>;
    fn exchange(&self) -> Result<(), Error>;
    fn revoke(&self) -> Result<(), Error>;
    fn active_sessions(&self) -> Result<(), Error>;
    fn has_delegation(&self) -> Result<(), Error>;
}

impl Chain for DelegationChain {
    fn consent_url(&self) -> Result<String, Error> {
        self.consent_url("s1", ["read:documents"])
    }
    fn come_back(&self, url: &str) -> Result<(), Error> {
        self.handle_callback_url("s1", url)
    }
    fn exchange(&self) -> Result<(), Error> {
        self.exchange("s1", []).map(drop)
    }
    fn revoke(&self) -> Result<(), Error> {
        self.revoke("s1").map(drop)
    }
    fn active_sessions(&self) -> Result<(), Error> {
        self.active_sessions().map(drop)
    }
    fn has_delegation(&self) -> Result<(), Error> {
        self.has_delegation("s1").map(drop)
    }
}

#[cfg(feature = "async")]
impl Chain for lumoauth::asynchronous::DelegationChain {
    fn consent_url(&self) -> Result<String, Error> {
        crate::stores::block_on(self.consent_url("s1", ["read:documents"]))
    }
    fn come_back(&self, url: &str) -> Result<(), Error> {
        crate::stores::block_on(self.handle_callback_url("s1", url))
    }
    fn exchange(&self) -> Result<(), Error> {
        crate::stores::block_on(self.exchange("s1", [])).map(drop)
    }
    fn revoke(&self) -> Result<(), Error> {
        crate::stores::block_on(self.revoke("s1")).map(drop)
    }
    fn active_sessions(&self) -> Result<(), Error> {
        crate::stores::block_on(self.active_sessions()).map(drop)
    }
    fn has_delegation(&self) -> Result<(), Error> {
        crate::stores::block_on(self.has_delegation("s1")).map(drop)
    }
}

type Flow = fn(&Emulator, &dyn Chain) -> Result<(), Error>;

/// Every flow that asks the store: its name, what comes before it, and itself.
const FLOWS: [(&str, bool, Flow); 7] = [
    ("consent url", false, |_, chain| chain.consent_url().map(drop)),
    ("callback", false, |emulator, chain| {
        let url = chain.consent_url()?;
        chain.come_back(&come_back(emulator, &url))
    }),
    ("exchange", true, |_, chain| chain.exchange()),
    ("renewal", true, |emulator, chain| {
        emulator.advance(Duration::from_secs(3600));
        chain.exchange()
    }),
    ("revoke", true, |_, chain| chain.revoke()),
    ("active sessions", true, |_, chain| chain.active_sessions()),
    ("has delegation", true, |_, chain| chain.has_delegation()),
];

#[test]
fn f16_a_store_may_fail_at_any_call() {
    fails_at_any_call("blocking", |emulator, store| Box::new(chain(emulator).store(store)));
}

#[cfg(feature = "async")]
#[test]
fn f16_a_store_may_fail_at_any_call_in_the_async_mount() {
    fails_at_any_call("async", |emulator, store| {
        let agent = emulator.async_agent().unwrap();
        Box::new(lumoauth::asynchronous::DelegationChain::new(&agent, REDIRECT).unwrap().store(store))
    });
}

fn fails_at_any_call(mount: &str, chain: impl Fn(&Emulator, Faulty) -> Box<dyn Chain>) {
    let (mut cases, mut failed, mut longest) = (0, 0, Duration::ZERO);
    for (name, consented, flow) in FLOWS {
        for fault in FAULTS {
            for spread in [1, 1000] {
                let mut call = 0;
                loop {
                    let emulator = emulator();
                    let store = Faulty::new(&emulator);
                    let chain = chain(&emulator, store.clone());
                    if consented {
                        let url = chain.consent_url().unwrap();
                        chain.come_back(&come_back(&emulator, &url)).unwrap();
                    }
                    let case = format!("{name}, {fault:?} at call {call} and {spread} on");
                    let began = emulator.now();
                    store.at(call, call + spread, fault);
                    let outcome = flow(&emulator, &*chain);
                    let took = emulator.now().saturating_since(began);
                    let calls = store.heal();
                    if name == "renewal" {
                        longest = longest.max(took.saturating_sub(Duration::from_secs(3600)));
                    } else {
                        longest = longest.max(took);
                    }
                    assert!(calls < 500, "{case}: {calls} calls of the store");
                    failed += usize::from(outcome.is_err());
                    if name == "revoke" && outcome.is_ok() {
                        assert_eq!(emulator.active_refresh_tokens(), 0, "{case}: it is said to be revoked");
                    }
                    // What failed for a moment is remembered for a moment.
                    emulator.advance(Duration::from_secs(31));
                    // A revocation that failed may be done at the service, so what follows it is that flow's own matter.
                    if consented && name != "revoke" {
                        let next = chain.exchange();
                        let lost = matches!(&next, Err(Error::Consent(ConsentError::Needed)));
                        assert!(!lost, "{case}: the consent is lost: {outcome:?}");
                        assert!(next.is_ok(), "{case}: {next:?} after {outcome:?}");
                    }
                    if name == "callback" {
                        // Either the tokens are there, or what was got is known to be revoked or saved at the next call.
                        let _ = chain.exchange();
                    }
                    chain.revoke().unwrap_or_else(|error| panic!("{case}: {error}"));
                    assert_eq!(emulator.active_refresh_tokens(), 0, "{case}: {outcome:?}");
                    cases += 1;
                    if call >= calls {
                        break;
                    }
                    call += 1;
                }
            }
        }
    }
    println!(
        "F16, {mount}: {cases} cases, {failed} calls failed, 0 consents lost, 0 tokens alive that nobody knows, slowest {longest:?}"
    );
    assert!(cases > 100 && failed > 20, "{cases} cases, {failed} failed");
    assert!(longest <= Duration::from_millis(20_600), "{longest:?}");
}

#[test]
fn f16_an_answer_of_which_nothing_came_can_come_again() {
    comes_again("blocking", |emulator, store| Box::new(chain(emulator).store(store)));
}

#[cfg(feature = "async")]
#[test]
fn f16_an_answer_of_which_nothing_came_can_come_again_in_the_async_mount() {
    comes_again("async", |emulator, store| {
        let agent = emulator.async_agent().unwrap();
        Box::new(lumoauth::asynchronous::DelegationChain::new(&agent, REDIRECT).unwrap().store(store))
    });
}

/// A store that fails while a user's answer is taken, and a service that has no time at first: whatever fails, the answer is good until its
/// code was used, or the tokens are there.
fn comes_again(mount: &str, chain: impl Fn(&Emulator, Faulty) -> Box<dyn Chain>) {
    let (mut cases, mut failed) = (0, 0);
    for busy in [None, Some(429), Some(408)] {
        for fault in FAULTS {
            for spread in [1, 2, 3, 1000] {
                for call in 0.. {
                    let emulator = builder()
                        .auto_consent("alice")
                        .code_lifetime(Duration::from_secs(3600))
                        .build()
                        .unwrap();
                    let store = Faulty::new(&emulator);
                    let chain = chain(&emulator, store.clone());
                    let back = come_back(&emulator, &chain.consent_url().unwrap());
                    if let Some(status) = busy {
                        emulator.fault(FaultRule::on("oauth.token").nth(1).status(status)).unwrap();
                    }
                    store.at(call, call + spread, fault);
                    let outcome = chain.come_back(&back);
                    let calls = store.heal();
                    let case = format!("{busy:?}, {fault:?} at call {call} and {spread} on: {outcome:?}");
                    emulator.clear_faults();
                    emulator.advance(Duration::from_secs(31));
                    if let Err(error) = &outcome {
                        failed += 1;
                        let kept = matches!(error, Error::NotSaved { .. });
                        let again = chain.come_back(&back);
                        assert!(kept || again.is_ok(), "{case}: {again:?}");
                    }
                    chain.exchange().unwrap_or_else(|error| panic!("{case}: {error:?}"));
                    chain.revoke().unwrap_or_else(|error| panic!("{case}: {error}"));
                    assert_eq!(emulator.active_refresh_tokens(), 0, "{case}");
                    cases += 1;
                    if call >= calls {
                        break;
                    }
                }
            }
        }
    }
    println!("F16, {mount}: {cases} answers over a store that fails, {failed} failed, 0 lost");
    assert!(cases > 100 && failed > 60, "{cases} cases, {failed} failed");
}

#[test]
fn tokens_that_cannot_be_saved_are_handed_out_and_saved_at_the_next_call() {
    let emulator = emulator();
    let store = Faulty::new(&emulator);
    let chain = chain(&emulator).store(store.clone());
    consent(&emulator, &chain, "s1");
    emulator.advance(Duration::from_secs(3600));
    // Load, claim, and from then on nothing.
    store.at(3, usize::MAX, Fault::Fails);
    let before = emulator.count("oauth.token").unwrap();
    let error = chain.exchange("s1", []).unwrap_err();
    let Error::NotSaved { tokens, .. } = &error else { panic!("{error:?}") };
    assert!(tokens.refresh().is_some());
    let shown = format!("{error} {error:?} {error:#?}");
    assert!(!shown.contains(tokens.access().expose()), "{shown}");
    store.heal();
    emulator.advance(Duration::from_secs(2));
    chain.exchange("s1", []).unwrap();
    // One renewal, one token of the agent, one exchange: the kept tokens were saved and used.
    assert_eq!(emulator.count("oauth.token").unwrap() - before, 3);
    chain.revoke("s1").unwrap();
    assert_eq!(emulator.active_refresh_tokens(), 0);
}

/// A consent whose tokens the store does not take.
fn unsaved(emulator: &Emulator, chain: &DelegationChain, store: &Faulty) {
    store.heal();
    let back = come_back(emulator, &chain.consent_url("s1", ["read:documents", "offline_access"]).unwrap());
    // Load, claim, and from then on nothing.
    store.at(2, usize::MAX, Fault::Fails);
    let error = chain.handle_callback_url("s1", &back).unwrap_err();
    assert!(matches!(error, Error::NotSaved { .. }), "{error:?}");
}

#[test]
fn tokens_that_wait_to_be_saved_outlive_a_revocation_that_fails_and_a_second_consent() {
    for consents in 1..=3 {
        for exchanges in [false, true] {
            let emulator = emulator();
            let store = Faulty::new(&emulator);
            let chain = chain(&emulator).store(store.clone());
            for _ in 0..consents {
                unsaved(&emulator, &chain, &store);
            }
            chain.revoke("s1").unwrap_err();
            assert_eq!(emulator.active_refresh_tokens(), consents);
            store.heal();
            if exchanges {
                chain.exchange("s1", []).unwrap();
                assert_eq!(emulator.active_refresh_tokens(), 1);
            }
            chain.revoke("s1").unwrap();
            assert_eq!(emulator.active_refresh_tokens(), 0, "{consents} consents, exchange {exchanges}");
        }
    }
}

#[test]
fn ending_all_ends_what_waits_to_be_saved_for_a_session_that_is_gone() {
    let emulator = emulator();
    let store = Faulty::new(&emulator);
    let (own, other) = (chain(&emulator).store(store.clone()), chain(&emulator).store(store.clone()));
    unsaved(&emulator, &own, &store);
    store.heal();
    other.revoke("s1").unwrap();
    assert_eq!(emulator.active_refresh_tokens(), 1);
    own.revoke_all().unwrap();
    assert_eq!(emulator.active_refresh_tokens(), 0);
}

#[test]
fn a_store_that_reads_what_was_there_before_the_session_ends_it_all_the_same() {
    let (emulator, memory, old) =
        (emulator(), Arc::new(MemoryStore::new()), Arc::new(AtomicBool::new(false)));
    let (reads_old, own) = (Arc::clone(&old), Arc::clone(&memory));
    let chain = chain(&emulator).store(stub(move |asked| match asked {
        Asked::Load { .. } if reads_old.swap(false, Ordering::SeqCst) => Ok(Answered::Loaded(None)),
        asked => asked.on(&*own),
    }));
    let kept = || {
        let page = memory.keys(&Prefix::all(Shelf::Sessions), None, Duration::from_secs(1));
        page.unwrap().keys().len()
    };
    consent(&emulator, &chain, "s1");
    old.store(true, Ordering::SeqCst);
    assert_eq!(chain.revoke("s1").unwrap().tokens(), 1);
    assert_eq!((emulator.active_refresh_tokens(), chain.has_delegation("s1").unwrap()), (0, false));
    assert_eq!(kept(), 0);
    // Where there is none, none is left either.
    assert_eq!(chain.revoke("s2").unwrap().tokens(), 0);
    assert_eq!(kept(), 0);
}

#[test]
fn a_list_that_repeats_its_pages_is_an_error_at_once() {
    let emulator = emulator();
    let memory = MemoryStore::new();
    let chain = chain(&emulator).store(stub(move |asked| {
        let Asked::List { prefix, after, within } = asked else { return asked.on(&memory) };
        let Answered::Listed(page) = (Asked::List { prefix, after: None, within }).on(&memory)? else {
            panic!("a page")
        };
        let next = if after == Some("one") { "two" } else { "one" };
        Ok(Answered::Listed(Page::new(page.keys().to_vec(), Some(next.to_owned()))))
    }));
    consent(&emulator, &chain, "s1");
    let Err(Error::Store(error)) = chain.active_sessions() else { panic!("it ended") };
    assert!(error.is_corrupt(), "{error}");
}

#[test]
fn a_code_that_the_service_has_no_time_for_is_not_lost() {
    for (status, retry_after, restored) in [
        (429, Some(1), true),
        (429, None, true),
        (503, Some(1), true),
        (408, None, true),
        (503, None, false),
        (500, None, false),
        (501, None, false),
        (599, None, false),
    ] {
        let emulator = emulator();
        let chain = chain(&emulator);
        let back = come_back(&emulator, &chain.consent_url("s1", ["read:documents"]).unwrap());
        let mut rule = FaultRule::on("oauth.token").nth(1).status(status);
        if let Some(seconds) = retry_after {
            rule = rule.retry_after(format!("{seconds}"));
        }
        emulator.fault(rule).unwrap();
        let error = chain.handle_callback_url("s1", &back).unwrap_err();
        assert_eq!(error.is_temporary(), restored, "{status} {retry_after:?}: {error:?}");
        let again = chain.handle_callback_url("s1", &back);
        if restored {
            again.unwrap();
            chain.exchange("s1", []).unwrap();
        } else {
            assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error:?}");
            assert!(matches!(again, Err(Error::Consent(ConsentError::WrongState))), "{again:?}");
        }
    }
}

#[test]
fn a_renewal_asks_the_store_three_times_more() {
    let emulator = emulator();
    let store = Faulty::new(&emulator);
    let chain = chain(&emulator).store(store.clone());
    consent(&emulator, &chain, "s1");
    chain.exchange("s1", []).unwrap();
    store.heal();
    chain.exchange("s1", []).unwrap();
    assert_eq!(store.heal(), 1, "the session is loaded for every call");
    emulator.advance(Duration::from_secs(2 * 3_600));
    chain.exchange("s1", []).unwrap();
    assert_eq!(store.heal(), 4, "a load, a claim, the tokens");
}
