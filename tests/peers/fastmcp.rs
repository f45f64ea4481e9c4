//! FastMCP (PyPI): its client signs in at the emulator with client credentials, and its server verifies the token by the emulator's keys.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use lumoauth::emulator::{Emulator, Tenant};
use serde_json::json;

use super::child::{folder, run, skipped, told};

/// An interpreter with FastMCP, installed when it is first needed.
pub fn installed() -> Result<PathBuf, String> {
    // Once for all tests: two that install at the same time spoil each other's work.
    static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    INSTALLED.get_or_init(install_fastmcp).clone()
}

fn install_fastmcp() -> Result<PathBuf, String> {
    let home = folder("fastmcp");
    let python = home.join("bin/python");
    let works = |python: &Path| {
        run(Command::new(python).args(["-c", "import fastmcp.client.auth.client_credentials"]))
    };
    if works(&python).is_err() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "fastmcp==4.2.3"]))?;
        works(&python)?;
    }
    Ok(python)
}

#[test]
fn its_client_signs_in_with_client_credentials_for_its_server() {
    let python = match installed() {
        Ok(python) => python,
        Err(reason) => return skipped("FastMCP", &reason),
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let resource = format!("http://127.0.0.1:{port}/mcp");
    let emulator = Emulator::builder().tenant(Tenant::demo()).mcp_resource(&resource).build().unwrap();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    let asked = json!({
        "issuer": format!("{}/t/{}/api/v1", served.url(), emulator.tenant()), "port": port,
        "client_id": emulator.client_id(), "client_secret": emulator.secret().expose(),
    });
    let said = told(&python, "fastmcp_peer.py", &asked);
    assert_eq!(said["allowed"], emulator.client_id(), "{said}");
    assert!(said["refused"].as_str().unwrap().starts_with("error: "), "{said}");
    let token =
        emulator.log().into_iter().filter(|entry| entry.route == "oauth.token").map(|entry| entry.status);
    assert_eq!(token.collect::<Vec<_>>(), [200, 401], "one token, and one refusal");
    println!("FastMCP 4.2.3: its client has a token by client credentials, its server takes it");
}
