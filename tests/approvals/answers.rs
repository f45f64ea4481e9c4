//! No answer that does not approve is taken for one that does.

use lumoauth::approvals::{CreatedApproval, PendingApproval};
use lumoauth::embed::Operation;
use lumoauth::embed::operation::Answer;
use lumoauth::embed::operations::{GetApproval, RequestApproval};
use lumoauth::embed::wire::Response;
use lumoauth::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::support::approval;

const TOKEN: &str = "apr_17";

fn pending() -> PendingApproval {
    let body = json!({"approval_token": TOKEN, "status": "pending"}).to_string();
    let response = Response::new(StatusCode::CREATED, HeaderMap::new(), body.into_bytes());
    match RequestApproval::new(approval()).response(&response).unwrap() {
        Answer::Done(CreatedApproval::Pending(pending)) => pending,
        other => panic!("{other:?}"),
    }
}

fn good(pending: &PendingApproval) -> Value {
    json!({
        "approval_token": TOKEN,
        "status": "approved",
        "task_id": pending.task_id(),
        "impact": "medium",
        "reason": approval().reason(),
        "responded_at": "2025-06-15T15:07:00Z",
        "approved_by": {"user_id": 7},
    })
}

fn approved(pending: &PendingApproval, status: u16, body: &[u8]) -> bool {
    let response = Response::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body.to_vec());
    matches!(GetApproval::new(pending).response(&response), Ok(Answer::Done(status)) if status.is_approved())
}

#[test]
fn a1_ten_thousand_changed_answers_approve_nothing() {
    let (pending, rounds) = (pending(), super::rounds::of(100_000));
    let good = good(&pending);
    let text = good.to_string().into_bytes();
    assert!(approved(&pending, 200, &text));
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    };
    let must = |value: &Value| {
        // What must be as it was; the others only say when and who.
        ["approval_token", "status", "task_id", "impact"].map(|name| value[name].clone())
    };
    let (mut taken, mut refused) = (0, 0);
    for round in 0..rounds {
        let mut body = text.clone();
        for _ in 0..=draw(2) {
            let at = draw(body.len());
            match draw(4) {
                0 => body[at] ^= 1 << draw(7),
                1 => drop(body.remove(at)),
                2 => body.insert(at, *b"\"{}[],:0aA \\".get(draw(12)).unwrap()),
                _ => body.truncate(at.max(1)),
            }
        }
        let is_taken = approved(&pending, 200, &body);
        if is_taken {
            let value: Value = serde_json::from_slice(&body).unwrap();
            // The reason is compared where there is one.
            let reason = value.get("reason").is_none_or(|said| *said == good["reason"] || said.is_null());
            assert!(
                reason && must(&value) == must(&good),
                "round {round}: {}",
                String::from_utf8_lossy(&body)
            );
        }
        if is_taken { taken += 1 } else { refused += 1 }
    }
    println!("A1: {refused} changed answers refused, {taken} taken that say the same");
    assert!(refused > rounds / 2);
}

#[test]
fn no_other_status_approves() {
    let pending = pending();
    let text = good(&pending).to_string();
    let taken: Vec<u16> = (100..600).filter(|status| approved(&pending, *status, text.as_bytes())).collect();
    assert_eq!(taken, [200]);
    // And no answer to the question itself is an approval: there is nothing that it could be one in.
    for status in (100..600).filter(|status| ![200, 201, 202, 428].contains(status)) {
        let response =
            Response::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), text.as_bytes());
        assert!(RequestApproval::new(approval()).response(&response).is_err(), "{status}");
    }
}
