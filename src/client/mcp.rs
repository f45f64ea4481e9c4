//! MCP servers: a token bound to one, and requests to it. The rules are in `operations/mcp.rs`; here they are put in order.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Uri;

use super::super::held::HeldTokens;
use super::agent::Agent;
use super::run::Driver;
use super::{dual, example};
use crate::challenge::Challenge;
use crate::error::{Error, ProtocolError, ProtocolFault};
use crate::operation::Operation;
use crate::operations::routes;
use crate::operations::{
    ApiRequest, Demand, GetMetadata, GetResourceMetadata, McpToken, ResourceMetadata, ServerMetadata,
    challenged_url, choose_scopes, resource_metadata_urls, server_url, union,
};
use crate::origin::Origin;
use crate::scopes::Scopes;
use crate::session::Claim;
use crate::time::{Deadline, Now};
use crate::token::{AccessToken, Freshness};
use crate::wire::Response;

/// How long the service's metadata is believed.
const METADATA_AGE: Duration = Duration::from_secs(3600);

/// What an agent and its clones hold for MCP servers: tokens, and what the service says of itself.
pub(super) type McpTokens = Arc<Shared>;

#[derive(Default)]
pub(super) struct Shared {
    tokens: HeldTokens<McpKey>,
    service: Mutex<Option<(ServerMetadata, Now)>>,
}

impl Shared {
    fn known(&self, now: &Now) -> Option<ServerMetadata> {
        let known = self.service.lock().unwrap_or_else(PoisonError::into_inner);
        let (metadata, at) = known.as_ref()?;
        (now.wall.saturating_since(at.wall) < METADATA_AGE).then(|| metadata.clone())
    }

    fn know(&self, metadata: ServerMetadata, at: Now) {
        *self.service.lock().unwrap_or_else(PoisonError::into_inner) = Some((metadata, at));
    }
}

/// What was granted of what was asked for; all of it if the answer does not say.
fn granted(asked: &Scopes, token: &AccessToken) -> Scopes {
    if token.scopes().is_empty() { asked.clone() } else { token.scopes().clone() }
}

/// Everything that makes such a token what it is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct McpKey {
    /// The agent's credentials, counted.
    epoch: u64,
    /// The scopes of the agent's own token, which the other one comes from.
    own_scopes: Vec<String>,
    server: String,
    scopes: Vec<String>,
}

fn key(driver: &Driver, wanted: &McpToken) -> McpKey {
    McpKey {
        epoch: driver.session.epoch(),
        own_scopes: driver.session.scopes().sorted(),
        server: wanted.server().to_owned(),
        scopes: wanted.asked_scopes().sorted(),
    }
}

/// The token for a server: the one held if it is fresh, else a new one; one exchange at a time for each.
#[dual]
pub(super) async fn token(
    driver: &Driver,
    held: &McpTokens,
    wanted: &McpToken,
    deadline: &Deadline,
) -> Result<AccessToken, Error> {
    let held = &held.tokens;
    loop {
        let key = key(driver, wanted);
        let now = driver.transport.now()?;
        let current = match held.get(&key, &now) {
            Some((token, Freshness::Fresh)) => return Ok(token),
            current => current.map(|(token, _)| token),
        };
        if let (None, Some(error)) = (&current, held.failure(&key, &now)) {
            return Err(error);
        }
        let name = format!("mcp {} {}", key.server, key.scopes.join(" "));
        let _lease = match (driver.session.claim(&name, &now, deadline), &current) {
            (Claim::Yours(lease), _) => lease,
            // Somebody renews it, and it still is good.
            (Claim::Taken(_), Some(token)) => return Ok(token.clone()),
            (Claim::Taken(ticket), None) => {
                driver.transport.join(ticket).await;
                not_late(driver, deadline)?;
                continue;
            }
        };
        // It may have been fetched, or refused, between the look and the claim.
        if let Some((token, Freshness::Fresh)) = held.get(&key, &now) {
            return Ok(token);
        }
        if let (None, Some(error)) = (&current, held.failure(&key, &now)) {
            return Err(error);
        }
        let exchanged = driver.run_within(wanted.clone(), deadline).await;
        let after = driver.transport.now()?;
        return match (exchanged, current) {
            (Ok(token), _) => {
                held.put(key, &token, &now, &after);
                Ok(token)
            }
            // A renewal that fails for the moment takes nothing away from a token that is good.
            (Err(error), Some(token)) if error.is_temporary() => {
                held.put_off(&key, &after);
                Ok(token)
            }
            (Err(error), _) => {
                held.fail(key, &error, &after);
                Err(error)
            }
        };
    }
}

fn not_late(driver: &Driver, deadline: &Deadline) -> Result<(), Error> {
    if deadline.passed(&driver.transport.now()?) {
        let (operation, total, phase) = ("oauth.token", deadline.total(), "waiting for another call's token");
        return Err(Error::DeadlineExceeded { operation, total, phase, last: None });
    }
    Ok(())
}

/// An MCP server that the agent speaks to, by its URL. Cheap to clone; clones share the scopes that were stepped up to.
///
/// A request travels with a token that is bound to this server, and goes to the server's own origin only. A `401` with a
/// challenge is answered once: the server's description (RFC 9728) must name the agent's own service as its authorization
/// server, and the request is sent once more with a new token. A `403 insufficient_scope` is answered once, with the
/// scopes so far and those demanded; so a server can raise its scopes, as far as the service grants them. Answers are read whole; streams of events are not read piece by piece.
///
#[doc = example!("let server = agent.mcp(\"https://mcp.acme.test/my-mcp-server\")?;\nlet token = server.token()", "?;\nassert_eq!(token.resource(), Some(server.resource()));")]
#[derive(Clone)]
pub struct McpServer {
    agent: Agent,
    server: String,
    url: Uri,
    origin: Origin,
    scopes: Arc<Mutex<Scopes>>,
}

impl McpServer {
    pub(super) fn new(agent: &Agent, wanted: McpToken) -> Result<Self, Error> {
        let (origin, url) = server_url(wanted.server())?;
        let server = wanted.server().to_owned();
        let scopes = Arc::new(Mutex::new(wanted.asked_scopes().clone()));
        Ok(McpServer { agent: agent.clone(), server, url, origin, scopes })
    }

    /// The Resource URI, as it was named.
    pub fn resource(&self) -> &str {
        &self.server
    }

    /// The scopes that tokens are asked for at the moment.
    pub fn scopes(&self) -> Scopes {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn ask_for(&self, scopes: Scopes) {
        *self.scopes.lock().unwrap_or_else(PoisonError::into_inner) = scopes;
    }

    fn wanted(&self) -> McpToken {
        McpToken::new(&self.server).scopes(self.scopes())
    }

    fn driver(&self) -> &Driver {
        self.agent.driver()
    }
}

#[dual(AFIT)]
impl McpServer {
    /// The token for the server: the one held, or a new one.
    ///
    /// # Errors
    /// As [`Agent::mcp_token`].
    pub async fn token(&self) -> Result<AccessToken, Error> {
        self.agent.mcp_token(self.wanted()).await
    }

    /// Sends a request to the server. The empty path is the server's own URL; `/x` is on its origin; an absolute URL must
    /// be. The answer comes back unmapped, whatever its status.
    ///
    /// # Errors
    /// [`Error::Input`] for another origin; [`ProtocolFault::ForeignAuthorizationServer`] if the server wants tokens of
    /// another service; all that a call can end with.
    pub async fn request(&self, request: ApiRequest) -> Result<Response, Error> {
        let driver = self.driver();
        let request = request.at_resource(&self.origin, &self.url)?;
        let terms = request.terms();
        let total = driver.session.total().filter(|_| !terms.own_times).unwrap_or(terms.total);
        let deadline = Deadline::start(&driver.transport.now()?, total);
        let (mut met, mut stepped_up) = (false, false);
        // What is demanded in this call is kept only when it was granted: a server's word alone changes nothing for later.
        let mut scopes = self.scopes();
        loop {
            let wanted = McpToken::new(&self.server).scopes(scopes.clone());
            let token = token(driver, self.agent.mcp_tokens(), &wanted, &deadline).await?;
            if met || stepped_up {
                self.ask_for(union(&self.scopes(), &granted(&scopes, &token)));
            }
            let response = driver.run_within(request.clone().token(token.clone()), &deadline).await?;
            match Demand::of(&response) {
                Demand::Token(challenge) => {
                    self.agent.mcp_tokens().tokens.drop_if(&key(driver, &wanted), &token);
                    if met {
                        return Ok(response);
                    }
                    met = true;
                    if let Some(challenge) = challenge {
                        let metadata = self.describe(Some(&challenge), &deadline).await?;
                        scopes = choose_scopes(&scopes, &challenge, &metadata);
                    }
                }
                Demand::MoreScopes(more)
                    if !stepped_up && more.iter().any(|scope| !scopes.contains(scope)) =>
                {
                    stepped_up = true;
                    scopes = union(&scopes, &more);
                }
                _ => return Ok(response),
            }
        }
    }

    /// What the server says of itself (RFC 9728), found at its well-known places. That the agent's own service is among
    /// its authorization servers has been checked.
    ///
    /// # Errors
    /// As [`McpServer::request`].
    pub async fn discover(&self) -> Result<ResourceMetadata, Error> {
        let driver = self.driver();
        let terms = GetMetadata::new().terms();
        let total = driver.session.total().unwrap_or(terms.total);
        let deadline = Deadline::start(&driver.transport.now()?, total);
        self.describe(None, &deadline).await
    }

    async fn describe(
        &self,
        challenge: Option<&Challenge>,
        deadline: &Deadline,
    ) -> Result<ResourceMetadata, Error> {
        let driver = self.driver();
        let site = driver.session.site();
        let named = match challenge {
            Some(challenge) => challenged_url(challenge, &self.origin, site)?,
            None => None,
        };
        let places = match named {
            Some(url) => vec![url],
            // The service describes the servers that it knows as well.
            None => {
                let mut places = resource_metadata_urls(&self.server)?;
                places.push(site.url(routes::PROTECTED_RESOURCE));
                places
            }
        };
        for place in places {
            let read = driver.run_within(GetResourceMetadata::new(&self.server, place), deadline).await;
            match read {
                // Not here, or not for everybody: perhaps at the next place.
                Err(error) if error.status().is_some_and(|status| (400..500).contains(&status)) => {}
                Err(error) => return Err(error),
                Ok(metadata) => {
                    let service = self.service(deadline).await?;
                    metadata.check_authorization_server(site, &service)?;
                    return Ok(metadata);
                }
            }
        }
        let fault = ProtocolFault::Other("the server describes itself at none of the well-known places");
        Err(ProtocolError::new("wellknown.oauth_protected_resource", 404, fault).into())
    }

    /// What the service says of itself, of the last hour.
    async fn service(&self, deadline: &Deadline) -> Result<ServerMetadata, Error> {
        let driver = self.driver();
        let now = driver.transport.now()?;
        let known = self.agent.mcp_tokens().known(&now);
        if let Some(metadata) = known {
            return Ok(metadata);
        }
        let metadata = driver.run_within(GetMetadata::new(), deadline).await?;
        self.agent.mcp_tokens().know(metadata.clone(), now);
        Ok(metadata)
    }
}

impl fmt::Debug for McpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let McpServer { agent: _, server, url: _, origin: _, scopes: _ } = self;
        f.debug_struct("McpServer")
            .field("server", server)
            .field("scopes", &self.scopes())
            .finish_non_exhaustive()
    }
}
