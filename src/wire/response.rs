//! Responses as values, and the one fork between success and failure.

use std::fmt;

use http::header::{HeaderMap, HeaderName};
use http::{StatusCode, Uri};
use serde_json::Value;
use zeroize::Zeroizing;

use super::shown::names;
use crate::error::{ApiError, Error, ProtocolError, ProtocolFault, Redactor};
use crate::json::{self, Fields};
use crate::secret::Secret;
use crate::time::Timestamp;

/// One HTTP response, whole: a transport never hands over a part of one.
///
/// `Debug` shows the status, the names of the headers and the length of the body.
#[derive(Clone)]
pub struct Response {
    status: StatusCode,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
    received: Option<Timestamp>,
    secrets: Vec<Secret>,
    url: Option<Uri>,
}

impl Response {
    /// A response with status, headers and whole body.
    pub fn new(status: StatusCode, headers: HeaderMap, body: impl Into<Vec<u8>>) -> Self {
        let body = Zeroizing::new(body.into());
        Response { status, headers, body, received: None, secrets: Vec::new(), url: None }
    }

    /// Sets when it arrived, for dates in its headers. The session does it.
    #[inline]
    pub fn received_at(mut self, at: Timestamp) -> Self {
        self.received = Some(at);
        self
    }

    /// Names the secrets of its request, so that an echo of them is cut out of the errors made from it.
    #[inline]
    pub(crate) fn answering(mut self, secrets: Vec<Secret>) -> Self {
        self.secrets = secrets;
        self
    }

    pub(crate) fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// Says which URL it answers, for what must be of the same origin. The session does it.
    pub fn from_url(mut self, url: Uri) -> Self {
        self.url = Some(url);
        self
    }

    /// The URL that it answers, if the driver said so.
    pub fn url(&self) -> Option<&Uri> {
        self.url.as_ref()
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The first value of a header, if it is plain text.
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body. It may hold secrets.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text, with anything that is not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// When it arrived, if the driver said so.
    pub fn received(&self) -> Option<Timestamp> {
        self.received
    }

    /// The body read as JSON into a type of yours, whatever the status.
    ///
    /// # Errors
    /// [`Error::Protocol`] if it is not JSON or does not fit; it says where, what is there and what is wanted, never a value.
    ///
    /// ```
    /// use lumoauth::embed::wire::Response;
    /// use lumoauth::http::{HeaderMap, StatusCode};
    ///
    /// #[derive(Debug, serde::Deserialize)]
    /// struct Item {
    ///     price: u64,
    /// }
    /// let answer = Response::new(StatusCode::OK, HeaderMap::new(), br#"[{"price":1},{"price":"2"}]"#.to_vec());
    /// let error = answer.json::<Vec<Item>>().unwrap_err();
    /// assert!(error.to_string().contains("at `[1].price` there is a text, not u64"), "{error}");
    /// ```
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        let value = json::parse(&self.body).map_err(|fault| self.fault("response", fault))?;
        json::fit(&value).map_err(|fault| self.fault("response", fault))
    }

    /// Itself if the status is a success.
    ///
    /// # Errors
    /// [`Error::Api`] for any status that is not 2xx, [`Error::Protocol`] for a redirect.
    pub fn error_for_status(self) -> Result<Response, Error> {
        succeeded("response", &self)?;
        Ok(self)
    }

    pub(super) fn fault(&self, operation: &'static str, fault: ProtocolFault) -> Error {
        let error = ProtocolError::new(operation, self.status.as_u16(), fault);
        Error::Protocol(error).redacted(&Redactor::new(&self.secrets))
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Response { status, headers, body, received, secrets: _, url: _ } = self;
        f.debug_struct("Response")
            .field("status", &status.as_u16())
            .field("headers", &names(headers))
            .field("body_bytes", &body.len())
            .field("received", received)
            .finish()
    }
}

/// The fork: a 2xx answer is a success, a 3xx a fault of protocol, everything else a refusal.
///
/// # Errors
/// [`Error::Api`] for a refusal, [`Error::Protocol`] for a redirect.
pub fn succeeded(operation: &'static str, response: &Response) -> Result<(), Error> {
    let status = response.status;
    if status.is_success() {
        Ok(())
    } else if status.is_redirection() {
        Err(response.fault(operation, ProtocolFault::Redirect))
    } else if status.is_informational() {
        Err(response.fault(operation, ProtocolFault::UnexpectedStatus))
    } else {
        Err(Error::Api(ApiError::read(operation, response)).redacted(&Redactor::new(&response.secrets)))
    }
}

/// A success of which nothing has to be read. One that reports a refusal is a refusal, whatever its status (`docs/wire.md`, E-success).
///
/// # Errors
/// As of [`succeeded`].
pub(crate) fn done(operation: &'static str, response: &Response) -> Result<(), Error> {
    succeeded(operation, response)?;
    let Ok(Value::Object(map)) = json::parse(&response.body) else { return Ok(()) };
    let refused = match map.get("error") {
        Some(Value::String(code)) => !code.is_empty(),
        Some(Value::Bool(refused)) => *refused,
        _ => false,
    };
    if refused || map.get("success") == Some(&Value::Bool(false)) {
        let error = Error::Api(ApiError::read(operation, response));
        return Err(error.redacted(&Redactor::new(&response.secrets)));
    }
    Ok(())
}

/// Reads an answer: the fields of its JSON object, or the error it is. Every operation's response half starts here.
///
/// # Errors
/// [`Error::Api`] for a refusal, [`Error::Protocol`] for a redirect or a body that is not one JSON object.
pub fn read(operation: &'static str, response: &Response) -> Result<Fields, Error> {
    succeeded(operation, response)?;
    match json::parse(&response.body) {
        Ok(Value::Object(map)) => Ok(Fields::new(operation, response.status.as_u16(), map)),
        Ok(other) => {
            let found = json::kind(&other);
            let expected = "an object";
            Err(response.fault(operation, ProtocolFault::Mistyped { field: json::BODY, expected, found }))
        }
        Err(fault) => Err(response.fault(operation, fault)),
    }
}
