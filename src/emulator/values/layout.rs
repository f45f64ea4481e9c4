//! How a path names its tenant.

/// How the path names the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefix {
    /// `/t/{slug}/api/v1`.
    Tenant,
    /// `/orgs/{slug}/api/v1`.
    Organization,
    /// `/api/v1`: the first tenant.
    Bare,
    /// `/.well-known/...` at the root: the first tenant, described in the tenant layout.
    Root,
}

/// The API base of a tenant, behind the base URL: `/t/{slug}/api/v1`.
pub(crate) fn api_base(prefix: Prefix, slug: &str) -> String {
    match prefix {
        Prefix::Tenant | Prefix::Root => format!("/t/{slug}/api/v1"),
        Prefix::Organization => format!("/orgs/{slug}/api/v1"),
        Prefix::Bare => "/api/v1".to_owned(),
    }
}
