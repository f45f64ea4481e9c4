//! From the question to the decision, in both mounts.

use std::time::Duration;

use lumoauth::approvals::{
    Approval, ApprovalError, ApprovalOutcome, ApprovalState, CreatedApproval, NotDeliveredReason,
};
use lumoauth::emulator::{ApprovalForms, Delivery, Emulator, FaultRule, Tenant, UserSeed};
use lumoauth::{Agent, Error, ToolCall};
use serde_json::json;

use super::support::{approval, approve, ask, asked, emulator};

#[test]
fn the_person_sees_what_will_run_and_what_runs_is_that() {
    let (emulator, agent) = emulator();
    let approvals = agent.approvals();
    let pending = ask(&approvals);
    let question = asked(&emulator);
    assert_eq!(question.reason, r#"send_payment {"amount":100,"to":"bob"}"#);
    let hash = pending.call_sha256().unwrap().to_owned();
    assert_eq!(question.task_id, format!("send_payment:{hash}"));
    assert_eq!(
        question.meta,
        json!({"tool": "send_payment", "arguments": {"to": "bob", "amount": 100}, "call_sha256": hash})
    );
    assert_eq!(approvals.status(&pending).unwrap().state, ApprovalState::Pending);
    approve(&emulator);
    let ApprovalOutcome::Approved(proof) = approvals.wait(&pending).unwrap() else { panic!("approved") };
    assert_eq!(proof.approved_by().unwrap().user_id.as_deref(), Some("1"));
    assert!(proof.responded_at().is_some());
    let again = ToolCall::from_json("send_payment", r#"{ "amount": 1.0e2, "to": "\u0062ob" }"#).unwrap();
    assert_eq!(approvals.run(&proof, &again, |arguments| arguments["to"].clone()).unwrap(), "bob");
}

#[test]
fn every_end_is_what_it_is_and_only_one_is_an_approval() {
    for (delivery, expected) in [
        (Delivery::Approved, "approved"),
        (Delivery::Denied, "denied"),
        (Delivery::Asked, "expired"),
        (Delivery::Mailed, "not delivered"),
        (Delivery::Nobody, "not delivered"),
    ] {
        for older in [false, true] {
            let forms =
                if older { ApprovalForms::new().older().without_reason() } else { ApprovalForms::new() };
            let emulator = Emulator::builder().tenant(Tenant::demo()).approvals(forms).build().unwrap();
            let approvals = emulator.agent().unwrap().approvals();
            emulator.decide_approvals(delivery);
            let outcome = approvals.ask(approval()).unwrap();
            let name = match &outcome {
                ApprovalOutcome::Approved(proof) => {
                    let email = proof.approved_by().unwrap().email.as_deref();
                    assert_eq!(email, older.then_some("alice"));
                    "approved"
                }
                ApprovalOutcome::Denied(_) => "denied",
                ApprovalOutcome::Expired(_) => "expired",
                ApprovalOutcome::TimedOut(_) => "timed out",
                ApprovalOutcome::NotDelivered(nobody) => {
                    let reason = match delivery {
                        Delivery::Mailed => NotDeliveredReason::MailSent,
                        _ => NotDeliveredReason::NoDevice,
                    };
                    assert_eq!(nobody.reason(), reason);
                    assert!(nobody.message().is_some_and(|message| message.contains("mail")));
                    "not delivered"
                }
            };
            assert_eq!(name, expected, "{delivery:?}");
            assert_eq!(outcome.is_approved(), delivery == Delivery::Approved);
            let required = approvals.require(approval());
            assert_eq!(required.is_ok(), delivery == Delivery::Approved, "{delivery:?}");
            if let Err(error) = required {
                assert!(matches!(error, Error::Approval(_)), "{delivery:?}: {error}");
                assert_eq!(error.is_forbidden(), delivery == Delivery::Denied, "{delivery:?}");
                assert!(!error.is_temporary() && !error.advice().is_empty());
            }
        }
    }
}

#[test]
fn nobody_is_told_whether_there_is_such_a_person() {
    let tenant = Tenant::demo().user(UserSeed::new("carol").without_device());
    let emulator = Emulator::builder().tenant(tenant).build().unwrap();
    let approvals = emulator.agent().unwrap().approvals();
    emulator.decide_approvals(Delivery::Approved);
    let mut said = Vec::new();
    for person in ["carol", "nobody@acme.test"] {
        match approvals.create(approval().on_behalf_of(person)).unwrap() {
            CreatedApproval::NotDelivered(nobody) => said.push(nobody),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(said[0], said[1]);
    assert!(approvals.require(approval().on_behalf_of("alice@acme.test")).is_ok());
}

#[test]
fn what_was_denied_is_asked_for_in_one_call() {
    let (emulator, agent) = emulator();
    let approvals = agent.approvals();
    let denied = agent.ask(lumoauth::Ask::new("delete_user").context(json!({"user_id": "u-456"}))).unwrap();
    assert!(!denied.allowed());
    let CreatedApproval::Pending(pending) = approvals.request_for(&denied, "alice").unwrap() else {
        panic!()
    };
    let question = asked(&emulator);
    assert!(
        question.reason.starts_with("delete_user {") && question.reason.contains("u-456"),
        "{}",
        question.reason
    );
    assert_eq!(question.meta["denied_because"], "insufficient_permissions");
    assert_eq!(question.meta["audit_id"].as_str(), denied.audit_id());
    approve(&emulator);
    let proof = approvals.wait(&pending).unwrap().require().unwrap();
    let call = ToolCall::new("delete_user", &denied.context().clone().into()).unwrap();
    assert!(approvals.run(&proof, &call, |_| ()).is_ok());
    // What is allowed needs no person.
    let allowed = agent.ask("read_document").unwrap();
    assert!(matches!(approvals.request_for(&allowed, "alice"), Err(Error::Input(_))));
    assert_eq!(emulator.count("approvals.create").unwrap(), 1);
}

#[test]
fn what_cannot_be_asked_reaches_nobody() {
    let (emulator, agent) = emulator();
    let approvals = agent.approvals();
    for bad in [
        Approval::of(super::support::call()),
        approval().task("x".repeat(64)),
        approval().because(&"x".repeat(480)),
        approval().because("\u{202e}"),
        approval().task(""),
        approval().summary(" "),
        Approval::new("", "why").on_behalf_of("alice"),
    ] {
        assert!(matches!(approvals.create(bad.clone()), Err(Error::Input(_))), "{bad:?}");
    }
    assert!(Approval::for_call("pay", &json!({"a": 9_007_199_254_740_993_u64})).is_err());
    assert_eq!(emulator.count_all(), 0);
    assert!(approvals.create(approval().task("x".repeat(63))).is_ok());
}

#[test]
fn another_agent_learns_nothing() {
    let (emulator, agent) = emulator();
    let pending = ask(&agent.approvals());
    approve(&emulator);
    let secret = emulator.secret_of("agt_search").unwrap().clone();
    let other = Agent::builder().base_url(emulator.site().base_url()).tenant("acme-corp");
    let other = other.client_id("agt_search").client_secret(secret).build_with(emulator.transport()).unwrap();
    let resumed = other.approvals().resume(pending.to_text()).unwrap();
    let error = other.approvals().wait(&resumed).unwrap_err();
    assert!(error.is_forbidden(), "{error}");
}

#[test]
fn f7_what_may_have_been_asked_is_never_asked_again() {
    let mut asked = 0;
    for (rule, known) in [
        (FaultRule::on("approvals.create").reset(), false),
        (FaultRule::on("approvals.create").truncate(10), false),
        (FaultRule::on("approvals.create").delay(Duration::from_secs(60)), false),
        (FaultRule::on("approvals.create").status(504), false),
        (FaultRule::on("approvals.create").status(503), true),
        (FaultRule::on("approvals.create").status(429), true),
    ] {
        for in_store in [false, true] {
            let (emulator, agent) = emulator();
            let mut approvals = agent.approvals();
            if in_store {
                approvals = approvals.store(lumoauth::MemoryStore::new());
            }
            emulator.fault(rule.clone()).unwrap();
            let error = approvals.require(approval()).unwrap_err();
            assert_eq!(matches!(error, Error::OutcomeUnknown { .. }), !known, "{rule:?}: {error}");
            assert_eq!(emulator.count("approvals.create").unwrap(), 1, "{rule:?}");
            asked += 1;
        }
    }
    // What was certainly not sent is sent again.
    let (emulator, agent) = emulator();
    emulator.decide_approvals(Delivery::Approved);
    emulator.fault(FaultRule::on("approvals.create").drop_before()).unwrap();
    assert!(agent.approvals().require(approval()).is_ok());
    assert_eq!(emulator.asked_people().len(), 0);
    println!("F7: {asked} questions with faults, each was sent once");
}

#[test]
fn the_token_of_an_approval_is_shown_nowhere_and_goes_to_the_service_alone() {
    let (emulator, agent) = emulator();
    let approvals = agent.approvals();
    let pending = ask(&approvals);
    let token = pending.token().expose().to_owned();
    approve(&emulator);
    let outcome = approvals.wait(&pending).unwrap();
    let shown = format!("{pending:?} {approvals:?} {outcome:?} {:#?}", pending.to_text());
    assert!(!shown.contains(&token) && !shown.contains(&token[4..20]), "{shown}");
    // A refusal that repeats it.
    emulator.fault(FaultRule::on("approvals.status").status(403)).unwrap();
    let error = approvals.status(&pending).unwrap_err();
    assert!(!format!("{error:?} {error}").contains(&token));
}

#[test]
fn a_decision_that_came_too_late_is_none() {
    let (emulator, agent) = emulator();
    let approvals = agent.approvals();
    let pending = ask(&approvals);
    approve(&emulator);
    let proof = approvals.wait(&pending).unwrap().require().unwrap();
    emulator.advance(Duration::from_secs(121));
    assert!(matches!(approvals.wait(&pending).unwrap(), ApprovalOutcome::Expired(_)));
    let late = approvals.run(&proof, &super::support::call(), |_| panic!("it is over"));
    assert!(matches!(late, Err(Error::Approval(ApprovalError::Expired { .. }))), "{late:?}");
}

#[cfg(feature = "async")]
#[test]
fn the_async_client_does_the_same() {
    use super::support::{block_on, call};
    block_on(async {
        let emulator = Emulator::demo().unwrap();
        let approvals = emulator.async_agent().unwrap().approvals();
        let CreatedApproval::Pending(pending) = approvals.create(approval()).await.unwrap() else { panic!() };
        assert_eq!(approvals.status(&pending).await.unwrap().state, ApprovalState::Pending);
        let outcome = approvals.wait_for(&pending, Duration::from_secs(3)).await.unwrap();
        assert!(matches!(outcome, ApprovalOutcome::TimedOut(_)));
        approve(&emulator);
        let proof = approvals.wait(&pending).await.unwrap().require().unwrap();
        let paid =
            approvals.run(&proof, &call(), async |arguments| arguments["amount"].clone()).await.unwrap();
        assert_eq!(paid, 100);
        let again = approvals.run(&proof, &call(), async |_| panic!("once")).await;
        assert!(matches!(again, Err(Error::Approval(ApprovalError::AlreadyRan { .. }))));
    });
}
