//! The other documented form of permissions just in time (`docs/wire.md`, P-task-older): by scopes, for a task as a whole.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::asked::{USUAL_TTL, asked, described};
use super::{agent, as_text, created, forbidden, not_found, own, seconds, text};
use crate::emulator::call::{Call, Service};
use crate::emulator::services::issue::{self, Grant};
use crate::emulator::state::State;
use crate::emulator::state::jit::{Asked, Task};
use crate::emulator::state::tokens::{Principal, Token};
use crate::emulator::values::answer::Answer;
use crate::emulator::values::incoming::Parameters;
use crate::emulator::values::jit::risk_of_scopes;
use crate::emulator::values::scope::{is_scope, scope};
use crate::route::Route;

/// The type of what is asked for by scopes; the scopes are its actions.
const SCOPES: &str = "scopes";
/// How long such a task lasts if it does not say, in seconds.
const DURATION: u64 = 300;

fn missing(field: &str) -> Answer {
    Answer::bad(&format!("Missing required field: {field}"))
}

fn details(scopes: &[String]) -> Map<String, Value> {
    [("type".to_owned(), json!(SCOPES)), ("actions".to_owned(), json!(scopes))].into_iter().collect()
}

fn scopes_of(asked: &Asked) -> impl Iterator<Item = &str> {
    let by_scopes = asked.details.get("type").and_then(Value::as_str) == Some(SCOPES);
    let actions = asked.details.get("actions").and_then(Value::as_array).filter(|_| by_scopes);
    actions.into_iter().flatten().filter_map(Value::as_str)
}

/// `jit.task.create`: the task and its scopes at once.
pub(super) fn begin(
    state: &mut State,
    call: &mut Call<'_>,
    client_id: String,
    body: &Map<String, Value>,
) -> Result<Answer, Answer> {
    let description = text(body, "task_description")?.ok_or_else(|| missing("task_description"))?;
    let named = match body.get("required_scopes") {
        Some(Value::Array(items)) if !items.is_empty() => items,
        None => return Err(missing("required_scopes")),
        Some(_) => return Err(Answer::bad("Field required_scopes must be a list of scopes")),
    };
    let read = |item: &Value| item.as_str().filter(|text| is_scope(text)).map(str::to_owned);
    let scopes: Option<Vec<String>> = named.iter().map(read).collect();
    let scopes = scopes.ok_or_else(|| Answer::bad("Field required_scopes must be a list of scopes"))?;
    let duration = seconds(body, "duration")?.unwrap_or(DURATION);
    let task = Task {
        id: state.ids.next("jit_task_"),
        parent: None,
        tenant: call.tenant,
        client_id,
        family: state.world.grants.family(),
        expires_at: call.now.saturating_add(Duration::from_secs(duration)),
        ended: false,
    };
    let risk = risk_of_scopes(scopes.iter().map(String::as_str));
    let request = asked(state, call, &task, details(&scopes), Some(description), risk, USUAL_TTL);
    let answer = json!({
        "task_id": task.id,
        "status": request.status(call.now),
        "approval_url": format!("/orgs/{}/jit/{}", call.slug, task.id),
        "expires_in": duration,
    });
    state.world.jit.begin(task);
    state.world.jit.ask(request);
    Ok(Answer::json(created(call), &answer))
}

/// `jit.request.create`: one scope more.
pub(super) fn ask(
    state: &mut State,
    call: &mut Call<'_>,
    client_id: &str,
    task: &str,
    body: &Map<String, Value>,
) -> Result<Answer, Answer> {
    let wanted = text(body, "scope")?.filter(|scope| is_scope(scope));
    let wanted = wanted.ok_or_else(|| Answer::bad("Field scope must be a scope"))?;
    let why = text(body, "justification")?.ok_or_else(|| missing("justification"))?;
    let task = own(state, call, client_id, task)?;
    if task.ended || call.now >= task.expires_at {
        return Err(forbidden("The task is over"));
    }
    let risk = risk_of_scopes([wanted.as_str()]);
    let request = asked(state, call, &task, details(&[wanted]), Some(why), risk, USUAL_TTL);
    let answer = Answer::json(created(call), &Value::Object(described(call, &request)));
    state.world.jit.ask(request);
    Ok(answer)
}

/// The requests by scopes of a task, oldest first.
fn of_task<'s>(state: &'s State, call: &Call<'_>, task: &Task) -> Vec<&'s Asked> {
    let (tenant, id) = (call.tenant, task.id.clone());
    let all = state.world.jit.requests.iter();
    all.filter(|asked| asked.tenant == tenant && asked.task == id && scopes_of(asked).next().is_some())
        .collect()
}

/// `jit.status`: what of a task is approved.
fn status(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let token = agent(state, call)?;
    if !call.settings.jit.scopes {
        return Err(not_found("There is no such route"));
    }
    let task = own(state, call, &token.client_id, call.id)?;
    let requests = of_task(state, call, &task);
    let Some(first) = requests.first() else { return Err(not_found("There is no such task")) };
    let approved = || requests.iter().filter(|asked| asked.status(call.now) == "approved");
    let last = approved().next_back();
    Ok(Answer::ok(&json!({
        "task_id": task.id,
        "status": if task.ended || call.now >= task.expires_at { "expired" } else { first.status(call.now) },
        "approved_scopes": approved().flat_map(|asked| scopes_of(asked)).collect::<Vec<_>>(),
        "approved_by": last.and_then(|asked| asked.decided_by.as_deref()),
        "approved_at": last.and_then(|asked| asked.decided_at).map(as_text),
    })))
}

/// The exchange of the agent's own token for one with scopes that were approved. It ends with the task.
pub(crate) fn exchange(
    state: &mut State,
    call: &mut Call<'_>,
    parameters: &Parameters,
    task: &str,
    subject: Token,
    acting: bool,
) -> Result<Answer, Answer> {
    let refused = |problem: &str| Answer::bad_oauth("invalid_grant", problem);
    if subject.principal != Principal::Agent || acting {
        return Err(refused("The subject token must be the agent's own"));
    }
    let task = state.world.jit.task(call.tenant, task).filter(|task| task.client_id == subject.client_id);
    let task = task.ok_or_else(|| refused("There is no such task"))?.clone();
    if task.ended || call.now >= task.expires_at {
        return Err(refused("The task is over"));
    }
    let requests = of_task(state, call, &task);
    let approved = requests.into_iter().filter(|asked| asked.status(call.now) == "approved");
    let approved: Vec<String> = approved.flat_map(scopes_of).map(str::to_owned).collect();
    let scopes = scope(parameters)?.filter(|scopes| !scopes.is_empty()).unwrap_or_else(|| approved.clone());
    if scopes.is_empty() || scopes.iter().any(|scope| !approved.contains(scope)) {
        return Err(Answer::oauth(StatusCode::FORBIDDEN, "access_denied", "The scope is not approved"));
    }
    call.client_id = Some(subject.client_id.clone());
    let grant = Grant {
        client_id: subject.client_id,
        principal: subject.principal,
        subject: subject.subject,
        scopes,
        audience: subject.audience,
        actors: Vec::new(),
        family: Some(task.family),
        auth_time: subject.auth_time,
        until: Some(subject.expires_at.min(task.expires_at)),
        exchanged: true,
        refresh: None,
        id_token: None,
    };
    issue::tokens(state, call, grant)
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] =
    &[Service::of(Route::get("jit.status", "jit/status/{task_id}"), "GET, HEAD", status)];
