//! An agent speaks to an MCP server: a token bound to that server, and more scopes when the server demands them.
//!
//! Everything runs on this machine, over HTTP: a local LumoAuth, and an MCP server that it guards.
//!
//! ```sh
//! cargo run --example mcp --features emulator
//! ```

use lumoauth::embed::operations::McpToken;
use lumoauth::emulator::{AgentSeed, Emulator, McpServerSeed, Tenant};
use lumoauth::{Agent, ApiRequest};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The address is part of the server's name, so it is chosen before anything starts.
    let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let resource = format!("http://{address}/t/acme/api/v1/mcp/files/challenge");

    let agent =
        AgentSeed::new("agt_files").secret("only-for-this-example").capabilities(["mcp:read", "mcp:write"]);
    let files = McpServerSeed::new("files").resource_uri(&resource).scopes(["mcp:read", "mcp:write"]);
    let emulator = Emulator::builder().tenant(Tenant::new("acme").agent(agent).mcp_server(files)).build()?;
    let served = emulator.serve(&address.to_string())?;

    let agent = Agent::builder()
        .base_url(served.url())
        .tenant("acme")
        .client_id("agt_files")
        .client_secret("only-for-this-example")
        .build()?;

    // A token for one server, by any of its names. It is of no use anywhere else.
    let token = agent.mcp_token("files")?;
    println!("A token for \"files\": {} s, scopes: {}", token.lifetime().as_secs(), token.scopes());

    // The server says who issues its tokens. Only the agent's own service is accepted.
    let server = agent.mcp(McpToken::new(&resource).scopes(["mcp:read"]))?;
    let metadata = server.discover()?;
    println!("\n{} says of itself:", metadata.resource());
    println!("  tokens from {}", metadata.authorization_servers().join(", "));
    println!("  scopes {}", metadata.scopes_supported());

    // The empty path is the server itself. It demands a scope more than the agent asked for, and gets it.
    println!("\nAsking with the scopes: {}", server.scopes());
    let answer =
        server.request(ApiRequest::post("").json(&serde_json::json!({ "method": "tools/list" }))?)?;
    println!("HTTP {}: {}", answer.status(), answer.text());
    println!("Now with the scopes: {}", server.scopes());

    let challenges = emulator.count("mcp.challenge").unwrap();
    println!(
        "\nThe server was asked {challenges} times; tokens were asked for {} times.",
        emulator.count("oauth.token").unwrap()
    );
    Ok(())
}
