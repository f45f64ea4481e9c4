//! What a service is given, and what a service is: a route and who answers there.

use super::state::State;
use super::state::log::AuditEntry;
use super::values::answer::Answer;
use super::values::incoming::{Incoming, decoded_segment as decoded};
use super::values::layout::{Prefix, api_base};
use super::values::settings::{Mode, Settings};
use crate::crypto::KeyPair;
use crate::route::{Base, Piece, Route, pieces};
use crate::time::Timestamp;

/// One request on its way to a service.
pub(crate) struct Call<'a> {
    pub incoming: &'a Incoming<'a>,
    pub now: Timestamp,
    /// The id in the path, where the route has one.
    pub id: &'a str,
    pub prefix: Prefix,
    /// The tenant, as its place in the list.
    pub tenant: usize,
    pub slug: &'a str,
    pub key: &'a KeyPair,
    /// The key of the tenant's AAuth tokens.
    pub aauth_key: &'a KeyPair,
    pub settings: &'a Settings,
    /// The agent, as soon as it is known. For the log.
    pub client_id: Option<String>,
    /// What was decided, where something was. For whoever follows the log.
    pub decision: Option<AuditEntry>,
}

impl Call<'_> {
    /// The segments of the path behind this one, decoded: where a route has several ids. None if one cannot be.
    pub(crate) fn segments_behind(&self, marker: &str) -> Option<Vec<String>> {
        let (_, rest) = self.incoming.path.split_once(marker)?;
        rest.split('/').map(decoded).collect()
    }

    /// The API base as a path on the host.
    pub(crate) fn api_base(&self) -> String {
        api_base(self.prefix, self.slug)
    }

    /// The issuer, by the layout that the request used.
    pub(crate) fn issuer(&self) -> String {
        format!("{}{}", self.incoming.base, self.api_base())
    }

    /// Who decides about consent. What another site makes a browser send is a person's to decide, whatever was set.
    pub(crate) fn consent(&self) -> &Mode {
        if self.incoming.is_from_elsewhere() { &Mode::Page } else { &self.settings.consent }
    }

    /// The names of this one server that a token may be addressed to: its issuer by the layout in use, and those of the
    /// layouts that name the tenant. They are as good as each other, since the documents at the root know only one.
    pub(crate) fn names(&self) -> [String; 3] {
        let layout = |prefix| format!("{}{}", self.incoming.base, api_base(prefix, self.slug));
        [self.issuer(), layout(Prefix::Tenant), layout(Prefix::Organization)]
    }
}

/// Answers a request. A refusal is an answer too.
pub(crate) type Handler = fn(&mut State, &mut Call<'_>) -> Result<Answer, Answer>;

/// A route and who answers there.
pub(crate) struct Service {
    pub route: Route,
    /// The methods it takes, as `Allow` lists them (RFC 9110 section 10.2.1).
    pub allow: &'static str,
    pub handler: Handler,
    /// True for what a person's browser goes to.
    pub is_for_people: bool,
    /// True for discovery and keys: documents that are the same for everybody.
    pub is_document: bool,
}

impl Service {
    pub(crate) const fn of(route: Route, allow: &'static str, handler: Handler) -> Service {
        Service { route, allow, handler, is_for_people: false, is_document: false }
    }

    /// A document that is the same for everybody.
    pub(crate) const fn document(route: Route, handler: Handler) -> Service {
        Service { is_document: true, ..Service::of(route, "GET, HEAD", handler) }
    }

    /// The same, and a person's browser goes there.
    pub(crate) const fn for_people(self) -> Service {
        Service { is_for_people: true, ..self }
    }

    /// True for a page for people, which is behind `/orgs/{slug}/`, beside the API base.
    pub(crate) fn is_page(&self) -> bool {
        self.route.base() == Base::Tenant
    }

    /// The id in the path, if the path is this service's; empty for services without one. An id is one whole segment.
    pub(crate) fn id<'p>(&self, path: &'p str) -> Option<&'p str> {
        let other = || id_by(pieces(self.route.unprefixed_path()?), path);
        id_by(pieces(self.route.path()), path).or_else(other)
    }
}

/// The last id in a path, if it is made of these pieces.
fn id_by(pieces: impl Iterator<Item = Piece>, path: &str) -> Option<&str> {
    let mut id = "";
    let mut segments = path.split('/');
    for piece in pieces {
        match (piece, segments.next()?) {
            (Piece::Fixed(own), segment) if own == segment => {}
            (Piece::Id(_), segment) if !segment.is_empty() => id = segment,
            _ => return None,
        }
    }
    segments.next().is_none().then_some(id)
}
