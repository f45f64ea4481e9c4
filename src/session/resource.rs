//! A resource that the agent speaks to: tokens bound to it, and requests whose challenges are answered once.

use std::fmt;
use std::sync::{Arc, Mutex};

use http::header::WWW_AUTHENTICATE;
use http::{StatusCode, Uri};

use self::talk::{Answered, Spoken, Talk};
use super::keep::{Just, Keep};
use super::kinds::{Description, Mcp, Service, settles};
use super::part::{Failed, Part, Within, ready};
use super::{Arrived, Machine, Session, Step, lock};
use crate::challenge::Challenge;
use crate::error::{Error, InputError};
use crate::operation::{Operation, Terms};
use crate::operations::{
    ApiRequest, GetResourceMetadata, McpToken, ResourceMetadata, challenged_url, resource_metadata_urls,
    routes, server_url, wants_more,
};
use crate::origin::Origin;
use crate::scopes::Scopes;
use crate::time::{Deadline, Now};
use crate::token::AccessToken;
use crate::wire::Response;

mod talk;

impl Session {
    /// The machine that gets a token for an MCP server: the one held if it is fresh.
    pub fn mcp_token(&self, wanted: McpToken) -> impl Machine<Output = AccessToken> + Send + use<> {
        let total = self.total_of(&wanted.terms());
        Within::new(Just(Keep::new(Mcp::new(self, wanted))), total)
    }

    pub(crate) fn total_of(&self, terms: &Terms) -> std::time::Duration {
        self.total.filter(|_| !terms.own_times).unwrap_or(terms.total)
    }
}

/// An MCP server by its URL, as a session speaks to it. Cheap to clone; clones share the scopes that were stepped up to.
#[derive(Clone)]
pub struct Resource {
    session: Session,
    /// As it was asked for at first.
    asked: McpToken,
    server: Arc<str>,
    url: Uri,
    origin: Origin,
    scopes: Arc<Mutex<Scopes>>,
}

impl Resource {
    /// The server at this Resource URI.
    ///
    /// # Errors
    /// [`InputError`] if it is not an absolute `https` URL (or `http` to this machine) without fragment.
    pub fn new(session: &Session, wanted: &McpToken) -> Result<Self, InputError> {
        let (origin, url) = server_url(wanted.server())?;
        let scopes = Arc::new(Mutex::new(wanted.asked_scopes().clone()));
        let (session, asked, server) = (session.clone(), wanted.clone(), wanted.server().into());
        Ok(Resource { session, asked, server, url, origin, scopes })
    }

    /// The Resource URI, as it was named.
    pub fn uri(&self) -> &str {
        &self.server
    }

    /// The scopes that tokens are asked for at the moment.
    pub fn scopes(&self) -> Scopes {
        lock(&self.scopes).clone()
    }

    fn wanted(&self, scopes: &Scopes) -> McpToken {
        self.asked.clone().scopes(scopes)
    }

    /// The machine that gets a token for the server: the one held, or a new one.
    pub fn token(&self) -> impl Machine<Output = AccessToken> + Send + use<> {
        self.session.mcp_token(self.wanted(&self.scopes()))
    }

    /// The machine that sends a request to the server, and answers its challenges once.
    ///
    /// # Errors
    /// [`InputError`] for a request to another origin.
    pub fn request(
        &self,
        request: ApiRequest,
    ) -> Result<impl Machine<Output = Response> + Send + use<>, InputError> {
        let request = request.at_resource(&self.origin, &self.url)?;
        let total = self.session.total_of(&request.terms());
        let scopes = self.scopes();
        Ok(Within::new(Spoken(Talk::new(self, Some(request), None, scopes)), total))
    }

    /// The machine that answers a challenge which somebody else has received of this server, by another HTTP client: with another
    /// token after a 401, with more scopes after `insufficient_scope`. None if there is nothing to send again with: the refusal stands.
    pub fn answer(&self, challenge: &Challenge) -> impl Machine<Output = Option<AccessToken>> + Send + use<> {
        let status = if wants_more(challenge) { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
        let headers = [(WWW_AUTHENTICATE, challenge.to_header())].into_iter().collect();
        let received = Response::new(status, headers, "");
        let total = self.session.total_of(&self.asked.terms());
        Within::new(Answered(Talk::new(self, None, Some(received), self.scopes())), total)
    }

    /// True if a token for this server may travel with a request to this URL.
    pub fn is_at(&self, url: &Uri) -> bool {
        self.origin.is_of(url)
    }

    /// The machine that reads what the server says of itself (RFC 9728), anew.
    ///
    /// # Errors
    /// [`InputError`] if it has no well-known place.
    pub fn discover(
        &self,
    ) -> Result<impl Machine<Output = Arc<ResourceMetadata>> + Send + use<>, InputError> {
        let places = self.places(None)?;
        let total = self.session.total_of(&GetResourceMetadata::new(&*self.server, self.url.clone()).terms());
        let description = Description::new(&self.session, &self.server, places);
        Ok(Within::new(Discover(Checked::new(&self.session, Keep::anew(description))), total))
    }

    /// Where the server's description is looked for: where a challenge says, if that is the server's own or one of the
    /// service's; at the server's well-known places; at the service, which describes the servers that it knows.
    fn places(&self, challenge: Option<&Challenge>) -> Result<Vec<Uri>, InputError> {
        let site = self.session.site();
        let named =
            challenge.and_then(|challenge| challenged_url(challenge, &self.origin, site).ok().flatten());
        let mut places: Vec<Uri> = named.into_iter().collect();
        for place in
            resource_metadata_urls(&self.server)?.into_iter().chain([site.url(routes::PROTECTED_RESOURCE)])
        {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        Ok(places)
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Resource { session: _, asked: _, server, url: _, origin: _, scopes } = self;
        f.debug_struct("Resource")
            .field("server", server)
            .field("scopes", &*lock(scopes))
            .finish_non_exhaustive()
    }
}

/// Reads a description, and looks whether the resource takes tokens of the session's own service.
struct Checked {
    session: Session,
    at: Checking,
}

#[allow(clippy::large_enum_variant)] // one at a time
enum Checking {
    Description(Keep<Description>),
    Service(Arc<ResourceMetadata>, Keep<Service>),
}

impl Checked {
    fn new(session: &Session, keep: Keep<Description>) -> Self {
        Checked { session: session.clone(), at: Checking::Description(keep) }
    }
}

impl Part for Checked {
    /// The description, or why the agent's tokens do not belong there.
    type Output = Result<Arc<ResourceMetadata>, Error>;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Self::Output>, Failed> {
        loop {
            match &mut self.at {
                Checking::Description(keep) => {
                    let metadata = ready!(keep.step(now, arrived.take(), time)?).value;
                    self.at = Checking::Service(metadata, Keep::new(Service::new(&self.session)));
                }
                Checking::Service(metadata, keep) => {
                    let service = match keep.step(now, arrived.take(), time) {
                        Ok(step) => ready!(step).value,
                        // What the service says of itself is not good enough. That it says nothing is no reason to send nothing.
                        Err(Failed { error, .. }) if settles(&error) => return Ok(Step::Done(Err(error))),
                        Err(failed) => return Err(failed),
                    };
                    let checked = metadata.check_authorization_server(self.session.site(), &service);
                    return Ok(Step::Done(checked.map(|()| Arc::clone(metadata))));
                }
            }
        }
    }
}

struct Discover(Checked);

impl Part for Discover {
    type Output = Arc<ResourceMetadata>;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Self::Output>, Failed> {
        Ok(Step::Done(ready!(self.0.step(now, arrived, time)?)?))
    }
}
