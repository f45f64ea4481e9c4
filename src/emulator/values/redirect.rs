//! Redirect URIs: which one fits, and the answer that sends a browser there.

use http::header::{LOCATION, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};

use super::answer::Answer;
use super::html;
use crate::secret::Secret;

/// Exactly the same, but for the port of a loopback address (RFC 8252 section 7.3).
pub(crate) fn fits(registered: &str, given: &str) -> bool {
    if registered == given {
        return true;
    }
    ["http://127.0.0.1", "http://[::1]"].iter().any(|host| {
        let behind =
            |uri: &'_ str| -> Option<String> { behind_port(uri.strip_prefix(host)?).map(str::to_owned) };
        behind(registered).is_some_and(|path| behind(given) == Some(path))
    })
}

/// What comes after the port, if there is one and it is one.
fn behind_port(rest: &str) -> Option<&str> {
    let path = match rest.strip_prefix(':') {
        None => rest,
        Some(rest) => {
            let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
            let (port, path) = rest.split_at_checked(end)?;
            port.parse::<u16>().ok().filter(|number| *number > 0 && port.len() <= 5)?;
            path
        }
    };
    (path.is_empty() || path.starts_with(['/', '?'])).then_some(path)
}

/// The redirect URI with the answer in its query, and who answers (RFC 9207).
pub(crate) fn back(to: &str, issuer: &str, state: Option<&str>, answer: &[(&str, &str)]) -> Secret {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(answer);
    if let Some(state) = state {
        query.append_pair("state", state);
    }
    query.append_pair("iss", issuer);
    let separator = if to.contains('?') { '&' } else { '?' };
    Secret::new(format!("{to}{separator}{}", query.finish()))
}

pub(crate) fn redirect(status: StatusCode, to: &Secret) -> Answer {
    let answer = Answer::empty(status).with(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    match HeaderValue::from_str(to.expose()) {
        Ok(mut value) => {
            value.set_sensitive(true);
            answer.with(LOCATION, value)
        }
        Err(_) => html::problem("The redirect URI cannot be used"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_are_compared_exactly_but_for_loopback_ports() {
        for (registered, given) in [
            ("https://a.test/cb", "https://a.test/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb"),
            ("http://127.0.0.1:1/cb?x=1", "http://127.0.0.1:2/cb?x=1"),
            ("http://[::1]/cb", "http://[::1]:8080/cb"),
        ] {
            assert!(fits(registered, given), "{given}");
        }
        for (registered, given) in [
            ("https://a.test/cb", "https://a.test/cb/"),
            ("https://a.test/cb", "https://a.test/cb?x"),
            ("https://a.test/cb", "https://a.test:443/cb"),
            ("https://a.test/cb", "https://A.test/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/other"),
            ("http://127.0.0.1/cb", "https://127.0.0.1:1/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:0/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:65536/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:008080/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:1@evil.test/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.test/cb"),
            ("http://127.0.0.1/cb", "http://localhost:1/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:/cb"),
            ("http://localhost/cb", "http://localhost:1/cb"),
            ("http://127.0.0.1/cb", "http://[::1]:1/cb"),
        ] {
            assert!(!fits(registered, given), "{given}");
        }
    }
}
