//! A store that fails at any of its calls: nothing runs twice, and no approval is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lumoauth::approvals::{ApprovalError, ApprovalOutcome, ApprovalProof, CreatedApproval, PendingApproval};
use lumoauth::emulator::Emulator;
use lumoauth::store::{MemoryStore, Prefix, Shelf, Store, StoreError};
use lumoauth::{Approvals, Error};

use super::stores::{Answered, Asked, FAULTS, Fault, Faulty, stub};
use super::support::{approval, approve, call, emulator};

/// What a client does with approvals, in either mount.
trait Asker {
    fn create(&self) -> Result<CreatedApproval, Error>;
    fn resume(&self, pending: &PendingApproval) -> PendingApproval;
    fn wait(&self, pending: &PendingApproval) -> Result<ApprovalOutcome, Error>;
    fn run(&self, proof: &ApprovalProof, runs: &AtomicU32) -> Result<(), Error>;
    fn kept(&self) -> Result<Vec<PendingApproval>, Error>;
}

impl Asker for Approvals {
    fn create(&self) -> Result<CreatedApproval, Error> {
        self.create(approval())
    }
    fn resume(&self, pending: &PendingApproval) -> PendingApproval {
        self.resume(pending.to_text()).unwrap()
    }
    fn wait(&self, pending: &PendingApproval) -> Result<ApprovalOutcome, Error> {
        self.wait(pending)
    }
    fn run(&self, proof: &ApprovalProof, runs: &AtomicU32) -> Result<(), Error> {
        self.run(proof, &call(), |_| _ = runs.fetch_add(1, Ordering::SeqCst))
    }
    fn kept(&self) -> Result<Vec<PendingApproval>, Error> {
        self.kept()
    }
}

#[cfg(feature = "async")]
impl Asker for lumoauth::asynchronous::Approvals {
    fn create(&self) -> Result<CreatedApproval, Error> {
        super::stores::block_on(self.create(approval()))
    }
    fn resume(&self, pending: &PendingApproval) -> PendingApproval {
        self.resume(pending.to_text()).unwrap()
    }
    fn wait(&self, pending: &PendingApproval) -> Result<ApprovalOutcome, Error> {
        super::stores::block_on(self.wait(pending))
    }
    fn run(&self, proof: &ApprovalProof, runs: &AtomicU32) -> Result<(), Error> {
        let function = async |_: &serde_json::Value| _ = runs.fetch_add(1, Ordering::SeqCst);
        super::stores::block_on(self.run(proof, &call(), function))
    }
    fn kept(&self) -> Result<Vec<PendingApproval>, Error> {
        super::stores::block_on(self.kept())
    }
}

type Client = Box<dyn Asker>;
type Mount = fn(&Emulator, &Faulty, &str) -> Client;

/// Where the store fails. What comes before goes well.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flow {
    Create,
    Wait,
    /// Another process waits for what this one asked for.
    Resume,
    Run,
    /// Another process runs what this one asked for.
    RunElsewhere,
    /// It is run, and another process tries before this one does again.
    RunThere,
    Kept,
    /// All of it.
    Whole,
}

const FLOWS: [Flow; 8] = [
    Flow::Create,
    Flow::Wait,
    Flow::Resume,
    Flow::Run,
    Flow::RunElsewhere,
    Flow::RunThere,
    Flow::Kept,
    Flow::Whole,
];

struct Case {
    emulator: Emulator,
    store: Faulty,
    here: Client,
    there: Client,
    runs: AtomicU32,
    context: String,
}

impl Case {
    fn pending(&self, created: Result<CreatedApproval, Error>) -> Result<PendingApproval, Error> {
        match created? {
            CreatedApproval::Pending(pending) => Ok(pending),
            other => panic!("{}: {other:?}", self.context),
        }
    }

    fn asked(&self) -> PendingApproval {
        self.pending(self.here.create()).unwrap()
    }

    fn proof(&self, client: &Client, pending: &PendingApproval) -> ApprovalProof {
        let outcome = client.wait(pending);
        outcome.and_then(ApprovalOutcome::require).unwrap_or_else(|error| panic!("{}: {error}", self.context))
    }

    fn runs(&self) -> u32 {
        self.runs.load(Ordering::SeqCst)
    }

    /// The store works again: it runs now unless it has, and then never again.
    fn runs_once(&self, client: &Client, proof: &ApprovalProof) {
        let before = self.runs();
        let ran = client.run(proof, &self.runs);
        match (&ran, before) {
            (Ok(()), 0) => {}
            (Err(Error::Approval(ApprovalError::AlreadyRan { .. })), 1) => {}
            // It has run, and the store was not told that it returned.
            (Err(Error::Approval(ApprovalError::OutcomeUnknown { .. })), 1) => {}
            other => panic!("{}: {other:?}", self.context),
        }
        assert_eq!(self.runs(), 1, "{}", self.context);
        assert!(client.run(proof, &self.runs).is_err(), "{}", self.context);
        assert_eq!(self.runs(), 1, "{}", self.context);
    }

    /// With faults from a call of the store on, and then without: whether the call failed, the store's calls, and the time.
    fn play(&self, flow: Flow, begin: impl Fn(), end: impl Fn() -> usize) -> (bool, usize) {
        let (failed, calls);
        match flow {
            Flow::Create | Flow::Whole => {
                begin();
                let created = self.pending(self.here.create());
                if flow == Flow::Create {
                    calls = end();
                    failed = created.is_err();
                    let Ok(pending) = created else {
                        assert_eq!(self.emulator.count("approvals.create").unwrap(), 0, "{}", self.context);
                        return (failed, calls);
                    };
                    approve(&self.emulator);
                    let there = self.there.resume(&pending);
                    let proof = self.proof(&self.there, &there);
                    self.runs_once(&self.there, &proof);
                    self.runs_once(&self.here, &self.proof_again(&pending));
                } else {
                    let Ok(pending) = created else {
                        assert_eq!(self.emulator.count("approvals.create").unwrap(), 0, "{}", self.context);
                        return (true, end());
                    };
                    approve(&self.emulator);
                    let waited = self.here.wait(&pending).and_then(ApprovalOutcome::require);
                    let ran = match &waited {
                        Ok(proof) => self.here.run(proof, &self.runs).is_ok(),
                        Err(_) => false,
                    };
                    calls = end();
                    failed = !ran;
                    assert_eq!(self.runs(), u32::from(ran), "{}", self.context);
                    let proof = waited.unwrap_or_else(|_| self.proof(&self.here, &pending));
                    self.runs_once(&self.here, &proof);
                }
            }
            Flow::Wait | Flow::Resume => {
                let pending = self.asked();
                approve(&self.emulator);
                let (client, pending) = match flow {
                    Flow::Wait => (&self.here, pending),
                    _ => (&self.there, self.there.resume(&pending)),
                };
                begin();
                let outcome = client.wait(&pending);
                calls = end();
                failed = outcome.is_err();
                let proof = match outcome {
                    Ok(outcome) => outcome.require().unwrap(),
                    Err(Error::Store(_)) => self.proof(client, &pending),
                    Err(error) => panic!("{}: {error}", self.context),
                };
                self.runs_once(client, &proof);
            }
            Flow::Run | Flow::RunElsewhere | Flow::RunThere => {
                let pending = self.asked();
                approve(&self.emulator);
                let (client, pending) = match flow {
                    Flow::RunElsewhere => (&self.there, self.there.resume(&pending)),
                    _ => (&self.here, pending),
                };
                let proof = self.proof(client, &pending);
                begin();
                let ran = client.run(&proof, &self.runs);
                calls = end();
                failed = ran.is_err();
                assert_eq!(self.runs(), u32::from(ran.is_ok()), "{}: {ran:?}", self.context);
                if flow == Flow::RunThere {
                    // It runs there, or is told that this process claimed it: never a second time, and never nothing.
                    let resumed = self.there.resume(&pending);
                    let there = self.there.wait(&resumed).and_then(ApprovalOutcome::require);
                    let told = there.and_then(|proof| self.there.run(&proof, &self.runs));
                    match &told {
                        Ok(()) => assert!(failed, "{}", self.context),
                        Err(Error::Approval(
                            ApprovalError::OutcomeUnknown { owner, .. }
                            | ApprovalError::AlreadyRan { owner, .. },
                        )) => assert_eq!(owner, "here", "{}", self.context),
                        Err(error) => panic!("{}: {error}", self.context),
                    }
                }
                // It can be waited for as long as it has not run, whatever this process claimed.
                if self.runs() == 0 {
                    drop(self.proof(client, &pending));
                }
                self.runs_once(client, &proof);
            }
            Flow::Kept => {
                let pending = self.asked();
                begin();
                let listed = self.there.kept();
                calls = end();
                failed = listed.is_err();
                let found = self.there.kept().unwrap();
                assert_eq!(found.len(), 1, "{}", self.context);
                assert_eq!(found[0].task_id(), pending.task_id());
                approve(&self.emulator);
                let proof = self.proof(&self.there, &found[0]);
                self.runs_once(&self.there, &proof);
            }
        }
        (failed, calls)
    }

    /// Of what has run already there is no proof any more: one from before is as good.
    fn proof_again(&self, pending: &PendingApproval) -> ApprovalProof {
        let without = self.emulator.agent().unwrap().approvals();
        let outcome = without.wait(pending).unwrap();
        outcome.require().unwrap()
    }
}

fn fails_at_any_call(name: &str, mount: Mount) {
    let (mut cases, mut failures, mut longest) = (0, 0, Duration::ZERO);
    for flow in FLOWS {
        for fault in FAULTS {
            for spread in [1, 2, 1000] {
                let mut call = 0;
                loop {
                    let (emulator, _) = emulator();
                    let store = Faulty::new(&emulator);
                    let (here, there) = (mount(&emulator, &store, "here"), mount(&emulator, &store, "there"));
                    let context = format!("{name}: {flow:?}, {fault:?} at call {call} and {spread} on");
                    let case = Case { emulator, store, here, there, runs: AtomicU32::new(0), context };
                    let began = std::cell::Cell::new(case.emulator.now());
                    let took = std::cell::Cell::new(Duration::ZERO);
                    let begin = || {
                        began.set(case.emulator.now());
                        case.store.at(call, call + spread, fault);
                    };
                    let end = || {
                        took.set(case.emulator.now().saturating_since(began.get()));
                        case.store.heal()
                    };
                    let (failed, calls) = case.play(flow, begin, end);
                    let asked = case.emulator.count("approvals.create").unwrap();
                    assert!(asked <= 1, "{}: asked {asked} times", case.context);
                    assert!(calls < 500, "{}: {calls} calls of the store", case.context);
                    // Each public call ends within its own 15 s, and running is two of them.
                    let most = Duration::from_secs(if flow == Flow::Whole { 60 } else { 30 });
                    assert!(took.get() <= most + Duration::from_millis(100), "{}: {took:?}", case.context);
                    longest = longest.max(took.get());
                    failures += usize::from(failed);
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
        "F16, approvals, {name}: {cases} cases, {failures} calls failed, 0 ran twice, 0 lost, slowest {longest:?}"
    );
    assert!(cases > 200 && failures > 40, "{cases} cases, {failures} failures");
}

#[test]
fn f16_a_store_of_approvals_may_fail_at_any_call() {
    fails_at_any_call("blocking", |emulator, store, name| {
        Box::new(emulator.agent().unwrap().approvals().store(store.clone()).owner(name))
    });
}

#[cfg(feature = "async")]
#[test]
fn f16_a_store_of_approvals_may_fail_at_any_call_in_the_async_mount() {
    fails_at_any_call("async", |emulator, store, name| {
        Box::new(emulator.async_agent().unwrap().approvals().store(store.clone()).owner(name))
    });
}

#[test]
fn what_is_noted_late_takes_back_no_claim() {
    // The note that a person was asked arrives, its answer does not, and before it is noted again somebody has found it and run it.
    let (emulator, _) = emulator();
    let memory = Arc::new(MemoryStore::new());
    let there = emulator.agent().unwrap().approvals().store(Arc::clone(&memory)).owner("there");
    let (clock, inner, saves, runs) =
        (emulator.clone(), Arc::clone(&memory), AtomicU32::new(0), Arc::new(AtomicU32::new(0)));
    let counted = Arc::clone(&runs);
    let here = emulator.agent().unwrap().approvals().store(stub(move |asked| {
        let answer = asked.on(&inner)?;
        if matches!(answer, Answered::Saved(Some(_))) && saves.fetch_add(1, Ordering::SeqCst) == 1 {
            approve(&clock);
            let found = there.kept().unwrap().remove(0);
            let proof = there.wait(&found).unwrap().require().unwrap();
            there.run(&proof, &call(), |_| _ = counted.fetch_add(1, Ordering::SeqCst)).unwrap();
            return Err(StoreError::unavailable("the answer is lost"));
        }
        Ok(answer)
    }));
    let CreatedApproval::Pending(pending) = here.create(approval()).unwrap() else { panic!("asked") };
    let error = here.wait(&pending).unwrap_err();
    assert!(matches!(error, Error::Approval(ApprovalError::AlreadyRan { .. })), "{error:?}");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[test]
fn a_damaged_record_hides_no_others() {
    let (emulator, _) = emulator();
    let memory = Arc::new(MemoryStore::new());
    let approvals = emulator.agent().unwrap().approvals().store(Arc::clone(&memory));
    for _ in 0..3 {
        let created = approvals.create(approval()).unwrap();
        assert!(matches!(created, CreatedApproval::Pending(_)));
    }
    let keys = memory.keys(&Prefix::all(Shelf::Approvals), None, Duration::MAX).unwrap();
    let damaged = keys.keys()[1].clone();
    let version = memory.load(&damaged, Duration::MAX).unwrap().unwrap().version();
    memory.save_if(&damaged, Some(version), b"{", None, Duration::MAX).unwrap().unwrap();
    assert_eq!(approvals.kept().unwrap().len(), 2);
    // The same if it is the store that says so.
    let inner = Arc::clone(&memory);
    let approvals = emulator.agent().unwrap().approvals().store(stub(move |asked| match asked {
        Asked::Load { key, .. } if *key == damaged => Err(StoreError::corrupt("it cannot be opened")),
        asked => asked.on(&inner),
    }));
    assert_eq!(approvals.kept().unwrap().len(), 2);
}

#[test]
fn another_call_does_not_use_up_a_claim_that_is_open() {
    let (emulator, _) = emulator();
    let store = Faulty::new(&emulator);
    let approvals = emulator.agent().unwrap().approvals().store(store.clone());
    let CreatedApproval::Pending(pending) = approvals.create(approval()).unwrap() else { panic!("asked") };
    approve(&emulator);
    let proof = approvals.wait(&pending).unwrap().require().unwrap();
    // The claim is saved, and its answer never comes.
    store.at(1, usize::MAX, Fault::Lost);
    assert!(matches!(approvals.run(&proof, &call(), |_| panic!("not known")), Err(Error::Store(_))));
    store.heal();
    let other = lumoauth::ToolCall::new("send_payment", &serde_json::json!({"to": "eve"})).unwrap();
    let refused = approvals.run(&proof, &other, |_| panic!("another call"));
    assert!(matches!(refused, Err(Error::Approval(ApprovalError::OtherCall { .. }))), "{refused:?}");
    assert_eq!(approvals.run(&proof, &call(), |_| 7).unwrap(), 7);
    assert!(approvals.run(&proof, &call(), |_| panic!("twice")).is_err());
}
