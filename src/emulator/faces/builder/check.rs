//! What can be wrong with a seed.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::emulator::values::error::BuildError;
use crate::emulator::values::policy::Policy;
use crate::emulator::values::relations::is_thing;
use crate::emulator::values::scope::is_scope;
use crate::emulator::values::seed::{AgentSeed, Tenant, is_client_id};
use crate::emulator::values::workload::PROVIDERS;
use crate::origin::absolute;
use crate::secret::Secret;

fn bad(what: &'static str, value: &str, problem: &'static str) -> BuildError {
    BuildError::BadText { what, value: value.to_owned(), problem }
}

fn twice(what: &'static str, value: &str) -> BuildError {
    BuildError::Twice { what, value: value.to_owned() }
}

/// A text that is one path segment as it stands.
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    !text.is_empty() && !matches!(text, "." | "..") && text.bytes().all(plain)
}

fn is_absolute(uri: &str) -> bool {
    uri.parse::<http::Uri>().is_ok_and(|uri| uri.scheme().is_some()) && !uri.contains('#')
}

fn words<'a>(what: &'static str, words: impl IntoIterator<Item = &'a String>) -> Result<(), BuildError> {
    match words.into_iter().find(|word| !is_scope(word)) {
        Some(word) => Err(bad(what, word, "it must be one word of a scope (RFC 6749 section 3.3)")),
        None => Ok(()),
    }
}

pub(super) fn check(tenants: &[Tenant]) -> Result<(), BuildError> {
    let mut slugs = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for tenant in tenants {
        let slug = tenant.slug.as_str();
        if !is_plain(slug) {
            return Err(bad("tenant", slug, "a slug has letters, digits and -_.~ only"));
        }
        if !slugs.insert(slug) {
            return Err(twice("tenant", slug));
        }
        let mut names = BTreeSet::new();
        for agent in &tenant.agents {
            check_agent(agent)?;
            if !ids.insert(agent.client_id.as_str()) {
                return Err(twice("client id", &agent.client_id));
            }
            if agent.name.is_empty() || !names.insert(agent.name.as_str()) {
                return Err(twice("agent name", &agent.name));
            }
        }
        words(
            "scope",
            tenant.groups.iter().flat_map(|(scope, stands_for)| stands_for.iter().chain([scope])),
        )?;
        check_people(tenant)?;
        check_servers(tenant)?;
        check_aauth(tenant)?;
        check_rules(tenant)?;
    }
    Ok(())
}

/// Claims that the service itself says, and those that a verifier goes by.
const OWN_CLAIMS: [&str; 22] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "scope",
    "act",
    "may_act",
    "cnf",
    "auth_time",
    "agent_id",
    "agent_name",
    "nonce",
    "azp",
    "acr",
    "amr",
    "at_hash",
    "c_hash",
    "sid",
];

pub(super) fn check_claims(claims: &[(String, Value)]) -> Result<(), BuildError> {
    match claims.iter().find(|(name, _)| name.is_empty() || OWN_CLAIMS.contains(&name.as_str())) {
        Some((name, _)) => Err(bad("claim", name, "the service itself says it, or it has no name")),
        None => Ok(()),
    }
}

fn check_agent(agent: &AgentSeed) -> Result<(), BuildError> {
    let id = agent.client_id.as_str();
    if !is_client_id(id) {
        return Err(bad("client id", id, "it must be visible ASCII and no path"));
    }
    if agent.secret.as_ref().is_some_and(Secret::is_empty) {
        return Err(BuildError::EmptySecret(id.to_owned()));
    }
    if agent.public && agent.secret.is_some() {
        return Err(bad("public client", id, "it has a secret, which public clients cannot keep"));
    }
    if agent.agent_key.as_ref().is_some_and(Secret::is_empty) {
        return Err(BuildError::EmptySecret(id.to_owned()));
    }
    check_claims(&agent.claims)?;
    words("capability", agent.capabilities.iter().chain(&agent.scopes))?;
    if let Some(resource) = agent.resources.iter().find(|resource| !is_absolute(resource)) {
        return Err(bad("resource", resource, "it must be an absolute URI without fragment"));
    }
    let usable = |uri: &&String| is_absolute(uri) && http::HeaderValue::from_str(uri).is_ok();
    if let Some(uri) = agent.redirect_uris.iter().find(|uri| !usable(uri)) {
        return Err(bad("redirect URI", uri, "it must be an absolute URI without fragment"));
    }
    let provider = agent.workload.as_ref().map(|workload| workload.provider.as_str());
    if let Some(provider) = provider.filter(|provider| !PROVIDERS.contains(provider)) {
        return Err(bad("provider", provider, "it must be kubernetes, aws, gcp, azure or oidc"));
    }
    Ok(())
}

fn check_people(tenant: &Tenant) -> Result<(), BuildError> {
    let mut names = BTreeSet::new();
    for user in &tenant.users {
        if !is_plain(&user.name.replacen('@', "-", 1)) {
            return Err(bad("user", &user.name, "a name has letters, digits and -_.~@ only"));
        }
        if !names.insert(user.name.as_str()) {
            return Err(twice("user", &user.name));
        }
        check_claims(&user.claims)?;
        words("scope", &user.scopes)?;
    }
    for key in &tenant.api_keys {
        words("scope", &key.scopes)?;
        if !names.contains(key.user.as_str()) {
            return Err(bad("API key", &key.user, "the tenant has no such user"));
        }
        if key.key.as_ref().is_some_and(Secret::is_empty) {
            return Err(BuildError::EmptySecret(key.user.clone()));
        }
    }
    for consent in &tenant.consents {
        words("scope", &consent.scopes)?;
        if !names.contains(consent.user.as_str()) {
            return Err(bad("consent", &consent.user, "the tenant has no such user"));
        }
        if !tenant.agents.iter().any(|agent| agent.client_id == consent.client_id) {
            return Err(bad("consent", &consent.client_id, "the tenant has no such agent"));
        }
    }
    Ok(())
}

fn check_servers(tenant: &Tenant) -> Result<(), BuildError> {
    let mut names = BTreeSet::new();
    for server in &tenant.mcp_servers {
        for name in [&server.server_id, &server.name] {
            if !is_plain(name) {
                return Err(bad("MCP server", name, "ids and names have letters, digits and -_.~ only"));
            }
            if !names.insert(name.as_str()) {
                return Err(twice("MCP server", name));
            }
        }
        words("scope", server.scopes.iter().chain(server.required.iter().flatten()))?;
        if let Some(uri) = &server.resource_uri {
            if !is_absolute(uri) {
                return Err(bad("Resource URI", uri, "it must be an absolute URI without fragment"));
            }
            if !names.insert(uri.as_str()) {
                return Err(twice("Resource URI", uri));
            }
        }
    }
    Ok(())
}

fn check_rules(tenant: &Tenant) -> Result<(), BuildError> {
    let mut ids = BTreeSet::new();
    for connection in &tenant.connections {
        if !is_plain(&connection.id) {
            return Err(bad("connection", &connection.id, "an id has letters, digits and -_.~ only"));
        }
        if !ids.insert(connection.id.as_str()) {
            return Err(twice("connection", &connection.id));
        }
        words("scope", &connection.scopes)?;
    }
    for (object, relation, subject) in &tenant.tuples {
        let problem =
            "it must be a type and an id, as document:1; a subject may have a relation, as group:eng#member";
        for (text, may_relate) in [(object, false), (subject, true)] {
            if !is_thing(text, may_relate) {
                return Err(bad("relation", text, problem));
            }
        }
        if relation.is_empty() || relation.contains(['#', ':']) {
            return Err(bad("relation", relation, "it must be a word, as viewer"));
        }
    }
    for policy in &tenant.policies {
        if let Err(problem) = Policy::read(0, policy) {
            let name = policy.get("name").and_then(Value::as_str).unwrap_or("without a name");
            return Err(bad("policy", name, problem));
        }
    }
    match tenant.things.iter().find(|(_, _, values)| !values.is_object()) {
        Some((_, id, _)) => Err(bad("thing", id, "its attributes must be an object")),
        None => Ok(()),
    }
}

fn check_aauth(tenant: &Tenant) -> Result<(), BuildError> {
    let agents = tenant.aauth_agents.iter().map(|agent| (&agent.id, Some(&agent.identifier)));
    unique("AAuth agent", agents)?;
    let resources = tenant.aauth_resources.iter();
    unique("AAuth resource", resources.map(|resource| (&resource.id, resource.identifier.as_ref())))?;
    for agent in &tenant.aauth_agents {
        words("scope", &agent.scopes)?;
        let usable = |uri: &&String| is_absolute(uri) && http::HeaderValue::from_str(uri).is_ok();
        if let Some(uri) = agent.redirect_uris.iter().find(|uri| !usable(uri)) {
            return Err(bad("redirect URI", uri, "it must be an absolute URI without fragment"));
        }
    }
    for resource in &tenant.aauth_resources {
        words("scope", resource.scopes.iter().chain(resource.required.iter().flatten()))?;
    }
    Ok(())
}

/// Ids are path segments, identifiers https URLs (http on this machine only), and both are there once.
fn unique<'a>(
    what: &'static str,
    all: impl Iterator<Item = (&'a String, Option<&'a String>)>,
) -> Result<(), BuildError> {
    let mut names = BTreeSet::new();
    for (id, identifier) in all {
        if !is_plain(id) {
            return Err(bad(what, id, "an id has letters, digits and -_.~ only"));
        }
        let problem = "an identifier is an https URL (http on this machine only) without fragment";
        if let Some(url) = identifier.filter(|url| url.contains('#') || absolute(what, url).is_err()) {
            return Err(bad(what, url, problem));
        }
        for name in [Some(id), identifier].into_iter().flatten() {
            if !names.insert(name.as_str()) {
                return Err(twice(what, name));
            }
        }
    }
    Ok(())
}
