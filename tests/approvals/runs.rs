//! What was approved runs once: exactly that, before its end, in one process or with a store in any.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lumoauth::approvals::{ApprovalError, ApprovalOutcome, CreatedApproval};
use lumoauth::emulator::{Delivery, Emulator};
use lumoauth::{Agent, Approvals, Error, MemoryStore, ToolCall};
use serde_json::json;

use super::support::{approval, approve, ask, call, emulator};

fn refused(result: Result<(), Error>) -> ApprovalError {
    match result {
        Err(Error::Approval(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// An agent with approvals in this store, as another process has it.
fn process(emulator: &Emulator, store: &Arc<MemoryStore>, name: &str) -> Approvals {
    let agent: Agent = emulator.agent().unwrap();
    agent.approvals().store(Arc::clone(store)).owner(name)
}

#[test]
fn a1_another_call_is_refused_with_what_differs() {
    let (emulator, agent) = emulator();
    emulator.decide_approvals(Delivery::Approved);
    let store = Arc::new(MemoryStore::new());
    let other = |value| ToolCall::new("send_payment", &value).unwrap();
    for approvals in [agent.approvals(), process(&emulator, &store, "a")] {
        let proof = approvals.require(approval()).unwrap();
        for (call, differences) in [
            (other(json!({"to": "bob", "amount": 101})), vec!["/arguments/amount"]),
            (other(json!({"to": "eve", "amount": 100})), vec!["/arguments/to"]),
            (other(json!({"to": "bob", "amount": 100, "again": true})), vec!["/arguments/again"]),
            (ToolCall::new("send_payments", &super::support::payment()).unwrap(), vec!["/tool"]),
        ] {
            let error = refused(approvals.run(&proof, &call, |_| panic!("another call")));
            let differences = differences.iter().map(|at| (*at).to_owned()).collect();
            assert_eq!(error, ApprovalError::OtherCall { differences });
        }
        // Nothing of this has used it up.
        assert_eq!(approvals.run(&proof, &call(), |_| 7).unwrap(), 7);
        let error = refused(approvals.run(&proof, &call(), |_| panic!("twice")));
        assert!(matches!(error, ApprovalError::AlreadyRan { .. }), "{error}");
    }
}

#[test]
fn two_proofs_of_one_decision_run_once() {
    let (emulator, agent) = emulator();
    let approvals = agent.approvals();
    let pending = ask(&approvals);
    approve(&emulator);
    let proofs: Vec<_> = (0..2).map(|_| approvals.wait(&pending).unwrap().require().unwrap()).collect();
    let runs = AtomicU32::new(0);
    let results: Vec<_> = proofs
        .iter()
        .map(|proof| approvals.run(proof, &call(), |_| runs.fetch_add(1, Ordering::SeqCst)).is_ok())
        .collect();
    assert_eq!((results, runs.into_inner()), (vec![true, false], 1));
}

#[test]
fn without_a_store_it_runs_in_the_process_that_asked_alone() {
    let (emulator, agent) = emulator();
    let pending = ask(&agent.approvals());
    let text = pending.to_text();
    approve(&emulator);
    let store = Arc::new(MemoryStore::new());
    for approvals in [agent.approvals(), process(&emulator, &store, "b")] {
        let resumed = approvals.resume(text.clone()).unwrap();
        assert_eq!((resumed.task_id(), resumed.ends()), (pending.task_id(), pending.ends()));
        // It can be waited for, and runs nothing.
        let proof = approvals.wait(&resumed).unwrap().require().unwrap();
        let error = refused(approvals.run(&proof, &call(), |_| panic!("not here")));
        assert_eq!(error, ApprovalError::NotHere);
    }
    let approvals = agent.approvals();
    let proof = approvals.wait(&pending).unwrap().require().unwrap();
    assert!(approvals.run(&proof, &call(), |_| ()).is_ok());
}

#[test]
fn with_a_store_the_first_claim_wins_wherever_it_is_made() {
    let (emulator, _) = emulator();
    let store = Arc::new(MemoryStore::new());
    let first = process(&emulator, &store, "first");
    let pending = ask(&first);
    approve(&emulator);
    let second = process(&emulator, &store, "second");
    let resumed = second.resume(pending.to_text()).unwrap();
    let (one, two) =
        (first.wait(&pending).unwrap().require().unwrap(), second.wait(&resumed).unwrap().require().unwrap());
    // Another call: what was shown is known from the record.
    let other = ToolCall::new("send_payment", &json!({"to": "bob", "amount": 1})).unwrap();
    let error = refused(second.run(&two, &other, |_| panic!("another call")));
    assert_eq!(error, ApprovalError::OtherCall { differences: vec!["/arguments/amount".into()] });
    assert!(second.run(&two, &call(), |_| ()).is_ok());
    let ApprovalError::AlreadyRan { owner, .. } = refused(first.run(&one, &call(), |_| panic!("twice")))
    else {
        panic!()
    };
    assert_eq!(owner, "second");
    // Whoever waits for it is told as well.
    assert!(matches!(first.wait(&pending), Err(Error::Approval(ApprovalError::AlreadyRan { .. }))));
    // A store that does not know it lets nothing run.
    let third = process(&emulator, &Arc::new(MemoryStore::new()), "third");
    let resumed = third.resume(pending.to_text()).unwrap();
    let proof = third.wait(&resumed).unwrap().require().unwrap();
    assert_eq!(refused(third.run(&proof, &call(), |_| panic!("not here"))), ApprovalError::NotHere);
    // And neither does the client without the store that it was asked with.
    let none = emulator.agent().unwrap().approvals();
    assert_eq!(refused(none.run(&one, &call(), |_| panic!("no store"))), ApprovalError::NotHere);
}

#[test]
fn a_call_that_did_not_return_has_an_unknown_outcome() {
    let (emulator, agent) = emulator();
    emulator.decide_approvals(Delivery::Approved);
    let store = Arc::new(MemoryStore::new());
    for (approvals, name) in
        [(agent.approvals().owner("me"), "me"), (process(&emulator, &store, "worker-3"), "worker-3")]
    {
        let CreatedApproval::Pending(pending) = approvals.create(approval()).unwrap() else { panic!() };
        let proof = approvals.wait(&pending).unwrap().require().unwrap();
        let began = emulator.now();
        let died = catch_unwind(AssertUnwindSafe(|| approvals.run(&proof, &call(), |_| panic!("it dies"))));
        assert!(died.is_err());
        emulator.advance(Duration::from_secs(7));
        let error = refused(approvals.run(&proof, &call(), |_| panic!("twice")));
        assert_eq!(error, ApprovalError::OutcomeUnknown { claimed_at: began, owner: name.into() });
        // Also when it is over: never a silent nothing.
        emulator.advance(Duration::from_secs(600));
        let error = refused(approvals.run(&proof, &call(), |_| panic!("twice")));
        assert!(matches!(error, ApprovalError::OutcomeUnknown { .. }), "{error}");
        if name == "worker-3" {
            let resumed = approvals.resume(pending.to_text()).unwrap();
            let waited = approvals.wait(&resumed);
            assert!(
                matches!(waited, Err(Error::Approval(ApprovalError::OutcomeUnknown { .. }))),
                "{waited:?}"
            );
        }
    }
}

#[test]
fn what_waits_is_found_in_the_store() {
    let (emulator, _) = emulator();
    let store = Arc::new(MemoryStore::new());
    let approvals = process(&emulator, &store, "a");
    assert!(approvals.kept().unwrap().is_empty());
    let pending = ask(&approvals);
    emulator.advance(Duration::from_secs(10));
    let CreatedApproval::Pending(later) = approvals.create(approval().task("later")).unwrap() else {
        panic!()
    };
    // Who was not reached leaves nothing behind.
    assert!(matches!(
        approvals.create(approval().on_behalf_of("x")).unwrap(),
        CreatedApproval::NotDelivered(_)
    ));
    let kept = process(&emulator, &store, "b").kept().unwrap();
    assert_eq!(
        kept.iter().map(|own| own.task_id()).collect::<Vec<_>>(),
        [pending.task_id(), later.task_id()]
    );
    for question in emulator.asked_people() {
        emulator.person_approves(&question.token).unwrap();
    }
    let other = process(&emulator, &store, "b");
    let proof = other.wait(&kept[0]).unwrap().require().unwrap();
    assert!(other.run(&proof, &call(), |_| ()).is_ok());
    assert_eq!(approvals.kept().unwrap().len(), 1);
    emulator.advance(Duration::from_secs(200));
    assert!(approvals.kept().unwrap().is_empty());
}

#[test]
fn an_approval_of_no_call_runs_none() {
    let (emulator, agent) = emulator();
    emulator.decide_approvals(Delivery::Approved);
    let approvals = agent.approvals();
    let plain =
        lumoauth::approvals::Approval::new(format!("x:{}", call().sha256()), "Go on?").on_behalf_of("alice");
    let proof = approvals.require(plain).unwrap();
    assert_eq!(proof.call_sha256(), None);
    assert_eq!(refused(approvals.run(&proof, &call(), |_| panic!("no call"))), ApprovalError::NotOfACall);
}

#[test]
fn a_text_that_was_changed_is_refused_or_compared() {
    let (emulator, agent) = emulator();
    let approvals = agent.approvals();
    let text = ask(&approvals).to_text();
    approve(&emulator);
    let text = text.expose();
    for bad in [
        "",
        "approval1.",
        "approval2.e30",
        "approval1.e30",
        "x",
        &text[..text.len() - 1],
        &"a".repeat(10_000),
    ] {
        assert!(matches!(approvals.resume(bad), Err(Error::Input(_))), "{bad}");
    }
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let inner: serde_json::Value =
        serde_json::from_slice(&engine.decode(text.strip_prefix("approval1.").unwrap()).unwrap()).unwrap();
    let mut compared = 0;
    for (name, value) in [
        ("task", json!(inner["task"].as_str().unwrap().replace("send_payment", "x"))),
        ("impact", json!("low")),
        ("reason", json!("0".repeat(64))),
        ("token", json!("apr_other")),
    ] {
        let mut changed = inner.clone();
        changed[name] = value;
        let changed = format!("approval1.{}", engine.encode(changed.to_string()));
        let resumed = approvals.resume(changed).unwrap();
        assert!(approvals.wait(&resumed).is_err(), "{name}");
        compared += 1;
    }
    assert_eq!(compared, 4);
    let outcome = approvals.wait(&approvals.resume(text).unwrap()).unwrap();
    assert!(matches!(outcome, ApprovalOutcome::Approved(_)));
}

#[test]
fn a1_eight_racers_run_it_once() {
    let rounds = super::rounds::of(1000);
    for round in 0..rounds {
        let (emulator, _) = emulator();
        emulator.decide_approvals(Delivery::Approved);
        let store = Arc::new(MemoryStore::new());
        let asker = process(&emulator, &store, "asker");
        let CreatedApproval::Pending(pending) = asker.create(approval()).unwrap() else { panic!() };
        let text = pending.to_text();
        let (runs, start) = (AtomicU32::new(0), std::sync::Barrier::new(8));
        let ok: u32 = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8)
                .map(|racer| {
                    let approvals = process(&emulator, &store, &format!("racer {racer}"));
                    let (text, runs, start) = (text.clone(), &runs, &start);
                    scope.spawn(move || {
                        let pending = approvals.resume(text).unwrap();
                        let proof = approvals.wait(&pending).unwrap().require().unwrap();
                        start.wait();
                        let count = |_: &_| runs.fetch_add(1, Ordering::SeqCst);
                        u32::from(approvals.run(&proof, &call(), count).is_ok())
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).sum()
        });
        assert_eq!((ok, runs.into_inner()), (1, 1), "round {round}");
    }
    println!("A1: 8 racers, {rounds} rounds: each call ran once");
}
