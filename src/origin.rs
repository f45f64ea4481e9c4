//! Scheme, host and port, which is what a credential is bound to; absolute URLs taken apart.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;
use http::uri::Scheme;

use crate::error::{ConfigError, InputError};
use crate::path::{LONGEST_URL, decode_fully, encode, path_and_query, too_long};

/// Scheme, host and port: what a credential is bound to. Compared whole, never by prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    https: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of an absolute `http` or `https` URL.
    ///
    /// # Errors
    /// [`ConfigError`] as [`Site::new`](crate::Site::new).
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
        let port = port(url, if https { 443 } else { 80 })?;
        Some(Origin { https, host, port })
    }

    /// The origin of a URL whose host and port are written as they can be sent: no user name, no number for an address.
    #[cfg_attr(not(any(feature = "ureq", feature = "reqwest")), allow(dead_code))]
    pub(crate) fn plain(url: &Uri) -> Option<Self> {
        let https = match url.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let (host, port) = host_and_port(url.authority()?.as_str())?;
        Some(Origin { https, host, port: port.unwrap_or(if https { 443 } else { 80 }) })
    }

    /// True if the URL is on this origin, which is what [`Origin::of`] would make of it.
    pub fn is_of(&self, url: &Uri) -> bool {
        self.is_plainly_of(url) || self.is_somehow_of(url)
    }

    /// The usual case, told by comparing bytes: the host in lower case, nothing in front of it.
    fn is_plainly_of(&self, url: &Uri) -> bool {
        let (scheme, default) = if self.https { (&Scheme::HTTPS, 443) } else { (&Scheme::HTTP, 80) };
        let rest = url.authority().and_then(|authority| authority.as_str().strip_prefix(self.host.as_str()));
        url.scheme() == Some(scheme)
            && rest.is_some_and(|rest| match rest.strip_prefix(':') {
                Some(port) => port.parse() == Ok(self.port),
                None => rest.is_empty() && self.port == default,
            })
    }

    fn is_somehow_of(&self, url: &Uri) -> bool {
        let (scheme, default) = if self.https { ("https", 443) } else { ("http", 80) };
        url.scheme_str() == Some(scheme)
            && url.host().is_some_and(|host| host.eq_ignore_ascii_case(&self.host))
            && port(url, default) == Some(self.port)
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

    /// The URL of a checked path on this origin.
    pub(crate) fn at(&self, path: impl AsRef<str>) -> Option<Uri> {
        let scheme = if self.https { Scheme::HTTPS } else { Scheme::HTTP };
        Uri::builder().scheme(scheme).authority(self.authority()).path_and_query(path.as_ref()).build().ok()
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

/// The port of a URL; none if what stands in its place is no port.
fn port(url: &Uri, default: u16) -> Option<u16> {
    let authority = url.authority()?.as_str();
    let behind = authority.rsplit_once('@').map_or(authority, |(_, behind)| behind);
    match behind.get(url.host()?.len()..)? {
        "" | ":" => Some(default),
        rest => rest
            .strip_prefix(':')
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?
            .parse()
            .ok(),
    }
}

/// True if two texts name the same resource (RFC 8707): byte for byte, but for the case of scheme and host, the port that the
/// scheme has by default, and a path of `/` that may be left out. Nothing is decoded and no dot segment removed. Issuers and
/// redirect URIs are never compared so.
pub(crate) fn same_resource(one: &str, other: &str) -> bool {
    one == other || parts(one).is_some_and(|one| parts(other) == Some(one))
}

/// Scheme, host, port and the rest of the URL of a resource.
fn parts(url: &str) -> Option<(bool, String, &str, &str)> {
    if url.len() > LONGEST_URL {
        return None;
    }
    let (scheme, behind) = url.split_once("://")?;
    let https = scheme.eq_ignore_ascii_case("https");
    if !https && !scheme.eq_ignore_ascii_case("http") {
        return None;
    }
    let (authority, rest) = behind.split_at(behind.find(['/', '?', '#']).unwrap_or(behind.len()));
    if authority.is_empty() || authority.contains('@') {
        return None;
    }
    // The colons of an IPv6 address stand in brackets.
    let end = authority.rfind(']').unwrap_or_default();
    let at = authority.get(end..)?.find(':').map_or(authority.len(), |at| end.saturating_add(at));
    let (host, port) = authority.split_at(at);
    let port = if port == (if https { ":443" } else { ":80" }) { "" } else { port };
    // Without a path, a query stands for itself behind the path of `/`.
    let rest = match rest.strip_prefix('/') {
        Some(behind) if behind.is_empty() || behind.starts_with(['?', '#']) => behind,
        _ => rest,
    };
    Some((https, host.to_ascii_lowercase(), port, rest))
}

/// An absolute URL given by the caller: its origin, and itself checked.
pub(crate) fn absolute(argument: &'static str, url: &str) -> Result<(Origin, Uri), InputError> {
    if url.len() > LONGEST_URL {
        return Err(too_long(argument));
    }
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
    let url = origin.at(tail).ok_or_else(|| InputError::new(argument, "is not a usable URL"))?;
    Ok((origin, url))
}

/// Takes a base URL apart: origin, and path prefix without slash at the end.
pub(crate) fn parse_base(setting: &'static str, text: &str) -> Result<(Origin, String), ConfigError> {
    let bad = |problem: &'static str| ConfigError::BadUrl { setting, problem };
    if text.is_empty() {
        return Err(bad("it is empty"));
    }
    if text.len() > LONGEST_URL {
        return Err(bad("it is longer than 8 KiB"));
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
        let mut last: &[u8] = &[];
        let valid = host.len() <= 253
            && host.as_bytes().split(|byte| *byte == b'.').all(|label| {
                last = label;
                !label.is_empty()
                    && label.len() <= 63
                    && label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            });
        if !valid {
            return None;
        }
        // A host whose last label is a number is an address (WHATWG URL, host parsing); only the plain form is taken.
        let numeric = match last {
            [b'0', b'x' | b'X', ..] => true,
            last => last.iter().all(u8::is_ascii_digit),
        };
        if numeric && host.parse::<Ipv4Addr>().is_err() {
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

    #[test]
    fn an_origin_is_compared_whole() {
        let is_of = |origin: &str, url: &str| Origin::parse(origin).unwrap().is_of(&url.parse().unwrap());
        for (origin, url) in [
            ("https://h.example", "https://h.example/x"),
            ("https://h.example", "https://H.EXAMPLE:443/"),
            ("https://h.example:8443", "https://h.example:8443/x?y"),
            ("http://127.0.0.1", "http://127.0.0.1:80/"),
            ("http://[::1]:9", "http://[::1]:9/"),
        ] {
            assert!(is_of(origin, url), "{origin} {url}");
        }
        for (origin, url) in [
            ("https://h.example", "http://h.example/"),
            ("https://h.example", "http://h.example:443/"),
            ("http://127.0.0.1", "https://127.0.0.1:80/"),
            ("https://h.example", "https://h.example.evil.test/"),
            ("https://h.example", "https://h.example.:443/"),
            ("https://h.example", "https://h.example8/"),
            ("https://h.example", "https://h.exampl/"),
            ("https://h.example", "https://h.example:444/"),
            ("https://h.example:8443", "https://h.example/"),
            ("https://h.example:8443", "https://h.example:84430/"),
            ("https://h.example", "https://xh.example/"),
            ("https://h.example", "https://evil.test/h.example"),
            ("https://h.example", "ftp://h.example/"),
            ("https://h.example", "/x"),
        ] {
            assert!(!is_of(origin, url), "{origin} {url}");
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
        for (url, ours) in [
            ("https://a.example/x", true),
            ("https://A.EXAMPLE:443", true),
            ("https://a.example.evil.test/", false),
            ("https://a.example:443.evil.test/", false),
            ("https://a.exampl/", false),
            ("https://a.examplee/", false),
            ("https://b.a.example/", false),
            ("https://a.example:4433/", false),
            ("http://a.example/", false),
            ("https://a.example@evil.test/", false),
            ("https://user@a.example/", true),
        ] {
            let Ok(uri) = url.parse::<Uri>() else { continue };
            assert_eq!(origin("https://a.example").is_of(&uri), ours, "{url}");
            assert_eq!(Origin::of(&uri) == Some(origin("https://a.example")), ours, "{url}");
        }
        assert_eq!(Origin::of(&"https://a.example/x".parse().unwrap()), Some(origin("https://a.example")));
    }

    #[test]
    fn resources_are_the_same_but_for_case_port_and_an_empty_path() {
        for (one, other) in [
            ("https://mcp.acme.test", "https://mcp.acme.test/"),
            ("https://mcp.acme.test/x", "HTTPS://MCP.acme.TEST:443/x"),
            ("http://127.0.0.1", "http://127.0.0.1:80/"),
            ("https://a.test?x=1", "https://a.test/?x=1"),
            ("https://[::1]/x", "https://[::1]:443/x"),
            ("urn:mcp:x", "urn:mcp:x"),
            ("files", "files"),
        ] {
            assert!(same_resource(one, other) && same_resource(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("https://a.test/x", "https://a.test/x/"),
            ("https://a.test/x", "https://a.test/X"),
            ("https://a.test/x", "https://a.test/%78"),
            ("https://a.test/x", "https://a.test/y/../x"),
            ("https://a.test/x", "https://a.test/x?"),
            ("https://a.test", "https://a.test//"),
            ("https://a.test", "https://a.test#"),
            ("https://a.test", "http://a.test"),
            ("https://a.test", "https://a.test:444"),
            ("https://a.test", "https://a.test:0443"),
            ("https://a.test", "https://a.test."),
            ("https://a.test", "https://a.test.evil.test"),
            ("https://a.test", "https://u@a.test"),
            ("https://a.test:443", "https://a.test:80"),
            ("http://[::1]:80", "https://[::1]:80"),
            ("urn:mcp:x", "URN:mcp:x"),
            ("files", "Files"),
            ("", "https://"),
            ("https:///x", "HTTPS:///x"),
            ("https://u@a.test/x", "https://u@A.test/x"),
        ] {
            assert!(!same_resource(one, other) && !same_resource(other, one), "{one} {other}");
        }
    }
    #[test]
    fn bounds_are_where_they_are_said_to_be() {
        let long = |length: usize| format!("https://a.test/{}", "x".repeat(length - "https://a.test/".len()));
        let upper = |length: usize| long(length).replacen("a.test", "A.test", 1);
        for (length, fits) in [(LONGEST_URL, true), (LONGEST_URL + 1, false)] {
            assert_eq!(same_resource(&long(length), &upper(length)), fits);
            assert_eq!(absolute("url", &long(length)).is_ok(), fits);
            assert_eq!(parse_base("url", &long(length)).is_ok(), fits);
        }
        let label = |length: usize| host_and_port(&format!("{}.test", "a".repeat(length))).is_some();
        assert!(label(63) && !label(64) && !label(0));
        let host = |length: usize| {
            let labels = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(length - 192)];
            host_and_port(&labels.join(".")).is_some()
        };
        assert!(host(253) && !host(254));
        assert_eq!(parse_base("url", "https://a.test/a\"b|c").unwrap().1, "/a%22b%7Cc");
    }
}
