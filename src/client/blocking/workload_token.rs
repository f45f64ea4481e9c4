//! An agent that signs in with its platform's token, in the blocking mount.

use super::AgentBuilder;
use super::workload::WorkloadSource;
use crate::error::WorkloadError;
use crate::secret::Secret;

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
        self.workload_source(provider.into(), WorkloadSource::new(token))
    }
}
