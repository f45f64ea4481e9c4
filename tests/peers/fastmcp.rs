//! FastMCP (PyPI): its client signs in at the emulator with client credentials, and its server verifies the token by the emulator's keys.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lumoauth::emulator::{Emulator, Tenant};
use serde_json::{Value, json};

use super::child::{folder, run, skipped};

/// An interpreter with FastMCP, installed when it is first needed.
pub fn installed() -> Result<PathBuf, String> {
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
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/fastmcp_peer.py");
    let mut command = Command::new(python);
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(name);
    }
    let mut child = command
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let asked = json!({
        "issuer": format!("{}/t/{}/api/v1", served.url(), emulator.tenant()), "port": port,
        "client_id": emulator.client_id(), "client_secret": emulator.secret().expose(),
    });
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let said: Value =
        serde_json::from_str(out.lines().last().unwrap_or_default()).unwrap_or_else(|_| panic!("{out}{err}"));
    assert_eq!(said["allowed"], emulator.client_id(), "{said} {err}");
    assert!(said["refused"].as_str().unwrap().starts_with("error: "), "{said}");
    let token =
        emulator.log().into_iter().filter(|entry| entry.route == "oauth.token").map(|entry| entry.status);
    assert_eq!(token.collect::<Vec<_>>(), [200, 401], "one token, and one refusal");
    println!("FastMCP 4.2.3: its client has a token by client credentials, its server takes it");
}
