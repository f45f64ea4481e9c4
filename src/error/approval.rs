//! Why an approval by a person lets nothing run.

use super::{because, inert};
use crate::time::Timestamp;

/// Why there is no approval, or why it does not let this call run. Nothing ran because of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// The person said no.
    #[error("the approval was denied (task {})", inert(.task_id))]
    Denied {
        /// The task that it was asked for.
        task_id: String,
    },
    /// It is over: nobody decided in time, or what was approved did not run in time.
    #[error("the approval is over (task {})", inert(.task_id))]
    Expired {
        /// The task that it was asked for.
        task_id: String,
    },
    /// Nobody has decided yet, and the caller does not wait any longer. It may still be approved: go on waiting.
    #[error("nobody has decided yet (task {})", inert(.task_id))]
    TimedOut {
        /// The task that it was asked for.
        task_id: String,
    },
    /// No question reached the person, so nobody can approve (a mail that says so is no question).
    #[error("nobody was asked (task {}): {reason}{}", inert(.task_id), because(.message))]
    NotDelivered {
        /// The task that it was to be asked for.
        task_id: String,
        /// Why.
        reason: NotDeliveredReason,
        /// The service's words.
        message: Option<String>,
    },
    /// Another call than the one that was approved. It did not run.
    #[error("this is not the call that was approved: {} differs", listed(.differences))]
    OtherCall {
        /// What differs, by JSON pointers (`/tool`, `/arguments/amount`); only `/` if what was shown is not known here any more.
        differences: Vec<String>,
    },
    /// The approved call ran already; it runs once.
    #[error("the approved call ran already, at {} by {}", .at.to_rfc3339(), inert(.owner))]
    AlreadyRan {
        /// When it had run.
        at: Timestamp,
        /// Who ran it.
        owner: String,
    },
    /// Somebody claimed the approved call and has not said that it returned: it runs at this moment, or its process died, and then
    /// nobody knows whether it ran. It does not run again: look at what it was to do.
    #[error("the outcome of the approved call is unknown: it was claimed at {} by {}", .claimed_at.to_rfc3339(), inert(.owner))]
    OutcomeUnknown {
        /// When it was claimed.
        claimed_at: Timestamp,
        /// Who claimed it.
        owner: String,
    },
    /// The approval was asked for elsewhere, and no store here has kept it: it can be waited for, and runs nothing.
    #[error("the approval runs nothing here: it was asked for elsewhere, and this store has not kept it")]
    NotHere,
    /// The approval is not bound to a call.
    #[error("the approval is not bound to a call: ask with Approval::for_call")]
    NotOfACall,
}

/// Why no question reached the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotDeliveredReason {
    /// The person has no device that can be asked, or there is no such person: the service tells both in the same way. A mail
    /// was sent, in which nothing can be approved (status 202).
    MailSent,
    /// The person has no device that can be asked, and the mail failed as well (status 428).
    NoDevice,
}

impl std::fmt::Display for NotDeliveredReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            NotDeliveredReason::MailSent => "no device to ask on, or no such person; a mail was sent instead",
            NotDeliveredReason::NoDevice => "no device to ask on, and no mail could be sent",
        })
    }
}

fn listed(differences: &[String]) -> String {
    let shown: Vec<String> = differences.iter().map(|one| inert(one)).collect();
    shown.join(", ")
}
