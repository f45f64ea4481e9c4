//! Agents that share their tokens in a store: in both mounts, whatever the store does.
#![cfg(all(feature = "blocking", feature = "emulator"))]

use std::sync::Arc;
use std::time::Duration;

use lumoauth::emulator::{AgentSeed, Emulator, McpServerSeed, Tenant};
use lumoauth::store::{MemoryStore, Prefix, Shelf, Store};
use lumoauth::{Agent, Error};

use crate::stores::{FAULTS, Faulty};

const FILES: &str = "https://files.test/mcp";

fn emulator() -> Emulator {
    let agent = AgentSeed::new("agt_1").secret("fixed-secret").capabilities(["read"]);
    let files = McpServerSeed::new("files").resource_uri(FILES).scopes(["read"]);
    Emulator::builder().tenant(Tenant::new("acme").agent(agent).mcp_server(files)).build().unwrap()
}

/// What an agent does, in either mount.
trait Caller {
    fn ask(&self) -> Result<String, Error>;
    fn mcp(&self) -> Result<String, Error>;
    fn anew(&self) -> Result<String, Error>;
    fn end(&self) -> Result<String, Error>;
}

fn text(token: lumoauth::AccessToken) -> String {
    token.secret().expose().to_owned()
}

impl Caller for Agent {
    fn ask(&self) -> Result<String, Error> {
        Ok(self.ask("read")?.allowed().to_string())
    }
    fn mcp(&self) -> Result<String, Error> {
        self.mcp_token(FILES).map(text)
    }
    fn anew(&self) -> Result<String, Error> {
        self.authenticate(["read"]).map(text)
    }
    fn end(&self) -> Result<String, Error> {
        self.revoke_shared_tokens().map(|revoked| revoked.to_string())
    }
}

#[cfg(feature = "async")]
impl Caller for lumoauth::asynchronous::Agent {
    fn ask(&self) -> Result<String, Error> {
        Ok(crate::stores::block_on(self.ask("read"))?.allowed().to_string())
    }
    fn mcp(&self) -> Result<String, Error> {
        crate::stores::block_on(self.mcp_token(FILES)).map(text)
    }
    fn anew(&self) -> Result<String, Error> {
        crate::stores::block_on(self.authenticate(["read"])).map(text)
    }
    fn end(&self) -> Result<String, Error> {
        crate::stores::block_on(self.revoke_shared_tokens()).map(|revoked| revoked.to_string())
    }
}

fn blocking(emulator: &Emulator, store: impl Store + 'static) -> Box<dyn Caller> {
    let agent = Agent::builder().base_url(emulator.site().base_url()).tenant("acme");
    let agent = agent.client_id("agt_1").client_secret("fixed-secret").shared_tokens(store);
    Box::new(agent.build_with(emulator.transport()).unwrap())
}

#[cfg(feature = "async")]
fn asynchronous(
    emulator: &Emulator,
    store: impl lumoauth::asynchronous::store::Store + 'static,
) -> Box<dyn Caller> {
    let agent = lumoauth::asynchronous::Agent::builder().base_url(emulator.site().base_url()).tenant("acme");
    let agent = agent.client_id("agt_1").client_secret("fixed-secret").shared_tokens(store);
    Box::new(agent.build_with(emulator.transport()).unwrap())
}

type Flow = fn(&Emulator, &dyn Caller) -> Result<String, Error>;

/// Every flow that asks the store for tokens: what comes before it, and itself.
const FLOWS: [(&str, Flow, Flow); 6] = [
    ("first token", |_, _| Ok(String::new()), |_, agent| agent.ask()),
    (
        "renewal",
        |_, agent| agent.ask(),
        |emulator, agent| {
            emulator.advance(Duration::from_secs(3600));
            agent.ask()
        },
    ),
    (
        "early renewal",
        |_, agent| agent.ask(),
        |emulator, agent| {
            emulator.advance(Duration::from_secs(3400));
            agent.ask()
        },
    ),
    (
        "refusal",
        |_, agent| agent.ask(),
        |emulator, agent| {
            emulator.revoke_tokens("agt_1").unwrap();
            agent.ask()
        },
    ),
    ("MCP token", |_, _| Ok(String::new()), |_, agent| agent.mcp()),
    ("new token", |_, agent| agent.ask(), |_, agent| agent.anew()),
];

fn fails_at_any_call(mount: &str, agent: impl Fn(&Emulator, Faulty) -> Box<dyn Caller>) {
    let (mut cases, mut slowest) = (0, Duration::ZERO);
    for (name, before, flow) in FLOWS {
        for fault in FAULTS {
            for spread in [1, 1000] {
                for call in 0.. {
                    let emulator = emulator();
                    let store = Faulty::new(&emulator);
                    let one = agent(&emulator, store.clone());
                    before(&emulator, &*one).unwrap();
                    let case = format!("{mount}, {name}, {fault:?} at call {call} and {spread} on");
                    let (began, asked) = (emulator.now(), emulator.count("oauth.token").unwrap());
                    store.at(call, call + spread, fault);
                    let outcome = flow(&emulator, &*one);
                    let passed = match name {
                        "renewal" => 3600,
                        "early renewal" => 3400,
                        _ => 0,
                    };
                    let took = emulator.now().saturating_since(began) - Duration::from_secs(passed);
                    let calls = store.heal();
                    assert!(outcome.is_ok(), "{case}: {:?}", outcome.err());
                    slowest = slowest.max(took);
                    assert!(took < Duration::from_secs(11), "{case}: {took:?}");
                    let looks = usize::try_from(took.as_millis() / 50).unwrap();
                    assert!(calls <= 12 + looks, "{case}: {calls} calls of the store in {took:?}");
                    let sent = emulator.count("oauth.token").unwrap() - asked;
                    assert!(sent <= 2, "{case}: {sent} token requests");
                    // Another process has a token, and the next one the same.
                    let (mcp, next) = (
                        name == "MCP token",
                        |one: &dyn Caller, mcp| {
                            if mcp { one.mcp() } else { one.ask() }
                        },
                    );
                    next(&*agent(&emulator, store.clone()), mcp)
                        .unwrap_or_else(|error| panic!("{case}: {error}"));
                    let asked = emulator.count("oauth.token").unwrap();
                    next(&*agent(&emulator, store.clone()), mcp)
                        .unwrap_or_else(|error| panic!("{case}: {error}"));
                    assert_eq!(
                        emulator.count("oauth.token").unwrap(),
                        asked,
                        "{case}: what was obtained is shared"
                    );
                    cases += 1;
                    if call >= calls {
                        break;
                    }
                }
            }
        }
    }
    println!("F16, shared tokens, {mount}: {cases} cases, 0 calls failed, slowest {slowest:?}");
}

#[test]
fn f16_a_store_of_tokens_may_fail_at_any_call() {
    fails_at_any_call("blocking", blocking);
}

#[cfg(feature = "async")]
#[test]
fn f16_a_store_of_tokens_may_fail_at_any_call_in_the_async_mount() {
    fails_at_any_call("async", asynchronous);
}

/// The mounts share one store, and end what they share; one by one if the store or the service fails in the middle.
#[cfg(feature = "async")]
#[test]
fn what_is_shared_is_ended_for_all() {
    let emulator = emulator();
    let store = Arc::new(MemoryStore::new());
    let (one, other) = (blocking(&emulator, Arc::clone(&store)), asynchronous(&emulator, Arc::clone(&store)));
    assert_eq!(one.mcp().unwrap(), other.mcp().unwrap());
    assert_eq!(emulator.count("oauth.token").unwrap(), 2);
    let kept = || {
        let prefix = Prefix::all(Shelf::Tokens);
        Store::keys(&*store, &prefix, None, Duration::from_secs(1)).unwrap().keys().len()
    };
    assert_eq!(kept(), 2);
    emulator.fault(lumoauth::emulator::FaultRule::on("oauth.revoke").nth(2).times(3).status(503)).unwrap();
    assert!(other.end().unwrap_err().is_temporary());
    assert_eq!(kept(), 1, "one was revoked, and the other is there to be tried again");
    assert_eq!((one.end().unwrap().as_str(), kept()), ("1", 0));
    assert_eq!(one.end().unwrap(), "0");
    // The service has ended them; whoever holds one finds out, and all have the next.
    let asked = emulator.count("oauth.token").unwrap();
    for agent in [&other, &one, &other] {
        agent.ask().unwrap();
    }
    assert_eq!(emulator.count("oauth.token").unwrap() - asked, 1);
}
