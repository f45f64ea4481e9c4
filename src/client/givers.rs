//! Who gives what no request of this library brings: a workload's token, an agent's own.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (`client.rs` has the list).

#[cfg(feature = "aauth")]
use std::sync::Arc;

#[cfg(feature = "aauth")]
use super::agent_token::AgentTokenSource;
use super::dual;
use super::workload::WorkloadSource;
#[cfg(feature = "aauth")]
use crate::error::ConfigError;
use crate::error::{Error, WorkloadError};
use crate::session::{Given, Giver};

/// Whom a client asks.
#[derive(Clone, Default)]
pub(super) struct Givers {
    pub(super) workload: Option<WorkloadSource>,
    #[cfg(feature = "aauth")]
    pub(super) agent_token: Option<Arc<dyn AgentTokenSource>>,
}

#[dual(AFIT)]
impl Givers {
    /// What this one gives.
    pub(super) async fn give(&self, giver: Giver) -> Result<Given, Error> {
        match giver {
            Giver::Workload => match &self.workload {
                Some(source) => Ok(source.token().await?.into()),
                None => Err(WorkloadError::NoSource.into()),
            },
            #[cfg(feature = "aauth")]
            Giver::AgentToken => match &self.agent_token {
                Some(source) => Ok(source.agent_token().await?.into()),
                None => Err(ConfigError::Unavailable("nobody was named who has the agent token").into()),
            },
        }
    }
}
