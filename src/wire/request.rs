//! Requests as values.

use std::fmt;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};
use serde_json::Value;
use zeroize::Zeroizing;

use super::form::Form;
use super::limits::Limits;
use super::shown::{names, without_query};
use crate::error::InputError;
use crate::secret::Secret;

/// Where an API key travels.
pub(crate) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Headers that a request has room for from the start.
const HEADERS: usize = 6;

/// One HTTP request, whole, with its limits. Send it with anything.
///
/// `Debug` shows the method, the URL without its query, and the names of the headers: never a value, never the body.
#[derive(Clone)]
pub struct Request(pub(super) Box<Parts>);

/// Behind one pointer: a request changes hands a dozen times on its way.
#[derive(Clone)]
pub(super) struct Parts {
    method: Method,
    pub(super) url: Uri,
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
