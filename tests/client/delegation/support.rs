//! The emulator with an agent and its users, their browser, and a store that tells what happens to it.

use std::sync::Arc;
use std::time::Duration;

use lumoauth::DelegationChain;
use lumoauth::emulator::{AgentSeed, Emulator, EmulatorBuilder, Tenant, UserSeed};
use lumoauth::error::StoreError;
use lumoauth::http::Method;
use lumoauth::http::header::LOCATION;
use lumoauth::store::{MemoryStore, Page, Prefix, Record, Shelf, Store, StoreKey, Version};

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
#[derive(Clone)]
pub struct Watched {
    pub store: Arc<MemoryStore>,
    saved: Arc<dyn Fn() + Send + Sync>,
}

impl Watched {
    pub fn new(saved: impl Fn() + Send + Sync + 'static) -> Self {
        Watched { store: Arc::default(), saved: Arc::new(saved) }
    }

    /// The same sessions, watched by another.
    pub fn and(&self, saved: impl Fn() + Send + Sync + 'static) -> Self {
        Watched { store: Arc::clone(&self.store), saved: Arc::new(saved) }
    }

    /// The names of all sessions.
    pub fn sessions(&self) -> Vec<String> {
        sessions(&*self.store)
    }
}

impl Store for Watched {
    fn load(&self, key: &StoreKey, within: Duration) -> Result<Option<Record>, StoreError> {
        self.store.load(key, within)
    }
    fn save_if(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        keep: Option<Duration>,
        within: Duration,
    ) -> Result<Option<Version>, StoreError> {
        let saved = self.store.save_if(key, version, bytes, keep, within);
        (self.saved)();
        saved
    }
    fn remove_if(&self, key: &StoreKey, version: Version, within: Duration) -> Result<bool, StoreError> {
        self.store.remove_if(key, version, within)
    }
    fn keys(&self, prefix: &Prefix, after: Option<&str>, within: Duration) -> Result<Page, StoreError> {
        self.store.keys(prefix, after, within)
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
