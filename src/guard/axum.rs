//! axum: extractors for what the layers have found out, errors as answers, and the route of the RFC 9728 document.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use ::axum::Router;
use ::axum::extract::{FromRequestParts, OptionalFromRequestParts, OriginalUri};
use ::axum::response::{IntoResponse, Response};
use ::axum::routing::get;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL,
    CONTENT_TYPE, HeaderValue,
};
use http::request::Parts;
use http::{StatusCode, Uri};

use super::allowed::Allowed;
use super::signed::Signed;
use super::verified::{By, answer_to};
use crate::client::asynchronous::{Agent, TokenVerifier, aauth};
use crate::error::Error;
use crate::operations::Ask;
use crate::profile::{RequestError, VerifiedRequest};
use crate::scopes::Scopes;
use crate::service::{Answer, Caller, Rule, refusal};
use crate::verify::VerifyError;

/// The layer that asks whether the service's own agent may do this, for `route_layer`: [`Allowed`].
///
/// ```
/// # #[cfg(feature = "emulator")] {
/// use axum::{Router, routing::get};
/// use lumoauth::axum::require_allowed;
///
/// # let emulator = lumoauth::Emulator::demo()?;
/// # let agent = emulator.async_agent()?;
/// let app: Router = Router::new()
///     .route("/api/documents", get(async || "[]"))
///     .route_layer(require_allowed(agent, "read_documents"));
/// # let _ = app;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "check_permission")]
pub fn require_allowed(agent: Agent, question: impl Into<Ask>) -> Allowed {
    Allowed::new(agent, question)
}

/// The layer that verifies signed requests, on nested routes too: [`Signed`], with the URI as axum keeps it.
pub fn signed(verifier: aauth::Verifier) -> Signed {
    fn original(parts: &Parts) -> Option<Uri> {
        parts.extensions.get::<OriginalUri>().map(|OriginalUri(uri)| uri.clone())
    }
    Signed::new(verifier).original_uri(original)
}

/// The routes of the RFC 9728 document: where clients look for it, with the resource's path behind the well-known one, and at the root
/// (section 3.1). Merge them into the outermost router. The document is public, and any web page may read it. Where one program serves
/// several resources: [`metadata_routes_of`].
pub fn metadata_routes(verifier: &TokenVerifier) -> Router {
    metadata_routes_of([verifier])
}

/// The routes of the RFC 9728 documents of several resources that one program serves: each document with its resource's path behind the
/// well-known one, and that of the first at the root. Merge them once, into the outermost router, in place of [`metadata_routes`].
///
/// ```
/// # #[cfg(feature = "emulator")] {
/// use axum::Router;
/// use lumoauth::axum::metadata_routes_of;
/// use lumoauth::tower::ServerAuth;
///
/// # let emulator = lumoauth::Emulator::demo()?;
/// # let agent = emulator.async_agent()?;
/// # let (files, mail) = (Router::<()>::new(), Router::<()>::new());
/// let for_files = ServerAuth::of(&agent, "https://mcp.acme.test/files")?;
/// let for_mail = ServerAuth::of(&agent, "https://mcp.acme.test/mail")?;
/// let app: Router = Router::new()
///     .nest_service("/files", files.layer(for_files.layer()))
///     .nest_service("/mail", mail.layer(for_mail.layer()))
///     .merge(metadata_routes_of([for_files.verifier(), for_mail.verifier()]));
/// # let _ = app;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn metadata_routes_of<'a>(verifiers: impl IntoIterator<Item = &'a TokenVerifier>) -> Router {
    let verifiers: Arc<[TokenVerifier]> = verifiers.into_iter().cloned().collect();
    let document = move |OriginalUri(uri): OriginalUri| {
        let verifiers = Arc::clone(&verifiers);
        async move { described(&verifiers, uri.path()).await }
    };
    Router::new()
        .route(AT_THE_ROOT, get(document.clone()).options(preflight))
        .route("/.well-known/oauth-protected-resource/{*resource}", get(document).options(preflight))
}

const AT_THE_ROOT: &str = "/.well-known/oauth-protected-resource";

/// Clients in browsers send headers of their own (`MCP-Protocol-Version`), and ask first whether they may.
async fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
    response
}

async fn described(verifiers: &[TokenVerifier], path: &str) -> Response {
    let mut unknown = None;
    for verifier in verifiers {
        if let Err(error) = verifier.ready().await {
            unknown = unknown.or_else(|| Some(verifier.answer(&error)));
        } else if path == AT_THE_ROOT || Some(path) == verifier.verifier().resource_metadata_path() {
            return the_document(verifier);
        }
        if path == AT_THE_ROOT {
            break;
        }
    }
    unknown.map_or_else(|| refusal(StatusCode::NOT_FOUND).into_response(), IntoResponse::into_response)
}

fn the_document(verifier: &TokenVerifier) -> Response {
    let Some(document) = verifier.verifier().resource_metadata() else {
        return refusal(StatusCode::NOT_FOUND).into_response();
    };
    let mut response = document.to_string().into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// A refusal, as extractors give it.
#[derive(Debug)]
pub struct Refusal(Box<Answer>);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl IntoResponse for VerifyError {
    fn into_response(self) -> Response {
        self.answer().into_response()
    }
}

impl IntoResponse for RequestError {
    fn into_response(self) -> Response {
        self.answer().into_response()
    }
}

/// So that a handler may end with `?`: [`Error::answer`], and the error itself in the log.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        log::warn!("a request ends with an error: {self}");
        self.answer().into_response()
    }
}

/// The caller, if it is what the rule wants; 401 where no layer has verified one.
fn required(parts: &Parts, rule: &Rule) -> Result<Caller, Refusal> {
    let by = parts.extensions.get::<By>();
    let unverified = || match by {
        Some(by) => by.verifier().answer(&VerifyError::MissingToken),
        None => VerifyError::MissingToken.answer(),
    };
    let (Some(caller), Some(by)) = (parts.extensions.get::<Caller>(), by) else {
        return Err(Refusal(Box::new(unverified())));
    };
    match answer_to(rule.verdict(caller), by.verifier()) {
        None => Ok(caller.clone()),
        Some(answer) => Err(Refusal(Box::new(answer))),
    }
}

/// Whoever calls; 401 on routes where nobody was verified.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        required(parts, &Rule::new())
    }
}

/// None on public routes.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(required(parts, &Rule::new()).ok())
    }
}

/// A caller who is a person and nobody else, for handlers: 403 for agents, for those that act for people, and for callers of whom nothing is
/// known.
#[derive(Clone, Debug)]
pub struct Person(pub Caller);

/// A caller that is an agent, in its own name or for somebody, for handlers: 403 for all others.
#[derive(Clone, Debug)]
pub struct AgentCaller(pub Caller);

/// The scopes that a handler needs, as a type.
///
/// ```
/// use lumoauth::axum::{RequiredScopes, Scoped};
///
/// struct DeleteDocuments;
/// impl RequiredScopes for DeleteDocuments {
///     const SCOPES: &'static [&'static str] = &["documents:delete"];
/// }
///
/// async fn delete(caller: Scoped<DeleteDocuments>) -> String {
///     format!("deleted for {}", caller.subject())
/// }
/// # let _ = delete;
/// ```
pub trait RequiredScopes {
    /// All of them.
    const SCOPES: &'static [&'static str];
}

/// A caller whose token has these scopes, for handlers: 403 with a challenge that names them for all others.
#[derive(Clone, Debug)]
pub struct Scoped<R>(Caller, PhantomData<fn() -> R>);

impl<R> Scoped<R> {
    /// The caller.
    pub fn into_caller(self) -> Caller {
        self.0
    }
}

impl Deref for Person {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl Deref for AgentCaller {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<R> Deref for Scoped<R> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Person {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        required(parts, &Rule::new().people_only()).map(Person)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AgentCaller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        required(parts, &Rule::new().agents_only()).map(AgentCaller)
    }
}

impl<S: Send + Sync, R: RequiredScopes> FromRequestParts<S> for Scoped<R> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let rule = Rule::new().scopes(Scopes::from(R::SCOPES));
        required(parts, &rule).map(|caller| Scoped(caller, PhantomData))
    }
}

/// The request that an agent signed; 401 where no layer has verified one.
impl<S: Send + Sync> FromRequestParts<S> for VerifiedRequest {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let signed = parts.extensions.get::<VerifiedRequest>().cloned();
        signed.ok_or_else(|| Refusal(Box::new(VerifyError::MissingToken.answer())))
    }
}
