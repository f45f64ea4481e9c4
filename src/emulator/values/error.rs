//! Why a seed, a setting or a name cannot be used.

use crate::crypto::CryptoError;
use crate::error::ConfigError;

/// Why an emulator cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is no tenant, or the first one's first agent is none with a secret.
    #[error(
        "an emulator needs a tenant, and its first tenant needs an agent with a secret before all others"
    )]
    Empty,
    /// A text of the seed cannot go where it has to go.
    #[error("{what} {value:?} cannot be used: {problem}")]
    BadText {
        /// What it is.
        what: &'static str,
        /// The text.
        value: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Something that must be unique is there twice.
    #[error("{what} {value:?} is there twice")]
    Twice {
        /// What it is.
        what: &'static str,
        /// The text.
        value: String,
    },
    /// A fixed secret is empty.
    #[error("the secret of the agent {0:?} is empty")]
    EmptySecret(String),
    /// The base URL is one of the real service.
    #[error("the base URL is the real service's: an emulator must not sign tokens in its name")]
    ProductionIssuer,
    /// The base URL cannot be used.
    #[error(transparent)]
    BadBaseUrl(#[from] ConfigError),
    /// A lifetime is less than a second.
    #[error("codes and tokens must live for one second at least")]
    BadLifetime,
    /// The signing key cannot be used or made.
    #[error(transparent)]
    Key(#[from] CryptoError),
}

/// The emulator has no route of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no route {0:?}: take a name such as \"oauth.token\" or \"agents.ask\"")]
pub struct UnknownRoute(pub(crate) String);
