//! What can go wrong, sorted by whose fault it is. `docs/errors.md` lists every one with what to do.

mod advice;
mod api;
mod approval;
mod call;
mod config;
mod consent;
mod input;
mod permission;
mod protocol;
mod redactor;
#[cfg(any(feature = "tower", all(feature = "signin", any(feature = "blocking", feature = "async"))))]
mod session_secret;
mod shown;
mod signer;
mod store;
mod text;
mod transport;
mod unsaved;
mod workload;

use std::time::Duration;

pub(crate) use api::Refusal;
pub use api::{ApiError, RateLimit};
pub use approval::{ApprovalError, NotDeliveredReason};
pub use call::CallError;
pub use config::ConfigError;
pub use consent::ConsentError;
pub use input::InputError;
pub use permission::PermissionError;
pub use protocol::{ProtocolError, ProtocolFault};
pub(crate) use redactor::Redactor;
#[cfg(feature = "tower")]
pub(crate) use shown::Whole;
#[cfg(feature = "verify")]
pub(crate) use shown::told;
pub use signer::SignerError;
pub use store::{StoreError, StoreFault};
pub use text::acts_on_text;
use text::because;
pub(crate) use text::inert;
pub use transport::{Sent, TransportError, TransportFault};
pub use unsaved::Unsaved;
pub use workload::WorkloadError;

/// Everything a call can end with instead of an answer. Cheap to clone: one failed token request is reported to every
/// caller that waited for it.
///
/// A denial is not here: [`crate::Decision`] is a value. [`crate::Decision::require`] turns it into [`Error::Denied`].
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The settings are wrong. Found when the client is built, before any I/O.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An argument of this call is wrong. Found before any I/O.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The call of a tool cannot be bound to a decision. Found before anybody is asked.
    #[error(transparent)]
    Call(#[from] CallError),
    /// An approval by a person is not there, or lets no call run, or not this one.
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    /// The service answered, and the answer is a refusal or a failure.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The service's answer breaks the protocol: not JSON, a field missing or of another type, a redirect, another
    /// action than the one asked about. It is never read as success.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// No whole answer arrived. Says whether the request may have been acted on.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The call's one deadline passed.
    #[error("{operation}: no answer within {} ({phase})", seconds(*.total))]
    DeadlineExceeded {
        /// The operation that ran out of time.
        operation: &'static str,
        /// The whole time it had.
        total: Duration,
        /// What it was doing when the time ran out.
        phase: &'static str,
        /// What the last attempt failed with, if there was one.
        #[source]
        last: Option<Box<Error>>,
    },
    /// The request of an operation that must not happen twice was sent, and it is not known whether it took effect.
    /// It was not repeated.
    #[error("{operation}: the outcome is unknown (attempt {attempt_id}); it was not repeated")]
    OutcomeUnknown {
        /// The operation.
        operation: &'static str,
        /// Names this call in logs.
        attempt_id: String,
        /// Why the outcome is unknown.
        #[source]
        source: Box<Error>,
    },
    /// The consent flow came back with a refusal, or with something that does not fit what was sent.
    #[error(transparent)]
    Consent(ConsentError),
    /// The platform's token of a workload could not be had or used. Nothing was sent.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The request could not be signed. Nothing of this attempt was sent.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The store of sessions and tokens failed.
    #[error("the store failed: {0}")]
    Store(StoreError),
    /// New tokens of a user were obtained and could not be saved. They are not lost: the client keeps them, and saves or revokes
    /// them at its next call for the session.
    #[error("new tokens of the user could not be saved, and are kept for the next call")]
    NotSaved {
        /// The tokens, for a program that ends before there is a next call.
        tokens: Unsaved,
        /// Why the store did not take them.
        source: StoreError,
    },
    /// Another thread ended the call. What was sent by then may still take effect.
    #[error("the call was cancelled")]
    Cancelled,
    /// A permission that was asked for just in time is not there: denied, over, not decided, or for something else.
    #[error(transparent)]
    Permission(#[from] PermissionError),
    /// The service said no, and [`crate::Decision::require`] made an error of it.
    #[error("denied: {}{}", inert(.action), because(.reason))]
    Denied {
        /// The action that was asked about.
        action: String,
        /// The reason that the service gave.
        reason: Option<String>,
        /// The service's audit record of the decision.
        audit_id: Option<String>,
    },
}

impl From<ConsentError> for Error {
    fn from(error: ConsentError) -> Self {
        Error::Consent(error)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Error::Store(error)
    }
}

impl Error {
    /// The HTTP status, if the service answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            Error::Api(api) => Some(api.status()),
            Error::Protocol(protocol) => Some(protocol.status()),
            Error::DeadlineExceeded { last: Some(last), .. } => last.status(),
            Error::OutcomeUnknown { source, .. } => source.status(),
            _ => None,
        }
    }

    /// The service's own code for it (`invalid_client`, `budget_exceeded`), if it gave one.
    pub fn code(&self) -> Option<&str> {
        self.as_api().and_then(ApiError::code)
    }

    /// The service's refusal, if that is what this is.
    pub fn as_api(&self) -> Option<&ApiError> {
        match self {
            Error::Api(api) => Some(api),
            Error::DeadlineExceeded { last: Some(last), .. } => last.as_api(),
            Error::OutcomeUnknown { source, .. } => source.as_api(),
            _ => None,
        }
    }

    /// How long the service asked to wait before trying again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.as_api().and_then(ApiError::retry_after)
    }

    /// The client is not (or no longer) authenticated: status 401, or a refusal of its credentials.
    pub fn is_unauthorized(&self) -> bool {
        self.as_api().is_some_and(ApiError::is_unauthorized)
    }

    /// Authenticated, but not permitted: status 403, [`Error::Denied`], or a permission or an approval that was denied.
    pub fn is_forbidden(&self) -> bool {
        let denied = matches!(
            self,
            Error::Denied { .. }
                | Error::Permission(PermissionError::Denied { .. })
                | Error::Approval(ApprovalError::Denied { .. })
        );
        denied || self.status() == Some(403)
    }

    /// Status 404.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// The user must consent, for the first time or again ([`ConsentError::Needed`]): send them to a consent URL.
    pub fn needs_consent(&self) -> bool {
        matches!(self, Error::Consent(ConsentError::Needed))
    }

    /// Too many requests: status 429, unless it is the budget that is used up.
    pub fn is_rate_limited(&self) -> bool {
        self.status() == Some(429) && !self.is_budget_exceeded()
    }

    /// The agent's budget is used up. Waiting a moment does not help.
    pub fn is_budget_exceeded(&self) -> bool {
        self.as_api().is_some_and(ApiError::is_budget_exceeded)
    }

    /// Time ran out: the call's deadline, or one attempt's time limit.
    pub fn is_timeout(&self) -> bool {
        match self {
            Error::DeadlineExceeded { .. } => true,
            Error::Transport(transport) => transport.fault() == TransportFault::Timeout,
            Error::OutcomeUnknown { source, .. } => source.is_timeout(),
            _ => false,
        }
    }

    /// The same call may work later without any change: no connection, timeouts, rate limits, 5xx, an unavailable store.
    /// An unknown outcome is not temporary: find out what happened first.
    pub fn is_temporary(&self) -> bool {
        match self {
            Error::Transport(transport) => transport.is_temporary(),
            Error::Store(store) => store.is_unavailable(),
            Error::DeadlineExceeded { .. } => true,
            Error::Api(api) => {
                (api.status() == 429 && !api.is_budget_exceeded())
                    || matches!(api.status(), 408 | 500 | 502 | 503 | 504)
            }
            _ => false,
        }
    }

    /// The settings or an argument are wrong; nothing was sent.
    pub fn is_usage(&self) -> bool {
        matches!(self, Error::Config(_) | Error::Input(_) | Error::Call(_))
    }

    /// The same error with every known secret cut out of what the service or the transport wrote.
    pub(crate) fn redacted(self, redactor: &Redactor) -> Error {
        match self {
            Error::Api(api) => Error::Api(api.redacted(redactor)),
            Error::Protocol(protocol) => Error::Protocol(protocol.redacted(redactor)),
            Error::Transport(transport) => Error::Transport(transport.redacted(redactor)),
            other => other,
        }
    }
}

/// A duration for people: `8 s`, `250 ms`.
fn seconds(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{} ms", duration.as_millis())
    }
}
