//! Where a request goes, as both transports read its URL. What leaves is what was checked, and perhaps signed: what
//! servers, proxies or name services would read as something else is refused.

use http::Uri;

use crate::error::{TransportError, TransportFault};
use crate::origin::Origin;

/// The origin of a URL that may be sent.
///
/// # Errors
/// [`TransportFault::Refused`] for plain http to another machine, a host that is written as a number, a user name, and
/// dot segments.
pub(super) fn target(url: &Uri) -> Result<Origin, TransportError> {
    let refused = |message| TransportError::not_sent(TransportFault::Refused, message);
    if !matches!(url.scheme_str(), Some("https" | "http")) {
        return Err(refused("the URL is not one of http or https"));
    }
    // `127.1` and `0x7f.1` are addresses to some and names to others.
    let origin =
        Origin::plain(url).ok_or_else(|| refused("the URL's host cannot be sent as it is written"))?;
    if !origin.is_https() && !origin.is_loopback() {
        return Err(refused("plain http to a host that is not this machine is refused"));
    }
    // Most paths have neither, and are looked at once.
    let suspect = url.path().bytes().any(|byte| matches!(byte, b'.' | b'%'));
    if suspect && url.path().split('/').any(is_dots) {
        return Err(refused("the URL has a segment of dots, which would be rewritten on its way"));
    }
    Ok(origin)
}

/// True for `.` and `..`, percent-encoded or not.
fn is_dots(segment: &str) -> bool {
    if segment.len() > 6 {
        return false;
    }
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_sent() {
        for url in [
            "https://service.test/a/.b/..c/...?x=/../'",
            "http://127.0.0.1:1/",
            "http://localhost/",
            "http://[::1]:80/%2e%2ea",
            "https://192.0.2.1:8443/",
            "https://EXAMPLE.test/",
            "https://a_b.test/",
        ] {
            assert!(target(&url.parse().unwrap()).is_ok(), "{url}");
        }
        for url in [
            "http://service.test/",
            "http://192.0.2.1/",
            "http://localhost.evil.test/",
            "http://[2001:db8::1]/",
            "/path",
            "https://127.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://user@service.test/",
            "https://u:p@service.test/",
            "https://service.test/a/../b",
            "https://service.test/.",
            "https://service.test/%2E%2e/b",
            "https://service.test/a/.%2e",
            "ftp://service.test/",
        ] {
            let error = target(&url.parse().unwrap()).unwrap_err();
            assert_eq!(error.fault(), TransportFault::Refused, "{url}");
        }
    }
}
