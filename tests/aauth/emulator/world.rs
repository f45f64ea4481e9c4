//! A tenant with fixed keys, and requests signed by hand.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lumoauth::aauth::{AgentKey, AgentServer, Delegate, Grant, Message, Nonce, Resource};
use lumoauth::embed::wire::{Form, Request, Response};
use lumoauth::emulator::{
    AAuthAgentSeed, AAuthResourceSeed, AgentSeed, AuthLevel, Emulator, EmulatorBuilder, Tenant, UserSeed,
};
use lumoauth::http::Method;
use lumoauth::http::header::{HeaderMap, LOCATION};
use lumoauth::time::{Now, Timestamp};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

pub const AGENT: &str = "https://agent.example/";
pub const SECOND: &str = "https://second.example";
pub const THIRD: &str = "https://third.example";
pub const API: &str = "https://api.example.com";
pub const CALLBACK: &str = "https://agent.example/cb";

/// What is changed in claims that are good, and how.
pub type Change<'a> = (&'static str, &'a dyn Fn(&mut Value));

pub fn key(number: u8) -> AgentKey {
    AgentKey::from_seed(&[number; 32]).unwrap()
}

pub fn builder() -> EmulatorBuilder {
    let agent =
        |id: &str, name: &str, number: u8| AAuthAgentSeed::new(id, name).key(key(number).public_jwk());
    let chained = |id: &str, name: &str, number: u8| {
        AAuthResourceSeed::new(id, name)
            .key(key(number).public_jwk())
            .level(AuthLevel::Authenticated)
            .scopes("read")
    };
    let served =
        |id: &str, level: AuthLevel| AAuthResourceSeed::served(id).scopes(["read", "write"]).level(level);
    let tenant = Tenant::new("acme")
        .agent(AgentSeed::new("agt_bot").secret("s3cret"))
        .user(UserSeed::new("alice").scopes(["read", "write"]))
        .user(UserSeed::new("bob").scopes(["read"]))
        .user(UserSeed::new("carol"))
        .aauth_agent(agent("aag_1", AGENT, 1).redirect_uri(CALLBACK).platform_scopes(["read:documents", "x"]))
        .aauth_agent(agent("aag_2", SECOND, 2).redirect_uri("https://second.example/cb"))
        .aauth_agent(agent("aag_3", THIRD, 3))
        .aauth_resource(chained("ars_2", SECOND, 2))
        .aauth_resource(chained("ars_3", THIRD, 3))
        .aauth_resource(
            AAuthResourceSeed::new("ars_api", API).key(key(9).public_jwk()).scopes(["read", "write"]),
        )
        .aauth_resource(served("open", AuthLevel::None))
        .aauth_resource(served("known", AuthLevel::Authenticated).required_scopes("read"))
        .aauth_resource(served("agreed", AuthLevel::Authorized).required_scopes("read"))
        .aauth_resource(served("present", AuthLevel::User).required_scopes("read"));
    Emulator::builder().tenant(tenant)
}

/// One emulator, seen through one of its layouts.
pub struct World {
    pub emulator: Emulator,
    pub issuer: String,
    counter: AtomicU64,
}

impl World {
    pub fn new() -> Self {
        World::of(builder())
    }

    pub fn of(builder: EmulatorBuilder) -> Self {
        World::under(builder.build().unwrap(), "/t/acme/api/v1")
    }

    pub fn under(emulator: Emulator, prefix: &str) -> Self {
        let issuer = format!("{}{prefix}", emulator.site().base_url());
        World { emulator, issuer, counter: AtomicU64::new(1) }
    }

    pub fn now(&self) -> Now {
        let mut random = [0; 32];
        random[..8].copy_from_slice(&self.counter.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        Now::new(self.emulator.now(), Duration::ZERO, random)
    }

    pub fn nonce(&self) -> Nonce {
        Nonce::from_random(self.now().random.first_chunk().unwrap())
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.issuer)
    }

    pub fn send(&self, request: &Request) -> Response {
        self.emulator.handle_in_process(request).response
    }

    pub fn get(&self, url: &str) -> Response {
        self.send(&Request::new(Method::GET, url.parse().unwrap()))
    }

    /// An agent token of one of the three agents, for its own key.
    pub fn agent_token(&self, number: u8) -> String {
        let name = [AGENT, SECOND, THIRD][usize::from(number) - 1];
        let server = AgentServer::new(name, key(number)).unwrap().audience(self.issuer.clone());
        let delegate = Delegate::by_thumbprint("main", key(number).thumbprint()).unwrap();
        server.mint(&delegate, &self.now()).unwrap().secret().expose().to_owned()
    }

    /// A signed POST of JSON by an agent.
    pub fn post(&self, number: u8, path: &str, body: &Value) -> Response {
        self.send(&self.by_agent(number, path, body))
    }

    pub fn by_agent(&self, number: u8, path: &str, body: &Value) -> Request {
        let token = self.agent_token(number);
        self.signed(&key(number), Method::POST, &self.url(path), body.to_string().as_bytes(), |message| {
            message.agent_token(token.clone()).unwrap()
        })
    }

    /// A signed POST of JSON by the resource with the key 9, or whoever the key and its name say.
    pub fn by_resource(&self, number: u8, name: Option<&str>, path: &str, body: &Value) -> Response {
        self.send(&self.signed(
            &key(number),
            Method::POST,
            &self.url(path),
            body.to_string().as_bytes(),
            |message| match name {
                Some(name) => message.signature_key(name).unwrap(),
                None => message,
            },
        ))
    }

    pub fn signed(
        &self,
        key: &AgentKey,
        method: Method,
        url: &str,
        body: &[u8],
        with: impl FnOnce(Message) -> Message,
    ) -> Request {
        self.signed_at(key, method, url, body, self.emulator.now(), with)
    }

    pub fn signed_at(
        &self,
        key: &AgentKey,
        method: Method,
        url: &str,
        body: &[u8],
        created: Timestamp,
        with: impl FnOnce(Message) -> Message,
    ) -> Request {
        let message = with(Message::new(method, url).unwrap().body(body));
        let headers = message.sign(key, created, &self.nonce()).unwrap();
        let mut map = HeaderMap::new();
        headers.apply_to(&mut map).unwrap();
        with_headers(message.method().clone(), &message.url().to_string(), body, &map)
    }

    /// A resource token that the resource with the key 9 has signed.
    pub fn api_token(&self, scopes: &str) -> String {
        let grant = Grant::new(AGENT, key(1).thumbprint(), self.issuer.clone()).unwrap().scopes(scopes);
        self.minted(&grant)
    }

    pub fn minted(&self, grant: &Grant) -> String {
        Resource::new(API, key(9)).unwrap().mint(grant, &self.now()).unwrap().expose().to_owned()
    }

    /// A resource token of a served resource.
    pub fn resource_token(&self, resource: &str, number: u8, scope: &str) -> String {
        let name = [AGENT, SECOND, THIRD][usize::from(number) - 1];
        let body = json!({"agent": name, "agent_jkt": key(number).thumbprint(), "scope": scope});
        let url = self.url(&format!("aauth-demo/{resource}/token"));
        let response = self.send(&Request::new(Method::POST, url.parse().unwrap()).json(&body));
        text(&ok(&response), "resource_token")
    }

    /// `request_type` of `auth` for a served resource.
    pub fn authorize(&self, resource: &str, scope: &str) -> Response {
        let token = self.resource_token(resource, 1, scope);
        let body = json!({"request_type": "auth", "resource_token": token, "redirect_uri": CALLBACK});
        self.post(1, "aauth/agent/token", &body)
    }

    /// A token for a served resource that wants no consent.
    pub fn granted(&self, resource: &str, scope: &str) -> Value {
        ok(&self.authorize(resource, scope))
    }

    /// From the consent URL through the page to where the browser ends up, as this user; none refuses.
    pub fn decide(&self, url: &str, user: Option<&str>) -> String {
        let page = self.get(&self.page(url));
        assert_eq!(page.status(), 200, "{}", page.text());
        let html = page.text();
        let field = |name: &str| {
            let (_, rest) = html.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
            rest.split_once('"').unwrap().0.to_owned()
        };
        let form = Form::new()
            .field("request", &field("request"))
            .field("csrf", &field("csrf"))
            .field("user", user.unwrap_or("alice"))
            .field("decision", if user.is_some() { "approve" } else { "deny" });
        let url = self.page(url).split('?').next().unwrap().to_owned();
        let response = self.send(&Request::new(Method::POST, url.parse().unwrap()).form(form));
        assert_eq!(response.status(), 303, "{}", response.text());
        response.header(LOCATION).unwrap().to_owned()
    }

    /// Where the consent URL leads.
    pub fn page(&self, url: &str) -> String {
        let response = self.get(url);
        assert_eq!(response.status(), 302, "{}", response.text());
        response.header(LOCATION).unwrap().to_owned()
    }

    /// The consent for a served resource, given by alice: the token answer.
    pub fn consented(&self, resource: &str, scope: &str) -> Value {
        let consent = ok(&self.authorize(resource, scope));
        let back = self.decide(consent["authorization_uri"].as_str().unwrap(), Some("alice"));
        ok(&self.redeem(&parameter(&back, "code").unwrap()))
    }

    pub fn redeem(&self, code: &str) -> Response {
        let body = json!({"request_type": "code", "code": code, "redirect_uri": CALLBACK});
        self.post(1, "aauth/agent/token", &body)
    }

    /// A signed request to a served resource's data.
    pub fn data(&self, resource: &str, token: &str, number: u8, query: &str) -> Request {
        let url = self.url(&format!("aauth-demo/{resource}/data{query}"));
        self.signed(&key(number), Method::GET, &url, b"", |message| {
            message.authorization(format!("Bearer {token}")).unwrap()
        })
    }
}

pub fn with_headers(method: Method, url: &str, body: &[u8], headers: &HeaderMap) -> Request {
    let mut request = Request::new(method, url.parse().unwrap());
    if !body.is_empty() {
        request = request.bytes("application/json", body);
    }
    headers.iter().fold(request, |request, (name, value)| request.header(name.clone(), value.clone()))
}

/// The body of a 200.
pub fn ok(response: &Response) -> Value {
    assert_eq!(response.status(), 200, "{}", response.text());
    body(response)
}

pub fn body(response: &Response) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

/// Status and code.
pub fn refusal(response: &Response) -> (u16, String) {
    (response.status().as_u16(), body(response)["error"].as_str().unwrap_or_default().to_owned())
}

pub fn code(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// The claims of a JWT.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

pub fn part(token: &str, part: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(part).unwrap()).unwrap()).unwrap()
}

/// A parameter of a URL's query.
pub fn parameter(url: &str, name: &str) -> Option<String> {
    let query = url.split_once('?')?.1;
    form_urlencoded::parse(query.as_bytes()).find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
}
