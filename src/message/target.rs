//! The URL as it is signed and sent: canonical, and taken apart into what the signature covers.

use std::borrow::Cow;

use std::fmt;

use http::Uri;
use http::uri::Scheme;

use crate::error::InputError;
use crate::origin::host_and_port;

/// The longest URL that is signed or checked, in bytes.
pub(crate) const LONGEST_URL: usize = 8 * 1024;

/// A URL in its canonical form (`docs/wire.md`, aauth-url): scheme and host in lower case, an IPv6 address compressed, the
/// port only if it is not the scheme's default, an empty path as `/`, no fragment, no bare `?`. Percent-encoding is left
/// as it is. What is signed is this form, so this form is what must be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    uri: Uri,
    /// Where the query starts in path and query, its `?` included; the end if there is none.
    query_at: usize,
}

impl fmt::Debug for Target {
    /// Without the query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("authority", &self.authority())
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

impl Target {
    /// Reads an absolute URL.
    ///
    /// # Errors
    /// [`InputError`] for another scheme than `http` and `https`, user information, a host beyond ASCII (write it as its
    /// A-label, `xn--...`) or not valid, a port out of range, blanks, control characters or characters beyond ASCII in path
    /// or query (percent-encode them), and more than 8 KiB.
    pub fn parse(url: &str) -> Result<Self, InputError> {
        let bad = |problem| InputError::new("url", problem);
        if url.len() > LONGEST_URL {
            return Err(bad("is longer than 8 KiB"));
        }
        let (scheme, rest) = url.split_once("://").ok_or(bad("is not an absolute URL"))?;
        let (scheme, default) = match scheme {
            _ if scheme.eq_ignore_ascii_case("https") => (Scheme::HTTPS, 443),
            _ if scheme.eq_ignore_ascii_case("http") => (Scheme::HTTP, 80),
            _ => return Err(bad("is neither http nor https")),
        };
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(bad("has a user name or password in it, which is never sent"));
        }
        if !authority.is_ascii() {
            return Err(bad("has a host beyond ASCII: write it as its A-label (xn--...)"));
        }
        let (host, port) = host_and_port(authority).ok_or(bad("has a host or port that is not valid"))?;
        let authority = match port {
            Some(port) if port != default => format!("{host}:{port}"),
            _ => host,
        };
        let tail = tail.strip_suffix('?').filter(|bare| !bare.contains('?')).unwrap_or(tail);
        let tail = if tail.starts_with('/') { Cow::Borrowed(tail) } else { Cow::Owned(format!("/{tail}")) };
        if !tail.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(bad(
                "has a blank, a control character or a character beyond ASCII in its path or query: percent-encode it",
            ));
        }
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(authority.as_str())
            .path_and_query(&*tail)
            .build()
            .map_err(|_| {
                bad("has a character in its path or query that cannot be sent: percent-encode it")
            })?;
        // What is signed is what is sent: a parser that changed anything would break that.
        if uri.path_and_query().is_none_or(|own| own.as_str() != tail) {
            return Err(bad("has a character in its path or query that cannot be sent: percent-encode it"));
        }
        let query_at = tail.find('?').unwrap_or(tail.len());
        Ok(Target { uri, query_at })
    }

    /// The URL to send.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// `@authority`: the host in lower case, and the port if it is not the scheme's default.
    pub fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    fn path_and_query(&self) -> &str {
        self.uri.path_and_query().map_or("/", |tail| tail.as_str())
    }

    /// `@path`: as it is sent, never empty.
    pub fn path(&self) -> &str {
        self.path_and_query().get(..self.query_at).unwrap_or("/")
    }

    /// `@query`: with its `?`; `None` if the URL has no query.
    pub fn query(&self) -> Option<&str> {
        self.path_and_query().get(self.query_at..).filter(|query| !query.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_become_canonical() {
        for (written, sent) in [
            ("HTTPS://API.Example.com:443/v1/Data", "https://api.example.com/v1/Data"),
            ("https://api.example.com", "https://api.example.com/"),
            ("https://api.example.com?", "https://api.example.com/"),
            ("https://api.example.com/?", "https://api.example.com/"),
            ("https://api.example.com?a=b", "https://api.example.com/?a=b"),
            ("https://api.example.com/x??", "https://api.example.com/x??"),
            ("https://api.example.com/x?a=b?", "https://api.example.com/x?a=b?"),
            ("https://api.example.com/x#part?no", "https://api.example.com/x"),
            ("https://api.example.com/x?#part", "https://api.example.com/x"),
            ("https://api.example.com:/x", "https://api.example.com/x"),
            ("https://api.example.com:0443/x", "https://api.example.com/x"),
            ("http://localhost:80/", "http://localhost/"),
            ("http://localhost:443/", "http://localhost:443/"),
            ("https://[2001:DB8:0:0:0:0:0:1]:8443/", "https://[2001:db8::1]:8443/"),
            ("https://h/%e4%BD?q=%2f", "https://h/%e4%BD?q=%2f"),
            ("https://h/a/../b/./c", "https://h/a/../b/./c"),
            ("https://h//a", "https://h//a"),
        ] {
            let target = Target::parse(written).unwrap();
            assert_eq!(target.uri().to_string(), sent, "{written}");
            assert_eq!(Target::parse(sent).unwrap(), target, "{written}: canonical is canonical");
            let whole = format!("{}{}", target.path(), target.query().unwrap_or_default());
            assert_eq!(target.uri().path_and_query().unwrap().as_str(), whole, "{written}");
        }
    }

    #[test]
    fn what_cannot_be_signed_says_why() {
        for (written, expected) in [
            ("", "absolute"),
            ("/v1/data", "absolute"),
            ("ftp://h/", "neither http nor https"),
            ("https://user:pw@h/", "user name"),
            ("https://user@h/", "user name"),
            ("https://bücher.example/", "A-label"),
            ("https:///x", "host"),
            ("https://h:0/", "port"),
            ("https://h:65536/", "port"),
            ("https://h:+1/", "port"),
            ("https://[::1/", "host"),
            ("https://[fe80::1%25eth0]/", "host"),
            ("https://a%2eb/", "host"),
            ("https://h\\x/", "host"),
            ("https://h/a b", "percent-encode"),
            ("https://h/a\r\nb", "percent-encode"),
            ("https://h/ü", "percent-encode"),
            ("https://h/?ü", "percent-encode"),
        ] {
            let error = Target::parse(written).unwrap_err();
            assert!(error.to_string().contains(expected), "{written}: {error}");
            assert_eq!(error.argument(), "url");
        }
        let long = format!("https://h/{}", "a".repeat(LONGEST_URL));
        assert!(Target::parse(&long).unwrap_err().to_string().contains("8 KiB"));
    }
}
