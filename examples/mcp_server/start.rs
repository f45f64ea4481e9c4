//! Starts the example's server: for good with the environment's settings, else on a local LumoAuth, and calls it as an agent.

use axum::Router;
use lumoauth::ApiRequest;
use lumoauth::asynchronous::Agent;
use lumoauth::credentials::Variables;
use lumoauth::emulator::{AgentSeed, Emulator, McpServerSeed, Tenant};
use lumoauth::tower::ServerAuth;
use serde_json::{Value, json};
use tokio::net::TcpListener;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A message of the revision of MCP that has no sessions.
fn message(method: &str, tool: Option<&str>) -> Result<ApiRequest, lumoauth::Error> {
    let revision = "2026-07-28";
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": revision,
        "io.modelcontextprotocol/clientInfo": {"name": "example", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut params = json!({"_meta": meta});
    let mut request = ApiRequest::post("")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", revision)
        .header("mcp-method", method);
    if let Some(tool) = tool {
        request = request.header("mcp-name", tool);
        params["name"] = json!(tool);
    }
    request.json(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
}

/// The result of an answer, which may be an event of a stream.
fn result(text: &str) -> Value {
    let data =
        text.lines().filter_map(|line| line.strip_prefix("data:")).find(|data| data.contains("result"));
    serde_json::from_str::<Value>(data.unwrap_or(text))
        .map(|mut answer| answer["result"].take())
        .unwrap_or_default()
}

#[allow(clippy::disallowed_methods)] // a program may read its environment
pub async fn run(app: fn(ServerAuth) -> Router) -> Outcome {
    if Variables::read(|name| std::env::var(name).ok()) != Variables::default() {
        let listener = TcpListener::bind("127.0.0.1:8000").await?;
        println!("Serving on http://{}/mcp", listener.local_addr()?);
        return Ok(axum::serve(listener, app(ServerAuth::from_env()?)).await?);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let resource = format!("http://{}/mcp", listener.local_addr()?);
    let caller =
        AgentSeed::new("agt_caller").secret("only-for-this-example").capabilities(["tool:search_web"]);
    let emulator = Emulator::builder()
        .tenant(
            Tenant::new("acme")
                .agent(caller)
                .mcp_server(McpServerSeed::new("documents").resource_uri(&resource)),
        )
        .build()?;
    let service = emulator.serve("127.0.0.1:0")?;
    println!("No configuration found: a local LumoAuth listens on {}", service.url());
    let builder = Agent::builder().base_url(service.url()).tenant("acme");
    let agent = builder.client_id("agt_caller").client_secret("only-for-this-example").build()?;
    let serving = tokio::spawn(axum::serve(listener, app(ServerAuth::of(&agent, &resource)?)).into_future());

    // The other side: an agent that calls the server.
    let server = agent.resource(&resource)?;
    let answer = server.request(message("tools/list", None)?).await?;
    let tools = result(&answer.text())["tools"].take();
    let names: Vec<_> =
        tools.as_array().into_iter().flatten().filter_map(|tool| tool["name"].as_str()).collect();
    println!("\nThe agent sees: {}", names.join(", "));
    for tool in ["search_web", "delete_all"] {
        let answer = server.request(message("tools/call", Some(tool))?).await?;
        println!(
            "It calls {tool}: HTTP {} {}",
            answer.status().as_u16(),
            result(&answer.text())["content"][0]["text"]
        );
    }
    serving.abort();
    Ok(())
}
