//! `lumoauth emulator`: a local LumoAuth until the process is ended.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use lumoauth::aauth::AgentKey;
use lumoauth::emulator::{Emulator, ServeError};

use super::text::usage;
use crate::exit::{Ended, Failure};

/// The agent of AAuth that the demo tenant has.
const AGENT: &str = "aag_demo";

/// Serves the demo tenant, prints the environment that points at it, and waits.
pub fn run(listen: SocketAddr, key_file: Option<&Path>) -> Result<Ended, Failure> {
    let emulator = Emulator::demo().map_err(|error| usage(&error.to_string()))?;
    if let Some(path) = key_file {
        write_key(&emulator, path)?;
    }
    let served = emulator.serve(&listen.to_string()).map_err(|error| match error {
        ServeError::Io(_) => Failure::Local(error.to_string()),
        _ => usage(&error.to_string()),
    })?;
    let mut out = std::io::stdout().lock();
    let mut printed = Ok(());
    for (name, value) in emulator.environment(&served) {
        printed = printed.and_then(|()| writeln!(out, "export {name}='{value}'"));
    }
    printed
        .and_then(|()| out.flush())
        .map_err(|error| Failure::Local(format!("the environment could not be printed: {error}")))?;
    drop(out);
    let _ = writeln!(
        std::io::stderr(),
        "A local LumoAuth with a demo tenant listens on {}. It ends with this process (Ctrl-C).",
        served.url()
    );
    loop {
        std::thread::park();
    }
}

/// Writes the agent's key to a file that was not there, for its owner only.
fn write_key(emulator: &Emulator, path: &Path) -> Result<(), Failure> {
    let key = emulator.aauth_key(AGENT).map(AgentKey::to_pkcs8_pem);
    let pem =
        key.and_then(Result::ok).ok_or_else(|| Failure::Local("the demo has no such key".to_owned()))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(pem.expose().as_bytes()));
    written.map_err(|error| Failure::Local(format!("{} cannot be written: {error}", path.display())))
}
