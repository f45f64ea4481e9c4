//! Requests and responses as values, and the one fork between success and failure.

mod page;
mod refusal;

pub(crate) use refusal::sent_at;

use std::fmt;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::error::{ApiError, Error, InputError, ProtocolError, ProtocolFault, Redactor};
use crate::json::{self, Fields};
use crate::secret::Secret;
use crate::time::Timestamp;

pub use page::Page;
pub(crate) use page::{page, read_page};

/// What one attempt may take. A transport keeps to it; the session sets it for every attempt anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest time until the connection stands: TCP and TLS together. Looking up the name has as long again.
    pub connect: Duration,
    /// The longest time for the whole attempt, the last byte of the answer included.
    pub total: Duration,
    /// The largest body that is read, in bytes, after any decoding.
    pub body: usize,
    /// The largest head of an answer (status line and headers), in bytes.
    pub head: usize,
    /// True if the attempt must use a connection of its own: it must not fail because a kept one went stale.
    pub fresh_connection: bool,
    /// True if an answer may end with its connection, without having said before where it ends. Over TLS the other side must have
    /// said that it ends it; over plain http a server that died looks like one that has finished.
    pub until_closed: bool,
}

impl Default for Limits {
    /// 3.1 s to connect, 5 s in all, 64 KiB of body, 16 KiB of head, a kept connection if there is one.
    fn default() -> Self {
        Limits {
            connect: Duration::from_millis(3100),
            total: Duration::from_secs(5),
            body: 64 * 1024,
            head: 16 * 1024,
            fresh_connection: false,
            until_closed: false,
        }
    }
}

/// Where an API key travels.
pub(crate) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Headers that a request has room for from the start.
const HEADERS: usize = 6;

/// One HTTP request, whole, with its limits. Send it with anything.
///
/// `Debug` shows the method, the URL without its query, and the names of the headers: never a value, never the body.
#[derive(Clone)]
pub struct Request(Box<Parts>);

/// Behind one pointer: a request changes hands a dozen times on its way.
#[derive(Clone)]
struct Parts {
    method: Method,
    url: Uri,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
    limits: Limits,
    secrets: Vec<Secret>,
    /// Its path has something in it that must not be shown.
    secret_path: bool,
}

impl Request {
    /// A request without body. Make the URL with [`crate::Site::url`] or [`crate::Site::join`].
    pub fn new(method: Method, url: Uri) -> Self {
        Request(Box::new(Parts {
            method,
            url,
            // Room for what is added on the way: growing is dearer than space.
            headers: HeaderMap::with_capacity(HEADERS),
            body: Zeroizing::new(Vec::new()),
            limits: Limits::default(),
            secrets: Vec::new(),
            secret_path: false,
        }))
        .header(http::header::ACCEPT, HeaderValue::from_static("application/json"))
        // Nothing here decodes, and what some server or proxy encodes unasked could not be read.
        .header(http::header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))
    }

    /// Sets a header, in place of any of the same name.
    #[inline]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// Sets a JSON body.
    pub fn json(self, value: &Value) -> Self {
        self.bytes("application/json", value.to_string())
    }

    /// Sets a form body (`application/x-www-form-urlencoded`).
    pub fn form(mut self, form: Form) -> Self {
        let Form { encoded, secrets } = form;
        self.0.secrets.extend(secrets);
        let mut request = self.bytes("application/x-www-form-urlencoded", Vec::new());
        request.0.body = encoded;
        request
    }

    /// Sets a body of any type.
    #[inline]
    pub fn bytes(mut self, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        self.0.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.0.body = Zeroizing::new(body.into());
        self
    }

    /// Names a secret that this request carries, so that an echo of it in the answer is cut out of errors.
    #[inline]
    pub fn carries(mut self, secret: &Secret) -> Self {
        self.0.secrets.push(secret.clone());
        self
    }

    /// Says that its path has something in it that must not be shown: `Debug` leaves the path out.
    pub fn with_secret_path(mut self) -> Self {
        self.0.secret_path = true;
        self
    }

    /// Adds `Authorization: <scheme> <credentials>`, marked as sensitive.
    #[inline]
    pub fn authorization(mut self, scheme: &str, credentials: &Secret) -> Result<Self, InputError> {
        let credential = credentials.expose();
        let length = scheme.len().saturating_add(credential.len()).saturating_add(1);
        let mut value = String::with_capacity(length);
        for part in [scheme, " ", credential] {
            value.push_str(part);
        }
        // Taken over, not copied: what leaves is not wiped in any case.
        let mut value = HeaderValue::try_from(value).map_err(|_| {
            InputError::new("credential", "has a character that no header can carry (a line break?)")
        })?;
        value.set_sensitive(true);
        self.0.headers.insert(AUTHORIZATION, value);
        self.0.headers.remove(API_KEY);
        Ok(self.carries(credentials))
    }

    /// Adds `X-API-Key`, marked as sensitive, in place of any `Authorization`: the service fails if both are there.
    pub fn api_key(mut self, key: &Secret) -> Result<Self, InputError> {
        let problem = "has a character that no header can carry (a line break?)";
        let mut value =
            HeaderValue::from_str(key.expose()).map_err(|_| InputError::new("api_key", problem))?;
        value.set_sensitive(true);
        self.0.headers.insert(API_KEY, value);
        self.0.headers.remove(AUTHORIZATION);
        Ok(self.carries(key))
    }

    /// Adds more fields behind a form body.
    pub(crate) fn append_form(mut self, form: &Form) -> Self {
        if !self.0.body.is_empty() && !form.encoded.is_empty() {
            self.0.body.push(b'&');
        }
        self.0.body.extend_from_slice(&form.encoded);
        self.0.secrets.extend(form.secrets.iter().cloned());
        self
    }

    /// Sets the limits of the attempt.
    #[inline]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits;
        self
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.0.method
    }

    /// The whole URL.
    pub fn url(&self) -> &Uri {
        &self.0.url
    }

    /// The headers. Those with a credential are marked as sensitive.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The body; empty if there is none. It may hold secrets.
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }

    /// What this attempt may take.
    pub fn attempt_limits(&self) -> &Limits {
        &self.0.limits
    }

    /// The same request with this URL and these changes of its headers: its signed form.
    pub(crate) fn changed<E>(
        mut self,
        method: Method,
        url: Uri,
        change: impl FnOnce(&mut HeaderMap) -> Result<(), E>,
    ) -> Result<Self, E> {
        self.0.method = method;
        self.0.url = url;
        change(&mut self.0.headers)?;
        Ok(self)
    }

    /// Method, URL, headers and body, nothing copied; the body is wiped when it is dropped.
    pub(crate) fn into_parts(self) -> (Method, Uri, HeaderMap, Zeroizing<Vec<u8>>) {
        let Parts { method, url, headers, body, .. } = *self.0;
        (method, url, headers, body)
    }

    /// Head and body apart, nothing copied; the body is wiped when it is dropped.
    pub(crate) fn into_head_and_body(self) -> (http::Request<()>, Zeroizing<Vec<u8>>) {
        let (method, url, headers, body) = self.into_parts();
        let mut head = http::Request::new(());
        *head.method_mut() = method;
        *head.uri_mut() = url;
        *head.headers_mut() = headers;
        (head, body)
    }

    /// What it carries that must not be shown: for the session, which keeps it until the answer is there.
    pub(crate) fn take_secrets(&mut self) -> Vec<Secret> {
        std::mem::take(&mut self.0.secrets)
    }
}

impl From<Request> for http::Request<Vec<u8>> {
    /// For stacks that speak the `http` crate. The limits do not travel along: read them first.
    fn from(request: Request) -> Self {
        let (head, body) = request.into_head_and_body();
        head.map(|()| body.to_vec())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { method, url, headers, body, limits, secrets: _, secret_path } = &*self.0;
        let shown = without_query(url);
        let shown = if *secret_path { shown.replacen(url.path(), "/…", 1) } else { shown };
        f.debug_struct("Request")
            .field("method", method)
            .field("url", &shown)
            .field("headers", &names(headers))
            .field("body_bytes", &body.len())
            .field("limits", limits)
            .finish()
    }
}

/// A form body under construction (`application/x-www-form-urlencoded`).
#[derive(Clone, Default)]
pub struct Form {
    encoded: Zeroizing<Vec<u8>>,
    secrets: Vec<Secret>,
}

impl Form {
    /// An empty form.
    pub fn new() -> Self {
        Form::default()
    }

    /// Adds a field.
    pub fn field(mut self, name: &str, value: &str) -> Self {
        let mut pair = form_urlencoded::Serializer::new(String::new());
        pair.append_pair(name, value);
        let pair = Zeroizing::new(pair.finish());
        if !self.encoded.is_empty() {
            self.encoded.push(b'&');
        }
        self.encoded.extend_from_slice(pair.as_bytes());
        self
    }

    /// Adds a field if there is a value.
    pub fn optional(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// Adds a field whose value must not be shown.
    pub fn secret(mut self, name: &str, value: &Secret) -> Self {
        self.secrets.push(value.clone());
        self.field(name, value.expose())
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Form { encoded, secrets: _ } = self;
        write!(f, "Form({} bytes)", encoded.len())
    }
}

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

    fn fault(&self, operation: &'static str, fault: ProtocolFault) -> Error {
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
            Err(response.fault(operation, ProtocolFault::Mistyped { field: "the body", expected, found }))
        }
        Err(fault) => Err(response.fault(operation, fault)),
    }
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    headers.keys().map(HeaderName::as_str).collect()
}

/// The URL for people: its query may carry what is nobody's business.
pub(crate) fn without_query(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or_default();
    let host = url.host().unwrap_or_default();
    let port = url.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    let query = if url.query().is_some() { "?…" } else { "" };
    format!("{scheme}://{host}{port}{}{query}", url.path())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn url() -> Uri {
        "https://app.lumoauth.dev/t/acme/api/v1/oauth/token?code=canary".parse().unwrap()
    }

    #[test]
    fn a_form_is_encoded_and_appended() {
        let request = Request::new(Method::POST, url())
            .form(Form::new().field("scope", "a b").optional("x", None).field("y", "ä&=+%"))
            .append_form(&Form::new().secret("client_secret", &Secret::new("s p")));
        assert_eq!(request.body(), b"scope=a+b&y=%C3%A4%26%3D%2B%25&client_secret=s+p");
        assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
    }

    #[test]
    fn debug_shows_no_value() {
        let request = Request::new(Method::POST, url())
            .form(Form::new().secret("client_secret", &Secret::new("canary-canary")))
            .authorization("Bearer", &Secret::new("canary-token"))
            .unwrap();
        let shown = format!("{request:?} {:?}", Form::new().field("a", "canary"));
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("/t/acme/api/v1/oauth/token?…"), "{shown}");
        let response = Response::new(StatusCode::OK, request.headers().clone(), "canary");
        assert!(!format!("{response:?}").contains("canary"));
    }

    #[test]
    fn a_credential_with_a_line_break_is_refused() {
        let error =
            Request::new(Method::GET, url()).authorization("Bearer", &Secret::new("a\r\nX: y")).unwrap_err();
        assert_eq!(error.argument(), "credential");
    }

    #[test]
    fn the_fork() {
        let answer = |status: u16, body: &str| {
            Response::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body.as_bytes())
        };
        assert!(read("x", &answer(200, "{}")).is_ok());
        assert!(matches!(read("x", &answer(200, "[]")), Err(Error::Protocol(_))));
        assert!(matches!(read("x", &answer(200, "<html>")), Err(Error::Protocol(_))));
        assert!(matches!(read("x", &answer(302, "{}")), Err(Error::Protocol(_))));
        let refused = read("x", &answer(403, &json!({"error": "nope"}).to_string())).unwrap_err();
        assert_eq!(refused.to_string(), "x: nope (HTTP 403)");
        assert!(refused.is_forbidden());
    }
}
