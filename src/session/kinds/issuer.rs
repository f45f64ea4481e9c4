//! What the service says of itself as an issuer of AAuth tokens: the tenant's document, or the one at the root.

use std::sync::Arc;
use std::time::Duration;

use super::super::keep::{Just, Keep, Keeper, Kind, Lead, Life, Policy};
use super::super::part::{Failed, Part, Within};
use super::super::{Arrived, Call, Machine, Session, Step};
use super::document;
use crate::error::Error;
use crate::operations::aauth::{GetIssuer, IssuerMetadata};
use crate::time::{Deadline, Now};

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
    type Fetch = document::Shared<Read>;
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
        let call = Call::leading(&self.0, GetIssuer::scoped(), lead);
        Ok(document::Shared(Read { session: self.0.clone(), lead, root: false, call }))
    }

    fn life(&self, _: &Arc<IssuerMetadata>, asked: &Now) -> Life {
        document::life(asked)
    }
}

/// Reads the tenant's document, and the one at the root if there is none.
pub(crate) struct Read {
    session: Session,
    lead: Lead,
    root: bool,
    call: Call<GetIssuer>,
}

impl Part for Read {
    type Output = IssuerMetadata;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<IssuerMetadata>, Failed> {
        match Part::step(&mut self.call, now, arrived, time) {
            Err(failed) if failed.error.is_not_found() && !self.root => {
                self.root = true;
                // Nobody has tried there.
                let lead = Lead { tried: 0, ..self.lead };
                self.call = Call::leading(&self.session, GetIssuer::at_root(), lead);
                Part::step(&mut self.call, now, None, time)
            }
            step => step,
        }
    }
}
