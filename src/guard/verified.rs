//! The layer that checks the caller's access token.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Method, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::body::{Answering, Passed, passed, refused};
use super::door::Door;
use crate::client::asynchronous::{Agent, TokenVerifier};
use crate::error::Whole;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::service::{Answer, Caller, Rule, Verdict, both, refusal};
use crate::verify::{Verifier, VerifyError, bearer};

/// Lets requests through whose access token verifies, and puts the [`Caller`] into their extensions.
///
/// Every method is checked, `HEAD` and `OPTIONS` too; what is not decided is refused. A refusal tells its caller the status, the
/// challenge and no more: the reason is in the log and, as [`VerifyError`], in the extensions of the answer. Nothing is kept from one
/// caller for another.
///
/// ```
/// # #[cfg(feature = "emulator")] {
/// use lumoauth::asynchronous::TokenVerifier;
/// use lumoauth::http::Method;
/// use lumoauth::service::Rule;
/// use lumoauth::tower::Verified;
///
/// # let emulator = lumoauth::Emulator::demo()?;
/// # let agent = emulator.async_agent()?;
/// let verifier = TokenVerifier::of(&agent, "https://api.acme.test")?;
/// let layer = Verified::new(verifier).public(Method::GET, "/health").require(Rule::new().scopes("documents:read"));
/// # let _ = layer;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct Verified(Arc<Guard>);

/// What is checked of every caller.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub(super) verifier: TokenVerifier,
    pub(super) service: Option<Agent>,
    pub(super) door: Door,
    pub(super) rule: Rule,
}

impl Verified {
    /// Tokens that this verifier accepts.
    pub fn new(verifier: TokenVerifier) -> Self {
        Verified(Arc::new(Guard::new(verifier)))
    }

    /// Nobody is asked for a token at this one route: this method (`HEAD` with `GET`) at exactly this path, as it is received, with all that
    /// axum's nested routers take off it. It is no prefix. There is no [`Caller`] there.
    pub fn public(self, method: Method, path: impl Into<String>) -> Self {
        self.with(|guard| guard.door.open(method, path.into()))
    }

    /// Lets the preflight requests of browsers through without a token, for a layer for CORS that stands behind this one. What stands behind
    /// must not act on `OPTIONS`. A layer for CORS in front of this one needs no such door, and is the better place.
    pub fn preflights(self) -> Self {
        self.with(|guard| guard.door.open_for_preflights())
    }

    /// What every caller must be and have besides.
    pub fn require(self, rule: Rule) -> Self {
        self.with(|guard| guard.rule = rule)
    }

    /// Asks the service about each token, as this agent: opaque tokens are taken too, and revoked ones are not
    /// ([`TokenVerifier::verify_at_service`]).
    pub fn at_service(self, agent: Agent) -> Self {
        self.with(|guard| guard.service = Some(agent))
    }

    fn with(mut self, change: impl FnOnce(&mut Guard)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

/// Who verified the caller: its challenges say where the resource is described.
#[cfg(feature = "axum")]
#[derive(Clone)]
pub(super) struct By(TokenVerifier);

#[cfg(feature = "axum")]
impl By {
    pub(super) fn of(guard: &Guard) -> Self {
        By(guard.verifier.clone())
    }

    pub(super) fn verifier(&self) -> &Verifier {
        self.0.verifier()
    }
}

/// The refusal that a verdict is, with the verifier's challenge.
pub(super) fn answer_to(verdict: Verdict, verifier: &Verifier) -> Option<Answer> {
    match verdict {
        Verdict::Allowed => None,
        Verdict::Denied => Some(refusal(http::StatusCode::FORBIDDEN)),
        Verdict::Scopes(required) => {
            Some(verifier.answer_wanting(&VerifyError::InsufficientScope { required }, &Scopes::none()))
        }
    }
}

impl Guard {
    pub(super) fn new(verifier: TokenVerifier) -> Self {
        Guard { verifier, service: None, door: Door::default(), rule: Rule::new() }
    }

    /// The caller of a request that needs these scopes, as far as that is known before it is read.
    pub(super) async fn check(
        &self,
        token: Result<Secret, VerifyError>,
        wanted: &Scopes,
    ) -> Result<Caller, Box<Answer>> {
        let wanted = both(&self.rule.all_scopes(), wanted);
        let refused = |error: VerifyError| {
            log::debug!("a caller is refused: {}", Whole(&error));
            let mut answer = self.verifier.verifier().answer_wanting(&error, &wanted);
            answer.extensions_mut().insert(error);
            Box::new(answer)
        };
        // A challenge names the document, which may have to be found out first.
        if let (Err(VerifyError::MissingToken), None) =
            (&token, self.verifier.verifier().resource_metadata_url())
        {
            self.verifier.ready().await.map_err(refused)?;
        }
        let token = token.map_err(refused)?;
        let verified = match &self.service {
            Some(agent) => self.verifier.verify_at_service(agent, &token).await,
            None => self.verifier.verify(&token).await,
        };
        let caller = Caller::new(verified.map_err(refused)?);
        if self.rule.asks_policy() {
            log::warn!(
                "a rule for every caller asks for policies, which are about tools: nobody is let through"
            );
            return Err(Box::new(refusal(http::StatusCode::FORBIDDEN)));
        }
        match answer_to(self.rule.verdict(&caller), self.verifier.verifier()) {
            None => Ok(caller),
            Some(answer) => {
                log::debug!("a caller ({:?}) is refused: the rule of the route", caller.kind());
                Err(Box::new(answer))
            }
        }
    }
}

impl<S> Layer<S> for Verified {
    type Service = VerifiedService<S>;

    fn layer(&self, inner: S) -> VerifiedService<S> {
        VerifiedService { guard: Arc::clone(&self.0), inner }
    }
}

/// A service behind [`Verified`].
#[derive(Clone, Debug)]
pub struct VerifiedService<S> {
    guard: Arc<Guard>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for VerifiedService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
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
        let guard = Arc::clone(&self.guard);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            // Whoever stood in front knows nothing of this caller.
            parts.extensions.remove::<Caller>();
            #[cfg(feature = "axum")]
            parts.extensions.remove::<By>();
            if !guard.door.is_open(&parts) {
                match guard.check(bearer(&parts.headers), &Scopes::none()).await {
                    Ok(caller) => {
                        parts.extensions.insert(caller);
                        #[cfg(feature = "axum")]
                        parts.extensions.insert(By::of(&guard));
                    }
                    Err(answer) => return Ok(refused(*answer)),
                }
            }
            inner.call(Request::from_parts(parts, body)).await.map(passed)
        })
    }
}
