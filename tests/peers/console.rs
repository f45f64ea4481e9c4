//! The console of the emulator in a real browser: Chromium without a window, driven by its WebDriver over plain HTTP.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lumoauth::emulator::{Emulator, Served};
use serde_json::{Value, json};

use super::child::{folder, skipped};

const LUMOAUTH: &str = env!("CARGO_BIN_EXE_lumoauth");

/// A browser with one window.
struct Browser {
    driver: Child,
    base: String,
    web: ureq::Agent,
}

impl Browser {
    /// Starts it; none, said loudly, if it cannot be had.
    fn start(what: &str) -> Option<Self> {
        let driver =
            Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut driver = match driver {
            Ok(driver) => driver,
            Err(error) => {
                skipped(what, &format!("chromedriver (Debian's chromium-driver): {error}"));
                return None;
            }
        };
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.into_iter().find_map(|line| {
            let rest = line.split("started successfully on port ").nth(1)?;
            Some(rest.trim_end_matches('.').to_owned())
        });
        let web = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().new_agent();
        let mut browser = Browser { driver, base: String::new(), web };
        let Some(port) = port else {
            skipped(what, "chromedriver does not start");
            return None;
        };
        browser.base = format!("http://127.0.0.1:{port}/session");
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-proxy-server",
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": arguments},
        }}});
        let answer = browser.send("POST", "", &wanted);
        let Some(id) = answer["sessionId"].as_str() else {
            skipped(what, &format!("Chromium does not start: {}", answer["message"]));
            return None;
        };
        browser.base = format!("{}/{id}", browser.base);
        // Finding waits until the page has it, however slow the machine is.
        browser.send(
            "POST",
            "/timeouts",
            &json!({"implicit": 120_000, "pageLoad": 240_000, "script": 240_000}),
        );
        Some(browser)
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.base);
        let mut answer = match method {
            "GET" => self.web.get(&url).call(),
            "DELETE" => self.web.delete(&url).call(),
            _ => self.web.post(&url).header("content-type", "application/json").send(body.to_string()),
        }
        .unwrap();
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["value"].clone()
    }

    fn open(&self, url: &str) {
        assert_eq!(self.send("POST", "/url", &json!({"url": url})), Value::Null);
    }

    fn script(&self, script: &str) -> Value {
        self.send("POST", "/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Presses what this path leads to, once it is there. The page may renew itself in between.
    fn press(&self, xpath: &str) {
        for _ in 0..20 {
            let found = self.send("POST", "/element", &json!({"using": "xpath", "value": xpath}));
            let id = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
            let id = id.unwrap_or_else(|| panic!("{xpath}: {found}"));
            match self.send("POST", &format!("/element/{id}/click"), &json!({})) {
                Value::Null => return,
                stale if stale["error"] == "stale element reference" => {}
                other => panic!("{xpath}: {other}"),
            }
        }
        panic!("{xpath}: never there for long");
    }

    fn has(&self, xpath: &str) {
        let found = self.send("POST", "/element", &json!({"using": "xpath", "value": xpath}));
        assert!(found.get("error").is_none(), "{xpath}: {found}");
    }

    /// A picture of the whole page in a window of this width.
    fn picture(&self, name: &str, width: u32, scheme: &str) -> PathBuf {
        let cdp = |command: &str, params: Value| {
            self.send("POST", "/goog/cdp/execute", &json!({"cmd": command, "params": params}))
        };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        cdp("Emulation.setEmulatedMedia", media);
        let metrics = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        cdp("Emulation.setDeviceMetricsOverride", metrics);
        let data = cdp("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": true}));
        let png = STANDARD.decode(data["data"].as_str().unwrap()).unwrap();
        let file = folder("console").join(format!("{name}.png"));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, png).unwrap();
        file
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if self.base.matches('/').count() > 3 {
            let _ = self.web.delete(&self.base).call();
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn lumoauth(emulator: &Emulator, served: &Served, arguments: &[&str]) -> Command {
    let mut command = Command::new(LUMOAUTH);
    command.env_clear().envs(emulator.environment(served)).arg("--no-cache").args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn code(command: &mut Command) -> i32 {
    let Output { status, .. } = command.output().unwrap();
    status.code().unwrap()
}

#[test]
fn a_person_approves_and_gives_a_capability_in_a_browser() {
    let Some(browser) = Browser::start("the console in Chromium") else { return };
    let emulator = Emulator::demo().unwrap();
    let served = emulator.serve_with_console("127.0.0.1:0").unwrap();
    let run = |arguments: &[&str]| lumoauth(&emulator, &served, arguments);

    // Without the token of the start there is nothing.
    browser.open(served.url());
    browser.has("//h1[text()='The console is locked']");
    browser.open(served.console().unwrap().expose());
    browser.has("//p[text()='Nothing waits.']");
    let address = browser.send("GET", "/url", &Value::Null);
    assert!(!address.as_str().unwrap().contains("start="), "{address}");
    assert_eq!(browser.script("return document.cookie"), json!(""), "no script reads it");

    // An approval given there lets a waiting command go on. The page renews itself: it is opened once.
    let asked =
        ["approve", "request", "--on-behalf-of", "alice", "--impact", "high", "--tool", "send_payment"];
    let asked = [&asked[..], &["--arguments", r#"{"to":"bob","amount":100}"#]].concat();
    let asked = run(&asked).output().unwrap();
    assert_eq!(asked.status.code(), Some(5), "{}", String::from_utf8_lossy(&asked.stderr));
    let mut waits = run(&["approve", "wait", "-", "--within", "600"]).stdin(Stdio::piped()).spawn().unwrap();
    waits.stdin.take().unwrap().write_all(&asked.stdout).unwrap();
    browser.has("//section[@id='waiting']//*[contains(text(), 'send_payment')]");

    // A denied action is there as well.
    assert_eq!(code(&mut run(&["ask", "delete_documents"])), 3);
    assert_eq!(code(&mut run(&["ask", "<script>alert(1)</script>"])), 3);
    assert_eq!(code(&mut run(&["ask", "read_document"])), 0);
    assert_eq!(
        code(&mut run(&["jit", "request", "--details", r#"{"type":"file_access","actions":["delete"]}"#])),
        5
    );
    browser.has("//section[@id='asks']//code[text()='<script>alert(1)</script>']");
    let pictures = [
        browser.picture("wide", 1280, "light"),
        browser.picture("narrow", 390, "light"),
        browser.picture("wide-dark", 1280, "dark"),
        browser.picture("narrow-dark", 390, "dark"),
    ];
    // Nothing is wider than the window.
    assert_eq!(browser.script("return document.documentElement.scrollWidth <= innerWidth"), json!(true));
    browser.picture("wide", 1280, "light");

    browser.press("//section[@id='waiting']//li[contains(@class, 'approval')]//button[@value='approve']");
    let waited = waits.wait_with_output().unwrap();
    assert_eq!(waited.status.code(), Some(0), "{}", String::from_utf8_lossy(&waited.stderr));
    assert!(String::from_utf8_lossy(&waited.stdout).contains("approved"));

    // A capability given there turns the denied ask into an allowed one.
    browser.press("//section[@id='asks']//button[contains(@aria-label, 'delete_documents')]");
    browser.has("//section[@id='agents']//code[text()='delete_documents']");
    assert_eq!(code(&mut run(&["ask", "delete_documents"])), 0);

    // The page of another site: its form changes nothing, and it cannot frame the console or read it.
    let console = browser.send("GET", "/url", &Value::Null).as_str().unwrap().to_owned();
    let other = hostile_page(&console);
    browser.open(&format!("file://{}", other.display()));
    browser.script("document.forms[0].submit()");
    browser.open(&console);
    browser.has("//section[@id='agents']");
    assert_eq!(code(&mut run(&["ask", "fly"])), 3, "a form of another site gave a capability");
    println!(
        "Chromium: an approval, a capability, a form of another site without effect; pictures: {pictures:?}"
    );
}

/// A page somewhere else, with a form for the console.
fn hostile_page(console: &str) -> PathBuf {
    let file = Path::new(&folder("console")).join("hostile.html");
    let page = format!(
        "<form method=post action=\"{console}do\"><input name=do value=give><input name=client_id value=agt_demo>\
         <input name=capability value=fly></form>"
    );
    std::fs::write(&file, page).unwrap();
    file
}
