//! An agent acts for a user, with that user's consent, and hands authority on to another agent.
//!
//! Everything runs on this machine, over HTTP: a local LumoAuth, and a person who agrees on its consent page.
//!
//! ```sh
//! cargo run --example delegation --features emulator
//! ```

use lumoauth::emulator::{AgentSeed, Emulator, Tenant, UserSeed};
use lumoauth::http::Method;
use lumoauth::{Agent, DelegationChain};

const REDIRECT: &str = "https://myapp.example/callback";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let agent = |id: &str, name: &str| {
        let seed = AgentSeed::new(id).secret("only-for-this-example").name(name);
        seed.capabilities(["read:documents", "delegate:on_behalf"])
    };
    let tenant = Tenant::new("acme")
        .agent(agent("agt_travel", "travel planner").redirect_uri(REDIRECT))
        .agent(agent("agt_search", "search helper"))
        .user(UserSeed::new("alice").scopes(["read:documents", "openid", "offline_access"]));
    let emulator = Emulator::builder().tenant(tenant).build()?;
    let served = emulator.serve("127.0.0.1:0")?;
    let client = |id: &str| {
        let builder = Agent::builder().base_url(served.url()).tenant("acme");
        builder.client_id(id).client_secret("only-for-this-example").build()
    };

    // 1. Send the user to the consent page. `state` and PKCE are made and kept for you.
    let planner = client("agt_travel")?;
    let chain = DelegationChain::new(&planner, REDIRECT)?;
    let url = chain.consent_url("session-1", ["openid", "read:documents"])?;
    println!("The user is sent to {}?...", url.split('?').next().unwrap_or_default());

    // 2. The user comes back to the redirect URI; the whole URL is checked: state, issuer, refusals.
    let back = emulator.consent_as("alice", &url)?; // her browser, and your web server at the redirect URI
    chain.handle_callback_url("session-1", back.expose())?;
    println!("The user has consented. Sessions: {:?}", chain.active_sessions()?);

    // 3. A token with which the agent acts for the user: the chain is in it.
    let delegation = chain.exchange("session-1", ["read:documents"])?;
    if let Some(claims) = delegation.unverified_claims() {
        let actors: Vec<&str> = claims.unverified_actors().iter().map(|actor| actor.subject()).collect();
        println!("\nActing for {:?} as {actors:?}", claims.unverified_subject().unwrap_or_default());
    }
    let me = chain.request("session-1", Method::GET, "/api/v1/documents")?;
    println!("A request in the user's name: HTTP {}", me.status());

    // 4. Another agent gets a part of it, with its own token as the actor's.
    let helper = client("agt_search")?;
    let own = helper.access_token()?;
    let handed = chain.delegate_to_sub_agent("session-1", own.secret().clone(), ["read:documents"])?;
    if let Some(claims) = handed.unverified_claims() {
        let actors: Vec<&str> = claims.unverified_actors().iter().map(|actor| actor.subject()).collect();
        println!(
            "The helper acts for {:?}, the chain is {actors:?}",
            claims.unverified_subject().unwrap_or_default()
        );
    }

    // 5. The end: the service is told, then everything is forgotten.
    chain.revoke("session-1")?;
    println!("\nRevoked. Sessions: {:?}", chain.active_sessions()?);
    Ok(())
}
