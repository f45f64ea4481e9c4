//! Any request of yours with the agent's credential, its answer handed back as it came.

use std::fmt;
use std::time::Duration;

use http::Method;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;

use crate::error::{Error, InputError};
use crate::operation::{Answer, Auth, Callers, Context, Effect, Operation, Terms};
use crate::origin::Origin;
use crate::token::AccessToken;
use crate::wire::{Request, Response};

/// A request of your own: any method, path, query, headers and body. The agent's token travels with it, and the answer
/// comes back unmapped, whatever its status; read it with [`Response::json`].
///
/// | part | | |
/// |---|---|---|
/// | method, path | REQUIRED | `/x` is joined to the base URL, `x` to the tenant's API base, an absolute URL must be on the service's origin or on one allowed when the client was built |
/// | query, headers, body | OPTIONAL | |
///
/// GET and HEAD are repeated after a failure; PUT, DELETE and OPTIONS too; everything else only if nothing was sent.
///
/// `Debug` shows the method, the path without its query, and the names of the headers: never a value, never the body.
#[derive(Clone)]
pub struct ApiRequest {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
    total: Option<Duration>,
    body_limit: usize,
    until_closed: bool,
    effect: Effect,
    fault: Option<InputError>,
    token: Option<AccessToken>,
    resource: Option<Origin>,
}

impl ApiRequest {
    /// A request with this method and path.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        let effect = if method.is_safe() {
            Effect::Read
        } else if method.is_idempotent() {
            Effect::Repeatable
        } else {
            Effect::Once
        };
        ApiRequest {
            method,
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
            total: None,
            body_limit: 10 * 1024 * 1024,
            until_closed: false,
            effect,
            fault: None,
            token: None,
            resource: None,
        }
    }

    /// A GET.
    pub fn get(path: impl Into<String>) -> Self {
        ApiRequest::new(Method::GET, path)
    }

    /// A POST.
    pub fn post(path: impl Into<String>) -> Self {
        ApiRequest::new(Method::POST, path)
    }

    /// A PUT.
    pub fn put(path: impl Into<String>) -> Self {
        ApiRequest::new(Method::PUT, path)
    }

    /// A PATCH.
    pub fn patch(path: impl Into<String>) -> Self {
        ApiRequest::new(Method::PATCH, path)
    }

    /// A DELETE.
    pub fn delete(path: impl Into<String>) -> Self {
        ApiRequest::new(Method::DELETE, path)
    }

    /// Adds a pair to the query.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Adds a header. A wrong name or value, and `Authorization` and `X-API-Key` (the client's own), are reported when the request
    /// is run.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(_)) if name == http::header::AUTHORIZATION || name == crate::wire::API_KEY => {
                let problem = "is the client's to set: one credential travels with a request";
                self.fault = Some(InputError::new("header", problem));
            }
            (Ok(name), Ok(_))
                if name == http::header::HOST
                    || name == http::header::CONTENT_LENGTH
                    || name == http::header::TRANSFER_ENCODING
                    || name == http::header::CONNECTION =>
            {
                self.fault = Some(InputError::new("header", "belongs to the connection, not to the request"));
            }
            (Ok(name), Ok(value)) => self.headers.push((name, value)),
            _ => self.fault = Some(InputError::new("header", "has a character that no header can carry")),
        }
        self
    }

    /// Sets a JSON body from any value.
    ///
    /// # Errors
    /// [`Error::Input`] if the value cannot be written as JSON.
    pub fn json(self, value: &impl Serialize) -> Result<Self, Error> {
        let body =
            serde_json::to_vec(value).map_err(|_| InputError::new("json", "cannot be written as JSON"))?;
        Ok(self.body("application/json", body))
    }

    /// Sets a body of any type.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.headers.retain(|(name, _)| name != CONTENT_TYPE);
        self.header(CONTENT_TYPE.as_str(), content_type)
    }

    /// The whole time it may take, in place of the client's setting; 30 s if neither is set. One attempt may take all
    /// of it.
    pub fn timeout(mut self, total: Duration) -> Self {
        self.total = Some(total);
        self
    }

    /// The largest answer in bytes, 10 MiB if not set.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Takes an answer that ends with its connection, as old servers send it: without a length and without chunks. It is an error
    /// if this is not set, because an answer that was cut off looks the same. Over TLS it does not, and is an error in any case;
    /// over plain http, which is for this machine alone, see to it yourself that the answer is whole.
    pub fn until_closed(mut self) -> Self {
        self.until_closed = true;
        self
    }

    /// Travels with this token instead of the agent's own. It is not renewed.
    pub fn token(mut self, token: AccessToken) -> Self {
        self.token = Some(token);
        self
    }

    /// The same request to a resource that the caller named: the empty path is the resource's own URL, `/x` is on its
    /// origin, an absolute URL must be.
    #[cfg_attr(not(any(feature = "blocking", feature = "async")), allow(dead_code))]
    pub(crate) fn at_resource(mut self, origin: &Origin, url: &http::Uri) -> Result<Self, InputError> {
        self.path = match crate::origin::absolute("path", &self.path) {
            _ if self.path.is_empty() => url.to_string(),
            Ok((own, url)) if own == *origin => url.to_string(),
            Ok(_) => return Err(InputError::new("path", "is on another origin than the resource's")),
            Err(_) if self.path.starts_with('/') && !self.path.starts_with("//") => {
                format!("{origin}{}", self.path)
            }
            Err(error) => return Err(error),
        };
        self.resource = Some(origin.clone());
        Ok(self)
    }

    /// Says that it may be repeated although its method does not: a POST that only searches, say.
    pub fn repeatable(mut self) -> Self {
        if self.effect == Effect::Once {
            self.effect = Effect::Repeatable;
        }
        self
    }
}

impl fmt::Debug for ApiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ApiRequest {
            method,
            path,
            query,
            headers,
            body,
            total,
            body_limit,
            until_closed,
            effect,
            fault,
            token,
            resource,
        } = self;
        let bare = path.split(['?', '#']).next().unwrap_or_default();
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("ApiRequest")
            .field("method", method)
            .field("path", &bare)
            .field("query_pairs", &query.len())
            .field("headers", &names)
            .field("body_bytes", &body.len())
            .field("total", total)
            .field("body_limit", body_limit)
            .field("until_closed", until_closed)
            .field("effect", effect)
            .field("fault", fault)
            .field("token", token)
            .field("resource", resource)
            .finish()
    }
}

impl Operation for ApiRequest {
    type Output = Response;

    fn terms(&self) -> Terms {
        let auth = self.token.clone().map_or(Auth::Bearer, Auth::Token);
        let total = self.total.unwrap_or(Duration::from_secs(30));
        let terms = Terms::new("request", self.effect, auth);
        let terms = terms.callers(Callers::ALL);
        let terms = terms.total(total).attempt(total).body_limit(self.body_limit);
        let terms = terms.named_origin(self.resource.clone());
        let terms = if self.until_closed { terms.until_closed() } else { terms };
        if self.total.is_some() { terms.own_times() } else { terms }
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone().into());
        }
        let mut path = self.path.clone();
        if !self.query.is_empty() {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(&self.query);
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(&query.finish());
        }
        let url = match crate::origin::absolute("path", &path) {
            // The session refuses origins that the caller did not allow.
            Ok((origin, url)) if &origin != context.site().origin() => url,
            _ => context.site().join(&path)?,
        };
        debug_assert!(Origin::of(&url).is_some());
        let mut request = Request::new(self.method.clone(), url);
        if !self.body.is_empty() {
            request = request.bytes("application/octet-stream", self.body.clone());
        }
        for (name, value) in &self.headers {
            request = request.header(name.clone(), value.clone());
        }
        Ok(request)
    }

    fn response(&self, response: &Response) -> Result<Answer<Response>, Error> {
        Ok(Answer::Done(response.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Site;

    fn built(operation: &ApiRequest) -> Result<Request, Error> {
        operation.request(&Context::new(&Site::tenant("acme").unwrap()))
    }

    #[test]
    fn paths_queries_and_bodies() {
        let request = built(&ApiRequest::get("/api/v1/documents?a=1").query("q", "x y&z")).unwrap();
        assert_eq!(request.url(), "https://app.lumoauth.dev/api/v1/documents?a=1&q=x+y%26z");
        let request = built(&ApiRequest::post("things").json(&serde_json::json!({"a": 1})).unwrap()).unwrap();
        assert_eq!(request.url(), "https://app.lumoauth.dev/t/acme/api/v1/things");
        assert_eq!(
            (request.body(), request.headers()[CONTENT_TYPE].to_str().unwrap()),
            (&br#"{"a":1}"#[..], "application/json")
        );
    }

    #[test]
    fn what_it_refuses() {
        for operation in [
            ApiRequest::get("/x").header("Authorization", "Bearer x"),
            ApiRequest::get("/x").header("X", "a\r\nY: b"),
            ApiRequest::get("/x").header("Transfer-Encoding", "chunked"),
            ApiRequest::get("//evil.test/x"),
            ApiRequest::get("/../x"),
            ApiRequest::get(""),
        ] {
            assert!(matches!(built(&operation), Err(Error::Input(_))), "{operation:?}");
        }
    }

    #[test]
    fn the_method_says_what_may_be_repeated() {
        let effect = |method: Method| ApiRequest::new(method, "/x").terms().effect;
        assert_eq!(effect(Method::GET), Effect::Read);
        assert_eq!(effect(Method::PUT), Effect::Repeatable);
        assert_eq!(effect(Method::PATCH), Effect::Once);
        assert_eq!(ApiRequest::post("/x").repeatable().terms().effect, Effect::Repeatable);
    }

    #[test]
    fn a_url_that_is_too_long_is_an_error_however_it_came_about() {
        let resource: http::Uri = "https://mcp.acme.test/x".parse().unwrap();
        let origin = Origin::of(&resource).unwrap();
        for length in [9_000, 70_000, 1_000_000] {
            let long = "x".repeat(length);
            for request in [
                ApiRequest::get(format!("/{long}")),
                ApiRequest::get(long.clone()),
                ApiRequest::get(format!("https://app.lumoauth.dev/{long}")),
                ApiRequest::get(format!("https://api.example/{long}")),
                ApiRequest::get("things").query("q", &long),
                ApiRequest::get(format!("/{long}")).at_resource(&origin, &resource).unwrap(),
            ] {
                assert!(matches!(built(&request), Err(Error::Input(_))), "{length}");
            }
        }
    }
}
