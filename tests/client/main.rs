//! The clients as people use them: agents, users, tokens for MCP servers, workloads; in both mounts.

mod agency;
mod agent;
#[cfg(feature = "emulator")]
mod authz;
mod bad_input;
#[cfg(all(feature = "ureq", feature = "emulator"))]
#[path = "../beginner/mod.rs"]
mod beginner;
mod both;
mod callers;
mod delegation;
#[cfg(feature = "ureq")]
#[path = "../hostile/mod.rs"]
mod hostile;
mod jit;
mod kept;
#[cfg(all(feature = "blocking", feature = "emulator"))]
mod keys;
#[cfg(all(feature = "async", feature = "emulator"))]
mod linear;
mod mcp;
#[cfg(all(feature = "ureq", feature = "emulator"))]
mod mistakes;
mod rate;
#[path = "../rounds/mod.rs"]
mod rounds;
mod sharing;
#[path = "../stores/mod.rs"]
mod stores;
#[cfg(all(feature = "blocking", feature = "emulator"))]
mod vault;
mod workload;
