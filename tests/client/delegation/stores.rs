//! A store that fails at any of its calls: nothing of a user is lost by it, nothing lives on that nobody knows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lumoauth::emulator::{Emulator, FaultRule};
use lumoauth::error::ConsentError;
use lumoauth::store::{MemoryStore, Page, Prefix, Record, Store, StoreError, StoreKey, Version};
use lumoauth::{DelegationChain, Error};

use super::support::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It fails, and nothing was done.
    Fails,
    /// It is done, and the answer is lost.
    Lost,
    /// What is read is what was there before the last change.
    Stale,
    /// It takes all the time it has, and then fails.
    Hangs,
}

const FAULTS: [Fault; 4] = [Fault::Fails, Fault::Lost, Fault::Stale, Fault::Hangs];

/// A store with a fault at one of its calls, or at all from one on.
#[derive(Clone)]
struct Faulty(Arc<Inner>);

struct Inner {
    store: MemoryStore,
    emulator: Emulator,
    calls: AtomicUsize,
    /// From which call to which, and what happens then.
    rule: Mutex<Option<(usize, usize, Fault)>>,
    before: Mutex<Option<Record>>,
}

impl Faulty {
    fn new(emulator: &Emulator) -> Self {
        let (calls, rule, before) = (AtomicUsize::new(0), Mutex::new(None), Mutex::new(None));
        Faulty(Arc::new(Inner { store: MemoryStore::new(), emulator: emulator.clone(), calls, rule, before }))
    }

    fn at(&self, from: usize, to: usize, fault: Fault) {
        self.0.calls.store(0, Ordering::SeqCst);
        *self.0.rule.lock().unwrap() = Some((from, to, fault));
    }

    fn heal(&self) -> usize {
        *self.0.rule.lock().unwrap() = None;
        self.0.calls.swap(0, Ordering::SeqCst)
    }

    fn fault(&self, within: Duration) -> Option<Fault> {
        let call = self.0.calls.fetch_add(1, Ordering::SeqCst);
        let rule = *self.0.rule.lock().unwrap();
        let fault = rule.filter(|(from, to, _)| (*from..*to).contains(&call)).map(|(_, _, fault)| fault);
        if fault == Some(Fault::Hangs) {
            self.0.emulator.advance(within);
        }
        fault
    }
}

fn gone() -> StoreError {
    StoreError::unavailable("the disk went away")
}

impl Store for Faulty {
    fn load(&self, key: &StoreKey, within: Duration) -> Result<Option<Record>, StoreError> {
        match self.fault(within) {
            Some(Fault::Fails | Fault::Hangs | Fault::Lost) => Err(gone()),
            Some(Fault::Stale) => Ok(self.0.before.lock().unwrap().clone()),
            None => self.0.store.load(key, within),
        }
    }

    fn save_if(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Result<Option<Version>, StoreError> {
        let fault = self.fault(within);
        if matches!(fault, Some(Fault::Fails | Fault::Hangs)) {
            return Err(gone());
        }
        let before = self.0.store.load(key, within)?;
        let saved = self.0.store.save_if(key, version, bytes, keep, within)?;
        if saved.is_some() {
            *self.0.before.lock().unwrap() = before;
        }
        if fault == Some(Fault::Lost) { Err(gone()) } else { Ok(saved) }
    }

    fn remove_if(&self, key: &StoreKey, version: Version, within: Duration) -> Result<bool, StoreError> {
        let fault = self.fault(within);
        if matches!(fault, Some(Fault::Fails | Fault::Hangs)) {
            return Err(gone());
        }
        let removed = self.0.store.remove_if(key, version, within)?;
        if fault == Some(Fault::Lost) { Err(gone()) } else { Ok(removed) }
    }

    fn keys(&self, prefix: &Prefix, after: Option<&str>, within: Duration) -> Result<Page, StoreError> {
        match self.fault(within) {
            Some(Fault::Fails | Fault::Hangs | Fault::Lost) => Err(gone()),
            _ => self.0.store.keys(prefix, after, within),
        }
    }
}

type Flow = fn(&Emulator, &DelegationChain) -> Result<(), Error>;

/// Every flow that asks the store: its name, what comes before it, and itself.
const FLOWS: [(&str, bool, Flow); 7] = [
    ("consent url", false, |_, chain| chain.consent_url("s1", ["read:documents"]).map(drop)),
    ("callback", false, |emulator, chain| {
        let url = chain.consent_url("s1", ["read:documents"])?;
        chain.handle_callback_url("s1", &come_back(emulator, &url))
    }),
    ("exchange", true, |_, chain| chain.exchange("s1", []).map(drop)),
    ("renewal", true, |emulator, chain| {
        emulator.advance(Duration::from_secs(3600));
        chain.exchange("s1", []).map(drop)
    }),
    ("revoke", true, |_, chain| chain.revoke("s1").map(drop)),
    ("active sessions", true, |_, chain| chain.active_sessions().map(drop)),
    ("has delegation", true, |_, chain| chain.has_delegation("s1").map(drop)),
];

#[test]
fn f16_a_store_may_fail_at_any_call() {
    let (mut cases, mut failed, mut longest) = (0, 0, Duration::ZERO);
    for (name, consented, flow) in FLOWS {
        for fault in FAULTS {
            for spread in [1, 1000] {
                let mut call = 0;
                loop {
                    let emulator = emulator();
                    let store = Faulty::new(&emulator);
                    let chain = chain(&emulator).store(store.clone());
                    if consented {
                        consent(&emulator, &chain, "s1");
                    }
                    let case = format!("{name}, {fault:?} at call {call} and {spread} on");
                    let began = emulator.now();
                    store.at(call, call + spread, fault);
                    let outcome = flow(&emulator, &chain);
                    let took = emulator.now().saturating_since(began);
                    let calls = store.heal();
                    if name == "renewal" {
                        longest = longest.max(took.saturating_sub(Duration::from_secs(3600)));
                    } else {
                        longest = longest.max(took);
                    }
                    assert!(calls < 500, "{case}: {calls} calls of the store");
                    failed += usize::from(outcome.is_err());
                    // What failed for a moment is remembered for a moment.
                    emulator.advance(Duration::from_secs(31));
                    // A revocation that failed may be done at the service, so what follows it is that flow's own matter.
                    if consented && name != "revoke" {
                        let next = chain.exchange("s1", []);
                        let lost = matches!(&next, Err(Error::Consent(ConsentError::Needed)));
                        assert!(!lost, "{case}: the consent is lost: {outcome:?}");
                        assert!(next.is_ok(), "{case}: {next:?} after {outcome:?}");
                    }
                    if name == "callback" {
                        // Either the tokens are there, or what was got is known to be revoked or saved at the next call.
                        let _ = chain.exchange("s1", []);
                    }
                    chain.revoke("s1").unwrap_or_else(|error| panic!("{case}: {error}"));
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
        "F16: {cases} cases, {failed} calls failed, 0 consents lost, 0 tokens alive that nobody knows, slowest {longest:?}"
    );
    assert!(cases > 100 && failed > 20, "{cases} cases, {failed} failed");
    assert!(longest <= Duration::from_millis(20_600), "{longest:?}");
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
    let before = emulator.count("oauth.token");
    let error = chain.exchange("s1", []).unwrap_err();
    let Error::NotSaved { tokens, .. } = &error else { panic!("{error:?}") };
    assert!(tokens.refresh().is_some());
    let shown = format!("{error} {error:?} {error:#?}");
    assert!(!shown.contains(tokens.access().expose()), "{shown}");
    store.heal();
    emulator.advance(Duration::from_secs(2));
    chain.exchange("s1", []).unwrap();
    // One renewal, one token of the agent, one exchange: the kept tokens were saved and used.
    assert_eq!(emulator.count("oauth.token") - before, 3);
    chain.revoke("s1").unwrap();
    assert_eq!(emulator.active_refresh_tokens(), 0);
}

#[test]
fn a_code_that_the_service_has_no_time_for_is_not_lost() {
    for (status, retry_after, restored) in [
        (429, Some(1), true),
        (429, None, true),
        (503, Some(1), true),
        (503, None, false),
        (500, None, false),
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
