//! The clients on the transport that is built in, in the blocking mount.

use super::{Agent, AgentBuilder};
use crate::error::Error;
use crate::transport::UreqTransport;

impl AgentBuilder {
    /// An agent on the built-in transport.
    ///
    /// # Errors
    /// [`Error::Config`] if a setting is missing or cannot work. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
    pub fn build(self) -> Result<Agent, Error> {
        let transport = UreqTransport::new(self.transport_options())?;
        self.build_with(transport)
    }
}

impl Agent {
    /// An agent with every setting from the environment: [`AgentBuilder::environment`].
    ///
    /// # Errors
    /// [`Error::Config`] naming the variable that is missing or wrong. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
    pub fn from_env() -> Result<Agent, Error> {
        Agent::builder().environment().build()
    }
}

impl super::ClientBuilder {
    /// A client on the built-in transport.
    ///
    /// # Errors
    /// [`Error::Config`] if a setting is missing or cannot work. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
    pub fn build(self) -> Result<super::Client, Error> {
        let transport = UreqTransport::new(self.transport_options())?;
        self.build_with(transport)
    }
}

impl super::Client {
    /// A client with every setting from the environment: [`super::ClientBuilder::environment`].
    ///
    /// # Errors
    /// [`Error::Config`] naming the variable that is missing or wrong. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
    pub fn from_env() -> Result<super::Client, Error> {
        super::Client::builder().environment().build()
    }
}

impl super::jit::Reviewer {
    /// A person who decides about permissions, with this token of the person's own, on the built-in transport.
    ///
    /// # Errors
    /// [`Error::Input`] if the token says that it is an agent's, or looks like an API key; [`Error::Config`]. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
    pub fn new(
        site: &crate::site::Site,
        user_token: impl Into<crate::secret::Secret>,
    ) -> Result<Self, Error> {
        Self::with_transport(site, user_token, UreqTransport::new(&Default::default())?)
    }
}

#[cfg(feature = "verify")]
impl super::TokenVerifier {
    /// A verifier on the built-in transport.
    ///
    /// # Errors
    /// [`Error::Config`] if a setting cannot work. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
    pub fn new(config: crate::verify::VerifierConfig) -> Result<Self, Error> {
        Ok(Self::build_with(config, UreqTransport::new(&Default::default())?)?)
    }

    /// A verifier with every setting from the environment ([`crate::service::verifier_config`]), on the built-in transport with the proxy
    /// and the certificates that the environment names.
    ///
    /// # Errors
    /// [`Error::Config`] naming the variable that is missing or wrong: without an audience (`LUMOAUTH_RESOURCE` or
    /// `LUMOAUTH_MCP_SERVER_ID`) there is no verifier. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
    pub fn from_env() -> Result<Self, Error> {
        let options = crate::transport::TransportOptions::default();
        let options = options.proxy_from_environment().root_certificates_from_environment();
        let config = crate::service::verifier_config(crate::transport::environment::variable)?;
        Ok(Self::build_with(config, UreqTransport::new(&options)?)?)
    }
}

#[cfg(feature = "verify")]
impl super::IdTokenVerifier {
    /// A verifier on the built-in transport.
    ///
    /// # Errors
    /// [`Error::Config`] if a setting cannot work. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
    pub fn new(config: crate::verify::IdVerifierConfig) -> Result<Self, Error> {
        Ok(Self::build_with(config, UreqTransport::new(&Default::default())?)?)
    }
}

#[cfg(feature = "aauth")]
impl super::aauth::Verifier {
    /// A verifier on the built-in transport, which remembers nonces in this process' memory.
    ///
    /// # Errors
    /// [`Error::Config`] if a setting cannot work. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
    pub fn new(config: crate::profile::VerifierConfig) -> Result<Self, Error> {
        Ok(Self::build_with(config, UreqTransport::new(&Default::default())?)?)
    }
}

#[cfg(feature = "aauth")]
impl super::aauth::ClientBuilder {
    /// A client on the built-in transport.
    ///
    /// # Errors
    /// [`Error::Config`] if a setting is missing or cannot work. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
    pub fn build(self) -> Result<super::aauth::Client, Error> {
        let transport = UreqTransport::new(self.transport_options())?;
        self.build_with(transport)
    }
}

#[cfg(feature = "signin")]
impl super::sign_in::SignInBuilder {
    /// On the built-in transport.
    ///
    /// # Errors
    /// [`Error::Config`]: all that is missing is named at once. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
    pub fn build(self) -> Result<super::sign_in::SignIn, Error> {
        let transport = UreqTransport::new(self.transport_options())?;
        self.build_with(transport)
    }
}

#[cfg(feature = "signin")]
impl super::sign_in::SignIn {
    /// With every setting from the environment: [`super::sign_in::SignInBuilder::environment`].
    ///
    /// # Errors
    /// [`Error::Config`]: all that is missing is named at once. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
    pub fn from_env() -> Result<super::sign_in::SignIn, Error> {
        super::sign_in::SignIn::builder().environment().build()
    }
}
