//! An agent with a key of its own: it asks for authorization at a resource, a person consents, and it signs its calls.
//!
//! Everything runs on this machine, over HTTP: a local LumoAuth with its demo resource, and a person who agrees on the
//! consent page.
//!
//! ```sh
//! cargo run --example aauth --features emulator
//! ```

use lumoauth::aauth::{AgentKey, AgentServer, Authorization, Client, Delegate, Message, Nonce};
use lumoauth::embed::wire::Request;
use lumoauth::emulator::{
    AAuthAgentSeed, AAuthResourceSeed, AgentSeed, AuthLevel, Emulator, Tenant, UserSeed,
};
use lumoauth::http::Method;
use lumoauth::transport::{TransportOptions, UreqTransport};
use lumoauth::{Secret, Transport};
use serde_json::{Value, json};

const AGENT: &str = "https://agent.example";
const REDIRECT: &str = "https://agent.example/callback";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // 1. Two keys: one signs requests, the other says for which keys the agent vouches. The service knows the second one.
    let key = AgentKey::generate()?;
    let server_key = AgentKey::generate()?.with_key_id("server-1")?;
    println!("The agent's key has the thumbprint {}", key.thumbprint());

    let agent = AAuthAgentSeed::new("aag_1", AGENT).key(server_key.public_jwk()).redirect_uri(REDIRECT);
    let resource = AAuthResourceSeed::served("files").scopes("read").level(AuthLevel::Authorized);
    let user = UserSeed::new("alice").scopes(["read"]);
    let tenant = Tenant::new("acme").agent(AgentSeed::new("agt_bot").secret("only-for-this-example"));
    let emulator =
        Emulator::builder().tenant(tenant.user(user).aauth_agent(agent).aauth_resource(resource)).build()?;
    let served = emulator.serve("127.0.0.1:0")?;
    let issuer = format!("{}/t/acme/api/v1", served.url());
    let http = UreqTransport::new(&TransportOptions::default())?;

    // 2. The agent token says that this key acts for the agent. The client makes it anew before it ends.
    let server = AgentServer::new(AGENT, server_key)?.audience(issuer.as_str());
    let client = Client::builder()
        .base_url(served.url())
        .tenant("acme")
        .agent_server(server, Delegate::by_key("worker-1", key.public_jwk())?)
        .redirect_uri(REDIRECT)
        .key(key.clone())
        .build()?;
    println!("Its own token has {} characters", client.agent_token()?.expose().len());

    // 3. The resource says what the agent needs there.
    let who = json!({"agent": AGENT, "agent_jkt": key.thumbprint(), "scope": "read"});
    let ask = Request::new(Method::POST, format!("{issuer}/aauth-demo/files/token").parse()?).json(&who);
    let answer: Value = serde_json::from_slice(http.send(ask)?.body())?;
    let resource_token = answer["resource_token"].as_str().ok_or("no resource token")?;
    println!("The resource has told what it wants");

    // 4. A person has to agree: state, issuer and refusals are checked when the browser comes back.
    let token = match client.request_authorization(resource_token)? {
        Authorization::Granted(token) => token,
        Authorization::Consent(consent) => {
            let url = client.consent_url(&consent)?;
            println!("The user is sent to {}?...", url.split('?').next().unwrap_or_default());
            client.handle_callback_url(&consent, emulator.consent_as("alice", &url)?.expose())?
        }
    };
    println!("Granted at {}", token.resource().unwrap_or_default());

    // 5. A signed call. A token without the key is no use, and a request is good once.
    let url = format!("{issuer}/aauth-demo/files/data?limit=2");
    let response = client.signed_request(&token, Method::GET, &url)?;
    let data: Value = serde_json::from_slice(response.body())?;
    println!("\nSigned: HTTP {}, in the name of {} with {}", response.status(), data["sub"], data["scope"]);

    let bearer = Secret::new(format!("Bearer {}", token.auth_token().expose()));
    let now = http.now()?;
    let nonce = Nonce::from_random(now.random.first_chunk().ok_or("no randomness")?);
    let message = Message::new(Method::GET, &url)?.authorization(bearer.clone())?;
    let signed =
        message.sign(&key, now.wall, &nonce)?.apply_to_request(Request::new(Method::GET, url.parse()?))?;
    println!("Signed by hand: HTTP {}", http.send(signed.clone())?.status());
    let replay = http.send(signed)?;
    println!("The same once more: HTTP {}, {}", replay.status(), problem(replay.body()));

    let thief = AgentKey::generate()?;
    let nonce = Nonce::from_random(now.random.last_chunk().ok_or("no randomness")?);
    let stolen = message.sign(&thief, now.wall, &nonce)?;
    let stolen = http.send(stolen.apply_to_request(Request::new(Method::GET, url.parse()?))?)?;
    println!("The token with another key: HTTP {}, {}", stolen.status(), problem(stolen.body()));

    served.shutdown();
    Ok(())
}

fn problem(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body["error_description"].as_str().unwrap_or("no reason given").to_owned()
}
