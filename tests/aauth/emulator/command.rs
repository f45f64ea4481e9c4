//! `lumoauth emulator` hands out the key of its demo agent, so that a newcomer can sign at once.
#![cfg(feature = "cli")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use lumoauth::aauth::{AgentKey, AgentServer, Client, Delegate};
use serde_json::{Value, json};

use super::world::*;

/// Ends the child, whatever happens in the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_demo_agents_key_is_written_for_its_owner_only_and_works() {
    let file = std::env::temp_dir().join(format!("lumoauth-demo-agent-{}.pem", std::process::id()));
    let _ = std::fs::remove_file(&file);
    let mut command = Command::new(env!("CARGO_BIN_EXE_lumoauth"));
    command.env_clear().stdin(Stdio::null()).args(["emulator", "--aauth-key-file"]).arg(&file);
    let mut child = Running(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines().take(4);
    let lines: Vec<String> = lines.map(Result::unwrap).collect();
    let url = lines[0].strip_prefix("export LUMOAUTH_URL='").unwrap().trim_end_matches('\'').to_owned();
    let pem = std::fs::read(&file).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // A file that is there is somebody's: it stays as it is, and no emulator starts.
    let again = command.output().unwrap();
    assert!(!again.status.success() && again.stdout.is_empty());
    assert_eq!(std::fs::read(&file).unwrap(), pem);
    std::fs::remove_file(&file).unwrap();

    let key = AgentKey::from_pem(&pem).unwrap();
    let (agent, issuer) = ("https://agent.acme.test", format!("{url}/t/acme-corp/api/v1"));
    let server = AgentServer::new(agent, key.clone()).unwrap().audience(issuer.clone());
    let delegate = Delegate::by_thumbprint("main", key.thumbprint()).unwrap();
    let client = Client::builder().base_url(&url).tenant("acme-corp").agent_server(server, delegate);
    let client = client.key(key.clone()).redirect_uri("http://127.0.0.1:9/callback").build().unwrap();
    let body = json!({"agent": agent, "agent_jkt": key.thumbprint(), "scope": "read:documents"}).to_string();
    let request =
        ureq::post(format!("{issuer}/aauth-demo/reports/token")).header("content-type", "application/json");
    let answer: Value =
        serde_json::from_str(&request.send(body).unwrap().body_mut().read_to_string().unwrap()).unwrap();
    let consent = client.request_authorization(text(&answer, "resource_token")).unwrap().consent();
    assert!(
        client.consent_url(&consent.unwrap()).unwrap().starts_with(&format!("{issuer}/aauth/agent/auth?"))
    );
}
