//! The kinds of values that one call fetches for many, one file a kind: its key, its life, and what fetches it.

mod decision;
mod description;
mod document;
mod exchanged;
#[cfg(feature = "aauth")]
mod issuer;
mod mcp;
mod permission;
mod places;
mod record;
mod service;
mod vault;

pub(crate) use decision::{DecisionKey, LONGEST as LONGEST_DECISION};
pub(crate) use description::Description;
pub(crate) use document::settles;
pub(crate) use exchanged::POLICY as EXCHANGED;
#[cfg(feature = "aauth")]
pub(crate) use issuer::Issuer;
pub(crate) use mcp::{Mcp, McpKey};
pub(crate) use permission::{Granted, PermissionKey, PermissionToken, Permitted, PermittedRequest};
pub(crate) use record::RecordKey;
pub(crate) use service::Service;
pub(crate) use vault::VaultKey;
