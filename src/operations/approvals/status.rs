//! Asking what the person decided.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::header::{CACHE_CONTROL, HeaderValue};

use super::{About, PendingApproval, STATUS};
use crate::error::{Error, ProtocolFault};
use crate::operation::{Answer, Auth, Context, Effect, Operation, Terms};
use crate::operations::decision::{is_cached, undisputed};
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::wire::{self, Request, Response};

/// The first pause between two questions.
const FIRST_PAUSE: Duration = Duration::from_millis(1500);
/// The longest one: each is half as long again as the one before.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Asks what became of an approval. `GET agents/me/approvals/{token}/status`.
#[derive(Clone, Debug)]
pub struct GetApproval {
    pending: PendingApproval,
}

impl GetApproval {
    /// Of this one.
    pub fn new(pending: &PendingApproval) -> Self {
        GetApproval { pending: pending.clone() }
    }
}

/// What became of an approval so far.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it may not be approved"]
pub struct ApprovalStatus {
    /// What was decided.
    pub state: ApprovalState,
    /// When the person answered.
    pub responded_at: Option<Timestamp>,
    /// Who approved it, where the service says so.
    pub approved_by: Option<Approver>,
}

impl ApprovalStatus {
    /// True if it was approved, and only then.
    pub fn is_approved(&self) -> bool {
        self.state == ApprovalState::Approved
    }
}

/// What was decided. Only the service's own words count: any other is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApprovalState {
    /// Nothing yet.
    Pending,
    /// The person said yes.
    Approved,
    /// The person said no.
    Denied,
    /// Nobody decided in time.
    Expired,
}

/// Who approved. Newer services say the id alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    /// The user's id.
    pub user_id: Option<String>,
    /// The user's address.
    pub email: Option<String>,
}

impl Operation for GetApproval {
    type Output = ApprovalStatus;

    fn terms(&self) -> Terms {
        Terms::new(STATUS.name(), Effect::Read, Auth::Bearer)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let token = self.pending.token();
        let request = context.to_with(STATUS, &[token.expose()])?.carries(token).with_secret_path();
        Ok(request.header(CACHE_CONTROL, HeaderValue::from_static("no-store")))
    }

    /// Approved means: status 200, a JSON object that says so about this token, task and impact, and, where it names a reason, about the
    /// one that was shown.
    fn response(&self, response: &Response) -> Result<Answer<ApprovalStatus>, Error> {
        let mut fields = wire::read(STATUS.name(), response)?;
        if response.status() != 200 {
            return Err(fields.fault(ProtocolFault::UnexpectedStatus));
        }
        if is_cached(response) {
            return Err(fields.fault(ProtocolFault::Cached));
        }
        let token = Secret::new(fields.required_text("approval_token")?);
        if token != *self.pending.token() {
            return Err(fields.fault(ProtocolFault::OtherAction));
        }
        About { task_id: self.pending.task_id(), impact: self.pending.impact() }.check(&mut fields, true)?;
        if fields.text("reason")?.is_some_and(|reason| !self.pending.has_reason(&reason)) {
            return Err(fields.fault(ProtocolFault::OtherAction));
        }
        let state = match &*fields.required_text("status")? {
            "pending" => ApprovalState::Pending,
            "approved" => ApprovalState::Approved,
            "denied" => ApprovalState::Denied,
            "expired" => ApprovalState::Expired,
            _ => {
                let problem = "the status of the approval is none that is known";
                return Err(fields.fault(ProtocolFault::Other(problem)));
            }
        };
        undisputed(&mut fields, state == ApprovalState::Approved)?;
        match state {
            ApprovalState::Denied => self.pending.was_denied(),
            // What was denied once stays so, whatever is said later.
            ApprovalState::Approved if self.pending.is_denied() => {
                return Err(fields.fault(ProtocolFault::Other("the answer approves what was denied before")));
            }
            _ => {}
        }
        let approved_by = match fields.object("approved_by")? {
            None => None,
            Some(mut by) => Some(Approver { user_id: by.identifier("user_id")?, email: by.text("email")? }),
        };
        let responded_at = fields.moment("responded_at")?;
        Ok(Answer::Done(ApprovalStatus { state, responded_at, approved_by }))
    }
}

/// Asks again and again until the person has decided: at once, after 1.5 s, then after longer pauses, up to 5 s.
///
/// Failures that pass (no connection, timeouts, 429, 5xx) do not end it. It ends with the time that it is given.
#[derive(Debug)]
pub struct WaitForApproval {
    status: GetApproval,
    /// Milliseconds until the next question.
    pause: AtomicU64,
    total: Duration,
}

impl WaitForApproval {
    /// For this long at most.
    pub fn new(pending: &PendingApproval, total: Duration) -> Self {
        let first = u64::try_from(FIRST_PAUSE.as_millis()).unwrap_or(u64::MAX);
        WaitForApproval { status: GetApproval::new(pending), pause: AtomicU64::new(first), total }
    }
}

impl Operation for WaitForApproval {
    type Output = ApprovalStatus;

    fn terms(&self) -> Terms {
        let pause = Duration::from_millis(self.pause.load(Ordering::Relaxed));
        self.status.terms().total(self.total).own_times().waits(pause)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        self.status.request(context)
    }

    fn response(&self, response: &Response) -> Result<Answer<ApprovalStatus>, Error> {
        let decided = match self.status.response(response)? {
            Answer::Done(status) if status.state == ApprovalState::Pending => None,
            decided => Some(decided),
        };
        if let Some(decided) = decided {
            return Ok(decided);
        }
        let longest = u64::try_from(LONGEST_PAUSE.as_millis()).unwrap_or(u64::MAX);
        let longer = |pause: u64| Some(pause.saturating_add(pause / 2).min(longest));
        let pause = self.pause.fetch_update(Ordering::Relaxed, Ordering::Relaxed, longer).unwrap_or(longest);
        Ok(Answer::Again(Duration::from_millis(pause)))
    }
}
