//! Asking a person, once: the record of who may run the call is there before anybody is asked.

use super::super::change::{Change, Edit};
use super::super::part::{Failed, Part, ready};
use super::super::{Arrived, Call, Session, Step};
use super::record::Kept;
use super::{Approvals, KEEP};
use crate::error::Error;
use crate::operation::{AttemptId, Context, Operation};
use crate::operations::{CreatedApproval, PendingApproval, RequestApproval};
use crate::time::{Deadline, Now};

pub(super) struct Ask {
    session: Session,
    request: Option<RequestApproval>,
    in_store: bool,
    /// The record, if one was made.
    record: Option<(String, Kept)>,
    at: At,
}

enum At {
    Start,
    Keep(Box<Change<()>>),
    Ask(Box<Call<RequestApproval>>),
    Note(Box<Change<()>>, Option<PendingApproval>),
    Forget(Box<Change<()>>, Option<Result<CreatedApproval, Failed>>),
}

impl Ask {
    pub(super) fn new(approvals: &Approvals, request: RequestApproval) -> Self {
        let (session, in_store) = (approvals.session.clone(), approvals.in_store);
        Ask { session, request: Some(request), in_store, record: None, at: At::Start }
    }

    fn begin(&mut self, now: &Now) -> Result<At, Error> {
        let Some(request) = &self.request else { return Err(super::super::ended()) };
        // A wrong argument is the answer before anything is kept.
        request.request(&Context::new(self.session.site()))?;
        if !self.in_store {
            return self.ask();
        }
        let approval = request.approval();
        #[cfg(feature = "calls")]
        let call = approval.call().map(|call| call.canonical().to_owned());
        #[cfg(not(feature = "calls"))]
        let call = None;
        let (id, kept) = (AttemptId::of(now).to_string(), Kept::new(approval.task_id(), call));
        let bytes = kept.to_bytes();
        let change = Change::new(Kept::key(&id), move |_, _| Ok(Edit::Keep(bytes.clone(), KEEP, ())));
        self.record = Some((id, kept));
        Ok(At::Keep(Box::new(change)))
    }

    fn ask(&mut self) -> Result<At, Error> {
        let Some(request) = self.request.take() else { return Err(super::super::ended()) };
        Ok(At::Ask(Box::new(self.session.call(request))))
    }

    /// The person is asked.
    fn note(&mut self, pending: PendingApproval, now: &Now) -> Result<At, CreatedApproval> {
        let pending = pending.owned_since(now);
        let Some((id, kept)) = self.record.take() else { return Err(CreatedApproval::Pending(pending)) };
        let pending = pending.kept_as(id.clone());
        let bytes = kept.asked(&pending).to_bytes();
        let change = Change::new(Kept::key(&id), move |record, _| {
            // An answer of the store was lost, and whoever found it meanwhile may have claimed it.
            let noted = Kept::read(record)?.is_some_and(|kept| kept.is_asked());
            Ok(if noted { Edit::Leave(()) } else { Edit::Keep(bytes.clone(), KEEP, ()) })
        });
        Ok(At::Note(Box::new(change), Some(pending)))
    }

    /// Nobody is asked.
    fn forget(
        &mut self,
        outcome: Result<CreatedApproval, Failed>,
    ) -> Result<At, Result<CreatedApproval, Failed>> {
        let Some((id, _)) = self.record.take() else { return Err(outcome) };
        let change = Change::new(Kept::key(&id), |_, _| Ok(Edit::Remove(())));
        Ok(At::Forget(Box::new(change), Some(outcome)))
    }
}

impl Part for Ask {
    type Output = CreatedApproval;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<CreatedApproval>, Failed> {
        loop {
            let next = match &mut self.at {
                At::Start => Ok(self.begin(now)?),
                At::Keep(change) => {
                    ready!(change.step(now, arrived.take(), time)?);
                    Ok(self.ask()?)
                }
                At::Ask(call) => match Part::step(&mut **call, now, arrived.take(), time) {
                    Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                    Ok(Step::Done(CreatedApproval::Pending(pending))) => self.note(pending, now).map_err(Ok),
                    Ok(Step::Done(nobody)) => self.forget(Ok(nobody)),
                    Err(failed) => self.forget(Err(failed)),
                },
                At::Note(change, pending) => {
                    // What was asked for is handed on in any case: the record that decides who runs is there.
                    match change.step(now, arrived.take(), time) {
                        Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                        Ok(Step::Done(())) => {}
                        Err(failed) => {
                            log::warn!("an approval can be resumed from its text alone: {}", failed.error)
                        }
                    }
                    Err(pending
                        .take()
                        .map(CreatedApproval::Pending)
                        .ok_or_else(|| super::super::ended().into()))
                }
                At::Forget(change, outcome) => {
                    if let Ok(Step::Do(action)) = change.step(now, arrived.take(), time) {
                        return Ok(Step::Do(action));
                    }
                    Err(outcome.take().unwrap_or_else(|| Err(super::super::ended().into())))
                }
            };
            match next {
                Ok(at) => self.at = at,
                Err(outcome) => return outcome.map(Step::Done),
            }
        }
    }
}
