//! What users and agents may do: a service asks about its users, and code that does something asks for the proof that it was allowed.
//!
//! Everything runs on this machine, over HTTP: a local LumoAuth with a role, a relation and a policy.
//!
//! ```sh
//! cargo run --example permissions --features emulator
//! ```

use lumoauth::emulator::{AgentSeed, ApiKeySeed, Emulator, Tenant, UserSeed};
use lumoauth::{
    Agent, Allowed, CheckPermission, CheckPermissions, CheckPolicy, Client, Evaluate, Subject, Tuple,
};
use serde_json::json;

lumoauth::guarded_actions! {
    ReadDocument = "document.read";
}

/// Whoever calls this has asked: nothing else makes the proof, and it is used up here.
fn read(id: &str, _: Allowed<ReadDocument>) -> String {
    format!("the text of {id}")
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let published = json!({
        "name": "published", "resourceType": "document", "action": "read", "effect": "allow",
        "conditions": {"subject": "resource.status", "operator": "equals", "value": "published"}
    });
    let tenant = Tenant::new("acme")
        .agent(AgentSeed::new("agt_1").secret("only-for-this-example").capabilities(["document.read"]))
        .role("editor", ["document.read", "document.write"])
        .user(UserSeed::new("alice").role("editor"))
        .user(UserSeed::new("bob"))
        .api_key(ApiKeySeed::new("alice").key("lmk_only_for_this_example").scopes(["admin"]))
        .relation("document:1", "parent", "folder:1")
        .relation("folder:1", "editor", "user:alice")
        .thing("document", "1", json!({ "status": "published" }))
        .policy(published);
    let emulator = Emulator::builder().tenant(tenant).build()?;
    let served = emulator.serve("127.0.0.1:0")?;

    // A service asks about its users, with a key of its own.
    let service = Client::builder()
        .base_url(served.url())
        .tenant("acme")
        .api_key("lmk_only_for_this_example")
        .build()?;
    let authz = service.authz();
    for user in ["alice", "bob"] {
        let question = CheckPermission::new("document.write").subject(Subject::user(user));
        println!("{user} may write documents: {}", authz.permission(question)?.allowed());
    }
    println!(
        "alice views document 1, by the folder that it is in: {}",
        authz.relation(Tuple::viewer("document:1", "user:alice"))?.allowed()
    );
    let evaluation = Evaluate::new(("user", "alice"), "write", ("document", "1"));
    println!("the same in the form of AuthZEN, for writing: {}", authz.evaluate(evaluation)?.allowed());

    // An agent asks about itself, many things at once, and by the policies too.
    let agent = Agent::builder()
        .base_url(served.url())
        .tenant("acme")
        .client_id("agt_1")
        .client_secret("only-for-this-example")
        .build()?;
    let answers = agent.authz().permissions(CheckPermissions::new(["document.read", "user.delete"]))?;
    println!("\nthe agent may read: {}, delete users: {}", answers.is_allowed(0), answers.is_allowed(1));
    let policy = agent.authz().policy(CheckPolicy::new("document", "read").resource_id("1"))?;
    println!("the policies let it read document 1: {}", policy.allowed());

    // A line that ends the function unless the answer is yes; code that does something asks for the proof.
    agent.require("document.read")?;
    println!("\n{}", read("document 1", agent.guard::<ReadDocument>()?));
    // A denial in the words that a model can work with.
    println!("told to the model: {}", agent.ask("user.delete")?.for_model());
    Ok(())
}
