//! The quickstart with `.await`: many tasks share one agent and one token.
//!
//! With nothing configured it starts a local LumoAuth on this machine and talks to it over HTTP. With `LUMOAUTH_TENANT`
//! (or `LUMOAUTH_ORG_ID`), `AGENT_CLIENT_ID` and `AGENT_CLIENT_SECRET` set, it talks to the real service.
//!
//! ```sh
//! cargo run --example asynchronous --features reqwest,emulator
//! ```

use lumoauth::Ask;
use lumoauth::asynchronous::Agent;
use lumoauth::credentials::Variables;
use lumoauth::emulator::Emulator;
use serde_json::json;

#[tokio::main]
#[allow(clippy::disallowed_methods, clippy::print_stdout)] // a program may read its environment and print
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let configured = Variables::read(|name| std::env::var(name).ok()) != Variables::default();

    let emulator = Emulator::demo()?;
    let served; // keeps the local service running until the end
    let agent = if configured {
        Agent::from_env()?
    } else {
        served = emulator.serve("127.0.0.1:0")?;
        println!("No configuration found: a local LumoAuth listens on {}\n", served.url());
        let builder = Agent::builder().base_url(served.url()).tenant(emulator.tenant());
        builder.client_id(emulator.client_id()).client_secret(emulator.secret().clone()).build()?
    };

    // Ask before acting. A denial is a value with a reason and an audit id, not an error.
    let read = Ask::new("read_document").context(json!({ "document_id": "doc-123" }));
    let delete = Ask::new("delete_user").context(json!({ "user_id": "u-456" }));
    let (read, delete) = tokio::try_join!(agent.ask(read), agent.ask(delete))?;
    println!("May I read the document?  {}\n  {read}", verdict(read.allowed()));
    println!("May I delete the user?    {}\n  {delete}", verdict(delete.allowed()));

    // One agent serves all tasks: clones share token, connections and retry quota.
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let agent = agent.clone();
            tokio::spawn(async move { agent.has_capability("tool:search_web").await })
        })
        .collect();
    let mut able = 0;
    for task in tasks {
        able += usize::from(task.await??);
    }
    println!("\n{able} of 20 tasks may search the web. Scopes: {}", agent.token_scopes());
    if !configured {
        println!("Token requests for all of it: {}", emulator.count("oauth.token").unwrap());
    }
    Ok(())
}

fn verdict(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}
