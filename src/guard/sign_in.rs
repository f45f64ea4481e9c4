//! Signing in with axum: a router for browsers, and who is signed in as an extractor.

#[cfg(not(feature = "reqwest"))]
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;

use axum::Router;
use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts, OriginalUri, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::request::Parts;
use http::{HeaderMap, Method};

use crate::client::asynchronous::sign_in::SignIn;
use crate::sign_in::{Answer, Login, SignInError, User, wants_page};
#[cfg(feature = "reqwest")]
use crate::transport::to_its_end;

impl SignIn {
    /// The routes `/login`, `/callback` and `/logout`, for any application. Where the public URL has a path, nest the application behind it, or
    /// have a proxy take it away.
    ///
    /// `/login?return_to=/documents` comes back to that path, if it is one of this site.
    #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let of = |page| self.desk().route(page);
        let (login, callback, logout) = (self.clone(), self.clone(), self.clone());
        Router::new()
            .route(
                &of("login"),
                any(move |request: Request| async move {
                    match only_get(request.method()) {
                        Ok(()) => login.login(request.headers(), asked(request.uri().query())).await,
                        Err(error) => login.refuse(error, request.headers()),
                    }
                }),
            )
            .route(
                &of("callback"),
                any(move |request: Request| async move {
                    let url = format!("?{}", request.uri().query().unwrap_or_default());
                    let headers = request.headers().clone();
                    match only_get(request.method()) {
                        Ok(()) => to_its_end(async move { callback.callback(&headers, &url).await }).await,
                        Err(error) => callback.refuse(error, &headers),
                    }
                }),
            )
            .route(
                &of("logout"),
                any(move |request: Request| async move {
                    let (method, headers) = (request.method().clone(), request.headers().clone());
                    to_its_end(async move { logout.logout(&method, &headers).await }).await
                }),
            )
    }
}

// Servers drop a request whose browser went away, and with it what the service has just given for it: a code and a refresh token can be used
// once. Without the built-in transport no runtime is known in which it could go on.
#[cfg(not(feature = "reqwest"))]
async fn to_its_end<T>(work: impl Future<Output = T>) -> T {
    work.await
}

/// HEAD too has an effect here: it would use a code up.
fn only_get(method: &Method) -> Result<(), SignInError> {
    if method == Method::GET { Ok(()) } else { Err(SignInError::Method { allowed: "GET" }) }
}

/// What a link may say of a sign-in: where it comes back to, and nothing else.
fn asked(query: Option<&str>) -> Login {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    match pairs.find(|(name, _)| name == "return_to") {
        Some((_, path)) => Login::new().return_to(path),
        None => Login::new(),
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        Answer::into_response(self).into_response()
    }
}

impl IntoResponse for SignInError {
    fn into_response(self) -> Response {
        IntoResponse::into_response(Answer::refused(self, &HeaderMap::new(), ""))
    }
}

/// Why a request has no user: a browser that shows a page is sent to the sign-in and comes back, everything else has 401; where it cannot be known
/// who it is, 503.
#[derive(Debug)]
pub struct SignedOut(Answer);

impl SignedOut {
    /// The answer.
    pub fn into_answer(self) -> Answer {
        self.0
    }
}

impl IntoResponse for SignedOut {
    fn into_response(self) -> Response {
        IntoResponse::into_response(self.0)
    }
}

/// Where the request came to, before any router took a part of the path away.
fn came_to(parts: &Parts) -> &str {
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
    uri.path_and_query().map_or("/", |path| path.as_str())
}

async fn look(sign_in: &SignIn, parts: &Parts) -> Result<Option<User>, SignedOut> {
    let (asked, headers) = (sign_in.clone(), parts.headers.clone());
    let user = to_its_end(async move { asked.user(&headers).await }).await;
    user.map_err(|error| SignedOut(sign_in.refuse(error, &parts.headers)))
}

async fn signed_in(sign_in: &SignIn, parts: &Parts) -> Result<User, SignedOut> {
    if let Some(user) = look(sign_in, parts).await? {
        return Ok(user);
    }
    if parts.method == Method::GET && wants_page(&parts.headers) {
        return Err(SignedOut(Answer::go(sign_in.login_path(Some(came_to(parts))))));
    }
    Err(SignedOut(sign_in.refuse(SignInError::NotSignedIn, &parts.headers)))
}

/// Whoever is signed in. The application's state has the [`SignIn`], or is one.
impl<S: Send + Sync> FromRequestParts<S> for User
where
    SignIn: FromRef<S>,
{
    type Rejection = SignedOut;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, SignedOut> {
        signed_in(&SignIn::from_ref(state), parts).await
    }
}

/// Whoever is signed in, or nobody. Where that cannot be known the request is refused all the same.
impl<S: Send + Sync> OptionalFromRequestParts<S> for User
where
    SignIn: FromRef<S>,
{
    type Rejection = SignedOut;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, SignedOut> {
        look(&SignIn::from_ref(state), parts).await
    }
}

/// Scopes that a session's token must have: [`UserWith`].
pub trait RequiredScopes: Send + Sync {
    /// All of them.
    const SCOPES: &'static [&'static str];
}

/// Whoever is signed in with a token that has all the scopes of `R`; who lacks some is refused with 403.
///
/// ```
/// use lumoauth::signin::axum::{RequiredScopes, UserWith};
///
/// struct MayWrite;
/// impl RequiredScopes for MayWrite {
///     const SCOPES: &'static [&'static str] = &["write:documents"];
/// }
///
/// async fn delete(user: UserWith<MayWrite>) -> String {
///     format!("deleted by {}", user.subject())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct UserWith<R> {
    user: User,
    required: PhantomData<R>,
}

impl<R> UserWith<R> {
    /// The user.
    pub fn into_user(self) -> User {
        self.user
    }
}

impl<R> Deref for UserWith<R> {
    type Target = User;

    fn deref(&self) -> &User {
        &self.user
    }
}

impl<S: Send + Sync, R: RequiredScopes> FromRequestParts<S> for UserWith<R>
where
    SignIn: FromRef<S>,
{
    type Rejection = SignedOut;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, SignedOut> {
        let sign_in = SignIn::from_ref(state);
        let user = signed_in(&sign_in, parts).await?;
        match user.require_scopes(R::SCOPES) {
            Ok(()) => Ok(UserWith { user, required: PhantomData }),
            Err(error) => Err(SignedOut(sign_in.refuse(error, &parts.headers))),
        }
    }
}
