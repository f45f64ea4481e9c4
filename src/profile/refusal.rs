//! Why a signed request is not taken, and what a resource answers to it.

use super::received::MessageFault;
use crate::challenge::Challenge;
use crate::error::{Error, StoreError};
use crate::scopes::Scopes;
use crate::verify::VerifyError;

/// Why a signed request is not taken. No text of it repeats anything secret of the request. `{:?}` is the sentence, its causes and the
/// advice, as of [`Error`].
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The signed message is not as it must be.
    #[error("the request is not signed as it must be")]
    Message(#[from] MessageFault),
    /// The authorization token is missing or not taken.
    #[error("the authorization token is not accepted")]
    Token(#[from] VerifyError),
    /// The signature was used before.
    #[error("the signature was used before: sign each request afresh")]
    Replayed,
    /// The replay store has no room: nothing is taken until something is over.
    #[error("the replay store is full, so that no request can be taken at the moment")]
    Full,
    /// The service says that the token is not valid any more: it was revoked.
    #[error("the authorization token was revoked, or the service does not know it")]
    Revoked,
    /// The service cannot be asked whether the token was revoked: nothing is known about the request. Never read it as a
    /// yes.
    #[error("the service cannot be asked about the authorization token")]
    Service(#[source] Error),
    /// The replay store cannot be asked: nothing is known about the request. Never read it as a yes.
    #[error("the replay store cannot be asked")]
    Store(#[source] StoreError),
}

impl std::fmt::Debug for RequestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        crate::error::told(f, self, self.advice())
    }
}

impl RequestError {
    /// The HTTP status to answer with: 401, 403 for scopes and actors, 413 for what is too long, 503 if it cannot be
    /// decided.
    pub fn status(&self) -> u16 {
        match self {
            RequestError::Message(MessageFault::TooLong { .. }) => 413,
            RequestError::Token(error) => error.status(),
            RequestError::Message(_) | RequestError::Replayed | RequestError::Revoked => 401,
            RequestError::Full | RequestError::Store(_) | RequestError::Service(_) => 503,
        }
    }

    /// The challenge to answer with, as `WWW-Authenticate` (`docs/wire.md`, aauth-challenge). None if the request may be
    /// good and only cannot be decided.
    pub fn challenge(&self) -> Option<Challenge> {
        match self {
            RequestError::Token(error) => error.challenge(),
            RequestError::Message(_) | RequestError::Replayed | RequestError::Revoked => {
                let description = match self {
                    RequestError::Message(fault) => format!("{self}: {fault}"),
                    _ => self.to_string(),
                };
                Some(
                    Challenge::bearer()
                        .parameter("error", "invalid_token")
                        .parameter("error_description", description),
                )
            }
            RequestError::Full | RequestError::Store(_) | RequestError::Service(_) => None,
        }
    }

    /// What whoever runs the resource, or calls it, can do about it, in one sentence. Never contains anything of the request.
    pub fn advice(&self) -> &'static str {
        match self {
            RequestError::Message(_) => {
                "Sign the request as it is sent: method, URL, body, and every header that the resource asks for."
            }
            RequestError::Token(error) => error.advice(),
            RequestError::Replayed => {
                "Sign each request afresh; if it was, look for a proxy that sends requests twice."
            }
            RequestError::Full => "Give the replay store more room, or slow the callers down.",
            RequestError::Revoked => "Get a new authorization token.",
            RequestError::Service(_) => {
                "Try again later: nothing is known about the request. Check that the service can be reached."
            }
            RequestError::Store(_) => "Look after the replay store: nothing is known about the request.",
        }
    }

    /// True if the same agent may be served later without changing anything.
    pub fn is_temporary(&self) -> bool {
        match self {
            RequestError::Token(error) => error.is_temporary(),
            RequestError::Full | RequestError::Store(_) | RequestError::Service(_) => true,
            RequestError::Message(_) | RequestError::Replayed | RequestError::Revoked => false,
        }
    }

    pub(super) fn missing_scopes(required: &Scopes) -> Self {
        RequestError::Token(VerifyError::InsufficientScope { required: required.clone() })
    }
}
