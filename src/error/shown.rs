//! How an error looks to whoever meets it as `{:?}`: `main` that returns it, `unwrap`, a test that fails.

use std::error::Error as Cause;
use std::fmt;

use super::Error;

/// `{:?}` is for people: the sentence, its causes, and `help: ` with the advice, as the command line shows it. A program's `main` that
/// returns the error prints this. `{:#?}` is the structure.
///
/// ```
/// use lumoauth::{Agent, Error};
///
/// # #[cfg(feature = "ureq")] {
/// let error = Agent::builder().base_url("http://example.com").build().unwrap_err();
/// assert!(format!("{error:?}").contains("\nhelp: "));
/// # }
/// ```
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { structure(self, f) } else { told(f, self, self.advice()) }
    }
}

/// An error with its causes and the advice.
pub(crate) fn told(f: &mut fmt::Formatter<'_>, error: &dyn Cause, advice: &str) -> fmt::Result {
    write!(f, "{}\nhelp: {advice}", Whole(error))
}

/// An error with its causes, in one line. A cause that the sentence before it has told already is not told again.
pub(crate) struct Whole<'e>(pub(crate) &'e dyn Cause);

impl fmt::Display for Whole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = self.0.to_string();
        f.write_str(&before)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if !before.contains(&text) {
                write!(f, ": {text}")?;
                before = text;
            }
            next = cause.source();
        }
        Ok(())
    }
}

fn structure(error: &Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        Error::Config(error) => f.debug_tuple("Config").field(error).finish(),
        Error::Input(error) => f.debug_tuple("Input").field(error).finish(),
        Error::Api(error) => f.debug_tuple("Api").field(error).finish(),
        Error::Protocol(error) => f.debug_tuple("Protocol").field(error).finish(),
        Error::Transport(error) => f.debug_tuple("Transport").field(error).finish(),
        Error::Consent(error) => f.debug_tuple("Consent").field(error).finish(),
        Error::Workload(error) => f.debug_tuple("Workload").field(error).finish(),
        Error::Signer(error) => f.debug_tuple("Signer").field(error).finish(),
        Error::Store(error) => f.debug_tuple("Store").field(error).finish(),
        Error::Call(error) => f.debug_tuple("Call").field(error).finish(),
        Error::Permission(error) => f.debug_tuple("Permission").field(error).finish(),
        Error::Approval(error) => f.debug_tuple("Approval").field(error).finish(),
        Error::Cancelled => f.write_str("Cancelled"),
        Error::DeadlineExceeded { operation, total, phase, last } => f
            .debug_struct("DeadlineExceeded")
            .field("operation", operation)
            .field("total", total)
            .field("phase", phase)
            .field("last", last)
            .finish(),
        Error::OutcomeUnknown { operation, attempt_id, source } => f
            .debug_struct("OutcomeUnknown")
            .field("operation", operation)
            .field("attempt_id", attempt_id)
            .field("source", source)
            .finish(),
        Error::NotSaved { tokens, source } => {
            f.debug_struct("NotSaved").field("tokens", tokens).field("source", source).finish()
        }
        Error::Denied { action, reason, audit_id } => f
            .debug_struct("Denied")
            .field("action", action)
            .field("reason", reason)
            .field("audit_id", audit_id)
            .finish(),
    }
}
