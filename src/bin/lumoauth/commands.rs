//! The commands.

mod aauth;
mod emulator;

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use lumoauth::http::Method;
use lumoauth::operations::McpToken;
use lumoauth::{AccessToken, Agent, ApiRequest, Ask, Secret};
use serde_json::{Map, Value, json};

use crate::args::{Arguments, Command, SettingsArgs};
use crate::exit::{self, Ended, Failure};

/// The largest body that is read from a file or standard input.
const LARGEST: u64 = 10 * 1024 * 1024;

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Ended, Failure> {
    let settings = &arguments.settings;
    match &arguments.command {
        Command::Token { scopes, json } => token(settings, scopes, *json),
        Command::Ask { action, context, context_json, json } => {
            ask(settings, action, context, context_json.as_deref(), *json)
        }
        Command::Info { json } => info(settings, *json),
        Command::Identity { json } => identity(settings, *json),
        Command::Capability { name } => capability(settings, name),
        Command::Budget { json } => budget(settings, *json),
        Command::Request { method, path, data, query } => {
            request(settings, method, path, data.as_deref(), query)
        }
        Command::McpToken { server, scopes, json } => {
            let wanted = McpToken::new(server).scopes(scopes);
            Ok(shown(&agent(settings)?.mcp_token(wanted)?, *json))
        }
        Command::Aauth { signer, command } => aauth::run(settings, signer, command),
        Command::Emulator { listen, aauth_key_file } => emulator::run(*listen, aauth_key_file.as_deref()),
    }
}

/// The whole time of a call, if it is set.
fn timeout(settings: &SettingsArgs) -> Result<Option<Duration>, Failure> {
    let Some(seconds) = settings.timeout else { return Ok(None) };
    let timeout = Duration::try_from_secs_f64(seconds).ok().filter(|timeout| !timeout.is_zero());
    timeout.map(Some).ok_or_else(|| usage("--timeout must be a positive number of seconds"))
}

fn agent(settings: &SettingsArgs) -> Result<Agent, Failure> {
    let mut builder = Agent::builder();
    if let Some(url) = &settings.url {
        builder = builder.base_url(url);
    }
    if let Some(tenant) = &settings.tenant {
        builder = builder.tenant(tenant);
    }
    if let Some(org) = &settings.org {
        builder = builder.organization(org);
    }
    if let Some(client_id) = &settings.client_id {
        builder = builder.client_id(client_id);
    }
    if let Some(file) = &settings.client_secret_file {
        let secret = Secret::new(read_text(file)?);
        builder = builder.client_secret(secret.expose().trim_end_matches(['\r', '\n']));
    }
    if let Some(file) = &settings.ca_file {
        builder = builder.root_certificates(read_text(file)?);
    }
    if let Some(timeout) = timeout(settings)? {
        builder = builder.timeout(timeout);
    }
    Ok(builder.environment().build()?)
}

fn token(settings: &SettingsArgs, scopes: &[String], json: bool) -> Result<Ended, Failure> {
    Ok(shown(&agent(settings)?.authenticate(scopes)?, json))
}

/// A token for a script: the text alone, or all of it.
fn shown(token: &AccessToken, json: bool) -> Ended {
    let secret = token.secret().expose();
    if !json {
        return Ended::line(secret);
    }
    Ended::line(json!({
        "access_token": secret,
        "token_type": token.token_type().to_string(),
        "scope": token.scopes().to_string(),
        "expires_at": token.expires_at().unix(),
    }))
}

fn ask(
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
    let answer = if json { Ended::line(as_json(&decision)?) } else { Ended::line(&decision) };
    Ok(answer.with(code))
}

fn info(settings: &SettingsArgs, json: bool) -> Result<Ended, Failure> {
    let info = agent(settings)?.info()?;
    if json {
        return Ok(Ended::line(as_json(&info)?));
    }
    let mut rows = vec![("id", info.id.clone())];
    rows.extend(info.name.map(|name| ("name", name)));
    rows.extend(info.tenant.map(|tenant| ("tenant", tenant)));
    rows.push(("capabilities", info.capabilities.join(" ")));
    Ok(table(&rows))
}

fn identity(settings: &SettingsArgs, json: bool) -> Result<Ended, Failure> {
    let identity = agent(settings)?.identity()?;
    if json {
        return Ok(Ended::line(as_json(&identity)?));
    }
    let mut rows = vec![("id", identity.id.clone())];
    rows.extend(identity.kind.map(|kind| ("type", kind)));
    rows.extend(identity.tenant.map(|tenant| ("tenant", tenant)));
    rows.extend(identity.status.map(|status| ("status", status)));
    rows.push(("roles", identity.roles.join(" ")));
    Ok(table(&rows))
}

fn capability(settings: &SettingsArgs, name: &str) -> Result<Ended, Failure> {
    let has = agent(settings)?.has_capability(name)?;
    Ok(if has { Ended::line("yes") } else { Ended::line("no").with(exit::DENIED) })
}

fn budget(settings: &SettingsArgs, json: bool) -> Result<Ended, Failure> {
    let budget = agent(settings)?.budget()?;
    let exhausted = budget.as_ref().and_then(lumoauth::Budget::exhausted);
    let code = if exhausted.is_some() { exit::DENIED } else { exit::OK };
    if json {
        return Ok(Ended::line(json!({ "budget": budget, "exhausted": exhausted })).with(code));
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

fn request(
    settings: &SettingsArgs,
    method: &str,
    path: &str,
    data: Option<&str>,
    query: &[String],
) -> Result<Ended, Failure> {
    let method: Method =
        method.to_ascii_uppercase().parse().map_err(|_| usage("that is not an HTTP method"))?;
    let mut request = ApiRequest::new(method, path);
    for pair in query {
        let (key, value) = split("--query", pair)?;
        request = request.query(key, value);
    }
    if let Some(data) = data {
        request = request.body("application/json", json_text(data)?);
    }
    answered(&agent(settings)?.run(request)?)
}

/// The body of an answer as it came, and the exit code that its status stands for.
fn answered(response: &lumoauth::wire::Response) -> Result<Ended, Failure> {
    let status = response.status();
    let code = match status.as_u16() {
        200..=299 => exit::OK,
        401 => exit::UNAUTHENTICATED,
        403 => exit::DENIED,
        408 | 429 | 500 | 502 | 503 | 504 => exit::TEMPORARY,
        _ => exit::FAILED,
    };
    if code != exit::OK {
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("HTTP {status}\n"));
    }
    let mut answer = response.body().to_vec();
    if !answer.is_empty() && !answer.ends_with(b"\n") {
        answer.push(b'\n');
    }
    Ok(Ended { answer, code })
}

/// JSON text from the argument, from a file, or from standard input.
fn json_text(data: &str) -> Result<String, Failure> {
    let text = match data.strip_prefix('@') {
        Some("-") => read_all(std::io::stdin().lock(), "standard input")?,
        Some(file) => read_text(Path::new(file))?,
        None => data.to_owned(),
    };
    // Read once to refuse a typing error before it is sent; sent as it was written.
    serde_json::from_str::<serde::de::IgnoredAny>(&text)
        .map_err(|error| usage(&format!("--data: {error}")))?;
    Ok(text)
}

fn split<'a>(option: &str, pair: &'a str) -> Result<(&'a str, &'a str), Failure> {
    let split = pair.split_once('=').filter(|(key, _)| !key.is_empty());
    split.ok_or_else(|| usage(&format!("{option} takes KEY=VALUE")))
}

fn read_text(file: &Path) -> Result<String, Failure> {
    let name = file.display().to_string();
    let opened = std::fs::File::open(file).map_err(|error| usage(&format!("{name}: {error}")))?;
    read_all(opened, &name)
}

fn read_all(from: impl Read, name: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = from
        .take(LARGEST + 1)
        .read_to_string(&mut text)
        .map_err(|error| usage(&format!("{name}: {error}")))?;
    if read as u64 > LARGEST {
        return Err(usage(&format!("{name}: larger than {LARGEST} bytes")));
    }
    Ok(text)
}

fn as_json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|error| usage(&format!("the answer cannot be written as JSON: {error}")))
}

fn table(rows: &[(&str, String)]) -> Ended {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in rows {
        // What the service wrote must not act on the terminal.
        let value: String = value.chars().flat_map(printable).collect();
        text.push_str(&format!("{name:width$}  {value}\n"));
    }
    Ended { answer: text.into_bytes(), code: exit::OK }
}

fn printable(character: char) -> Vec<char> {
    if character.is_control() { character.escape_unicode().collect() } else { vec![character] }
}

fn usage(problem: &str) -> Failure {
    Failure::Usage(problem.to_owned())
}
