//! The vendor's Python SDK asks people on the emulator: what arrives from it and from us means the same.

use lumoauth::approvals::{Approval, CreatedApproval, Impact};
use lumoauth::emulator::{AskedPerson, Delivery, Emulator};
use serde_json::{Value, json};

use super::child::Python;

/// What the person and the service see of a question, its token aside.
fn meaning(question: &AskedPerson) -> Value {
    json!({
        "client_id": question.client_id, "person": question.person, "reason": question.reason,
        "task_id": question.task_id, "impact": question.impact, "meta": question.meta,
    })
}

#[test]
fn its_approvals_and_ours_mean_the_same() {
    let Some(mut python) = Python::start("approvals and Python") else { return };
    let emulator = Emulator::demo().unwrap();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    let approvals = emulator.agent().unwrap().approvals();
    let mut ask = |name: &str, named: Value| {
        python.ask(&json!({
            "do": "approvals", "base_url": served.url(), "org_id": emulator.tenant(),
            "client_id": emulator.client_id(), "client_secret": emulator.secret().expose(),
            "name": name, "named": named,
        }))
    };
    let mut equal = 0;
    for (impact, meta) in [
        (None, json!({})),
        (Some(Impact::Low), json!({"invoice": "i-9"})),
        (Some(Impact::Critical), json!({"action": "pay", "amount": 12.5, "deep": {"a": [1, null]}})),
    ] {
        let mut named = json!({"task_id": "refund-17", "reason": "Refund order 17", "on_behalf_of": "alice", "meta": meta});
        let mut ours = Approval::new("refund-17", "Refund order 17").on_behalf_of("alice");
        if let Some(impact) = impact {
            named["impact"] = impact.as_str().into();
            ours = ours.impact(impact);
        }
        ours =
            meta.as_object().unwrap().iter().fold(ours, |own, (name, value)| own.meta(name, value.clone()));
        let theirs = ask("create", named);
        assert!(theirs["answer"]["approval_token"].is_string(), "{theirs}");
        assert!(matches!(approvals.create(ours).unwrap(), CreatedApproval::Pending(_)));
        let asked = emulator.asked_people();
        assert_eq!(meaning(&asked[0]), meaning(&asked[1]));
        // The status, asked by each about the same question.
        let status = ask("get_status", json!({"token": asked[0].token.expose()}));
        assert_eq!(status["answer"]["status"], "pending", "{status}");
        for question in &asked {
            emulator.person_denies(&question.token).unwrap();
        }
        let status = ask("get_status", json!({"token": asked[0].token.expose()}));
        assert_eq!(status["answer"]["status"], "denied", "{status}");
        equal += 1;
    }
    // Its whole walk, to each end.
    let named = json!({"task_id": "t", "reason": "r", "on_behalf_of": "alice"});
    for (delivery, end) in [
        (Delivery::Approved, "approved"),
        (Delivery::Denied, "denied"),
        (Delivery::Mailed, "email_fallback_sent"),
        (Delivery::Nobody, "no_enrolled_device"),
    ] {
        emulator.decide_approvals(delivery);
        let walked = ask("require", named.clone());
        assert_eq!(
            walked["answer"]["status"].as_str().or(walked["answer"]["reason"].as_str()),
            Some(end),
            "{walked}"
        );
    }
    println!(
        "Python 1.1.0: {equal} questions for people mean the same as ours; it walks to four ends on the emulator"
    );
    // The differences, each with its reason: its path is the organization's (both layouts are one tenant's), it sends `meta: null` where we
    // leave an empty one out, and no `Idempotency-Key`, which nothing documents; it asks 1.5 s after it was told to, then every 1.5 s, where
    // we ask at once and then less often.
}
