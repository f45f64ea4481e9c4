//! A service that answers as the test says, and the emulator with a user who consents.

use std::sync::{Arc, Mutex};

use lumoauth::embed::wire::{Request, Response};
use lumoauth::emulator::{AgentSeed, Emulator, Tenant, UserSeed};
use lumoauth::error::TransportError;
use lumoauth::http::header::LOCATION;
use lumoauth::http::{HeaderMap, Method, StatusCode};
use lumoauth::{Agent, DelegationChain};

pub const REDIRECT: &str = "https://myapp.com/consent";
pub const SECRET: &str = "fixed-secret";

pub type Seen = Arc<Mutex<Vec<Request>>>;

/// An agent whose own token is always granted; every other request gets what `answer` says. And what was sent.
pub fn agent_and<F>(answer: F) -> (Seen, Agent)
where
    F: Fn(&Request) -> (u16, String) + Send + Sync + 'static,
{
    let seen = Seen::default();
    let own = Arc::clone(&seen);
    let transport = move |request: Request| -> Result<Response, TransportError> {
        let is_own = String::from_utf8_lossy(request.body()).contains("client_credentials");
        let (status, body) = if is_own {
            let token = r#"{"access_token":"agent-own-token","token_type":"Bearer","expires_in":3600}"#;
            (200, token.to_owned())
        } else {
            answer(&request)
        };
        own.lock().unwrap().push(request);
        Ok(Response::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body))
    };
    let builder = Agent::builder().tenant("acme").client_id("agt_1").client_secret(SECRET);
    (seen, builder.build_with(transport).unwrap())
}

pub fn emulator() -> Emulator {
    let agent = |id: &str| {
        let capabilities = ["read:documents", "delegate:on_behalf"];
        AgentSeed::new(id).secret(SECRET).name(id).capabilities(capabilities).redirect_uri(REDIRECT)
    };
    let user = |name: &str| UserSeed::new(name).scopes(["read:documents", "openid", "offline_access"]);
    let tenant = Tenant::new("acme").agent(agent("agt_1")).agent(agent("agt_2"));
    let tenant = tenant.user(user("alice")).user(user("bob"));
    Emulator::builder().tenant(tenant).auto_consent("alice").build().unwrap()
}

/// What the user's browser does in automatic mode.
pub fn consent(emulator: &Emulator, chain: &DelegationChain, session: &str) {
    let url = chain.consent_url(session, ["read:documents"]).unwrap();
    let response = emulator.handle_in_process(&Request::new(Method::GET, url.parse().unwrap())).response;
    chain.handle_callback_url(session, response.header(LOCATION).unwrap()).unwrap();
}
