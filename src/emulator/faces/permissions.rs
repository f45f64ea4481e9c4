//! What tests do for reviewers: see what waits, approve, deny, and have a person's token without a browser.

use serde_json::Value;

use crate::emulator::faces::control::DecisionError;
use crate::emulator::faces::emulator::{Emulator, UnknownAgent};
use crate::emulator::services::jit::request;
use crate::emulator::state::jit::Asked;
use crate::emulator::state::tokens::{Principal, Token, TokenKind};
use crate::emulator::values::lifetime::in_seconds;
use crate::secret::Secret;
use crate::time::Timestamp;

/// A permission that waits for a reviewer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PendingPermission {
    /// Names the request to [`Emulator::approve_permission`] and [`Emulator::deny_permission`].
    pub id: String,
    /// The task that it belongs to.
    pub task_id: String,
    /// The agent that asks.
    pub client_id: String,
    /// What it asks for.
    pub details: Value,
    /// Why.
    pub justification: Option<String>,
}

impl Emulator {
    /// The permissions that wait for a reviewer, oldest first.
    pub fn pending_permissions(&self) -> Vec<PendingPermission> {
        let state = self.state();
        let now = state.clock.now();
        let shown = |asked: &Asked| PendingPermission {
            id: asked.id.clone(),
            task_id: asked.task.clone(),
            client_id: asked.client_id.clone(),
            details: Value::Object(asked.details.clone()),
            justification: asked.justification.clone(),
        };
        let tenants = 0..state.world.tenants.len();
        tenants
            .flat_map(|tenant| state.world.jit.waiting(tenant, now).map(shown).collect::<Vec<_>>())
            .collect()
    }

    /// Approves a permission, for as long as was asked.
    ///
    /// # Errors
    /// [`DecisionError::NothingWaits`].
    pub fn approve_permission(&self, id: &str) -> Result<(), DecisionError> {
        self.decide_permission(id, |asked, now| request::approve(asked, None, now))
    }

    /// Denies a permission, for this reason.
    ///
    /// # Errors
    /// [`DecisionError::NothingWaits`].
    pub fn deny_permission(&self, id: &str, reason: &str) -> Result<(), DecisionError> {
        self.decide_permission(id, |asked, now| request::deny(asked, Some(reason.to_owned()), now))
    }

    /// The token of this request will be for something else than what was asked for.
    ///
    /// # Errors
    /// [`DecisionError::NothingWaits`] if there is no such request.
    pub fn grant_other_details(&self, id: &str, details: Value) -> Result<(), DecisionError> {
        self.decide_permission(id, |asked, _| {
            asked.other = Some(details);
            true
        })
    }

    fn decide_permission(
        &self,
        id: &str,
        decide: impl FnOnce(&mut Asked, Timestamp) -> bool,
    ) -> Result<(), DecisionError> {
        let mut state = self.state();
        let now = state.clock.now();
        let asked = state.world.jit.requests.iter_mut().find(|asked| asked.id == id);
        match asked.is_some_and(|asked| decide(asked, now)) {
            true => Ok(()),
            false => Err(DecisionError::NothingWaits(id.to_owned())),
        }
    }

    /// A token of this user's own with these scopes, as if the person had signed in at this client: good for an hour.
    ///
    /// # Errors
    /// [`UnknownAgent`] if no tenant has this client.
    pub fn user_token<S: Into<String>>(
        &self,
        client_id: &str,
        user: &str,
        scopes: impl IntoIterator<Item = S>,
    ) -> Result<Secret, UnknownAgent> {
        let mut guard = self.state();
        let state = &mut *guard;
        let now = state.clock.now();
        let tenant = state.world.tenants.iter().position(|tenant| tenant.agent(client_id).is_some());
        let tenant = tenant.ok_or_else(|| UnknownAgent(client_id.to_owned()))?;
        let text = state.ids.secret("ut_");
        let record = Token {
            kind: TokenKind::Access,
            tenant,
            client_id: client_id.to_owned(),
            principal: Principal::User(user.to_owned()),
            subject: format!("user:{user}"),
            scopes: scopes.into_iter().map(Into::into).collect(),
            audience: vec![client_id.to_owned()],
            actors: Vec::new(),
            issuer: self.site().api_base(),
            id: state.ids.next("jti_"),
            issued_at: now,
            expires_at: in_seconds(now, 3600),
            auth_time: now,
            family: None,
            rotated: false,
        };
        state.world.tokens.insert(text.expose(), record, now);
        Ok(text)
    }
}
