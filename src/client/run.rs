//! The loop: turns a machine until it is done.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (`client.rs` has the list).

use std::sync::Arc;

use super::givers::Givers;
use super::{Signer, Store, Transport, dual};
use crate::error::{ConfigError, Error, SignerError, StoreError, TransportError};
use crate::operation::Operation;
use crate::session::{Access, Action, Arrived, Machine, Session, Step, StoreAnswer, StoreRequest};
use crate::store::Shelf;

/// A session, the transport that carries it, who gives what no request brings, who signs, and who keeps.
#[derive(Clone)]
pub(super) struct Driver {
    pub(super) session: Session,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) givers: Givers,
    pub(super) signer: Option<Arc<dyn Signer>>,
    pub(super) store: Option<Arc<dyn Store>>,
    /// Where tokens are that can be had again.
    pub(super) tokens: Option<Arc<dyn Store>>,
}

/// What a machine may be turned with.
#[derive(Clone, Copy)]
pub(super) struct Outside<'a> {
    pub(super) transport: &'a dyn Transport,
    pub(super) givers: Option<&'a Givers>,
    pub(super) signer: Option<&'a dyn Signer>,
    pub(super) store: Option<&'a dyn Store>,
    pub(super) tokens: Option<&'a dyn Store>,
}

impl<'a> Outside<'a> {
    /// The transport alone.
    #[allow(dead_code)] // verifiers need no more
    pub(super) fn wire(transport: &'a dyn Transport) -> Self {
        Outside { transport, givers: None, signer: None, store: None, tokens: None }
    }
}

impl Driver {
    pub(super) fn outside(&self) -> Outside<'_> {
        Outside {
            transport: self.transport.as_ref(),
            givers: Some(&self.givers),
            signer: self.signer.as_deref(),
            store: self.store.as_deref(),
            tokens: self.tokens.as_deref(),
        }
    }
}

#[dual(AFIT)]
impl Driver {
    /// Runs an operation within a deadline of its own.
    pub(super) async fn run<O>(&self, operation: O) -> Result<O::Output, Error>
    where
        O: Operation + Send,
        O::Output: Send,
    {
        turn(self.outside(), self.session.ahead_of(self.session.call(operation))).await
    }

    /// Turns a machine until it is done.
    pub(super) async fn turn<M>(&self, machine: M) -> Result<M::Output, Error>
    where
        M: Machine + Send,
        M::Output: Send,
    {
        turn(self.outside(), self.session.ahead_of(machine)).await
    }

    /// Turns a machine until it is done, and does nothing ahead of it.
    #[allow(dead_code)] // of the blocking mount
    pub(super) async fn turn_alone<M>(&self, machine: M) -> Result<M::Output, Error>
    where
        M: Machine + Send,
        M::Output: Send,
    {
        turn(self.outside(), machine).await
    }
}

/// Turns a machine on a transport until it is done.
#[dual]
pub(super) async fn turn<M>(outside: Outside<'_>, mut machine: M) -> Result<M::Output, Error>
where
    M: Machine + Send,
    M::Output: Send,
{
    let Outside { transport, givers, signer, store, tokens } = outside;
    let (mut arrived, mut sent) = (None, false);
    let drawn = |machine: &M| if machine.draws_secrets() { transport.now() } else { transport.glance() };
    let mut now = drawn(&machine)?;
    loop {
        match machine.step(&now, arrived.take())? {
            Step::Do(Action::Send(request)) => {
                arrived = Some(transport.send(request).await.into());
                sent = true;
            }
            Step::Do(Action::Wait(duration)) => transport.sleep(duration).await,
            Step::Do(Action::Join(ticket)) => transport.join(ticket).await,
            Step::Do(Action::Given(giver)) => {
                let given = match givers {
                    Some(givers) => givers.give(giver).await,
                    None => Err(ConfigError::Unavailable("there is nobody to ask for it").into()),
                };
                arrived = Some(Arrived::Given(given));
            }
            Step::Do(Action::Store(request)) => {
                let answer = match if request.shelf() == Shelf::Tokens { tokens } else { store } {
                    Some(store) => ask(store, &request).await,
                    None => Err(StoreError::unavailable("there is no store: give the client one")),
                };
                arrived = Some(Arrived::Stored(answer));
            }
            Step::Do(Action::Sign(to_sign)) => {
                let signature = match signer {
                    Some(signer) => signer.sign(to_sign.base()).await,
                    None => Err(SignerError::NoSigner),
                };
                arrived = Some(Arrived::Signature(signature));
            }
            Step::Done(output) => return Ok(output),
        }
        now = match drawn(&machine) {
            Ok(now) => now,
            Err(error) if !sent => return Err(error.into()),
            // Nothing more is sent without a clock. If the answer has arrived, it is the answer.
            Err(error) => {
                return match machine.step(&now, arrived.take())? {
                    Step::Done(output) => Ok(output),
                    _ => Err(TransportError::unknown(error.fault(), "the transport's clock failed").into()),
                };
            }
        };
    }
}

/// Has a store answer.
#[dual]
async fn ask(store: &dyn Store, request: &StoreRequest) -> Result<StoreAnswer, StoreError> {
    let within = request.within();
    Ok(match request.access() {
        Access::Load(key) => StoreAnswer::Loaded(store.load(key, within).await?),
        Access::Save { key, version, bytes, keep } => {
            StoreAnswer::Saved(store.save_if(key, *version, bytes, *keep, within).await?)
        }
        Access::Remove { key, version } => {
            StoreAnswer::Removed(store.remove_if(key, *version, within).await?)
        }
        Access::List { prefix, after } => {
            StoreAnswer::Listed(store.keys(prefix, after.as_deref(), within).await?)
        }
    })
}
