//! Keys and users' tokens: sent as they are, one at a time, to the service alone, and only where the service takes them.

use std::sync::{Arc, Mutex};

use lumoauth::embed::operations::{GetIdentity, GetInfo, routes};
use lumoauth::embed::wire::{Request, Response};
use lumoauth::emulator::{AgentSeed, ApiKeySeed, Emulator, Tenant, UserSeed};
use lumoauth::error::TransportError;
use lumoauth::http::Method;
use lumoauth::{Agent, AgentBuilder, ApiRequest, Ask, Client, ClientBuilder, Error, Register};

/// Credential headers of every request that left.
type Sent = Arc<Mutex<Vec<(String, Vec<String>)>>>;

fn watched(emulator: &Emulator) -> (impl Fn(Request) -> Result<Response, TransportError> + use<>, Sent) {
    let (emulator, sent) = (emulator.clone(), Sent::default());
    let seen = Arc::clone(&sent);
    let carry = move |request: Request| {
        let credentials = ["authorization", "x-api-key"].iter().filter_map(|name| {
            let value = request.headers().get(*name)?;
            assert!(value.is_sensitive());
            Some(format!("{name}: {}", value.to_str().unwrap()))
        });
        seen.lock().unwrap().push((request.url().path().to_owned(), credentials.collect()));
        Ok(emulator.handle_in_process(&request).response)
    };
    (carry, sent)
}

fn emulator() -> Emulator {
    let agent = AgentSeed::new("agt_1").secret("s").agent_key("agk_canary").capability("read");
    let user = UserSeed::new("alice").scopes(["openid"]);
    let tenant = Tenant::new("acme").agent(agent).user(user);
    let key = ApiKeySeed::new("alice").key("lmk_canary").scopes(["settings.manage"]);
    Emulator::builder().tenant(tenant.api_key(key)).build().unwrap()
}

fn client(emulator: &Emulator) -> ClientBuilder {
    Client::builder().base_url(emulator.site().base_url()).tenant("acme")
}

fn agent(emulator: &Emulator) -> AgentBuilder {
    Agent::builder().base_url(emulator.site().base_url()).tenant("acme")
}

fn says(error: Error, expected: &str) {
    let text = format!("{error} {error:?}");
    assert!(matches!(error, Error::Input(_) | Error::Config(_)), "{text}");
    assert!(text.contains(expected) && !text.contains("canary"), "{text}");
}

#[test]
fn an_api_key_travels_alone_in_its_header() {
    let emulator = emulator();
    let (carry, sent) = watched(&emulator);
    let client = client(&emulator).api_key("lmk_canary").build_with(carry).unwrap();
    assert_eq!(client.request(Method::GET, "mcp/servers").unwrap().status(), 200);
    let path = "/t/acme/api/v1/mcp/servers".to_owned();
    assert_eq!(*sent.lock().unwrap(), [(path, vec!["x-api-key: lmk_canary".to_owned()])]);
    assert!(!format!("{client:?}").contains("canary"));

    // What the service does not take is said before it is sent.
    says(client.run(Ask::new("read")).unwrap_err(), "is an API key");
    says(client.identity().unwrap_err(), "is an API key");
    says(client.run(GetInfo).unwrap_err(), "is an API key");
    says(client.run(Register::new("x")).unwrap_err(), "is an API key");
    // Nothing beside it, and nowhere else.
    for header in ["Authorization", "x-api-key"] {
        says(client.run(ApiRequest::get("mcp/servers").header(header, "x")).unwrap_err(), "one credential");
    }
    for url in
        ["https://evil.test/x", "//evil.test/x", "https://lumoauth.test:444/x", "http://lumoauth.test/x"]
    {
        says(client.request(Method::GET, url).unwrap_err(), "");
    }
    assert_eq!(sent.lock().unwrap().len(), 1);
}

#[test]
fn a_users_token_travels_as_it_is_and_is_replaced_by_its_owner_alone() {
    let emulator = emulator();
    let (carry, sent) = watched(&emulator);
    let token = emulator.user_token("agt_1", "alice", ["openid"]).unwrap();
    let client = client(&emulator).user_token(token.clone()).build_with(carry).unwrap();
    assert_eq!(client.request(Method::GET, "oauth/userinfo").unwrap().status(), 200);
    assert_eq!(sent.lock().unwrap()[0].1, [format!("authorization: Bearer {}", token.expose())]);
    says(client.run(Ask::new("read")).unwrap_err(), "is a user's token");
    assert_eq!(sent.lock().unwrap().len(), 1);

    // A refusal is the answer: nothing is renewed, and the call is made once.
    client.set_user_token("ut_other").unwrap();
    let refused = client.run(GetInfo).unwrap_err();
    assert!(refused.is_unauthorized(), "{refused}");
    assert_eq!(sent.lock().unwrap().len(), 2);
    client.set_user_token(token).unwrap();
    assert!(client.run(GetInfo).is_ok());
    says(client.set_api_key("lmk_canary").unwrap_err(), "another kind");
}

#[test]
fn an_agents_key_stands_in_for_its_credentials() {
    let emulator = emulator();
    let (carry, sent) = watched(&emulator);
    let agent = agent(&emulator).agent_key("agk_canary").build_with(carry).unwrap();
    agent.ensure_authenticated().unwrap();
    assert!(agent.is_allowed("read").unwrap());
    assert!(agent.has_capability("read").unwrap());
    assert_eq!(agent.identity().unwrap().kind.as_deref(), Some("agent"));
    assert_eq!(emulator.count(routes::TOKEN.name()), Ok(0));
    let sent_before = sent.lock().unwrap().len();
    assert!(sent.lock().unwrap().iter().all(|(_, all)| *all == ["authorization: Bearer agk_canary"]));
    // What needs a token of its own.
    says(agent.access_token().unwrap_err(), "a token of the agent's own");
    says(agent.mcp_token("my-mcp-server").unwrap_err(), "a token of the agent's own");
    assert_eq!(sent.lock().unwrap().len(), sent_before);
}

#[test]
fn a_key_goes_nowhere_else_whatever_is_allowed() {
    let emulator = emulator();
    let (carry, sent) = watched(&emulator);
    let agent = agent(&emulator).agent_key("agk_canary").allow_origin("https://api.example.com");
    let agent = agent.build_with(carry).unwrap();
    says(agent.request(Method::GET, "https://api.example.com/x").unwrap_err(), "goes nowhere else");
    assert!(sent.lock().unwrap().is_empty());
}

#[test]
fn one_credential_is_chosen_when_the_client_is_built() {
    let emulator = emulator();
    let nothing = |_: Request| -> Result<Response, TransportError> { panic!("nothing may be sent") };
    let built = |builder: ClientBuilder| builder.build_with(nothing).unwrap_err();
    says(built(client(&emulator)), "LUMOAUTH_API_KEY");
    says(built(client(&emulator).api_key("lmk_canary").user_token("ut_canary")), "never sent together");
    says(built(client(&emulator).api_key("canary\n")), "line break");
    says(built(client(&emulator).user_token("can ary")), "blank");
    let keyed = || agent(&emulator).agent_key("agk_canary");
    says(keyed().client_id("agt_1").client_secret("s").build_with(nothing).unwrap_err(), "agent_key");
    says(keyed().public_client().build_with(nothing).unwrap_err(), "agent_key");
    says(agent(&emulator).agent_key("").build_with(nothing).unwrap_err(), "agent_key is missing");
}

#[test]
fn the_emulator_refuses_two_credentials_at_once() {
    use lumoauth::http::HeaderValue;
    let emulator = emulator();
    let url = emulator.site().join("mcp/servers").unwrap();
    let bearer = HeaderValue::from_static("Bearer agk_canary");
    let both = Request::new(Method::GET, url).header(lumoauth::http::header::AUTHORIZATION, bearer);
    let both = both.header("x-api-key".parse().unwrap(), HeaderValue::from_static("lmk_canary"));
    assert_eq!(emulator.handle_in_process(&both).response.status(), 500);
    let identity =
        Agent::builder().base_url(emulator.site().base_url()).tenant("acme").agent_key("agk_wrong");
    let refused = identity.build_with(emulator.transport()).unwrap().run(GetIdentity).unwrap_err();
    assert!(refused.is_unauthorized());
}
