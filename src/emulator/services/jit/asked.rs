//! A request for a permission: how it begins, and what is said about it.

use serde_json::{Map, Value, json};

use super::moment;
use crate::emulator::call::Call;
use crate::emulator::state::State;
use crate::emulator::state::jit::{Asked, Outcome, Task};
use crate::emulator::values::jit::Risk;
use crate::emulator::values::lifetime::in_seconds;

/// How long a permission is given for, in seconds.
pub(super) const TTL: std::ops::RangeInclusive<u64> = 300..=900;
pub(super) const USUAL_TTL: u64 = 600;

/// A request in this task: what is risky waits for a person, anything else is approved.
pub(super) fn asked(
    state: &mut State,
    call: &Call<'_>,
    task: &Task,
    details: Map<String, Value>,
    justification: Option<String>,
    risk: Risk,
    ttl: u64,
) -> Asked {
    let (outcome, decided_at) = match risk.waits() {
        true => (Outcome::Open, None),
        false => (Outcome::Approved { until: in_seconds(call.now, ttl) }, Some(call.now)),
    };
    Asked {
        id: state.ids.next("jit_"),
        task: task.id.clone(),
        tenant: call.tenant,
        client_id: task.client_id.clone(),
        details,
        justification,
        risk,
        ttl,
        expires_at: call.now.saturating_add(call.settings.jit.patience),
        outcome,
        decided_at,
        decided_by: None,
        message: None,
        notes: false,
        taken: false,
        polled_at: None,
        other: None,
    }
}

/// What is said about a request. The URLs are the server's own, in the layout that it prefers.
pub(super) fn described(call: &Call<'_>, asked: &Asked) -> Map<String, Value> {
    let status = asked.status(call.now);
    let url = |what: &str| json!(format!("/orgs/{}/api/v1/jit/request/{}/{what}", call.slug, asked.id));
    let mut all = Map::new();
    let mut put = |name: &str, value: Value| drop(all.insert(name.to_owned(), value));
    put("request_id", json!(asked.id));
    put("status", json!(status));
    put("risk_level", json!(asked.risk.word()));
    put("task_id", json!(asked.task));
    match status {
        "approved" => {
            put("token_url", url("token"));
            put("granted_ttl", json!(asked.ttl));
        }
        "pending" => {
            put("status_url", url("status"));
            put("expires_at", moment(call, asked.expires_at));
            put("message", json!("A reviewer has to decide"));
            if let Some(interval) = call.settings.jit.interval {
                put("interval", json!(interval.as_secs()));
            }
            if call.settings.jit.consent {
                put("delegation_consent_required", json!(true));
            }
        }
        _ => {}
    }
    if let Outcome::Denied { reason: Some(reason) } = &asked.outcome {
        put("deny_reason", json!(reason));
    }
    if matches!(status, "approved" | "denied") {
        put("has_notes", json!(asked.notes));
        let name = if call.settings.jit.older { "review_notes" } else { "agent_message" };
        if let Some(message) = &asked.message {
            put(name, json!(message));
        }
    }
    all
}
