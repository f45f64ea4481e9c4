//! Where the service is: a base URL and a tenant give every URL.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use http::Uri;

use crate::error::{ConfigError, InputError};
use crate::origin::{Origin, absolute, parse_base};
use crate::path::{has_scheme, path_and_query, segment};
use crate::route::{Base, Piece, Route, WARM_PLACES, pieces};

/// LumoAuth's cloud: the default base URL (`docs/wire.md`, S-hosts).
pub const DEFAULT_BASE_URL: &str = "https://app.lumoauth.dev";
/// LumoAuth's cloud in the European Union (`docs/wire.md`, S-hosts).
pub const EU_BASE_URL: &str = "https://eu.app.lumoauth.dev";

/// How a service arranges its paths (`docs/wire.md`, S-layouts).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `/t/{tenant}/api/v1`, the default.
    Tenant(String),
    /// `/orgs/{organization}/api/v1`, the newer form.
    Organization(String),
    /// `/api/v1` on a domain that belongs to one tenant.
    CustomDomain,
}

/// The service, as one tenant sees it. Every URL of the library comes from here.
#[derive(Clone)]
pub struct Site {
    origin: Origin,
    prefix: String,
    layout: Layout,
    /// The path of the tenant, and of its API.
    tenant: String,
    api: String,
    /// The URLs of the calls that come again and again, made once.
    warm: Arc<[OnceLock<Uri>; WARM_PLACES]>,
}

impl Site {
    /// A site from its base URL and layout. The base URL may have a path of its own and trailing slashes.
    ///
    /// # Errors
    /// [`ConfigError`] if the URL is not `http` or `https`, has user information, query or fragment, a host beyond
    /// ASCII, or is `http` to a host that is not this machine; if the tenant or organization is missing or cannot be
    /// a path segment.
    pub fn new(base_url: &str, layout: Layout) -> Result<Self, ConfigError> {
        let (origin, prefix) = parse_base("base_url", base_url)?;
        if is_of_tenant(&prefix) {
            let problem = "it goes on to a tenant or its API: give the part before /t/, /orgs/ or /api/v1, and the tenant by itself \
                           (tenant, LUMOAUTH_TENANT)";
            return Err(ConfigError::BadUrl { setting: "base_url", problem });
        }
        let slug = |name: &'static str, hint: &'static str, slug: &str| {
            if slug.is_empty() {
                return Err(ConfigError::Missing { setting: name, hint });
            }
            segment(name, slug)
                .map_err(|error| ConfigError::BadText { setting: name, problem: error.problem() })
        };
        let tenant = match &layout {
            Layout::Tenant(tenant) => {
                let hint =
                    "set it on the builder or in LUMOAUTH_TENANT (or LUMOAUTH_ORG_ID for an organization)";
                format!("{prefix}/t/{}", slug("tenant", hint, tenant)?)
            }
            Layout::Organization(organization) => {
                let hint = "set it on the builder or in LUMOAUTH_ORG_ID";
                format!("{prefix}/orgs/{}", slug("organization", hint, organization)?)
            }
            Layout::CustomDomain => prefix.clone(),
        };
        let api = format!("{tenant}/api/v1");
        Ok(Site { origin, prefix, layout, tenant, api, warm: Arc::default() })
    }

    /// A tenant of LumoAuth's cloud.
    ///
    /// # Errors
    /// [`ConfigError`] if the tenant cannot be a path segment.
    pub fn tenant(tenant: impl Into<String>) -> Result<Self, ConfigError> {
        Site::new(DEFAULT_BASE_URL, Layout::Tenant(tenant.into()))
    }

    /// The URL of a route without ids. The ids of a route that has some are left in braces, percent-encoded: give them
    /// with [`Site::url_with`].
    #[inline]
    pub fn url(&self, route: Route) -> Uri {
        match route.warm_place().and_then(|place| self.warm.get(usize::from(place))) {
            Some(warm) => warm.get_or_init(|| self.make_url(route)).clone(),
            None => self.make_url(route),
        }
    }

    /// The URL of a route with its ids, in the order of the path: each is one segment, whatever is in it.
    ///
    /// # Errors
    /// [`InputError`] for an id that cannot be a segment, as [`segment`] has it; and if there are more ids or fewer than
    /// the route has.
    pub fn url_with(&self, route: Route, ids: &[&str]) -> Result<Uri, InputError> {
        let (base, own) = self.place(route);
        let mut path = base.into_owned();
        let mut ids = ids.iter();
        for piece in pieces(own) {
            path.push('/');
            match piece {
                Piece::Fixed(text) => path.push_str(text),
                Piece::Id(name) => {
                    let id = ids.next().ok_or_else(|| InputError::new(name, "is missing"))?;
                    path.push_str(&segment(name, id)?);
                }
            }
        }
        match ids.next() {
            None => Ok(self.assemble(&path)),
            Some(_) => Err(InputError::new("ids", "are more than the route has")),
        }
    }

    #[cold]
    fn make_url(&self, route: Route) -> Uri {
        let (base, path) = self.place(route);
        let path = path.replace('{', "%7B").replace('}', "%7D");
        self.assemble(&format!("{base}/{path}"))
    }

    /// What a route's path stands behind here, and the path.
    fn place(&self, route: Route) -> (Cow<'_, str>, &'static str) {
        let base = match (route.base(), route.unprefixed_path(), &self.layout) {
            (_, Some(path), Layout::Organization(_)) => {
                return (Cow::Owned(format!("{}/api/v1", self.prefix)), path);
            }
            (Base::Api, ..) => &self.api,
            (Base::Tenant, ..) => &self.tenant,
            (Base::Root, ..) => &self.prefix,
        };
        (Cow::Borrowed(base), route.path())
    }

    /// A path of your own: `/x` behind the base URL (its own path kept), `x` behind the tenant's API base. An absolute
    /// URL is taken only if it is on this site's origin. Whatever the path contains, the URL stays on the origin.
    ///
    /// # Errors
    /// [`InputError`] for dot segments, `//` at the start, backslashes, control characters, a fragment, another origin.
    pub fn join(&self, path: &str) -> Result<Uri, InputError> {
        if has_scheme(path) {
            let (origin, url) = absolute("path", path)?;
            return if origin == self.origin {
                Ok(url)
            } else {
                Err(InputError::new(
                    "path",
                    "is a URL on another origin than the service's: a client reaches it if its builder names it with allow_origin",
                ))
            };
        }
        let checked = path_and_query("path", path)?;
        if checked.starts_with('/') {
            Ok(self.assemble(&format!("{}{checked}", self.prefix)))
        } else {
            Ok(self.assemble(&format!("{}/{checked}", self.api)))
        }
    }

    /// The origin that credentials are bound to.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The layout it was made with.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The base URL in its canonical form, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("{}{}", self.origin, self.prefix)
    }

    /// The tenant's API base, without a slash at the end. It is the issuer of the tenant's tokens as well (`iss`).
    #[doc(alias = "issuer")]
    pub fn api_base(&self) -> String {
        format!("{}{}", self.origin, self.api)
    }

    /// `path` is made of checked pieces only, so this is always a URL on the origin.
    fn assemble(&self, path: &str) -> Uri {
        self.origin.at(path).unwrap_or_default()
    }
}

/// What a site is made of; the rest follows from it.
impl PartialEq for Site {
    fn eq(&self, other: &Self) -> bool {
        (&self.origin, &self.prefix, &self.layout) == (&other.origin, &other.prefix, &other.layout)
    }
}

impl Eq for Site {}

impl Hash for Site {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.origin, &self.prefix, &self.layout).hash(state);
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Site { origin, prefix, layout, tenant: _, api, warm: _ } = self;
        f.debug_struct("Site")
            .field("origin", origin)
            .field("prefix", prefix)
            .field("layout", layout)
            .field("api", api)
            .finish()
    }
}

/// True for the path of a tenant, or of an API: what the site adds by itself.
fn is_of_tenant(prefix: &str) -> bool {
    let mut last = prefix.rsplit('/');
    let rest = match (last.next(), last.next()) {
        (Some("v1"), Some("api")) => return true,
        (Some(_), Some("t" | "orgs")) => last.next(),
        _ => None,
    };
    rest.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: Route = Route::post("agents.ask", "agents/ask");

    fn site(base: &str) -> Site {
        Site::new(base, Layout::Tenant("acme-corp".into())).unwrap()
    }

    #[test]
    fn the_three_layouts() {
        let url = |layout| Site::new(DEFAULT_BASE_URL, layout).unwrap().url(ROUTE).to_string();
        assert_eq!(url(Layout::Tenant("acme".into())), "https://app.lumoauth.dev/t/acme/api/v1/agents/ask");
        assert_eq!(
            url(Layout::Organization("acme".into())),
            "https://app.lumoauth.dev/orgs/acme/api/v1/agents/ask"
        );
        assert_eq!(url(Layout::CustomDomain), "https://app.lumoauth.dev/api/v1/agents/ask");
    }

    #[test]
    fn the_base_url_becomes_canonical() {
        assert_eq!(site("HTTPS://App.LumoAuth.dev:443//").base_url(), "https://app.lumoauth.dev");
        assert_eq!(
            site("https://gw.example.com/auth/lumo/").api_base(),
            "https://gw.example.com/auth/lumo/t/acme-corp/api/v1"
        );
        assert_eq!(site("http://127.0.0.1:8000").base_url(), "http://127.0.0.1:8000");
        assert_eq!(site("http://[0:0:0:0:0:0:0:1]:9").base_url(), "http://[::1]:9");
        assert_eq!(site("http://localhost:80/").base_url(), "http://localhost");
    }

    #[test]
    fn bad_base_urls_say_why() {
        for (base, expected) in [
            ("", "empty"),
            ("app.lumoauth.dev", "https://"),
            ("ftp://app.lumoauth.dev", "scheme"),
            ("http://app.lumoauth.dev", "use https"),
            ("http://127.0.0.1.evil.test", "use https"),
            ("http://localhost.evil.test", "use https"),
            ("http://10.0.0.1", "use https"),
            ("http://0x7f.1", "host"),
            ("http://0X7F.1", "host"),
            ("https://127.0.0.0X1", "host"),
            ("http://2130706433", "host"),
            ("http://127.1", "host"),
            ("https://user:pw@app.lumoauth.dev", "password"),
            ("https://app.lumoauth.dev?x=1", "query"),
            ("https://app.lumoauth.dev#x", "fragment"),
            ("https://app.lumoauth.dev/a/../b", "dot segment"),
            ("https://app.lumoauth.dev/%2e%2e/b", "dot segment"),
            ("https://bücher.example", "A-label"),
            ("https://a b", "blank"),
            ("https://a\r\nb", "line break"),
            ("https://", "host"),
            ("https://host:0", "port"),
            ("https://host:99999", "port"),
            ("https://host:+80", "port"),
            ("https://[::1", "host"),
        ] {
            let error = Site::new(base, Layout::CustomDomain).unwrap_err().to_string();
            assert!(error.contains(expected), "{base}: {error}");
        }
    }

    #[test]
    fn a_missing_or_bad_slug_is_a_config_error() {
        let error = Site::tenant("").unwrap_err();
        assert!(matches!(error, ConfigError::Missing { setting: "tenant", .. }), "{error}");
        let error = Site::new(DEFAULT_BASE_URL, Layout::Organization(String::new())).unwrap_err();
        assert!(matches!(error, ConfigError::Missing { setting: "organization", .. }), "{error}");
        assert!(Site::tenant("..").is_err());
        assert_eq!(Site::tenant("a/b c").unwrap().api_base(), "https://app.lumoauth.dev/t/a%2Fb%20c/api/v1");
    }

    #[test]
    fn join_keeps_the_prefix_and_the_origin() {
        let site = site("https://gw.example.com/auth");
        let joined = |path: &str| site.join(path).map(|url| url.to_string());
        assert_eq!(
            joined("/api/v1/documents?a=1&b=x%20y").unwrap(),
            "https://gw.example.com/auth/api/v1/documents?a=1&b=x%20y"
        );
        assert_eq!(joined("documents").unwrap(), "https://gw.example.com/auth/t/acme-corp/api/v1/documents");
        assert_eq!(joined("/ä b").unwrap(), "https://gw.example.com/auth/%C3%A4%20b");
        assert_eq!(joined("https://GW.example.com:443/x?y").unwrap(), "https://gw.example.com/x?y");
        assert_eq!(
            joined("agents/a:b@c").unwrap(),
            "https://gw.example.com/auth/t/acme-corp/api/v1/agents/a:b@c"
        );
        for hostile in [
            "",
            "//evil.test/x",
            "/\\evil.test",
            "\\\\evil.test",
            "/../x",
            "../x",
            "/a/%2e%2e/b",
            "/a/%252E%252e/b",
            "/a/..%2fb",
            "/x\r\nHost: evil",
            "/x#f",
            "https://evil.test/",
            "https://gw.example.com.evil.test/",
            "https://gw.example.com@evil.test/",
            "https://gw.example.com:444/",
            "http://gw.example.com/",
            "data:text/html,x",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "/a/..;/b/../c",
            "HTTPS://evil.test",
            "https://gw.example.com\\@evil.test",
            "https:evil.test",
        ] {
            assert!(site.join(hostile).is_err(), "{hostile} became {:?}", joined(hostile));
        }
    }

    #[test]
    fn every_id_is_one_segment() {
        let site = site("https://gw.example.com/x");
        let route = Route::get("a.b", "a/{one}/b/{two}");
        let url = |ids: &[&str]| site.url_with(route, ids).map(|url| url.to_string());
        assert_eq!(
            url(&["1/2", "?x#y"]).unwrap(),
            "https://gw.example.com/x/t/acme-corp/api/v1/a/1%2F2/b/%3Fx%23y"
        );
        for (ids, expected) in [
            (&[][..], "one is missing"),
            (&["1"], "two is missing"),
            (&["", "2"], "one is empty"),
            (&["1", ".."], "two contains a dot segment (\"..\")"),
            (&["1", "2", "3"], "ids are more than the route has"),
        ] {
            assert!(url(ids).unwrap_err().to_string().contains(expected), "{ids:?}: {:?}", url(ids));
        }
        assert_eq!(site.url(route).path(), "/x/t/acme-corp/api/v1/a/%7Bone%7D/b/%7Btwo%7D");
    }

    #[test]
    fn a_route_stands_behind_its_base() {
        let site = site("https://gw.example.com/x");
        let path = |route| site.url(route).path().to_owned();
        let warm = ROUTE.warm(3);
        for _ in 0..2 {
            assert_eq!(path(warm), "/x/t/acme-corp/api/v1/agents/ask");
            assert_eq!(path(warm.behind(Base::Tenant)), "/x/t/acme-corp/agents/ask");
            assert_eq!(path(warm.behind(Base::Root)), "/x/agents/ask");
        }
        let own = Site::new("https://id.example", Layout::CustomDomain).unwrap();
        assert_eq!(own.url(ROUTE.behind(Base::Tenant)), "https://id.example/agents/ask");
    }

    #[test]
    fn some_routes_take_the_organization_from_the_credential() {
        let route = Route::get("a.b", "a/{one}").unprefixed("b/a/{one}");
        let url = |layout| {
            let site = Site::new("https://gw.example.com/x", layout).unwrap();
            assert_eq!(site.url(route).path(), site.url_with(route, &["{one}"]).unwrap().path());
            site.url_with(route, &["1/2"]).unwrap().to_string()
        };
        assert_eq!(url(Layout::Tenant("acme".into())), "https://gw.example.com/x/t/acme/api/v1/a/1%2F2");
        assert_eq!(url(Layout::Organization("acme".into())), "https://gw.example.com/x/api/v1/b/a/1%2F2");
        assert_eq!(url(Layout::CustomDomain), "https://gw.example.com/x/api/v1/a/1%2F2");
    }

    #[test]
    fn a_warm_url_is_made_once_for_a_site_and_its_clones() {
        let route = ROUTE.warm(1);
        let (one, other) = (site("https://one.example"), site("https://other.example"));
        let clone = one.clone();
        let path = |site: &Site| site.url(route).path().as_ptr();
        assert_eq!(path(&one), path(&clone));
        assert_ne!(path(&one), path(&other));
        assert_eq!(other.url(route).host(), Some("other.example"));
        assert_eq!(one, clone);
    }
}
