//! The emulator with an agent and its users, their browser, and a store that tells what happens to it.

use std::sync::Arc;
use std::time::Duration;

use lumoauth::DelegationChain;
use lumoauth::emulator::{AgentSeed, Emulator, EmulatorBuilder, Tenant, UserSeed};
use lumoauth::http::Method;
use lumoauth::http::header::LOCATION;
use lumoauth::store::{MemoryStore, Prefix, Shelf, Store};

use crate::stores::{Answer, Answers, Asked, Stub};

pub const REDIRECT: &str = "https://myapp.com/consent";

pub fn builder() -> EmulatorBuilder {
    let agent = |id: &str, name: &str| {
        AgentSeed::new(id)
            .secret("fixed-secret")
            .name(name)
            .capabilities(["read:documents", "delegate:on_behalf"])
    };
    let user = |name: &str| {
        UserSeed::new(name).scopes(["read:documents", "write:documents", "openid", "offline_access"])
    };
    let tenant = Tenant::new("acme")
        .agent(agent("agt_1", "first").redirect_uri(REDIRECT))
        .agent(agent("agt_2", "second"))
        .agent(agent("agt_3", "third"))
        .agent(agent("agt_4", "fourth"))
        .user(user("alice"))
        .user(user("bob"));
    Emulator::builder().tenant(tenant)
}

pub fn emulator() -> Emulator {
    builder().auto_consent("alice").build().unwrap()
}

pub fn chain(emulator: &Emulator) -> DelegationChain {
    DelegationChain::new(&emulator.agent().unwrap(), REDIRECT).unwrap()
}

/// What the user's browser does in automatic mode: it follows the consent URL and comes back.
pub fn come_back(emulator: &Emulator, url: &str) -> String {
    let request = lumoauth::embed::wire::Request::new(Method::GET, url.parse().unwrap());
    let response = emulator.handle_in_process(&request).response;
    assert!(response.status().is_redirection(), "{}", response.text());
    response.header(LOCATION).unwrap().to_owned()
}

/// What the browser of a user does who decides by hand.
pub fn come_back_as(emulator: &Emulator, user: &str, url: &str) -> String {
    let request = lumoauth::embed::wire::Request::new(Method::GET, url.parse().unwrap());
    emulator.handle_in_process(&request);
    let asked = emulator.pending_consents();
    emulator.approve_consent(&asked.last().unwrap().id, user).unwrap().expose().to_owned()
}

pub fn consent(emulator: &Emulator, chain: &DelegationChain, session: &str) {
    let url = chain.consent_url(session, ["read:documents"]).unwrap();
    let back = come_back(emulator, &url);
    chain.handle_callback_url(session, &back).unwrap();
}

/// Keeps sessions in memory, shared by clones, and calls something after each save.
pub type Watched = Stub<Watching>;

#[derive(Clone)]
pub struct Watching {
    pub store: Arc<MemoryStore>,
    saved: Arc<dyn Fn() + Send + Sync>,
}

impl Watched {
    pub fn new(saved: impl Fn() + Send + Sync + 'static) -> Self {
        Stub(Watching { store: Arc::default(), saved: Arc::new(saved) })
    }

    /// The same sessions, watched by another.
    pub fn and(&self, saved: impl Fn() + Send + Sync + 'static) -> Self {
        Stub(Watching { store: Arc::clone(&self.store), saved: Arc::new(saved) })
    }

    /// The names of all sessions.
    pub fn sessions(&self) -> Vec<String> {
        sessions(&*self.store)
    }
}

impl Answers for Watching {
    fn answer(&self, asked: Asked<'_>) -> Answer {
        let saves = asked.saves();
        let answer = asked.on(&self.store);
        if saves {
            (self.saved)();
        }
        answer
    }
}

/// The names of all sessions of a store, from all its pages.
pub fn sessions(store: &dyn Store) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = store.keys(&Prefix::all(Shelf::Sessions), after.as_deref(), Duration::MAX).unwrap();
        names.extend(page.keys().iter().map(|key| key.segments().concat()));
        after = page.next().map(str::to_owned);
        if after.is_none() {
            return names;
        }
    }
}
