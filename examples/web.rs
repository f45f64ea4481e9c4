//! The quickstart's app as a service: its agent is asked before a handler runs.
//!
//! With `LUMOAUTH_TENANT` (or `LUMOAUTH_ORG_ID`), `AGENT_CLIENT_ID` and `AGENT_CLIENT_SECRET` set, it talks to the real service and serves on
//! 127.0.0.1:8000 until it is ended. With nothing configured it starts a local LumoAuth on this machine, calls itself, and ends.
//!
//! ```sh
//! cargo run --example web --features axum,reqwest,emulator
//! ```

use axum::extract::Path;
use axum::routing::{delete, get};
use axum::{Json, Router};
use lumoauth::asynchronous::Agent;
use lumoauth::axum::require_allowed;
use serde_json::{Value, json};

#[path = "web/start.rs"]
mod start;

// What the author of the service writes: from here ...
async fn list_documents() -> Json<Value> {
    Json(json!({ "documents": ["doc-1", "doc-2", "doc-3"] }))
}
async fn delete_document(Path(id): Path<String>) -> Json<Value> {
    Json(json!({ "deleted": id }))
}
pub(crate) fn app(agent: &Agent) -> Router {
    let read = get(list_documents).route_layer(require_allowed(agent.clone(), "read_documents"));
    let remove = delete(delete_document).route_layer(require_allowed(agent.clone(), "delete_documents"));
    Router::new().route("/api/documents", read).route("/api/documents/{id}", remove)
}
// ... to here.

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    start::run(app).await
}
