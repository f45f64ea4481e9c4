//! Where an agent's own token comes from, in the blocking mount.

use crate::error::Error;
use crate::operations::aauth::AgentToken;

/// Where the agent token (`agent+jwt`) of an [`Client`](super::aauth::Client) comes from. A closure is one.
pub trait AgentTokenSource: Send + Sync {
    /// A token that is good now, for the client's key. Asked again before it ends, by one thread for all.
    ///
    /// # Errors
    /// Whatever keeps it from being had; it is reported to all who wait, and remembered for a moment.
    fn agent_token(&self) -> Result<AgentToken, Error>;
}

impl<F> AgentTokenSource for F
where
    F: Fn() -> Result<AgentToken, Error> + Send + Sync,
{
    fn agent_token(&self) -> Result<AgentToken, Error> {
        self()
    }
}
