//! Where an agent's own token comes from, in the blocking mount.

use super::twin;
use crate::error::Error;
use crate::operations::aauth::AgentToken;

#[doc = twin!("Where the agent token (`agent+jwt`) of a [`Client`](super::aauth::Client) comes from.", "aauth::AgentTokenSource")]
///
/// A closure is one.
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
