//! Asking a person.

use std::time::Duration;

use super::{About, Approval, CREATE, Impact, PendingApproval};
use crate::error::{ApprovalError, Error, NotDeliveredReason, ProtocolFault};
use crate::operation::{Answer, Auth, Context, Effect, Operation, Terms};
use crate::operations::jit::named;
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::wire::{self, Request, Response};

/// How long the service keeps a request, if it does not say.
const KEPT: Duration = Duration::from_secs(120);
/// The longest that a request is taken to be kept, whatever the service says.
const LONGEST_KEPT: Duration = Duration::from_secs(24 * 3600);
/// The longest token of a request.
const LONGEST_TOKEN: usize = 1024;

/// Asks a person to approve. `POST agents/me/approvals`.
///
/// | part | | on the wire |
/// |---|---|---|
/// | task, with the hash of a call at its end | REQUIRED | `task_id`, 128 characters at most |
/// | what the person reads | REQUIRED | `reason`, 480 characters at most |
/// | who is asked | REQUIRED | `on_behalf_of`, an address or a user id |
/// | how much is at stake | REQUIRED | `impact` |
/// | what stands beside it | OPTIONAL | `meta` |
///
/// It rings a person, so it is never sent again unless nothing of it was sent.
#[derive(Clone, Debug)]
pub struct RequestApproval {
    approval: Approval,
}

impl RequestApproval {
    /// Asks for this approval.
    pub fn new(approval: Approval) -> Self {
        RequestApproval { approval }
    }
}

/// What came of asking a person.
#[derive(Clone, Debug)]
#[must_use = "nobody may have been asked"]
pub enum CreatedApproval {
    /// The person is asked; it can be waited for.
    Pending(PendingApproval),
    /// Nobody is asked.
    NotDelivered(NotDelivered),
}

/// No question reached the person: nothing can be waited for, and nothing was approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotDelivered {
    task_id: String,
    reason: NotDeliveredReason,
    message: Option<String>,
}

impl NotDelivered {
    /// The task that it was to be asked for.
    pub fn task_id(&self) -> &str {
        &self.task_id
    }

    /// Why.
    pub fn reason(&self) -> NotDeliveredReason {
        self.reason
    }

    /// The service's words, which are not for a terminal as they are.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    pub(crate) fn error(self) -> ApprovalError {
        let NotDelivered { task_id, reason, message } = self;
        ApprovalError::NotDelivered { task_id, reason, message }
    }
}

impl Operation for RequestApproval {
    type Output = CreatedApproval;

    fn terms(&self) -> Terms {
        Terms::new(CREATE.name(), Effect::Once, Auth::Bearer)
    }

    fn request(&self, context: &Context<'_>) -> Result<Request, Error> {
        let body = self.approval.body()?;
        Ok(named(context.to(CREATE), context).json(&body))
    }

    /// Only 200 and 201 with a token are a request that somebody may approve. 202 and 428 say that nobody was asked.
    fn response(&self, response: &Response) -> Result<Answer<CreatedApproval>, Error> {
        let task_id = self.approval.task_id();
        let not_delivered = |reason, message| {
            let task_id = task_id.clone();
            Ok(Answer::Done(CreatedApproval::NotDelivered(NotDelivered { task_id, reason, message })))
        };
        let mut fields = match wire::read(CREATE.name(), response) {
            Ok(fields) => fields,
            Err(Error::Api(api)) if api.status() == 428 => {
                return not_delivered(NotDeliveredReason::NoDevice, api.description().map(str::to_owned));
            }
            Err(error) => return Err(error),
        };
        let about = About { task_id: &task_id, impact: self.approval.said_impact() };
        about.check(&mut fields, false)?;
        let status = fields.text("status")?;
        if response.status() == 202 || status.as_deref() == Some("email_fallback_sent") {
            return not_delivered(NotDeliveredReason::MailSent, fields.text("message")?);
        }
        if !matches!(response.status().as_u16(), 200 | 201) {
            return Err(fields.fault(ProtocolFault::UnexpectedStatus));
        }
        let Some(status) = status else { return Err(fields.missing("status")) };
        // What was decided is asked for by the token in any case.
        if !matches!(&*status, "pending" | "approved" | "denied" | "expired") {
            return Err(
                fields.fault(ProtocolFault::Other("the status of the approval is none that is known"))
            );
        }
        let token = fields.required_text("approval_token")?;
        if token.len() > LONGEST_TOKEN || crate::path::segment("approval_token", &token).is_err() {
            return Err(fields.fault(ProtocolFault::Other("the approval's token cannot stand in a path")));
        }
        let kept = match fields.moment("expires_at")? {
            // By the service's own clock, if it says what that shows.
            Some(end) => wire::sent_at(response).map_or(KEPT, |sent| end.saturating_since(sent)),
            None => KEPT,
        };
        let ends = response.received().unwrap_or_default().saturating_add(kept.min(LONGEST_KEPT));
        Ok(Answer::Done(CreatedApproval::Pending(self.pending(Secret::new(token), ends))))
    }
}

impl RequestApproval {
    fn pending(&self, token: Secret, ends: Timestamp) -> PendingApproval {
        let impact: Impact = self.approval.said_impact();
        let (task_id, bound) = (self.approval.task_id(), self.approval.is_of_a_call());
        let pending = PendingApproval::asked(token, task_id, impact, self.approval.reason(), ends, bound);
        #[cfg(feature = "calls")]
        let pending = pending.of_call(self.approval.call().cloned());
        pending
    }

    /// What is asked for.
    pub fn approval(&self) -> &Approval {
        &self.approval
    }
}
