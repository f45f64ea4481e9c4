//! What the service says of itself: who it is, and what it can.

use std::sync::Arc;

use super::super::Session;
use super::super::keep::{Keeper, Kind, Lead, Life, Policy};
use super::document;
use super::places::Documents;
use crate::error::Error;
use crate::operations::{GetMetadata, ServerMetadata};
use crate::time::Now;

/// The metadata of the session's service.
pub(crate) struct Service {
    session: Session,
}

impl Service {
    pub(crate) fn new(session: &Session) -> Self {
        Service { session: session.clone() }
    }
}

impl Kind for Service {
    type Key = ();
    type Value = Arc<ServerMetadata>;
    type Fetch = document::Shared<Documents<GetMetadata>>;
    const NAME: &'static str = "wellknown.oauth_authorization_server";
    const PHASE: &'static str = "waiting for another call's reading of the metadata";
    const POLICY: Policy = document::POLICY;

    fn keeper(&self) -> &Keeper<(), Arc<ServerMetadata>> {
        &self.session.shared.service
    }

    fn key(&self) -> Result<(), Error> {
        Ok(())
    }

    fn fetch(&self, lead: Lead) -> Result<Self::Fetch, Error> {
        let places = [GetMetadata::new(), GetMetadata::openid()].map(|place| (None, place));
        Ok(document::Shared(Documents::new(&self.session, lead, places, document::settles)))
    }

    fn life(&self, _: &Arc<ServerMetadata>, asked: &Now) -> Life {
        document::life(asked)
    }
}
