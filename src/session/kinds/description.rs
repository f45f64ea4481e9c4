//! What resources say of themselves (RFC 9728), read at the places where they may say it.

use std::sync::Arc;

use http::Uri;

use super::super::keep::{Keeper, Kind, Lead, Life, Policy};
use super::super::part::{Failed, Part, ready};
use super::super::{Arrived, Session, Step};
use super::document;
use super::places::Documents;
use crate::error::{Error, ProtocolError, ProtocolFault};
use crate::operations::{GetResourceMetadata, ResourceMetadata};
use crate::origin::Origin;
use crate::time::{Deadline, Now};

const NAME: &str = "wellknown.oauth_protected_resource";

/// The description of this resource, at one of these places.
pub(crate) struct Description {
    session: Session,
    resource: String,
    places: Vec<Uri>,
}

impl Description {
    pub(crate) fn new(session: &Session, resource: &str, places: Vec<Uri>) -> Self {
        Description { session: session.clone(), resource: resource.to_owned(), places }
    }
}

impl Kind for Description {
    /// The resource, and where it is looked for first: a challenge may have said.
    type Key = (String, Vec<Uri>);
    type Value = Arc<ResourceMetadata>;
    type Fetch = Describe;
    const NAME: &'static str = NAME;
    const PHASE: &'static str = "waiting for another call's reading of the description";
    const POLICY: Policy = document::POLICY;

    fn keeper(&self) -> &Keeper<Self::Key, Arc<ResourceMetadata>> {
        &self.session.shared.descriptions
    }

    fn key(&self) -> Result<Self::Key, Error> {
        Ok((self.resource.clone(), self.places.clone()))
    }

    fn fetch(&self, lead: Lead) -> Result<Describe, Error> {
        let places = self
            .places
            .iter()
            .map(|place| (Origin::of(place), GetResourceMetadata::new(&self.resource, place.clone())));
        Ok(Describe(Documents::new(&self.session, lead, places, |_| false)))
    }

    fn life(&self, _: &Arc<ResourceMetadata>, asked: &Now) -> Life {
        document::life(asked)
    }
}

/// Reads one place after the other until a good document is there.
pub(crate) struct Describe(Documents<GetResourceMetadata>);

impl Part for Describe {
    type Output = Arc<ResourceMetadata>;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Self::Output>, Failed> {
        match self.0.step(now, arrived, time) {
            Ok(step) => Ok(Step::Done(Arc::new(ready!(step)))),
            Err(failed) if is_refused(&failed.error) => Err(Failed { error: nowhere(), ..failed }),
            Err(failed) => Err(failed),
        }
    }
}

fn is_refused(error: &Error) -> bool {
    error.status().is_some_and(|status| (400..500).contains(&status))
}

fn nowhere() -> Error {
    let fault = ProtocolFault::Other("the server describes itself at none of the well-known places");
    ProtocolError::new(NAME, 404, fault).into()
}
