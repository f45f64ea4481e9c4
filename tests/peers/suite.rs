//! The MCP conformance suite (npm) against a server made with rmcp, bare and behind the guard: the guard changes no result.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::map_request;
use lumoauth::emulator::{AgentSeed, Emulator, McpServerSeed, Tenant};
use lumoauth::http::HeaderValue;
use lumoauth::service::Rule;
use lumoauth::tower::ServerAuth;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::Value;

use super::child::{folder, skipped};
use super::conformance::installed;
use super::serving::Serving;

mod server;

/// What a server of this revision must pass.
const REVISION: &str = "2026-07-28";

fn bare() -> Router {
    let service = StreamableHttpService::new(
        || Ok(server::SuiteServer),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    );
    Router::new().nest_service("/mcp", service)
}

/// The same behind the guard, and in front of that what the suite cannot do: a token is added. Every other header stays as it is.
fn guarded(url: &str) -> Router {
    let resource = format!("{url}/mcp");
    let tenant = Tenant::new("acme")
        .agent(AgentSeed::new("agt_suite").secret("only-for-tests").capabilities(["tool:use"]))
        .mcp_server(McpServerSeed::new("suite").resource_uri(&resource));
    let emulator = Emulator::builder().tenant(tenant).build().unwrap();
    let agent = emulator.async_agent().unwrap();
    let token = emulator.agent().unwrap().token_for(&resource).unwrap();
    let token = HeaderValue::try_from(format!("Bearer {}", token.secret().expose())).unwrap();
    let auth = ServerAuth::of(&agent, resource).unwrap();
    let auth = auth.other_tools(Rule::new().agents_only().capability("tool:use"));
    let forward = map_request(move |mut request: Request| {
        request.headers_mut().insert("authorization", token.clone());
        async { request }
    });
    bare().layer(auth.layer()).layer(forward)
}

/// The checks of each scenario with their outcomes.
type Results = BTreeMap<String, Vec<(String, String)>>;

/// The scenarios that the revision requires of servers, by the suite's own list.
fn required(suite: &Path) -> Vec<String> {
    let file = suite.ancestors().nth(2).unwrap().join(format!("requirements/{REVISION}.yaml"));
    let text = std::fs::read_to_string(file).unwrap();
    let servers = text.lines().skip_while(|line| *line != "server:").skip(1);
    servers.map_while(|line| line.strip_prefix("  - ")).map(str::to_owned).collect()
}

fn results(node: &Path, suite: &Path, url: &str, name: &str) -> Results {
    let out = folder("conformance-results").join(name);
    let _ = std::fs::remove_dir_all(&out);
    std::fs::create_dir_all(&out).unwrap();
    let mut command = Command::new(node);
    command.arg(suite).args(["server", "--url", &format!("{url}/mcp"), "--requirements", REVISION, "-o"]);
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
        command.env_remove(name);
    }
    let output = command.arg(&out).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    std::fs::write(out.join("stdout.txt"), said.as_bytes()).unwrap();
    let mut results = Results::new();
    for entry in std::fs::read_dir(&out).unwrap() {
        let entry = entry.unwrap();
        let Ok(checks) = std::fs::read(entry.path().join("checks.json")) else { continue };
        let checks: Vec<Value> = serde_json::from_slice(&checks).unwrap();
        let told = |check: &Value, member: &str| check[member].as_str().unwrap_or_default().to_owned();
        // The folder is named after the scenario and the time.
        let folder = entry.file_name().into_string().unwrap();
        let name = folder.strip_prefix("server-").and_then(|rest| rest.get(..rest.len() - 25)).unwrap();
        let mut checks: Vec<_> =
            checks.iter().map(|check| (told(check, "id"), told(check, "status"))).collect();
        checks.sort();
        results.insert(name.to_owned(), checks);
    }
    assert!(!results.is_empty(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    results
}

#[test]
fn the_guard_changes_no_result_of_the_conformance_suite() {
    let (node, suite) = match installed() {
        Ok(installed) => installed,
        Err(reason) => return skipped("the MCP conformance suite's scenarios for servers", &reason),
    };
    let plain = Serving::start(|_| bare());
    let before = results(&node, &suite, &plain.url, "bare");
    let behind = Serving::start(guarded);
    let after = results(&node, &suite, &behind.url, "guarded");

    let required = required(&suite);
    let passes = |name: &&String| {
        before.get(*name).is_some_and(|all| all.iter().all(|(_, status)| status != "FAILURE"))
    };
    let failing: Vec<_> = required.iter().filter(|name| !passes(name)).collect();
    assert!(
        required.len() == 37 && failing.len() <= 12,
        "bare, {} of {} do not pass: {failing:?}",
        failing.len(),
        required.len()
    );
    let names = |results: &Results| results.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    for (scenario, checks) in &before {
        assert_eq!(checks, &after[scenario], "{scenario}: bare and behind the guard");
    }
    let checks: usize = before.values().map(Vec::len).sum();
    println!(
        "MCP conformance 0.2.0-alpha.12, {REVISION}: {} of {} required scenarios pass bare, {} scenarios with {checks} checks are the same behind the guard",
        required.len() - failing.len(),
        required.len(),
        before.len()
    );
}
