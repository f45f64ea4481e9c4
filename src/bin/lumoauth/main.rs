//! The command line `lumoauth`: an agent's identity for scripts. It uses the library's public face only.
//!
//! Standard output carries the answer alone; everything else goes to standard error.

mod args;
mod commands;
mod exit;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::Arguments;
use exit::Ended;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (text, code) = match commands::run(&arguments) {
        Ok(Ended { answer, code }) => (answer, code),
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "{failure}");
            return ExitCode::from(failure.code());
        }
    };
    // Whoever reads may have gone (`lumoauth info | head -1`); that is no failure of ours.
    let mut out = std::io::stdout().lock();
    let written = out.write_all(&text).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            let _ = writeln!(std::io::stderr(), "error: the answer could not be written: {error}");
            ExitCode::from(exit::FAILED)
        }
        _ => ExitCode::from(code),
    }
}
