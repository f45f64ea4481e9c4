//! What the service says of itself as an issuer of AAuth tokens: the tenant's document, or the one at the root.

use std::sync::Arc;
use std::time::Duration;

use super::super::keep::{Just, Keep, Keeper, Kind, Lead, Life, Policy};
use super::super::part::Within;
use super::super::{Machine, Session};
use super::document;
use super::places::Documents;
use crate::error::Error;
use crate::operations::aauth::{GetIssuer, IssuerMetadata};
use crate::time::Now;

/// The whole time, if nothing else is set.
const TOTAL: Duration = Duration::from_secs(20);

impl Session {
    /// The machine that gets what the issuer of AAuth tokens says of itself: read again after an hour, and used for a day while
    /// that fails.
    pub fn issuer_metadata(&self) -> impl Machine<Output = Arc<IssuerMetadata>> + Send + use<> {
        Within::new(Just(Keep::new(Issuer::new(self))), self.total.unwrap_or(TOTAL))
    }
}

/// The description of the session's issuer.
pub(crate) struct Issuer(Session);

impl Issuer {
    pub(crate) fn new(session: &Session) -> Self {
        Issuer(session.clone())
    }
}

impl Kind for Issuer {
    type Key = ();
    type Value = Arc<IssuerMetadata>;
    type Fetch = document::Shared<Documents<GetIssuer>>;
    const NAME: &'static str = "wellknown.aauth_issuer";
    const PHASE: &'static str = "waiting for another call's reading of the description";
    const POLICY: Policy = document::POLICY;

    fn keeper(&self) -> &Keeper<(), Arc<IssuerMetadata>> {
        &self.0.shared.issuer
    }

    fn key(&self) -> Result<(), Error> {
        Ok(())
    }

    fn fetch(&self, lead: Lead) -> Result<Self::Fetch, Error> {
        let places = [GetIssuer::scoped(), GetIssuer::at_root()].map(|place| (None, place));
        Ok(document::Shared(Documents::new(&self.0, lead, places, document::settles)))
    }

    fn life(&self, _: &Arc<IssuerMetadata>, asked: &Now) -> Life {
        document::life(asked)
    }
}
