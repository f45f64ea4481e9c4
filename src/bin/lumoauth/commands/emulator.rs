//! `lumoauth emulator`: a local LumoAuth until the process is ended, or the command that it runs.

mod seed;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use lumoauth::aauth::AgentKey;
use lumoauth::emulator::{AuditEntry, Emulator, LogEntry, ServeError, Served};

use super::text::usage;
use crate::args::SettingsArgs;
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

/// Serves, says how to reach it, and waits for the command or for ever.
pub fn run(
    seed: Option<&Path>,
    log: bool,
    listen: SocketAddr,
    key_file: Option<&Path>,
    command: &[OsString],
) -> Result<Ended, Failure> {
    let emulator = match seed {
        Some(file) => seed::read(file)?,
        None => Emulator::demo().map_err(|error| usage(&error.to_string()))?,
    };
    if let Some(path) = key_file {
        write_key(&emulator, path)?;
    }
    let log = log.then(|| Log::follow(&emulator)).transpose()?;
    let served = emulator.serve(&listen.to_string()).map_err(|error| match error {
        ServeError::Io(_) => Failure::Local(error.to_string()),
        _ => usage(&error.to_string()),
    })?;
    let world = if seed.is_some() { "the tenants of its seed" } else { "a demo tenant" };
    let url = served.url();
    let mut err = std::io::stderr();
    if let [program, arguments @ ..] = command {
        let _ = writeln!(err, "A local LumoAuth with {world} listens on {url} until the command ends.");
        let ended = with(&emulator, &served, program, arguments);
        served.shutdown();
        if let Some(log) = log {
            log.end();
        }
        return ended;
    }
    let mut out = std::io::stdout().lock();
    let mut printed = Ok(());
    for (name, value) in emulator.environment(&served) {
        printed = printed.and_then(|()| writeln!(out, "export {name}={}", quoted(&value)));
    }
    printed
        .and_then(|()| out.flush())
        .map_err(|error| Failure::Local(format!("the environment could not be printed: {error}")))?;
    drop(out);
    let _ =
        writeln!(err, "A local LumoAuth with {world} listens on {url}. It ends with this process (Ctrl-C).");
    loop {
        std::thread::park();
    }
}

/// One word for a shell, whatever is in it.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// Runs a command with the environment that leads here. Its exit code is the answer.
fn with(
    emulator: &Emulator,
    served: &Served,
    program: &OsString,
    arguments: &[OsString],
) -> Result<Ended, Failure> {
    let mut command = std::process::Command::new(program);
    command.args(arguments).envs(emulator.environment(served));
    let status = command.status().map_err(|error| {
        Failure::Local(format!("{} cannot be run: {error}", program.to_string_lossy().escape_debug()))
    })?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED);
    Ok(Ended { answer: Vec::new(), code })
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
