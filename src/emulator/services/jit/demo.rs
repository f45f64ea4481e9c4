//! Files that nobody touches without a permission for that file and that action: a resource that answers the challenge.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::{HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::emulator::call::{Call, Service};
use crate::emulator::services::bearer::bearer;
use crate::emulator::state::State;
use crate::emulator::state::tokens::Principal;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::jit::JitChallenge;
use crate::route::Route;

/// The file's name is in the path.
fn file(state: &mut State, call: &mut Call<'_>) -> Result<Answer, Answer> {
    let token = bearer(state, call)?;
    let action = match *call.incoming.method {
        Method::GET | Method::HEAD => "read",
        Method::DELETE => "delete",
        _ => "write",
    };
    let wanted = json!({"type": "file_access", "actions": [action], "identifier": call.id});
    let Principal::Permission(permitted) = &token.principal else { return Err(challenge(call, &wanted)) };
    let member = |name: &str| permitted.details.get(name);
    let has_action =
        member("actions").and_then(Value::as_array).is_some_and(|all| all.iter().any(|own| own == action));
    if !has_action || member("type") != wanted.get("type") || member("identifier") != wanted.get("identifier")
    {
        return Err(challenge(call, &wanted));
    }
    Ok(Answer::ok(&json!({"file": call.id, "action": action, "task_id": permitted.task})))
}

fn challenge(call: &Call<'_>, wanted: &Value) -> Answer {
    const CODE: &str = "insufficient_authorization_details";
    let body = json!({
        "error": CODE,
        "error_description": "This needs a permission for the file",
        "authorization_details_hint": wanted,
    });
    let header = match call.settings.jit.challenge {
        JitChallenge::Standard => Some(STANDARD.encode(wanted.to_string())),
        JitChallenge::UrlSafe => Some(URL_SAFE_NO_PAD.encode(wanted.to_string())),
        JitChallenge::List => Some(STANDARD.encode(json!([wanted]).to_string())),
        JitChallenge::Broken => Some("e2Jyb2tlbg==".to_owned()),
        JitChallenge::None => None,
    };
    let answer = Answer::json(StatusCode::FORBIDDEN, &body)
        .challenge(&format!("Bearer realm=\"{}\", error=\"{CODE}\"", call.slug));
    match header.and_then(|header| HeaderValue::from_str(&header).ok()) {
        Some(header) => answer.with(HeaderName::from_static("insufficient-authorization-details"), header),
        None => answer,
    }
}

/// The services of this family.
pub(crate) const SERVICES: &[Service] =
    &[Service::of(Route::get("jit.demo", "jit-demo/{file}"), "GET, HEAD, POST, PUT, DELETE", file)];
