//! Why somebody is not signed in: what whoever runs the service may know, and the little that a browser is told.

use std::time::Duration;

use crate::error::{ConsentError, Error, StoreFault};
use crate::scopes::Scopes;
use crate::verify::VerifyError;

/// Why a sign-in did not come about, or does not suffice.
///
/// Its text is for you. A browser is answered with [`SignInError::status`] and [`SignInError::code`], which say no more than that.
/// `{:?}` is the sentence, its causes and the advice, as of [`Error`].
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// Nobody is signed in.
    #[error("nobody is signed in")]
    NotSignedIn,
    /// The person is signed in, and the session's token lacks these scopes.
    #[error("the session's token lacks scopes: {missing}")]
    InsufficientScope {
        /// Those that it lacks.
        missing: Scopes,
    },
    /// The answer fits no sign-in that this browser began: its cookie did not come along, the state is another one, or it is over.
    #[error("the answer fits no sign-in that this browser began")]
    State,
    /// The answer was taken before.
    #[error("the answer was taken before")]
    Used,
    /// The person, or the service, said no, or the answer is not one (RFC 6749 section 4.1.2).
    #[error(transparent)]
    Callback(ConsentError),
    /// The service sent no ID token: `openid` must be among the scopes that the client may ask for.
    #[error("the service sent no ID token: openid must be among the scopes")]
    NoIdToken,
    /// The ID token is none that this service takes.
    #[error("the ID token is refused: {0}")]
    IdToken(VerifyError),
    /// The person signed in longer ago than was asked for, or the ID token does not say when (`auth_time`).
    #[error("the person did not sign in as recently as was asked for")]
    NotRecent,
    /// The request comes from a page of another site, or does not show where it comes from.
    #[error("the request does not come from a page of this site")]
    CrossSite,
    /// The method is not one for this place.
    #[error("the method is not one for this place: send {allowed}")]
    Method {
        /// The one that is.
        allowed: &'static str,
    },
    /// LumoAuth, or the store of sessions, failed.
    #[error(transparent)]
    Service(Error),
}

impl std::fmt::Debug for SignInError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        crate::error::told(f, self, self.advice())
    }
}

impl SignInError {
    /// What whoever runs the service can do about it, in one sentence. Never contains anything that a browser or the service wrote.
    pub fn advice(&self) -> &'static str {
        match self {
            SignInError::NotSignedIn => "Send the person to the sign-in.",
            SignInError::InsufficientScope { .. } => "Ask for these scopes when people sign in.",
            SignInError::State => {
                "Begin the sign-in anew; if it persists, look whether the cookie comes back: public_url, https, one host name."
            }
            SignInError::Used => "Begin the sign-in anew: an answer is good once.",
            SignInError::Callback(ConsentError::Refused { .. }) => {
                "Do not send the person back at once: they, or the service, said no."
            }
            SignInError::Callback(_) => "Use nothing of the answer: begin the sign-in anew.",
            SignInError::NoIdToken => "Allow the scope openid to the client at the service.",
            SignInError::IdToken(error) => error.advice(),
            SignInError::NotRecent => "Begin the sign-in anew with max_age, or with the prompt for a login.",
            SignInError::CrossSite => {
                "Send the form from a page of this service's own origin, and let its Origin header through."
            }
            SignInError::Method { .. } => "Use a form with this method: a link sends GET.",
            SignInError::Service(error) => error.advice(),
        }
    }

    /// The HTTP status to answer with.
    pub fn status(&self) -> u16 {
        match self {
            SignInError::NotSignedIn => 401,
            SignInError::InsufficientScope { .. } | SignInError::CrossSite | SignInError::NotRecent => 403,
            SignInError::Callback(ConsentError::Refused { .. }) => 403,
            SignInError::State | SignInError::Used | SignInError::Callback(_) => 400,
            SignInError::Method { .. } => 405,
            SignInError::IdToken(error) if !error.is_temporary() => 502,
            SignInError::NoIdToken => 502,
            SignInError::IdToken(_) => 503,
            SignInError::Service(error) if is_temporary(error) => 503,
            SignInError::Service(_) => 502,
        }
    }

    /// The word that a browser is told, in the JSON member `error`.
    pub fn code(&self) -> &'static str {
        match self {
            SignInError::NotSignedIn => "unauthenticated",
            SignInError::InsufficientScope { .. } => "insufficient_scope",
            SignInError::State | SignInError::Used => "invalid_state",
            SignInError::Callback(ConsentError::Refused { .. }) => "access_denied",
            SignInError::Callback(_) | SignInError::CrossSite | SignInError::Method { .. } => {
                "invalid_request"
            }
            SignInError::NotRecent => "login_required",
            SignInError::NoIdToken | SignInError::IdToken(_) | SignInError::Service(_) => {
                if self.is_temporary() { "temporarily_unavailable" } else { "token_exchange_failed" }
            }
        }
    }

    /// True if the person may be signed in later: the service, or the store, could not be asked. An answer whose code was not sent can come
    /// again as it is, and its cookie is left; else the sign-in is begun anew.
    pub fn is_temporary(&self) -> bool {
        self.status() == 503
    }

    /// How long the service wants to be left alone, if it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            SignInError::Service(error) => error.retry_after(),
            SignInError::IdToken(VerifyError::Unavailable(error)) => error.retry_after(),
            _ => None,
        }
    }

    /// What a person reads.
    pub(crate) fn words(&self) -> &'static str {
        match self {
            SignInError::NotSignedIn => "You are not signed in.",
            SignInError::InsufficientScope { .. } => "You are signed in, and may not do this.",
            SignInError::State | SignInError::Used | SignInError::NotRecent => {
                "This sign-in is out of date, or was begun in another browser."
            }
            SignInError::Callback(ConsentError::Refused { .. }) => "The sign-in was refused.",
            SignInError::Callback(_) | SignInError::CrossSite | SignInError::Method { .. } => {
                "This does not work."
            }
            SignInError::NoIdToken | SignInError::IdToken(_) | SignInError::Service(_) => {
                "Signing in does not work at the moment."
            }
        }
    }
}

impl From<Error> for SignInError {
    fn from(error: Error) -> Self {
        match error {
            Error::Consent(ConsentError::Needed) => SignInError::NotSignedIn,
            error => SignInError::Service(error),
        }
    }
}

/// True if the service, or the store, may answer later.
fn is_temporary(error: &Error) -> bool {
    match error {
        Error::Api(api) => api.status() >= 500 || matches!(api.status(), 408 | 429),
        Error::Transport(_) | Error::DeadlineExceeded { .. } => true,
        Error::Store(error) | Error::NotSaved { source: error, .. } => error.fault() != StoreFault::Corrupt,
        _ => false,
    }
}
