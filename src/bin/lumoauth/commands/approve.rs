//! `lumoauth approve`: a person is asked. There is no command for the person: an agent that can run programs must not be able to approve
//! itself.

use std::time::Duration;

use lumoauth::ToolCall;
use lumoauth::approvals::{Approval, ApprovalOutcome, CreatedApproval, Impact};
use serde_json::json;

use super::agent;
use super::text::{json_line, secret_of, usage};
use crate::args::SettingsArgs;
use crate::args::approve::{ApproveCommand, RequestArgs};
use crate::exit::{self, Ended, Failure};

pub(super) fn run(settings: &SettingsArgs, command: &ApproveCommand) -> Result<Ended, Failure> {
    match command {
        ApproveCommand::Request(asked) => {
            let approval = read(asked)?;
            match agent(settings)?.approvals().create(approval)? {
                CreatedApproval::Pending(pending) => {
                    Ok(Ended::line(pending.to_text().expose()).with(exit::PENDING))
                }
                CreatedApproval::NotDelivered(nobody) => Err(ApprovalOutcome::NotDelivered(nobody)
                    .require()
                    .map_or_else(Failure::from, |_| unasked())),
            }
        }
        ApproveCommand::Wait { text, within } => {
            let approvals = agent(settings)?.approvals();
            let pending = approvals.resume(secret_of(text)?)?;
            let outcome = match within {
                Some(seconds) => approvals.wait_for(&pending, Duration::from_secs(*seconds))?,
                None => approvals.wait(&pending)?,
            };
            let (word, code) = match &outcome {
                ApprovalOutcome::Approved(_) => ("approved", exit::OK),
                ApprovalOutcome::Denied(_) => ("denied", exit::DENIED),
                ApprovalOutcome::TimedOut(_) => ("pending", exit::PENDING),
                ApprovalOutcome::Expired(_) | ApprovalOutcome::NotDelivered(_) => ("expired", exit::FAILED),
            };
            let mut said = json!({"status": word, "task_id": pending.task_id()});
            if let (Some(hash), Some(members)) = (pending.call_sha256(), said.as_object_mut()) {
                members.insert("call_sha256".to_owned(), hash.into());
            }
            Ok(json_line(&said).with(code))
        }
    }
}

fn unasked() -> Failure {
    Failure::Local("nobody was asked".to_owned())
}

fn read(asked: &RequestArgs) -> Result<Approval, Failure> {
    let impact = Impact::parse(&asked.impact)
        .ok_or_else(|| usage("--impact: is none of low, medium, high, critical"))?;
    let approval = match (&asked.tool, &asked.arguments, &asked.reason) {
        (Some(tool), Some(arguments), _) => {
            let arguments = secret_of(arguments)?;
            let call =
                ToolCall::from_json(tool.as_str(), arguments.expose()).map_err(lumoauth::Error::from)?;
            Approval::of(call)
        }
        (_, _, Some(reason)) => Approval::new(asked.task.clone().unwrap_or_default(), reason.as_str()),
        _ => return Err(usage("--tool with --arguments, or --task with --reason, says what is asked")),
    };
    let approval = asked.task.iter().cloned().fold(approval, Approval::task);
    Ok(approval.impact(impact).on_behalf_of(asked.on_behalf_of.as_str()))
}
