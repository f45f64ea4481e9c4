//! `lumoauth emulator`: a local LumoAuth until the process is ended, or the command that it runs.

mod environment;
mod seed;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use lumoauth::aauth::AgentKey;
use lumoauth::emulator::{AuditEntry, Emulator, EmulatorBuilder, LogEntry, ServeError, Served, Tenant};

use super::text::usage;
use crate::args::SettingsArgs;
use crate::args::emulator::EmulatorArgs;
use crate::exit::{Ended, FAILED, Failure};

/// The agent of AAuth that the demo tenant has.
const AGENT: &str = "aag_demo";
/// How many lines of the log may wait for the terminal. More are left out.
const WAITING: usize = 4096;

/// Options that say where a service is and who asks mean nothing here.
pub fn refuse(settings: &SettingsArgs) -> Result<(), Failure> {
    let SettingsArgs { url, tenant, org, client_id, client_secret_file, ca_file, timeout, .. } = settings;
    let SettingsArgs { workload_token_file, workload_provider, no_cache, verbose, .. } = settings;
    let given = [
        ("--url", url.is_some()),
        ("--tenant", tenant.is_some()),
        ("--org", org.is_some()),
        ("--client-id", client_id.is_some()),
        ("--client-secret-file", client_secret_file.is_some()),
        ("--ca-file", ca_file.is_some()),
        ("--timeout", timeout.is_some()),
        ("--workload-token-file", workload_token_file.is_some()),
        ("--workload-provider", workload_provider.is_some()),
        ("--no-cache", *no_cache),
        ("--verbose", *verbose),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => {
            Err(usage(&format!("{name} means nothing to the emulator: a seed file says what it has")))
        }
        None => Ok(()),
    }
}

/// Serves, says how to reach it and what there is, and waits for the command or for ever.
pub fn run(asked: &EmulatorArgs) -> Result<Ended, Failure> {
    let emulator = world(asked)?;
    if let Some(path) = &asked.aauth_key_file {
        write_key(&emulator, path)?;
    }
    let agent = asked.agent.as_deref().unwrap_or_else(|| emulator.client_id());
    let log = asked.log.then(|| Log::follow(&emulator)).transpose()?;
    let address = asked.listen.to_string();
    let served =
        if asked.no_console { emulator.serve(&address) } else { emulator.serve_with_console(&address) };
    let served = served.map_err(|error| match error {
        ServeError::Io(ref cause) => Failure::Local(format!("{error}: {cause}")),
        _ => usage(&error.to_string()),
    })?;
    let environment =
        emulator.environment_of(&served, agent).map_err(|error| usage(&format!("--agent: {error}")))?;
    if let [program, arguments @ ..] = asked.command.as_slice() {
        say_banner(asked, &emulator, &served, "until the command ends");
        let ended = with(environment, program, arguments);
        served.shutdown();
        if let Some(log) = log {
            log.end();
        }
        return ended;
    }
    let mut out = std::io::stdout().lock();
    out.write_all(environment::text(asked.format, &environment).as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::Local(format!("the environment could not be printed: {error}")))?;
    drop(out);
    say_banner(asked, &emulator, &served, "until this process ends (Ctrl-C)");
    loop {
        std::thread::park();
    }
}

/// The world of the seed, or the demo, with what clients of others need.
fn world(asked: &EmulatorArgs) -> Result<Emulator, Failure> {
    let adjust = |builder: EmulatorBuilder| {
        let builder = asked.redirect_uris.iter().fold(builder, EmulatorBuilder::redirect_uri);
        let builder = asked.mcp_resources.iter().fold(builder, EmulatorBuilder::mcp_resource);
        let builder = asked.auto_consent.iter().fold(builder, EmulatorBuilder::auto_consent);
        let builder = if asked.pkce_optional { builder.pkce_optional(true) } else { builder };
        if asked.issuers { builder.issuers_in_resource_metadata(true) } else { builder }
    };
    match &asked.seed {
        Some(file) => seed::read(file, adjust),
        None => {
            let demo = adjust(Emulator::builder().tenant(Tenant::demo()));
            demo.build().map_err(|error| usage(&error.to_string()))
        }
    }
}

/// What a person wants to know at the start. No secret is in it but those that were asked for, and the console's address.
fn say_banner(asked: &EmulatorArgs, emulator: &Emulator, served: &Served, until: &str) {
    let mut text = format!("A local LumoAuth listens on {} {until}.\n", served.url());
    for line in emulator.summary().lines() {
        text.push_str(&format!("  {line}\n"));
    }
    if asked.issuers {
        text.push_str("  authorization_servers: issuers, for MCP clients of others\n");
    } else {
        text.push_str("  authorization_servers: metadata URLs; MCP clients of others need --issuers\n");
    }
    if let Some(user) = &asked.auto_consent {
        text.push_str(&format!("  consent: given at once, by {}\n", user.escape_debug()));
    }
    if asked.secrets {
        for id in emulator.client_ids() {
            if let Some(secret) = emulator.secret_of(id) {
                text.push_str(&format!(
                    "  secret of {}: {}\n",
                    id.escape_debug(),
                    secret.expose().escape_debug()
                ));
            }
        }
        if let Some(key) = emulator.api_key() {
            text.push_str(&format!("  API key: {}\n", key.expose().escape_debug()));
        }
    }
    if let Some(console) = served.console() {
        text.push_str(&format!("  The console, for you and no agent: {}\n", console.expose()));
    }
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Runs a command with the environment that leads here. Its exit code is the answer.
fn with(
    environment: Vec<(&'static str, String)>,
    program: &OsString,
    arguments: &[OsString],
) -> Result<Ended, Failure> {
    let mut command = std::process::Command::new(program);
    command.args(arguments).envs(environment);
    let status = command.status().map_err(|error| {
        Failure::Local(format!("{} cannot be run: {error}", program.to_string_lossy().escape_debug()))
    })?;
    let code = status.code().or_else(|| by_signal(status));
    let code = code.and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED);
    Ok(Ended { answer: Vec::new(), code })
}

/// What shells say of a command that a signal ended: 128 and the signal's number.
#[cfg(unix)]
fn by_signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)?.checked_add(128)
}

#[cfg(not(unix))]
fn by_signal(_: ExitStatus) -> Option<i32> {
    None
}

/// A line for each request on standard error, written by a thread of its own: the emulator never waits for a terminal.
struct Log {
    lines: SyncSender<Option<String>>,
    thread: JoinHandle<()>,
}

impl Log {
    fn follow(emulator: &Emulator) -> Result<Self, Failure> {
        let (lines, received) = sync_channel(WAITING);
        let write = move || {
            // Nothing stands for the end.
            for line in received.into_iter().map_while(|line: Option<String>| line) {
                let _ = writeln!(std::io::stderr(), "{line}");
            }
        };
        let thread = std::thread::Builder::new().name("lumoauth-log".into()).spawn(write);
        let thread = thread.map_err(|error| Failure::Local(format!("the log cannot be written: {error}")))?;
        let own = lines.clone();
        emulator.follow(move |entry, decision| say(&own, entry, decision));
        Ok(Log { lines, thread })
    }

    /// Waits until the last line is written.
    fn end(self) {
        let _ = self.lines.send(None);
        let _ = self.thread.join();
    }
}

fn say(lines: &SyncSender<Option<String>>, entry: &LogEntry, decision: Option<&AuditEntry>) {
    let agent = entry.client_id.as_deref().unwrap_or("-");
    let mut line = format!(
        "{} {} {} {} {}",
        entry.time,
        entry.status,
        entry.route,
        agent.escape_debug(),
        entry.method.escape_debug()
    );
    if let Some(decision) = decision {
        let allowed = if decision.allowed { "allowed" } else { "denied" };
        let (action, reason) = (decision.action.escape_debug(), decision.reason.escape_debug());
        line.push_str(&format!(" {allowed} \"{action}\" ({reason}) {}", decision.id));
    }
    let _ = lines.try_send(Some(line));
}

/// Writes the agent's key to a file that was not there, for its owner only.
fn write_key(emulator: &Emulator, path: &Path) -> Result<(), Failure> {
    let key = emulator.aauth_key(AGENT).map(AgentKey::to_pkcs8_pem);
    let pem = key.and_then(Result::ok);
    let pem = pem.ok_or_else(|| {
        usage(&format!("--aauth-key-file: there is no AAuth agent {AGENT} with a key made here"))
    })?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(pem.expose().as_bytes()));
    written.map_err(|error| Failure::Local(format!("{} cannot be written: {error}", path.display())))
}
