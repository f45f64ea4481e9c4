//! The client and the emulator together, in both mounts and both layouts of addresses: every flow from the first question to
//! the signed call, the next hop, and the end by revocation.
#![cfg(all(feature = "blocking", feature = "async", feature = "emulator"))]

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lumoauth::aauth::{
    AgentKey, AgentServer, AuthToken, Authorization, Client, Delegate, Grant, Message, Nonce, Resource,
};
use lumoauth::embed::operations::aauth::{
    Exchange, GetResourceToken, IssueDelegate, Revoke, VerifyAuthToken, VerifyResourceToken,
};
use lumoauth::embed::wire::{Form, Request};
use lumoauth::emulator::{
    AAuthAgentSeed, AAuthResourceSeed, AgentSeed, AuthLevel, Emulator, Tenant, UserSeed,
};
use lumoauth::http::{Method, header::LOCATION};
use lumoauth::time::Now;
use lumoauth::{Error, Secret, TokenType, asynchronous};
use serde_json::{Value, json};

const AGENT: &str = "https://agent.example";
const SECOND: &str = "https://second.example";
const API: &str = "https://api.example.com";
const CALLBACK: &str = "https://agent.example/cb";
/// Where the tenant is, in both layouts.
const PLACES: [&str; 2] = ["/t/acme/api/v1", "/orgs/acme/api/v1"];

fn key(number: u8) -> AgentKey {
    AgentKey::from_seed(&[number; 32]).unwrap()
}

fn emulator(consenting: bool) -> Emulator {
    let agent = |id: &str, name: &str, number: u8| {
        AAuthAgentSeed::new(id, name).key(key(number).public_jwk()).platform_scopes("read:documents")
    };
    let served = |id: &str, level: AuthLevel| AAuthResourceSeed::served(id).scopes("read").level(level);
    let tenant = Tenant::new("acme")
        .agent(AgentSeed::new("agt_bot").secret("s3cret"))
        .user(UserSeed::new("alice").scopes(["read"]))
        .aauth_agent(agent("aag_1", AGENT, 1).redirect_uri(CALLBACK))
        .aauth_agent(agent("aag_2", SECOND, 2).redirect_uri("https://second.example/cb"))
        .aauth_resource(
            AAuthResourceSeed::new("ars_2", SECOND)
                .key(key(2).public_jwk())
                .level(AuthLevel::Authenticated)
                .scopes("read"),
        )
        .aauth_resource(
            AAuthResourceSeed::new("ars_api", API)
                .key(key(9).public_jwk())
                .level(AuthLevel::Authenticated)
                .scopes("read"),
        )
        .aauth_resource(served("known", AuthLevel::Authenticated))
        .aauth_resource(served("agreed", AuthLevel::Authorized));
    let builder = Emulator::builder().tenant(tenant);
    if consenting { builder.auto_consent("alice").build().unwrap() } else { builder.build().unwrap() }
}

/// An emulator seen through one of its layouts.
struct World {
    emulator: Emulator,
    issuer: String,
    organization: bool,
}

impl World {
    fn new(place: &str, consenting: bool) -> Self {
        let emulator = emulator(consenting);
        let issuer = format!("{}{place}", emulator.site().base_url());
        World { emulator, issuer, organization: place.starts_with("/orgs") }
    }

    fn server(&self, number: u8) -> (AgentServer, Delegate) {
        let name = [AGENT, SECOND][usize::from(number) - 1];
        let server = AgentServer::new(name, key(number)).unwrap().audience(self.issuer.as_str());
        (server, Delegate::by_thumbprint("worker", key(number).thumbprint()).unwrap())
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.issuer)
    }

    fn send(&self, request: &Request) -> lumoauth::embed::wire::Response {
        self.emulator.handle_in_process(request).response
    }

    /// A resource token of a resource that the emulator serves.
    fn told(&self, resource: &str, number: u8) -> String {
        let agent = [AGENT, SECOND][usize::from(number) - 1];
        let who = json!({"agent": agent, "agent_jkt": key(number).thumbprint(), "scope": "read"});
        let url = self.url(&format!("aauth-demo/{resource}/token"));
        let answer = self.send(&Request::new(Method::POST, url.parse().unwrap()).json(&who));
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let answer: Value = serde_json::from_slice(answer.body()).unwrap();
        answer["resource_token"].as_str().unwrap().to_owned()
    }

    /// A resource token of the second agent, for the first.
    fn told_by_second(&self) -> String {
        let grant = Grant::new(AGENT, key(1).thumbprint(), self.issuer.as_str()).unwrap().scopes("read");
        let now = Now::new(self.emulator.now(), Duration::ZERO, [5; 32]);
        Resource::new(SECOND, key(2)).unwrap().mint(&grant, &now).unwrap().expose().to_owned()
    }

    /// A person on the consent page; where the browser ends up.
    fn click_through(&self, url: &str, decision: &str) -> String {
        let get = |url: &str| self.send(&Request::new(Method::GET, url.parse().unwrap()));
        let page_url = get(url).header(LOCATION).unwrap().to_owned();
        let page = get(&page_url).text();
        let hidden = |name: &str| {
            let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
            rest.split_once('"').unwrap().0.to_owned()
        };
        let form = Form::new().field("request", &hidden("request")).field("csrf", &hidden("csrf"));
        let form = form.field("user", "alice").field("decision", decision);
        let address = page_url.split('?').next().unwrap();
        let sent_back = self.send(&Request::new(Method::POST, address.parse().unwrap()).form(form));
        sent_back.header(LOCATION).unwrap().to_owned()
    }

    /// Where the browser ends up at once, since the person always agrees.
    fn sent_back(&self, url: &str) -> String {
        let next = |url: &str| {
            let answer = self.send(&Request::new(Method::GET, url.parse().unwrap()));
            answer.header(LOCATION).unwrap().to_owned()
        };
        next(&next(url))
    }
}

/// A builder of either mount, for one of the two agents, or for the resource with the key 9.
macro_rules! client {
    ($mount:path, $world:expr, $number:expr) => {{
        use $mount as mount;
        let builder = mount::builder().key(key($number)).base_url($world.emulator.site().base_url());
        let builder = if $world.organization { builder.organization("acme") } else { builder.tenant("acme") };
        let builder = if $number == 9 {
            builder.resource(API)
        } else {
            let (server, delegate) = $world.server($number);
            builder.agent_server(server, delegate).redirect_uri(CALLBACK)
        };
        builder.build_with($world.emulator.transport()).unwrap()
    }};
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn granted(authorization: Authorization) -> AuthToken {
    authorization.granted().expect("granted")
}

/// A claim of a token.
fn claim(token: &Secret, name: &str) -> String {
    let payload = URL_SAFE_NO_PAD.decode(token.expose().split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    claims[name].as_str().unwrap().to_owned()
}

/// The id of a token, by which it is revoked.
fn id(token: &AuthToken) -> String {
    claim(token.auth_token(), "jti")
}

macro_rules! consents {
    ($world:ident, $agent:ident, $($await:tt)*) => {{
        let url = $world.url("aauth-demo/agreed/data?limit=2");
        let authorization = $agent.request_authorization($world.told("agreed", 1))$($await)*.unwrap();
        let Authorization::Consent(consent) = authorization else { panic!("a person is asked") };
        let back = $world.click_through(&$agent.consent_url(&consent).unwrap(), "deny");
        let refused = $agent.handle_callback_url(&consent, &back)$($await)*.unwrap_err();
        assert!(matches!(refused, Error::Consent(_)), "{refused}");

        let authorization = $agent.request_authorization($world.told("agreed", 1))$($await)*.unwrap();
        let Authorization::Consent(consent) = authorization else { panic!("a person is asked") };
        let back = $world.click_through(&$agent.consent_url(&consent).unwrap(), "approve");
        let token = $agent.handle_callback_url(&consent, &back)$($await)*.unwrap();
        let answer = $agent.signed_request(&token, Method::GET, &url)$($await)*.unwrap();
        let answer: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!((&answer["sub"], &answer["agent"]), (&json!("user:alice"), &json!(AGENT)));
        let again = $agent.handle_callback_url(&consent, &back)$($await)*.unwrap_err();
        assert!(matches!(again, Error::Consent(_)), "a consent is used up: {again}");

        let stale = $agent.refresh(&token, "a.b.c")$($await)*.unwrap_err();
        assert!(matches!(&stale, Error::Api(error) if error.status() == 400), "{stale}");
        let renewed = $agent.refresh(&token, $world.told("agreed", 1))$($await)*.unwrap();
        assert_ne!(id(&renewed), id(&token));
        assert_eq!($agent.signed_request(&renewed, Method::GET, &url)$($await)*.unwrap().status(), 200);

        // Who has agreed is not asked again.
        let known = $agent.request_authorization($world.told("agreed", 1))$($await)*.unwrap();
        assert_eq!($agent.signed_request(&granted(known), Method::GET, &url)$($await)*.unwrap().status(), 200);
    }};
}

#[test]
fn a_person_consents_on_the_page() {
    for place in PLACES {
        let world = World::new(place, false);
        let agent = client!(lumoauth::aauth::Client, world, 1);
        consents!(world, agent,);
        let world = World::new(place, false);
        let agent = client!(asynchronous::aauth::Client, world, 1);
        block_on(async { consents!(world, agent, .await) });
    }
}

macro_rules! agrees_always {
    ($world:ident, $agent:ident, $($await:tt)*) => {{
        let authorization = $agent.request_authorization($world.told("agreed", 1))$($await)*.unwrap();
        let Authorization::Consent(consent) = authorization else { panic!("a person is asked") };
        let back = $world.sent_back(&$agent.consent_url(&consent).unwrap());
        let code = back.split(['?', '&']).find_map(|pair| pair.strip_prefix("code=")).unwrap();
        let token = $agent.handle_code(&consent, code)$($await)*.unwrap();
        let url = $world.url("aauth-demo/agreed/data");
        assert_eq!($agent.signed_request(&token, Method::GET, &url)$($await)*.unwrap().status(), 200);
    }};
}

#[test]
fn a_person_that_always_agrees() {
    for place in PLACES {
        let world = World::new(place, true);
        let agent = client!(lumoauth::aauth::Client, world, 1);
        agrees_always!(world, agent,);
        let world = World::new(place, true);
        let agent = client!(asynchronous::aauth::Client, world, 1);
        block_on(async { agrees_always!(world, agent, .await) });
    }
}

macro_rules! hops {
    ($world:ident, $agent:ident, $second:ident, $api:ident, $($await:tt)*) => {{
        // The first agent's token for the second, which is a resource too; the second trades it for one at the next.
        let first = granted($agent.request_authorization($world.told_by_second())$($await)*.unwrap());
        let upstream = first.auth_token().clone();
        let next = $second.exchange(Exchange::new(upstream, $world.told("known", 2)))$($await)*.unwrap();
        let next = granted(next);
        let url = $world.url("aauth-demo/known/data");
        let answer = $second.signed_request(&next, Method::GET, &url)$($await)*.unwrap();
        let answer: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(answer["agent"], SECOND);
        assert_eq!(answer["act"], json!({"sub": AGENT, "act": {"sub": SECOND}}));
        // The first cannot use it: its key is another.
        let stolen = $agent.signed_request(&next, Method::GET, &url)$($await)*.unwrap();
        assert_eq!(stolen.status(), 401);

        // What the service says of a token: good, and after its revocation not.
        let verify = || VerifyAuthToken::new(first.auth_token().clone());
        let said = $second.verify_auth_token(verify())$($await)*.unwrap().expect("good");
        assert_eq!((said.agent.as_deref(), said.resource.as_deref()), (Some(AGENT), Some(SECOND)));
        assert_eq!(said.thumbprint.as_deref(), Some(key(1).thumbprint()));
        // A resource elsewhere says what is needed there, and asks who stands behind the token that comes.
        let get = GetResourceToken::new(SECOND, key(2).thumbprint()).scopes("read");
        let told = $api.resource_token(get)$($await)*.unwrap();
        let there = Exchange::new(first.auth_token().clone(), told.secret().clone());
        let there = granted($second.exchange(there)$($await)*.unwrap());
        let said = $api.verify_auth_token(VerifyAuthToken::new(there.auth_token().clone()))$($await)*.unwrap();
        let actors: Vec<_> = said.unwrap().actors.iter().map(|actor| actor.subject().to_owned()).collect();
        assert_eq!(actors, [AGENT, SECOND]);
        $agent.revoke(Revoke::auth_token(id(&first)))$($await)*.unwrap();
        assert_eq!($second.verify_auth_token(verify())$($await)*.unwrap(), None, "revoked");
        let late = Exchange::new(first.auth_token().clone(), $world.told("known", 2));
        let late = $second.exchange(late)$($await)*.unwrap_err();
        assert!(matches!(&late, Error::Api(error) if error.code() == Some("invalid_grant")), "{late}");

        // A resource asks for a resource token, and about one.
        let get = GetResourceToken::new(AGENT, key(1).thumbprint()).scopes("read");
        let token = $api.resource_token(get)$($await)*.unwrap();
        let verify = |jkt: &str| VerifyResourceToken::new(token.secret().clone(), AGENT, jkt);
        let said = $api.verify_resource_token(verify(key(1).thumbprint()))$($await)*.unwrap().expect("good");
        assert_eq!(said.resource.as_deref(), Some(API));
        assert_eq!($api.verify_resource_token(verify(key(2).thumbprint()))$($await)*.unwrap(), None);

        // A delegate with a key of its own, and a token for the platform.
        let issued = $agent.issue_delegate(IssueDelegate::new("helper", key(7).public_jwk()))$($await)*.unwrap();
        assert_eq!((claim(issued.secret(), "iss").as_str(), claim(issued.secret(), "sub").as_str()), (AGENT, "helper"));
        let platform = $agent.platform_token("read:documents")$($await)*.unwrap();
        assert_eq!(platform.access().token_type(), &TokenType::Dpop);
        assert_eq!(platform.thumbprint(), Some(key(1).thumbprint()));
        let metadata = $agent.metadata()$($await)*.unwrap();
        assert_eq!(metadata.issuer, $world.issuer);
        assert_eq!($agent.agents()$($await)*.unwrap().len(), 2);
    }};
}

#[test]
fn the_next_hop_revocation_resources_delegates_and_the_platform() {
    for place in PLACES {
        let world = World::new(place, false);
        let agent = client!(Client, world, 1);
        let (second, api) = (client!(Client, world, 2), client!(Client, world, 9));
        hops!(world, agent, second, api,);
        let world = World::new(place, false);
        let agent = client!(asynchronous::aauth::Client, world, 1);
        let second = client!(asynchronous::aauth::Client, world, 2);
        let api = client!(asynchronous::aauth::Client, world, 9);
        block_on(async { hops!(world, agent, second, api, .await) });
    }
}

#[test]
fn a_request_that_was_seen_is_no_use_and_the_next_of_the_client_is() {
    for place in PLACES {
        let world = World::new(place, false);
        let agent = client!(Client, world, 1);
        let token = granted(agent.request_authorization(world.told("known", 1)).unwrap());
        let url = world.url("aauth-demo/known/data?limit=2");
        let message = Message::new(Method::GET, &url).unwrap();
        let message = message.authorization(format!("Bearer {}", token.auth_token().expose())).unwrap();
        let signed = message.sign(&key(1), world.emulator.now(), &Nonce::from_random(&[4; 16])).unwrap();
        let request = Request::new(Method::GET, url.parse().unwrap());
        let request = signed.apply_to_request(request).unwrap();
        assert_eq!(world.send(&request).status(), 200);
        let replay = world.send(&request);
        assert_eq!(replay.status(), 401);
        assert!(replay.text().contains("invalid_signature"), "{}", replay.text());
        for _ in 0..3 {
            assert_eq!(agent.signed_request(&token, Method::GET, &url).unwrap().status(), 200, "each afresh");
        }
    }
}
