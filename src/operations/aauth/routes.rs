//! The routes of AAuth, each beside its operation and all of them here.

use super::{consent, discovery, issue, resource, revoke, token, verify};
use crate::route::Route;

pub use consent::CONSENT;
pub use discovery::{AGENTS, ISSUER, KEYS, RESOURCES};
pub use issue::{ISSUE, PLATFORM_TOKEN};
pub use resource::RESOURCE_TOKEN;
pub use revoke::REVOKE;
pub use token::TOKEN;
pub use verify::{VERIFY_AUTH_TOKEN, VERIFY_RESOURCE_TOKEN};

pub(in crate::operations) const FAMILIES: &[&[Route]] = &[
    token::ROUTES,
    consent::ROUTES,
    issue::ROUTES,
    resource::ROUTES,
    verify::ROUTES,
    revoke::ROUTES,
    discovery::ROUTES,
];
