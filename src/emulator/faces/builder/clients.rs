//! What clients of others need: consent without a person, forms that they know, and what they are registered with.

use super::EmulatorBuilder;
use crate::emulator::values::seed::McpServerSeed;
use crate::emulator::values::settings::Mode;

impl EmulatorBuilder {
    /// Adds a redirect URI to the first tenant's first agent, as a client of others wants to be registered with.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// Adds an MCP server of this Resource URI to the first tenant, with the scopes `mcp:read` and `mcp:write`, which it does not
    /// demand. Any API of yours is one: `agent.token_for(uri)` is a token for it then.
    ///
    /// ```
    /// # #[cfg(feature = "blocking")] {
    /// use lumoauth::emulator::{Emulator, Tenant};
    ///
    /// let emulator = Emulator::builder().tenant(Tenant::demo()).mcp_resource("https://api.example.com").build()?;
    /// let token = emulator.agent()?.token_for("https://api.example.com")?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mcp_resource(mut self, uri: impl Into<String>) -> Self {
        self.resources.push(uri.into());
        self
    }

    /// Lets clients with a secret ask for consent without PKCE (RFC 7636), as some do that are older than OAuth 2.1; the vendor's Python
    /// SDK is one. Off by default. Public clients need it all the same.
    pub fn pkce_optional(mut self, on: bool) -> Self {
        self.pkce_is_optional = on;
        self
    }

    /// Lets the pages of other sites read discovery documents and keys (CORS), as an MCP client in a browser does. Off by default.
    pub fn cors_for_discovery(mut self, on: bool) -> Self {
        self.cors = on;
        self
    }

    /// Answers authorization requests at once, as if this user had approved. Without it there is a page.
    pub fn auto_consent(mut self, user: impl Into<String>) -> Self {
        self.consent = Mode::Consent(user.into());
        self
    }

    /// Answers authorization requests at once, as if the user had refused.
    pub fn auto_deny(mut self) -> Self {
        self.consent = Mode::Deny;
        self
    }

    /// Lists issuers in `authorization_servers`, as RFC 9728 section 2 has it. By default they are metadata URLs, as
    /// LumoAuth lists them.
    pub fn issuers_in_resource_metadata(mut self, on: bool) -> Self {
        self.issuers_in_resource_metadata = on;
        self
    }

    /// Puts them where they belong.
    pub(super) fn add_for_clients(&mut self) {
        let Some(first) = self.tenants.first_mut() else { return };
        let servers = (1..).zip(std::mem::take(&mut self.resources)).map(|(number, uri)| {
            let server = McpServerSeed::new(format!("resource-{number}")).resource_uri(uri);
            server.scopes(["mcp:read", "mcp:write"]).required_scopes(Vec::<String>::new())
        });
        first.mcp_servers.extend(servers);
        if let Some(agent) = first.agents.first_mut() {
            agent.redirect_uris.append(&mut self.redirect_uris);
        }
    }
}
