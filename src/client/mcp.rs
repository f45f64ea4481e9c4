//! MCP servers, as the agent speaks to them.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (`client.rs` has the list).

use std::fmt;

use super::run::Driver;
use super::{dual, example, twin};
use crate::error::Error;
#[allow(unused_imports)] // the documentation names it
use crate::error::ProtocolFault;
use crate::operations::{ApiRequest, McpToken, ResourceMetadata};
use crate::scopes::Scopes;
use crate::session::Resource;
use crate::token::AccessToken;
use crate::wire::Response;

#[doc = twin!("An MCP server that the agent speaks to, by its URL.", "McpServer")]
///
/// Cheap to clone; clones share the scopes that were stepped up to. A request travels with a token that is bound to this server, and goes to the server's own origin only. A `401` is
/// answered once: the request is sent again with a new token, and with the scopes that the challenge or the server's description
/// (RFC 9728) ask for. A description must name the agent's own service as an authorization server; a server without one gets
/// a new token all the same. A `403 insufficient_scope` is answered once, with the
/// scopes so far and those demanded; so a server can raise its scopes, as far as the service grants them. Answers are read whole; streams of events are not read piece by piece.
///
#[doc = example!("let server = agent.mcp(\"https://mcp.acme.test/my-mcp-server\")?;\nlet token = server.token()", "?;\nassert_eq!(token.resource(), Some(server.resource()));")]
#[derive(Clone)]
pub struct McpServer {
    driver: Driver,
    resource: Resource,
}

impl McpServer {
    pub(super) fn new(driver: &Driver, wanted: &McpToken) -> Result<Self, Error> {
        Ok(McpServer { driver: driver.clone(), resource: Resource::new(&driver.session, wanted)? })
    }

    /// The Resource URI, as it was named.
    pub fn resource(&self) -> &str {
        self.resource.uri()
    }

    /// The scopes that tokens are asked for at the moment.
    pub fn scopes(&self) -> Scopes {
        self.resource.scopes()
    }
}

#[dual(AFIT)]
impl McpServer {
    /// The token for the server: the one held, or a new one.
    ///
    /// # Errors
    /// As `mcp_token` of the agent.
    pub async fn token(&self) -> Result<AccessToken, Error> {
        self.driver.turn(self.resource.token()).await
    }

    /// Sends a request to the server. The empty path is the server's own URL; `/x` is on its origin; an absolute URL must
    /// be. The answer comes back unmapped, whatever its status.
    ///
    /// # Errors
    /// [`Error::Input`] for another origin; [`ProtocolFault::ForeignAuthorizationServer`] if the server wants tokens of
    /// another service; all that a call can end with.
    pub async fn request(&self, request: ApiRequest) -> Result<Response, Error> {
        self.driver.turn(self.resource.request(request)?).await
    }

    /// What the server says of itself (RFC 9728), found at its well-known places. That the agent's own service is among
    /// its authorization servers has been checked.
    ///
    /// # Errors
    /// As [`McpServer::request`].
    pub async fn discover(&self) -> Result<ResourceMetadata, Error> {
        let described = self.driver.turn(self.resource.discover()?).await?;
        Ok(ResourceMetadata::clone(&described))
    }
}

impl fmt::Debug for McpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let McpServer { driver: _, resource } = self;
        f.debug_struct("McpServer").field("resource", resource).finish_non_exhaustive()
    }
}
