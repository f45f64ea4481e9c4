//! MCP servers, as the agent speaks to them.
//!
//! Written once, as async code, and mounted twice: as it is, and as blocking code (`client.rs` has the list).

use std::fmt;

use http::header::{AUTHORIZATION, HeaderValue};
use zeroize::Zeroizing;

use super::run::Driver;
use super::{dual, example, twin};
use crate::challenge::Challenge;
#[allow(unused_imports)] // the documentation names it
use crate::error::ProtocolFault;
use crate::error::{Error, InputError};
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

    /// Puts the token for this server into a request that another HTTP client is to send: in place of any `Authorization` that is there,
    /// and marked as sensitive.
    ///
    #[doc = example!("let server = agent.resource(\"https://mcp.acme.test/my-mcp-server\")?;\nlet mut request = lumoauth::http::Request::get(\"https://mcp.acme.test/my-mcp-server\").body(())?;\nserver.authorize(&mut request)", "?;\nassert!(request.headers()[\"authorization\"].is_sensitive());")]
    ///
    /// # Errors
    /// [`Error::Input`] for a request whose URL is not absolute and on the server's own origin: nothing is put into it. As
    /// [`McpServer::token`].
    pub async fn authorize<B: Send>(&self, request: &mut http::Request<B>) -> Result<(), Error> {
        if !self.resource.is_at(request.uri()) {
            return Err(InputError::new(
                "request",
                "does not go to the server's own origin, by an absolute URL",
            )
            .into());
        }
        let token = self.token().await?;
        let value = Zeroizing::new(format!("Bearer {}", token.secret().expose()));
        let value = HeaderValue::from_str(&value);
        let mut value = value.map_err(|_| InputError::new("token", "cannot be sent in a header"))?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        Ok(())
    }

    /// Answers a challenge of this server's that another HTTP client has received: with a new token after a 401, with more scopes after
    /// `insufficient_scope`, as [`McpServer::request`] does. With the token that comes back the request may be sent once more; none means
    /// that nothing would be different.
    ///
    #[doc = example!("let server = agent.resource(\"https://mcp.acme.test/my-mcp-server\")?;\n# let challenge = lumoauth::challenge::Challenge::bearer().parameter(\"error\", \"insufficient_scope\").parameter(\"scope\", \"mcp:admin\");\nlet answer = server.answer(&challenge)", ";\n// The demo's agent may read and write there and no more, and the service says so.\nassert!(answer.expect_err(\"no such scope\").to_string().contains(\"mcp:admin\"));")]
    ///
    /// # Errors
    /// As [`McpServer::request`].
    pub async fn answer(&self, challenge: &Challenge) -> Result<Option<AccessToken>, Error> {
        self.driver.turn(self.resource.answer(challenge)).await
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
