//! The emulator itself: it answers requests, tells what it saw, and lets a test change what it holds.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, Uri};

use crate::crypto::{CryptoError, JwkSet, KeyPair};
use crate::emulator::engine;
use crate::emulator::state::clock::Clock;
use crate::emulator::state::ids::Ids;
use crate::emulator::state::keys::Keys;
use crate::emulator::state::log::{AuditEntry, LogEntry};
use crate::emulator::state::tenants::Agent;
use crate::emulator::state::{State, World};
use crate::emulator::values::answer::Reply;
use crate::emulator::values::error::{BuildError, UnknownRoute};
use crate::emulator::values::faults::{FaultRule, FaultRuleError};
use crate::emulator::values::incoming::{BODY_LIMIT, Incoming};
use crate::emulator::values::seed::{AgentSeed, Tenant};
use crate::emulator::values::settings::Settings;
use crate::origin::Origin;
use crate::profile::AgentKey;
use crate::secret::Secret;
use crate::site::Site;
use crate::time::Timestamp;
use crate::wire::Request;

/// A local LumoAuth. A clone is the same emulator.
#[derive(Clone)]
pub struct Emulator(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub tenants: Vec<Tenant>,
    first: First,
    site: Site,
    base: String,
    /// One for each tenant, in their order: no tenant can sign for another's agents.
    aauth_keys: Vec<KeyPair>,
    pub settings: Settings,
    state: Mutex<State>,
}

/// The agent that stands for all in the short forms.
struct First {
    tenant: String,
    client_id: String,
    secret: Secret,
}

/// There is no agent of that client id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the emulator has no agent with the client id {0:?}")]
pub struct UnknownAgent(pub(super) String);

impl Emulator {
    pub(super) fn new(
        tenants: Vec<Tenant>,
        site: Site,
        (keys, aauth_keys): (Keys, Vec<KeyPair>),
        settings: Settings,
        start: Timestamp,
        seed: [u8; 32],
    ) -> Result<Self, BuildError> {
        let tenant = tenants.first().ok_or(BuildError::Empty)?;
        let agent = tenant.agents.first().ok_or(BuildError::Empty)?;
        let first = First {
            tenant: tenant.slug.clone(),
            client_id: agent.client_id.clone(),
            secret: agent.secret.clone().ok_or(BuildError::Empty)?,
        };
        let state = State {
            world: World::new(&tenants),
            clock: Clock::new(start),
            ids: Ids::new(seed),
            keys,
            followers: Vec::new(),
        };
        let base = site.base_url();
        let state = Mutex::new(state);
        Ok(Emulator(Arc::new(Shared { tenants, first, site, base, aauth_keys, settings, state })))
    }

    /// The engine: answers a request as of `now`. It reads no clock and waits for nothing; a fault that is the
    /// transport's to play is in the reply. The request's host is not looked at.
    pub fn handle(&self, request: &Request, now: Timestamp) -> Reply {
        self.answer(&incoming(request, &self.0.base), Some(now))
    }

    /// [`Emulator::handle`] by the emulator's own clock.
    pub fn handle_in_process(&self, request: &Request) -> Reply {
        self.answer(&incoming(request, &self.0.base), None)
    }

    /// What a browser gets at this URL: by the base URL in process, or by that of a server, whichever it is of.
    pub(super) fn visit(&self, url: Uri) -> Reply {
        let served =
            Origin::of(&url).filter(|origin| origin != self.site().origin()).map(|origin| origin.to_string());
        let request = Request::new(Method::GET, url);
        self.answer(&incoming(&request, served.as_deref().unwrap_or(&self.0.base)), None)
    }

    pub(super) fn answer(&self, incoming: &Incoming<'_>, now: Option<Timestamp>) -> Reply {
        let Shared { aauth_keys, settings, site, base, .. } = &*self.0;
        let mut state = self.state();
        let now = now.unwrap_or_else(|| state.clock.now());
        // The base URL in process may have a path of its own, which is not a part of any route.
        let own = base.strip_prefix(&site.origin().to_string()).unwrap_or_default();
        let prefix = if incoming.base == base { own } else { "" };
        engine::reply(&mut state, incoming, incoming.path.strip_prefix(prefix), aauth_keys, settings, now)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it is in process: base URL and first tenant.
    pub fn site(&self) -> &Site {
        &self.0.site
    }

    /// Who the first tenant's tokens are issued by (`iss`), in process.
    ///
    /// ```
    /// # #[cfg(feature = "blocking")] {
    /// use lumoauth::{Emulator, TokenVerifier, verify::VerifierConfig};
    ///
    /// let emulator = Emulator::demo()?;
    /// let config = VerifierConfig::new(emulator.issuer(), "https://mcp.acme.test/my-mcp-server");
    /// let verifier = TokenVerifier::build_with(config, emulator.transport())?;
    /// let token = emulator.agent()?.token_for("https://mcp.acme.test/my-mcp-server")?;
    /// assert_eq!(verifier.verify(token.secret())?.issuer(), emulator.issuer());
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn issuer(&self) -> String {
        self.site().api_base()
    }

    /// The slug of the first tenant.
    pub fn tenant(&self) -> &str {
        &self.0.first.tenant
    }

    /// The client id of the first tenant's first agent.
    pub fn client_id(&self) -> &str {
        &self.0.first.client_id
    }

    /// The secret of the first tenant's first agent.
    pub fn secret(&self) -> &Secret {
        &self.0.first.secret
    }

    /// The secret that an agent was seeded with.
    pub fn secret_of(&self, client_id: &str) -> Option<&Secret> {
        self.seeded(client_id).ok()?.1.secret.as_ref()
    }

    /// The client ids of all agents of the seed, in their order.
    pub fn client_ids(&self) -> Vec<&str> {
        let agents = self.0.tenants.iter().flat_map(|tenant| &tenant.agents);
        agents.map(|agent| agent.client_id.as_str()).collect()
    }

    /// The agent of the seed, and its tenant.
    pub(super) fn seeded(&self, client_id: &str) -> Result<(&Tenant, &AgentSeed), UnknownAgent> {
        let all = self.0.tenants.iter().flat_map(|tenant| tenant.agents.iter().map(move |own| (tenant, own)));
        let found = all.into_iter().find(|(_, agent)| agent.client_id == client_id);
        found.ok_or_else(|| UnknownAgent(client_id.to_owned()))
    }

    /// The first tenant's first API key.
    pub fn api_key(&self) -> Option<&Secret> {
        self.0.tenants.first()?.api_keys.first()?.key.as_ref()
    }

    /// The keys that verify its tokens, as its JWKS document has them: the one that signs first.
    pub fn jwks(&self) -> JwkSet {
        self.state().keys.public()
    }

    /// Signs with another key from now on: the next of [`EmulatorBuilder::another_key_pem`](crate::emulator::EmulatorBuilder::another_key_pem),
    /// or a new ES256 key if there is none. The key before stays in the JWKS document, so tokens that it signed still verify.
    ///
    /// # Errors
    /// [`CryptoError::Randomness`] if the operating system has none for a new key.
    pub fn rotate_signing_key(&self) -> Result<(), CryptoError> {
        self.state().keys.rotate()
    }

    /// Takes the keys that signed before out of the JWKS document. Whoever has read it again refuses tokens that they signed.
    pub fn retire_signing_keys(&self) {
        self.state().keys.retire();
    }

    /// The key that was made at the start for an agent or a resource of AAuth, by its id. None if there is none of that id, or
    /// only keys that were given.
    pub fn aauth_key(&self, id: &str) -> Option<&AgentKey> {
        let agents = self.0.tenants.iter().flat_map(|tenant| &tenant.aauth_agents);
        let resources = self.0.tenants.iter().flat_map(|tenant| &tenant.aauth_resources);
        let agents = agents.map(|agent| (&agent.id, &agent.keys));
        let mut all = agents.chain(resources.map(|resource| (&resource.id, &resource.keys)));
        all.find(|(own, keys)| *own == id && keys.own.is_some())?.1.own.as_ref()
    }

    /// What its clock says. The clock stands still until it is moved; while a server runs, it goes with the real time,
    /// as far ahead or behind as tests have moved it.
    pub fn now(&self) -> Timestamp {
        self.state().clock.now()
    }

    /// Moves the clock ahead.
    pub fn advance(&self, by: Duration) {
        self.state().clock.advance(by);
    }

    /// Sets the clock, backwards too.
    pub fn set_time(&self, to: Timestamp) {
        self.state().clock.set(to);
    }

    /// Orders a fault.
    ///
    /// # Errors
    /// [`FaultRuleError`] if the rule could never work, such as for a route that there is not.
    pub fn fault(&self, rule: FaultRule) -> Result<(), FaultRuleError> {
        let rule = rule.check(engine::route::is_name)?;
        self.state().world.rules.push(rule);
        Ok(())
    }

    /// Forgets all faults.
    pub fn clear_faults(&self) {
        self.state().world.rules.clear();
    }

    /// Back to the seed: agents, consents, codes, devices, tokens, logs, counts, faults and rate limits. The clock and the keys stay.
    pub fn reset(&self) {
        self.state().world = World::new(&self.0.tenants);
    }

    /// The last 10,000 requests, oldest first.
    pub fn log(&self) -> Vec<LogEntry> {
        self.state().world.log.requests()
    }

    /// The last 10,000 decisions, oldest first.
    pub fn audit(&self) -> Vec<AuditEntry> {
        self.state().world.log.audit()
    }

    /// Tells of every request from now on, and of the decision that it asked for. It is called while the emulator works, so it
    /// must be quick and must not call the emulator.
    pub fn follow(&self, with: impl FnMut(&LogEntry, Option<&AuditEntry>) + Send + 'static) {
        self.state().followers.push(Box::new(with));
    }

    /// How many requests came for a route, by the operation's name: `oauth.token`. `unknown` counts those for no route.
    ///
    /// # Errors
    /// [`UnknownRoute`] if there is none of that name, which would otherwise count nothing for ever.
    pub fn count(&self, route: &str) -> Result<u64, UnknownRoute> {
        if !engine::route::is_name(route) {
            return Err(UnknownRoute(route.to_owned()));
        }
        Ok(self.state().world.log.count(route))
    }

    /// How many requests came.
    pub fn count_all(&self) -> u64 {
        self.state().world.log.count_all()
    }

    /// Gives an agent a capability.
    ///
    /// # Errors
    /// [`UnknownAgent`].
    pub fn grant_capability(&self, client_id: &str, capability: &str) -> Result<(), UnknownAgent> {
        self.change(client_id, |agent| {
            if !agent.has_capability(capability) {
                agent.seed.capabilities.push(capability.to_owned());
            }
        })
    }

    /// Takes a capability from an agent.
    ///
    /// # Errors
    /// [`UnknownAgent`].
    pub fn revoke_capability(&self, client_id: &str, capability: &str) -> Result<(), UnknownAgent> {
        self.change(client_id, |agent| agent.seed.capabilities.retain(|own| own != capability))
    }

    /// Sets how many tokens an agent has used today.
    ///
    /// # Errors
    /// [`UnknownAgent`].
    pub fn set_budget_usage(&self, client_id: &str, tokens: u64) -> Result<(), UnknownAgent> {
        self.change(client_id, |agent| agent.set_tokens_used(tokens))
    }

    /// Makes every token of an agent invalid. New ones can be had.
    ///
    /// # Errors
    /// [`UnknownAgent`].
    pub fn revoke_tokens(&self, client_id: &str) -> Result<(), UnknownAgent> {
        self.change(client_id, |_| {})?;
        self.state().world.tokens.revoke_client(client_id);
        Ok(())
    }

    fn change(&self, client_id: &str, with: impl FnOnce(&mut Agent)) -> Result<(), UnknownAgent> {
        let mut state = self.state();
        let agent = state.world.agent_mut(client_id).ok_or_else(|| UnknownAgent(client_id.to_owned()))?;
        with(agent);
        Ok(())
    }
}

fn incoming<'a>(request: &'a Request, base: &'a str) -> Incoming<'a> {
    let body = request.body();
    Incoming {
        method: request.method(),
        path: request.url().path(),
        query: request.url().query(),
        headers: request.headers(),
        body: (body.len() <= BODY_LIMIT).then_some(body),
        base,
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator").field("site", &self.0.site.api_base()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::routes;
    use crate::wire::Form;
    use http::Method;
    use serde_json::Value;

    #[test]
    fn the_published_key_verifies_the_token() {
        let emulator = Emulator::demo().unwrap();
        let form = Form::new()
            .field("grant_type", "client_credentials")
            .field("client_id", emulator.client_id())
            .secret("client_secret", emulator.secret());
        let request = Request::new(Method::POST, emulator.site().url(routes::TOKEN)).form(form);
        let body: Value = emulator.handle_in_process(&request).response.json().unwrap();
        let request = Request::new(Method::GET, emulator.site().url(routes::JWKS));
        let keys: Value = emulator.handle_in_process(&request).response.json().unwrap();
        let token = body["access_token"].as_str().unwrap();
        assert!(crate::crypto::tests::verifies(token, &keys["keys"][0]));
    }

    #[test]
    fn a_fault_is_for_a_route_that_there_is() {
        let emulator = Emulator::demo().unwrap();
        let error = emulator.fault(FaultRule::on("agents.fly").status(503)).unwrap_err();
        assert_eq!(error, FaultRuleError::UnknownRoute("agents.fly".into()));
        assert_eq!(emulator.fault(FaultRule::on("unknown").status(503)), Ok(()));
    }
}
