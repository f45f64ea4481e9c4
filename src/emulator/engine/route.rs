//! Which service, layout and tenant a path means.

use http::Method;

use crate::emulator::call::Service;
use crate::emulator::services;
use crate::emulator::values::layout::Prefix;
use crate::operations::routes;

/// The name under which requests to no route are logged.
pub(crate) const UNKNOWN: &str = "unknown";

/// Every service that there is.
fn all() -> impl Iterator<Item = &'static Service> {
    services::ALL.iter().copied().flatten()
}

/// The service of a path behind the API base, and the id in it. Of several at one path it is the one with this method.
fn behind<'p>(path: &'p str, method: &Method) -> (Option<&'static Service>, &'p str) {
    let mut first = (None, "");
    for service in all().filter(|service| !service.is_page()) {
        let Some(id) = service.id(path) else { continue };
        if service.route.method() == method {
            return (Some(service), id);
        }
        if first.0.is_none() {
            first = (Some(service), id);
        }
    }
    first
}

/// The page of a path behind the organization.
fn page(path: &str) -> Option<&'static Service> {
    all().filter(|service| service.is_page()).find(|service| service.id(path).is_some())
}

/// True if requests can be logged under this name.
pub(crate) fn is_name(name: &str) -> bool {
    name == UNKNOWN || all().any(|service| service.route.name() == name)
}

/// What a path means.
pub(crate) struct Target<'p> {
    pub prefix: Prefix,
    /// The slug in the path; none in the layouts that do without.
    pub slug: Option<&'p str>,
    /// The service; none if there is none of that path.
    pub service: Option<&'static Service>,
    /// The id in the path, where the route has one.
    pub id: &'p str,
}

/// Reads a path behind the base URL's own. None if it is in no layout. Nothing is decoded or tidied up: a path that is
/// written in another way is another path.
pub(crate) fn find<'p>(path: &'p str, method: &Method) -> Option<Target<'p>> {
    let target = |prefix, slug, (service, id)| Some(Target { prefix, slug, service, id });
    for (start, prefix) in [("/t/", Prefix::Tenant), ("/orgs/", Prefix::Organization)] {
        if let Some(rest) = path.strip_prefix(start) {
            let (slug, rest) = rest.split_once('/')?;
            if let Some(page) = page(rest).filter(|_| prefix == Prefix::Organization && !slug.is_empty()) {
                return target(prefix, Some(slug), (Some(page), ""));
            }
            let rest = rest.strip_prefix("api/v1/").filter(|_| !slug.is_empty())?;
            return target(prefix, Some(slug), behind(rest, method));
        }
    }
    if let Some(rest) = path.strip_prefix("/api/v1/") {
        return target(Prefix::Bare, None, behind(rest, method));
    }
    let rest = path.strip_prefix('/')?;
    if !rest.starts_with(".well-known/") {
        return None;
    }
    let found = behind(rest, method);
    if found.0.is_some() {
        return target(Prefix::Root, None, found);
    }
    // RFC 8414 sections 3.1 and 5: the well-known part goes between the host and the issuer's path.
    let documents = [routes::AUTHORIZATION_SERVER.path(), routes::OPENID_CONFIGURATION.path()];
    let inserted = documents.iter().find_map(|document| Some((*document, rest.strip_prefix(document)?)));
    let (metadata, issuer) = inserted?;
    for (start, prefix) in [("/t/", Prefix::Tenant), ("/orgs/", Prefix::Organization)] {
        let slug = issuer.strip_prefix(start).and_then(|rest| rest.strip_suffix("/api/v1"));
        if let Some(slug) = slug.filter(|slug| !slug.is_empty() && !slug.contains('/')) {
            return target(prefix, Some(slug), behind(metadata, method));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> Option<(Prefix, Option<&str>, &'static str)> {
        find(path, &Method::GET).map(|target| {
            (target.prefix, target.slug, target.service.map_or(UNKNOWN, |service| service.route.name()))
        })
    }

    #[test]
    fn the_three_layouts_and_the_aliases() {
        let ask = "agents.ask";
        assert_eq!(found("/t/acme/api/v1/agents/ask"), Some((Prefix::Tenant, Some("acme"), ask)));
        assert_eq!(found("/orgs/acme/api/v1/agents/ask"), Some((Prefix::Organization, Some("acme"), ask)));
        assert_eq!(found("/api/v1/agents/ask"), Some((Prefix::Bare, None, ask)));
        assert_eq!(found("/.well-known/jwks.json"), Some((Prefix::Root, None, "wellknown.jwks")));
        assert_eq!(
            found("/.well-known/oauth-authorization-server/t/acme/api/v1"),
            Some((Prefix::Tenant, Some("acme"), "wellknown.oauth_authorization_server"))
        );
        assert_eq!(
            found("/.well-known/openid-configuration/orgs/acme/api/v1"),
            Some((Prefix::Organization, Some("acme"), "wellknown.openid_configuration"))
        );
        assert_eq!(found("/t/acme/api/v1/agents/fly"), Some((Prefix::Tenant, Some("acme"), UNKNOWN)));
    }

    #[test]
    fn a_path_written_in_another_way_is_another_path() {
        for path in [
            "",
            "*",
            "/",
            "/t/acme",
            "/t//api/v1/agents/ask",
            "/t/acme/api/v2/agents/ask",
            "/T/acme/api/v1/agents/ask",
            "//t/acme/api/v1/agents/ask",
            "/.well-known/nothing",
            "/.well-known/oauth-authorization-server/t/a/b/api/v1",
        ] {
            assert!(find(path, &Method::GET).is_none(), "{path}");
        }
        for path in
            ["/t/acme/api/v1/agents/ask/", "/t/acme/api/v1/agents%2Fask", "/t/acme/api/v1//agents/ask"]
        {
            assert!(find(path, &Method::GET).unwrap().service.is_none(), "{path}");
        }
    }

    #[test]
    fn ids_are_one_segment() {
        let found = |path: &str| {
            let target = find(path, &Method::GET).unwrap();
            (target.service.map_or(UNKNOWN, |service| service.route.name()), target.id.to_owned())
        };
        let id = |name, id: &str| (name, id.to_owned());
        assert_eq!(found("/t/a/api/v1/mcp/servers"), id("mcp.servers.list", ""));
        assert_eq!(found("/t/a/api/v1/mcp/servers/mcp_1"), id("mcp.servers.get", "mcp_1"));
        assert_eq!(found("/api/v1/mcp/mcp_1/challenge"), id("mcp.challenge", "mcp_1"));
        let metadata = id("wellknown.oauth_protected_resource.mcp", "x");
        assert_eq!(found("/.well-known/oauth-protected-resource/mcp/x"), metadata);
        assert_eq!(found("/t/a/api/v1/.well-known/oauth-protected-resource/mcp/x"), metadata);
        for path in
            ["mcp/servers/", "mcp/servers/a/b", "mcp//challenge", "mcp/challenge", "mcp/a/b/challenge"]
        {
            assert_eq!(found(&format!("/api/v1/{path}")).0, UNKNOWN, "{path}");
        }
    }

    /// Routes that are served though the library has no operation for them, and why.
    const OTHERS: &[(&str, &str)] = &[
        ("oauth.device", "a page for people"),
        ("wellknown.oauth_protected_resource.mcp", "read at the resource's own well-known place"),
        ("mcp.servers.list", "for people who look around"),
        ("mcp.servers.get", "for people who look around"),
        ("mcp.challenge", "what a server of the tenant's says"),
        ("abac.check_batch", "another form of abac.check_bulk"),
        ("abac.resource_attributes.set", "another form of abac.resource_attribute.set"),
        ("abac.attributes.list", "for administrators"),
        ("abac.attributes.create", "for administrators"),
        ("abac.attributes.get", "for administrators"),
        ("abac.attributes.update", "for administrators"),
        ("abac.attributes.patch", "for administrators"),
        ("abac.attributes.delete", "for administrators"),
        ("abac.policies.list", "for administrators"),
        ("abac.policies.create", "for administrators"),
        ("abac.policies.get", "for administrators"),
        ("abac.policies.update", "for administrators"),
        ("abac.policies.patch", "for administrators"),
        ("abac.policies.delete", "for administrators"),
        ("abac.policies.toggle", "for administrators"),
        ("documents.list", "an API to try tokens on"),
        ("aauth.portal", "a page for people"),
        ("aauth.agents.jwks", "an agent's own document"),
        ("aauth.agents.metadata", "an agent's own document"),
        ("aauth.resources.jwks", "a resource's own document"),
        ("aauth.resources.metadata", "a resource's own document"),
        ("aauth.demo.metadata", "a resource to try tokens on"),
        ("aauth.demo.token", "a resource to try tokens on"),
        ("aauth.demo.data", "a resource to try tokens on"),
        ("jit.demo", "a resource that wants a permission"),
        ("jit.status", "another form of jit.request.status, by the task"),
    ];

    #[test]
    fn every_route_of_the_library_is_served_and_every_other_has_a_reason() {
        for route in routes::all() {
            let path = format!("/api/v1/{}", route.path());
            let served = find(&path, &route.method())
                .and_then(|target| target.service)
                .map(|service| (service.route.name(), service.allow));
            let (name, allow) = served.unwrap_or((UNKNOWN, ""));
            assert_eq!(name, route.name());
            assert!(allow.split(", ").any(|method| method == route.method()), "{name}: {allow}");
        }
        let names: Vec<_> = all().map(|service| service.route.name()).collect();
        for name in &names {
            let called = routes::all().any(|route| route.name() == *name);
            let other = OTHERS.iter().any(|(other, reason)| other == name && !reason.is_empty());
            assert!(called != other, "{name}: an operation, or a reason why there is none");
        }
        assert!(OTHERS.iter().all(|(name, _)| names.contains(name)));
    }

    #[test]
    fn names_are_unique() {
        assert!(all().count() >= 40);
        for service in all() {
            assert_eq!(all().filter(|other| other.route.name() == service.route.name()).count(), 1);
            assert!(is_name(service.route.name()));
        }
        assert!(!is_name("agents.fly"));
    }
}
