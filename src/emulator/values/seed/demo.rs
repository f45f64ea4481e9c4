//! The tenant that everybody starts with.

use serde_json::json;

use super::{
    AAuthAgentSeed, AAuthResourceSeed, AgentSeed, ApiKeySeed, BudgetSeed, ConnectionSeed,
    INSUFFICIENT_PERMISSIONS, McpServerSeed, Tenant, UserSeed,
};

impl Tenant {
    /// The demo tenant, `acme-corp`:
    ///
    /// | what | its name | what it has |
    /// |---|---|---|
    /// | agent | `agt_demo`, named `research-bot` | capabilities such as `read_document` and `tool:search_web`; comes back from consent to `https://myapp.com/consent` or `http://127.0.0.1/callback` |
    /// | agents that it may delegate to | `agt_search`, `agt_scraper`, `agt_reader` | `read:documents` |
    /// | users | `alice` (an editor), `bob` (a viewer) | scopes such as `read:documents`, `documents`, `mcp:read` |
    /// | MCP server | `my-mcp-server`, `https://mcp.acme.test/my-mcp-server` | `mcp:read`, `mcp:write` |
    /// | agent of AAuth | `aag_demo`, `https://agent.acme.test` | its key: [`Emulator::aauth_key`](crate::emulator::Emulator::aauth_key) |
    /// | resource of AAuth, served | `reports` | `read:documents`, `write:documents` |
    /// | API key | of `alice` | [`Emulator::api_key`](crate::emulator::Emulator::api_key) |
    /// | connection for the vault | `conn_github` | `repo`, linked by `alice` |
    ///
    /// Tokens for an API of your own need its URL: [`EmulatorBuilder::mcp_resource`](crate::emulator::EmulatorBuilder::mcp_resource).
    /// `delete_user` is denied.
    pub fn demo() -> Self {
        let agent = AgentSeed::new("agt_demo")
            .name("research-bot")
            .capabilities([
                "read:documents",
                "document.read",
                "read_document",
                "tool:search_web",
                "delegate:on_behalf",
                "read_documents",
                "web_search",
                "mcp:read",
                "mcp:write",
            ])
            .scopes(["write:documents", "documents", "read:users"])
            .role("ROLE_RESEARCHER")
            .redirect_uri("https://myapp.com/consent")
            .redirect_uri("http://127.0.0.1/callback")
            .budget(
                BudgetSeed::new()
                    .max_tokens_per_day(100_000)
                    .tokens_used_today(1_250)
                    .max_api_calls_per_hour(1_000)
                    .allowed_models(["gpt-4", "claude-3-opus"]),
            );
        let sub_agent = |client_id: &str, name: &str| {
            AgentSeed::new(client_id).name(name).capabilities(["read:documents", "delegate:on_behalf"])
        };
        let user = |name: &str, display: &str| {
            UserSeed::new(name).email(format!("{name}@acme.test")).display_name(display).scopes([
                "read:documents",
                "write:documents",
                "documents",
                "read:users",
                "mcp:read",
                "mcp:write",
                "authz:read",
                "abac:read",
            ])
        };
        Tenant::new("acme-corp")
            .name("Acme Corp")
            .agent(agent)
            .agent(sub_agent("agt_search", "search-tool"))
            .agent(sub_agent("agt_scraper", "web-scraper"))
            .agent(sub_agent("agt_reader", "pdf-reader"))
            .user(user("alice", "Alice Adams").role("editor").attribute("department", "engineering"))
            .user(user("bob", "Bob Brown").role("viewer").attribute("department", "sales"))
            .mcp_server(
                McpServerSeed::new("my-mcp-server")
                    .server_id("mcp_0001")
                    .resource_uri("https://mcp.acme.test/my-mcp-server")
                    .scopes(["mcp:read", "mcp:write"])
                    .required_scopes(["mcp:read"]),
            )
            .aauth_agent(
                AAuthAgentSeed::new("aag_demo", "https://agent.acme.test")
                    .name("signing-bot")
                    .platform_scopes(["read:documents"])
                    .redirect_uri("https://agent.acme.test/callback")
                    .redirect_uri("http://127.0.0.1/callback"),
            )
            .aauth_resource(
                AAuthResourceSeed::served("reports")
                    .scopes(["read:documents", "write:documents"])
                    .required_scopes(["read:documents"]),
            )
            .api_key(ApiKeySeed::new("alice").scopes(["admin"]))
            .connection(ConnectionSeed::new("conn_github", "github").scopes(["repo"]).user("alice"))
            .role("editor", ["document.read", "document.write"])
            .role("viewer", ["document.read"])
            .relation("folder:reports", "editor", "user:alice")
            .relation("folder:reports", "viewer", "group:eng#member")
            .relation("group:eng", "member", "user:bob")
            .relation("group:eng", "member", "agent:research-bot")
            .relation("document:doc-123", "parent", "folder:reports")
            .thing("document", "doc-123", json!({"owner_id": "alice", "status": "published"}))
            .policy(json!({
                "name": "published documents", "resourceType": "document", "action": "read", "effect": "allow",
                "conditions": {"operator": "AND", "conditions": [
                    {"subject": "resource.status", "operator": "equals", "value": "published"},
                ]},
            }))
            .policy(json!({
                "name": "owners", "effect": "allow", "target": {"resources": ["document"], "actions": ["*"]},
                "conditions": {"all": [
                    {"attribute": "subject.id", "operator": "equals", "value": "$resource.owner_id"},
                ]},
            }))
            .scope_group("documents", ["read:documents", "write:documents"])
            .denial("delete_user", INSUFFICIENT_PERMISSIONS)
    }
}
