//! What the engine gives back, and the envelopes that refusals come in (`docs/wire.md`, envelopes A to F).

use std::time::Duration;

use http::StatusCode;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, PRAGMA, WWW_AUTHENTICATE,
};
use serde_json::{Value, json};

use crate::wire::Response;

/// The emulator's answer: the response, and what the transport around it must do with it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reply {
    /// The whole response.
    pub response: Response,
    /// A fault that was ordered for this request, as far as it is the transport's to play.
    pub fault: Option<Fault>,
}

/// What the transport must do to the response. First the delay, then the cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Wait this long before the first byte.
    pub delay: Duration,
    /// Where the connection breaks, if it does.
    pub cut: Option<Cut>,
}

/// Where a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cut {
    /// Before the request was sent: the emulator has not seen it. Over HTTP this is a reset all the same, since a server
    /// cannot take back that it was reached.
    NotSent,
    /// After the request was worked on, before the first byte of the response: a connection reset.
    Reset,
    /// After this many bytes of the body, with the whole length announced.
    Truncate(usize),
}

/// A response in the making. Handlers give one back, for success and for refusal. It may hold a token, so no `Debug`.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// JSON that nobody may cache.
    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        Answer {
            status,
            headers: vec![
                (CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ],
            body: body.to_string().into_bytes(),
        }
    }

    /// Metadata, which may be kept for an hour.
    pub(crate) fn cacheable(body: &Value) -> Self {
        Answer::json(StatusCode::OK, body)
            .with(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"))
    }

    /// Nothing but a status, and not for caches.
    pub(crate) fn empty(status: StatusCode) -> Self {
        let headers = vec![(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        Answer { status, headers, body: Vec::new() }
    }

    /// 200 with JSON.
    pub(crate) fn ok(body: &Value) -> Self {
        Answer::json(StatusCode::OK, body)
    }

    /// Envelope A (RFC 6749 section 5.2): OAuth routes.
    pub(crate) fn oauth(status: StatusCode, code: &str, description: &str) -> Self {
        let uri = format!("https://docs.lumoauth.com/errors/{code}");
        Answer::json(status, &json!({"error": code, "error_description": description, "error_uri": uri}))
    }

    /// Envelope A with status 400.
    pub(crate) fn bad_oauth(code: &str, description: &str) -> Self {
        Answer::oauth(StatusCode::BAD_REQUEST, code, description)
    }

    /// Envelope B: everything beside OAuth.
    pub(crate) fn plain(status: StatusCode, code: &str, message: &str) -> Self {
        let body = json!({"error": true, "message": message, "status": status.as_u16(), "code": code});
        Answer::json(status, &body)
    }

    /// Envelope B with status 400.
    pub(crate) fn bad(message: &str) -> Self {
        Answer::plain(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// Envelope C: a scope or capability is missing.
    pub(crate) fn missing_scope(required: &str, granted: &[String]) -> Self {
        let body = json!({
            "error": "forbidden",
            "message": format!("Insufficient scope: {required}"),
            "status": 403,
            "details": {"required_scopes": [required], "granted_scopes": granted},
        });
        Answer::json(StatusCode::FORBIDDEN, &body)
    }

    /// Envelope E: permissions, relations and policies.
    pub(crate) fn authz(status: StatusCode, code: &str, problem: &str) -> Self {
        Answer::json(status, &json!({"error": problem, "code": code}))
    }

    /// Envelope D: the tenant is unknown.
    pub(crate) fn invalid_tenant() -> Self {
        let body = json!({"error": "invalid_tenant", "message": "There is no such tenant"});
        Answer::json(StatusCode::NOT_FOUND, &body)
    }

    /// Envelope F: too many requests.
    pub(crate) fn too_many_requests() -> Self {
        let body = json!({"error": "too_many_requests", "error_description": "Rate limit exceeded"});
        Answer::json(StatusCode::TOO_MANY_REQUESTS, &body)
    }

    /// 405 with the methods that the route takes (RFC 9110 section 15.5.6).
    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        Answer::plain(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "The method is not allowed here")
            .with(ALLOW, HeaderValue::from_static(allow))
    }

    /// What a server says that a test ordered to fail with this status.
    pub(crate) fn ordered(status: StatusCode) -> Self {
        match status.as_u16() {
            429 => Answer::too_many_requests(),
            401 => Answer::oauth(status, "invalid_token", "The access token is not valid")
                .challenge("Bearer error=\"invalid_token\""),
            403 => Answer::oauth(status, "access_denied", "Refused on demand"),
            404 => Answer::plain(status, "resource_not_found", "Not found, on demand"),
            503 => Answer::oauth(status, "temporarily_unavailable", "Unavailable on demand"),
            500..=599 => Answer::oauth(status, "server_error", "Failed on demand"),
            400..=499 => Answer::oauth(status, "invalid_request", "Refused on demand"),
            _ => Answer::json(status, &json!({})),
        }
    }

    /// Adds a header, in place of any of the same name.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.retain(|(own, _)| *own != name);
        self.headers.push((name, value));
        self
    }

    /// Adds `Pragma: no-cache`, which token answers carry for old caches (RFC 6749 section 5.1).
    pub(crate) fn no_cache(self) -> Self {
        self.with(PRAGMA, HeaderValue::from_static("no-cache"))
    }

    /// Adds `WWW-Authenticate`. The texts are the emulator's own, so they always fit into a header.
    pub(crate) fn challenge(self, challenge: &str) -> Self {
        match HeaderValue::from_str(challenge) {
            Ok(value) => self.with(WWW_AUTHENTICATE, value),
            Err(_) => self,
        }
    }

    pub(crate) fn into_response(self) -> Response {
        Response::new(self.status, self.headers.into_iter().collect::<HeaderMap>(), self.body)
    }
}
