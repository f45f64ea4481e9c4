//! Agents of the seed, ready to be used: in process, and over the server's HTTP.

use crate::emulator::faces::emulator::{Emulator, UnknownAgent};
use crate::error::Error;
use crate::secret::Secret;

/// Why an agent cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// No tenant was seeded with it.
    #[error(transparent)]
    Unknown(#[from] UnknownAgent),
    /// What it was seeded with cannot be written into a client's settings, such as a secret with a line break.
    #[error(transparent)]
    Client(#[from] Error),
}

/// What a client needs to be an agent.
struct Known<'e> {
    tenant: &'e str,
    client_id: &'e str,
    /// None for a public client.
    secret: Option<&'e Secret>,
}

impl Emulator {
    fn known(&self, client_id: &str) -> Result<Known<'_>, UnknownAgent> {
        let (tenant, agent) = self.seeded(client_id)?;
        Ok(Known { tenant: &tenant.slug, client_id: &agent.client_id, secret: agent.secret.as_ref() })
    }
}

/// Who the agent is, on a builder of either mount.
macro_rules! builder {
    ($agent:ty, $known:expr, $base_url:expr) => {{
        let Known { tenant, client_id, secret } = $known;
        let builder = <$agent>::builder().base_url($base_url).tenant(tenant).client_id(client_id);
        match secret {
            Some(secret) => builder.client_secret(secret.clone()),
            None => builder.public_client(),
        }
    }};
}

#[cfg(feature = "blocking")]
mod blocking {
    use super::{AgentError, Emulator, Error, Known};
    use crate::client::blocking::Agent;
    #[cfg(feature = "ureq")]
    use crate::emulator::faces::http::Served;

    impl Emulator {
        /// The first tenant's first agent, in process.
        ///
        /// # Errors
        /// [`Error::Config`] if the seeded agent cannot be written into a client's settings.
        pub fn agent(&self) -> Result<Agent, Error> {
            let known =
                Known { tenant: self.tenant(), client_id: self.client_id(), secret: Some(self.secret()) };
            builder!(Agent, known, self.site().base_url()).build_with(self.transport())
        }

        /// An agent of the seed by its client id, whichever tenant it is in, in process. One without a secret is a public client.
        ///
        /// ```
        /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// let emulator = lumoauth::Emulator::demo()?;
        /// let agent = emulator.agent_of("agt_search")?;
        /// assert!(!agent.is_allowed("web_search")?);
        /// emulator.grant_capability("agt_search", "web_search")?;
        /// assert!(agent.is_allowed("web_search")?);
        /// # Ok(())
        /// # }
        /// ```
        ///
        /// # Errors
        /// [`AgentError::Unknown`] if there is none.
        pub fn agent_of(&self, client_id: &str) -> Result<Agent, AgentError> {
            let builder = builder!(Agent, self.known(client_id)?, self.site().base_url());
            Ok(builder.build_with(self.transport())?)
        }
    }

    #[cfg(feature = "ureq")]
    impl Served {
        /// The first tenant's first agent, over HTTP.
        ///
        /// # Errors
        /// [`Error::Config`] if the seeded agent cannot be written into a client's settings.
        #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
        pub fn agent(&self) -> Result<Agent, Error> {
            let emulator = &self.emulator;
            let (tenant, client_id) = (emulator.tenant(), emulator.client_id());
            builder!(Agent, Known { tenant, client_id, secret: Some(emulator.secret()) }, self.url()).build()
        }

        /// An agent of the seed by its client id, over HTTP.
        ///
        /// # Errors
        /// [`AgentError::Unknown`] if there is none.
        #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
        pub fn agent_of(&self, client_id: &str) -> Result<Agent, AgentError> {
            Ok(builder!(Agent, self.emulator.known(client_id)?, self.url()).build()?)
        }
    }
}

#[cfg(feature = "async")]
mod asynchronous {
    use super::{AgentError, Emulator, Error, Known};
    use crate::client::asynchronous::Agent;
    #[cfg(feature = "reqwest")]
    use crate::emulator::faces::http::Served;

    impl Emulator {
        /// The first tenant's first agent, in process, async.
        ///
        /// # Errors
        /// [`Error::Config`] if the seeded agent cannot be written into a client's settings.
        pub fn async_agent(&self) -> Result<Agent, Error> {
            let known =
                Known { tenant: self.tenant(), client_id: self.client_id(), secret: Some(self.secret()) };
            builder!(Agent, known, self.site().base_url()).build_with(self.transport())
        }

        /// An agent of the seed by its client id, whichever tenant it is in, in process, async. One without a secret is a public
        /// client.
        ///
        /// # Errors
        /// [`AgentError::Unknown`] if there is none.
        pub fn async_agent_of(&self, client_id: &str) -> Result<Agent, AgentError> {
            let builder = builder!(Agent, self.known(client_id)?, self.site().base_url());
            Ok(builder.build_with(self.transport())?)
        }
    }

    #[cfg(feature = "reqwest")]
    impl Served {
        /// The first tenant's first agent, over HTTP, async.
        ///
        /// # Errors
        /// [`Error::Config`] if the seeded agent cannot be written into a client's settings.
        #[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
        pub fn async_agent(&self) -> Result<Agent, Error> {
            let emulator = &self.emulator;
            let (tenant, client_id) = (emulator.tenant(), emulator.client_id());
            builder!(Agent, Known { tenant, client_id, secret: Some(emulator.secret()) }, self.url()).build()
        }

        /// An agent of the seed by its client id, over HTTP, async.
        ///
        /// # Errors
        /// [`AgentError::Unknown`] if there is none.
        #[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
        pub fn async_agent_of(&self, client_id: &str) -> Result<Agent, AgentError> {
            Ok(builder!(Agent, self.emulator.known(client_id)?, self.url()).build()?)
        }
    }
}
