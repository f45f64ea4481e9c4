//! Where an agent's own token comes from, in the async mount.

use std::future::Future;

use super::{Io, twin};
use crate::error::Error;
use crate::operations::aauth::AgentToken;

#[doc = twin!("Where the agent token (`agent+jwt`) of a [`Client`](super::aauth::Client) comes from.", "aauth::AgentTokenSource")]
///
/// A closure that gives a future is one.
pub trait AgentTokenSource: Send + Sync {
    /// A token that is good now, for the client's key. Asked again before it ends, by one task for all.
    ///
    /// Whatever keeps it from being had is reported to all who wait, and remembered for a moment.
    fn agent_token(&self) -> Io<'_, Result<AgentToken, Error>>;
}

impl<F, R> AgentTokenSource for F
where
    F: Fn() -> R + Send + Sync,
    R: Future<Output = Result<AgentToken, Error>> + Send + 'static,
{
    fn agent_token(&self) -> Io<'_, Result<AgentToken, Error>> {
        Box::pin(self())
    }
}
