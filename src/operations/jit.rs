//! Permissions just in time (`docs/wire.md`, rows P): a task, a permission that is asked for in it, a token that is good for that alone.

mod challenge;
mod details;
mod permission;
mod request;
mod review;
mod task;
mod token;

pub(crate) use challenge::demanded_details;
pub use details::{AuthorizationDetails, FileAction, PaymentAction, QueryAction, UserDataAction};
pub use permission::{Approved, Denied, Expired, Pending, Permission, Risk};
pub use request::{GetPermission, RequestPermission};
#[allow(unused_imports)] // of the clients
pub(crate) use review::reviewers_token;
pub use review::{ApprovePermission, DenyPermission, GetPendingPermissions, PendingPermission, Review};
pub use task::{BeginTask, CompleteTask, EvaluateTask, Evaluation, JitTask, TaskEnd, TaskResult};
pub use token::TakePermissionToken;

use http::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::error::{Error, InputError};
use crate::operation::{Auth, Context};
use crate::route::Route;
use crate::token::AccessToken;
use crate::wire::Request;

/// Tasks begin here.
pub const TASK: Route = Route::post("jit.task.create", "jit/task");
/// A task ends here, and its tokens with it.
pub const TASK_COMPLETE: Route = Route::post("jit.task.complete", "jit/task/{task_id}/complete");
/// What became of a task is told here.
pub const TASK_EVALUATE: Route = Route::post("jit.task.evaluate", "jit/task/{task_id}/evaluate");
/// Permissions are asked for here.
pub const REQUEST: Route = Route::post("jit.request.create", "jit/request");
/// What was decided.
pub const REQUEST_STATUS: Route = Route::get("jit.request.status", "jit/request/{request_id}/status");
/// The token of an approved request.
pub const REQUEST_TOKEN: Route = Route::post("jit.request.token", "jit/request/{request_id}/token");
/// What waits for a reviewer.
pub const PENDING: Route = Route::get("jit.pending", "jit/pending");
/// A reviewer approves.
pub const APPROVE: Route = Route::post("jit.approve", "jit/approve/{request_id}");
/// A reviewer denies.
pub const DENY: Route = Route::post("jit.deny", "jit/deny/{request_id}");
pub(super) const ROUTES: &[Route] =
    &[TASK, TASK_COMPLETE, TASK_EVALUATE, REQUEST, REQUEST_STATUS, REQUEST_TOKEN, PENDING, APPROVE, DENY];

/// The agent's own token, or the one that it acts with in a user's name.
fn auth(token: Option<&AccessToken>) -> Auth {
    token.cloned().map_or(Auth::Bearer, Auth::Token)
}

/// Names the call in a header, the same over its attempts. Nothing says that the service reads it: what must not happen twice
/// is not sent twice in any case (`docs/wire.md`, H-once).
pub(super) fn named(request: Request, context: &Context<'_>) -> Request {
    let name = context.attempt_id().and_then(|id| HeaderValue::from_str(&id.to_string()).ok());
    match name {
        Some(name) => request.header(HeaderName::from_static("idempotency-key"), name),
        None => request,
    }
}

/// A member of a body; nothing for a text that is none.
fn member(body: &mut Map<String, Value>, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        body.insert(name.to_owned(), Value::from(text));
    }
}

/// A text of the caller's that must say something.
fn says_something(argument: &'static str, text: Option<&str>) -> Result<(), Error> {
    match text {
        Some(text) if text.chars().all(char::is_whitespace) => {
            Err(InputError::new(argument, "is empty").into())
        }
        _ => Ok(()),
    }
}
