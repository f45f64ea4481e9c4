//! `lumoauth jit`: permissions just in time. There is no command for reviewers: an agent that can run programs must not be able to
//! approve itself.

use std::time::Duration;

use lumoauth::embed::operations::{GetPermission, RequestPermission};
use lumoauth::jit::{AuthorizationDetails, BeginTask, Permission};
use serde_json::{Map, Value, json};

use super::agent;
use super::request::json_text;
use super::text::{json_line, shown, usage};
use crate::args::SettingsArgs;
use crate::args::jit::{DetailsArgs, JitCommand};
use crate::exit::{self, Ended, Failure};

pub(super) fn run(settings: &SettingsArgs, command: &JitCommand) -> Result<Ended, Failure> {
    match command {
        JitCommand::Request { details, task, name, on_behalf_of, why, ttl } => {
            let details = read(details)?;
            let agent = agent(settings)?;
            let task = match task {
                Some(task) => task.clone(),
                None => {
                    let begin = BeginTask::new(name.as_str());
                    agent.run(on_behalf_of.iter().cloned().fold(begin, BeginTask::on_behalf_of))?.id
                }
            };
            let request = RequestPermission::new(task.as_str(), details);
            let request = why.iter().cloned().fold(request, RequestPermission::justification);
            let request = ttl.map(Duration::from_secs).into_iter().fold(request, RequestPermission::ttl);
            Ok(decided(&agent.run(request)?))
        }
        JitCommand::Status { request } => {
            Ok(decided(&agent(settings)?.run(GetPermission::new(request.as_str()))?))
        }
        JitCommand::Wait { request, details, within } => {
            let details = read(details)?;
            Ok(decided(&agent(settings)?.jit().wait(request, &details, Duration::from_secs(*within))?))
        }
        JitCommand::Token { request, details, json } => {
            let details = read(details)?;
            let jit = agent(settings)?.jit();
            let approved = jit.status(request, &details)?.require()?;
            Ok(shown(&jit.token(&approved)?, *json))
        }
    }
}

fn read(details: &DetailsArgs) -> Result<AuthorizationDetails, Failure> {
    let text = json_text(&details.details)?;
    text.parse()
        .map_err(|error: lumoauth::error::InputError| usage(&format!("--details: {}", error.problem())))
}

/// One line of JSON, and the exit code by the decision.
fn decided(permission: &Permission) -> Ended {
    let mut members = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            members.insert(name.to_owned(), value);
        }
    };
    let text = |text: Option<&str>| text.map(Value::from);
    put("request_id", text(Some(permission.request_id())));
    let (status, code) = match permission {
        Permission::Approved(it) => {
            put("task_id", text(it.task_id()));
            put("risk", it.risk().map(|risk| json!(risk.to_string())));
            put("granted_ttl", it.granted().map(|granted| json!(granted.as_secs())));
            put("message", text(it.message()));
            ("approved", exit::OK)
        }
        Permission::Denied(it) => {
            put("risk", it.risk().map(|risk| json!(risk.to_string())));
            put("reason", text(it.reason()));
            ("denied", exit::DENIED)
        }
        Permission::Expired(_) => ("expired", exit::FAILED),
        Permission::Pending(it) => {
            put("task_id", text(it.task_id()));
            put("risk", it.risk().map(|risk| json!(risk.to_string())));
            put("expires_at", it.expires_at().map(|at| json!(at.unix())));
            put("message", text(it.message()));
            ("pending", exit::PENDING)
        }
    };
    put("status", text(Some(status)));
    json_line(&Value::Object(members)).with(code)
}
