//! Why a token is not accepted, and what an API answers to it (RFC 6750 section 3).

use crate::challenge::Challenge;
use crate::error::Error;
use crate::scopes::Scopes;

/// Why a token is not accepted. No text of it repeats any part of the token. `{:?}` is the sentence, its causes and the advice, as of
/// [`Error`].
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The request carries no bearer token (RFC 6750 section 3: the challenge has no error code then).
    #[error("there is no bearer token")]
    MissingToken,
    /// The request carries credentials in a way that cannot be read (RFC 6750 section 3.1, `invalid_request`).
    #[error("the credentials of the request cannot be read: {0}")]
    BadRequest(&'static str),
    /// The token is longer than allowed.
    #[error("the token is longer than allowed")]
    TooLong,
    /// It is not a signed JWT in its compact form (RFC 7515 section 7.1).
    #[error("the token is not a signed JWT: {0}")]
    Malformed(&'static str),
    /// The header asks for something that is never done: critical extensions, keys in the token (RFC 8725 section 3.10),
    /// another form of payload (RFC 7797).
    #[error("the token's header has {0}, which is never accepted")]
    ForbiddenHeader(&'static str),
    /// The algorithm is not one that is accepted, or not the key's (RFC 8725 section 3.1).
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// It is another kind of token (`typ`; RFC 8725 section 3.11, RFC 9068 section 4).
    #[error("the token is of another type")]
    Type,
    /// The issuer has no such key, or the token names none and the issuer has several.
    #[error("the token is signed with a key that the issuer does not have")]
    UnknownKey,
    /// The signature does not verify.
    #[error("the token's signature does not verify")]
    Signature,
    /// The service says that it is not valid, or not any more (RFC 7662 section 2.2).
    #[error("the token is not valid, or not any more")]
    Inactive,
    /// A claim is missing or malformed.
    #[error("the claim {claim} {problem}")]
    Claim {
        /// The claim's name.
        claim: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It is another issuer's (`iss`, compared byte for byte; RFC 8725 section 3.8).
    #[error("the token is of another issuer than {expected}")]
    Issuer {
        /// The issuer that tokens must be of, as it is set here.
        expected: String,
    },
    /// It is for somebody else (`aud`; RFC 8725 section 3.9).
    #[error("the token is for another audience than {expected}")]
    Audience {
        /// The audience that tokens must be for, as it is set here.
        expected: String,
    },
    /// It is over (`exp`, RFC 7519 section 4.1.4).
    #[error("the token is expired")]
    Expired,
    /// It does not begin yet (`nbf`, RFC 7519 section 4.1.5).
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It was issued in the future (`iat`, RFC 7519 section 4.1.6): a clock is wrong.
    #[error("the token was issued in the future")]
    IssuedInFuture,
    /// It is bound to a key (`cnf`, RFC 7800), and whether its bearer has that key is not checked here.
    #[error("the token is bound to a key, and is no bearer token")]
    Bound,
    /// More actors act for one another than allowed (`act`, RFC 8693 section 4.1).
    #[error("the token's chain of actors is longer than allowed")]
    ActorDepth,
    /// An actor is not among those allowed.
    #[error("an actor of the token is not allowed here")]
    ActorNotAllowed,
    /// The token is good, but not for this (RFC 6750 section 3.1).
    #[error("the token lacks a scope")]
    InsufficientScope {
        /// The scopes that are needed.
        required: Scopes,
    },
    /// The ID token's `nonce` is not the one of this sign-in (OpenID Connect Core 3.1.3.7, rule 11).
    #[error("the nonce is not the one of this sign-in")]
    Nonce,
    /// The ID token was issued to another party (`azp`, OpenID Connect Core 3.1.3.7, rules 4 and 5).
    #[error("the token was issued to another party")]
    AuthorizedParty,
    /// The issuer's keys, or its word on the token, cannot be had at the moment: nothing is known about the token. Never
    /// read it as a yes.
    #[error("the issuer's keys or its word cannot be had")]
    Unavailable(#[source] Error),
}

impl std::fmt::Debug for VerifyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        crate::error::told(f, self, self.advice())
    }
}

impl From<Error> for VerifyError {
    fn from(error: Error) -> Self {
        VerifyError::Unavailable(error)
    }
}

impl VerifyError {
    pub(crate) const fn missing(claim: &'static str) -> Self {
        VerifyError::Claim { claim, problem: "is missing" }
    }

    pub(crate) const fn mistyped(claim: &'static str) -> Self {
        VerifyError::Claim { claim, problem: "is not of the type it must have" }
    }

    /// The HTTP status to answer with: 401, 403 for scopes and actors, 400 for unreadable credentials, 503 if the keys
    /// cannot be had (RFC 6750 section 3.1).
    pub fn status(&self) -> u16 {
        match self {
            VerifyError::BadRequest(_) => 400,
            VerifyError::InsufficientScope { .. }
            | VerifyError::ActorNotAllowed
            | VerifyError::ActorDepth => 403,
            VerifyError::Unavailable(_) => 503,
            _ => 401,
        }
    }

    /// The error code of RFC 6750 section 3.1. None without a token, and if the keys cannot be had.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            VerifyError::MissingToken | VerifyError::Unavailable(_) => None,
            VerifyError::BadRequest(_) => Some("invalid_request"),
            VerifyError::InsufficientScope { .. } => Some("insufficient_scope"),
            _ => Some("invalid_token"),
        }
    }

    /// The challenge to answer with, as `WWW-Authenticate`; add `realm` and `resource_metadata` to it, or take
    /// [`super::Verifier::challenge`]. None if the keys cannot be had: that is nothing the client can mend.
    pub fn challenge(&self) -> Option<Challenge> {
        let mut challenge = Challenge::bearer();
        match (self, self.code()) {
            (VerifyError::Unavailable(_), _) => return None,
            (_, None) => {}
            (_, Some(code)) => {
                challenge = challenge.parameter("error", code).parameter("error_description", self.said());
            }
        }
        if let VerifyError::InsufficientScope { required } = self {
            challenge = challenge.parameter("scope", required.to_string());
        }
        Some(challenge)
    }

    /// What a caller is told: the same, without what is set here.
    fn said(&self) -> String {
        match self {
            VerifyError::Issuer { .. } => "the token is of another issuer".to_owned(),
            VerifyError::Audience { .. } => "the token is for another audience".to_owned(),
            other => other.to_string(),
        }
    }

    pub(crate) fn issuer(expected: impl Into<String>) -> Self {
        VerifyError::Issuer { expected: expected.into() }
    }

    pub(crate) fn audience(expected: impl Into<String>) -> Self {
        VerifyError::Audience { expected: expected.into() }
    }

    /// What whoever runs the API, or calls it, can do about it, in one sentence. Never contains anything of the token.
    pub fn advice(&self) -> &'static str {
        match self {
            VerifyError::MissingToken => "Send `Authorization: Bearer` with an access token for this API.",
            VerifyError::BadRequest(_) => {
                "Send one `Authorization: Bearer` header, and the token nowhere else."
            }
            VerifyError::TooLong => "Send an access token: no issuer makes them as long as this.",
            VerifyError::Malformed(_) => {
                "Send an access token that is a JWT; for reference tokens, give the verifier a client that asks the service (introspection)."
            }
            VerifyError::Type => "Send an access token: this is another kind, such as an ID token.",
            VerifyError::ForbiddenHeader(_) | VerifyError::Algorithm | VerifyError::Signature => {
                "Send the token as the issuer signed it; if it is, look at how the issuer signs."
            }
            VerifyError::UnknownKey => {
                "Get a new token; if it persists, check that the verifier's issuer is the one that signs these tokens."
            }
            VerifyError::Inactive | VerifyError::Expired => "Get a new token.",
            VerifyError::Claim { .. } => {
                "Look at what the issuer puts into its tokens: `lumoauth decode` shows it."
            }
            VerifyError::Issuer { .. } => {
                "Compare the verifier's issuer with `iss` of the token, letter by letter: base URL, tenant, no slash at the end."
            }
            VerifyError::Audience { .. } => {
                "Ask for the token with this API as its resource, or set the audience that its tokens have in `aud`."
            }
            VerifyError::NotYetValid | VerifyError::IssuedInFuture => {
                "Check the clocks of this machine and of the issuer."
            }
            VerifyError::Bound => "Send a bearer token, or verify signed requests (feature `aauth`).",
            VerifyError::ActorDepth | VerifyError::ActorNotAllowed => {
                "Allow the actor, or the depth, in the verifier's settings if it is to act here."
            }
            VerifyError::InsufficientScope { .. } => "Get a token with the scopes that the challenge names.",
            VerifyError::Nonce => "Start the sign-in anew, and check with the nonce of that sign-in.",
            VerifyError::AuthorizedParty => {
                "Check the client id of the verifier: the token is another client's."
            }
            VerifyError::Unavailable(_) => {
                "Try again later: nothing is known about the token. Check the issuer's URL if it persists."
            }
        }
    }

    /// True if the same token may be accepted later: only the keys could not be had.
    pub fn is_temporary(&self) -> bool {
        matches!(self, VerifyError::Unavailable(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_api_answers() {
        let shown = |error: VerifyError| (error.status(), error.challenge().map(|c| c.to_string()));
        assert_eq!(shown(VerifyError::MissingToken), (401, Some("Bearer".into())));
        let expired = "Bearer error=\"invalid_token\", error_description=\"the token is expired\"";
        assert_eq!(shown(VerifyError::Expired), (401, Some(expired.into())));
        let scope = VerifyError::InsufficientScope { required: Scopes::from("a b") };
        let (status, challenge) = shown(scope);
        assert_eq!(status, 403);
        assert!(challenge.unwrap().ends_with("scope=\"a b\""));
        let down = Error::Input(crate::error::InputError::new("x", "y"));
        assert_eq!(shown(VerifyError::Unavailable(down)), (503, None));
    }
}
