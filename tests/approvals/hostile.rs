//! A service that says odd things, and a text that was changed: nothing of it lets anything run.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lumoauth::approvals::{
    Approval, ApprovalError, ApprovalOutcome, ApprovalState, CreatedApproval, PendingApproval,
};
use lumoauth::embed::Operation;
use lumoauth::embed::operation::Answer;
use lumoauth::embed::operations::{GetApproval, RequestApproval};
use lumoauth::embed::wire::Response;
use lumoauth::emulator::{Delivery, FaultRule};
use lumoauth::http::{HeaderMap, StatusCode};
use lumoauth::time::Timestamp;
use lumoauth::{Error, MemoryStore};
use serde_json::{Value, json};

use super::support::{approval, approve, ask, call, emulator};

const NOW: u64 = 1_750_000_000;

fn created(status: u16, body: &[u8]) -> Result<CreatedApproval, Error> {
    let response = Response::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body.to_vec());
    match RequestApproval::new(approval()).response(&response.received_at(Timestamp::from_unix(NOW)))? {
        Answer::Done(created) => Ok(created),
        other => panic!("{other:?}"),
    }
}

fn pending(token: &str, expires_at: Value) -> Result<PendingApproval, Error> {
    let body = json!({"approval_token": token, "status": "pending", "expires_at": expires_at});
    match created(201, body.to_string().as_bytes())? {
        CreatedApproval::Pending(pending) => Ok(pending),
        other => panic!("{other:?}"),
    }
}

fn said(pending: &PendingApproval, body: &str) -> Result<ApprovalState, Error> {
    let response = Response::new(StatusCode::OK, HeaderMap::new(), body.as_bytes());
    match GetApproval::new(pending).response(&response)? {
        Answer::Done(status) => {
            assert_eq!(status.is_approved(), status.state == ApprovalState::Approved);
            Ok(status.state)
        }
        other => panic!("{other:?}"),
    }
}

fn status(pending: &PendingApproval, state: &Value) -> String {
    json!({"approval_token": "apr_1", "status": state, "task_id": pending.task_id(), "impact": "medium"})
        .to_string()
}

#[test]
fn nothing_but_the_word_approves() {
    let pending = pending("apr_1", Value::Null).unwrap();
    let good = status(&pending, &json!("approved"));
    assert_eq!(said(&pending, &good).unwrap(), ApprovalState::Approved);
    for odd in [
        json!("APPROVED"),
        json!("approved\n"),
        json!("approved\u{0}"),
        json!("\u{feff}approved"),
        json!("аpproved"), // with a letter that looks like it
        json!("approved,denied"),
        json!(""),
        json!(true),
        json!(1),
        json!(["approved"]),
        json!({"approved": true}),
        Value::Null,
    ] {
        assert!(said(&pending, &status(&pending, &odd)).is_err(), "{odd}");
    }
    // Other members that would say so.
    let beside = |more: &str, state: &str| good.replace(r#""status":"approved""#, &format!("{more}{state}"));
    for more in
        [r#""approved":true"#, r#""approved":"true""#, r#""decision":"approved""#, r#""Status":"approved""#]
    {
        assert!(said(&pending, &beside(more, "")).is_err(), "{more}");
        let undecided = said(&pending, &beside(more, r#","status":"pending""#)).unwrap();
        assert_eq!(undecided, ApprovalState::Pending, "{more}");
    }
    // A member twice, at the top, below, and written in another way.
    for twice in [
        r#""status":"approved","status":"approved""#,
        r#""status":"denied","\u0073tatus":"approved""#,
        r#""status":"approved","x":{"a":1,"a":1}"#,
        r#""status":"approved","approved_by":{"user_id":1,"user_id":2}"#,
    ] {
        assert!(said(&pending, &beside(twice, "")).is_err(), "{twice}");
    }
    // Endlessly deep, or an odd end to it.
    let deep = format!(r#""status":"approved","x":{}{}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(said(&pending, &beside(&deep, "")).is_err());
    for end in ["x", "{}", ",", "\u{0}", &good] {
        assert!(said(&pending, &format!("{good}{end}")).is_err(), "{end}");
    }
    for odd in [
        r#""approved_by":"alice""#,
        r#""approved_by":[]"#,
        r#""responded_at":"soon""#,
        r#""responded_at":-1"#,
    ] {
        assert!(said(&pending, &beside(r#""status":"approved","#, odd)).is_err(), "{odd}");
    }
}

#[test]
fn what_was_denied_is_not_approved_afterwards() {
    let pending = pending("apr_1", Value::Null).unwrap();
    let asks = |state: &str| said(&pending, &status(&pending, &json!(state)));
    assert_eq!(asks("pending").unwrap(), ApprovalState::Pending);
    assert_eq!(asks("denied").unwrap(), ApprovalState::Denied);
    assert!(matches!(asks("approved"), Err(Error::Protocol(_))));
    assert_eq!(asks("denied").unwrap(), ApprovalState::Denied);
    // The other way round the later answer counts as well.
    let other = self::pending("apr_1", Value::Null).unwrap();
    assert_eq!(said(&other, &status(&other, &json!("approved"))).unwrap(), ApprovalState::Approved);
    assert_eq!(said(&other, &status(&other, &json!("denied"))).unwrap(), ApprovalState::Denied);
    assert!(said(&other, &status(&other, &json!("approved"))).is_err());
}

#[test]
fn no_answer_to_the_question_is_an_approval_or_another_question() {
    let call_task = approval().task_id();
    for (code, body) in [
        (202, json!({"approval_token": "apr_1", "status": "pending"})),
        (202, json!({"approval_token": "apr_1", "status": "approved"})),
        (202, json!({})),
        (200, json!({"approval_token": "apr_1", "status": "email_fallback_sent"})),
        (428, json!({"approval_token": "apr_1", "status": "approved"})),
        (428, json!([])),
    ] {
        let outcome = created(code, body.to_string().as_bytes()).unwrap();
        let CreatedApproval::NotDelivered(nobody) = outcome else { panic!("{code} {body}: {outcome:?}") };
        assert_eq!(nobody.task_id(), call_task);
    }
    for page in ["<html>precondition</html>", "", "{", "\u{feff}{}"] {
        assert!(matches!(created(428, page.as_bytes()), Ok(CreatedApproval::NotDelivered(_))), "{page}");
        for code in [200, 201, 202] {
            assert!(created(code, page.as_bytes()).is_err(), "{code} {page}");
        }
    }
    for code in [203, 204, 206, 226, 300, 302, 303, 307, 308, 400, 409, 500] {
        let body = json!({"approval_token": "apr_1", "status": "approved", "task_id": call_task});
        assert!(created(code, body.to_string().as_bytes()).is_err(), "{code}");
    }
    for token in ["", ".", "..", "a/b/../..", "\u{0}", "a\nb", "%2e%2e", &"x".repeat(1025)] {
        let made = pending(token, Value::Null);
        assert!(made.is_err() || token == "%2e%2e" || token == "a/b/../..", "{token:?}: {made:?}");
    }
}

#[test]
fn an_odd_end_is_refused_and_a_far_one_is_cut() {
    for odd in [
        json!("never"),
        json!(""),
        json!(-1),
        json!(1.5e9),
        json!([NOW + 60]),
        json!("2025-06-15"),
        json!("2025-02-30T00:00:00Z"),
        json!(true),
    ] {
        assert!(pending("apr_1", odd.clone()).is_err(), "{odd}");
    }
    let left = |end: Value| pending("apr_1", end).unwrap().ends().unix() - NOW;
    assert_eq!(left(json!(u64::MAX)), 24 * 3600);
    assert_eq!(left(json!("9999-12-31T23:59:59Z")), 24 * 3600);
    assert_eq!(left(json!(0)), 0);
    // By a clock that is said.
    let ends = |date: &str, end: u64| {
        let mut headers = HeaderMap::new();
        headers.insert("date", date.parse().unwrap());
        let body = json!({"approval_token": "apr_1", "status": "pending", "expires_at": end}).to_string();
        let response = Response::new(StatusCode::CREATED, headers, body.into_bytes());
        match RequestApproval::new(approval()).response(&response.received_at(Timestamp::from_unix(NOW))) {
            Ok(Answer::Done(CreatedApproval::Pending(pending))) => pending.ends().unix() - NOW,
            other => panic!("{other:?}"),
        }
    };
    let date = "Sun, 15 Jun 2025 15:06:40 GMT";
    assert_eq!(ends(date, NOW + 60), 60);
    assert_eq!(ends(date, u64::MAX), 24 * 3600);
    assert_eq!(ends(date, 0), 0);
}

#[test]
fn what_is_over_when_it_is_made_is_waited_for_no_moment() {
    let (emulator, agent) = emulator();
    let approvals = agent.approvals();
    let waiting = ask(&approvals);
    emulator.advance(std::time::Duration::from_secs(121));
    let before = emulator.count("approvals.status").unwrap();
    assert!(matches!(approvals.wait(&waiting).unwrap(), ApprovalOutcome::Expired(_)));
    assert_eq!(emulator.count("approvals.status").unwrap(), before);
}

#[test]
fn a_text_cannot_make_a_call_of_another_question() {
    let (emulator, agent) = emulator();
    emulator.decide_approvals(Delivery::Approved);
    let store = std::sync::Arc::new(MemoryStore::new());
    let approvals = agent.approvals().store(store);
    // A person says yes to harmless words under a task that looks like that of a call.
    let task = approval().task_id();
    let plain = Approval::new(&task, "May I say hello?").on_behalf_of("alice");
    let CreatedApproval::Pending(pending) = approvals.create(plain).unwrap() else { panic!() };
    let mut text = inner(&pending);
    assert_eq!(text["call"], false);
    text["call"] = json!(true);
    let resumed = approvals.resume(outer(&text)).unwrap();
    let proof = approvals.wait(&resumed).unwrap().require().unwrap();
    let run = approvals.run(&proof, &call(), |_| panic!("nobody was asked about this call"));
    assert!(matches!(run, Err(Error::Approval(ApprovalError::NotOfACall))), "{run:?}");
}

#[test]
fn nothing_that_turns_text_stands_in_what_a_person_is_asked() {
    let (emulator, agent) = emulator();
    let approvals = agent.approvals();
    for turned in ["\u{202e}", "\u{200b}", "\u{7}", "\u{1b}[31m"] {
        for bad in [
            approval().task(format!("pay{turned}")),
            approval().on_behalf_of(format!("alice{turned}")),
            approval().summary(format!("pay {turned}bob")),
            Approval::new(format!("pay{turned}"), "why").on_behalf_of("alice"),
        ] {
            assert!(matches!(approvals.create(bad.clone()), Err(Error::Input(_))), "{bad:?}");
        }
    }
    assert!(matches!(approvals.create(approval().task("a\nb")), Err(Error::Input(_))));
    assert_eq!(emulator.count_all(), 0);
    assert!(matches!(approvals.create(approval().summary("pay\nbob")), Ok(CreatedApproval::Pending(_))));
}

#[test]
fn a_service_that_sends_elsewhere_or_fails_is_no_yes() {
    for code in [301, 302, 303, 307, 308, 202, 204, 206, 428] {
        let (emulator, agent) = emulator();
        let approvals = agent.approvals();
        let waiting = ask(&approvals);
        emulator.fault(FaultRule::on("approvals.status").status(code)).unwrap();
        let outcome = approvals.status(&waiting);
        assert!(outcome.is_err(), "{code}: {outcome:?}");
        approve(&emulator);
        assert!(approvals.wait(&waiting).unwrap().is_approved(), "{code}");
    }
}

#[test]
fn one_yes_is_not_run_again_by_the_record_of_another_question() {
    let (emulator, agent) = emulator();
    let approvals = agent.approvals().store(std::sync::Arc::new(MemoryStore::new()));
    let (first, again) = (ask(&approvals), ask(&approvals));
    let CreatedApproval::Pending(named) = approvals.create(approval().task("later")).unwrap() else {
        panic!()
    };
    emulator.person_approves(first.token()).unwrap();
    let proof = approvals.wait(&first).unwrap().require().unwrap();
    assert!(approvals.run(&proof, &call(), |_| ()).is_ok());
    // The first question's text with the records of the others, which nobody approved.
    for other in [&again, &named] {
        let mut text = inner(&first);
        text["kept"] = inner(other)["kept"].clone();
        let resumed = approvals.resume(outer(&text)).unwrap();
        let outcome = approvals.wait(&resumed).unwrap().require().unwrap();
        let run = approvals.run(&outcome, &call(), |_| panic!("twice"));
        assert!(matches!(run, Err(Error::Approval(ApprovalError::NotHere))), "{run:?}");
    }
}

#[test]
fn what_is_over_runs_by_no_store() {
    let (emulator, agent) = emulator();
    emulator.decide_approvals(Delivery::Approved);
    let approvals = agent.approvals().store(std::sync::Arc::new(MemoryStore::new()));
    let proof = approvals.require(approval()).unwrap();
    emulator.advance(std::time::Duration::from_secs(121));
    let late = approvals.run(&proof, &call(), |_| panic!("it is over"));
    assert!(matches!(late, Err(Error::Approval(ApprovalError::Expired { .. }))), "{late:?}");
}

/// What a text to resume from holds.
fn inner(pending: &PendingApproval) -> Value {
    let text = pending.to_text();
    let bytes = URL_SAFE_NO_PAD.decode(text.expose().strip_prefix("approval1.").unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn outer(inner: &Value) -> String {
    format!("approval1.{}", URL_SAFE_NO_PAD.encode(inner.to_string()))
}
