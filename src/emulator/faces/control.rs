//! What tests do beside requests: decide for people, count tokens, mint platform tokens.

use http::header::LOCATION;
use serde_json::{Value, json};

use crate::emulator::faces::emulator::{Emulator, UnknownAgent};
use crate::emulator::services::aauth::consent;
use crate::emulator::services::authorize::{self, Refused};
use crate::emulator::services::device::{self, Undecided};
use crate::emulator::state::aauth::Asking;
use crate::emulator::state::grants::{Outcome, What};
use crate::emulator::state::tokens::TokenKind;
use crate::emulator::values::workload::WorkloadIssuer;
use crate::secret::Secret;

/// An authorization request whose page waits for a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingConsent {
    /// Names the request to [`Emulator::approve_consent`] and [`Emulator::deny_consent`].
    pub id: String,
    /// The agent that asks: its client id, or its identifier in AAuth.
    pub client_id: String,
    /// What it asks for.
    pub scopes: Vec<String>,
    /// Where it wants to use that (RFC 8707).
    pub resources: Vec<String>,
}

/// Why a decision could not be made for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecisionError {
    /// Nothing of this name waits for a decision.
    #[error("nothing waits for a decision under {0:?}: it is unknown, decided or expired")]
    NothingWaits(String),
    /// The tenant has no such user.
    #[error("the tenant has no user {0:?}")]
    UnknownUser(String),
}

impl Emulator {
    /// The authorization requests whose pages wait, oldest first.
    pub fn pending_consents(&self) -> Vec<PendingConsent> {
        let state = self.state();
        let now = state.clock.now();
        let waiting = state.world.grants.pending.iter().filter(|pending| now < pending.expires_at);
        waiting
            .filter_map(|pending| {
                let id = pending.id.clone();
                match &pending.what {
                    What::Device => None,
                    What::Client(asked) => Some(PendingConsent {
                        id,
                        client_id: asked.client_id.clone(),
                        scopes: asked.scopes.clone(),
                        resources: asked.resources.clone(),
                    }),
                    What::Agent(Asking { asked, .. }) => Some(PendingConsent {
                        id,
                        client_id: asked.agent.clone(),
                        scopes: asked.scopes.clone(),
                        resources: vec![asked.resource.clone()],
                    }),
                }
            })
            .collect()
    }

    /// Opens a consent URL and approves as this user, as a person with a browser would: for tests and first steps, where there is none.
    /// Gives back the URL that the browser comes back with. It has the code in it, or a refusal that was made before anybody was asked.
    /// Consent URLs of AAuth are opened as well.
    ///
    /// ```
    /// use lumoauth::emulator::Emulator;
    ///
    /// # #[cfg(feature = "ureq")] {
    /// let emulator = Emulator::demo()?;
    /// let chain = lumoauth::DelegationChain::new(&emulator.agent()?, "https://myapp.com/consent")?;
    ///
    /// let url = chain.consent_url("session-1", ["documents"])?;
    /// let back = emulator.consent_as("alice", &url)?;
    /// chain.handle_callback_url("session-1", back.expose())?;
    /// assert_eq!(chain.exchange("session-1", ["documents"])?.scopes().to_string(), "documents");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`DecisionError`]: the URL opens no page that waits for a decision, or the tenant has no such user.
    pub fn consent_as(&self, user: &str, url: &str) -> Result<Secret, DecisionError> {
        let nothing = || DecisionError::NothingWaits("the consent URL".to_owned());
        let open = |url: &str| -> Result<_, DecisionError> {
            let url = url.parse().map_err(|_| nothing())?;
            Ok(self.visit(url).response)
        };
        let mut page = open(url)?;
        // AAuth has its page elsewhere than its consent URL.
        if let Some(on) = page.header(LOCATION).filter(|to| consent::is_page(to)) {
            page = open(on)?;
        }
        if let Some(back) = page.header(LOCATION) {
            return Ok(Secret::new(back));
        }
        // The page names its request, so that pages which others open meanwhile are left alone.
        let page = page.text();
        let shown = |asked: &PendingConsent| page.contains(&format!("\"{}\"", asked.id));
        let asked = self.pending_consents().into_iter().find(shown).ok_or_else(nothing)?;
        self.approve_consent(&asked.id, user)
    }

    /// Approves as this user, and gives back where the browser would be sent. The URL has the code in it.
    ///
    /// # Errors
    /// [`DecisionError`].
    pub fn approve_consent(&self, id: &str, user: &str) -> Result<Secret, DecisionError> {
        let mut guard = self.state();
        let state = &mut *guard;
        let now = state.clock.now();
        let nothing = || DecisionError::NothingWaits(id.to_owned());
        let waiting = state.world.grants.pending.iter().find(|pending| pending.id == id);
        let tenant = waiting.map(|pending| pending.tenant).ok_or_else(nothing)?;
        state
            .world
            .tenants
            .get(tenant)
            .and_then(|tenant| tenant.user(user))
            .ok_or_else(|| DecisionError::UnknownUser(user.to_owned()))?;
        let pending = state.world.grants.take_pending(id, now).ok_or_else(nothing)?;
        let settings = &self.0.settings;
        let asked = match pending.what {
            What::Client(asked) => asked,
            What::Agent(asking) => {
                return consent::approve(state, settings, &asking, user, now).map_err(|_| nothing());
            }
            What::Device => return Err(nothing()),
        };
        let fallback = authorize::denied(&pending.issuer, &asked);
        match authorize::approve(state, settings, tenant, &pending.issuer, asked, (user, now), now) {
            Ok(to) => Ok(to),
            Err(Refused::Back { .. }) => Ok(fallback),
            Err(Refused::Here(_)) => Err(nothing()),
        }
    }

    /// Refuses, and gives back where the browser would be sent.
    ///
    /// # Errors
    /// [`DecisionError::NothingWaits`].
    pub fn deny_consent(&self, id: &str) -> Result<Secret, DecisionError> {
        let mut state = self.state();
        let now = state.clock.now();
        let pending = state.world.grants.take_pending(id, now);
        let nothing = || DecisionError::NothingWaits(id.to_owned());
        let pending = pending.ok_or_else(nothing)?;
        match pending.what {
            What::Client(asked) => Ok(authorize::denied(&pending.issuer, &asked)),
            What::Agent(asking) => consent::deny(&mut state, &asking, now).map_err(|_| nothing()),
            What::Device => Err(nothing()),
        }
    }

    /// What a user has agreed to for a client, by the page or by the seed.
    pub fn consented_scopes(&self, user: &str, client_id: &str) -> Vec<String> {
        let state = self.state();
        let mut tenants = state.world.tenants.iter();
        tenants.find_map(|tenant| tenant.consented(user, client_id)).unwrap_or_default().to_vec()
    }

    /// Takes a user's consent back, and with it every token that stands on it. The agent is named by its client id, or by
    /// its identifier in AAuth.
    pub fn revoke_consent(&self, user: &str, client_id: &str) {
        let mut guard = self.state();
        let world = &mut guard.world;
        world.aauth.revoke_consent(user, client_id);
        for (index, tenant) in world.tenants.iter_mut().enumerate() {
            tenant.consents.retain(|own| own.user != user || own.client_id != client_id);
            if tenant.agent(client_id).is_some() {
                world.tokens.revoke_delegation(index, user, client_id);
            }
        }
    }

    /// The user codes of devices that wait for a decision, oldest first.
    pub fn pending_devices(&self) -> Vec<String> {
        let state = self.state();
        let now = state.clock.now();
        let devices = state.world.grants.devices.iter();
        let open = devices.filter(|own| matches!(own.outcome, Outcome::Open) && now < own.expires_at);
        open.map(|device| device.user_code.clone()).collect()
    }

    /// Approves a device as this user (RFC 8628 section 3.3).
    ///
    /// # Errors
    /// [`DecisionError`].
    pub fn approve_device(&self, user_code: &str, user: &str) -> Result<(), DecisionError> {
        self.decide_device(user_code, Some(user))
    }

    /// Refuses a device.
    ///
    /// # Errors
    /// [`DecisionError::NothingWaits`].
    pub fn deny_device(&self, user_code: &str) -> Result<(), DecisionError> {
        self.decide_device(user_code, None)
    }

    fn decide_device(&self, user_code: &str, user: Option<&str>) -> Result<(), DecisionError> {
        let mut state = self.state();
        let now = state.clock.now();
        device::decide(&mut state.world, None, user_code, user, now).map_err(|undecided| match undecided {
            Undecided::NoCode => DecisionError::NothingWaits(user_code.to_owned()),
            Undecided::NoUser => DecisionError::UnknownUser(user.unwrap_or_default().to_owned()),
        })
    }

    /// How many tokens of a kind are valid now. A refresh token that another has replaced is not.
    pub fn token_count(&self, kind: TokenKind) -> usize {
        let state = self.state();
        state.world.tokens.count(kind, state.clock.now())
    }

    /// How many refresh tokens are valid now.
    pub fn active_refresh_tokens(&self) -> usize {
        self.token_count(TokenKind::Refresh)
    }

    /// Has the vault refuse this connection's next request with this code, as `grant_revoked` or `refresh_in_progress`; several one
    /// after the other.
    pub fn refuse_connection(&self, connection: &str, code: &str) {
        let mut guard = self.state();
        let codes = guard.world.vault_refusals.entry(connection.to_owned()).or_default();
        codes.push_back(code.to_owned());
    }

    /// The platform of this issuer URL, with the key that the emulator trusts.
    pub fn workload_issuer(&self, issuer: &str) -> Option<&WorkloadIssuer> {
        self.0.settings.issuers.iter().find(|own| own.issuer() == issuer)
    }

    /// A platform token for an agent that was seeded with [`AgentSeed::workload`](crate::emulator::AgentSeed::workload): valid for
    /// an hour by the emulator's clock.
    ///
    /// # Errors
    /// [`UnknownAgent`] if there is no such agent, or it has no platform.
    pub fn workload_token(&self, client_id: &str) -> Result<Secret, UnknownAgent> {
        self.workload_token_with(client_id, &json!({}))
    }

    /// [`Emulator::workload_token`] with these claims added or put in place of its own; `null` takes one away.
    ///
    /// # Errors
    /// [`UnknownAgent`] as there.
    pub fn workload_token_with(&self, client_id: &str, claims: &Value) -> Result<Secret, UnknownAgent> {
        let unknown = || UnknownAgent(client_id.to_owned());
        let mut agents = self.0.tenants.iter().flat_map(|tenant| &tenant.agents);
        let agent = agents.find(|agent| agent.client_id == client_id).ok_or_else(unknown)?;
        let seed = agent.workload.as_ref().ok_or_else(unknown)?;
        let issuer = self.workload_issuer(&seed.issuer).ok_or_else(unknown)?;
        let now = self.now().unix();
        let mut all = json!({
            "iss": seed.issuer,
            "sub": seed.subject,
            "aud": [seed.audience],
            "iat": now,
            "nbf": now,
            "exp": now.saturating_add(3600),
        });
        if let (Some(all), Some(claims)) = (all.as_object_mut(), claims.as_object()) {
            all.extend(claims.clone());
            all.retain(|_, value| !value.is_null());
        }
        issuer.sign(&all).map_err(|_| unknown())
    }
}
