//! Checks of permissions, relations and policies, and tokens out of the vault.

use std::path::Path;

use lumoauth::{Authz, CheckPermission, CheckPolicy, Decision, GetVaultToken, Subject, Tuple};
use serde_json::{Map, Value, json};

use super::text::{as_json, json_line, secret_line, split};
use super::{agent, service};
use crate::args::SettingsArgs;
use crate::args::check::{CheckCommand, VaultCommand};
use crate::exit::{self, Ended, Failure};

pub(super) fn check(
    settings: &SettingsArgs,
    key_file: Option<&Path>,
    command: &CheckCommand,
) -> Result<Ended, Failure> {
    let authz = || -> Result<Authz, Failure> {
        Ok(match service(settings, key_file)? {
            Some(service) => service.authz(),
            None => agent(settings)?.authz(),
        })
    };
    match command {
        CheckCommand::Permission { permission, user, agent: other, context, json } => {
            let question = CheckPermission::new(permission).context(pairs("--context", context)?);
            let question = match (user, other) {
                (Some(user), _) => question.subject(Subject::user(user)),
                (None, Some(other)) => question.subject(Subject::agent(other)),
                (None, None) => question,
            };
            ended(&authz()?.permission(question)?, *json)
        }
        CheckCommand::Relation { object, relation, subject, json } => {
            let tuple = Tuple::new(object, relation, subject);
            ended(&authz()?.relation(tuple)?, *json)
        }
        CheckCommand::Policy { action, resource, environment, json } => {
            let question = match resource.split_once(':') {
                Some((kind, id)) => CheckPolicy::new(kind, action).resource_id(id),
                None => CheckPolicy::new(resource, action),
            };
            let question = question.environment(pairs("--environment", environment)?);
            ended(&authz()?.policy(question)?, *json)
        }
    }
}

fn pairs(option: &str, pairs: &[String]) -> Result<Map<String, Value>, Failure> {
    let pair = |pair: &String| split(option, pair).map(|(key, value)| (key.to_owned(), Value::from(value)));
    pairs.iter().map(pair).collect()
}

fn ended(decision: &Decision, json: bool) -> Result<Ended, Failure> {
    let code = if decision.allowed() { exit::OK } else { exit::DENIED };
    let answer = if json { as_json(decision)? } else { Ended::line(decision) };
    Ok(answer.with(code))
}

pub(super) fn vault(settings: &SettingsArgs, command: &VaultCommand) -> Result<Ended, Failure> {
    let VaultCommand::Token { connection, user, json } = command;
    let wanted = GetVaultToken::new(connection);
    let wanted = match user {
        Some(user) => wanted.user(user),
        None => wanted,
    };
    let token = agent(settings)?.vault_token(wanted)?;
    let secret = token.secret().expose();
    if !*json {
        return secret_line(secret);
    }
    Ok(json_line(&json!({
        "access_token": secret,
        "token_type": token.token_type(),
        "scope": token.scopes().to_string(),
        "expires_at": token.expires_at().map(|end| end.unix()),
    })))
}
