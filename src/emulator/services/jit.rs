//! Permissions just in time (`docs/wire.md`, rows P): tasks, requests, tokens, reviewers, and a resource that wants them.

mod asked;
pub(crate) mod demo;
pub(crate) mod request;
pub(crate) mod review;
pub(crate) mod scopes;
pub(crate) mod task;

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::emulator::call::Call;
use crate::emulator::services::bearer::bearer;
use crate::emulator::state::State;
use crate::emulator::state::jit::Task;
use crate::emulator::state::tokens::{Principal, Token};
use crate::emulator::values::answer::Answer;
use crate::time::Timestamp;

/// The agent that asks: with its own token, or with one for acting for a user. A user's own is refused, and so is a permission's.
fn agent(state: &State, call: &mut Call<'_>) -> Result<Token, Answer> {
    let token = bearer(state, call)?;
    let acts = token.actors.iter().any(|actor| actor.client_id == token.client_id);
    match token.principal {
        Principal::Agent => Ok(token),
        Principal::User(_) if acts => Ok(token),
        _ => Err(forbidden("This needs an agent's token")),
    }
}

/// The task of this agent's.
fn own(state: &State, call: &Call<'_>, client_id: &str, id: &str) -> Result<Task, Answer> {
    let task = state.world.jit.task(call.tenant, id).ok_or_else(|| not_found("There is no such task"))?;
    if task.client_id != client_id {
        return Err(forbidden("The task is another agent's"));
    }
    Ok(task.clone())
}

fn forbidden(problem: &str) -> Answer {
    Answer::plain(StatusCode::FORBIDDEN, "forbidden", problem)
}

fn not_found(problem: &str) -> Answer {
    Answer::plain(StatusCode::NOT_FOUND, "not_found", problem)
}

/// An optional text of a body.
fn text(body: &Map<String, Value>, field: &str) -> Result<Option<String>, Answer> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Answer::bad(&format!("Field {field} must be a text"))),
    }
}

/// An optional number of seconds.
fn seconds(body: &Map<String, Value>, field: &str) -> Result<Option<u64>, Answer> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let seconds = value.as_u64().filter(|seconds| *seconds > 0);
            let problem = || Answer::bad(&format!("Field {field} must be a number of seconds"));
            seconds.map(Some).ok_or_else(problem)
        }
    }
}

/// A point in time, as the forms in use write it.
pub(crate) fn moment(call: &Call<'_>, at: Timestamp) -> Value {
    if call.settings.jit.older {
        return json!(at.unix());
    }
    as_text(at)
}

/// A point in time as a text (RFC 3339).
pub(crate) fn as_text(at: Timestamp) -> Value {
    let time = std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(at.unix()));
    time.map_or(Value::Null, |time| json!(rfc3339(&httpdate::fmt_http_date(time))))
}

/// `Sun, 15 Jun 2025 15:06:40 GMT` as `2025-06-15T15:06:40+00:00`.
fn rfc3339(date: &str) -> String {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let words: Vec<&str> = date.split(' ').collect();
    let [_, day, month, year, clock, _] = words.as_slice() else { return String::new() };
    let month = MONTHS.find(month).map_or(0, |at| at / 3).saturating_add(1);
    format!("{year}-{month:02}-{day}T{clock}+00:00")
}

/// The status of what was made, as the forms in use have it.
fn created(call: &Call<'_>) -> StatusCode {
    if call.settings.jit.older { StatusCode::OK } else { StatusCode::CREATED }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_they_are_read() {
        for (http, text) in [
            ("Sun, 15 Jun 2025 15:06:40 GMT", "2025-06-15T15:06:40+00:00"),
            ("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00+00:00"),
            ("Fri, 31 Dec 2100 23:59:59 GMT", "2100-12-31T23:59:59+00:00"),
        ] {
            assert_eq!(rfc3339(http), text);
            assert!(Timestamp::from_rfc3339(text).is_some());
        }
    }
}
