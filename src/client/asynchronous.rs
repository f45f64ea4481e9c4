//! The async clients: the same as at the root of the crate, under the same names, with `.await`.
//!
//! With the feature `reqwest` a transport is ready, and an application writes `Agent::from_env()?`; it runs inside tokio.
//! With `async` alone no runtime is assumed: the transport brings sending and sleeping ([`from_fn`], or a [`Transport`]
//! of your own) to [`AgentBuilder::build_with`].
//!
//! Futures are `Send`, block nothing, and may be dropped at any moment: a call that is dropped while it fetches the
//! token hands that over to the next one. What a dropped call had already sent may still take effect.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::error::{StoreError, TransportError};
use crate::session::Ticket;
use crate::time::Now;
use crate::wire::{Request, Response};

pub(crate) use maybe_async::must_be_async as dual;

/// An example of this mount: `.await` stands between its parts.
macro_rules! example {
    ($first:literal $(, $rest:literal)*) => {
        concat!(
            "```\n# #[cfg(feature = \"emulator\")] {\n# #[allow(unused_imports)]\n# use lumoauth::{asynchronous::*, emulator::Emulator};\n",
            "# let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();\n# runtime.block_on(async {\n",
            "# let emulator = Emulator::demo()?;\n# let agent = emulator.async_agent()?;\n",
            $first,
            $(".await", $rest,)*
            "\n# Ok::<(), Box<dyn std::error::Error>>(())\n# }).unwrap() }\n```"
        )
    };
}

#[cfg(feature = "aauth")]
#[allow(clippy::duplicate_mod)]
#[path = "aauth.rs"]
mod aauth_client;
#[allow(clippy::duplicate_mod)] // mounted here as async code, in blocking.rs as blocking code
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

pub use super::store::{MemoryStore, Stored};

/// AAuth's clients and verifier, async: the twins of those in [`crate::aauth`].
#[cfg(feature = "aauth")]
#[cfg_attr(docsrs, doc(cfg(feature = "aauth")))]
pub mod aauth {
    pub use super::aauth_client::{Client, ClientBuilder};
    pub use super::agent_token::AgentTokenSource;
    pub use super::replay::ReplayStore;
    pub use super::request_verifier::Verifier;
}

/// The store for the async clients: the twin of [`crate::store`].
pub mod store {
    pub use crate::store::asynchronous::Store;
    #[cfg(feature = "contract")]
    #[cfg_attr(docsrs, doc(cfg(feature = "contract")))]
    pub use crate::store::{Broken, asynchronous::contract};
    pub use crate::store::{
        MemoryStore, Page, Prefix, Record, Shelf, StoreError, StoreFault, StoreKey, Version,
    };
}

/// What an async transport gives back.
pub type Io<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Sends requests, for the async clients. The only I/O there is.
///
/// [`from_fn`] makes one of two closures. A transport keeps to [`Request::attempt_limits`], follows no redirect, and
/// hands over whole responses only.
pub trait Transport: Send + Sync {
    /// Sends one request and reads the whole response. Fails with a [`TransportError`] that says whether anything may
    /// have been sent; when in doubt, `unknown`.
    fn send<'a>(&'a self, request: Request) -> Io<'a, Result<Response, TransportError>>;

    /// Lets time pass, by the runtime's timer.
    fn sleep<'a>(&'a self, duration: Duration) -> Io<'a, ()>;

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
    fn join<'a>(&'a self, ticket: Ticket) -> Io<'a, ()> {
        let timer = self.sleep(ticket.within());
        Box::pin(Settled::of(&ticket, Some(timer)))
    }
}

/// Ends when a ticket is settled, or with the timer.
pub(crate) struct Settled<'a> {
    shared: Arc<Mutex<(bool, Option<Waker>)>>,
    timer: Option<Io<'a, ()>>,
}

impl<'a> Settled<'a> {
    pub(crate) fn of(ticket: &Ticket, timer: Option<Io<'a, ()>>) -> Self {
        let shared = Arc::new(Mutex::new((false, None::<Waker>)));
        let wake = Arc::clone(&shared);
        ticket.on_settled(move || {
            let waker = {
                let mut state = wake.lock().unwrap_or_else(PoisonError::into_inner);
                state.0 = true;
                state.1.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        Settled { shared, timer }
    }
}

impl Future for Settled<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        {
            let mut state = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            if state.0 {
                return Poll::Ready(());
            }
            state.1 = Some(context.waker().clone());
        }
        match &mut self.timer {
            Some(timer) => timer.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

/// A transport made of two closures: one sends, one sleeps.
pub fn from_fn<S, SF, W, WF>(send: S, sleep: W) -> impl Transport
where
    S: Fn(Request) -> SF + Send + Sync,
    SF: Future<Output = Result<Response, TransportError>> + Send + 'static,
    W: Fn(Duration) -> WF + Send + Sync,
    WF: Future<Output = ()> + Send + 'static,
{
    FromFn { send, sleep }
}

struct FromFn<S, W> {
    send: S,
    sleep: W,
}

impl<S, SF, W, WF> Transport for FromFn<S, W>
where
    S: Fn(Request) -> SF + Send + Sync,
    SF: Future<Output = Result<Response, TransportError>> + Send + 'static,
    W: Fn(Duration) -> WF + Send + Sync,
    WF: Future<Output = ()> + Send + 'static,
{
    fn send<'a>(&'a self, request: Request) -> Io<'a, Result<Response, TransportError>> {
        Box::pin((self.send)(request))
    }

    fn sleep<'a>(&'a self, duration: Duration) -> Io<'a, ()> {
        Box::pin((self.sleep)(duration))
    }

    fn glance(&self) -> Result<Now, TransportError> {
        super::clock::glance()
    }
}

/// Keeps the sessions of a [`DelegationChain`], as opaque bytes. **They are secret**: they hold the tokens of users.
///
/// A consent that nobody came back from is a session too. It is removed when the chain sees it an hour later, as
/// `active_sessions` does with all. So **call that now and then**, or let the store drop sessions that were not saved for as
/// long as you keep users; and give consent URLs only to those you would keep a session for.
pub trait SessionStore: Send + Sync {
    /// The bytes of a session and their version.
    fn load<'a>(&'a self, key: &'a str) -> Io<'a, Result<Option<Stored>, StoreError>>;

    /// Saves the bytes if the session still has this version; with none, if there is no such session. True if saved.
    /// A version is never used twice for one session.
    fn save_if<'a>(
        &'a self,
        key: &'a str,
        version: Option<u64>,
        bytes: &'a [u8],
    ) -> Io<'a, Result<bool, StoreError>>;

    /// Removes a session.
    fn remove<'a>(&'a self, key: &'a str) -> Io<'a, Result<(), StoreError>>;

    /// The keys of all sessions.
    fn keys(&self) -> Io<'_, Result<Vec<String>, StoreError>>;
}

impl SessionStore for MemoryStore {
    fn load<'a>(&'a self, key: &'a str) -> Io<'a, Result<Option<Stored>, StoreError>> {
        Box::pin(async move { Ok(self.get(key)) })
    }

    fn save_if<'a>(
        &'a self,
        key: &'a str,
        version: Option<u64>,
        bytes: &'a [u8],
    ) -> Io<'a, Result<bool, StoreError>> {
        Box::pin(async move { Ok(self.put_if(key, version, bytes)) })
    }

    fn remove<'a>(&'a self, key: &'a str) -> Io<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.drop_key(key);
            Ok(())
        })
    }

    fn keys(&self) -> Io<'_, Result<Vec<String>, StoreError>> {
        Box::pin(async move { Ok(self.all()) })
    }
}

#[cfg(feature = "reqwest")]
impl AgentBuilder {
    /// An agent on the built-in transport. Its calls must run inside a tokio runtime; building it needs none.
    ///
    /// # Errors
    /// [`Error::Config`](crate::error::Error::Config) if a setting is missing or cannot work. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
    pub fn build(self) -> Result<Agent, crate::error::Error> {
        let transport = crate::transport::ReqwestTransport::new(self.transport_options())?;
        self.build_with(transport)
    }
}

#[cfg(feature = "reqwest")]
impl Agent {
    /// An agent with every setting from the environment: [`AgentBuilder::environment`].
    ///
    /// # Errors
    /// [`Error::Config`](crate::error::Error::Config) naming the variable that is missing or wrong. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
    pub fn from_env() -> Result<Agent, crate::error::Error> {
        Agent::builder().environment().build()
    }
}

#[cfg(all(feature = "reqwest", feature = "verify"))]
impl TokenVerifier {
    /// A verifier on the built-in transport. Its calls must run inside a tokio runtime; building it needs none.
    ///
    /// # Errors
    /// [`Error::Config`](crate::error::Error::Config) if a setting cannot work. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
    pub fn new(config: crate::verify::VerifierConfig) -> Result<Self, crate::error::Error> {
        let options = crate::transport::TransportOptions::default();
        let transport = crate::transport::ReqwestTransport::new(&options)?;
        Ok(Self::build_with(config, transport)?)
    }
}

#[cfg(all(feature = "reqwest", feature = "verify"))]
impl IdTokenVerifier {
    /// A verifier on the built-in transport. Its calls must run inside a tokio runtime; building it needs none.
    ///
    /// # Errors
    /// [`Error::Config`](crate::error::Error::Config) if a setting cannot work. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
    pub fn new(config: crate::verify::IdVerifierConfig) -> Result<Self, crate::error::Error> {
        let options = crate::transport::TransportOptions::default();
        let transport = crate::transport::ReqwestTransport::new(&options)?;
        Ok(Self::build_with(config, transport)?)
    }
}

#[cfg(all(feature = "reqwest", feature = "aauth"))]
impl request_verifier::Verifier {
    /// A verifier on the built-in transport. Its calls must run inside a tokio runtime; building it needs none.
    ///
    /// # Errors
    /// [`Error::Config`](crate::error::Error::Config) if a setting cannot work. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
    pub fn new(config: crate::aauth::VerifierConfig) -> Result<Self, crate::error::Error> {
        let options = crate::transport::TransportOptions::default();
        let transport = crate::transport::ReqwestTransport::new(&options)?;
        Ok(Self::build_with(config, transport)?)
    }
}

#[cfg(all(feature = "reqwest", feature = "aauth"))]
impl aauth_client::ClientBuilder {
    /// A client on the built-in transport. Its calls must run inside a tokio runtime; building it needs none.
    ///
    /// # Errors
    /// [`Error::Config`](crate::error::Error::Config) if a setting is missing or cannot work. Nothing is sent.
    #[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
    pub fn build(self) -> Result<aauth_client::Client, crate::error::Error> {
        let transport = crate::transport::ReqwestTransport::new(self.transport_options())?;
        self.build_with(transport)
    }
}
