//! What resources say of themselves (RFC 9728), read at the places where they may say it.

use std::collections::VecDeque;
use std::sync::Arc;

use http::Uri;

use super::super::keep::{Keeper, Kind, Lead, Life, Policy};
use super::super::part::{Failed, Part, Whose};
use super::super::retry::ATTEMPTS;
use super::super::{Arrived, Call, Session, Step};
use super::document;
use crate::error::{Error, ProtocolError, ProtocolFault};
use crate::operations::{GetResourceMetadata, ResourceMetadata};
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
        let (session, resource) = (self.session.clone(), self.resource.clone());
        Ok(Describe { session, resource, lead, places: self.places.clone().into(), at: At::Next(None) })
    }

    fn life(&self, _: &Arc<ResourceMetadata>, asked: &Now) -> Life {
        document::life(asked)
    }
}

/// Reads one place after the other until a good document is there.
pub(crate) struct Describe {
    session: Session,
    resource: String,
    lead: Lead,
    places: VecDeque<Uri>,
    at: At,
}

#[allow(clippy::large_enum_variant)] // one at a time
enum At {
    /// On to the next place; with why the last one was none.
    Next(Option<Error>),
    Place(Call<GetResourceMetadata>),
}

impl Part for Describe {
    type Output = Arc<ResourceMetadata>;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<Self::Output>, Failed> {
        // There are other places: none is asked twice.
        let once = Lead { tried: ATTEMPTS.saturating_sub(1), ..self.lead };
        loop {
            match &mut self.at {
                At::Next(last) => match self.places.pop_front() {
                    Some(place) => {
                        let get = GetResourceMetadata::new(&self.resource, place);
                        self.at = At::Place(Call::leading(&self.session, get, once));
                    }
                    None => {
                        let last = last.take().filter(|error| !is_refused(error));
                        return Err(last.unwrap_or_else(nowhere).into());
                    }
                },
                At::Place(call) => match call.step(now, arrived.take(), time) {
                    Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                    Ok(Step::Done(metadata)) => return Ok(Step::Done(Arc::new(metadata))),
                    Err(failed) if matches!(failed.whose, Whose::Open(_)) && !self.lead.early => {
                        return Err(failed);
                    }
                    // Not here, not for everybody, or not a document: perhaps at the next place.
                    Err(failed) => self.at = At::Next(Some(failed.error)),
                },
            }
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
