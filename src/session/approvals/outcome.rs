//! What came of asking a person.

use crate::error::{ApprovalError, Error};
use crate::operations::{ApprovalStatus, Approver, NotDelivered, PendingApproval};
use crate::time::Timestamp;

/// What came of asking a person. Only [`ApprovalOutcome::Approved`] lets anything run.
#[derive(Debug)]
#[must_use = "it may not be approved"]
pub enum ApprovalOutcome {
    /// The person said yes.
    Approved(ApprovalProof),
    /// The person said no.
    Denied(DeniedApproval),
    /// Nobody decided in time.
    Expired(PendingApproval),
    /// Nobody has decided yet, and the caller's patience is over: it can be waited for again.
    TimedOut(PendingApproval),
    /// Nobody was asked.
    NotDelivered(NotDelivered),
}

impl ApprovalOutcome {
    /// True if the person said yes, and only then.
    pub fn is_approved(&self) -> bool {
        matches!(self, ApprovalOutcome::Approved(_))
    }

    /// Goes on only if the person said yes.
    ///
    /// # Errors
    /// [`Error::Approval`], which says why not.
    pub fn require(self) -> Result<ApprovalProof, Error> {
        let task_id = |pending: PendingApproval| pending.task_id().to_owned();
        Err(Error::Approval(match self {
            ApprovalOutcome::Approved(proof) => return Ok(proof),
            ApprovalOutcome::Denied(denied) => ApprovalError::Denied { task_id: denied.task_id },
            ApprovalOutcome::Expired(pending) => ApprovalError::Expired { task_id: task_id(pending) },
            ApprovalOutcome::TimedOut(pending) => ApprovalError::TimedOut { task_id: task_id(pending) },
            ApprovalOutcome::NotDelivered(nobody) => nobody.error(),
        }))
    }
}

/// The person said yes, as the service said to this client. An approval of a call lets that call run once; there is no second proof of
/// one decision that could run it again.
#[derive(Debug)]
pub struct ApprovalProof {
    pub(super) pending: PendingApproval,
    approved_by: Option<Approver>,
    responded_at: Option<Timestamp>,
}

impl ApprovalProof {
    pub(super) fn new(pending: PendingApproval, status: ApprovalStatus) -> Self {
        let ApprovalStatus { approved_by, responded_at, .. } = status;
        ApprovalProof { pending, approved_by, responded_at }
    }

    /// The task that was approved, with the hash of a call at its end.
    pub fn task_id(&self) -> &str {
        self.pending.task_id()
    }

    /// The hash of the call that was approved, if it is bound to one.
    pub fn call_sha256(&self) -> Option<&str> {
        self.pending.call_sha256()
    }

    /// Who approved, where the service says so.
    pub fn approved_by(&self) -> Option<&Approver> {
        self.approved_by.as_ref()
    }

    /// When they did, where the service says so.
    pub fn responded_at(&self) -> Option<Timestamp> {
        self.responded_at
    }

    /// Until when the call may run.
    pub fn ends(&self) -> Timestamp {
        self.pending.ends()
    }
}

/// The person said no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeniedApproval {
    task_id: String,
    responded_at: Option<Timestamp>,
}

impl DeniedApproval {
    pub(super) fn new(pending: &PendingApproval, status: &ApprovalStatus) -> Self {
        DeniedApproval { task_id: pending.task_id().to_owned(), responded_at: status.responded_at }
    }

    /// The task that was denied.
    pub fn task_id(&self) -> &str {
        &self.task_id
    }

    /// When the person said so, where the service says it.
    pub fn responded_at(&self) -> Option<Timestamp> {
        self.responded_at
    }
}
