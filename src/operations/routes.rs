//! Every route that an operation or a person's browser takes, each beside its operation and all of them here.

use super::{
    agents, approvals, ask, authz, consent, device, discovery, grants, introspect, jit, logout, mcp,
    standing, token, vault,
};
use crate::route::Route;

pub use agents::{ME, REGISTER, USERINFO};
pub use approvals::{CREATE as APPROVAL_CREATE, STATUS as APPROVAL_STATUS};
pub use ask::ASK;
pub use consent::AUTHORIZE;
pub use device::{DEVICE_AUTHORIZATION, PUSHED_AUTHORIZATION};
pub use discovery::{AUTHORIZATION_SERVER, JWKS, OPENID_CONFIGURATION};
pub use grants::REVOKE;
pub use introspect::INTROSPECT;
pub use jit::{
    APPROVE, DENY, PENDING, REQUEST, REQUEST_STATUS, REQUEST_TOKEN, TASK, TASK_COMPLETE, TASK_EVALUATE,
};
pub use logout::LOGOUT;
pub use mcp::PROTECTED_RESOURCE;
pub use standing::{AGENT_CARD, AGENT_CARD_VERIFY, ATTEST, MCP_AUTHORIZE};
pub use token::TOKEN;
pub use vault::{CONNECTION_TOKEN, CONNECTIONS};

/// The routes of permissions, relations and policies.
pub mod permissions {
    pub use crate::operations::authz::routes::*;
}

/// The routes of AAuth.
#[cfg(feature = "aauth")]
#[cfg_attr(docsrs, doc(cfg(feature = "aauth")))]
pub mod aauth {
    pub use crate::operations::aauth::routes::*;
}

const FAMILIES: &[&[Route]] = &[
    token::ROUTES,
    consent::ROUTES,
    logout::ROUTES,
    grants::ROUTES,
    introspect::ROUTES,
    device::ROUTES,
    agents::ROUTES,
    ask::ROUTES,
    approvals::ROUTES,
    jit::ROUTES,
    discovery::ROUTES,
    mcp::ROUTES,
    standing::ROUTES,
    vault::ROUTES,
];

/// All of them.
pub fn all() -> impl Iterator<Item = Route> {
    let families = FAMILIES.iter().chain(authz::routes::FAMILIES);
    #[cfg(feature = "aauth")]
    let families = families.chain(super::aauth::routes::FAMILIES);
    families.copied().flatten().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::WARM_PLACES;
    use std::collections::BTreeSet;

    /// The rows of the table of routes: name, call.
    fn documented() -> BTreeSet<(String, String)> {
        let page = include_str!("../../docs/wire.md");
        let rows = page.split("## Routes").nth(1).unwrap().split("\n## ").next().unwrap().lines();
        rows.filter_map(|row| {
            let mut cells = row.strip_prefix("| `")?.split(" | ");
            let name = cells.next()?.trim_end_matches('`').to_owned();
            let call = cells.next()?.split_once('`')?;
            let path = call.1.split_once('`')?.0;
            Some((name, format!("{}{path}", call.0)))
        })
        .collect()
    }

    #[test]
    fn every_route_is_documented_and_every_row_a_route() {
        let written: BTreeSet<_> = all()
            .map(|route| (route.name().to_owned(), format!("{} {}", route.method(), route.path())))
            .collect();
        let mut documented = documented();
        if cfg!(not(feature = "aauth")) {
            documented.retain(|(name, _)| !name.contains("aauth"));
        }
        assert!(documented.len() > 10, "the table was not read");
        assert_eq!(written, documented);
    }

    #[test]
    fn names_and_warm_places_are_used_once() {
        let (mut names, mut calls, mut places) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for route in all() {
            assert!(names.insert(route.name()), "{}", route.name());
            assert!(calls.insert((route.method().to_string(), route.path())), "{}", route.path());
            if let Some(place) = route.warm_place() {
                assert!(usize::from(place) < WARM_PLACES, "{}: no such place", route.name());
                assert!(places.insert(place), "{}: the place is taken", route.name());
            }
        }
        assert!(places.contains(&0), "the warm routes were not found");
    }
}
