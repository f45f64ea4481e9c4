//! What became of a code whose trade did not succeed.

use crate::error::{Error, Sent};

/// True if the code was not used: it was not sent, or the service had no time for it.
pub(crate) fn is_unused(error: &Error) -> bool {
    match error {
        // 408: the service has not read the request to its end (RFC 9110 section 15.5.9).
        Error::Api(api) => {
            matches!(api.status(), 408 | 429) || (api.status() == 503 && api.retry_after().is_some())
        }
        Error::Transport(error) => error.sent() == Sent::NotSent,
        Error::DeadlineExceeded { last, .. } => last.as_deref().is_none_or(is_unused),
        Error::Config(_) | Error::Input(_) => true,
        _ => false,
    }
}

/// A service that broke over a code may have used it: that is nothing to try again.
pub(crate) fn outcome(operation: &'static str, error: Error) -> Error {
    match &error {
        Error::Api(api) if api.status() >= 500 && !is_unused(&error) => Error::OutcomeUnknown {
            operation,
            attempt_id: "of the code's trade".to_owned(),
            source: Box::new(error),
        },
        _ => error,
    }
}
