//! An agent that may not simply act: it asks for a permission just in time, waits for a person, and acts with it.
//!
//! Everything runs on this machine, without a network: a local LumoAuth, an agent, and a person who decides.
//!
//! ```sh
//! cargo run --example jit --features emulator
//! ```

use std::time::Duration;

use lumoauth::ApiRequest;
use lumoauth::emulator::Emulator;
use lumoauth::jit::{Allowed, AuthorizationDetails, Escalation, FileAction, Permission, Reviewer, Wanted};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let emulator = Emulator::demo()?;
    let agent = emulator.agent()?;

    // Permissions belong to a task, and end with it.
    let task = agent.jit().begin("clean up after the quarter")?;
    println!("Task {}", task.id());

    // Reading is a low risk: it is decided at once.
    let read = AuthorizationDetails::file_access([FileAction::Read]).identifier("q3.pdf");
    let approved = task.request(read)?.require()?;
    let answer = task.call(&approved, ApiRequest::get("jit-demo/q3.pdf"))?;
    println!("Read it: HTTP {}", answer.status());

    // Deleting is a high one: a person decides, with that person's own token.
    let delete = AuthorizationDetails::file_access([FileAction::Delete]).identifier("q3.pdf");
    let wanted =
        Wanted::new(delete.clone()).justification("The report was replaced").ttl(Duration::from_secs(300));
    let permission = task.request(wanted)?;
    let Permission::Pending(pending) = permission else { return Err("it should wait".into()) };
    println!("Request {} waits: {}", pending.request_id(), pending.message().unwrap_or_default());

    let person = emulator.user_token(emulator.client_id(), "alice", ["jit:approve"])?;
    let reviewer = Reviewer::with_transport(emulator.site(), person, emulator.transport())?;
    for waiting in reviewer.pending()? {
        println!(
            "Alice sees: {} because \"{}\"",
            waiting.details[0],
            waiting.justification.unwrap_or_default()
        );
        reviewer.approve(&waiting.request_id, Some("only this file"))?;
    }

    // The request's id is all that has to be kept for this; it works in another process too.
    let approved = task.wait(pending.request_id(), &delete, Duration::from_secs(60))?.require()?;
    println!("Approved: {}", approved.message().unwrap_or_default());
    let answer = task.call(&approved, ApiRequest::delete("jit-demo/q3.pdf"))?;
    println!("Deleted it: HTTP {}", answer.status());

    // A resource may say itself what it wants. It is asked for only if that was allowed.
    let escalation = Escalation::new().allow(Allowed::new("file_access", ["read"]));
    let came = task.escalate(ApiRequest::get("jit-demo/q4.pdf"), escalation)?;
    println!(
        "The other file: HTTP {}, with a permission: {}",
        came.response.status(),
        came.permission.is_some()
    );

    let end = task.finish()?;
    println!("Task {} is over, and its tokens with it.", end.task_id);
    Ok(())
}
