//! Which call can be made with which credential: what cannot is refused before anything is sent, and what is sent carries one
//! credential, to the service. In both mounts.
#![cfg(all(feature = "blocking", feature = "async", feature = "emulator"))]

use std::sync::{Arc, Mutex};

use lumoauth::embed::operations::authz::{
    CheckRelation, DeleteTuple, ExpandRelation, GetMyAttributes, GetResourceAttributes,
    ListAttributeDefinitions, ListPermissions, SetResourceAttribute, SetUserAttribute, WriteTuple,
};
use lumoauth::embed::operations::{
    AuthorizeTool, ClientCredentials, GetIdentity, GetInfo, ListConnections, Revoke,
};
use lumoauth::embed::wire::{Request, Response};
use lumoauth::emulator::{AgentSeed, ApiKeySeed, Emulator, Tenant, UserSeed};
use lumoauth::error::TransportError;
use lumoauth::{
    Agent, ApiRequest, Ask, CheckAll, CheckAny, CheckPermission, CheckPermissions, CheckPolicies,
    CheckPolicy, Client, Error, Evaluate, EvaluateAll, GetVaultToken, Register, Secret, Tuple, asynchronous,
};

/// Whose credential it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Agent,
    User,
    Service,
}

/// Who can make a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Can {
    Everybody,
    /// Agents and users.
    Principals,
    Agents,
    /// The client itself, which a service with a key is not.
    Nobody,
}

struct World {
    emulator: Emulator,
    /// The credentials of each request that left.
    sent: Arc<Mutex<Vec<Vec<String>>>>,
}

impl World {
    fn new() -> Self {
        let agent = AgentSeed::new("agt_1").secret("s").agent_key("agk_1").capability("read");
        let user = UserSeed::new("alice").scopes(["openid", "abac:read"]);
        let key = ApiKeySeed::new("alice").key("lmk_1").scopes(["admin"]);
        let tenant = Tenant::new("acme").agent(agent).user(user).api_key(key);
        World { emulator: Emulator::builder().tenant(tenant).build().unwrap(), sent: Arc::default() }
    }

    fn carry(&self) -> impl Fn(Request) -> Result<Response, TransportError> + Send + Sync + use<> {
        let (emulator, sent) = (self.emulator.clone(), Arc::clone(&self.sent));
        move |request: Request| {
            assert_eq!(request.url().authority().unwrap().as_str(), "lumoauth.test");
            let headers = ["authorization", "x-api-key"].iter().filter_map(|name| {
                Some(format!("{name}: {}", request.headers().get(*name)?.to_str().unwrap()))
            });
            sent.lock().unwrap().push(headers.collect());
            Ok(emulator.handle_in_process(&request).response)
        }
    }

    fn token(&self) -> Secret {
        self.emulator.user_token("agt_1", "alice", ["openid", "abac:read"]).unwrap()
    }

    /// What came of a call, against who can make it.
    fn judge(&self, name: &str, whose: Whose, can: Can, expected: &str, failed: Option<Error>) {
        let sent = std::mem::take(&mut *self.sent.lock().unwrap());
        let may = match can {
            Can::Everybody => true,
            Can::Principals => whose != Whose::Service,
            Can::Agents => whose == Whose::Agent,
            Can::Nobody => false,
        };
        if may {
            assert_eq!(sent, [[expected]], "{name} as {whose:?}");
            return;
        }
        assert!(sent.is_empty(), "{name} as {whose:?}: {sent:?}");
        let error = failed.unwrap_or_else(|| panic!("{name} as {whose:?} was made"));
        assert!(matches!(error, Error::Input(_) | Error::Config(_)), "{name} as {whose:?}: {error:?}");
        assert!(can == Can::Nobody || error.to_string().contains("does not take this call"), "{error}");
    }
}

/// Every call, with this client.
macro_rules! walk {
    ($world:expr, $whose:expr, $expected:expr, $client:expr $(, $wait:ident)?) => {{
        let mut rows = 0;
        macro_rules! row {
            ($can:expr, $operation:expr) => {{
                let came = walk!(@made $client.run($operation) $(, $wait)?);
                $world.judge(stringify!($operation), $whose, $can, $expected, came.err());
                rows += 1;
            }};
        }
        let tuple = || Tuple::viewer("document:1", "user:alice");
        let evaluation = || Evaluate::new(("user", "alice"), "read", ("document", "1"));
        row!(Can::Everybody, CheckPermission::new("a"));
        row!(Can::Everybody, CheckAny::new(["a"]));
        row!(Can::Everybody, CheckAll::new(["a"]));
        row!(Can::Everybody, CheckPermissions::new(["a"]));
        row!(Can::Everybody, CheckRelation::new(tuple()));
        row!(Can::Everybody, ExpandRelation::new("document:1", "viewer"));
        row!(Can::Everybody, WriteTuple::from(tuple()));
        row!(Can::Everybody, DeleteTuple::from(tuple()));
        row!(Can::Everybody, evaluation());
        row!(Can::Everybody, EvaluateAll::new([evaluation()]));
        row!(Can::Everybody, ApiRequest::get("mcp/servers"));
        row!(Can::Principals, ListPermissions::new());
        row!(Can::Principals, CheckPolicy::new("document", "read"));
        row!(Can::Principals, CheckPolicies::new([CheckPolicy::new("document", "read")]));
        row!(Can::Principals, GetMyAttributes);
        row!(Can::Principals, GetResourceAttributes::new("document", "1"));
        row!(Can::Principals, SetResourceAttribute::new("document", "1", "a", 1));
        row!(Can::Principals, SetUserAttribute::new("alice", "a", 1));
        row!(Can::Principals, ListAttributeDefinitions::new());
        row!(Can::Principals, GetInfo);
        row!(Can::Principals, GetIdentity);
        row!(Can::Principals, Register::new("bot").client_id("agt_1"));
        row!(Can::Agents, Ask::new("read"));
        row!(Can::Agents, Ask::question("May I?"));
        row!(Can::Agents, AuthorizeTool::new("files", "read"));
        row!(Can::Agents, ListConnections::new());
        row!(Can::Agents, GetVaultToken::new("github"));
        // What goes by the client's own credentials is nothing for a key or a token of somebody else.
        row!(Can::Nobody, ClientCredentials::new(["read"]));
        row!(Can::Nobody, Revoke::new("t"));
        // Nowhere but to the service, and with nothing beside the credential.
        for url in ["https://evil.test/x", "//evil.test/x", "https://lumoauth.test:444/x", "http://lumoauth.test/x"] {
            row!(Can::Nobody, ApiRequest::get(url));
        }
        for header in ["Authorization", "X-API-Key"] {
            row!(Can::Nobody, ApiRequest::get("mcp/servers").header(header, "x"));
        }
        rows
    }};
    (@made $call:expr) => { $call };
    (@made $call:expr, $wait:ident) => { $call.await };
}

#[test]
fn each_credential_makes_the_calls_that_the_service_takes_it_for() {
    let world = World::new();
    let base = world.emulator.site().base_url().to_owned();
    let token = world.token();
    let bearer = format!("authorization: Bearer {}", token.expose());
    let service = || Client::builder().base_url(&base).tenant("acme");
    let client = service().api_key("lmk_1").build_with(world.carry()).unwrap();
    let mut rows = walk!(world, Whose::Service, "x-api-key: lmk_1", client);
    let client = service().user_token(token.clone()).build_with(world.carry()).unwrap();
    rows += walk!(world, Whose::User, &bearer, client);
    let agent = Agent::builder().base_url(&base).tenant("acme").agent_key("agk_1");
    let agent = agent.build_with(world.carry()).unwrap();
    rows += walk!(world, Whose::Agent, "authorization: Bearer agk_1", agent);
    println!(
        "{rows} calls with a key, a user's token and an agent's: each is made or refused before it is sent"
    );
}

#[tokio::test]
async fn the_same_in_async_code() {
    let world = World::new();
    let base = world.emulator.site().base_url().to_owned();
    let token = world.token();
    let bearer = format!("authorization: Bearer {}", token.expose());
    let carry = || {
        let carry = world.carry();
        asynchronous::from_fn(move |request| std::future::ready(carry(request)), |_| std::future::ready(()))
    };
    let service = || asynchronous::Client::builder().base_url(&base).tenant("acme");
    let client = service().api_key("lmk_1").build_with(carry()).unwrap();
    walk!(world, Whose::Service, "x-api-key: lmk_1", client, wait);
    let client = service().user_token(token.clone()).build_with(carry()).unwrap();
    walk!(world, Whose::User, &bearer, client, wait);
    let agent = asynchronous::Agent::builder().base_url(&base).tenant("acme").agent_key("agk_1");
    let agent = agent.build_with(carry()).unwrap();
    walk!(world, Whose::Agent, "authorization: Bearer agk_1", agent, wait);
}
