//! No credential in the address of any request that the flows make, nor in the emulator's log.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lumoauth::embed::operations::{DeviceAuthorization, Introspect, Revoke};
use lumoauth::embed::wire::{Request, Response};
use lumoauth::error::TransportError;
use lumoauth::http::Method;
use lumoauth::{Agent, DelegationChain, Secret, Transport};

use super::support::*;

#[test]
fn s15_no_flow_on_the_emulator_puts_a_credential_into_an_address() {
    let emulator = emulator();
    let seen = Addresses::default();
    let (inner, own) = (emulator.transport(), Arc::clone(&seen));
    let transport = Watched { inner, seen: own };
    let builder = Agent::builder().base_url(emulator.site().base_url()).tenant("acme");
    let agent = builder.client_id("agt_1").client_secret(SECRET).build_with(transport).unwrap();
    let chain = DelegationChain::new(&agent, REDIRECT).unwrap();
    consent(&emulator, &chain, "s1");
    assert!(agent.is_allowed("read:documents").unwrap());
    agent.info().unwrap();
    agent.identity().unwrap();
    let delegated = chain.exchange("s1", ["read:documents"]).unwrap();
    chain.request("s1", Method::GET, "/api/v1/documents").unwrap();
    let sub_agent = agent.access_token().unwrap().secret().clone();
    let _ = chain.delegate_to_sub_agent("s1", sub_agent, []);
    emulator.advance(Duration::from_secs(3600));
    chain.exchange("s1", []).unwrap();
    let _ = agent.run(Introspect::new(delegated.token().secret().clone())).unwrap();
    agent.run(Revoke::new(delegated.token().secret().clone())).unwrap();
    let code = agent.run(DeviceAuthorization::new("openid")).unwrap();
    let mut poll = agent.session().call(code.poll());
    let _ = lumoauth::embed::session::Machine::step(&mut poll, &emulator.transport().now().unwrap(), None);
    chain.revoke("s1").unwrap();

    let seen = seen.lock().unwrap();
    let secrets: Vec<&Secret> = seen.iter().flat_map(|(_, secrets)| secrets).collect();
    assert!(seen.len() >= 12 && secrets.len() >= 12, "{} {}", seen.len(), secrets.len());
    let paths: Vec<String> = emulator.log().into_iter().map(|entry| entry.path).collect();
    for address in seen.iter().map(|(url, _)| url).chain(&paths) {
        assert!(!address.contains(SECRET), "{address}");
        assert!(secrets.iter().all(|secret| !address.contains(secret.expose())), "{address}");
    }
    println!("S15: {} requests, {} credentials, 0 in an address or in the log", seen.len(), secrets.len());
}

/// Where requests went, and the credentials that they had.
type Addresses = Arc<Mutex<Vec<(String, Vec<Secret>)>>>;

/// The emulator's transport, watched.
struct Watched<T> {
    inner: T,
    seen: Addresses,
}

impl<T: Transport> Transport for Watched<T> {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        let mut secrets = Vec::new();
        if let Some(value) = request.headers().get("authorization") {
            let value = value.to_str().unwrap();
            secrets.push(Secret::new(value.split_once(' ').unwrap().1));
        }
        for (name, value) in form_urlencoded::parse(request.body()) {
            let named = ["token", "code", "secret", "verifier", "assertion"];
            if named.iter().any(|part| name.contains(part))
                && !name.ends_with("_type")
                && !name.ends_with("_hint")
            {
                secrets.push(Secret::new(value.as_ref()));
            }
        }
        self.seen.lock().unwrap().push((request.url().to_string(), secrets));
        self.inner.send(request)
    }
    fn sleep(&self, duration: Duration) {
        self.inner.sleep(duration);
    }
    fn now(&self) -> Result<lumoauth::time::Now, TransportError> {
        self.inner.now()
    }
    fn join(&self, ticket: lumoauth::embed::session::Ticket) {
        self.inner.join(ticket);
    }
}
