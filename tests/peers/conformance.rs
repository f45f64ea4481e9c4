//! The MCP conformance suite (npm) against the emulator: its two scenarios for authorization servers.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use lumoauth::emulator::{AgentSeed, Emulator, McpServerSeed, Tenant, UserSeed};

use super::child::{folder, run, skipped};

const SUITE: &str = "@modelcontextprotocol/conformance@0.2.0-alpha.12";
const RESOURCE: &str = "http://127.0.0.1:9000/mcp";
const SCENARIOS: [&str; 2] = ["authorization-server-metadata-endpoint", "authorization-code-grant"];

/// Node and the suite, installed when they are first needed.
pub fn installed() -> Result<(PathBuf, PathBuf), String> {
    // Once for all tests: two that install at the same time spoil each other's work.
    static INSTALLED: OnceLock<Result<(PathBuf, PathBuf), String>> = OnceLock::new();
    INSTALLED.get_or_init(install_suite).clone()
}

fn install_suite() -> Result<(PathBuf, PathBuf), String> {
    let home = folder("conformance");
    let node = home.join("node_modules/.bin/node");
    let suite = home.join("node_modules/@modelcontextprotocol/conformance/dist/index.js");
    let works = || run(Command::new(&node).arg(&suite).arg("--version"));
    if works().is_err() {
        std::fs::create_dir_all(&home).map_err(|error| error.to_string())?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(&home).args(["node@22", SUITE]);
        run(npm.current_dir(&home))?;
        works()?;
    }
    Ok((node, suite))
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// One tenant without a public client, and one whose only client is public.
fn world() -> Emulator {
    let agent = |id: &str| {
        AgentSeed::new(id).scopes(["mcp:read", "mcp:write"]).redirect_uri("http://127.0.0.1/callback")
    };
    let tenant = |slug: &str, agent: AgentSeed| {
        Tenant::new(slug)
            .agent(agent)
            .user(UserSeed::new("alice").scopes(["mcp:read", "mcp:write"]))
            .mcp_server(McpServerSeed::new("files").resource_uri(RESOURCE).scopes(["mcp:read"]))
    };
    Emulator::builder()
        .tenant(tenant("closed", agent("agt_closed").secret("only-for-tests")))
        .tenant(tenant("open", agent("agt_open").public()))
        .auto_consent("alice")
        .build()
        .unwrap()
}

#[test]
fn both_scenarios_for_authorization_servers_pass_for_public_and_confidential_clients() {
    let (node, suite) = match installed() {
        Ok(installed) => installed,
        Err(reason) => return skipped("the MCP conformance suite", &reason),
    };
    let emulator = world();
    let served = emulator.serve("127.0.0.1:0").unwrap();
    let web = ureq::Agent::config_builder().proxy(None).build().new_agent();
    for (tenant, client, secret) in
        [("closed", "agt_closed", Some("only-for-tests")), ("open", "agt_open", None)]
    {
        let issuer = format!("{}/t/{tenant}/api/v1", served.url());
        let mut command = Command::new(&node);
        command.arg(&suite).args(["authorization", "--url", &issuer, "--client-id", client]);
        command.args(["--resource", RESOURCE, "--port", &free_port().to_string()]);
        command.args(secret.iter().flat_map(|secret| ["--client-secret", secret]));
        for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
            command.env_remove(name);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            said.push_str(&format!("{line}\n"));
            // The person's browser. The suite listens before it goes on to wait, which it says last.
            if line.starts_with("Callback server started") {
                let url = said.lines().find(|line| line.contains("/oauth/authorize?")).unwrap();
                assert_eq!(web.get(url).call().unwrap().status(), 200, "{said}");
            }
        }
        assert!(child.wait().unwrap().success(), "{said}");
        for scenario in SCENARIOS {
            assert!(said.contains(&format!("{scenario}: 1 passed, 0 failed")), "{said}");
        }
        println!("MCP conformance 0.2.0-alpha.12, {client}: {SCENARIOS:?} passed");
    }
}
