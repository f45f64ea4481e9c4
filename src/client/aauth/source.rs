//! Where an agent's token comes from, and the one that is in use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::super::agent_token::AgentTokenSource;
use crate::error::{Error, ProtocolError, ProtocolFault};
use crate::operations::aauth::AgentToken;
use crate::profile::{AgentServer, Delegate};
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::time::Now;
use crate::token::{AccessToken, Freshness, Held, TokenType};

/// After an early renewal that failed, while the token still is good.
const SOFT_PAUSE: Duration = Duration::from_secs(10);

/// Where it comes from.
#[allow(clippy::large_enum_variant)] // one for each client
pub(super) enum Source {
    /// It was given, and is not renewed.
    Given(Secret),
    /// The agent's own server key signs it.
    Minted(AgentServer, Delegate),
    /// Somebody is asked for it.
    Asked(Arc<dyn AgentTokenSource>),
}

/// The token in use, and what became of the last attempt to get one.
pub(super) struct AgentTokens {
    source: Source,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// No early renewal before this, on the monotonic clock.
    next_soft: Duration,
    failed: Option<(Error, Duration)>,
    failures: u32,
}

/// What a call that needs the token is told.
pub(super) enum Look {
    Use(Secret),
    /// Get one; with `Some`, the one held is still good.
    Renew(Option<Secret>),
}

impl AgentTokens {
    pub(super) fn new(source: Source) -> Self {
        AgentTokens { source, state: Mutex::default() }
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to do now. A failure of a moment ago is the answer until the memory of it fades.
    pub(super) fn look(&self, now: &Now) -> Result<Look, Error> {
        if let Source::Given(token) = &self.source {
            return Ok(Look::Use(token.clone()));
        }
        let state = &mut *self.lock();
        if let Some(held) = &mut state.held {
            let token = held.token.secret().clone();
            match held.freshness(now) {
                Freshness::Fresh => return Ok(Look::Use(token)),
                Freshness::Soft if now.monotonic < state.next_soft => return Ok(Look::Use(token)),
                Freshness::Soft => return Ok(Look::Renew(Some(token))),
                Freshness::Expired => state.held = None,
            }
        }
        match &state.failed {
            Some((error, until)) if now.monotonic < *until => Err(error.clone()),
            _ => Ok(Look::Renew(None)),
        }
    }

    /// What came of getting one.
    pub(super) fn settle(&self, fetched: Result<AgentToken, Error>, asked: &Now, now: &Now) {
        let held = fetched.and_then(|token| hold(&token, asked, now));
        let mut state = self.lock();
        match held {
            Ok(held) => *state = State { held: Some(held), ..State::default() },
            Err(error) => {
                let doubled = 1_u64.checked_shl(state.failures.min(5)).unwrap_or(32).min(30);
                state.failures = state.failures.saturating_add(1);
                state.failed = Some((error, now.monotonic.saturating_add(Duration::from_secs(doubled))));
                state.next_soft = now.monotonic.saturating_add(SOFT_PAUSE);
            }
        }
    }
}

/// The token with what is left of it; one that is over when it arrives is a fault.
fn hold(token: &AgentToken, asked: &Now, now: &Now) -> Result<Held, Error> {
    let left = token.expires_at().saturating_since(asked.wall).min(token.lifetime());
    let kind = TokenType::Other("agent+jwt".to_owned());
    let access = AccessToken::new(token.secret().clone(), kind, Scopes::none(), asked.wall, left);
    let mut held = Held::new(access, 0, asked);
    if token.secret().is_empty() || held.freshness(now) == Freshness::Expired {
        let problem = "the agent token is empty, or over already when it arrives";
        let fault = ProtocolFault::UnusableToken { problem };
        return Err(ProtocolError::new("aauth agent token", 200, fault).into());
    }
    Ok(held)
}
