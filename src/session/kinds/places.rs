//! Documents that may be at one of several places: asked for one after the other, until a good one is there.

use super::super::keep::Lead;
use super::super::part::{Failed, Open, Part, Whose};
use super::super::places::Places;
use super::super::retry::ATTEMPTS;
use super::super::{Action, Arrived, Call, Session, Step, ended};
use crate::error::Error;
use crate::operation::Operation;
use crate::origin::Origin;
use crate::time::{Deadline, Now};

/// Asks for a document, place by place. All places together have the attempts of one call, and each has one at least.
pub(crate) struct Documents<O: Operation> {
    session: Session,
    lead: Lead,
    /// With their origins, if they are not all the service's.
    places: Places<(Option<Origin>, O)>,
    /// True of what a document says that is the answer, whatever is said elsewhere.
    settles: fn(&Error) -> bool,
    sent: u32,
    at: Option<(Option<Origin>, Call<O>)>,
}

impl<O: Operation> Documents<O> {
    pub(crate) fn new(
        session: &Session,
        lead: Lead,
        places: impl IntoIterator<Item = (Option<Origin>, O)>,
        settles: fn(&Error) -> bool,
    ) -> Self {
        Documents { session: session.clone(), lead, places: Places::new(places), settles, sent: 0, at: None }
    }

    fn end(&mut self) -> Failed {
        match self.places.told() {
            // One attempt is all that an early renewal has. Who waits for its end has the others.
            Some(error) if self.lead.early => Failed::open(error, Open { tried: 1, ..Open::default() }),
            Some(error) => error.into(),
            None => ended().into(),
        }
    }
}

impl<O: Operation> Part for Documents<O> {
    type Output = O::Output;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<O::Output>, Failed> {
        loop {
            let Some((origin, call)) = &mut self.at else {
                let Some((origin, operation)) = self.places.next() else { return Err(self.end()) };
                let tried = self.lead.tried.saturating_add(self.sent).saturating_add(self.places.left());
                let lead = Lead { tried: tried.min(ATTEMPTS.saturating_sub(1)), ..self.lead };
                self.at = Some((origin, Call::leading(&self.session, operation, lead)));
                continue;
            };
            let failed = match Part::step(call, now, arrived.take(), time) {
                Ok(Step::Do(action)) => {
                    self.sent = self.sent.saturating_add(u32::from(matches!(action, Action::Send(_))));
                    return Ok(Step::Do(action));
                }
                Ok(done) => return Ok(done),
                Err(failed) => failed,
            };
            let is_over = match self.lead.early {
                true => failed.error.is_temporary(),
                false => matches!(failed.whose, Whose::Open(_)),
            };
            if is_over || (self.settles)(&failed.error) {
                return Err(failed);
            }
            let origin = origin.clone();
            self.at = None;
            self.places.failed(failed.error, |(other, _)| *other == origin);
        }
    }
}
