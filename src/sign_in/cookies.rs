//! The cookies of a sign-in: how they are named, sent and read.

use std::time::Duration;

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};
use sha2::{Digest, Sha256};

use super::place::PublicUrl;
use crate::secret::Secret;
use crate::time::hex;

/// The most bytes of `Cookie` that are read; where there are more, there is none.
const MOST: usize = 32 * 1024;

/// What all cookies here have in common.
pub(crate) struct Cookies {
    prefix: &'static str,
    rest: String,
}

impl Cookies {
    /// `HttpOnly`, `SameSite=Lax`, and `Secure` but for http, which is this machine's alone. With the name's prefix a browser takes the
    /// cookie from nobody else who may set some for this host (RFC 6265bis section 4.1.3): `__Host-` where the path is `/`, else `__Secure-`.
    pub(crate) fn of(public: &PublicUrl) -> Self {
        let is_secure = public.origin().is_https();
        let prefix = match (is_secure, public.base()) {
            (false, _) => "",
            (true, "") => "__Host-",
            (true, _) => "__Secure-",
        };
        let path = if public.base().is_empty() { "/" } else { public.base() };
        let secure = if is_secure { "; Secure" } else { "" };
        Cookies { prefix, rest: format!("Path={path}; HttpOnly{secure}; SameSite=Lax") }
    }

    /// The cookie of a session.
    pub(crate) fn session(&self) -> String {
        format!("{}lumoauth_session", self.prefix)
    }

    /// The cookie of one sign-in that has begun. Each tab has its own.
    pub(crate) fn attempt(&self, state: &Secret) -> String {
        let digest = Sha256::digest(state.expose());
        let short = hex(digest.as_slice().get(..8).unwrap_or_default());
        format!("{}{short}", self.attempts())
    }

    /// What the names of all those begin with.
    pub(crate) fn attempts(&self) -> String {
        format!("{}lumoauth_login_", self.prefix)
    }

    pub(crate) fn set(&self, name: &str, value: &Secret, life: Duration) -> Option<HeaderValue> {
        let text = format!("{name}={}; Max-Age={}; {}", value.expose(), life.as_secs(), self.rest);
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    pub(crate) fn clear(&self, name: &str) -> Option<HeaderValue> {
        HeaderValue::try_from(format!("{name}=; Max-Age=0; {}", self.rest)).ok()
    }
}

/// The cookies that came with a request, each as a name and a value.
fn all(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(COOKIE);
    let length = lines.iter().map(HeaderValue::len).fold(0_usize, usize::saturating_add);
    let lines = lines.iter().filter(move |_| length <= MOST).filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

/// The cookie of this name, if there is exactly one. Of two, one is somebody else's, and nobody can tell which.
pub(crate) fn find(headers: &HeaderMap, name: &str) -> Option<Secret> {
    let mut found = all(headers).filter(|(own, _)| *own == name);
    let (_, value) = found.next()?;
    (!value.is_empty() && found.next().is_none()).then(|| Secret::new(value))
}

/// The cookies whose names begin so, as they came.
pub(crate) fn beginning<'h>(headers: &'h HeaderMap, start: &str) -> Vec<(&'h str, &'h str)> {
    all(headers).filter(|(name, _)| name.starts_with(start)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(url: &str) -> Cookies {
        Cookies::of(&PublicUrl::parse(url).unwrap())
    }

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_str(line).unwrap())).collect()
    }

    #[test]
    fn the_attributes_fit_the_place() {
        let sent = |url: &str| {
            let cookies = cookies(url);
            let value = cookies.set(&cookies.session(), &"id".into(), Duration::from_secs(60)).unwrap();
            assert!(value.is_sensitive());
            value.to_str().unwrap().to_owned()
        };
        assert_eq!(
            sent("https://app.example"),
            "__Host-lumoauth_session=id; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Lax"
        );
        assert_eq!(
            sent("https://app.example/team"),
            "__Secure-lumoauth_session=id; Max-Age=60; Path=/team; HttpOnly; Secure; SameSite=Lax"
        );
        assert_eq!(
            sent("http://127.0.0.1:3000"),
            "lumoauth_session=id; Max-Age=60; Path=/; HttpOnly; SameSite=Lax"
        );
        let clear = cookies("https://app.example").clear("__Host-x").unwrap();
        assert_eq!(clear, "__Host-x=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax");
    }

    #[test]
    fn a_cookie_counts_if_there_is_one_of_its_name() {
        let found = |lines: &[&str]| find(&headers(lines), "s").map(|value| value.expose().to_owned());
        assert_eq!(found(&["a=1; s=x; b=2"]).as_deref(), Some("x"));
        assert_eq!(found(&["a=1", " s=x=y ;"]).as_deref(), Some("x=y"));
        for none in
            [&["s=x; s=y"][..], &["s=x", "s=x"], &["s="], &["ss=x"], &["S=x"], &["s"], &[], &["xs=1; =s"]]
        {
            assert_eq!(found(none), None, "{none:?}");
        }
        let longest = format!("s=x; a={}", "a".repeat(MOST - 7));
        assert_eq!((longest.len(), found(&[&longest]).as_deref()), (MOST, Some("x")));
        let long = format!("s=x; a={}", "a".repeat(MOST));
        assert_eq!(found(&[&long]), None);
    }

    #[test]
    fn every_sign_in_has_a_cookie_of_its_own() {
        let cookies = cookies("https://app.example");
        let (one, other) = (cookies.attempt(&"s-1".into()), cookies.attempt(&"s-2".into()));
        assert!(one != other && one.starts_with("__Host-lumoauth_login_"), "{one} {other}");
        assert!(!one.contains("s-1"));
        let came = headers(&[&format!("{one}=1; x=2; {other}=3")]);
        assert_eq!(beginning(&came, &cookies.attempts()).len(), 2);
    }
}
