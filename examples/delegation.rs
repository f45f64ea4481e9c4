//! An agent acts for a user, with that user's consent, and hands authority on to another agent.
//!
//! Everything runs on this machine, over HTTP: a local LumoAuth, and a person who clicks through its consent page.
//!
//! ```sh
//! cargo run --example delegation --features emulator
//! ```

use lumoauth::embed::wire::{Form, Request};
use lumoauth::emulator::{AgentSeed, Emulator, Tenant, UserSeed};
use lumoauth::http::{Method, header::LOCATION};
use lumoauth::transport::{TransportOptions, UreqTransport};
use lumoauth::{Agent, DelegationChain, Transport};

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
    let back = click_through(&url)?;
    chain.handle_callback_url("session-1", &back)?;
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

/// What a person does in a browser: reads the page, picks "alice", approves, and is sent back.
fn click_through(url: &str) -> Result<String, Box<dyn std::error::Error>> {
    let browser = UreqTransport::new(&TransportOptions::default())?;
    let page = browser.send(Request::new(Method::GET, url.parse()?))?.text();
    // The form goes back to the page's own address, with what the page hid in it.
    let mut form = Form::new().field("user", "alice").field("decision", "approve");
    for name in ["request", "csrf"] {
        form = form.field(name, &hidden(&page, name).ok_or("the page has no consent form")?);
    }
    let address = url.split('?').next().unwrap_or_default();
    let sent_back = browser.send(Request::new(Method::POST, address.parse()?).form(form))?;
    Ok(sent_back.header(LOCATION).ok_or("the user was not sent back")?.to_owned())
}

fn hidden(page: &str, name: &str) -> Option<String> {
    let value = page.split_once(&format!("name=\"{name}\" value=\""))?.1;
    Some(value.split_once('"')?.0.to_owned())
}
