//! What a store keeps of an approval: who may run the call, and who has.

use serde::{Deserialize, Serialize};

use crate::error::{ApprovalError, Error, StoreError};
use crate::operations::PendingApproval;
use crate::secret::Secret;
use crate::store::{Prefix, Record, Shelf, StoreKey};
use crate::time::Timestamp;

/// The first segment of the keys of approvals.
const APPROVALS: &str = "approval";

/// The record of one approval.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// The task that it was asked for.
    task: String,
    /// What it is resumed from, once it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The call that was shown, in canonical JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<Run>,
}

/// Somebody claimed the run.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    claim: String,
    owner: String,
    /// When it was claimed, or when it had returned.
    at: u64,
    returned: bool,
}

#[cfg_attr(not(feature = "calls"), allow(dead_code))] // what runs calls
impl Kept {
    pub(super) fn new(task: String, call: Option<String>) -> Self {
        Kept { task, text: None, call, run: None }
    }

    /// It was asked for.
    pub(super) fn asked(mut self, pending: &PendingApproval) -> Self {
        self.text = Some(pending.to_text().expose().to_owned());
        self
    }

    pub(super) fn key(id: &str) -> StoreKey {
        StoreKey::new(Shelf::Approvals, [APPROVALS, id])
    }

    pub(super) fn prefix() -> Prefix {
        Prefix::new(Shelf::Approvals, [APPROVALS])
    }

    pub(super) fn read(record: Option<&Record>) -> Result<Option<Self>, Error> {
        let wrong = |_| StoreError::corrupt("the record of an approval cannot be read");
        Ok(record.map(|record| serde_json::from_slice(record.bytes()).map_err(wrong)).transpose()?)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What it is resumed from; none of what nobody can run any more.
    pub(super) fn pending(&self) -> Option<PendingApproval> {
        let text = self.text.as_deref().filter(|_| self.run.is_none())?;
        PendingApproval::from_text(&Secret::new(text)).ok()
    }

    /// True if it is of this question: of its task, and of its token where that was noted.
    pub(super) fn is_of(&self, pending: &PendingApproval) -> bool {
        let noted = self.text.as_deref().map(|text| PendingApproval::from_text(&Secret::new(text)));
        self.task == pending.task_id()
            && noted.is_none_or(|noted| noted.is_ok_and(|own| own.token() == pending.token()))
    }

    #[cfg(feature = "calls")]
    pub(super) fn call(&self) -> Option<&str> {
        self.call.as_deref()
    }

    /// The claim that has the run, which has not returned.
    pub(super) fn claim(&self) -> Option<&str> {
        self.run.as_ref().filter(|run| !run.returned).map(|run| &*run.claim)
    }

    /// True if it was asked for, or is claimed: whoever asked has nothing to write down any more.
    pub(super) fn is_asked(&self) -> bool {
        self.text.is_some() || self.run.is_some()
    }

    /// True if this claim has the run.
    pub(super) fn is_claimed_by(&self, claim: &str) -> bool {
        self.run.as_ref().is_some_and(|run| run.claim == claim)
    }

    /// An error if the run was claimed.
    pub(super) fn is_free(&self) -> Result<(), ApprovalError> {
        let Some(Run { owner, at, returned, .. }) = &self.run else { return Ok(()) };
        let (at, owner) = (Timestamp::from_unix_millis(*at), owner.clone());
        Err(match returned {
            true => ApprovalError::AlreadyRan { at, owner },
            false => ApprovalError::OutcomeUnknown { claimed_at: at, owner },
        })
    }

    /// Claimed, or returned.
    pub(super) fn ran(mut self, claim: &str, owner: &str, at: Timestamp, returned: bool) -> Self {
        let (claim, owner, at) = (claim.to_owned(), owner.to_owned(), at.unix_millis());
        self.run = Some(Run { claim, owner, at, returned });
        self
    }
}
