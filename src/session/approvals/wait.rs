//! Waiting for a person: politely, until the request or the caller's patience is over.

use std::time::Duration;

use super::super::change::{Change, Edit};
use super::super::part::{Failed, Part, Whose, ready};
use super::super::{Action, Arrived, Call, Session, Step};
use super::Approvals;
use super::outcome::{ApprovalOutcome, ApprovalProof, DeniedApproval};
use super::record::Kept;
use crate::error::Error;
use crate::operations::{ApprovalState, ApprovalStatus, PendingApproval, WaitForApproval};
use crate::time::{Deadline, Now};

/// How long before the end the last question is asked.
const SPARE: Duration = Duration::from_secs(1);
/// The shortest pause between two questions.
const SHORTEST: Duration = Duration::from_millis(1500);

pub(super) struct Wait {
    session: Session,
    pending: PendingApproval,
    patience: Option<Duration>,
    in_store: bool,
    at: At,
}

enum At {
    Start,
    /// Whether somebody has run it already.
    Look(Box<Change<()>>),
    Poll(Box<Call<WaitForApproval>>, Deadline),
    /// There is no time for a whole pause any more, but for one more question near the end.
    Near {
        until: Duration,
        end: Deadline,
    },
    /// That question.
    Last(Box<Call<WaitForApproval>>, Deadline),
    /// Nothing more is asked.
    Rest(Deadline),
    /// The same question after an end without approval: somebody may have run it meanwhile.
    Check(Box<Change<()>>, Option<ApprovalOutcome>),
}

impl Wait {
    pub(super) fn new(approvals: &Approvals, pending: PendingApproval, patience: Option<Duration>) -> Self {
        let (session, in_store) = (approvals.session.clone(), approvals.in_store);
        Wait { session, pending, patience, in_store, at: At::Start }
    }

    /// The question to the store, if it is the store that decides.
    fn look(&self) -> Option<Box<Change<()>>> {
        let id = self.pending.kept().filter(|_| self.in_store)?;
        let pending = self.pending.clone();
        let look = Change::new(Kept::key(id), move |record, _| {
            // A claim of this process that it has not used leaves the run to it.
            let kept = Kept::read(record)?;
            if let Some(kept) = kept.filter(|kept| !kept.claim().is_some_and(|own| pending.is_open(own))) {
                kept.is_free()?;
            }
            Ok(Edit::Leave(()))
        });
        Some(Box::new(look))
    }

    fn poll(&self, now: &Now) -> At {
        let left = self.pending.remaining(now);
        let left = self.patience.map_or(left, |patience| patience.min(left));
        At::Poll(self.question(left), Deadline::start(now, left))
    }

    fn question(&self, left: Duration) -> Box<Call<WaitForApproval>> {
        Box::new(self.session.call(WaitForApproval::new(&self.pending, left)))
    }

    /// The next pause would be longer than what is left.
    fn near(&self, now: &Now, end: Deadline) -> At {
        let left = end.remaining(now);
        match left.checked_sub(SPARE) {
            Some(pause) if pause >= SHORTEST => At::Near { until: now.monotonic.saturating_add(pause), end },
            _ => At::Rest(end),
        }
    }

    /// What the service said.
    fn said(&self, status: ApprovalStatus, now: &Now) -> ApprovalOutcome {
        let pending = self.pending.clone();
        match status.state {
            _ if self.pending.is_over(now) => ApprovalOutcome::Expired(pending),
            ApprovalState::Approved => ApprovalOutcome::Approved(ApprovalProof::new(pending, status)),
            ApprovalState::Denied => ApprovalOutcome::Denied(DeniedApproval::new(&pending, &status)),
            ApprovalState::Expired => ApprovalOutcome::Expired(pending),
            ApprovalState::Pending => ApprovalOutcome::TimedOut(pending),
        }
    }

    /// What an end without a decision means.
    fn undecided(&self, now: &Now) -> ApprovalOutcome {
        if self.pending.is_over(now) {
            ApprovalOutcome::Expired(self.pending.clone())
        } else {
            ApprovalOutcome::TimedOut(self.pending.clone())
        }
    }

    fn end(&self, outcome: ApprovalOutcome) -> Result<At, ApprovalOutcome> {
        match self.look() {
            Some(look) if !outcome.is_approved() => Ok(At::Check(look, Some(outcome))),
            _ => Err(outcome),
        }
    }
}

/// True if the service wants to be left alone for longer than until the last question.
fn is_put_off(whose: Whose, now: &Now, end: &Deadline) -> bool {
    matches!(whose, Whose::Open(open) if open.pause > end.remaining(now).saturating_sub(SPARE))
}

impl Part for Wait {
    type Output = ApprovalOutcome;

    fn step(
        &mut self,
        now: &Now,
        mut arrived: Option<Arrived>,
        time: &Deadline,
    ) -> Result<Step<ApprovalOutcome>, Failed> {
        loop {
            let next = match &mut self.at {
                At::Start => Ok(self.look().map_or_else(|| self.poll(now), At::Look)),
                At::Look(look) => {
                    ready!(look.step(now, arrived.take(), time)?);
                    Ok(self.poll(now))
                }
                At::Poll(call, end) | At::Last(call, end) => {
                    let end = *end;
                    match Part::step(&mut **call, now, arrived.take(), &end) {
                        Ok(Step::Do(_)) if self.pending.is_over(now) => self.end(self.undecided(now)),
                        Ok(Step::Do(action)) => return Ok(Step::Do(action)),
                        Ok(Step::Done(status)) => self.end(self.said(status, now)),
                        Err(Failed { error: Error::DeadlineExceeded { .. }, whose }) => {
                            let is_last = matches!(self.at, At::Last(..)) || is_put_off(whose, now, &end);
                            Ok(if is_last { At::Rest(end) } else { self.near(now, end) })
                        }
                        Err(failed) => return Err(failed),
                    }
                }
                At::Near { until, end } if now.monotonic >= *until => {
                    let end = *end;
                    Ok(At::Last(self.question(end.remaining(now)), end))
                }
                At::Near { until, .. } => {
                    return Ok(Step::Do(Action::Wait(until.saturating_sub(now.monotonic))));
                }
                At::Rest(end) if end.passed(now) || self.pending.is_over(now) => {
                    self.end(self.undecided(now))
                }
                At::Rest(end) => return Ok(Step::Do(Action::Wait(end.remaining(now)))),
                At::Check(look, outcome) => {
                    ready!(look.step(now, arrived.take(), time)?);
                    Err(outcome.take().ok_or_else(super::super::ended)?)
                }
            };
            match next {
                Ok(at) => self.at = at,
                Err(outcome) => return Ok(Step::Done(outcome)),
            }
        }
    }
}
