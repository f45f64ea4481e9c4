//! Refusals as answers: status, challenge, `Retry-After`, and a body that tells strangers nothing.

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};

#[cfg(feature = "tower")]
use super::rule::both;
use crate::challenge::Challenge;
use crate::error::Error;
use crate::operations::Decision;
#[cfg(feature = "aauth")]
use crate::profile::{RequestError, RequestVerifier};
#[cfg(feature = "tower")]
use crate::scopes::Scopes;
use crate::time;
use crate::verify::{Verifier, VerifyError};

/// What `Retry-After` says where nobody said it.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest that `Retry-After` says.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// A refusal, ready to be sent. The body is `{"detail":"..."}` with the words of the status and no others, so that it tells a
/// stranger nothing that the status does not. Nobody may keep it (`Cache-Control: no-store`).
pub type Answer = Response<String>;

/// An answer of this status. A 503 says when to come again.
fn answer(status: StatusCode, challenge: Option<Challenge>, retry_after: Option<Duration>) -> Answer {
    let words = status.canonical_reason().unwrap_or("Refused");
    let mut answer = Response::new(format!("{{\"detail\":\"{words}\"}}"));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(challenge) = challenge {
        headers.insert(WWW_AUTHENTICATE, challenge.to_header());
    }
    let pause = retry_after.or((status == StatusCode::SERVICE_UNAVAILABLE).then_some(PAUSE));
    if let Some(pause) = pause {
        headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(pause)));
    }
    answer
}

/// Never earlier than was said, and never zero.
fn whole_seconds(pause: Duration) -> u64 {
    time::whole_seconds(pause).clamp(1, LONGEST.as_secs())
}

/// The challenge without its `error_description`: which rule a token broke is not a stranger's to know.
fn short(challenge: Option<Challenge>) -> Option<Challenge> {
    challenge.map(|challenge| {
        let is_said = |(name, _): &(&str, &str)| !name.eq_ignore_ascii_case("error_description");
        challenge
            .parameters()
            .filter(is_said)
            .fold(Challenge::bearer(), |short, (name, value)| short.parameter(name, value))
    })
}

/// The challenge with these scopes, in their usual place.
#[cfg(feature = "tower")]
fn with_scope(challenge: &Challenge, scope: &str) -> Challenge {
    let before = if challenge.get("scope").is_some() { "scope" } else { "resource_metadata" };
    let placed = challenge.parameters().fold(Challenge::bearer(), |placed, (name, value)| match name {
        "scope" => placed.parameter(name, scope),
        name if name == before => placed.parameter("scope", scope).parameter(name, value),
        name => placed.parameter(name, value),
    });
    if placed.get("scope").is_some() { placed } else { placed.parameter("scope", scope) }
}

fn status(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A refusal of this status, for what your own code refuses: the words of the status as JSON, not to be kept. A 503 says that one may come
/// again in a moment.
///
/// ```
/// use lumoauth::http::StatusCode;
///
/// let response = lumoauth::service::refusal(StatusCode::NOT_FOUND);
/// assert_eq!(response.body(), r#"{"detail":"Not Found"}"#);
/// ```
pub fn refusal(status: StatusCode) -> Answer {
    answer(status, None, None)
}

impl VerifyError {
    /// The answer to a request whose token is not accepted: 401, 403 or 400 with a challenge (RFC 6750 section 3), or 503 with
    /// `Retry-After` if the issuer cannot be asked. [`Verifier::answer`] adds scopes and the place of the RFC 9728 document.
    pub fn answer(&self) -> Answer {
        answer(status(self.status()), short(self.challenge()), self.retry_after())
    }

    /// How long the issuer asked to wait, if that is why nothing is known about the token.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            VerifyError::Unavailable(error) => error.retry_after(),
            _ => None,
        }
    }
}

impl Verifier {
    /// The answer to a request whose token is not accepted, with the challenge of [`Verifier::challenge`].
    pub fn answer(&self, error: &VerifyError) -> Answer {
        answer(status(error.status()), short(self.challenge(error)), error.retry_after())
    }

    /// The same, with one challenge for all scopes that the request needs: those of every token, those that are missing, and these.
    #[cfg(feature = "tower")]
    pub(crate) fn answer_wanting(&self, error: &VerifyError, wanted: &Scopes) -> Answer {
        let mut challenge = short(self.challenge(error));
        if let (VerifyError::MissingToken | VerifyError::InsufficientScope { .. }, Some(told)) =
            (error, &challenge)
        {
            let all = both(&both(self.required_scopes(), &told.scope()), wanted);
            if !all.is_empty() {
                challenge = Some(with_scope(told, &all.to_string()));
            }
        }
        answer(status(error.status()), challenge, error.retry_after())
    }
}

#[cfg(feature = "aauth")]
impl RequestError {
    /// The answer to a signed request that is not taken: 401 or 403 with a challenge, 413 for a body that is too long, 503 with
    /// `Retry-After` if it cannot be decided now.
    pub fn answer(&self) -> Answer {
        answer(status(self.status()), short(self.challenge()), self.retry_after())
    }

    /// How long the service asked to wait, if that is why nothing is known about the request.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            RequestError::Token(error) => error.retry_after(),
            RequestError::Service(error) => error.retry_after(),
            _ => None,
        }
    }
}

#[cfg(feature = "aauth")]
impl RequestVerifier {
    /// The answer to a signed request that is not taken.
    pub fn answer(&self, error: &RequestError) -> Answer {
        error.answer()
    }
}

impl Error {
    /// What your service answers its caller when a call of its own ended so: 403 `{"detail":"Forbidden"}` for a denial, 500 for
    /// settings or arguments that are wrong, 503 with `Retry-After` for all else, because then nothing was decided. Nothing of the
    /// error is in it: log the error itself.
    pub fn answer(&self) -> Answer {
        if self.is_forbidden() {
            refusal(StatusCode::FORBIDDEN)
        } else if self.is_usage() {
            answer(StatusCode::INTERNAL_SERVER_ERROR, None, None)
        } else {
            answer(StatusCode::SERVICE_UNAVAILABLE, None, self.retry_after())
        }
    }
}

impl Decision {
    /// The answer to a caller for whom this was decided: none if it is allowed, else 403 `{"detail":"Forbidden"}`. Reason and
    /// audit record are for your log.
    ///
    /// ```
    /// # let decision = lumoauth::Decision::denied("delete_user", "insufficient_permissions");
    /// if let Some(refusal) = decision.refusal() {
    ///     assert_eq!(refusal.status(), 403);
    ///     assert_eq!(refusal.body(), r#"{"detail":"Forbidden"}"#);
    /// }
    /// ```
    #[must_use = "a refusal that nobody sends refuses nothing"]
    pub fn refusal(&self) -> Option<Answer> {
        (!self.allowed()).then(|| refusal(StatusCode::FORBIDDEN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ApiError, ConfigError, InputError};
    #[allow(unused_imports)]
    use crate::scopes::Scopes;
    use crate::verify::VerifierConfig;

    fn shown(answer: &Answer) -> (u16, Option<&str>, Option<&str>, &str) {
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!(
            (header("content-type"), header("cache-control")),
            (Some("application/json"), Some("no-store"))
        );
        (answer.status().as_u16(), header("www-authenticate"), header("retry-after"), answer.body())
    }

    fn api(status: u16, retry_after: Option<&'static str>) -> Error {
        let mut headers = http::HeaderMap::new();
        headers.extend(retry_after.map(|value| (RETRY_AFTER, HeaderValue::from_static(value))));
        let response =
            crate::wire::Response::new(status.try_into().unwrap(), headers, "{\"error\":\"secret words\"}");
        Error::Api(ApiError::read("test", &response))
    }

    #[test]
    fn tokens_that_are_not_accepted() {
        let missing = VerifyError::MissingToken.answer();
        assert_eq!(shown(&missing), (401, Some("Bearer"), None, r#"{"detail":"Unauthorized"}"#));
        // Whatever is wrong with a token, its bearer is told the same.
        for error in
            [VerifyError::Expired, VerifyError::Signature, VerifyError::audience("mine"), VerifyError::Type]
        {
            let answer = error.answer();
            let told = (401, Some("Bearer error=\"invalid_token\""), None, r#"{"detail":"Unauthorized"}"#);
            assert_eq!(shown(&answer), told, "{error}");
        }
        let bad = VerifyError::BadRequest("x").answer();
        assert_eq!(
            shown(&bad),
            (400, Some("Bearer error=\"invalid_request\""), None, r#"{"detail":"Bad Request"}"#)
        );
        let scope = VerifyError::InsufficientScope { required: Scopes::from("a \"b") }.answer();
        let challenge = "Bearer error=\"insufficient_scope\", scope=\"a \\\"b\"";
        assert_eq!(shown(&scope), (403, Some(challenge), None, r#"{"detail":"Forbidden"}"#));
    }

    #[test]
    fn what_cannot_be_decided_says_when_to_come_again() {
        for (error, seconds) in [
            (api(503, Some("7")), "7"),
            (api(503, None), "5"),
            (api(429, Some("0")), "1"),
            (api(503, Some("99999999")), "3600"),
            (api(401, None), "5"),
        ] {
            let body = r#"{"detail":"Service Unavailable"}"#;
            assert_eq!(shown(&error.answer()), (503, None, Some(seconds), body));
            let verify = VerifyError::Unavailable(error.clone());
            assert_eq!(verify.retry_after(), error.retry_after());
            assert_eq!(shown(&verify.answer()), (503, None, Some(seconds), body));
            #[cfg(feature = "aauth")]
            for signed in [RequestError::Token(verify.clone()), RequestError::Service(error.clone())] {
                assert_eq!(signed.retry_after(), error.retry_after());
                assert_eq!(shown(&signed.answer()).2, Some(seconds));
            }
        }
        assert_eq!(whole_seconds(Duration::from_millis(1_001)), 2);
    }

    #[test]
    fn what_was_decided_and_what_is_wrong_here() {
        let denied = Decision::denied("x", "a reason");
        let answer = denied.refusal().unwrap();
        assert_eq!(shown(&answer), (403, None, None, r#"{"detail":"Forbidden"}"#));
        assert_eq!(shown(&denied.require().unwrap_err().answer()), shown(&answer));
        assert_eq!(shown(&api(403, None).answer()), shown(&answer));
        for error in [
            Error::Config(ConfigError::Unavailable("x")),
            Error::Input(InputError::new("action", "is empty")),
        ] {
            assert_eq!(shown(&error.answer()), (500, None, None, r#"{"detail":"Internal Server Error"}"#));
        }
    }

    #[test]
    fn a_verifier_says_where_it_is_described() {
        let config = VerifierConfig::new("https://issuer.test", "https://api.test/v1").require_scopes("read");
        let verifier = Verifier::new(config.realm("a\"b")).unwrap();
        let answer = verifier.answer(&VerifyError::MissingToken);
        let challenge = "Bearer realm=\"a\\\"b\", scope=\"read\", resource_metadata=\"https://api.test/.well-known/oauth-protected-resource/v1\"";
        assert_eq!(shown(&answer), (401, Some(challenge), None, r#"{"detail":"Unauthorized"}"#));
        let down = VerifyError::Unavailable(api(503, Some("9")));
        assert_eq!(shown(&verifier.answer(&down)).2, Some("9"));
    }
}
