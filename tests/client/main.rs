//! The clients as people use them: agents, users, tokens for MCP servers, workloads; in both mounts.

mod agency;
mod agent;
mod bad_input;
mod both;
mod delegation;
#[cfg(feature = "ureq")]
#[path = "../hostile/mod.rs"]
mod hostile;
mod kept;
mod mcp;
mod rate;
mod workload;
