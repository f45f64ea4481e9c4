//! The layer that verifies signed requests (AAuth).

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, Uri};
use http_body::Body;
use http_body_util::Full;
use tower_layer::Layer;
use tower_service::Service;

use super::body::{Answering, Passed, passed, read_whole, refused};
use crate::client::asynchronous::aauth::Verifier;
use crate::error::Whole;
use crate::profile::{IncomingMessage, RequestError, VerifiedRequest};
use crate::scopes::Scopes;
use crate::service::Answer;

/// Lets requests through that an agent has signed and that were not sent before, and puts the [`VerifiedRequest`] into their extensions.
///
/// The body is read whole before its digest is checked, no further than the verifier's bound
/// ([`longest_body`](crate::aauth::VerifierConfig::longest_body), 1 MiB if not set), and not at all where there is no signature. What stands
/// behind gets the bytes that were signed.
///
/// The signature is over the path as it was received. Frameworks that cut a prefix off nested routes keep the original elsewhere: put the
/// layer in front of the nesting, or say where it is ([`Signed::original_uri`]; [`crate::axum::signed`] knows axum's).
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct Signed {
    verifier: Verifier,
    scopes: Scopes,
    original: fn(&Parts) -> Option<Uri>,
}

impl Signed {
    /// Requests that this verifier takes.
    pub fn new(verifier: Verifier) -> Self {
        Signed { verifier, scopes: Scopes::none(), original: |_| None }
    }

    /// Scopes that the token must have here, beside those that the verifier wants of every request.
    pub fn require_scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// Where the URI is as it was received, if a framework changes it. None: it was not changed.
    pub fn original_uri(mut self, original: fn(&Parts) -> Option<Uri>) -> Self {
        self.original = original;
        self
    }

    async fn check(&self, parts: &Parts, body: &Bytes) -> Result<VerifiedRequest, RequestError> {
        let uri = (self.original)(parts).unwrap_or_else(|| parts.uri.clone());
        let path_and_query = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let message =
            IncomingMessage { method: &parts.method, path_and_query, headers: &parts.headers, body };
        let request = self.verifier.verify_request(message).await?;
        request.require_scopes(&self.scopes)?;
        Ok(request)
    }

    fn answer(&self, error: RequestError) -> Answer {
        log::debug!("a signed request is refused: {}", Whole(&error));
        let mut answer = self.verifier.verifier().answer(&error);
        answer.extensions_mut().insert(error);
        answer
    }
}

impl<S> Layer<S> for Signed {
    type Service = SignedService<S>;

    fn layer(&self, inner: S) -> SignedService<S> {
        SignedService { signed: Arc::new(self.clone()), inner }
    }
}

/// A service behind [`Signed`].
#[derive(Clone, Debug)]
pub struct SignedService<S> {
    signed: Arc<Signed>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for SignedService<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Passed<R>>;
    type Error = S::Error;
    type Future = Answering<R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that is ready is the one that is called.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let signed = Arc::clone(&self.signed);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            // Without a signature the body does not matter.
            let body = match parts.headers.contains_key("signature") {
                true => {
                    match read_whole(&parts.headers, body, signed.verifier.verifier().longest_body()).await {
                        Ok(body) => body,
                        Err(answer) => return Ok(refused(*answer)),
                    }
                }
                false => Bytes::new(),
            };
            match signed.check(&parts, &body).await {
                Ok(request) => parts.extensions.insert(request),
                Err(error) => return Ok(refused(signed.answer(error))),
            };
            inner.call(Request::from_parts(parts, Full::new(body))).await.map(passed)
        })
    }
}
