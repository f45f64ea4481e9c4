//! Which route, layout and tenant a path means. Routes that the library calls are its own constants.

use crate::emulator::values::layout::Prefix;
use crate::operations::routes;
use crate::route::Route;

/// The name under which requests to no route are logged.
pub(super) const UNKNOWN: &str = "unknown";

/// What is behind a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A route that the library calls.
    Known(Route),
    /// The page where a person enters a device's code.
    DevicePage,
    /// The API to try tokens on.
    Documents,
    McpServers,
    /// One MCP server.
    McpServer,
    McpChallenge,
    /// The metadata of one MCP server.
    McpMetadata,
    /// The page where a person consents to what an agent of AAuth asks for.
    AAuthPortal,
    /// The keys of one agent of AAuth.
    AAuthAgentKeys,
    AAuthAgentDocument,
    /// The keys of one resource of AAuth.
    AAuthResourceKeys,
    AAuthResourceDocument,
    /// A resource of AAuth that is served here.
    AAuthDemo(DemoPlace),
}

/// What is behind the identifier of a served resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DemoPlace {
    Document,
    Token,
    Data,
}

impl Place {
    /// The id in the path, if the path is this place's; empty for places without one.
    fn id(self, path: &str) -> Option<&str> {
        let fixed = |own: &str| (path == own).then_some("");
        let one = |id: &'_ str| -> bool { !id.is_empty() && !id.contains('/') };
        match self {
            Place::Known(route) => fixed(route.path()),
            Place::DevicePage => fixed("oauth/device"),
            Place::Documents => fixed("documents"),
            Place::McpServers => fixed("mcp/servers"),
            Place::McpServer => path.strip_prefix("mcp/servers/").filter(|id| one(id)),
            Place::McpChallenge => path.strip_prefix("mcp/")?.strip_suffix("/challenge").filter(|id| one(id)),
            Place::McpMetadata => path
                .strip_prefix(routes::PROTECTED_RESOURCE.path())?
                .strip_prefix("/mcp/")
                .filter(|id| one(id)),
            // Beside the API base, and so not a path behind it.
            Place::AAuthPortal => None,
            Place::AAuthAgentKeys => between(path, "aauth/agents/", "/jwks.json"),
            Place::AAuthAgentDocument => between(path, "aauth/agents/", "/metadata"),
            Place::AAuthResourceKeys => between(path, "aauth/resources/", "/jwks.json"),
            Place::AAuthResourceDocument => between(path, "aauth/resources/", "/metadata"),
            Place::AAuthDemo(DemoPlace::Document) => between(path, DEMO, "/.well-known/aauth-resource"),
            Place::AAuthDemo(DemoPlace::Token) => between(path, DEMO, "/token"),
            Place::AAuthDemo(DemoPlace::Data) => between(path, DEMO, "/data"),
        }
    }
}

/// Where resources are served.
const DEMO: &str = "aauth-demo/";
/// Where people consent, behind `/orgs/{slug}/`.
const PORTAL: &str = "portal/aauth/authorize";

/// The one segment between a prefix and a suffix.
fn between<'p>(path: &'p str, prefix: &str, suffix: &str) -> Option<&'p str> {
    let id = path.strip_prefix(prefix)?.strip_suffix(suffix)?;
    (!id.is_empty() && !id.contains('/')).then_some(id)
}

/// One route of the emulator.
pub(super) struct Entry {
    pub place: Place,
    /// The operation's name, as in `docs/wire.md`.
    pub name: &'static str,
    /// The methods it takes, as `Allow` lists them (RFC 9110 section 10.2.1).
    pub allow: &'static str,
}

const fn known(route: Route, allow: &'static str) -> Entry {
    Entry { place: Place::Known(route), name: route.name(), allow }
}

const fn other(place: Place, name: &'static str, allow: &'static str) -> Entry {
    Entry { place, name, allow }
}

/// Every route that is served. A route that is added to the library and not here has no answer but 404.
const ENTRIES: &[Entry] = &[
    known(routes::TOKEN, "POST"),
    known(routes::AUTHORIZE, "GET, POST"),
    known(routes::PUSHED_AUTHORIZATION, "POST"),
    known(routes::DEVICE_AUTHORIZATION, "POST"),
    other(Place::DevicePage, "oauth.device", "GET, POST"),
    known(routes::REVOKE, "POST"),
    known(routes::INTROSPECT, "POST"),
    known(routes::USERINFO, "GET, HEAD, POST"),
    known(routes::ASK, "POST"),
    known(routes::ME, "GET, HEAD"),
    known(routes::REGISTER, "POST"),
    known(routes::OPENID_CONFIGURATION, "GET, HEAD"),
    known(routes::AUTHORIZATION_SERVER, "GET, HEAD"),
    known(routes::JWKS, "GET, HEAD"),
    known(routes::PROTECTED_RESOURCE, "GET, HEAD"),
    other(Place::McpMetadata, "wellknown.oauth_protected_resource.mcp", "GET, HEAD"),
    other(Place::McpServers, "mcp.servers.list", "GET, HEAD"),
    other(Place::McpServer, "mcp.servers.get", "GET, HEAD"),
    other(Place::McpChallenge, "mcp.challenge", "GET, POST"),
    other(Place::Documents, "documents.list", "GET, HEAD"),
    known(routes::aauth::TOKEN, "POST"),
    known(routes::aauth::CONSENT, "GET"),
    other(Place::AAuthPortal, "aauth.portal", "GET, POST"),
    known(routes::aauth::ISSUE, "POST"),
    known(routes::aauth::PLATFORM_TOKEN, "POST"),
    known(routes::aauth::RESOURCE_TOKEN, "POST"),
    known(routes::aauth::VERIFY_RESOURCE_TOKEN, "POST"),
    known(routes::aauth::VERIFY_AUTH_TOKEN, "POST"),
    known(routes::aauth::REVOKE, "POST"),
    known(routes::aauth::KEYS, "GET, HEAD"),
    known(routes::aauth::ISSUER, "GET, HEAD"),
    known(routes::aauth::AGENTS, "GET, HEAD"),
    known(routes::aauth::RESOURCES, "GET, HEAD"),
    other(Place::AAuthAgentKeys, "aauth.agents.jwks", "GET, HEAD"),
    other(Place::AAuthAgentDocument, "aauth.agents.metadata", "GET, HEAD"),
    other(Place::AAuthResourceKeys, "aauth.resources.jwks", "GET, HEAD"),
    other(Place::AAuthResourceDocument, "aauth.resources.metadata", "GET, HEAD"),
    other(Place::AAuthDemo(DemoPlace::Document), "aauth.demo.metadata", "GET, HEAD"),
    other(Place::AAuthDemo(DemoPlace::Token), "aauth.demo.token", "POST"),
    other(Place::AAuthDemo(DemoPlace::Data), "aauth.demo.data", "GET, HEAD, POST, PUT, DELETE"),
];

/// The route of a path behind the API base, and the id in it.
fn behind(path: &str) -> (Option<&'static Entry>, &str) {
    let found = ENTRIES.iter().find_map(|entry| Some((entry, entry.place.id(path)?)));
    found.map_or((None, ""), |(entry, id)| (Some(entry), id))
}

/// True if requests can be logged under this name.
pub(super) fn is_name(name: &str) -> bool {
    name == UNKNOWN || ENTRIES.iter().any(|entry| entry.name == name)
}

/// What a path means.
pub(super) struct Target<'p> {
    pub prefix: Prefix,
    /// The slug in the path; none in the layouts that do without.
    pub slug: Option<&'p str>,
    /// The route; none if there is none of that path.
    pub entry: Option<&'static Entry>,
    /// The id in the path, where the route has one.
    pub id: &'p str,
}

/// Reads a path behind the base URL's own. None if it is in no layout. Nothing is decoded or tidied up: a path that is
/// written in another way is another path.
pub(super) fn find(path: &str) -> Option<Target<'_>> {
    let target = |prefix, slug, (entry, id)| Some(Target { prefix, slug, entry, id });
    for (start, prefix) in [("/t/", Prefix::Tenant), ("/orgs/", Prefix::Organization)] {
        if let Some(rest) = path.strip_prefix(start) {
            let (slug, rest) = rest.split_once('/')?;
            if rest == PORTAL && prefix == Prefix::Organization && !slug.is_empty() {
                let portal = ENTRIES.iter().find(|entry| entry.place == Place::AAuthPortal);
                return target(prefix, Some(slug), (portal, ""));
            }
            let rest = rest.strip_prefix("api/v1/").filter(|_| !slug.is_empty())?;
            return target(prefix, Some(slug), behind(rest));
        }
    }
    if let Some(rest) = path.strip_prefix("/api/v1/") {
        return target(Prefix::Bare, None, behind(rest));
    }
    let rest = path.strip_prefix('/')?;
    if !rest.starts_with(".well-known/") {
        return None;
    }
    let found = behind(rest);
    if found.0.is_some() {
        return target(Prefix::Root, None, found);
    }
    // RFC 8414 section 3.1: the well-known part goes between the host and the issuer's path.
    let metadata = routes::AUTHORIZATION_SERVER.path();
    let issuer = rest.strip_prefix(metadata)?;
    for (start, prefix) in [("/t/", Prefix::Tenant), ("/orgs/", Prefix::Organization)] {
        let slug = issuer.strip_prefix(start).and_then(|rest| rest.strip_suffix("/api/v1"));
        if let Some(slug) = slug.filter(|slug| !slug.is_empty() && !slug.contains('/')) {
            return target(prefix, Some(slug), behind(metadata));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> Option<(Prefix, Option<&str>, &'static str)> {
        find(path)
            .map(|target| (target.prefix, target.slug, target.entry.map_or(UNKNOWN, |entry| entry.name)))
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
            assert!(find(path).is_none(), "{path}");
        }
        for path in
            ["/t/acme/api/v1/agents/ask/", "/t/acme/api/v1/agents%2Fask", "/t/acme/api/v1//agents/ask"]
        {
            assert!(find(path).unwrap().entry.is_none(), "{path}");
        }
    }

    #[test]
    fn ids_are_one_segment() {
        let found = |path: &str| {
            let target = find(path).unwrap();
            (target.entry.map_or(UNKNOWN, |entry| entry.name), target.id.to_owned())
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
        ("documents.list", "an API to try tokens on"),
        ("aauth.portal", "a page for people"),
        ("aauth.agents.jwks", "an agent's own document"),
        ("aauth.agents.metadata", "an agent's own document"),
        ("aauth.resources.jwks", "a resource's own document"),
        ("aauth.resources.metadata", "a resource's own document"),
        ("aauth.demo.metadata", "a resource to try tokens on"),
        ("aauth.demo.token", "a resource to try tokens on"),
        ("aauth.demo.data", "a resource to try tokens on"),
    ];

    #[test]
    fn every_route_of_the_library_is_served_and_every_other_has_a_reason() {
        for route in routes::all() {
            let path = format!("/api/v1/{}", route.path());
            let entry = find(&path).and_then(|target| target.entry).map(|entry| (entry.name, entry.allow));
            let (name, allow) = entry.unwrap_or((UNKNOWN, ""));
            assert_eq!(name, route.name());
            assert!(allow.split(", ").any(|method| method == route.method()), "{name}: {allow}");
        }
        let names: Vec<_> = ENTRIES.iter().map(|entry| entry.name).collect();
        for name in &names {
            let called = routes::all().any(|route| route.name() == *name);
            let other = OTHERS.iter().any(|(other, reason)| other == name && !reason.is_empty());
            assert!(called != other, "{name}: an operation, or a reason why there is none");
        }
        assert!(OTHERS.iter().all(|(name, _)| names.contains(name)));
    }

    #[test]
    fn names_are_unique() {
        for entry in ENTRIES {
            assert_eq!(ENTRIES.iter().filter(|other| other.name == entry.name).count(), 1);
            assert!(is_name(entry.name));
        }
        assert!(!is_name("agents.fly"));
    }
}
