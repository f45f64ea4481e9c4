//! The example in a real browser: Chromium, driven by its own driver over HTTP (WebDriver).
#![cfg(feature = "reqwest")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lumoauth::asynchronous::signin::SignIn;
use lumoauth::emulator::{AgentSeed, Emulator, Tenant, UserSeed};
use serde_json::{Value, json};

use super::support::SECRET;

#[allow(dead_code)]
#[path = "../../examples/signin.rs"]
mod example;

/// What WebDriver calls an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How long the driver looks for an element, in milliseconds: far beyond what any machine needs.
const PATIENCE: u64 = 120_000;

struct Driver {
    process: Child,
    port: u16,
    session: String,
    shots: PathBuf,
}

impl Driver {
    /// None, and why, where there is no browser.
    fn start() -> Result<Self, String> {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("chromedriver does not start: {error}"))?;
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let rest = line.ok()?.split_once("successfully on port ")?.1.to_owned();
            rest.trim_end_matches('.').parse().ok()
        });
        let Some(port) = port else {
            let _ = process.wait();
            return Err("chromedriver says no port".to_owned());
        };
        // What it says later must not fill the pipe.
        thread::spawn(move || lines.for_each(drop));
        let shots = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("signin");
        std::fs::create_dir_all(&shots).unwrap();
        let mut driver = Driver { process, port, session: String::new(), shots };
        let options = json!({"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=900,700"]});
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options, "timeouts": {"implicit": PATIENCE}
        }}});
        let answer = driver.call("POST", "/session", &capabilities);
        match answer["sessionId"].as_str() {
            Some(session) => driver.session = format!("/session/{session}"),
            None => return Err(format!("chromium does not start: {}", answer["message"])),
        }
        Ok(driver)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        // The driver keeps its connections open: the answer ends where it says.
        let mut stream = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while stream.read_line(&mut line).unwrap() > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let answer: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
        answer["value"].clone()
    }

    fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.call("POST", &format!("{}{path}", self.session), &body);
        assert!(answer["error"].is_null(), "{path}: {answer}");
        answer
    }

    fn get(&self, path: &str) -> Value {
        self.call("GET", &format!("{}{path}", self.session), &Value::Null)
    }

    fn open(&self, url: &str) {
        self.post("/url", json!({"url": url}));
    }

    /// Waits for the element.
    fn find(&self, xpath: &str) -> String {
        let found = self.call(
            "POST",
            &format!("{}/element", self.session),
            &json!({"using": "xpath", "value": xpath}),
        );
        match found[ELEMENT].as_str() {
            Some(element) => element.to_owned(),
            None => panic!("{xpath}: {}\n{}", found["message"], self.source()),
        }
    }

    fn click(&self, xpath: &str) {
        let element = self.find(xpath);
        self.post(&format!("/element/{element}/click"), json!({}));
    }

    fn source(&self) -> String {
        format!("{} {}", self.get("/url"), self.get("/source"))
    }

    fn url(&self) -> String {
        self.get("/url").as_str().unwrap().to_owned()
    }

    fn shot(&self, name: &str) {
        let image = self.get("/screenshot");
        let bytes = STANDARD.decode(image.as_str().unwrap()).unwrap();
        std::fs::write(self.shots.join(format!("{name}.png")), bytes).unwrap();
    }

    fn window(&self) -> String {
        self.get("/window").as_str().unwrap().to_owned()
    }

    fn switch(&self, window: &str) {
        self.post("/window", json!({"handle": window}));
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // With it the browser ends.
            self.call("DELETE", &self.session, &Value::Null);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A page of somebody else's that signs people out as soon as it is opened.
fn evil_page(listener: TcpListener, target: String) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { return };
        let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
        while head.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        let page = format!(
            "<form method=\"post\" action=\"{target}\"></form><script>document.forms[0].submit()</script>"
        );
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
            page.len()
        );
    }
}

/// The example's service and a LumoAuth for it; the addresses of both.
fn serve() -> (String, lumoauth::emulator::Served) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let home = format!("http://{}", listener.local_addr().unwrap());
    let service = AgentSeed::new("app_documents")
        .secret("fixed-secret")
        .name("Documents")
        .redirect_uri(format!("{home}/callback"))
        .post_logout_redirect_uri(format!("{home}/"));
    let person = |name: &str| UserSeed::new(name).email(format!("{name}@acme.example")).display_name(name);
    let tenant = Tenant::new("acme").agent(service).user(person("alice")).user(person("bob"));
    let served = Emulator::builder().tenant(tenant).build().unwrap().serve("127.0.0.1:0").unwrap();
    let sign_in = SignIn::builder()
        .base_url(served.url())
        .tenant("acme")
        .client_id("app_documents")
        .client_secret("fixed-secret")
        .public_url(&home)
        .session_secret(SECRET)
        .back_from_service("/")
        .build()
        .unwrap();
    let (ready, started) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            ready.send(()).unwrap();
            axum::serve(listener, example::service(&sign_in)).await.unwrap();
        });
    });
    started.recv().unwrap();
    (home, served)
}

/// Past what the harness keeps of a test that passes.
fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: signing in with a browser: {why}");
}

#[test]
fn a_person_signs_in_looks_around_and_signs_out() {
    if !super::rounds::all() {
        return skipped("a browser is started by .ci/long only (LUMOAUTH_LONG)");
    }
    let driver = match Driver::start() {
        Ok(driver) => driver,
        Err(why) => return skipped(&format!("no browser ran: {why} (Debian: chromium, chromium-driver)")),
    };
    let (home, served) = serve();

    // Signing in, with the consent at the service.
    driver.open(&home);
    driver.find("//h1[.='Welcome']");
    driver.shot("1-signed-out");
    driver.click("//a[.='Sign in']");
    driver.find("//h1[.='Allow this agent?']");
    assert!(driver.url().starts_with(served.url()), "{}", driver.url());
    driver.shot("2-consent");
    driver.click("//label[.='bob']");
    driver.click("//button[.='Approve']");
    driver.find("//h1[.='Welcome, bob']");
    assert_eq!(driver.url(), format!("{home}/"));
    driver.shot("3-signed-in");

    // A page for those who are signed in, and what scripts can see of it.
    driver.click("//a[.='Documents']");
    driver.find("//h1[.='Documents of bob@acme.example']");
    driver.shot("4-documents");
    let seen = driver.post("/execute/sync", json!({"script": "return document.cookie", "args": []}));
    assert_eq!(seen, "", "scripts see no cookie");
    let cookies = driver.get("/cookie");
    let session =
        cookies.as_array().unwrap().iter().find(|cookie| cookie["name"] == "lumoauth_session").unwrap();
    assert_eq!((&session["httpOnly"], &session["sameSite"]), (&json!(true), &json!("Lax")), "{session}");

    // A second tab is signed in too; signing in there again asks nobody, and both tabs go on.
    let first = driver.window();
    let second = driver.post("/window/new", json!({"type": "tab"}))["handle"].as_str().unwrap().to_owned();
    driver.switch(&second);
    driver.open(&format!("{home}/documents"));
    driver.find("//h1[.='Documents of bob@acme.example']");
    driver.open(&format!("{home}/login?return_to=/documents"));
    driver.find("//h1[.='Documents of bob@acme.example']");
    driver.open(&format!("{home}/login?return_to=//evil.example"));
    driver.find("//h1[.='Welcome, bob']");
    assert_eq!(driver.url(), format!("{home}/"));

    // Pages of others sign nobody out: neither from another port of this machine, nor under another name.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = format!("{home}/logout");
    thread::spawn(move || evil_page(listener, target));
    for host in ["127.0.0.1", "localhost"] {
        driver.open(&format!("http://{host}:{port}/"));
        driver.find("//p[@role='alert' and .='This does not work.']");
        assert_eq!(driver.url(), format!("{home}/logout"), "{host}");
        driver.shot(&format!("5-refused-{host}"));
        driver.open(&home);
        driver.find("//h1[.='Welcome, bob']");
    }

    // Signing out in the first tab is signing out in both, and at the service.
    driver.switch(&first);
    driver.open(&home);
    driver.click("//button[.='Sign out']");
    driver.find("//h1[.='Welcome']");
    assert_eq!(driver.url(), format!("{home}/"));
    driver.shot("6-signed-out");
    driver.switch(&second);
    driver.open(&format!("{home}/documents"));
    driver.find("//h1[.='Allow this agent?']");
    assert!(driver.url().starts_with(served.url()), "{}", driver.url());
    driver.shot("7-second-tab");
    driver.click("//button[.='Deny']");
    driver.find("//p[@role='alert' and .='The sign-in was refused.']");
    driver.shot("8-denied");
    driver.click("//a[.='Sign in again']");
    driver.find("//h1[.='Allow this agent?']");
    println!("signed in and out in Chromium; screenshots in {}", driver.shots.display());
}
