//! An agent that signs in with its platform's token, in the async mount.

use std::future::Future;

use super::AgentBuilder;
use super::workload::WorkloadSource;
use crate::error::WorkloadError;
use crate::secret::Secret;

impl AgentBuilder {
    /// The agent has no secret: this closure gives its platform's token (a JWT of `kubernetes`, `aws`, `gcp`, `azure` or
    /// `oidc`), which is exchanged for the agent's own. It is called for each exchange, never for a call whose token is
    /// fresh, and one at a time however many callers wait. Give its future a time limit: here it has none.
    ///
    /// ```
    /// # #[cfg(feature = "emulator")] {
    /// use lumoauth::emulator::{AgentSeed, Emulator, Tenant};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # runtime.block_on(async {
    /// let pod = AgentSeed::new("agt_pod").workload("oidc", "https://ci.test", "repo:bot", "lumoauth");
    /// let emulator = Emulator::builder().tenant(Tenant::new("acme").agent(pod)).build()?;
    /// let token = emulator.workload_token("agt_pod")?;
    ///
    /// let builder = lumoauth::asynchronous::Agent::builder().base_url(emulator.site().base_url()).tenant("acme");
    /// let source = move || std::future::ready(Ok(token.clone()));
    /// let agent = builder.workload_token("oidc", source).build_with(emulator.transport())?;
    /// agent.ensure_authenticated().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn workload_token<F, T>(self, provider: impl Into<String>, token: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<Secret, WorkloadError>> + Send + 'static,
    {
        self.workload_source(provider.into(), WorkloadSource::new(token))
    }
}
