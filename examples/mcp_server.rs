//! An MCP server made with rmcp, behind LumoAuth: every call needs a token for this server, and tools have rules.
//!
//! With `LUMOAUTH_TENANT` (or `LUMOAUTH_ORG_ID`) and `LUMOAUTH_RESOURCE` (or `LUMOAUTH_MCP_SERVER_ID`) set, it serves on 127.0.0.1:8000 until it
//! is ended. With nothing configured it starts a local LumoAuth on this machine, calls itself as an agent, and ends.
//!
//! ```sh
//! cargo run --example mcp_server --features axum,reqwest,emulator
//! ```

use std::sync::Arc;

use axum::Router;
use lumoauth::service::Rule;
use lumoauth::tower::ServerAuth;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{tool, tool_router};

#[path = "mcp_server/start.rs"]
mod start;

#[derive(Clone)]
struct Documents;

#[tool_router(server_handler)]
impl Documents {
    #[tool(description = "Lists the documents")]
    fn list_documents(&self) -> String {
        "doc-1, doc-2, doc-3".to_owned()
    }

    #[tool(description = "Searches the web")]
    fn search_web(&self) -> String {
        "nothing found".to_owned()
    }

    #[tool(description = "Deletes all documents")]
    fn delete_all(&self) -> String {
        "deleted".to_owned()
    }
}

/// What rmcp itself needs.
fn server() -> StreamableHttpService<Documents, LocalSessionManager> {
    StreamableHttpService::new(
        || Ok(Documents),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    )
}

// What the guard adds: from here ...
pub(crate) fn app(auth: ServerAuth) -> Router {
    let auth = auth
        .tool("search_web", Rule::new().capability("tool:search_web"))
        .tool("delete_all", Rule::new().people_only());
    Router::new().nest_service("/mcp", server()).layer(auth.layer()).merge(auth.metadata_routes())
}
// ... to here.

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    start::run(app).await
}
