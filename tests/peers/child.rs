//! Peers as child processes.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// Where peers are installed.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers").join(name)
}

/// Says loudly, past the test harness' capture, that a check was not made.
pub fn skipped(what: &str, reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}: {reason}");
}

/// Runs a command to its end; its words if it fails.
pub fn run(command: &mut Command) -> Result<Vec<u8>, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}", words.lines().last().unwrap_or_default()))
}

/// The interpreter that has the vendor's SDK, installed once for all tests.
fn interpreter() -> Result<&'static Path, &'static str> {
    static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let install = || {
        let home = folder("python");
        let python = home.join("bin/python");
        let works = |python: &Path| {
            run(Command::new(python).args(["-c", "import lumoauth, lumoauth_api_client, cryptography"]))
        };
        if works(&python).is_err() {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))?;
            run(Command::new(&python).args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "lumoauth[aauth,api]==1.1.0",
            ]))?;
            works(&python)?;
        }
        Ok(python)
    };
    INSTALLED.get_or_init(install).as_deref().map_err(String::as_str)
}

/// The Python peer: answers one request at a time.
pub struct Python {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Python {
    /// Starts it; none, said loudly, if it cannot be had.
    pub fn start(what: &str) -> Option<Self> {
        let python = match interpreter() {
            Ok(python) => python,
            Err(reason) => {
                skipped(what, reason);
                return None;
            }
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/run.py");
        let mut command = Command::new(python);
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
            command.env_remove(name);
        }
        let mut child = command.spawn().expect("the interpreter that just ran");
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Some(Python { child, to, from })
    }

    /// Asks, and reads the answer; an error of the peer is `{"error": ...}`.
    pub fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.to, "{request}").unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Variables that would send a program to a proxy.
pub const PROXIES: [&str; 6] =
    ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// Runs a script of this folder, hands it what it is asked, and reads what it says in its last line.
pub fn told(python: &Path, script: &str, asked: &Value) -> Value {
    let mut command = Command::new(python);
    for name in PROXIES {
        command.env_remove(name);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(script);
    let mut child = command
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(out.lines().last().unwrap_or_default()).unwrap_or_else(|_| panic!("{out}{err}"))
}
