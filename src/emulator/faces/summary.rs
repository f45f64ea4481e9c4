//! What the emulator starts with, in a few lines for people.

use std::fmt::Write;

use crate::emulator::faces::emulator::Emulator;
use crate::emulator::values::seed::{AgentSeed, Tenant};
use crate::emulator::values::shown::shown;

/// How many of each kind are named.
const MOST: usize = 12;
/// The longest text.
const LINE: usize = 80;

impl Emulator {
    /// What it started with, a line each: tenants, agents and what they may do, actions that are denied, users, redirect URIs, MCP
    /// servers. It names at most twelve of a kind, and no secret.
    pub fn summary(&self) -> String {
        let mut out = String::new();
        for tenant in self.0.tenants.iter().take(MOST) {
            let _ = describe(&mut out, tenant);
        }
        let more = self.0.tenants.len().saturating_sub(MOST);
        if more > 0 {
            let _ = writeln!(out, "and {more} more tenants");
        }
        out
    }
}

fn describe(out: &mut String, tenant: &Tenant) -> std::fmt::Result {
    writeln!(out, "tenant {} ({})", shown(&tenant.slug, LINE), shown(&tenant.name, LINE))?;
    for agent in tenant.agents.iter().take(MOST) {
        let kind = if agent.public { ", public" } else { "" };
        let (id, name) = (shown(&agent.client_id, LINE), shown(&agent.name, LINE));
        let may = list(agent.capabilities.iter().map(String::as_str));
        writeln!(out, "  agent {id} ({name}{kind}) may: {}", may.as_deref().unwrap_or("nothing yet"))?;
    }
    let more = tenant.agents.len().saturating_sub(MOST);
    if more > 0 {
        writeln!(out, "  and {more} more agents")?;
    }
    let denied: Vec<String> =
        tenant.denials.iter().map(|(action, reason)| format!("{action} ({reason})")).collect();
    let uris = |agent: &AgentSeed| agent.redirect_uris.clone();
    let uris: Vec<String> = tenant.agents.iter().flat_map(uris).collect();
    let servers: Vec<String> = tenant
        .mcp_servers
        .iter()
        .map(|server| {
            format!("{} ({})", server.name, server.resource_uri.as_deref().unwrap_or(&server.server_id))
        })
        .collect();
    let users = tenant.users.iter().map(|user| user.name.as_str());
    let keys = tenant.aauth_agents.iter().map(|agent| agent.identifier.as_str());
    for (what, texts) in [
        ("denied to all", list(denied.iter().map(String::as_str))),
        ("users", list(users)),
        ("redirect URIs", list(uris.iter().map(String::as_str))),
        ("MCP servers", list(servers.iter().map(String::as_str))),
        ("AAuth agents", list(keys)),
    ] {
        if let Some(texts) = texts {
            writeln!(out, "  {what}: {texts}")?;
        }
    }
    Ok(())
}

/// The first ones, one after the other. None if there are none.
fn list<'a>(texts: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut texts = texts.peekable();
    texts.peek()?;
    let mut out: Vec<String> = texts.by_ref().take(MOST).map(|text| shown(text, LINE)).collect();
    let more = texts.count();
    if more > 0 {
        out.push(format!("and {more} more"));
    }
    Some(out.join(", "))
}
