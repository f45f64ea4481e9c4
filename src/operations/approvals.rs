//! Approvals by people (`docs/wire.md`, rows Y): a person is asked on a device of theirs before the agent acts.

mod approval;
mod create;
mod pending;
mod status;

pub use approval::{Approval, Impact};
pub use create::{CreatedApproval, NotDelivered, RequestApproval};
#[cfg(feature = "calls")]
pub(crate) use pending::OwnRun;
pub use pending::PendingApproval;
pub use status::{ApprovalState, ApprovalStatus, Approver, GetApproval, WaitForApproval};

use crate::error::{Error, ProtocolFault};
use crate::json::Fields;
use crate::route::Route;

/// Approvals are asked for here.
pub const CREATE: Route = Route::post("approvals.create", "agents/me/approvals");
/// What became of one.
pub const STATUS: Route = Route::get("approvals.status", "agents/me/approvals/{token}/status");
pub(super) const ROUTES: &[Route] = &[CREATE, STATUS];

/// What an answer must be about.
struct About<'a> {
    task_id: &'a str,
    impact: Impact,
}

impl About<'_> {
    /// Another task or impact than was asked for is a fault; what is not said is one where it must be.
    fn check(&self, fields: &mut Fields, must: bool) -> Result<(), Error> {
        for (name, own) in [("task_id", self.task_id), ("impact", self.impact.as_str())] {
            match fields.text(name)? {
                Some(said) if said == own => {}
                Some(_) => return Err(fields.fault(ProtocolFault::OtherAction)),
                None if must => return Err(fields.missing(name)),
                None => {}
            }
        }
        Ok(())
    }
}
