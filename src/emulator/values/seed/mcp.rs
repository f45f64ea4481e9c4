//! The MCP servers of a tenant.

/// An MCP server to start with (RFC 9728 calls it a protected resource).
#[derive(Clone, Debug)]
#[must_use = "a server does nothing until it is handed to a tenant"]
pub struct McpServerSeed {
    pub(crate) name: String,
    pub(crate) server_id: String,
    pub(crate) resource_uri: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) required: Option<Vec<String>>,
}

impl McpServerSeed {
    /// A server of this name: letters, digits and `-_.~`. Its id is `mcp_<name>` and it has no Resource URI, unless set.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        McpServerSeed {
            server_id: format!("mcp_{name}"),
            name,
            resource_uri: None,
            scopes: Vec::new(),
            required: None,
        }
    }

    /// Its id, as `mcp_0001`.
    pub fn server_id(mut self, id: impl Into<String>) -> Self {
        self.server_id = id.into();
        self
    }

    /// Its Resource URI, which becomes the `aud` of tokens for it (RFC 8707 section 2).
    pub fn resource_uri(mut self, uri: impl Into<String>) -> Self {
        self.resource_uri = Some(uri.into());
        self
    }

    /// `scopes_supported` (RFC 9728 section 2).
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// The scopes that its challenge route demands; all that it supports unless set.
    pub fn required_scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.required = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    pub(crate) fn demands(&self) -> &[String] {
        self.required.as_ref().unwrap_or(&self.scopes)
    }

    /// What tokens for it name as `aud`.
    pub(crate) fn audience(&self) -> &str {
        self.resource_uri.as_ref().unwrap_or(&self.server_id)
    }

    /// The names that it goes by: id, name, URN, and Resource URI.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        let own = [self.server_id.clone(), self.name.clone(), format!("urn:mcp:{}", self.name)];
        own.into_iter().chain(self.resource_uri.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_goes_by_four_names() {
        let server = McpServerSeed::new("files")
            .server_id("mcp_1")
            .resource_uri("https://files.test/mcp")
            .scopes(["a"]);
        for name in ["files", "mcp_1", "urn:mcp:files", "https://files.test/mcp"] {
            assert!(server.names().any(|own| own == name), "{name}");
        }
        for name in
            ["", "Files", "urn:mcp:", "urn:mcp:mcp_1", "https://files.test/mcp/", "https://files.test"]
        {
            assert!(!server.names().any(|own| own == name), "{name}");
        }
        assert_eq!((server.audience(), server.demands()), ("https://files.test/mcp", &["a".to_owned()][..]));
        assert_eq!(McpServerSeed::new("x").audience(), "mcp_x");
    }
}
