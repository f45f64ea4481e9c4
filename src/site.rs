//! Where the service is: a base URL and a tenant give every URL. The only route table.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use http::Uri;

use crate::error::{ConfigError, InputError};

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

/// Scheme, host and port: what a credential is bound to. Compared whole, never by prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    https: bool,
    host: String,
    port: u16,
}

/// The service, as one tenant sees it. Every URL of the library comes from here.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Site {
    origin: Origin,
    prefix: String,
    layout: Layout,
    api: String,
    /// The URLs of the calls that come again and again, made once.
    warm: Arc<[(Route, Uri)]>,
}

/// Their URLs are made with the site.
const WARM: [Route; 4] = [Route::Ask, Route::Me, Route::UserInfo, Route::Introspect];

/// Every route that the library calls, by the name it has in `docs/wire.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Route {
    /// `oauth.token`: `POST oauth/token`.
    Token,
    /// `oauth.userinfo`: `GET oauth/userinfo`.
    UserInfo,
    /// `oauth.authorize`: `GET oauth/authorize`, in a person's browser.
    Authorize,
    /// `oauth.revoke`: `POST oauth/revoke` (RFC 7009).
    Revoke,
    /// `oauth.introspect`: `POST oauth/introspect` (RFC 7662).
    Introspect,
    /// `oauth.device_authorization`: `POST oauth/device_authorization` (RFC 8628).
    DeviceAuthorization,
    /// `oauth.par`: `POST oauth/par` (RFC 9126).
    PushedAuthorization,
    /// `agents.ask`: `POST agents/ask`.
    Ask,
    /// `agents.me`: `GET agents/me`.
    Me,
    /// `agents.register`: `POST agents/register`.
    Register,
    /// `wellknown.openid_configuration`.
    OpenIdConfiguration,
    /// `wellknown.oauth_authorization_server` (RFC 8414).
    AuthorizationServerMetadata,
    /// `wellknown.jwks`: the keys of the tenant's tokens.
    Jwks,
    /// `wellknown.oauth_protected_resource` (RFC 9728).
    ProtectedResource,
    /// `aauth.agent.token`: `POST aauth/agent/token`.
    AAuthToken,
    /// `aauth.agent.auth`: `GET aauth/agent/auth`, in a person's browser.
    AAuthConsent,
    /// `aauth.agent.issue`: `POST aauth/agent/issue`.
    AAuthIssue,
    /// `aauth.agent.platform_token`: `POST aauth/agent/platform-token`.
    AAuthPlatformToken,
    /// `aauth.resource.token`: `POST aauth/resource/token`.
    AAuthResourceToken,
    /// `aauth.resource.token.verify`: `POST aauth/resource/token/verify`.
    AAuthResourceTokenVerify,
    /// `aauth.auth.token.verify`: `POST aauth/auth/token/verify`.
    AAuthTokenVerify,
    /// `aauth.token.revoke`: `POST aauth/token/revoke`.
    AAuthRevoke,
    /// `aauth.jwks`: the keys that AAuth tokens are signed with, `GET aauth/jwks.json`.
    AAuthJwks,
    /// `wellknown.aauth_issuer`, behind the tenant's API base and at the root of the host.
    AAuthIssuer,
    /// `wellknown.aauth_agent`: the tenant's agents.
    AAuthAgents,
    /// `wellknown.aauth_resource`: the tenant's resources.
    AAuthResources,
}

impl Route {
    /// The path behind the tenant's API base.
    pub const fn path(self) -> &'static str {
        match self {
            Route::Token => "oauth/token",
            Route::UserInfo => "oauth/userinfo",
            Route::Authorize => "oauth/authorize",
            Route::Revoke => "oauth/revoke",
            Route::Introspect => "oauth/introspect",
            Route::DeviceAuthorization => "oauth/device_authorization",
            Route::PushedAuthorization => "oauth/par",
            Route::Ask => "agents/ask",
            Route::Me => "agents/me",
            Route::Register => "agents/register",
            Route::OpenIdConfiguration => ".well-known/openid-configuration",
            Route::AuthorizationServerMetadata => ".well-known/oauth-authorization-server",
            Route::Jwks => ".well-known/jwks.json",
            Route::ProtectedResource => ".well-known/oauth-protected-resource",
            Route::AAuthToken => "aauth/agent/token",
            Route::AAuthConsent => "aauth/agent/auth",
            Route::AAuthIssue => "aauth/agent/issue",
            Route::AAuthPlatformToken => "aauth/agent/platform-token",
            Route::AAuthResourceToken => "aauth/resource/token",
            Route::AAuthResourceTokenVerify => "aauth/resource/token/verify",
            Route::AAuthTokenVerify => "aauth/auth/token/verify",
            Route::AAuthRevoke => "aauth/token/revoke",
            Route::AAuthJwks => "aauth/jwks.json",
            Route::AAuthIssuer => ".well-known/aauth-issuer",
            Route::AAuthAgents => ".well-known/aauth-agent",
            Route::AAuthResources => ".well-known/aauth-resource",
        }
    }
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
        let slug = |name: &'static str, hint: &'static str, slug: &str| {
            if slug.is_empty() {
                return Err(ConfigError::Missing { setting: name, hint });
            }
            segment(name, slug)
                .map_err(|error| ConfigError::BadText { setting: name, problem: error.problem() })
        };
        let api = match &layout {
            Layout::Tenant(tenant) => {
                let hint =
                    "set it on the builder or in LUMOAUTH_TENANT (or LUMOAUTH_ORG_ID for an organization)";
                format!("{prefix}/t/{}/api/v1", slug("tenant", hint, tenant)?)
            }
            Layout::Organization(organization) => {
                let hint = "set it on the builder or in LUMOAUTH_ORG_ID";
                format!("{prefix}/orgs/{}/api/v1", slug("organization", hint, organization)?)
            }
            Layout::CustomDomain => format!("{prefix}/api/v1"),
        };
        let mut site = Site { origin, prefix, layout, api, warm: Arc::default() };
        site.warm = WARM.iter().map(|route| (*route, site.url(*route))).collect();
        Ok(site)
    }

    /// A tenant of LumoAuth's cloud.
    ///
    /// # Errors
    /// [`ConfigError`] if the tenant cannot be a path segment.
    pub fn tenant(tenant: impl Into<String>) -> Result<Self, ConfigError> {
        Site::new(DEFAULT_BASE_URL, Layout::Tenant(tenant.into()))
    }

    /// The URL of a route.
    pub fn url(&self, route: Route) -> Uri {
        match self.warm.iter().find(|(known, _)| *known == route) {
            Some((_, url)) => url.clone(),
            None => self.assemble(&format!("{}/{}", self.api, route.path())),
        }
    }

    /// The URL of a document that is also kept at the root: the same path behind the base URL, without the tenant.
    pub fn root_url(&self, route: Route) -> Uri {
        self.assemble(&format!("{}/{}", self.prefix, route.path()))
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
                Err(InputError::new("path", "is a URL on another origin than the service's"))
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

    /// The tenant's API base, without a slash at the end.
    pub fn api_base(&self) -> String {
        format!("{}{}", self.origin, self.api)
    }

    /// `path` is made of checked pieces only, so this is always a URL on the origin.
    fn assemble(&self, path: &str) -> Uri {
        Uri::builder()
            .scheme(if self.origin.https { "https" } else { "http" })
            .authority(self.origin.authority())
            .path_and_query(path)
            .build()
            .unwrap_or_default()
    }
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Site { origin, prefix, layout, api, warm: _ } = self;
        f.debug_struct("Site")
            .field("origin", origin)
            .field("prefix", prefix)
            .field("layout", layout)
            .field("api", api)
            .finish()
    }
}

impl Origin {
    /// The origin of an absolute `http` or `https` URL.
    ///
    /// # Errors
    /// [`ConfigError`] as [`Site::new`].
    pub fn parse(url: &str) -> Result<Self, ConfigError> {
        parse_base("origin", url).map(|(origin, _)| origin)
    }

    /// The origin of a URL that is a value already. `None` if it is not absolute, or not `http` or `https`.
    pub fn of(url: &Uri) -> Option<Self> {
        let https = match url.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = url.host()?.to_ascii_lowercase();
        let port = url.port_u16().unwrap_or(if https { 443 } else { 80 });
        Some(Origin { https, host, port })
    }

    /// True if the URL is on this origin, which is what [`Origin::of`] would make of it.
    pub fn is_of(&self, url: &Uri) -> bool {
        let (scheme, default) = if self.https { ("https", 443) } else { ("http", 80) };
        url.scheme_str() == Some(scheme)
            && url.host().is_some_and(|host| host.eq_ignore_ascii_case(&self.host))
            && url.port_u16().unwrap_or(default) == self.port
    }

    /// The host, lower case; an IPv6 address in its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's default if the URL had none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// True for `https`.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// True if the host is this machine by its own name: 127.0.0.0/8, `[::1]` or `localhost`. Whether `localhost`
    /// resolves to this machine is the transport's to check.
    pub fn is_loopback(&self) -> bool {
        if self.host == "localhost" {
            return true;
        }
        if let Some(v6) = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            return v6.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback());
        }
        self.host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
    }

    fn authority(&self) -> String {
        let default = if self.https { 443 } else { 80 };
        if self.port == default { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", if self.https { "https" } else { "http" }, self.authority())
    }
}

/// A value as exactly one path segment (RFC 3986 section 3.3): what is not unreserved is percent-encoded.
///
/// # Errors
/// [`InputError`] for values that no encoding makes safe: empty, longer than 1024 bytes, control characters, and
/// anything with a dot segment in it (`..`, `../x`, `a\..`), since servers decode before they route.
pub fn segment(argument: &'static str, value: &str) -> Result<String, InputError> {
    if value.is_empty() {
        return Err(InputError::new(argument, "is empty"));
    }
    if value.len() > 1024 {
        return Err(InputError::new(argument, "is longer than 1024 bytes"));
    }
    if value.chars().any(char::is_control) {
        return Err(InputError::new(argument, "has a control character or line break"));
    }
    // Whatever a server decodes, and however often: no piece may become a dot segment.
    let decoded = decode_fully(value);
    if decoded.split(['/', '\\']).any(|piece| matches!(piece.trim(), "." | "..")) {
        return Err(InputError::new(argument, "contains a dot segment (\"..\")"));
    }
    Ok(encode(value, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)))
}

/// Percent-decoding until nothing changes. Only for looking, never for sending.
fn decode_fully(value: &str) -> String {
    let mut current = value.as_bytes().to_vec();
    // Every round shortens the text, so it ends; dots of other alphabets count as dots.
    loop {
        let mut next = Vec::with_capacity(current.len());
        let mut rest = current.as_slice();
        while let Some((first, tail)) = rest.split_first() {
            let decoded = (*first == b'%')
                .then(|| tail.get(..2).and_then(|two| std::str::from_utf8(two).ok()))
                .flatten()
                .and_then(|two| u8::from_str_radix(two, 16).ok());
            match decoded {
                Some(byte) => {
                    next.push(byte);
                    rest = tail.get(2..).unwrap_or_default();
                }
                None => {
                    next.push(*first);
                    rest = tail;
                }
            }
        }
        if next == current {
            break;
        }
        current = next;
    }
    String::from_utf8_lossy(&current)
        .replace(['\u{2024}', '\u{ff0e}', '\u{fe52}'], ".")
        .replace('\u{2025}', "..")
}

fn encode(value: &str, keep: impl Fn(u8) -> bool) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).map_or('0', |digit| char::from(*digit));
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if keep(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(digit(byte >> 4));
            out.push(digit(byte & 15));
        }
    }
    out
}

/// A path with an optional query, checked; blanks and characters beyond ASCII are percent-encoded.
fn path_and_query(argument: &'static str, path: &str) -> Result<String, InputError> {
    if path.is_empty() {
        return Err(InputError::new(argument, "is empty"));
    }
    if path.starts_with("//") || path.starts_with("/\\") {
        return Err(InputError::new(argument, "starts with two slashes, which names another host"));
    }
    if path.chars().any(|character| character.is_control() || character == '\\') {
        return Err(InputError::new(argument, "has a control character, line break or backslash"));
    }
    if path.contains('#') {
        return Err(InputError::new(argument, "has a fragment (\"#\"), which is never sent"));
    }
    let bare = path.split('?').next().unwrap_or_default();
    if decode_fully(bare).split(['/', '\\']).any(|piece| matches!(piece.trim(), "." | "..")) {
        return Err(InputError::new(argument, "contains a dot segment (\"..\")"));
    }
    Ok(encode(path, |byte| byte.is_ascii_graphic() && !b"\"<>`{}|^".contains(&byte)))
}

fn has_scheme(text: &str) -> bool {
    let end = text.find([':', '/', '?', '#']);
    end.is_some_and(|end| {
        let (scheme, rest) = text.split_at(end);
        rest.starts_with(':')
            && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
            && (rest.starts_with("://")
                || matches!(&*scheme.to_ascii_lowercase(), "data" | "javascript" | "file" | "http" | "https"))
    })
}

/// An absolute URL given by the caller: its origin, and itself checked.
pub(crate) fn absolute(argument: &'static str, url: &str) -> Result<(Origin, Uri), InputError> {
    let lower = url.get(..8).unwrap_or(url).to_ascii_lowercase();
    if !lower.starts_with("https://") && !lower.starts_with("http://") {
        return Err(InputError::new(argument, "is a URL that is neither http nor https"));
    }
    let after = url.find("://").map_or(0, |at| at.saturating_add(3));
    let rest = url.get(after..).unwrap_or_default();
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let base = format!("{}{authority}", url.get(..after).unwrap_or_default());
    let (origin, _) = parse_base("path", &base).map_err(|error| match error {
        ConfigError::BadUrl { problem, .. } => InputError::new(argument, problem),
        ConfigError::NotHttps { .. } => {
            InputError::new(argument, "is http to a host that is not this machine")
        }
        _ => InputError::new(argument, "is not a usable URL"),
    })?;
    let tail = if tail.starts_with('/') { tail.to_owned() } else { format!("/{tail}") };
    let tail = path_and_query(argument, &tail)?;
    let url = Uri::builder()
        .scheme(if origin.https { "https" } else { "http" })
        .authority(origin.authority())
        .path_and_query(tail)
        .build()
        .map_err(|_| InputError::new(argument, "is not a usable URL"))?;
    Ok((origin, url))
}

/// Takes a base URL apart: origin, and path prefix without slash at the end.
fn parse_base(setting: &'static str, text: &str) -> Result<(Origin, String), ConfigError> {
    let bad = |problem: &'static str| ConfigError::BadUrl { setting, problem };
    if text.is_empty() {
        return Err(bad("it is empty"));
    }
    if !text.is_ascii() {
        return Err(bad(
            "it has characters beyond ASCII: write an international host as its A-label (xn--...)",
        ));
    }
    if text.bytes().any(|byte| byte.is_ascii_control() || byte == b' ' || byte == b'\\') {
        return Err(bad("it has a blank, line break, backslash or control character"));
    }
    let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("it must start with https://"))?;
    let https = match &*scheme.to_ascii_lowercase() {
        "https" => true,
        "http" => false,
        _ => return Err(bad("its scheme must be https (or http to this machine)")),
    };
    if rest.contains(['?', '#']) {
        return Err(bad("it must have no query and no fragment"));
    }
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    if authority.contains('@') {
        return Err(bad("it must have no user name or password in it"));
    }
    let (host, port) = host_and_port(authority).ok_or_else(|| bad("its host or port is not valid"))?;
    let port = port.unwrap_or(if https { 443 } else { 80 });
    let prefix = path.trim_end_matches('/');
    if prefix.split('/').skip(1).any(|piece| piece.is_empty() || matches!(&*decode_fully(piece), "." | ".."))
    {
        return Err(bad("its path has an empty or dot segment"));
    }
    let prefix = encode(prefix, |byte| byte.is_ascii_graphic() && !b"\"<>`{}|^".contains(&byte));
    let origin = Origin { https, host, port };
    if !https && !origin.is_loopback() {
        return Err(ConfigError::NotHttps { setting });
    }
    Ok((origin, prefix))
}

/// Host (lower case, an IPv6 address compressed and in brackets) and port of an authority, if they are valid.
pub(crate) fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = if authority.starts_with('[') {
        let end = authority.find(']')?;
        let (host, rest) = authority.split_at(end.saturating_add(1));
        let inner = host.get(1..end)?;
        let address: Ipv6Addr = inner.parse().ok()?;
        (format!("[{address}]"), rest.strip_prefix(':').or(rest.is_empty().then_some("")))
    } else {
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, Some("")),
        };
        // A host whose last label is a number is an address (WHATWG URL, host parsing); only the plain form is taken.
        let labels_end = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        let numeric = labels_end.starts_with(|first: char| first.is_ascii_digit())
            && (labels_end.bytes().all(|byte| byte.is_ascii_digit())
                || labels_end.to_ascii_lowercase().starts_with("0x"));
        if numeric && host.parse::<Ipv4Addr>().is_err() {
            return None;
        }
        let valid = !host.is_empty()
            && host.len() <= 253
            && host.split('.').all(|label| {
                !label.is_empty()
                    && label.len() <= 63
                    && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            });
        if !valid {
            return None;
        }
        (host.to_ascii_lowercase(), port)
    };
    match port? {
        "" => Some((host, None)),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse::<u16>().ok().filter(|port| *port != 0).map(|port| (host, Some(port)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(base: &str) -> Site {
        Site::new(base, Layout::Tenant("acme-corp".into())).unwrap()
    }

    #[test]
    fn the_three_layouts() {
        let url = |layout| Site::new(DEFAULT_BASE_URL, layout).unwrap().url(Route::Ask).to_string();
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
    fn ids_are_one_segment_or_an_error() {
        for (id, expected) in [
            ("jit_1", "jit_1"),
            ("a/b", "a%2Fb"),
            ("//evil", "%2F%2Fevil"),
            ("a;b?c#d@e", "a%3Bb%3Fc%23d%40e"),
            ("a\\b", "a%5Cb"),
            ("urn:mcp:x", "urn%3Amcp%3Ax"),
            ("100%", "100%25"),
            ("é", "%C3%A9"),
        ] {
            assert_eq!(segment("id", id).unwrap(), expected);
        }
        let long = "x".repeat(10 * 1024);
        for id in [
            "",
            ".",
            "..",
            "../",
            "..%2f",
            "%2e%2e",
            "%252e%252e",
            "..\\x",
            "a/../b",
            "a\r\nb",
            "\0",
            "\u{ff0e}\u{ff0e}",
            "\u{2025}",
            "．．/x",
            &long,
        ] {
            assert!(segment("id", id).is_err(), "{id:?}");
        }
    }

    #[test]
    fn origins_are_compared_whole() {
        let origin = |url: &str| Origin::parse(url).unwrap();
        assert_eq!(origin("https://a.example"), origin("https://A.example:443/x"));
        assert_ne!(origin("https://a.example"), origin("https://a.example:444"));
        assert_ne!(origin("https://a.example"), origin("https://a.example.evil.test"));
        assert!(origin("http://127.9.9.9:1").is_loopback());
        assert!(!origin("https://localhost.evil.test").is_loopback());
        assert_eq!(Origin::of(&"https://a.example/x".parse().unwrap()), Some(origin("https://a.example")));
    }
}
