//! Which route, layout and tenant a path means. Paths come from the library's one route table, [`Route::path`].

use crate::site::Route;

/// The name under which requests to no route are logged.
pub(super) const UNKNOWN: &str = "unknown";

/// One route of the emulator.
pub(super) struct Entry {
    pub route: Route,
    /// The operation's name, as in `docs/wire.md`.
    pub name: &'static str,
    /// The methods it takes, as `Allow` lists them (RFC 9110 section 10.2.1).
    pub allow: &'static str,
}

/// Every route that is served. A route that is added to the library and not here has no answer but 404.
const ENTRIES: &[Entry] = &[
    Entry { route: Route::Token, name: "oauth.token", allow: "POST" },
    Entry { route: Route::UserInfo, name: "oauth.userinfo", allow: "GET, HEAD, POST" },
    Entry { route: Route::Ask, name: "agents.ask", allow: "POST" },
    Entry { route: Route::Me, name: "agents.me", allow: "GET, HEAD" },
    Entry { route: Route::Register, name: "agents.register", allow: "POST" },
    Entry { route: Route::OpenIdConfiguration, name: "wellknown.openid_configuration", allow: "GET, HEAD" },
    Entry {
        route: Route::AuthorizationServerMetadata,
        name: "wellknown.oauth_authorization_server",
        allow: "GET, HEAD",
    },
    Entry { route: Route::Jwks, name: "wellknown.jwks", allow: "GET, HEAD" },
];

/// True if requests can be logged under this name.
pub(super) fn is_name(name: &str) -> bool {
    name == UNKNOWN || ENTRIES.iter().any(|entry| entry.name == name)
}

/// How the path names the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    /// `/t/{slug}/api/v1`.
    Tenant,
    /// `/orgs/{slug}/api/v1`.
    Organization,
    /// `/api/v1`: the first tenant.
    Bare,
    /// `/.well-known/...` at the root: the first tenant, described in the tenant layout.
    Root,
}

/// What a path means.
pub(super) struct Target<'p> {
    pub prefix: Prefix,
    /// The slug in the path; none in the layouts that do without.
    pub slug: Option<&'p str>,
    /// The route; none if there is none of that path.
    pub entry: Option<&'static Entry>,
}

/// Reads a path behind the base URL's own. None if it is in no layout. Nothing is decoded or tidied up: a path that is
/// written in another way is another path.
pub(super) fn find(path: &str) -> Option<Target<'_>> {
    let behind = |rest: &str| ENTRIES.iter().find(|entry| entry.route.path() == rest);
    let slugged = |rest: &'_ str| -> Option<(usize, Option<&'static Entry>)> {
        let (slug, rest) = rest.split_once('/')?;
        let rest = rest.strip_prefix("api/v1/")?;
        (!slug.is_empty()).then(|| (slug.len(), behind(rest)))
    };
    for (start, prefix) in [("/t/", Prefix::Tenant), ("/orgs/", Prefix::Organization)] {
        if let Some(rest) = path.strip_prefix(start) {
            let (length, entry) = slugged(rest)?;
            return Some(Target { prefix, slug: rest.get(..length), entry });
        }
    }
    if let Some(rest) = path.strip_prefix("/api/v1/") {
        return Some(Target { prefix: Prefix::Bare, slug: None, entry: behind(rest) });
    }
    let rest = path.strip_prefix('/')?;
    if !rest.starts_with(".well-known/") {
        return None;
    }
    if let Some(entry) = behind(rest) {
        return Some(Target { prefix: Prefix::Root, slug: None, entry: Some(entry) });
    }
    // RFC 8414 section 3.1: the well-known part goes between the host and the issuer's path.
    let metadata = Route::AuthorizationServerMetadata.path();
    let issuer = rest.strip_prefix(metadata)?;
    for (start, prefix) in [("/t/", Prefix::Tenant), ("/orgs/", Prefix::Organization)] {
        let slug = issuer.strip_prefix(start).and_then(|rest| rest.strip_suffix("/api/v1"));
        if let Some(slug) = slug.filter(|slug| !slug.is_empty() && !slug.contains('/')) {
            return Some(Target { prefix, slug: Some(slug), entry: behind(metadata) });
        }
    }
    None
}

/// The API base of a tenant, behind the base URL: `/t/{slug}/api/v1`.
pub(super) fn api_base(prefix: Prefix, slug: &str) -> String {
    match prefix {
        Prefix::Tenant | Prefix::Root => format!("/t/{slug}/api/v1"),
        Prefix::Organization => format!("/orgs/{slug}/api/v1"),
        Prefix::Bare => "/api/v1".to_owned(),
    }
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
    fn names_are_unique() {
        for entry in ENTRIES {
            assert_eq!(ENTRIES.iter().filter(|other| other.name == entry.name).count(), 1);
            assert!(is_name(entry.name));
        }
        assert!(!is_name("agents.fly"));
    }
}
