//! The MCP server of the example, called by clients that others wrote: FastMCP (PyPI) and the MCP Inspector (npm).

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use lumoauth::asynchronous::Agent;
use lumoauth::challenge::Challenge;
use lumoauth::emulator::{AgentSeed, Emulator, McpServerSeed, Served, Tenant, UserSeed};
use lumoauth::tower::ServerAuth;
use serde_json::{Value, json};

use super::child::{PROXIES, folder, run, skipped, told};
use super::fastmcp::installed as fastmcp;
use super::mcp_example;
use super::serving::Serving;

const SECRET: &str = "only-for-tests";
const INSPECTOR: &str = "@modelcontextprotocol/inspector@2.12.0";
const CALLBACK: &str = "http://127.0.0.1/oauth/callback";

/// A service on loopback, and the example's server with it.
struct World {
    service: Served,
    server: Serving,
}

impl World {
    fn start() -> Self {
        // The Resource URI has the server's port, so the server comes first and its guard after it.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let resource = format!("http://127.0.0.1:{port}/mcp");
        let agent = |id: &str| AgentSeed::new(id).secret(SECRET);
        let tenant = Tenant::new("acme")
            .agent(agent("agt_caller").capabilities(["tool:search_web"]))
            .agent(agent("agt_plain").scopes(["documents:read"]))
            .agent(AgentSeed::new("app_inspector").public().redirect_uri(CALLBACK))
            .user(UserSeed::new("alice"))
            .mcp_server(McpServerSeed::new("documents").resource_uri(&resource));
        let emulator = Emulator::builder().tenant(tenant).auto_consent("alice").build().unwrap();
        let service = emulator.serve("127.0.0.1:0").unwrap();
        let builder = Agent::builder().base_url(service.url()).tenant("acme");
        let agent = builder.client_id("agt_plain").client_secret(SECRET).build().unwrap();
        let server =
            Serving::at(port, |_| mcp_example::app(ServerAuth::of(&agent, resource.as_str()).unwrap()));
        World { service, server }
    }

    fn url(&self) -> String {
        format!("{}/mcp", self.server.url)
    }
}

/// Without a token: 401, and a challenge that leads to a document that leads to the service.
fn a_stranger_finds_the_way(world: &World) {
    let web = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build().new_agent();
    for method in ["POST", "GET", "DELETE"] {
        let request =
            lumoauth::http::Request::builder().method(method).uri(world.url()).body(String::new()).unwrap();
        let refused = web.run(request).unwrap();
        assert_eq!(refused.status(), 401);
        let challenge = refused.headers().get("www-authenticate").unwrap().to_str().unwrap();
        let challenge = Challenge::parse(challenge).unwrap().remove(0);
        let document = challenge.get("resource_metadata").unwrap();
        let described = web.get(document).call().unwrap().into_body().read_to_string().unwrap();
        let described: Value = serde_json::from_str(&described).unwrap();
        assert_eq!(described["resource"], world.url());
        let issuer = format!("{}/t/acme/api/v1", world.service.url());
        assert_eq!(described["authorization_servers"], json!([issuer]));
    }
}

#[test]
fn fastmcp_sees_and_calls_what_its_agent_may() {
    let python = match fastmcp() {
        Ok(python) => python,
        Err(reason) => return skipped("FastMCP's client at the MCP server of the example", &reason),
    };
    let world = World::start();
    a_stranger_finds_the_way(&world);
    let tools = ["list_documents", "search_web", "delete_all"];
    for (client, scopes, sees) in [
        ("agt_caller", &["tool:search_web"][..], &tools[..2]),
        ("agt_plain", &["documents:read"], &tools[..1]),
    ] {
        let asked = json!({
            "url": world.url(), "issuer": format!("{}/t/acme/api/v1", world.service.url()), "tools": tools,
            "client_id": client, "client_secret": SECRET, "scopes": scopes,
        });
        let said = told(&python, "mcp_client.py", &asked);
        assert_eq!(said["tools"]["ok"], json!(sees), "{said}");
        for tool in tools {
            let called = &said["called"][tool];
            assert_eq!(called["ok"].is_string(), sees.contains(&tool), "{tool}: {said}");
            let words = called["error"].as_str().unwrap_or_default();
            // The challenge for the capability makes it ask for a wider token, which the service refuses.
            let refused =
                if tool == "search_web" { "invalid_scope" } else { "Server returned an error response" };
            assert!(sees.contains(&tool) || words.contains(refused), "{tool}: {said}");
        }
        let stranger = said["stranger"]["error"].as_str().unwrap_or_default();
        assert!(stranger.contains("Server returned an error response"), "{said}");
        println!("FastMCP 4.2.3 as {client}: sees {sees:?}, calls them, is refused the others");
    }
}

/// Node and the inspector, installed when they are first needed.
fn inspector() -> Result<(PathBuf, PathBuf), String> {
    // Once for all tests: two that install at the same time spoil each other's work.
    static INSTALLED: OnceLock<Result<(PathBuf, PathBuf), String>> = OnceLock::new();
    INSTALLED.get_or_init(install_inspector).clone()
}

fn install_inspector() -> Result<(PathBuf, PathBuf), String> {
    let home = folder("inspector");
    let node = home.join("node_modules/.bin/node");
    let program = home.join("node_modules/.bin/mcp-inspector");
    let works = || run(Command::new(&node).arg(&program).args(["--cli", "--version"]).env("HOME", &home));
    if works().is_err() {
        std::fs::create_dir_all(&home).map_err(|error| error.to_string())?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(&home).args(["node@22", INSPECTOR]);
        run(npm.current_dir(&home))?;
        works()?;
    }
    Ok((node, program))
}

struct Inspector {
    node: PathBuf,
    program: PathBuf,
    url: String,
}

impl Inspector {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.node);
        for name in PROXIES {
            command.env_remove(name);
        }
        command.env("HOME", folder("inspector")).arg(&self.program).arg("--cli");
        command.args(["--server-url", &self.url, "--transport", "http", "--format", "json"]).args(arguments);
        command.stdin(Stdio::null());
        command
    }

    /// The tools that it listed, or the texts that a call gave; else its words.
    fn read(output: &Output) -> Result<Vec<String>, String> {
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let Ok(said) = serde_json::from_str::<Value>(&out) else { return Err(format!("{out}{err}")) };
        let of = |list: &Value, member: &str| {
            let mut texts: Vec<String> =
                list.as_array()?.iter().map(|one| one[member].as_str().unwrap().to_owned()).collect();
            texts.sort();
            Some(texts)
        };
        let result = &said["result"];
        let read = of(&result["tools"], "name").or_else(|| of(&result["content"], "text"));
        read.ok_or_else(|| format!("{out}{err}"))
    }

    fn ask(&self, arguments: &[&str]) -> Result<Vec<String>, String> {
        Inspector::read(&self.command(arguments).output().unwrap())
    }
}

#[test]
fn the_inspector_sees_and_calls_what_its_caller_may() {
    let (node, program) = match inspector() {
        Ok(installed) => installed,
        Err(reason) => return skipped("the MCP Inspector at the MCP server of the example", &reason),
    };
    let world = World::start();
    let inspector = Inspector { node, program, url: world.url() };
    let builder = lumoauth::Agent::builder().base_url(world.service.url()).tenant("acme");
    let agent = builder.client_id("agt_caller").client_secret(SECRET).build().unwrap();
    for era in ["legacy", "modern"] {
        let token = agent.token_for(world.url()).unwrap();
        let header = format!("Authorization: Bearer {}", token.secret().expose());
        let ask = |arguments: &[&str]| {
            inspector.ask(&[&["--header", &header, "--protocol-era", era], arguments].concat())
        };
        assert_eq!(ask(&["--method", "tools/list"]), Ok(vec!["list_documents".into(), "search_web".into()]));
        let call = |tool: &str| ask(&["--method", "tools/call", "--tool-name", tool]);
        assert_eq!(call("search_web"), Ok(vec!["nothing found".into()]));
        let refused = call("delete_all").unwrap_err();
        assert!(refused.contains("tool_not_found"), "{refused}");
        let stranger = ["--protocol-era", era, "--stored-auth-only", "--method", "tools/list"];
        let refused = inspector.ask(&stranger).unwrap_err();
        assert!(refused.contains("auth_required"), "{refused}");
    }
    println!(
        "MCP Inspector 2.12.0 with an agent's token: sees and calls two tools in both eras, not the third"
    );
}

#[test]
fn a_person_signs_in_at_the_inspector() {
    let (node, program) = match inspector() {
        Ok(installed) => installed,
        Err(reason) => return skipped("signing in at the MCP Inspector", &reason),
    };
    let world = World::start();
    let inspector = Inspector { node, program, url: world.url() };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let callback = format!("http://127.0.0.1:{port}/oauth/callback");
    let arguments = ["--client-id", "app_inspector", "--callback-url", &callback, "--method", "tools/list"];
    // It shows the address to open, and opens a browser if there is one; so the person here is the one who reads it.
    let mut command = inspector.command(&arguments);
    command
        .env("MCP_AUTO_OPEN_ENABLED", "true")
        .env("PATH", "")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let web = ureq::Agent::config_builder().proxy(None).build().new_agent();
    let mut words = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok) {
        words.push_str(&format!("{line}\n"));
        if let Some(at) = line.find(world.service.url())
            && line.contains("/oauth/authorize?")
        {
            assert_eq!(web.get(&line[at..]).call().unwrap().status(), 200, "{words}");
        }
    }
    let said = Inspector::read(&child.wait_with_output().unwrap());
    assert_eq!(said, Ok(vec!["delete_all".into(), "list_documents".into()]), "{words}");
    println!(
        "MCP Inspector 2.12.0: finds the service by itself, a person signs in, and sees the tool for people"
    );
}
