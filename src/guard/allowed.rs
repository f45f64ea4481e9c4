//! The layer that asks about the service's own agent before a handler runs.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::body::{Answering, Passed, passed, refused};
use crate::client::asynchronous::Agent;
use crate::error::Error;
use crate::operations::{Ask, Decision};
use crate::service::Answer;

/// Lets requests through for which the service's own agent may act: the Ask API is asked each time, and never about the caller of
/// the route. A denial is 403 `{"detail":"Forbidden"}`; 503 with `Retry-After` if the service cannot be asked.
///
/// The [`Decision`] is in the extensions of the request; of a refusal it is in those of the answer (or the [`Error`]), and in the log
/// with reason and audit record. The caller is told neither.
///
/// ```
/// # #[cfg(feature = "emulator")] {
/// use lumoauth::Ask;
/// use lumoauth::tower::Allowed;
/// use serde_json::json;
///
/// # let emulator = lumoauth::Emulator::demo()?;
/// # let agent = emulator.async_agent()?;
/// let fixed = Allowed::new(agent.clone(), "read_documents");
/// let computed = Allowed::asking(agent, |request| {
///     Ask::new("delete_document").context(json!({ "path": request.uri.path() }))
/// });
/// # let _ = (fixed, computed);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct Allowed {
    agent: Agent,
    question: Arc<dyn Fn(&Parts) -> Ask + Send + Sync>,
}

impl Allowed {
    /// Asks the same each time: an action, or one with its context.
    pub fn new(agent: Agent, question: impl Into<Ask>) -> Self {
        let question = question.into();
        Allowed::asking(agent, move |_| question.clone())
    }

    /// Asks what this makes of the request: its method, path, headers, and what layers in front have put into its extensions. What
    /// comes from the caller is text of a stranger: put it into the context, never into the action.
    pub fn asking(agent: Agent, question: impl Fn(&Parts) -> Ask + Send + Sync + 'static) -> Self {
        Allowed { agent, question: Arc::new(question) }
    }
}

impl fmt::Debug for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Allowed { agent, question: _ } = self;
        f.debug_struct("Allowed").field("agent", agent).finish_non_exhaustive()
    }
}

/// The decision if it allows, or the answer to send.
fn settled(asked: Result<Decision, Error>) -> Result<Decision, Box<Answer>> {
    match asked {
        Ok(decision) => match decision.refusal() {
            None => Ok(decision),
            Some(mut answer) => {
                log::info!("a request is refused: {decision}");
                answer.extensions_mut().insert(decision);
                Err(Box::new(answer))
            }
        },
        Err(error) => {
            log::warn!("a request is refused, because it cannot be decided: {error}");
            let mut answer = error.answer();
            answer.extensions_mut().insert(error);
            Err(Box::new(answer))
        }
    }
}

impl<S> Layer<S> for Allowed {
    type Service = AllowedService<S>;

    fn layer(&self, inner: S) -> AllowedService<S> {
        AllowedService { allowed: self.clone(), inner }
    }
}

/// A service behind [`Allowed`].
#[derive(Clone, Debug)]
pub struct AllowedService<S> {
    allowed: Allowed,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for AllowedService<S>
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
        let Allowed { agent, question } = self.allowed.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let question = question(&parts);
            match settled(agent.ask(question).await) {
                Ok(decision) => parts.extensions.insert(decision),
                Err(answer) => return Ok(refused(*answer)),
            };
            inner.call(Request::from_parts(parts, body)).await.map(passed)
        })
    }
}
