//! The blocking mount.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{StoreError, TransportError};
use crate::session::Ticket;
use crate::time::Now;
use crate::wire::{Request, Response};

pub(crate) use maybe_async::must_be_sync as dual;

/// An example of this mount: `.await` stands between its parts in the other one.
macro_rules! example {
    ($first:literal $(, $rest:literal)*) => {
        concat!(
            "```\n# #[cfg(feature = \"emulator\")] {\n# #[allow(unused_imports)]\n# use lumoauth::{*, emulator::Emulator};\n",
            "# let emulator = Emulator::demo()?;\n# let agent = emulator.agent()?;\n",
            $first,
            $($rest,)*
            "\n# }\n# Ok::<(), Box<dyn std::error::Error>>(())\n```"
        )
    };
}

#[cfg(feature = "aauth")]
#[allow(clippy::duplicate_mod)]
#[path = "aauth.rs"]
mod aauth_client;
#[allow(clippy::duplicate_mod)] // mounted here as blocking code, in asynchronous.rs as async code
#[path = "agent.rs"]
mod agent;
#[cfg(feature = "aauth")]
mod agent_token;
#[allow(clippy::duplicate_mod)]
#[path = "builder.rs"]
mod builder;
#[allow(clippy::duplicate_mod)]
#[path = "delegation.rs"]
mod delegation;
#[allow(clippy::duplicate_mod)]
#[path = "mcp.rs"]
mod mcp;
#[cfg(feature = "aauth")]
mod replay;
#[cfg(feature = "aauth")]
#[allow(clippy::duplicate_mod)]
#[path = "request_verifier.rs"]
mod request_verifier;
#[allow(clippy::duplicate_mod)]
#[path = "run.rs"]
mod run;
mod signer;
#[cfg(feature = "verify")]
#[allow(clippy::duplicate_mod)]
#[path = "verifier.rs"]
mod verifier;
mod workload;

pub use agent::Agent;
pub use builder::AgentBuilder;
pub use delegation::DelegationChain;
pub use mcp::McpServer;
pub use signer::Signer;
#[cfg(feature = "verify")]
#[cfg_attr(docsrs, doc(cfg(feature = "verify")))]
pub use verifier::{IdTokenVerifier, TokenVerifier};

#[cfg(feature = "aauth")]
pub use aauth_client::{Client, ClientBuilder};
#[cfg(feature = "aauth")]
pub use agent_token::AgentTokenSource;
#[cfg(feature = "aauth")]
pub use replay::ReplayStore;
#[cfg(feature = "aauth")]
pub use request_verifier::Verifier;

pub use super::store::{MemoryStore, Stored};

/// Sends requests, for the blocking clients. The only I/O there is.
///
/// A closure `Fn(Request) -> Result<Response, TransportError>` is one. A transport keeps to
/// [`Request::attempt_limits`], follows no redirect, and hands over whole responses only.
pub trait Transport: Send + Sync {
    /// Sends one request and reads the whole response.
    ///
    /// # Errors
    /// [`TransportError`], saying whether anything may have been sent. When in doubt, `unknown`.
    fn send(&self, request: Request) -> Result<Response, TransportError>;

    /// Lets time pass.
    #[allow(clippy::disallowed_methods)] // a transport is what sleeps
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    /// The time and fresh randomness.
    ///
    /// # Errors
    /// [`TransportError`] if the operating system gives no randomness.
    fn now(&self) -> Result<Now, TransportError> {
        super::clock::now()
    }

    /// The time, for calls that need nothing unpredictable: what they draw here ends up in the length of a pause, the moment of
    /// a renewal, or the name of an attempt. The clocks are those of [`Transport::now`]; the bytes have to differ from call to call
    /// and from process to process, or all would come back at once. A transport that wraps another hands this on.
    ///
    /// # Errors
    /// As [`Transport::now`], which it is if not written otherwise.
    fn glance(&self) -> Result<Now, TransportError> {
        self.now()
    }

    /// Waits until another call has settled the token, at most for [`Ticket::within`].
    fn join(&self, ticket: Ticket) {
        let settled = Arc::new((Mutex::new(false), Condvar::new()));
        let wake = Arc::clone(&settled);
        ticket.on_settled(move || {
            *wake.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
            wake.1.notify_all();
        });
        let guard = settled.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(settled.1.wait_timeout_while(guard, ticket.within(), |settled| !*settled));
    }
}

impl<F> Transport for F
where
    F: Fn(Request) -> Result<Response, TransportError> + Send + Sync,
{
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        self(request)
    }

    fn glance(&self) -> Result<Now, TransportError> {
        super::clock::glance()
    }
}

#[cfg(feature = "ureq")]
impl AgentBuilder {
    /// An agent on the built-in transport.
    ///
    /// # Errors
    /// [`Error::Config`](crate::error::Error::Config) if a setting is missing or cannot work. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
    pub fn build(self) -> Result<Agent, crate::error::Error> {
        let transport = crate::transport::UreqTransport::new(self.transport_options())?;
        self.build_with(transport)
    }
}

#[cfg(feature = "ureq")]
impl Agent {
    /// An agent with every setting from the environment: [`AgentBuilder::environment`].
    ///
    /// # Errors
    /// [`Error::Config`](crate::error::Error::Config) naming the variable that is missing or wrong. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
    pub fn from_env() -> Result<Agent, crate::error::Error> {
        Agent::builder().environment().build()
    }
}

#[cfg(all(feature = "ureq", feature = "verify"))]
impl TokenVerifier {
    /// A verifier on the built-in transport.
    ///
    /// # Errors
    /// [`Error::Config`](crate::error::Error::Config) if a setting cannot work. Nothing is sent.
    pub fn new(config: crate::verify::VerifierConfig) -> Result<Self, crate::error::Error> {
        let transport = crate::transport::UreqTransport::new(&crate::transport::TransportOptions::default())?;
        Ok(TokenVerifier::build_with(config, transport)?)
    }
}

#[cfg(all(feature = "ureq", feature = "aauth"))]
impl Verifier {
    /// A verifier on the built-in transport, which remembers nonces in this process' memory.
    ///
    /// # Errors
    /// [`Error::Config`](crate::error::Error::Config) if a setting cannot work. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
    pub fn new(config: crate::aauth::VerifierConfig) -> Result<Self, crate::error::Error> {
        let transport = crate::transport::UreqTransport::new(&crate::transport::TransportOptions::default())?;
        Ok(Verifier::build_with(config, transport)?)
    }
}

#[cfg(all(feature = "ureq", feature = "verify"))]
impl IdTokenVerifier {
    /// A verifier on the built-in transport.
    ///
    /// # Errors
    /// [`Error::Config`](crate::error::Error::Config) if a setting cannot work. Nothing is sent.
    pub fn new(config: crate::verify::IdVerifierConfig) -> Result<Self, crate::error::Error> {
        let transport = crate::transport::UreqTransport::new(&crate::transport::TransportOptions::default())?;
        Ok(IdTokenVerifier::build_with(config, transport)?)
    }
}

/// Keeps the sessions of a [`DelegationChain`], as opaque bytes. **They are secret**: they hold the tokens of users.
///
/// A consent that nobody came back from is a session too. It is removed when the chain sees it an hour later, as
/// `active_sessions` does with all. So **call that now and then**, or let the store drop sessions that were not saved for as
/// long as you keep users; and give consent URLs only to those you would keep a session for.
pub trait SessionStore: Send + Sync {
    /// The bytes of a session and their version.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    fn load(&self, key: &str) -> Result<Option<Stored>, StoreError>;

    /// Saves the bytes if the session still has this version; with none, if there is no such session. True if saved.
    /// A version is never used twice for one session.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    fn save_if(&self, key: &str, version: Option<u64>, bytes: &[u8]) -> Result<bool, StoreError>;

    /// Removes a session.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    fn remove(&self, key: &str) -> Result<(), StoreError>;

    /// The keys of all sessions.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    fn keys(&self) -> Result<Vec<String>, StoreError>;
}

impl SessionStore for MemoryStore {
    fn load(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        Ok(self.get(key))
    }

    fn save_if(&self, key: &str, version: Option<u64>, bytes: &[u8]) -> Result<bool, StoreError> {
        Ok(self.put_if(key, version, bytes))
    }

    fn remove(&self, key: &str) -> Result<(), StoreError> {
        self.drop_key(key);
        Ok(())
    }

    fn keys(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.all())
    }
}

#[cfg(all(feature = "ureq", feature = "aauth"))]
impl aauth_client::ClientBuilder {
    /// A client on the built-in transport.
    ///
    /// # Errors
    /// [`Error::Config`](crate::error::Error::Config) if a setting is missing or cannot work. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "ureq")))]
    pub fn build(self) -> Result<aauth_client::Client, crate::error::Error> {
        let transport = crate::transport::UreqTransport::new(self.transport_options())?;
        self.build_with(transport)
    }
}
