//! An MCP server behind its guard: who may call which tool, and what each caller sees of the list.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{Either, Full};
use tower_layer::Layer;
use tower_service::Service;

use super::body::{Answering, Passed, read_whole, refused};
use super::filter::{Filtered, filtered, is_stream};
use super::judge::Judge;
use super::policies::Policies;
use super::tools::Server;
#[cfg(feature = "axum")]
use super::verified::By;
use super::verified::Guard;
use crate::client::asynchronous::{Agent, TokenVerifier};
use crate::error::ConfigError;
use crate::scopes::Scopes;
use crate::secret::Secret;
use crate::service::{Answer, Asked, Caller, Rule, SessionIds, hinted, read_message, refusal};
use crate::verify::{VerifyError, bearer};

/// The guard of an MCP server: around any service that speaks streamable HTTP, rmcp's first.
///
/// Every request needs an access token for this server; tools may have [`Rule`]s. Which tool is called is told by the body, and the headers
/// `Mcp-Method` and `Mcp-Name` must say the same (400 and -32020 if they do not). A call that the caller may not make is refused, and
/// `tools/list` shows each caller what it may call. The caller's token is sent nowhere: it is taken out of the request before your
/// service sees it. The [`Caller`] is in the extensions of the request. A session (of revisions of MCP that have them) is the caller's that
/// began it: its id is of no use to anybody else.
///
/// ```
/// # #[cfg(all(feature = "axum", feature = "emulator"))] {
/// use axum::Router;
/// use lumoauth::service::Rule;
/// use lumoauth::tower::ServerAuth;
///
/// # let emulator = lumoauth::Emulator::demo()?;
/// # let agent = emulator.async_agent()?;
/// # let mcp = Router::<()>::new();
/// let auth = ServerAuth::of(&agent, "https://mcp.acme.test/my-mcp-server")? // or ServerAuth::from_env()?
///     .tool("delete_document", Rule::new().scopes("documents:delete").people_only())
///     .tool("search_web", Rule::new().capability("tool:search_web"));
/// let app = Router::new().nest_service("/my-mcp-server", mcp).layer(auth.layer()).merge(auth.metadata_routes());
/// # let _: Router = app;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "a guard does nothing until its layer is put around a service"]
pub struct ServerAuth(Arc<Server>);

impl ServerAuth {
    /// Tokens that this verifier accepts; no rule for any tool.
    pub fn new(verifier: TokenVerifier) -> Self {
        ServerAuth(Arc::new(Server::new(Guard::new(verifier))))
    }

    /// Tokens of the agent's tenant for this server, by its own Resource URI; the agent asks about policies.
    ///
    /// # Errors
    /// [`ConfigError`] if the resource cannot be an audience. Nothing is sent.
    pub fn of(agent: &Agent, resource: impl Into<String>) -> Result<Self, ConfigError> {
        Ok(ServerAuth::new(TokenVerifier::of(agent, resource)?).policies_by(agent.clone()))
    }

    /// Every setting from the environment, as [`TokenVerifier::from_env`] has them; where `AGENT_CLIENT_ID` and
    /// `AGENT_CLIENT_SECRET` are set too, that agent asks about policies.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) naming the variable that is missing or wrong. Nothing is sent.
    #[cfg(feature = "reqwest")]
    #[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
    pub fn from_env() -> Result<Self, crate::error::Error> {
        let auth = ServerAuth::new(TokenVerifier::from_env()?);
        Ok(match Agent::from_env_if_set()? {
            Some(agent) => auth.policies_by(agent),
            None => auth,
        })
    }

    /// Who may call this tool, and see it.
    pub fn tool(self, name: impl Into<String>, rule: Rule) -> Self {
        self.with(|server| drop(server.tools.insert(name.into(), rule)))
    }

    /// Who may call the tools that have no rule of their own: whoever has a token for this server, if not set.
    pub fn other_tools(self, rule: Rule) -> Self {
        self.with(|server| server.others = rule)
    }

    /// What every caller must be and have, whatever it asks for.
    pub fn require(self, rule: Rule) -> Self {
        self.with(|server| server.guard.rule = rule)
    }

    /// The agent that asks the service about policies ([`Rule::policy`]), with its own credential. It needs the right to ask about others
    /// (`authz:check`). Without one, tools with such rules are nobody's.
    pub fn policies_by(self, agent: Agent) -> Self {
        self.with(|server| server.policies = Some(Arc::new(Policies::new(agent))))
    }

    /// Asks the service about each token, as this agent: opaque tokens are taken too, and revoked ones are not.
    pub fn at_service(self, agent: Agent) -> Self {
        self.with(|server| server.guard.service = Some(agent))
    }

    /// Nobody is asked for a token at this one route, as in [`Verified::public`](super::Verified::public). Tools are never public: whoever
    /// calls or lists them there needs a token, and what is posted there must be a message.
    pub fn public(self, method: Method, path: impl Into<String>) -> Self {
        self.with(|server| server.guard.door.open(method, path.into()))
    }

    /// Lets the preflight requests of browsers through, as in [`Verified::preflights`](super::Verified::preflights).
    pub fn preflights(self) -> Self {
        self.with(|server| server.guard.door.open_for_preflights())
    }

    /// The longest message in bytes, and the longest list of tools, 1 MiB if not set.
    pub fn body_limit(self, bytes: usize) -> Self {
        self.with(|server| server.longest = bytes)
    }

    /// What the ids of sessions are bound to their callers with, the same in all processes of one service that share its sessions: at least
    /// 32 bytes that nobody can guess. Without it each `ServerAuth` draws its own, so that a session ends with its process.
    ///
    /// # Errors
    /// [`ConfigError::BadText`] for a shorter one.
    pub fn session_secret(self, secret: impl Into<Secret>) -> Result<Self, ConfigError> {
        let secret = secret.into();
        ConfigError::of_session_secret(&secret)?;
        let ids = SessionIds::new(secret.expose().as_bytes());
        Ok(self.with(|server| server.sessions = Some(Arc::new(ids))))
    }

    /// The layer to put around the server.
    pub fn layer(&self) -> ServerAuthLayer {
        ServerAuthLayer(Arc::clone(&self.0))
    }

    /// The routes of the RFC 9728 document ([`crate::axum::metadata_routes`]): outside of the layer, in the outermost router. Several servers
    /// in one program: [`crate::axum::metadata_routes_of`].
    #[cfg(feature = "axum")]
    #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
    pub fn metadata_routes(&self) -> ::axum::Router {
        super::axum::metadata_routes(&self.0.guard.verifier)
    }

    /// The verifier of the callers' tokens, which has the RFC 9728 document too.
    pub fn verifier(&self) -> &TokenVerifier {
        &self.0.guard.verifier
    }

    fn with(mut self, change: impl FnOnce(&mut Server)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl fmt::Debug for ServerAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Server { guard, tools, others, policies, longest, sessions: _ } = &*self.0;
        f.debug_struct("ServerAuth")
            .field("guard", guard)
            .field("tools", tools)
            .field("other_tools", others)
            .field("policies", &policies.is_some())
            .field("longest", longest)
            .finish()
    }
}

/// The layer of a [`ServerAuth`].
#[derive(Clone)]
pub struct ServerAuthLayer(Arc<Server>);

impl<S> Layer<S> for ServerAuthLayer {
    type Service = GuardedServer<S>;

    fn layer(&self, inner: S) -> GuardedServer<S> {
        GuardedServer { server: Arc::clone(&self.0), inner }
    }
}

/// An MCP server behind its guard.
#[derive(Clone)]
pub struct GuardedServer<S> {
    server: Arc<Server>,
    inner: S,
}

/// Checks the caller, and makes it known to what stands behind.
async fn known(
    server: &Server,
    token: Result<Secret, VerifyError>,
    parts: &mut Parts,
) -> Result<Caller, Box<Answer>> {
    let wanted = hinted(&parts.headers).map_or(Scopes::none(), |tool| server.rule(&tool).all_scopes());
    let caller = server.guard.check(token, &wanted).await?;
    let Some(sessions) = &server.sessions else {
        log::warn!("the system gave no randomness for the secret of sessions");
        return Err(Box::new(refusal(StatusCode::SERVICE_UNAVAILABLE)));
    };
    sessions.inward(&mut parts.headers, &caller)?;
    parts.extensions.insert(caller.clone());
    #[cfg(feature = "axum")]
    parts.extensions.insert(By::of(&server.guard));
    Ok(caller)
}

impl<S, B, R> Service<Request<B>> for GuardedServer<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Passed<Either<Filtered<R>, R>>>;
    type Error = S::Error;
    type Future = Answering<Either<Filtered<R>, R>, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that is ready is the one that is called.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let server = Arc::clone(&self.server);
        Box::pin(async move {
            let untouched = |response: Response<R>| response.map(|body| Either::Right(Either::Right(body)));
            let (mut parts, body) = request.into_parts();
            parts.extensions.remove::<Caller>();
            #[cfg(feature = "axum")]
            parts.extensions.remove::<By>();
            let token = bearer(&parts.headers);
            parts.headers.remove(AUTHORIZATION);
            let mut caller = None;
            if !server.guard.door.is_open(&parts) {
                match known(&server, token.clone(), &mut parts).await {
                    Ok(known) => caller = Some(known),
                    Err(answer) => return Ok(refused(*answer)),
                }
            }
            // A stream of the server's own may repeat a list of tools. What such a request carries is no message, and goes nowhere.
            if matches!(parts.method, Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS) {
                parts.headers.remove(CONTENT_LENGTH);
                parts.headers.remove(ACCEPT_ENCODING);
                if caller.is_none() {
                    SessionIds::take_away(&mut parts.headers);
                }
                let mut response = inner.call(Request::from_parts(parts, Full::default())).await?;
                server.bind_session(&mut response, caller.as_ref());
                return Ok(match is_stream(&response) {
                    true => filtered(Judge::new(server, caller), response).await,
                    false => untouched(response),
                });
            }
            let body = match read_whole(&parts.headers, body, server.longest).await {
                Ok(body) => body,
                Err(answer) => return Ok(refused(*answer)),
            };
            let asked = match read_message(&parts.headers, &body) {
                Ok(asked) => asked,
                Err(answer) => return Ok(refused(*answer)),
            };
            // Tools are never public.
            if caller.is_none() && asked != Asked::Other {
                match known(&server, token, &mut parts).await {
                    Ok(known) => caller = Some(known),
                    Err(answer) => return Ok(refused(*answer)),
                }
            }
            let judge = Judge::new(Arc::clone(&server), caller.clone());
            if let Asked::Call(tool) = &asked
                && let Err(answer) = judge.may_call(tool).await
            {
                return Ok(refused(*answer));
            }
            if asked == Asked::List {
                parts.headers.remove(ACCEPT_ENCODING);
            }
            if caller.is_none() {
                SessionIds::take_away(&mut parts.headers);
            }
            let mut response = inner.call(Request::from_parts(parts, Full::new(body))).await?;
            server.bind_session(&mut response, caller.as_ref());
            Ok(if asked == Asked::List { filtered(judge, response).await } else { untouched(response) })
        })
    }
}
