//! A route as a value: what one call of the service is named, and where it is on every site.

use http::Method;

/// One route of the service: a constant beside its operation, joined by [`Site::url`](crate::Site::url).
///
/// ```
/// use lumoauth::{embed::Route, Site};
///
/// const STATUS: Route = Route::get("jobs.status", "jobs/{job}/status");
/// let url = Site::tenant("acme")?.url_with(STATUS, &["job/1"])?;
/// assert_eq!(url.path(), "/t/acme/api/v1/jobs/job%2F1/status");
/// # Ok::<(), lumoauth::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    name: &'static str,
    verb: Verb,
    base: Base,
    path: &'static str,
    unprefixed: Option<&'static str>,
    warm: Option<u8>,
}

/// The methods of routes, as constants can hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// What a route's path stands behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Base {
    /// The API of the tenant, such as `/t/{tenant}/api/v1`.
    Api,
    /// The tenant itself, such as `/t/{tenant}`.
    Tenant,
    /// The base URL.
    Root,
}

/// How many routes have a place of their own in a site.
pub(crate) const WARM_PLACES: usize = 4;

impl Route {
    const fn new(name: &'static str, verb: Verb, path: &'static str) -> Self {
        Route { name, verb, base: Base::Api, path, unprefixed: None, warm: None }
    }

    /// A route that is read, behind the API of the tenant. Pieces of the path in braces, such as `{job}`, stand for ids.
    pub const fn get(name: &'static str, path: &'static str) -> Self {
        Route::new(name, Verb::Get, path)
    }

    /// A route that is posted to.
    pub const fn post(name: &'static str, path: &'static str) -> Self {
        Route::new(name, Verb::Post, path)
    }

    /// A route that is put.
    pub const fn put(name: &'static str, path: &'static str) -> Self {
        Route::new(name, Verb::Put, path)
    }

    /// A route that is patched.
    pub const fn patch(name: &'static str, path: &'static str) -> Self {
        Route::new(name, Verb::Patch, path)
    }

    /// A route that is deleted.
    pub const fn delete(name: &'static str, path: &'static str) -> Self {
        Route::new(name, Verb::Delete, path)
    }

    /// The same path behind something else.
    pub const fn behind(self, base: Base) -> Self {
        // A warm place holds one URL, which is the route's own.
        Route { base, warm: None, ..self }
    }

    /// In the organization layout it is at `/api/v1/{path}`, without the organization: the service takes that from the credential.
    pub const fn unprefixed(self, path: &'static str) -> Self {
        Route { unprefixed: Some(path), ..self }
    }

    /// Its URL is made once for a site and kept at this place, which no other route has.
    pub(crate) const fn warm(self, place: u8) -> Self {
        Route { warm: Some(place), ..self }
    }

    /// The operation's name in errors and logs, as in `docs/wire.md`.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The method.
    pub const fn method(self) -> Method {
        match self.verb {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Put => Method::PUT,
            Verb::Patch => Method::PATCH,
            Verb::Delete => Method::DELETE,
        }
    }

    /// What the path stands behind.
    pub const fn base(self) -> Base {
        self.base
    }

    /// The path, with ids in braces.
    pub const fn path(self) -> &'static str {
        self.path
    }

    /// The path behind `/api/v1` in the organization layout, if it is without the organization there.
    pub const fn unprefixed_path(self) -> Option<&'static str> {
        self.unprefixed
    }

    pub(crate) const fn warm_place(self) -> Option<u8> {
        self.warm
    }
}

/// The pieces of a path between slashes.
pub(crate) fn pieces(path: &'static str) -> impl Iterator<Item = Piece> {
    path.split('/').map(|piece| match piece.strip_prefix('{').and_then(|piece| piece.strip_suffix('}')) {
        Some(name) => Piece::Id(name),
        None => Piece::Fixed(piece),
    })
}

/// One piece of a route's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Fixed(&'static str),
    Id(&'static str),
}
