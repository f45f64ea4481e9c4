//! The service's refusals, as one type; `wire` reads them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::redactor::{Redactor, texts, with_texts};
use super::text::inert;
use crate::time::Timestamp;

/// A refusal or failure that the service put into words. Cheap to clone.
///
/// What the service wrote is shown escaped and cut, with the request's own secrets taken out of it.
#[derive(Clone)]
pub struct ApiError(Arc<Refusal>);

/// What an answer says of a refusal, as it was read.
#[derive(Clone, Default)]
pub(crate) struct Refusal {
    pub(crate) operation: &'static str,
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) uri: Option<String>,
    pub(crate) details: Option<Value>,
    pub(crate) required_scopes: Vec<String>,
    pub(crate) granted_scopes: Vec<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) rate_limit: Option<RateLimit>,
}

impl Refusal {
    /// Envelopes A to F. The message is the first text of the four keys, the code is a text or nothing.
    pub(crate) fn fill(&mut self, map: &Map<String, Value>) {
        let text = |key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
        self.description =
            ["error_description", "message", "detail", "error"].iter().find_map(|key| text(key));
        self.code = text("code").or_else(|| text("error"));
        self.uri = text("error_uri");
        self.details = map.get("details").filter(|details| !details.is_null()).cloned();
        let scopes = |key: &str| {
            let listed = map.get("details").and_then(|details| details.get(key)).and_then(Value::as_array);
            listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        self.required_scopes = scopes("required_scopes");
        self.granted_scopes = scopes("granted_scopes");
    }
}

/// The `X-RateLimit-*` headers (`docs/wire.md`, E-rate). A hint, never a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    /// Requests allowed in the window.
    pub limit: Option<u64>,
    /// Requests left in the window.
    pub remaining: Option<u64>,
    /// When the window ends, by the service's clock.
    pub reset: Option<Timestamp>,
}

impl ApiError {
    pub(crate) fn of(refusal: Refusal) -> Self {
        ApiError(Arc::new(refusal))
    }

    /// The operation that was refused.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// The service's code (`code`, else `error`), as it was written.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// True if the service's code is this one, whatever its case.
    pub fn has_code(&self, code: &str) -> bool {
        self.code().is_some_and(|own| own.eq_ignore_ascii_case(code))
    }

    /// What the service says in words, as it was written. Show the error itself to people: it escapes this.
    pub fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// `error_uri` (RFC 6749 section 5.2): a page about the error. For people only; nothing here opens it.
    pub fn uri(&self) -> Option<&str> {
        self.0.uri.as_deref()
    }

    /// The `details` of the answer, if it has any.
    pub fn details(&self) -> Option<&Value> {
        self.0.details.as_ref()
    }

    /// The scopes that the call would have needed, if the service lists them.
    pub fn required_scopes(&self) -> &[String] {
        &self.0.required_scopes
    }

    /// The scopes that the credential has, if the service lists them.
    pub fn granted_scopes(&self) -> &[String] {
        &self.0.granted_scopes
    }

    /// How long to wait before trying again (`Retry-After`: seconds, decimals or a date, RFC 9110 section 10.2.3).
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The rate limit's state, if the answer carries it.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.0.rate_limit
    }

    /// Status 401, or a refusal of the client's credentials under another status.
    pub fn is_unauthorized(&self) -> bool {
        self.status() == 401
            || ["invalid_client", "unauthorized_client", "invalid_token"]
                .iter()
                .any(|code| self.has_code(code))
    }

    /// A token that was traded is not taken. RFC 6749 section 5.2 has `invalid_grant` for it and RFC 8693 section 2.2.2
    /// `invalid_request`; some services say `invalid_token`, or 401 and no more.
    pub(crate) fn refuses_traded_token(&self) -> bool {
        let named = ["invalid_grant", "invalid_request", "invalid_token"];
        (self.status() < 500 && named.iter().any(|code| self.has_code(code)))
            || (self.status() == 401 && self.code().is_none())
    }

    /// The agent's budget is used up (429 `budget_exceeded`).
    pub fn is_budget_exceeded(&self) -> bool {
        self.has_code("budget_exceeded")
    }

    pub(super) fn redacted(self, redactor: &Redactor) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        let mut details = Vec::new();
        inner.details.iter().for_each(|value| texts(value, &mut details));
        let alone = [&mut inner.code, &mut inner.description, &mut inner.uri].into_iter().flatten();
        let scopes = inner.required_scopes.iter_mut().chain(&mut inner.granted_scopes);
        redactor.clean_all(alone.chain(scopes).chain(&mut details));
        inner.details = inner.details.take().map(|value| with_texts(value, &mut details.into_iter()));
        ApiError(Arc::new(inner))
    }
}

impl fmt::Display for ApiError {
    /// `agents.ask: invalid_request (HTTP 400): Missing required field: action`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { operation, status, code, description, .. } = &*self.0;
        write!(f, "{operation}: ")?;
        match code {
            Some(code) => write!(f, "{} (HTTP {status})", inert(code))?,
            None => write!(f, "HTTP {status}")?,
        }
        match description {
            Some(description) if Some(description) != code.as_ref() => write!(f, ": {}", inert(description)),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal {
            operation,
            status,
            code,
            description,
            uri,
            details,
            required_scopes,
            granted_scopes,
            retry_after,
            rate_limit,
        } = &*self.0;
        f.debug_struct("ApiError")
            .field("operation", operation)
            .field("status", status)
            .field("code", &code.as_deref().map(inert))
            .field("description", &description.as_deref().map(inert))
            .field("uri", &uri.as_deref().map(inert))
            .field("details", &details.as_ref().map(|details| inert(&details.to_string())))
            .field("required_scopes", required_scopes)
            .field("granted_scopes", granted_scopes)
            .field("retry_after", retry_after)
            .field("rate_limit", rate_limit)
            .finish()
    }
}

impl std::error::Error for ApiError {}
