//! A service, a folder for sessions, and runs of the command line.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use lumoauth::embed::wire::{Form, Request};
use lumoauth::emulator::{AgentSeed, Emulator, Served, Tenant, UserSeed};
use lumoauth::http::{Method, header};
use lumoauth::transport::{TransportOptions, UreqTransport};
use lumoauth::{Agent, Transport};

pub const REDIRECT: &str = "https://myapp.com/consent";
pub const SECRET: &str = "fixed-secret-for-tests";

pub type Ended = (i32, String, String);

pub struct World {
    pub emulator: Emulator,
    pub served: Served,
    pub folder: PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub fn world() -> World {
    let seed =
        |id: &str| AgentSeed::new(id).secret(SECRET).capabilities(["read:documents", "delegate:on_behalf"]);
    let tenant = Tenant::new("acme")
        .agent(seed("agt_1").redirect_uri(REDIRECT))
        .agent(seed("agt_2").redirect_uri(REDIRECT))
        .user(UserSeed::new("alice").scopes(["read:documents"]));
    let emulator = Emulator::builder().tenant(tenant).build().unwrap();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("lumoauth-cli-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    World { emulator, served, folder: std::env::temp_dir().join(name) }
}

impl World {
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lumoauth"));
        command.env_clear().envs(self.emulator.environment(&self.served));
        command.env("LUMOAUTH_STATE_DIR", self.state()).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        ended(&self.command(arguments).output().unwrap())
    }

    pub fn run_with(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // A run that ends by its arguments does not read.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        ended(&child.wait_with_output().unwrap())
    }

    /// A file of its own, and its name.
    pub fn file(&self, name: &str, content: &str) -> String {
        std::fs::create_dir_all(&self.folder).unwrap();
        let path = self.folder.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub fn agent(&self, client_id: &str) -> Agent {
        let builder = Agent::builder().base_url(self.served.url()).tenant("acme");
        builder.client_id(client_id).client_secret(SECRET).build().unwrap()
    }

    pub fn issuer(&self) -> String {
        self.agent("agt_1").session().site().api_base()
    }

    /// The session's steps up to a user who is back.
    pub fn consent(&self, session: &str) {
        let url = self.url(session);
        let back = press("approve", &url);
        let ended = self.run_with(&["delegate", "callback", "--session", session, "-"], &back);
        assert_eq!(ended, (0, String::new(), String::new()));
    }

    pub fn url(&self, session: &str) -> String {
        let arguments = ["delegate", "url", "--session", session, "--redirect-uri", REDIRECT];
        let (code, out, err) = self.run(&[&arguments[..], &["--scope", "read:documents"]].concat());
        assert_eq!((code, err.as_str()), (0, ""));
        out.trim_end().to_owned()
    }

    /// All files below the folder of sessions.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        below(&self.state(), &mut found);
        found
    }
}

pub fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { below(&path, found) } else { found.push(path) }
    }
}

pub fn ended(output: &Output) -> Ended {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// What a person does: opens the page, presses a button, and is sent back.
pub fn press(button: &str, url: &str) -> String {
    let browser = UreqTransport::new(&TransportOptions::new()).unwrap();
    let page = browser.send(Request::new(Method::GET, url.parse().unwrap())).unwrap().text();
    let hidden = |name: &str| {
        let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let form = Form::new()
        .field("request", &hidden("request"))
        .field("csrf", &hidden("csrf"))
        .field("user", "alice")
        .field("decision", button);
    let address = url.split('?').next().unwrap().parse().unwrap();
    let answer = browser.send(Request::new(Method::POST, address).form(form)).unwrap();
    answer.header(header::LOCATION).unwrap().to_owned()
}
