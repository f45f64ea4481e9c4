//! An agent authenticates, asks before it acts, and knows itself.
//!
//! With nothing configured it starts a local LumoAuth on this machine and talks to it over HTTP. With `LUMOAUTH_TENANT`
//! (or `LUMOAUTH_ORG_ID`), `AGENT_CLIENT_ID` and `AGENT_CLIENT_SECRET` set, it talks to the real service.
//!
//! ```sh
//! cargo run --bin quickstart --features quickstart
//! ```

use lumoauth::credentials::Variables;
use lumoauth::emulator::Emulator;
use lumoauth::{Agent, Ask};
use serde_json::json;

#[allow(clippy::disallowed_methods)] // a program may read its environment
/// The whole of it, for the binary of the same name too.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let configured = Variables::read(|name| std::env::var(name).ok()) != Variables::default();

    let emulator = Emulator::demo()?;
    let served; // keeps the local service running until the end
    let agent = if configured {
        Agent::from_env()?
    } else {
        served = emulator.serve("127.0.0.1:0")?;
        println!("No configuration found: a local LumoAuth listens on {}\n", served.url());
        let mut builder = Agent::builder();
        for (name, value) in emulator.environment(&served) {
            builder = match name {
                "LUMOAUTH_URL" => builder.base_url(value),
                "LUMOAUTH_TENANT" => builder.tenant(value),
                "AGENT_CLIENT_ID" => builder.client_id(value),
                _ => builder.client_secret(value),
            };
        }
        builder.build()?
    };

    agent.authenticate([])?;
    println!("Authenticated. Scopes: {}", agent.token_scopes());

    // Ask before acting. A denial is a value with a reason and an audit id, not an error.
    let read = agent.ask(Ask::new("read_document").context(json!({ "document_id": "doc-123" })))?;
    println!("\nMay I read the document?  {}", verdict(read.allowed()));
    println!("  {read}");
    let delete = agent.ask(Ask::new("delete_user").context(json!({ "user_id": "u-456" })))?;
    println!("May I delete the user?    {}", verdict(delete.allowed()));
    println!("  {delete}");

    let info = agent.info()?;
    println!("\nI am {} ({}).", info.name.as_deref().unwrap_or("an agent"), info.id);
    println!("I can: {}", info.capabilities.join(", "));
    println!("May I search the web?     {}", verdict(agent.has_capability("tool:search_web")?));

    match agent.budget()? {
        None => println!("No budget is set."),
        Some(budget) => {
            if let Some(limit) = budget.max_tokens_per_day {
                println!("Tokens today: {} of {limit}", budget.tokens_used_today.unwrap_or(0));
            }
            match budget.exhausted() {
                Some(limit) => println!("The budget is exhausted: {limit}"),
                None => println!("The budget is not exhausted."),
            }
        }
    }
    Ok(())
}

fn verdict(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}
