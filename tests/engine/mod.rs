//! Redis and Valkey as they are, started by a test in a folder of its own; a test is skipped where neither is installed.
#![allow(dead_code, reason = "each binary of tests uses its part")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The programs that are there. Says which are not.
#[allow(clippy::disallowed_methods, reason = "the person who runs the tests says where programs are")]
pub fn programs(test: &str) -> Vec<PathBuf> {
    let folders: Vec<PathBuf> =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let mut found = Vec::new();
    for name in ["redis-server", "valkey-server"] {
        match folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()) {
            Some(path) => found.push(path),
            None => skipped(test, Path::new(name), "it is not installed; .ci/long gets it"),
        }
    }
    found
}

/// Says loudly, past the test harness' capture, that a check was not made.
pub fn skipped(test: &str, program: &Path, reason: &str) {
    let name = program.file_name().unwrap_or_default().display();
    let _ = std::io::stderr().write_all(format!("SKIPPED: {test} on {name}: {reason}\n").as_bytes());
}

/// A server that ends with its test.
pub struct Engine {
    child: Child,
    program: PathBuf,
    arguments: Vec<String>,
    pub folder: PathBuf,
    pub port: u16,
    password: Option<String>,
}

/// A folder that no other test has.
fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let memory = PathBuf::from("/dev/shm");
    let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let number = COUNT.fetch_add(1, Ordering::SeqCst);
    let folder = base.join(format!("lumoauth-engine-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A port of this machine that nobody has.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Engine {
    /// On a socket in its folder and on no port.
    pub fn start(program: &Path, more: &[&str]) -> Self {
        let folder = folder();
        let socket = folder.join("socket").display().to_string();
        let own = ["--port", "0", "--unixsocket", &socket];
        Engine::run(program, folder, 0, &[&own, more].concat())
    }

    /// On a port of loopback.
    pub fn on_port(program: &Path, port: u16, more: &[&str]) -> Self {
        let number = port.to_string();
        Engine::run(program, folder(), port, &[&["--port", &number, "--bind", "127.0.0.1"], more].concat())
    }

    /// The same, with a password for lines from the side.
    pub fn on_port_of(program: &Path, port: u16, more: &[&str], password: Option<&str>) -> Self {
        let mut engine = Engine::on_port(program, port, more);
        engine.password = password.map(str::to_owned);
        engine
    }

    /// As [`Engine::start`], if the program knows these arguments.
    pub fn that_can(program: &Path, more: &[&str]) -> Option<Self> {
        let folder = folder();
        let socket = folder.join("socket").display().to_string();
        let arguments =
            Engine::arguments(&folder, &[&["--port", "0", "--unixsocket", &socket], more].concat());
        let child = try_begin(program, &arguments).ok()?;
        Some(Engine { child, program: program.to_owned(), arguments, folder, port: 0, password: None })
    }

    fn arguments(folder: &Path, more: &[&str]) -> Vec<String> {
        let folder = folder.display().to_string();
        let own = ["--dir", &folder, "--save", "", "--appendonly", "no", "--daemonize", "no"];
        own.iter().chain(more).map(|part| (*part).to_owned()).collect()
    }

    fn run(program: &Path, folder: PathBuf, port: u16, arguments: &[&str]) -> Self {
        let own =
            ["--dir", &folder.display().to_string(), "--save", "", "--appendonly", "no", "--daemonize", "no"];
        let arguments: Vec<String> = own.iter().chain(arguments).map(|part| (*part).to_owned()).collect();
        let child = begin(program, &arguments);
        Engine { child, program: program.to_owned(), arguments, folder, port, password: None }
    }

    /// Sentinels are started with a file.
    pub fn sentinel(program: &Path, port: u16, content: &str) -> Self {
        let folder = folder();
        let file = folder.join("sentinel.conf");
        let content = format!("port {port}\nbind 127.0.0.1\ndir {}\n{content}", folder.display());
        std::fs::write(&file, content).unwrap();
        let arguments = vec![file.display().to_string(), "--sentinel".to_owned()];
        let child = begin(program, &arguments);
        Engine { child, program: program.to_owned(), arguments, folder, port, password: None }
    }

    pub fn url(&self) -> String {
        match self.port {
            0 => format!("unix://{}", self.folder.join("socket").display()),
            port => match &self.password {
                Some(password) => format!("redis://:{password}@127.0.0.1:{port}"),
                None => format!("redis://127.0.0.1:{port}"),
            },
        }
    }

    /// A line to it that is not the store's.
    pub fn aside(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Dead at once, and gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The same again: empty, unless it was told to keep what it has.
    pub fn again(&mut self) {
        let _ = std::fs::remove_file(self.folder.join("socket"));
        self.child = begin(&self.program, &self.arguments);
    }
}

/// Starts it, and waits until it says that it takes connections.
fn begin(program: &Path, arguments: &[String]) -> Child {
    try_begin(program, arguments).unwrap_or_else(|said| panic!("{}: {said:#?}", program.display()))
}

fn try_begin(program: &Path, arguments: &[String]) -> Result<Child, Vec<String>> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    loop {
        let Some(Ok(line)) = lines.next() else {
            let _ = child.wait();
            return Err(said);
        };
        let line_is_last = ["eady to accept connections", "ready to accept connections at", "Sentinel ID is"]
            .iter()
            .any(|ready| line.contains(ready));
        said.push(line);
        if line_is_last {
            break;
        }
    }
    // What it says further is read away, so that it never waits for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    Ok(child)
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
