//! Where this service is for browsers, and which paths are its own.

use crate::error::ConfigError;
use crate::origin::{Origin, parse_base};
use crate::path::decode_fully;

/// The longest path that a browser is sent back to.
const LONGEST: usize = 1024;

/// The public URL of the service: never what a request says of itself.
pub(crate) struct PublicUrl {
    origin: Origin,
    /// Without slash at the end.
    base: String,
}

impl PublicUrl {
    pub(crate) fn parse(url: &str) -> Result<Self, ConfigError> {
        let (origin, base) = parse_base("public_url", url)?;
        // A cookie's path ends at a semicolon.
        if base.contains(';') {
            let problem = "its path has a semicolon, which no cookie's path can have";
            return Err(ConfigError::BadUrl { setting: "public_url", problem });
        }
        Ok(PublicUrl { origin, base })
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The path that everything is behind, without slash at the end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The whole URL of a path that was checked.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// The path that the service's own pages begin with.
    pub(crate) fn home(&self) -> String {
        format!("{}/", self.base)
    }

    /// True if a browser that is sent there stays on this site, whatever it, or a proxy, decodes or tidies up on the way: a path behind the
    /// public URL's, in visible ASCII, that no decoding makes begin with two slashes or hold a backslash, a control character or a dot segment.
    pub(crate) fn is_own(&self, path: &str) -> bool {
        if path.len() > LONGEST || !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return false;
        }
        let bare = path.split(['?', '#']).next().unwrap_or_default();
        let Some(rest) = bare.strip_prefix(self.base.as_str()) else { return false };
        let is_behind = rest.starts_with('/') || (rest.is_empty() && !self.base.is_empty());
        let decoded = decode_fully(bare);
        let is_plain = !decoded.contains(|letter: char| letter.is_control() || letter == '\\');
        let has_dots = decoded.split('/').any(|piece| matches!(piece.trim(), "." | ".."));
        is_behind && is_plain && !has_dots && !decoded.starts_with("//")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_paths() {
        let site = PublicUrl::parse("https://app.example").unwrap();
        for own in
            ["/", "/a", "/a/b?next=https%3A%2F%2Fevil.example#x", "/a//b", "/%C3%BC", "/a?x=//y", "/@evil"]
        {
            assert!(site.is_own(own), "{own}");
        }
        let within = PublicUrl::parse("https://app.example/team/app/").unwrap();
        for own in ["/team/app", "/team/app/", "/team/app?x", "/team/app/a/b"] {
            assert!(within.is_own(own), "{own}");
        }
        for other in
            ["/", "/team", "/team/application", "/team/app/../other", "//team/app", "/team/app/%2e%2e/"]
        {
            assert!(!within.is_own(other), "{other}");
        }
    }

    #[test]
    fn places_of_others() {
        let site = PublicUrl::parse("https://app.example").unwrap();
        for other in [
            "",
            "a",
            "?a",
            "#a",
            "https://evil.example/",
            "HTTPS:evil.example",
            "javascript:alert(1)",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/a\\b",
            "/%5Cevil.example",
            "/%5cevil.example",
            "/%255Cevil.example",
            "/%2Fevil.example",
            "/%252fevil.example",
            "/%25252Fevil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/%09/evil.example",
            "/%0d%0aSet-Cookie:x",
            "/%00",
            "/ /evil.example",
            " //evil.example",
            "/./evil",
            "/..//evil.example",
            "/.%2e/evil",
            "/%2e%2e%2fevil",
            "/\u{fc}",
            "/\u{ff0f}evil.example",
        ] {
            assert!(!site.is_own(other), "{other:?}");
        }
        assert!(site.is_own(&format!("/{}", "a".repeat(LONGEST - 1))));
        assert!(!site.is_own(&format!("/{}", "a".repeat(LONGEST))));
    }

    #[test]
    fn public_urls() {
        for bad in [
            "",
            "app.example",
            "http://app.example",
            "https://a/?b",
            "https://a/#b",
            "https://u@a",
            "https://a/b;c",
        ] {
            assert!(PublicUrl::parse(bad).is_err(), "{bad}");
        }
        let local = PublicUrl::parse("http://127.0.0.1:3000/").unwrap();
        assert_eq!((local.base(), local.home()), ("", "/".to_owned()));
        assert_eq!(local.at("/a"), "http://127.0.0.1:3000/a");
    }
}
