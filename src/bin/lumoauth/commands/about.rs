//! What the agent asks, and what it knows of itself.

use lumoauth::Ask;
use serde_json::{Map, Value, json};

use super::agent;
use super::text::{as_json, json_line, split, table, usage};
use crate::args::SettingsArgs;
use crate::exit::{self, Ended, Failure};

pub(super) fn ask(
    settings: &SettingsArgs,
    action: &str,
    pairs: &[String],
    object: Option<&str>,
    json: bool,
) -> Result<Ended, Failure> {
    let mut context: Map<String, Value> = match object {
        Some(text) => {
            serde_json::from_str(text).map_err(|error| usage(&format!("--context-json: {error}")))?
        }
        None => Map::new(),
    };
    for pair in pairs {
        let (key, value) = split("--context", pair)?;
        context.insert(key.to_owned(), Value::from(value));
    }
    let decision = agent(settings)?.ask(Ask::new(action).context(context))?;
    let code = if decision.allowed() { exit::OK } else { exit::DENIED };
    let answer = if json { as_json(&decision)? } else { Ended::line(&decision) };
    Ok(answer.with(code))
}

pub(super) fn info(settings: &SettingsArgs, json: bool) -> Result<Ended, Failure> {
    let info = agent(settings)?.info()?;
    if json {
        return as_json(&info);
    }
    let mut rows = vec![("id", info.id.clone())];
    rows.extend(info.name.map(|name| ("name", name)));
    rows.extend(info.tenant.map(|tenant| ("tenant", tenant)));
    rows.push(("capabilities", info.capabilities.join(" ")));
    Ok(table(&rows))
}

pub(super) fn identity(settings: &SettingsArgs, json: bool) -> Result<Ended, Failure> {
    let identity = agent(settings)?.identity()?;
    if json {
        return as_json(&identity);
    }
    let mut rows = vec![("id", identity.id.clone())];
    rows.extend(identity.kind.map(|kind| ("type", kind)));
    rows.extend(identity.tenant.map(|tenant| ("tenant", tenant)));
    rows.extend(identity.status.map(|status| ("status", status)));
    rows.push(("roles", identity.roles.join(" ")));
    Ok(table(&rows))
}

pub(super) fn capability(settings: &SettingsArgs, name: &str) -> Result<Ended, Failure> {
    let has = agent(settings)?.has_capability(name)?;
    Ok(if has { Ended::line("yes") } else { Ended::line("no").with(exit::DENIED) })
}

pub(super) fn budget(settings: &SettingsArgs, json: bool) -> Result<Ended, Failure> {
    let budget = agent(settings)?.budget()?;
    let exhausted = budget.as_ref().and_then(lumoauth::Budget::exhausted);
    let code = if exhausted.is_some() { exit::DENIED } else { exit::OK };
    if json {
        return Ok(json_line(&json!({ "budget": budget, "exhausted": exhausted })).with(code));
    }
    let Some(budget) = budget else { return Ok(Ended::line("no budget is set")) };
    let of = |used: Option<i64>, limit: Option<i64>| {
        limit.map(|limit| format!("{} of {limit}", used.unwrap_or(0)))
    };
    let mut rows = Vec::new();
    rows.extend(of(budget.tokens_used_today, budget.max_tokens_per_day).map(|text| ("tokens today", text)));
    rows.extend(
        of(budget.api_calls_this_hour, budget.max_api_calls_per_hour).map(|text| ("calls this hour", text)),
    );
    rows.extend(budget.max_cost_per_month_usd.map(|limit| ("cost a month", format!("at most {limit} USD"))));
    rows.extend(budget.require_approval_above_usd.map(|limit| ("approval above", format!("{limit} USD"))));
    if !budget.allowed_models.is_empty() {
        rows.push(("models", budget.allowed_models.join(" ")));
    }
    rows.push(("exhausted", exhausted.map_or_else(|| "no".to_owned(), |limit| limit.to_string())));
    Ok(table(&rows).with(code))
}
