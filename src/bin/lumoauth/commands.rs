//! The commands, one file per family.

mod aauth;
mod about;
mod approve;
mod cache;
mod check;
mod delegate;
mod emulator;
mod jit;
mod request;
mod shared;
mod state;
mod text;
mod tokens;

use std::path::Path;
use std::time::Duration;

use lumoauth::{Agent, AgentBuilder, Client, Secret};

use crate::args::{Arguments, CacheCommand, Command, SettingsArgs};
use crate::exit::{Ended, Failure, inert};
use state::variable;
use text::{read_text, usage};

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Ended, Failure> {
    let settings = &arguments.settings;
    match &arguments.command {
        Command::Token { scopes, fresh, json } => tokens::token(settings, scopes, *fresh, *json),
        Command::Ask { action, context, context_json, json } => {
            about::ask(settings, action, context, context_json.as_deref(), *json)
        }
        Command::Approve { command } => approve::run(settings, command),
        Command::Check { api_key_file, command } => check::check(settings, api_key_file.as_deref(), command),
        Command::Vault { command } => check::vault(settings, command),
        Command::Info { json } => about::info(settings, *json),
        Command::Identity { json } => about::identity(settings, *json),
        Command::Capability { name } => about::capability(settings, name),
        Command::Budget { json } => about::budget(settings, *json),
        Command::Request { request } => request::request(settings, request),
        Command::McpToken { server, scopes, client_auth, json } => {
            tokens::mcp_token(settings, server, scopes, *client_auth, *json)
        }
        Command::Cache { command: CacheCommand::Clear { revoke } } => cache::clear(settings, *revoke),
        Command::Exchange(exchange) => tokens::exchange(settings, exchange),
        Command::Delegate(delegate) => delegate::run(settings, delegate),
        Command::Verify { token, issuer, audience } => tokens::verify(settings, token, issuer, audience),
        Command::Decode { token } => tokens::decode(token),
        Command::Aauth { signer, command } => aauth::run(settings, signer, command),
        Command::Jit { command } => jit::run(settings, command),
        Command::Emulator(asked) => {
            emulator::refuse(settings)?;
            emulator::run(asked)
        }
    }
}

/// The agent that the settings describe.
fn agent(settings: &SettingsArgs) -> Result<Agent, Failure> {
    Ok(builder(settings)?.build()?)
}

/// An agent to be built, with tokens that it shares with other runs.
fn builder(settings: &SettingsArgs) -> Result<AgentBuilder, Failure> {
    let secret = secret(settings)?;
    let kept = match shared::named(settings)? {
        _ if settings.no_cache => Err("--no-cache".to_owned()),
        Some(named) => Ok(cache::Kept::Named(named.store)),
        None => cache::open(settings, secret.as_ref()),
    };
    let builder = bare(settings, secret)?;
    Ok(match kept {
        Ok(kept) => kept.shared_by(builder),
        Err(why) => {
            say(settings, &format!("tokens are kept in memory only: {why}"));
            builder
        }
    })
}

/// What helps to see what happens.
fn say(settings: &SettingsArgs, text: &str) {
    if settings.verbose {
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{}\n", inert(text)));
    }
}

/// The client secret: read once, because a file need not give it twice.
fn secret(settings: &SettingsArgs) -> Result<Option<Secret>, Failure> {
    let Some(file) = &settings.client_secret_file else { return Ok(None) };
    let secret = Secret::new(read_text(file)?);
    Ok(Some(Secret::new(secret.expose().trim_end_matches(['\r', '\n']))))
}

/// An agent to be built that shares nothing.
fn alone(settings: &SettingsArgs) -> Result<AgentBuilder, Failure> {
    bare(settings, secret(settings)?)
}

/// Where the service is, and how it is reached: the settings that all clients have.
macro_rules! connected {
    ($builder:expr, $settings:expr) => {{
        let (mut builder, settings) = ($builder, $settings);
        if let Some(url) = &settings.url {
            builder = builder.base_url(url);
        }
        if let Some(tenant) = &settings.tenant {
            builder = builder.tenant(tenant);
        }
        if let Some(org) = &settings.org {
            builder = builder.organization(org);
        }
        if let Some(file) = &settings.ca_file {
            builder = builder.root_certificates(read_text(file)?);
        }
        if let Some(timeout) = timeout(settings)? {
            builder = builder.timeout(timeout);
        }
        builder
    }};
}

/// The client of a service with an API key: the one in the file, or the environment's where no agent is set. None if it is the agent's
/// turn. A key and an agent's token are never sent together.
fn service(settings: &SettingsArgs, key_file: Option<&Path>) -> Result<Option<Client>, Failure> {
    let named = settings.client_id.is_some()
        || settings.client_secret_file.is_some()
        || settings.workload_token_file.is_some();
    let is_set = |name| variable(name).is_some_and(|value| !value.to_string_lossy().trim().is_empty());
    let builder = match key_file {
        Some(_) if named => {
            return Err(usage("--api-key-file is the credential of a service: leave out those of an agent"));
        }
        Some(file) => {
            let key = Secret::new(read_text(file)?);
            Client::builder().api_key(key.expose().trim_end_matches(['\r', '\n']))
        }
        None if named || is_set("AGENT_CLIENT_ID") || is_set("AGENT_CLIENT_SECRET") => return Ok(None),
        None if is_set("LUMOAUTH_API_KEY") => Client::builder(),
        None => return Ok(None),
    };
    Ok(Some(connected!(builder, settings).environment().build()?))
}

fn bare(settings: &SettingsArgs, secret: Option<Secret>) -> Result<AgentBuilder, Failure> {
    let mut builder = connected!(Agent::builder(), settings);
    if let Some(client_id) = &settings.client_id {
        builder = builder.client_id(client_id);
    }
    if let Some(secret) = secret {
        builder = builder.client_secret(secret);
    }
    if let (Some(file), Some(provider)) = (&settings.workload_token_file, &settings.workload_provider) {
        builder = builder.workload_token_file(provider, file);
    }
    Ok(builder.environment())
}

/// The whole time of a call, if it is set.
fn timeout(settings: &SettingsArgs) -> Result<Option<Duration>, Failure> {
    let Some(seconds) = settings.timeout else { return Ok(None) };
    let timeout = Duration::try_from_secs_f64(seconds).ok().filter(|timeout| !timeout.is_zero());
    timeout.map(Some).ok_or_else(|| usage("--timeout must be a positive number of seconds"))
}
