//! The part of a seed file that says who may do what: roles, relations, policies, attributes, API keys, connections.

use std::collections::BTreeMap;

use lumoauth::emulator::{ApiKeySeed, ConnectionSeed, Tenant};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{SecretText, Texts, each, set};

/// What may stand in a tenant, beside who is in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RelationEntry {
    object: String,
    relation: String,
    subject: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ThingEntry {
    kind: String,
    id: String,
    attributes: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiKeyEntry {
    user: String,
    key: Option<SecretText>,
    scopes: Texts,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectionEntry {
    id: String,
    provider: String,
    scopes: Texts,
    agent: Option<String>,
    user: Option<String>,
    lifetime: Option<u64>,
    disabled: Option<bool>,
}

/// Adds all of it to a tenant.
pub(super) fn add(
    tenant: Tenant,
    roles: Option<BTreeMap<String, Vec<String>>>,
    relations: Option<Vec<RelationEntry>>,
    policies: Option<Vec<Map<String, Value>>>,
    things: Option<Vec<ThingEntry>>,
    keys: Option<Vec<ApiKeyEntry>>,
    connections: Option<Vec<ConnectionEntry>>,
) -> Tenant {
    let tenant = each(tenant, roles, |tenant, (role, permissions)| tenant.role(role, permissions));
    let tenant =
        each(tenant, relations, |tenant, entry| tenant.relation(entry.object, entry.relation, entry.subject));
    let tenant = each(tenant, policies, |tenant, policy| tenant.policy(policy));
    let tenant = each(tenant, things, |tenant, entry| tenant.thing(entry.kind, entry.id, entry.attributes));
    let tenant = each(tenant, keys, |tenant, entry| {
        let key = set(ApiKeySeed::new(entry.user), entry.key.map(|key| key.0), ApiKeySeed::key);
        tenant.api_key(set(key, entry.scopes, ApiKeySeed::scopes))
    });
    each(tenant, connections, |tenant, entry| {
        let connection = ConnectionSeed::new(entry.id, entry.provider);
        let connection = set(connection, entry.scopes, ConnectionSeed::scopes);
        let connection = set(connection, entry.agent, ConnectionSeed::agent);
        let connection = set(connection, entry.user, ConnectionSeed::user);
        let connection = set(connection, entry.lifetime, ConnectionSeed::lifetime);
        let disabled = entry.disabled.filter(|disabled| *disabled);
        tenant.connection(set(connection, disabled, |connection, _| connection.disabled()))
    })
}
