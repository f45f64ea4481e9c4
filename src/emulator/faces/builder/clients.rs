//! What clients of others need, added to a world that is there already.

use super::EmulatorBuilder;
use crate::emulator::values::seed::McpServerSeed;

impl EmulatorBuilder {
    /// Adds a redirect URI to the first tenant's first agent, as a client of others wants to be registered with.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// Adds an MCP server of this Resource URI to the first tenant, with the scopes `mcp:read` and `mcp:write`, which it does not
    /// demand.
    pub fn mcp_resource(mut self, uri: impl Into<String>) -> Self {
        self.resources.push(uri.into());
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
