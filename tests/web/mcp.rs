//! An MCP server that remembers what reached it, and messages to it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use lumoauth::http::{HeaderMap, Method, Request};
use lumoauth::service::Rule;
use lumoauth::tower::ServerAuth;
use serde_json::{Value, json};

use super::support::*;

/// A server that lists these tools and does whatever it is asked; it remembers the messages and headers that reached it.
#[derive(Clone, Default)]
pub struct Server {
    pub seen: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    pub answer: Option<Arc<dyn Fn() -> Response + Send + Sync>>,
}

pub const TOOLS: [&str; 5] = ["open", "read", "people", "agents", "capable"];

pub fn listed(tools: &[&str]) -> Value {
    let tools: Vec<Value> =
        tools.iter().map(|name| json!({"name": name, "inputSchema": {"type": "object"}, "x": 1})).collect();
    json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools, "nextCursor": "more", "_meta": {"a": 1}, "unknown": true}})
}

impl Server {
    pub fn answering(answer: impl Fn() -> Response + Send + Sync + 'static) -> Self {
        Server { answer: Some(Arc::new(answer)), ..Server::default() }
    }

    pub fn router(&self) -> Router {
        let server = self.clone();
        Router::new().fallback(any(move |headers: HeaderMap, body: String| {
            let server = server.clone();
            async move {
                server.seen.lock().unwrap().push((headers, body.clone()));
                match &server.answer {
                    Some(answer) => answer(),
                    None => {
                        let message: Value = serde_json::from_str(&body).unwrap_or_default();
                        let answer = if message["method"] == "tools/list" {
                            listed(&TOOLS)
                        } else {
                            json!({"jsonrpc": "2.0", "id": 1, "result": {"content": []}})
                        };
                        ([("content-type", "application/json")], answer.to_string()).into_response()
                    }
                }
            }
        }))
    }

    pub fn behind(&self, auth: &ServerAuth) -> Router {
        self.router().layer(auth.layer())
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

pub fn post(token: Option<&str>, body: &Value, headers: &[(&'static str, &str)]) -> Request<Body> {
    let mut request = request(Method::POST, "/mcp", token);
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    *request.body_mut() = Body::from(body.to_string());
    request
}

pub fn call(tool: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {}}})
}

pub fn list() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
}

pub fn rules(auth: ServerAuth) -> ServerAuth {
    auth.tool("read", Rule::new().scopes("docs:read"))
        .tool("people", Rule::new().people_only())
        .tool("agents", Rule::new().agents_only())
        .tool("capable", Rule::new().capability("tool:use"))
}

pub fn names(text: &str) -> Vec<String> {
    let answer: Value = serde_json::from_str(text).unwrap();
    let tools = answer["result"]["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

pub fn stream(text: String) -> impl Fn() -> Response + Send + Sync {
    move || ([("content-type", "text/event-stream; charset=utf-8")], text.clone()).into_response()
}
