//! What a driver's surroundings can give that no request of this library brings.

#[cfg(feature = "aauth")]
use std::time::Duration;

#[cfg(feature = "aauth")]
use crate::operations::aauth::AgentToken;
use crate::secret::Secret;
#[cfg(feature = "aauth")]
use crate::time::Now;

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Giver {
    /// The platform, for its token of this workload ([`Settings::workload`](super::Settings::workload)).
    Workload,
    /// Whoever has the agent's own token (`agent+jwt`): [`AgentTokens::asked`](super::AgentTokens::asked).
    #[cfg(feature = "aauth")]
    AgentToken,
}

/// What was given. Made with `into` of a [`Secret`], or of an agent's token, which says how long it lives.
#[derive(Clone, Debug)]
pub struct Given(What);

#[derive(Clone, Debug)]
enum What {
    Secret(Secret),
    #[cfg(feature = "aauth")]
    AgentToken(AgentToken),
}

impl Given {
    pub(super) fn into_secret(self) -> Secret {
        match self.0 {
            What::Secret(secret) => secret,
            #[cfg(feature = "aauth")]
            What::AgentToken(token) => token.secret().clone(),
        }
    }

    /// A token of which nothing is known but itself lives for five minutes, as it does where a service does not say.
    #[cfg(feature = "aauth")]
    pub(super) fn into_agent_token(self, now: &Now) -> AgentToken {
        match self.0 {
            What::Secret(secret) => AgentToken::new(secret, now.wall, Duration::from_secs(300)),
            What::AgentToken(token) => token,
        }
    }
}

impl From<Secret> for Given {
    fn from(secret: Secret) -> Self {
        Given(What::Secret(secret))
    }
}

#[cfg(feature = "aauth")]
impl From<AgentToken> for Given {
    fn from(token: AgentToken) -> Self {
        Given(What::AgentToken(token))
    }
}
