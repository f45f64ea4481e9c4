//! What a browser is answered: where to go, with which cookies, or why not.

use std::fmt;

use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION, REFERRER_POLICY,
    RETRY_AFTER, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, Response, StatusCode};
use serde_json::json;

use super::error::SignInError;
use super::user::User;
use crate::secret::Secret;
use crate::time::whole_seconds;

/// The answer to a request of a sign-in. Turn it into a response with [`Answer::into_response`], or look at it first.
#[must_use = "the browser waits for it"]
pub struct Answer {
    outcome: Outcome,
    cookies: Vec<HeaderValue>,
    is_page: bool,
    again: String,
}

#[derive(Debug)]
enum Outcome {
    Go(Secret, Option<Box<User>>),
    Refused(Box<SignInError>),
}

impl Answer {
    pub(crate) fn go(location: impl Into<Secret>) -> Self {
        let outcome = Outcome::Go(location.into(), None);
        Answer { outcome, cookies: Vec::new(), is_page: false, again: String::new() }
    }

    /// `again` is where a person begins anew.
    pub(crate) fn refused(error: impl Into<SignInError>, headers: &HeaderMap, again: &str) -> Self {
        let outcome = Outcome::Refused(Box::new(error.into()));
        let cookies = Vec::new();
        Answer { outcome, cookies, is_page: wants_page(headers), again: again.to_owned() }
    }

    pub(crate) fn with_user(mut self, user: User) -> Self {
        if let Outcome::Go(_, own) = &mut self.outcome {
            *own = Some(Box::new(user));
        }
        self
    }

    pub(crate) fn cookie(mut self, cookie: Option<HeaderValue>) -> Self {
        self.cookies.extend(cookie);
        self
    }

    /// Where the browser is sent, if it is sent anywhere. It may hold a code or a token: do not log it.
    pub fn location(&self) -> Option<&Secret> {
        match &self.outcome {
            Outcome::Go(location, _) => Some(location),
            Outcome::Refused(_) => None,
        }
    }

    /// Who has just signed in, if somebody has.
    pub fn user(&self) -> Option<&User> {
        match &self.outcome {
            Outcome::Go(_, user) => user.as_deref(),
            Outcome::Refused(_) => None,
        }
    }

    /// Why the browser is refused, if it is.
    pub fn error(&self) -> Option<&SignInError> {
        match &self.outcome {
            Outcome::Go(..) => None,
            Outcome::Refused(error) => Some(error),
        }
    }

    /// The cookies that the browser is to set, or to clear: values of `Set-Cookie`.
    pub fn cookies(&self) -> &[HeaderValue] {
        &self.cookies
    }

    /// The response: 303 with its place, or the status of the error with a line of JSON, and for browsers with a page of a few words.
    pub fn into_response(self) -> Response<String> {
        let Answer { outcome, cookies, is_page, again } = self;
        let mut response = match outcome {
            Outcome::Go(location, _) => see_other(&location),
            Outcome::Refused(error) => refusal(&error, is_page, &again),
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for cookie in cookies {
            headers.append(SET_COOKIE, cookie);
        }
        response
    }
}

/// Not its cookies: they open sessions.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Answer { outcome, cookies, is_page, again } = self;
        f.debug_struct("Answer")
            .field("outcome", outcome)
            .field("cookies", &cookies.len())
            .field("is_page", is_page)
            .field("again", again)
            .finish()
    }
}

/// GET, whatever the method was (RFC 9110 section 15.4.4), and nobody is told where the browser came from.
fn see_other(location: &Secret) -> Response<String> {
    let mut response = Response::new(String::new());
    match HeaderValue::from_str(location.expose()) {
        Ok(mut value) => {
            value.set_sensitive(true);
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(LOCATION, value);
        }
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// What everybody may know of an error.
fn refusal(error: &SignInError, is_page: bool, again: &str) -> Response<String> {
    let (body, kind) = if is_page {
        (page(error, again), "text/html; charset=utf-8")
    } else {
        let mut body = json!({"error": error.code()});
        if let (SignInError::InsufficientScope { missing }, Some(fields)) = (error, body.as_object_mut()) {
            let missing: Vec<&str> = missing.iter().collect();
            fields.insert("error_description".into(), json!(format!("Missing: {}", missing.join(", "))));
        }
        (body.to_string(), "application/json")
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_page {
        let policy = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'";
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    if let SignInError::Method { allowed } = error {
        headers.insert(ALLOW, HeaderValue::from_static(allowed));
    }
    if let (true, Some(pause)) = (error.is_temporary(), error.retry_after()) {
        headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(pause).max(1)));
    }
    response
}

/// A page of a few words. Nothing in it is anybody else's text: `again` is a path of the settings.
fn page(error: &SignInError, again: &str) -> String {
    let again = again.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Sign in</title>\n</head>\n\
         <body>\n<main>\n<h1>Sign in</h1>\n<p role=\"alert\">{}</p>\n<p><a href=\"{again}\">Sign in again</a></p>\n\
         </main>\n</body>\n</html>\n",
        error.words()
    )
}

/// True for a browser that shows what it gets to a person.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(http::header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    let mut kinds = accepts.flat_map(|accept| accept.split(','));
    kinds.any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/html")))
}
