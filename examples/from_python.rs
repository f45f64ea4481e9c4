//! LumoAuth's Python quickstart, line by line in Rust. The Python lines stand above those that do the same.
//!
//! It runs on a local LumoAuth, where a person sits at the consent page and agrees.
//!
//! ```sh
//! cargo run --example from_python --features emulator
//! ```

use lumoauth::http::Method;
use lumoauth::{Agent, Ask, DelegationChain, Emulator};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The local LumoAuth, and what it wants to know of the environment. The real service needs only the variables.
    let emulator = Emulator::demo()?;
    let served = emulator.serve("127.0.0.1:0")?;
    let environment = emulator.environment(&served);
    let variable =
        |name: &str| environment.iter().find(|(own, _)| *own == name).map(|(_, value)| value.clone());

    // agent = LumoAuthAgent(base_url=..., tenant=..., client_id=..., client_secret=...)
    let agent = Agent::builder()
        .base_url(variable("LUMOAUTH_URL").unwrap_or_default())
        .tenant(variable("LUMOAUTH_TENANT").unwrap_or_default())
        .client_id(variable("AGENT_CLIENT_ID").unwrap_or_default())
        .client_secret(variable("AGENT_CLIENT_SECRET").unwrap_or_default())
        .build()?;

    // agent.authenticate(scopes=["read:users", "write:documents"])
    agent.authenticate(["read:users", "write:documents"])?;
    // print(agent.token_scopes)
    println!("scopes: {}", agent.token_scopes());

    // result = agent.ask("delete_user", context={"user_id": "u-456"})
    let result = agent.ask(Ask::new("delete_user").context(json!({ "user_id": "u-456" })))?;
    // if not result["allowed"]: print(result["reason"], result["audit_id"])
    if !result.allowed() {
        println!(
            "denied: {} (audit id {})",
            result.reason().unwrap_or_default(),
            result.audit_id().unwrap_or_default()
        );
    }
    // if agent.is_allowed("read_document"): ...
    println!("may read: {}", agent.is_allowed("read_document")?);

    // info = agent.get_agent_info()
    let info = agent.info()?;
    println!(
        "I am {} with {} capabilities",
        info.name.as_deref().unwrap_or("an agent"),
        info.capabilities.len()
    );
    // agent.has_capability("web_search")
    println!("can search the web: {}", agent.has_capability("web_search")?);
    // status = agent.get_budget_status(); agent.is_budget_exhausted()
    if let Some(budget) = agent.budget()? {
        println!("budget: {budget}; exhausted: {}", agent.is_budget_exhausted()?);
    }

    // chain = DelegationChain(agent, redirect_uri="https://myapp.com/consent")
    let chain = DelegationChain::new(&agent, "https://myapp.com/consent")?;
    // url = chain.get_consent_url("session-1", scopes=["profile", "documents"])
    let url = chain.consent_url("session-1", ["profile", "documents"])?;
    // chain.handle_consent_callback("session-1", code)
    let back = emulator.consent_as("alice", &url)?; // the user and her browser
    chain.handle_callback_url("session-1", back.expose())?;
    // token = chain.exchange("session-1", scopes=["documents"])
    let token = chain.exchange("session-1", ["documents"])?;
    println!("acting for the user with: {}", token.scopes());
    // response = chain.request("session-1", "GET", "/api/v1/documents")
    let response = chain.request("session-1", Method::GET, "/api/v1/documents")?;
    println!("documents: HTTP {}", response.status());
    // chain.revoke("session-1")
    chain.revoke("session-1")?;

    // token = agent.get_mcp_token("my-mcp-server")
    let token = agent.mcp_token("my-mcp-server")?;
    println!("a token for the MCP server, for {} s", token.lifetime().as_secs());
    Ok(())
}
