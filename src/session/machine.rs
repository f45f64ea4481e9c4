//! What a machine and its driver say to each other.

use std::time::Duration;

use super::access::{StoreAnswer, StoreRequest};
use super::given::{Given, Giver};
use super::keep::Ticket;
use super::signature::ToSign;
use crate::error::{Error, SignerError, StoreError, TransportError};
use crate::time::Now;
use crate::wire::{Request, Response};

/// What a driver is to do next. Exhaustive on purpose: a driver that does not know an action must not compile.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // sent on at once, never stored
pub enum Action {
    /// Send this, and step again with what arrived.
    Send(Request),
    /// Let this much time pass, and step again with nothing.
    Wait(Duration),
    /// Another call is fetching the token: wait until it has settled, at most for [`Ticket::within`], and step again
    /// with nothing.
    Join(Ticket),
    /// Get what only the driver's surroundings can give, and step again with [`Arrived::Given`].
    Given(Giver),
    /// Ask the store, and step again with [`Arrived::Stored`].
    Store(StoreRequest),
    /// Sign this with the client's own key, wherever that lives, and step again with [`Arrived::Signature`].
    Sign(ToSign),
}

/// What a step of a machine came to.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // taken apart at once, never stored
pub enum Step<T> {
    /// Something is to be done first.
    Do(Action),
    /// Finished.
    Done(T),
}

/// What came of an [`Action::Send`], [`Action::Given`], [`Action::Store`] or [`Action::Sign`]. Exhaustive on purpose.
#[derive(Debug)]
pub enum Arrived {
    /// A whole response.
    Response(Response),
    /// No whole response.
    Failed(TransportError),
    /// What was given, or why nothing was.
    Given(Result<Given, Error>),
    /// What the store said, or why it did not.
    Stored(Result<StoreAnswer, StoreError>),
    /// The signature, or why there is none.
    Signature(Result<Vec<u8>, SignerError>),
}

impl From<Result<Response, TransportError>> for Arrived {
    fn from(result: Result<Response, TransportError>) -> Self {
        match result {
            Ok(response) => Arrived::Response(response),
            Err(error) => Arrived::Failed(error),
        }
    }
}

/// What a driver turns until it is done.
pub trait Machine {
    /// What it is done with.
    type Output;

    /// True if something that it draws must be unpredictable to others (a nonce, a secret). If not, the bytes in [`Now`]
    /// only have to differ from call to call, and the driver may take them from where they cost least. Asked before every
    /// step; a machine that wraps another hands it on, or leaves it at true.
    fn draws_secrets(&self) -> bool {
        true
    }

    /// The next thing to do, now that `arrived` has come of the last action.
    ///
    /// # Errors
    /// The call's end. Do not step again after it.
    fn step(&mut self, now: &Now, arrived: Option<Arrived>) -> Result<Step<Self::Output>, Error>;
}
