//! The emulator's flows for users and chains of agents, through its public faces.
#![cfg(feature = "emulator")]

mod codes;
mod devices;
mod exchange;
mod mcp;
mod page;
mod strict;
mod support;
mod workload;
