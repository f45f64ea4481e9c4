//! Who is let through without a token: exact routes, and nobody else.

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, ORIGIN};
use http::request::Parts;
use http::{Method, Uri};

/// The routes of a guard that are public.
#[derive(Clone, Debug, Default)]
pub(super) struct Door {
    public: Vec<(Method, String)>,
    preflights: bool,
}

impl Door {
    pub(super) fn open(&mut self, method: Method, path: String) {
        self.public.push((method, path));
    }

    pub(super) fn open_for_preflights(&mut self) {
        self.preflights = true;
    }

    /// True if nobody is asked for a token here.
    pub(super) fn is_open(&self, parts: &Parts) -> bool {
        self.is_public(&parts.method, received(parts)) || self.is_preflight(parts)
    }

    /// Paths are compared as they were received, whole: `/health` is neither `/health/` nor `/health/x` nor `/HEALTH` nor `/%68ealth`, and on
    /// no nested route. Who may GET may HEAD.
    fn is_public(&self, method: &Method, uri: &Uri) -> bool {
        let fits = |own: &Method| own == method || (*own == Method::GET && *method == Method::HEAD);
        self.public.iter().any(|(own, path)| fits(own) && path == uri.path())
    }

    /// True for the question of a browser whether it may ask, if such are let through (Fetch, "CORS-preflight request").
    fn is_preflight(&self, parts: &Parts) -> bool {
        let has = |name| parts.headers.contains_key(name);
        self.preflights
            && parts.method == Method::OPTIONS
            && has(ORIGIN)
            && has(ACCESS_CONTROL_REQUEST_METHOD)
            && !has(AUTHORIZATION)
    }
}

/// The URI before any router took a part of the path away.
fn received(parts: &Parts) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(::axum::extract::OriginalUri(uri)) = parts.extensions.get() {
        return uri;
    }
    &parts.uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_routes_are_exact() {
        let mut door = Door::default();
        door.open(Method::GET, "/health".into());
        door.open(Method::POST, "/hook".into());
        let is_public = |method: Method, uri: &str| door.is_public(&method, &uri.parse().unwrap());
        for uri in ["/health", "/health?x=/admin", "http://any.test/health"] {
            assert!(is_public(Method::GET, uri) && is_public(Method::HEAD, uri), "{uri}");
        }
        for uri in [
            "/",
            "/health/",
            "/health/x",
            "/healthx",
            "/HEALTH",
            "/%68ealth",
            "//health",
            "/x/health",
            "/health%2f",
            "/./health",
        ] {
            assert!(!is_public(Method::GET, uri), "{uri}");
        }
        for method in [Method::POST, Method::OPTIONS, Method::DELETE] {
            assert!(!is_public(method, "/health"));
        }
        assert!(
            is_public(Method::POST, "/hook")
                && !is_public(Method::GET, "/hook")
                && !is_public(Method::HEAD, "/hook")
        );
    }
}
