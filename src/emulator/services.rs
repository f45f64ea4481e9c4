//! The services, one family a file; each file ends in its list. What no list has, there is no answer for but 404.

use super::call::Service;

pub(crate) mod aauth;
pub(crate) mod agents;
pub(crate) mod approvals;
pub(crate) mod ask;
pub(crate) mod authorize;
pub(crate) mod authz;
pub(crate) mod bearer;
pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod device;
pub(crate) mod discovery;
pub(crate) mod documents;
pub(crate) mod end_session;
pub(crate) mod exchange;
pub(crate) mod inspect;
pub(crate) mod issue;
pub(crate) mod jit;
pub(crate) mod mcp;
pub(crate) mod page;
pub(crate) mod redeem;
pub(crate) mod standing;
pub(crate) mod token;
pub(crate) mod vault;
pub(crate) mod workload;

/// Every service. Of two that fit a path the first answers.
pub(crate) const ALL: &[&[Service]] = &[
    token::SERVICES,
    authorize::SERVICES,
    end_session::SERVICES,
    device::SERVICES,
    inspect::SERVICES,
    agents::SERVICES,
    ask::SERVICES,
    approvals::SERVICES,
    authz::permissions::SERVICES,
    authz::relations::SERVICES,
    authz::policies::SERVICES,
    authz::definitions::SERVICES,
    authz::admin::SERVICES,
    authz::evaluation::SERVICES,
    vault::SERVICES,
    standing::SERVICES,
    discovery::SERVICES,
    mcp::SERVICES,
    documents::SERVICES,
    aauth::token::SERVICES,
    aauth::consent::SERVICES,
    aauth::issuing::SERVICES,
    aauth::resource::SERVICES,
    aauth::verify::SERVICES,
    aauth::directory::SERVICES,
    aauth::demo::SERVICES,
    jit::task::SERVICES,
    jit::request::SERVICES,
    jit::review::SERVICES,
    jit::demo::SERVICES,
    jit::scopes::SERVICES,
];
