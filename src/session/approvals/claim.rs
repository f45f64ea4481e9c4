//! Who runs an approved call: the first claim has it, and says when the call has returned.

use std::sync::Arc;

use super::super::change::{Change, Edit};
use super::super::part::{Failed, Part, ready};
use super::super::{Arrived, Step};
use super::outcome::ApprovalProof;
use super::record::Kept;
use super::{Approvals, KEEP};
use crate::error::{ApprovalError, Error};
use crate::operation::AttemptId;
use crate::operations::{OwnRun, PendingApproval};
use crate::time::{Deadline, Now};
use crate::tool_call::ToolCall;

/// The right to run an approved call, and nobody else's. It is used up by [`Approvals::ran`].
#[derive(Debug)]
#[must_use = "say that the call has returned"]
pub struct ClaimedRun {
    by: By,
    owner: String,
}

#[derive(Debug)]
enum By {
    /// This claim, in this record.
    Store { record: String, claim: String },
    /// This process.
    Process(Arc<OwnRun>),
}

/// Claims the run.
pub(super) struct Claim {
    pending: PendingApproval,
    call: ToolCall,
    owner: String,
    in_store: bool,
    claim: String,
    change: Option<Box<Change<String>>>,
}

impl Claim {
    pub(super) fn new(approvals: &Approvals, proof: &ApprovalProof, call: ToolCall) -> Self {
        let (pending, owner) = (proof.pending.clone(), approvals.owner.to_string());
        Claim { pending, call, owner, in_store: approvals.in_store, claim: String::new(), change: None }
    }

    /// An error if the call is another one than was approved.
    fn compare(&self) -> Result<(), ApprovalError> {
        let Some(approved) = self.pending.call_sha256() else { return Err(ApprovalError::NotOfACall) };
        // What runs is this call, whose hash was made here; and what was approved is what the service repeated.
        if approved == self.call.sha256() {
            return Ok(());
        }
        Err(ApprovalError::OtherCall {
            differences: self.pending.call().map_or_else(unknown, |shown| shown.differences(&self.call)),
        })
    }

    /// Of a record that another process made, what was shown is known from the record.
    fn change(&self, record: &str) -> Change<String> {
        let (pending, call) = (self.pending.clone(), self.call.clone());
        let (claim, owner) = (self.claim.clone(), self.owner.clone());
        let compared = self.compare();
        let change = Change::new(Kept::key(record), move |record, now| {
            let kept = Kept::read(record)?.filter(|kept| kept.is_of(&pending));
            let Some(kept) = kept else { return Err(ApprovalError::NotHere.into()) };
            if let Err(error) = &compared {
                return Err(told(error, &kept, &call).into());
            }
            // A text that was changed may name any hash; who was asked about a call has it in the record.
            if kept.call() != Some(call.canonical()) {
                return Err(ApprovalError::NotOfACall.into());
            }
            if let Some(held) = kept.claim().filter(|held| *held == claim || pending.take_open_as(held)) {
                // An answer of the store that was lost, now or when this process tried before.
                return Ok(Edit::Leave(held.to_owned()));
            }
            kept.is_free()?;
            if pending.is_over(now) {
                return Err(ApprovalError::Expired { task_id: pending.task_id().to_owned() }.into());
            }
            Ok(Edit::Keep(kept.ran(&claim, &owner, now.wall, false).to_bytes(), KEEP, claim.clone()))
        });
        change.that_carries()
    }

    fn claimed(&self, by: By) -> Step<ClaimedRun> {
        Step::Done(ClaimedRun { by, owner: self.owner.clone() })
    }
}

fn unknown() -> Vec<String> {
    vec!["/".to_owned()]
}

/// The same with what differs, as far as the record knows it.
fn told(error: &ApprovalError, kept: &Kept, call: &ToolCall) -> ApprovalError {
    let ApprovalError::OtherCall { .. } = error else { return error.clone() };
    let shown = kept.call().and_then(ToolCall::from_canonical);
    ApprovalError::OtherCall { differences: shown.map_or_else(unknown, |shown| shown.differences(call)) }
}

impl Part for Claim {
    type Output = ClaimedRun;

    fn step(
        &mut self,
        now: &Now,
        arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<ClaimedRun>, Failed> {
        if self.change.is_none() {
            match (self.pending.kept(), self.pending.own()) {
                (Some(_), _) if !self.in_store => return Err(Error::from(ApprovalError::NotHere).into()),
                (Some(record), _) => {
                    let record = record.to_owned();
                    self.claim = self.pending.take_open().unwrap_or_else(|| AttemptId::of(now).to_string());
                    self.change = Some(Box::new(self.change(&record)));
                }
                (None, own) => {
                    self.compare().map_err(Error::from)?;
                    let own = Arc::clone(own.ok_or(Error::Approval(ApprovalError::NotHere))?);
                    own.is_free().map_err(Error::from)?;
                    if self.pending.is_over(now) {
                        let task_id = self.pending.task_id().to_owned();
                        return Err(Error::from(ApprovalError::Expired { task_id }).into());
                    }
                    own.claim(now.wall, &self.owner).map_err(Error::from)?;
                    return Ok(self.claimed(By::Process(own)));
                }
            }
        }
        let Some(change) = &mut self.change else { return Err(super::super::ended().into()) };
        let claim = match change.step(now, arrived, time) {
            Ok(step) => ready!(step),
            Err(failed) => {
                let taken = matches!(
                    failed.error,
                    Error::Approval(ApprovalError::AlreadyRan { .. } | ApprovalError::OutcomeUnknown { .. })
                );
                if taken {
                    // By another claim than this one.
                    self.claim.clear();
                }
                return Err(failed);
            }
        };
        self.claim.clear();
        let record = self.pending.kept().unwrap_or_default().to_owned();
        Ok(self.claimed(By::Store { record, claim }))
    }
}

impl Drop for Claim {
    /// Not known to have it, and the function does not run: the claim may be in the store.
    fn drop(&mut self) {
        if !self.claim.is_empty() {
            self.pending.leave_open(std::mem::take(&mut self.claim));
        }
    }
}

/// Says that the call has returned.
pub(super) struct Ran {
    run: ClaimedRun,
    change: Option<Box<Change<()>>>,
}

impl Ran {
    pub(super) fn new(run: ClaimedRun) -> Self {
        Ran { run, change: None }
    }
}

impl Part for Ran {
    type Output = ();

    fn step(&mut self, now: &Now, arrived: Option<Arrived>, time: &Deadline) -> Result<Step<()>, Failed> {
        let (record, claim) = match &self.run.by {
            By::Process(own) => {
                own.ran(now.wall);
                return Ok(Step::Done(()));
            }
            By::Store { record, claim } => (record, claim),
        };
        let change = self.change.get_or_insert_with(|| {
            let (claim, owner) = (claim.clone(), self.run.owner.clone());
            let change = Change::new(Kept::key(record), move |record, now| {
                let kept = Kept::read(record)?.filter(|kept| kept.is_claimed_by(&claim));
                let Some(kept) = kept else { return Ok(Edit::Leave(())) };
                Ok(Edit::Keep(kept.ran(&claim, &owner, now.wall, true).to_bytes(), KEEP, ()))
            });
            Box::new(change.that_carries())
        });
        change.step(now, arrived, time)
    }
}
