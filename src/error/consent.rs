//! Why an answer of the consent flow is not taken.

use super::text::{because, inert};

/// Why an answer of the consent flow is not taken. The flow starts anew with a new consent URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsentError {
    /// There is no token of the user, or none that can be renewed: the user must consent (again).
    #[error("the user must consent (again)")]
    Needed,
    /// The person, or the service, said no (RFC 6749 section 4.1.2.1).
    #[error("the consent was refused: {}{}", inert(.code), because(.description))]
    Refused {
        /// The service's code, such as `access_denied`.
        code: String,
        /// The service's words.
        description: Option<String>,
    },
    /// The state is not the one that was sent, or was used before: this answers somebody else's request.
    #[error("the state of the answer is not the one that was sent")]
    WrongState,
    /// The answer names another issuer (RFC 9207): it comes from another service.
    #[error("the answer names another issuer")]
    WrongIssuer,
    /// The answer came back to another place than the redirect URI that was sent.
    #[error("the answer came to another redirect URI than the one that was sent")]
    WrongPlace,
    /// The consent was asked for by another client: the agent's credentials were changed meanwhile.
    #[error("the consent was asked for by another client")]
    OtherClient,
    /// The answer names no issuer, though the service says that its answers do.
    #[error("the answer names no issuer")]
    NoIssuer,
    /// The answer has no code.
    #[error("the answer has no code")]
    NoCode,
    /// What was given is no URL but perhaps the code out of one.
    #[error(
        "this is no URL with an answer in it: hand over the whole URL, or a bare code to handle_consent_callback"
    )]
    NoUrl,
    /// A parameter is there twice.
    #[error("the answer has {parameter} twice")]
    Twice {
        /// The parameter.
        parameter: &'static str,
    },
}
