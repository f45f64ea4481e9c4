//! Where a workload's token comes from, in the blocking mount.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::AgentBuilder;
use crate::client::token_file;
use crate::error::WorkloadError;
use crate::secret::Secret;

/// A file, or a closure of the application's.
#[derive(Clone)]
pub(super) struct WorkloadSource(Arc<dyn Fn() -> Result<Secret, WorkloadError> + Send + Sync>);

impl WorkloadSource {
    pub(super) fn file(path: PathBuf) -> Self {
        WorkloadSource(Arc::new(move || token_file::read(&path)))
    }

    /// The token as it is now.
    pub(super) fn token(&self) -> Result<Secret, WorkloadError> {
        (self.0)()
    }
}

impl fmt::Debug for WorkloadSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkloadSource")
    }
}

impl AgentBuilder {
    /// The agent has no secret: this closure gives its platform's token (a JWT of `kubernetes`, `aws`, `gcp`, `azure` or
    /// `oidc`), which is exchanged for the agent's own. It is called for each exchange, never for a call whose token is
    /// fresh, and one at a time however many callers wait. Let it end in time: nothing can stop it.
    ///
    /// ```
    /// # #[cfg(feature = "emulator")] {
    /// use lumoauth::emulator::{AgentSeed, Emulator, Tenant};
    ///
    /// let pod = AgentSeed::new("agt_pod").workload("oidc", "https://ci.test", "repo:bot", "lumoauth");
    /// let emulator = Emulator::builder().tenant(Tenant::new("acme").agent(pod)).build()?;
    /// let token = emulator.workload_token("agt_pod")?;
    ///
    /// let builder = lumoauth::Agent::builder().base_url(emulator.site().base_url()).tenant("acme");
    /// let agent = builder.workload_token("oidc", move || Ok(token.clone())).build_with(emulator.transport())?;
    /// agent.ensure_authenticated()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn workload_token<F>(self, provider: impl Into<String>, token: F) -> Self
    where
        F: Fn() -> Result<Secret, WorkloadError> + Send + Sync + 'static,
    {
        self.workload_source(provider.into(), WorkloadSource(Arc::new(token)))
    }
}
