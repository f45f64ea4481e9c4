//! The emulator's flows for users and chains of agents, through its public faces.
#![cfg(feature = "emulator")]

#[path = "agency_emulator/codes.rs"]
mod codes;
#[path = "agency_emulator/devices.rs"]
mod devices;
#[path = "agency_emulator/exchange.rs"]
mod exchange;
#[path = "agency_emulator/mcp.rs"]
mod mcp;
#[path = "agency_emulator/page.rs"]
mod page;
#[path = "agency_emulator/strict.rs"]
mod strict;
#[path = "agency_emulator/support.rs"]
mod support;
#[path = "agency_emulator/workload.rs"]
mod workload;
