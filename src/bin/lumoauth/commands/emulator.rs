//! `lumoauth emulator`: a local LumoAuth until the process is ended.

use std::io::Write;
use std::net::SocketAddr;

use lumoauth::emulator::{Emulator, ServeError};

use super::text::usage;
use crate::exit::{Ended, Failure};

/// Serves the demo tenant, prints the environment that points at it, and waits.
pub fn run(listen: SocketAddr) -> Result<Ended, Failure> {
    let emulator = Emulator::demo().map_err(|error| usage(&error.to_string()))?;
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
